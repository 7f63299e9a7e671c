"""What is told of an order over a chain, from its birth to its end: exact units, blocks and statuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from diamondpay.lib import clock
from records import chain_payments, payments
from records.models import Actor, ChainPayment, ChainTransfer, Notification, Payment, PaymentStatus
from tests import factories
from tests.merchants.api.payment_detail.conftest import MakeOverChain, OverChain
from tests.support.evm import scenes

pytestmark = pytest.mark.django_db
NOTHING: dict[str, Any] = {
    "settlementAmount": None, "settlementCurrencySymbol": None, "transferHash": None, "fromAddress": None,
    "blockTime": None,
}  # fmt: skip


def arrival(tx_hash: str) -> dict[str, Any]:
    """Return what is told of a transfer that was seen."""
    row = ChainTransfer.objects.get(tx_hash=tx_hash)
    return {
        "transferHash": tx_hash, "fromAddress": row.from_address,
        "blockTime": int(row.block_time.timestamp()),
    }  # fmt: skip


def test_a_new_order_tells_where_and_what_to_pay_and_nothing_else(over_chain: OverChain) -> None:
    payment = over_chain.placed("order-1")
    data = over_chain.detail(outTradeNo="order-1").data
    created = data.pop("createTime")
    assert len(created) == 19
    assert data == {
        "orgId": over_chain.merchant.organisation_id, "outTradeNo": "order-1",
        "outPaymentNo": payment.payment_id, "chainId": 99,
        "currencyId": over_chain.scene.token("USDT").pk, "description": "A book", "isLegalTender": 0,
        "quoteCurrencySymbol": "USDT", "quoteAmount": "10", "paymentStatus": 1, "paymentType": 1,
        "expectedAmount": "10000000", "userWalletAddress": payment.chain_payment.address, **NOTHING,
    }  # fmt: skip


def told() -> list[tuple[int, str]]:
    """Return the code and the state of every callback, oldest first."""
    return [(row.facts["paymentStatus"], row.state) for row in Notification.objects.order_by("id")]


def test_a_payment_is_seen_then_confirmed_then_paid_and_told(over_chain: OverChain) -> None:
    scene = over_chain.scene
    payment = over_chain.placed("order-1")
    tx_hash = scene.pay(payment, 10_000_000, confirm=False)
    scene.watch()
    seen = over_chain.detail(outTradeNo="order-1").data
    assert (seen["paymentStatus"], seen["settlementAmount"]) == (2, None)
    assert arrival(tx_hash).items() <= seen.items()
    scene.node.mine(scenes.CONFIRMATIONS - 1)
    scene.watch()
    data = over_chain.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["settlementAmount"], data["settlementCurrencySymbol"]) == (
        0, "10000000", "USDT",
    )  # fmt: skip
    assert arrival(tx_hash).items() <= data.items()
    # The callback was written before the transfer bore its number, and says the same.
    assert told() == [(2, "replaced"), (0, "retrying")]
    assert Notification.objects.latest("id").facts == data


def test_too_little_is_partially_paid_and_the_rest_completes_it(over_chain: OverChain) -> None:
    scene = over_chain.scene
    payment = over_chain.placed("order-1")
    first = scene.pay(payment, 4_000_000)
    scene.watch()
    data = over_chain.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["settlementAmount"], data["transferHash"]) == (3, "4000000", first)
    assert (told(), Notification.objects.get().facts) == ([(3, "retrying")], data)
    second = scene.pay(payment, 5_999_999)
    scene.watch()
    data = over_chain.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["settlementAmount"], data["transferHash"]) == (0, "9999999", second)
    assert told() == [(3, "replaced"), (0, "retrying")]
    assert Notification.objects.latest("id").facts == data
    assert scenes.credited(payment)[0] == PaymentStatus.SUCCESS


def test_what_comes_after_the_credit_changes_nothing_of_what_is_told(over_chain: OverChain) -> None:
    scene = over_chain.scene
    payment = over_chain.placed("order-1")
    scene.pay(payment, 10_000_000)
    scene.watch()
    told = over_chain.detail(outTradeNo="order-1").data
    scene.pay(payment, 3_000_000)
    scene.watch()
    assert ChainPayment.objects.get().confirmed_units == 13_000_000
    assert over_chain.detail(outTradeNo="order-1").data == told


def test_an_order_in_fiat_tells_the_token_once_it_is_picked(make_over_chain: MakeOverChain) -> None:
    factories.make_rate("0.9998", "USDC", "USD")
    factories.make_rate("3000", "ETH", "USD")
    shop = make_over_chain(currency="USD")
    payment = shop.placed("order-1", isLegalTender=1, quoteCurrencySymbol="USD", quoteAmount="100")
    before = shop.detail(outTradeNo="order-1").data
    assert (before["currencyId"], before["expectedAmount"], before["isLegalTender"]) == (None, None, 1)
    token = shop.scene.token("USDC")
    chain_payments.pick_token(payment_pk=payment.pk, token_pk=token.pk, now=clock.now())
    picked = shop.detail(outTradeNo="order-1").data
    assert (picked["currencyId"], picked["expectedAmount"], picked["quoteCurrencySymbol"]) == (
        token.pk, "100020005", "USD",
    )  # fmt: skip
    shop.scene.pay(payment, 100_020_005, symbol="USDC")
    shop.scene.watch()
    data = shop.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["settlementAmount"], data["settlementCurrencySymbol"]) == (
        0, "100020005", "USDC",
    )  # fmt: skip
    assert Notification.objects.get().facts == data


def test_the_chains_own_coin_is_told_in_its_smallest_units(make_over_chain: MakeOverChain) -> None:
    shop = make_over_chain(currency="ETH")
    payment = shop.placed("order-1", quoteCurrencySymbol="ETH", quoteAmount="1.234567890123456789")
    shop.scene.pay(payment, 1_234_567_890_123_456_789, symbol="ETH")
    shop.scene.watch()
    data = shop.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["expectedAmount"], data["settlementAmount"]) == (
        0, "1234567890123456789", "1234567890123456789",
    )  # fmt: skip


def by_hand(payment: Payment, amount: str) -> None:
    """Credit an order as an operator does."""
    with transaction.atomic():
        payments.settle(
            payment=payments.locked(payment.pk), actual_amount=Decimal(amount), now=clock.now(),
            changed_by=Actor.OPERATOR, reason="seen elsewhere",
        )  # fmt: skip


def test_what_a_person_credits_is_told_by_its_amount_whatever_arrived(over_chain: OverChain) -> None:
    payment = over_chain.placed("order-1")
    tx_hash = over_chain.scene.pay(payment, 4_000_000)
    over_chain.scene.watch()
    by_hand(payment, "9.5")
    data = over_chain.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["settlementAmount"], data["settlementCurrencySymbol"]) == (
        0, "9500000", "USDT",
    )  # fmt: skip
    assert (data["transferHash"], Notification.objects.latest("id").facts) == (tx_hash, data)


def test_what_a_person_credits_before_a_token_was_picked_is_told_in_the_orders_currency(
    make_over_chain: MakeOverChain,
) -> None:
    factories.make_rate("0.9998", "USDC", "USD")
    factories.make_rate("3000", "ETH", "USD")
    shop = make_over_chain(currency="USD")
    payment = shop.placed("order-1", isLegalTender=1, quoteCurrencySymbol="USD", quoteAmount="100")
    by_hand(payment, "100")
    data = shop.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["settlementAmount"], data["settlementCurrencySymbol"]) == (
        0, "10000", "USD",
    )  # fmt: skip
    assert {data[name] for name in ("currencyId", "expectedAmount", "transferHash")} == {None}


def test_a_refund_makes_it_refunded_and_keeps_what_arrived(over_chain: OverChain) -> None:
    payment = over_chain.placed("order-1")
    over_chain.scene.pay(payment, 10_000_000)
    over_chain.scene.watch()
    payment = Payment.objects.get()
    user = factories.make_user("approver-of-refunds")
    payments.refund(payment=payment, is_fee_returned=True, now=clock.now(), user=user, reason="wrong payer")
    data = over_chain.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["settlementAmount"]) == (5, "10000000")


def test_asking_to_be_told_is_in_the_orders_own_language(over_chain: OverChain) -> None:
    over_chain.placed("order-1")
    assert over_chain.get("/payment/notify", outTradeNo="order-1").status == 200
    told = Notification.objects.get()
    assert (told.dialect, told.facts) == ("payment_detail.v1", over_chain.detail(outTradeNo="order-1").data)
