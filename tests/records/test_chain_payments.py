"""Payments over an EVM chain, from the order to the credit, on a real node."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from channels.models import Token
from diamondpay.lib import clock
from records import chain_payments, checks, payments
from records.models import (
    Actor,
    BalanceRecord,
    Case,
    ChainPayment,
    ChainTransfer,
    Payment,
    PaymentStatus,
    Posting,
    PostingKind,
)
from tests import factories
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node

__all__ = ["node"]

pytestmark = pytest.mark.django_db

State = ChainTransfer.State
SUCCESS, IN_PROGRESS, CLOSED = PaymentStatus.SUCCESS, PaymentStatus.IN_PROGRESS, PaymentStatus.CLOSED


def chain_of(payment: Payment) -> ChainPayment:
    """Return the chain's side of an order as it stands now."""
    return ChainPayment.objects.get(pk=payment.pk)


def suspended() -> list[Decimal]:
    """Return what was put into suspense, posting by posting."""
    entries = BalanceRecord.objects.filter(posting__kind=PostingKind.SUSPENSE, account_kind="suspense")
    return list(entries.order_by("id").values_list("amount", flat=True))


def test_an_erc20_payment_counts_once_it_is_confirmed_and_is_credited_exactly(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("12.345678")
    tx_hash = scene.pay(payment, 12_345_678, confirm=False)
    scene.watch()
    seen = chain_of(payment)
    assert (seen.detail, seen.seen_units, seen.confirmed_units) == ("confirming", 12_345_678, 0)
    assert scenes.credited(payment) == (IN_PROGRESS, None, None)
    node.mine(1)
    scene.watch()
    assert scenes.credited(payment) == (IN_PROGRESS, None, None)
    node.mine(1)
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal("12.345678"), Decimal("12.345678"))
    done = chain_of(payment)
    assert (done.confirmed_units, done.transfer_hash, done.from_address) == (12_345_678, tx_hash, node.payer)
    assert payment.channel_order_no == f"{tx_hash}:0"
    assert ChainTransfer.objects.get().effect == f"{tx_hash}:0"


def test_a_native_payment_is_credited_to_the_last_wei(node: Node) -> None:
    scene = scenes.make(node, currency="ETH")
    payment = scene.place("0.123456789012345678", symbol="ETH")
    scene.pay(payment, 123_456_789_012_345_678, symbol="ETH")
    scene.watch()
    exact = Decimal("0.123456789012345678")
    assert scenes.credited(payment) == (SUCCESS, exact, exact)


def test_too_little_waits_and_what_follows_adds_up(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 30_000_000)
    scene.watch()
    assert (chain_of(payment).detail, scenes.credited(payment)[0]) == ("partial", IN_PROGRESS)
    assert Posting.objects.filter(payment=payment).count() == 0
    scene.pay(payment, 20_000_000)
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(50), Decimal(50))
    effects = set(ChainTransfer.objects.values_list("effect", flat=True))
    assert effects == {payment.channel_order_no}


@pytest.mark.parametrize(
    ("units", "status", "aside"),
    [
        (49_999_999, IN_PROGRESS, []),
        (50_000_000, SUCCESS, []),
        (120_000_000, SUCCESS, []),
        (120_000_001, IN_PROGRESS, [Decimal("120.000001")]),
    ],
)
def test_the_band_goes_from_half_to_a_fifth_more_ends_included_d9(
    node: Node, units: int, status: int, aside: list[Decimal]
) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, units)
    scene.watch()
    assert (scenes.credited(payment)[0], suspended()) == (status, aside)
    assert payment.actual_amount == (Decimal(units).scaleb(-6) if status == SUCCESS else None)


def test_too_much_is_put_aside_with_a_case_and_never_credited_d9(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 200_000_000)
    scene.watch()
    scene.watch()
    case = Case.objects.get()
    assert (case.kind, case.payment_id, case.amount) == (Case.Kind.WRONG_AMOUNT, payment.pk, Decimal(200))
    assert (suspended(), scenes.credited(payment)) == ([Decimal(200)], (IN_PROGRESS, None, None))


def test_money_after_the_credit_is_put_aside_d6(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 100_000_000)
    scene.watch()
    scene.pay(payment, 7_000_000)
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))
    assert (suspended(), Case.objects.get().kind) == ([Decimal(7)], Case.Kind.PAID_AGAIN)


def test_a_contract_that_is_not_listed_is_ignored(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    forged = node.deploy()
    node.pay_token(forged, chain_of(payment).address, 100_000_000)
    node.mine(5)
    scene.watch()
    assert (ChainTransfer.objects.count(), chain_of(payment).detail) == (0, "pending")


def test_another_listed_token_opens_a_case_and_credits_nothing(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 100_000_000, symbol="USDC")
    scene.watch()
    case = Case.objects.get()
    assert (case.kind, case.payment_id, case.amount) == (Case.Kind.WRONG_CURRENCY, payment.pk, Decimal(100))
    assert (chain_of(payment).seen_units, scenes.credited(payment)[0]) == (0, IN_PROGRESS)


def test_another_token_of_the_same_currency_credits_nothing_either(node: Node) -> None:
    scene = scenes.make(node)
    Token.objects.filter(chain=scene.chain, symbol="USDC").update(currency="USDT")
    payment = scene.place("100")
    scene.pay(payment, 100_000_000, symbol="USDC")
    scene.watch()
    assert (Case.objects.get().kind, suspended()) == (Case.Kind.WRONG_CURRENCY, [])
    assert scenes.credited(payment) == (IN_PROGRESS, None, None)
    assert ChainTransfer.objects.get().effect != ""


def test_a_transaction_that_failed_is_ignored(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    failed = scene.pay(payment, 10**30)
    scene.watch()
    assert node.status_of(failed) == 0
    assert (ChainTransfer.objects.count(), chain_of(payment).detail) == (0, "pending")


def test_two_transfers_of_one_transaction_pay_two_orders(node: Node) -> None:
    scene = scenes.make(node)
    first, second = scene.place("5", "T1"), scene.place("5", "T2")
    contract = scene.token("USDT").address
    receivers = (chain_of(first).address, chain_of(second).address)
    tx_hash = node.call(contract, "split(address,address,uint256)", *receivers, 5_000_000)
    node.mine(3)
    scene.watch()
    assert [scenes.credited(order)[0] for order in (first, second)] == [SUCCESS, SUCCESS]
    assert (first.channel_order_no, second.channel_order_no) == (f"{tx_hash}:0", f"{tx_hash}:1")


def test_a_payment_after_the_order_was_closed_is_late_and_not_lost_d8(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.SYSTEM, reason="tests")
    scene.pay(payment, 90_000_000)
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(90), Decimal(90))
    assert payment.is_late


def test_too_little_for_an_order_that_ends_is_put_aside(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 10_000_000)
    scene.watch()
    payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.SYSTEM, reason="tests")
    scene.watch()
    assert (suspended(), scenes.credited(payment)[0]) == ([Decimal(10)], CLOSED)
    assert Case.objects.get().kind == Case.Kind.WRONG_AMOUNT


def test_an_order_closes_only_once_the_chain_was_read_past_its_time(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.watch()
    late = payment.expires_at + timedelta(hours=1)
    assert payments.close_expired(now=late) == 0
    node.travel(payment.expires_at.timestamp() + 1)
    scene.watch()
    assert payments.close_expired(now=late) == 1
    assert scenes.credited(payment)[0] == CLOSED


def test_an_order_that_nobody_looks_for_any_more_closes_though_the_node_is_down(node: Node) -> None:
    payment = scenes.make(node).place("100")
    watched_until = ChainPayment.objects.get().watched_until
    assert payments.close_expired(now=watched_until - timedelta(seconds=1)) == 0
    assert payments.close_expired(now=watched_until) == 1
    assert scenes.credited(payment)[0] == CLOSED


@pytest.mark.tampers
@pytest.mark.django_db(transaction=True)
def test_the_audit_finds_a_credit_that_is_not_the_sum_of_its_transfers_d9(
    node: Node, owner_connection: psycopg.Connection
) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 100_000_000)
    scene.watch()
    assert (scenes.credited(payment)[0], checks.violations()) == (SUCCESS, [])
    owner_connection.execute("ALTER TABLE records_chaintransfer DISABLE TRIGGER USER")
    owner_connection.execute("UPDATE records_chaintransfer SET effect = 'another order'")
    assert checks.violations() == [("check_d9_chain_credits", 1)]
    owner_connection.execute(
        "UPDATE records_chaintransfer SET units = 99000000, effect = tx_hash || ':' || log_index"
    )
    assert checks.violations() == [("check_d9_chain_sums", 1), ("check_d9_chain_credits", 1)]
    owner_connection.execute("UPDATE records_chaintransfer SET units = 100000000")
    assert checks.violations() == []


def test_a_transfer_on_its_way_keeps_its_order_open(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 100_000_000, confirm=False)
    node.travel(payment.expires_at.timestamp() + 1)
    scene.watch()
    assert payments.close_expired(now=payment.expires_at + timedelta(hours=1)) == 0
    node.mine(1)
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))
    assert not payment.is_late


def test_a_fiat_quote_is_paid_in_the_token_that_was_picked_at_the_rate_of_its_birth(node: Node) -> None:
    factories_rates()
    scene = scenes.make(node, currency="USD", wallet_currency="USDT")
    payment = scene.place("100", symbol="USD")
    assert chain_of(payment).token_id is None
    units = {quote.token.symbol: quote.units for quote in chain_of(payment).quotes.select_related("token")}
    # 100 / 1.0003 and 100 / 0.9998, rounded up to a unit; 100 / 3000 to a wei.
    assert units == {"USDT": 99_970_009, "USDC": 100_020_005, "ETH": 33_333_333_333_333_334}
    usdt = Token.objects.get(chain=scene.chain, symbol="USDT")
    chain_payments.pick_token(payment_pk=payment.pk, token_pk=usdt.pk, now=clock.now())
    scene.pay(payment, 99_970_009)
    scene.watch()
    status, actual, credited = scenes.credited(payment)
    # In a wallet of the very token, what arrived is credited to the last unit.
    assert (status, credited) == (SUCCESS, Decimal("99.970009"))
    assert actual == Decimal("99.970009") * Decimal("1.0003")


def test_what_arrives_before_a_token_was_picked_picks_it(node: Node) -> None:
    factories_rates()
    scene = scenes.make(node, currency="USD")
    payment = scene.place("100", symbol="USD")
    scene.pay(payment, 100_020_005, symbol="USDC")
    scene.watch()
    assert chain_of(payment).token == scene.token("USDC")
    assert scenes.credited(payment) == (SUCCESS, Decimal("100.00"), Decimal("100.00"))


def factories_rates() -> None:
    """Let the tokens have their rates in USD."""
    for base, rate in (("USDT", "1.0003"), ("USDC", "0.9998"), ("ETH", "3000")):
        factories.make_rate(rate, base, "USD")
