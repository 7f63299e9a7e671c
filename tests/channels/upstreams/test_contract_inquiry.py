"""The contract of channels/upstreams/base.py, queries by our reference."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from channels.upstreams.base import Direction, PaymentRequest, PayoutRequest, SubmissionOutcome, UpstreamState
from tests.channels.upstreams.conftest import direction_of, submit
from tests.channels.upstreams.drivers import Driver


def test_a_reference_nobody_placed_is_not_found(upstream: Driver, payment: PaymentRequest) -> None:
    inquiry = upstream.adapter().query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert (inquiry.state, inquiry.amount, inquiry.channel_order_no) == (UpstreamState.NOT_FOUND, None, "")


def test_a_deposit_is_not_found_among_payouts(upstream: Driver, payment: PaymentRequest) -> None:
    adapter = upstream.adapter()
    adapter.submit_payment(payment)
    inquiry = adapter.query(direction=Direction.PAYOUT, reference=payment.reference)
    assert inquiry.state is UpstreamState.NOT_FOUND


def test_an_order_of_another_account_is_not_found(upstream: Driver, payment: PaymentRequest) -> None:
    upstream.adapter().submit_payment(payment)
    stranger = upstream.adapter_of_another_account()
    inquiry = stranger.query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert inquiry.state is UpstreamState.NOT_FOUND


def test_an_open_order_is_pending_and_moved_nothing(
    upstream: Driver, order: PaymentRequest | PayoutRequest
) -> None:
    adapter = upstream.adapter()
    submission = submit(adapter, order)
    inquiry = adapter.query(direction=direction_of(order), reference=order.reference)
    assert (inquiry.state, inquiry.amount) == (UpstreamState.PENDING, None)
    assert (inquiry.channel_order_no, inquiry.currency) == (submission.channel_order_no, "CNY")


def test_a_paid_order_tells_what_really_moved_d9(upstream: Driver, payment: PaymentRequest) -> None:
    """D9: the amount that moved, not the one requested."""
    adapter = upstream.adapter()
    adapter.submit_payment(payment)
    upstream.pay(payment.reference, amount_x100=29_999)
    inquiry = adapter.query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert (inquiry.state, inquiry.amount) == (UpstreamState.PAID, Decimal("299.99"))


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("VND", "150000"), ("USDT", "12.345678"), ("IDR", "10000000000"), ("BRL", "0.01")],
)
def test_amounts_keep_their_decimals_in_every_currency(
    currency: str, amount: str, upstream: Driver, payment: PaymentRequest
) -> None:
    """An amount that the protocol cannot carry is never rounded: the order does not leave."""
    adapter = upstream.adapter_in(currency)
    placed = replace(upstream.in_currency(payment, currency), amount=Decimal(amount))
    submission = adapter.submit_payment(placed)
    if -int(placed.amount.as_tuple().exponent) > upstream.decimals_max:
        assert (submission.outcome, submission.exchange.http_status) == (SubmissionOutcome.REFUSED, None)
        absent = adapter.query(direction=Direction.DEPOSIT, reference=placed.reference)
        assert absent.state is UpstreamState.NOT_FOUND
        return
    assert submission.display_amount == Decimal(amount), submission
    upstream.pay(placed.reference)
    inquiry = adapter.query(direction=Direction.DEPOSIT, reference=placed.reference)
    assert (inquiry.amount, inquiry.currency) == (Decimal(amount), currency)


def test_a_failed_order_tells_why(upstream: Driver, payout: PayoutRequest) -> None:
    adapter = upstream.adapter()
    adapter.submit_payout(payout)
    upstream.fail(payout.reference)
    inquiry = adapter.query(direction=Direction.PAYOUT, reference=payout.reference)
    assert (inquiry.state, inquiry.amount) == (UpstreamState.FAILED, None)
    assert inquiry.reason


def test_a_wrongly_signed_answer_is_unknown(upstream: Driver, order: PaymentRequest | PayoutRequest) -> None:
    adapter, direction = upstream.adapter(), direction_of(order)
    submit(adapter, order)
    upstream.fail(order.reference)
    upstream.spoil("forged")
    inquiry = adapter.query(direction=direction, reference=order.reference)
    assert (inquiry.state, inquiry.amount, inquiry.channel_order_no) == (UpstreamState.UNKNOWN, None, "")
    absent = adapter.query(direction=direction, reference="NOBODY")
    assert absent.state is UpstreamState.UNKNOWN
