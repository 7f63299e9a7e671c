"""The contract of channels/upstreams/base.py, callbacks: what is sent, and what others do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from channels.upstreams.base import (
    CallbackMessage,
    CallbackRefused,
    Direction,
    PaymentRequest,
    PayoutRequest,
    RawCallback,
    UpstreamState,
)
from tests.channels.upstreams.drivers import Driver
from tests.support.callbacks import CallbackReceiver

# A refusal is read by people: at least two words.
IN_WORDS = r"[a-z]+ [a-z]+"


def paid_callback(upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver) -> RawCallback:
    upstream.adapter().submit_payment(payment)
    upstream.pay(payment.reference)
    return receiver.wait_for(1)[0]


def test_a_paid_deposit_is_told(
    upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    adapter = upstream.adapter()
    submission = adapter.submit_payment(payment)
    upstream.pay(payment.reference)
    assert adapter.parse_callback(receiver.wait_for(1)[0]) == CallbackMessage(
        direction=Direction.DEPOSIT,
        reference=payment.reference,
        channel_order_no=submission.channel_order_no,
        state=UpstreamState.PAID,
        amount=Decimal("300"),
        currency="CNY",
    )


def test_another_amount_is_told_as_it_moved_d9(
    upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    """D9."""
    upstream.adapter().submit_payment(payment)
    upstream.pay(payment.reference, amount_x100=25_050)
    message = upstream.adapter().parse_callback(receiver.wait_for(1)[0])
    assert message.amount == Decimal("250.5")


def test_a_failed_payout_is_told_with_its_reason(
    upstream: Driver, payout: PayoutRequest, receiver: CallbackReceiver
) -> None:
    upstream.adapter().submit_payout(payout)
    upstream.fail(payout.reference)
    message = upstream.adapter().parse_callback(receiver.wait_for(1)[0])
    assert (message.direction, message.state) == (Direction.PAYOUT, UpstreamState.FAILED)
    assert message.amount is None
    assert message.reason


def test_a_tampered_body_is_refused(
    upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    callback = paid_callback(upstream, payment, receiver)
    tampered = replace(callback, body=callback.body.replace(b"300", b"900"))
    assert tampered.body != callback.body
    with pytest.raises(CallbackRefused, match="signature is wrong"):
        upstream.adapter().parse_callback(tampered)


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"reference": "half'])
def test_a_body_of_somebody_elses_making_is_refused(
    body: bytes, upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    callback = paid_callback(upstream, payment, receiver)
    with pytest.raises(CallbackRefused, match=IN_WORDS):
        upstream.adapter().parse_callback(replace(callback, body=body))


def test_any_missing_or_strange_header_is_refused(
    upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    callback = paid_callback(upstream, payment, receiver)
    adapter = upstream.adapter()
    ours = [name for name in callback.headers if name.startswith(("x-", "webhook-"))]
    assert ours
    for name in ours:
        without = {key: value for key, value in callback.headers.items() if key != name}
        strange = [{**without, name: value} for value in ("", "１２３", "\udcff", "x" * 5000, "-1", "é" * 64)]
        for headers in (without, *strange):
            with pytest.raises(CallbackRefused, match=IN_WORDS):
                adapter.parse_callback(
                    RawCallback(headers=headers, body=callback.body, received_at=datetime.now(UTC))
                )
    with pytest.raises(CallbackRefused, match=IN_WORDS):
        adapter.parse_callback(RawCallback(headers={}, body=callback.body, received_at=datetime.now(UTC)))


@pytest.mark.parametrize("seconds", [-310, 310])
def test_a_stale_callback_is_refused(
    seconds: int, upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    callback = paid_callback(upstream, payment, receiver)
    adapter = upstream.adapter()
    adapter.parse_callback(callback)
    moved = replace(callback, received_at=callback.received_at + timedelta(seconds=seconds))
    with pytest.raises(CallbackRefused, match="300 seconds"):
        adapter.parse_callback(moved)


def test_a_callback_to_another_account_is_refused(
    upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    callback = paid_callback(upstream, payment, receiver)
    with pytest.raises(CallbackRefused, match="another account"):
        upstream.adapter_of_another_account().parse_callback(callback)


def test_a_wrongly_signed_callback_is_refused(
    upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    upstream.adapter().submit_payment(payment)
    upstream.forge_callbacks()
    upstream.pay(payment.reference)
    with pytest.raises(CallbackRefused, match="signature is wrong"):
        upstream.adapter().parse_callback(receiver.wait_for(1)[0])


def test_a_no_keeps_the_callback_coming_and_a_yes_ends_it(
    upstream: Driver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    adapter = upstream.adapter()
    no, yes = adapter.answer_callback(is_accepted=False), adapter.answer_callback(is_accepted=True)
    almost = [replace(yes, body=yes.body + ".")] if upstream.reads_answers else []
    receiver.answers[:] = [no, *almost, yes]
    count = len(receiver.answers)
    adapter.submit_payment(payment)
    upstream.pay(payment.reference)
    arrived = receiver.wait_for(count)
    assert {adapter.parse_callback(callback).reference for callback in arrived} == {payment.reference}
    with pytest.raises(AssertionError, match=f"{count} callbacks came, not {count + 1}"):
        receiver.wait_for(count + 1, seconds_max=1.5)
