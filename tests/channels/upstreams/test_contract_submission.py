"""The contract of channels/upstreams/base.py, submissions: every adapter, over real HTTP."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from channels.upstreams.base import (
    Direction,
    PaymentRequest,
    PayoutRequest,
    SubmissionOutcome,
    UpstreamState,
)
from tests.channels.upstreams import hostile
from tests.channels.upstreams.conftest import direction_of, other_amount, submit
from tests.channels.upstreams.drivers import SPOILED, Driver
from tests.support.sandbox import free_port

UNREADABLE = {
    "html": hostile.says(b"<html><body>Bad gateway</body></html>", content_type="text/html"),
    "html_500": hostile.says(b"<html></html>", status="500 Internal Server Error", content_type="text/html"),
    "half_json": hostile.says(b'{"reference": "PM1", "chan'),
    "cut_body": hostile.cuts(b'{"code": "order_refused"'),
    "empty": hostile.says(b""),
    "list": hostile.says(b"[]"),
    "nested": hostile.says(b"[" * 100_000),
    "unsigned_refusal": hostile.says(b'{"code": "order_refused"}', status="422 Unprocessable Entity"),
    "unsigned_not_found": hostile.says(b'{"state": "not_found"}', status="404 Not Found"),
    "redirect": hostile.says(b"", status="302 Found\r\nlocation: http://127.0.0.1:1/"),
    "not_utf8": hostile.says(b'{"reason": "\xff\xfe"}'),
    "reset": hostile.resets,
    "silence": hostile.says_nothing,
    "not_http": hostile.is_not_http,
    "endless": hostile.never_ends,
    "trickle": hostile.trickles,
}


def test_a_deposit_is_accepted_with_what_the_payer_needs(upstream: Driver, payment: PaymentRequest) -> None:
    submission = upstream.adapter().submit_payment(payment)
    assert submission.outcome is SubmissionOutcome.ACCEPTED
    assert submission.channel_order_no
    assert submission.link.startswith("http")
    assert submission.display_amount == Decimal("300")
    assert submission.reason == ""
    assert submission.exchange.http_status == 200


def test_a_payout_is_accepted(upstream: Driver, payout: PayoutRequest) -> None:
    submission = upstream.adapter().submit_payout(payout)
    assert submission.outcome is SubmissionOutcome.ACCEPTED
    assert submission.channel_order_no
    assert submission.receiver is None


def test_a_repeated_reference_is_the_same_order_f1(upstream: Driver, payment: PaymentRequest) -> None:
    """F1: a create sent again makes no second order upstream, also with the amount as the book keeps it."""
    adapter = upstream.adapter()
    first = adapter.submit_payment(payment)
    again = adapter.submit_payment(replace(payment, amount=Decimal("300.000000000000000000")))
    assert adapter.is_submit_idempotent
    assert again.outcome is SubmissionOutcome.ACCEPTED
    assert again.channel_order_no == first.channel_order_no


def test_a_repeated_reference_is_the_same_payout_also_when_new_ones_are_refused_f6(
    upstream: Driver, payout: PayoutRequest
) -> None:
    """F6: a refusal of the repeat would release money that the first one has sent."""
    first = upstream.adapter().submit_payout(payout)
    upstream.refuse()
    again = upstream.adapter().submit_payout(payout)
    assert again.outcome is SubmissionOutcome.ACCEPTED
    assert again.channel_order_no == first.channel_order_no


def test_a_reference_with_other_content_is_neither_taken_nor_called_refused(
    upstream: Driver, payment: PaymentRequest
) -> None:
    """The upstream refuses the repeat, yet such an order lives: only a query may tell of it."""
    adapter = upstream.adapter()
    first = adapter.submit_payment(payment)
    conflict = adapter.submit_payment(other_amount(payment))
    assert conflict.outcome is SubmissionOutcome.UNKNOWN
    assert "other content" in conflict.reason
    upstream.pay(payment.reference)
    inquiry = adapter.query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert (inquiry.amount, inquiry.channel_order_no) == (Decimal("300"), first.channel_order_no)


def test_fifty_equal_submissions_at_once_are_one_order_f1(upstream: Driver, payment: PaymentRequest) -> None:
    """F1, F3."""
    adapter = upstream.adapter()
    with ThreadPoolExecutor(50) as pool:
        submissions = list(pool.map(adapter.submit_payment, [payment] * 50))
    assert {submission.outcome for submission in submissions} == {SubmissionOutcome.ACCEPTED}
    assert len({submission.channel_order_no for submission in submissions}) == 1


def test_fifty_orders_at_once_are_fifty_orders(upstream: Driver, payment: PaymentRequest) -> None:
    adapter = upstream.adapter()
    requests = [replace(payment, reference=f"{payment.reference}-{number}") for number in range(50)]
    with ThreadPoolExecutor(50) as pool:
        submissions = list(pool.map(adapter.submit_payment, requests))
    assert {submission.outcome for submission in submissions} == {SubmissionOutcome.ACCEPTED}
    assert len({submission.channel_order_no for submission in submissions}) == 50


def test_a_signed_refusal_is_refused_and_leaves_no_order(
    upstream: Driver, order: PaymentRequest | PayoutRequest
) -> None:
    upstream.refuse()
    submission = submit(upstream.adapter(), order)
    assert submission.outcome is SubmissionOutcome.REFUSED
    assert submission.reason
    assert submission.channel_order_no == ""
    upstream.behave()
    inquiry = upstream.adapter().query(direction=direction_of(order), reference=order.reference)
    assert inquiry.state is UpstreamState.NOT_FOUND


@pytest.mark.parametrize("way", SPOILED)
def test_a_spoiled_answer_is_unknown_until_the_query_tells_f7(
    way: str, upstream: Driver, order: PaymentRequest | PayoutRequest
) -> None:
    """F7, P5: 500, timeout, reset, HTML, half JSON, a wrong signature: the order was made all the same."""
    direction = direction_of(order)
    upstream.spoil(way)
    submission = submit(upstream.adapter(timeout_seconds=1 if way == "hangs" else 15), order)
    assert submission.outcome is SubmissionOutcome.UNKNOWN
    assert submission.reason
    assert submission.channel_order_no == ""
    upstream.behave()
    adapter = upstream.adapter()
    assert adapter.query(direction=direction, reference=order.reference).state is UpstreamState.PENDING
    upstream.pay(order.reference)
    inquiry = adapter.query(direction=direction, reference=order.reference)
    assert (inquiry.state, inquiry.amount) == (UpstreamState.PAID, order.amount)


@pytest.mark.parametrize("play", UNREADABLE)
def test_whatever_a_stranger_answers_is_unknown_f7(
    play: str, upstream: Driver, order: PaymentRequest | PayoutRequest
) -> None:
    """F7: also a refusal in perfect JSON, when nobody signed it. F10: never longer than the time given."""
    with hostile.upstream(UNREADABLE[play]) as address:
        adapter = upstream.adapter(base_url=address, timeout_seconds=2)
        started = time.monotonic()
        outcome = submit(adapter, order).outcome
        inquiry = adapter.query(direction=direction_of(order), reference=order.reference)
        seconds = time.monotonic() - started
    assert outcome is SubmissionOutcome.UNKNOWN
    assert (inquiry.state, inquiry.amount) == (UpstreamState.UNKNOWN, None)
    assert inquiry.reason
    assert seconds < 2 * 2 + 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-host.invalid"])
def test_an_upstream_that_is_not_there_is_unknown(
    host: str, upstream: Driver, order: PaymentRequest | PayoutRequest
) -> None:
    adapter = upstream.adapter(base_url=f"http://{host}:{free_port()}", timeout_seconds=5)
    submission = submit(adapter, order)
    assert submission.outcome is SubmissionOutcome.UNKNOWN
    assert submission.exchange.http_status is None
    assert submission.exchange.response.startswith("no answer: ")


def test_the_exchange_shows_names_but_no_numbers_and_no_secrets(
    upstream: Driver, payment: PaymentRequest, payout: PayoutRequest
) -> None:
    adapter = upstream.adapter()
    exchanges = [adapter.submit_payment(payment).exchange, adapter.submit_payout(payout).exchange]
    shown = "\n".join(exchange.request + exchange.response for exchange in exchanges)
    assert "王小头" in shown
    assert "****4999" in shown
    for hidden in ("6216667451674374", "6216667451674999", "13800138000", "11010119900307123X", "signature"):
        assert hidden not in shown
    assert "demo-secret" not in shown


def test_the_exchange_masks_numbers_that_an_unreadable_answer_repeats(
    upstream: Driver, payment: PaymentRequest
) -> None:
    body = f"<p>{payment.payer.account} is blocked, call 13800138000</p>".encode() + b"\x00" + b"x" * 9000
    with hostile.upstream(hostile.says(body, content_type="text/html")) as address:
        exchange = upstream.adapter(base_url=address).submit_payment(payment).exchange
    assert exchange.response.startswith("HTTP 200\n<p>****4374 is blocked, call ****8000</p>\ufffdxxx")
    assert len(exchange.response) == 4000


def test_the_exchange_masks_an_account_of_letters_wherever_the_answer_repeats_it(
    upstream: Driver, payment: PaymentRequest
) -> None:
    payer = replace(payment.payer, account="joao@example.com")
    for body in (b'{"reason": "joao@example.com is blocked"}', b"<p>joao@example.com is blocked"):
        with hostile.upstream(hostile.says(body)) as address:
            exchange = (
                upstream.adapter(base_url=address).submit_payment(replace(payment, payer=payer)).exchange
            )
        assert "****.com is blocked" in exchange.response
        assert "joao" not in exchange.request + exchange.response


def test_an_endless_answer_is_not_read_to_its_end(upstream: Driver, payment: PaymentRequest) -> None:
    with hostile.upstream(hostile.never_ends) as address:
        submission = upstream.adapter(base_url=address).submit_payment(payment)
    assert submission.reason == "the answer is longer than 262144 bytes"
    assert submission.exchange.response == "no answer: the answer is longer than 262144 bytes"
