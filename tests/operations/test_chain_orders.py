"""Orders over a chain as they are asked for: quotes, repeats, refusals."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from channels.models import Chain, Service, Token
from channels.rates import NoRate
from channels.upstreams import base
from diamondpay.lib import clock, errors
from operations import chain_orders, placement
from records import chain_payments, payer_links, submission
from records.models import ChainKey, ChainPayment, ChainQuote, Payment, PaymentStatus, UpstreamCall
from tests import factories
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import NETWORK, Node

__all__ = ["node"]

pytestmark = pytest.mark.django_db


def test_an_order_in_a_token_names_address_amount_and_token_at_once(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("10", description="A book", redirect_url="https://shop.example.com/done")
    found = ChainPayment.objects.get(pk=payment.pk)
    # The first children of the key, by the wallets that know its private half.
    assert (found.derivation_index, found.address) == (0, "0xaBBcd4471a0b6E76A2f6fdc44008fE53831E208e")
    assert (found.token, found.expected_units, found.mode) == (scene.token("USDT"), 10_000_000, "dedicated")
    assert (found.description, found.redirect_url) == ("A book", "https://shop.example.com/done")
    assert (payment.currency_id, payment.requested_amount) == ("USDT", Decimal(10))
    contract = scene.token("USDT").address
    assert payment.qr_text == (
        f"ethereum:{contract}@{NETWORK}/transfer?address={found.address}&uint256=10000000"
    )
    assert payment.submitted_at is not None
    assert node.answered == []


def test_the_same_again_is_the_same_order_and_uses_no_address(node: Node) -> None:
    scene = scenes.make(node)
    first = scene.place("10", description="A book")
    assert scene.place("10", description="A book") == first
    with pytest.raises(errors.DuplicateOrderNumber):
        scene.place("10", description="Another book")
    assert (ChainPayment.objects.count(), ChainKey.objects.get().next_index) == (1, 1)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"chain_id": 12345}, "chain_id"),
        ({"chain_id": 1}, "chain_id"),
        ({"quote_symbol": "DOGE"}, "quote_symbol"),
        ({"quote_symbol": "QQQ", "is_legal_tender": True}, "quote_symbol"),
        ({"quote_symbol": "ETH", "is_legal_tender": True}, "is_legal_tender"),
        ({"quote_symbol": "USD"}, "quote_symbol"),
        ({"quote_amount": Decimal("0.0000001")}, "amount"),
        ({"quote_amount": Decimal(0)}, "amount"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field_and_nothing_is_written(
    node: Node, asked: dict[str, Any], field: str
) -> None:
    scene = scenes.make(node)
    with pytest.raises(errors.InvalidInput) as refusal:
        _placed(scene, **asked)
    assert set(refusal.value.fields) == {field}
    assert (Payment.objects.count(), ChainPayment.objects.count(), ChainKey.objects.count()) == (0, 0, 0)


def test_a_currency_without_a_service_is_refused(node: Node) -> None:
    with pytest.raises(errors.ServiceNotActivated):
        _placed(scenes.make(node), quote_symbol="USDC")
    assert Payment.objects.count() == 0


def test_an_order_goes_to_a_channel_on_its_own_chain_only(node: Node) -> None:
    scene = scenes.make(node)
    Chain.objects.create(chain_id=98, code="OTHER", name="Other", symbol="OTH", confirmations=1)
    Token.objects.create(
        chain_id=98, name="Tether", symbol="USDT", address="x", decimals=6, currency_id="USDT"
    )
    with pytest.raises(errors.NoChannelAvailable):
        _placed(scene, chain_id=98)
    assert Payment.objects.count() == 0


def test_a_fiat_quote_offers_every_token_with_a_rate_rounded_up_to_a_unit(node: Node) -> None:
    factories.make_rate("0.9998", "USDC", "USD")
    factories.make_rate("3000", "ETH", "USD")
    scene = scenes.make(node, currency="USD")
    payment = scene.place("100", symbol="USD")
    quotes = ChainQuote.objects.order_by("token__symbol").values_list("token__symbol", "units", "unit_price")
    assert list(quotes) == [
        ("ETH", Decimal(33_333_333_333_333_334), Decimal(3000)),
        ("USDC", Decimal(100_020_005), Decimal("0.9998")),
    ]  # fmt: skip
    found = ChainPayment.objects.get(pk=payment.pk)
    assert (found.token, found.expected_units, payment.qr_text) == (None, None, found.address)


def test_a_rate_that_changes_later_changes_no_quote(node: Node) -> None:
    factories.make_rate("1", "USDT", "USD")
    factories.make_rate("3000", "ETH", "USD")
    scene = scenes.make(node, currency="USD")
    payment = scene.place("100", symbol="USD")
    factories.make_rate("2", "USDT", "USD")
    picked = chain_payments.pick_token(
        payment_pk=payment.pk, token_pk=scene.token("USDT").pk, now=clock.now()
    )
    assert picked.expected_units == 100_000_000


def test_without_any_rate_a_fiat_quote_is_refused(node: Node) -> None:
    with pytest.raises(NoRate):
        scenes.make(node, currency="USD").place("100", symbol="USD")
    assert Payment.objects.count() == 0


def test_a_token_is_picked_once(node: Node) -> None:
    factories.make_rate("1", "USDT", "USD")
    factories.make_rate("3000", "ETH", "USD")
    scene = scenes.make(node, currency="USD")
    payment, now = scene.place("100", symbol="USD"), clock.now()
    usdt, ether, usdc = (scene.token(symbol).pk for symbol in ("USDT", "ETH", "USDC"))
    with pytest.raises(errors.InvalidInput):
        chain_payments.pick_token(payment_pk=payment.pk, token_pk=usdc, now=now)
    with pytest.raises(errors.StatusConflict):
        late = payment.expires_at + timedelta(seconds=1)
        chain_payments.pick_token(payment_pk=payment.pk, token_pk=usdt, now=late)
    assert ChainPayment.objects.get(pk=payment.pk).token_id is None
    chain_payments.pick_token(payment_pk=payment.pk, token_pk=usdt, now=now)
    chain_payments.pick_token(payment_pk=payment.pk, token_pk=usdt, now=now)
    with pytest.raises(errors.StatusConflict):
        chain_payments.pick_token(payment_pk=payment.pk, token_pk=ether, now=now)
    assert ChainPayment.objects.get(pk=payment.pk).token_id == usdt


def test_an_order_of_another_api_over_the_chain_is_a_chain_payment_too(node: Node) -> None:
    scene = scenes.make(node)
    order = placement.NewPayment(
        merchant=scene.merchant, service_id="SVC0085", merchant_order_no="G1", amount=Decimal(10),
        party=base.Party(), sign_type="HMAC-SHA256", source="API_V1",
    )  # fmt: skip
    payment = placement.place_payment(order=order)
    assert ChainPayment.objects.get(pk=payment.pk).expected_units == 10_000_000


def test_a_service_that_is_not_paid_over_chains_is_not_carried(node: Node) -> None:
    scene = scenes.make(node)
    Service.objects.filter(pk="SVC0085").update(payment_method="Account")
    order = placement.NewPayment(
        merchant=scene.merchant, service_id="SVC0085", merchant_order_no="G1", amount=Decimal(10),
        party=base.Party(), sign_type="HMAC-SHA256", source="API_V1",
    )  # fmt: skip
    with pytest.raises(errors.NoChannelAvailable):
        placement.place_payment(order=order)
    assert Payment.objects.count() == 0


def test_nobody_is_asked_about_an_order_over_a_chain(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("10")
    now = clock.now() + timedelta(hours=1)
    submission.query_due(now=now)
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.IN_PROGRESS
    assert not UpstreamCall.objects.filter(purpose=UpstreamCall.Purpose.QUERY).exists()


def test_the_page_of_a_chain_payment_lives_as_long_as_its_order_and_an_hour(node: Node) -> None:
    payment = scenes.make(node).place("10")
    assert payer_links.lives_until(payment) == payment.expires_at + timedelta(hours=1)


@pytest.mark.parametrize(
    ("amount", "price", "decimals", "units"),
    [
        ("1", "1", 6, 1_000_000), ("1", "3", 6, 333_334), ("0.000001", "3", 6, 1),
        ("12345678901234567890.123456", "1", 6, 12_345_678_901_234_567_890_123_456),
        ("100", "0.000000000000000003", 18, 33_333_333_333_333_333_333_333_333_333_333_333_334),
    ],
)  # fmt: skip
def test_units_are_exact_and_rounded_up(amount: str, price: str, decimals: int, units: int) -> None:
    found = chain_payments.units_of(Decimal(amount), unit_price=Decimal(price), decimals=decimals)
    assert found == units


def _placed(scene: scenes.Scene, **asked: Any) -> Payment:
    wanted = {
        "merchant": scene.merchant, "chain_id": scene.chain.pk, "quote_symbol": "USDT",
        "is_legal_tender": False, "quote_amount": Decimal(10), "out_trade_no": "T1",
    }  # fmt: skip
    return chain_orders.place(**{**wanted, **asked})
