"""What an upstream named when it accepted a deposit, whoever came first: D2, D7, F2."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels.upstreams import base
from diamondpay.lib import clock
from operations import placement
from records import payments
from records.models import Case, Payment, UpstreamCall
from tests.support.desk import Desk, desk, upstream
from tests.support.scripted_upstream import accepted

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
RECEIVER = base.Receiver(card_name="Zhang San", card_number="6222", bank_code="ICBC", bank_name="ICBC")


def named(number: str) -> base.Submission:
    return dataclasses.replace(
        accepted(number), link="https://pay.example/1", receiver=RECEIVER, display_amount=Decimal("100.01")
    )


def test_placing_a_deposit_takes_six_statements(desk: Desk) -> None:
    now = clock.now()
    with CaptureQueriesContext(connection) as captured:
        placement.place_payment(order=desk.new_payment(), now=now)
    told = [query["sql"].split()[0] for query in captured.captured_queries]
    # Terms, required fields, wallets; number and order, in a savepoint of the test's transaction; the answer.
    wanted = ["SELECT", "SELECT", "SELECT", "SELECT", "INSERT", "WITH"]
    assert [word for word in told if word not in ("SAVEPOINT", "RELEASE")] == wanted


def test_what_the_upstream_named_stands_on_the_order_with_its_call(desk: Desk) -> None:
    desk.upstream.answers.append(named("UP-1"))
    placed = desk.deposit()
    stored = Payment.objects.get(pk=placed.pk)
    for order in (placed, stored):
        assert (order.channel_order_no, order.link) == ("UP-1", "https://pay.example/1")
        assert order.display_amount == Decimal("100.01")
        assert order.submitted_at == order.updated_at
        assert order.next_query_at == order.updated_at + timedelta(seconds=60)
        assert order.receiver_encrypted
    call = UpstreamCall.objects.get(payment=stored)
    assert (call.purpose, call.outcome, call.created_at) == ("submit", "accepted", stored.submitted_at)


def test_a_callback_that_comes_before_the_answer_is_kept_d2(desk: Desk) -> None:
    def pay(request: base.PaymentRequest | base.PayoutRequest) -> None:
        desk.paid(Payment.objects.get(payment_id=request.reference), number="UP-FIRST")

    desk.upstream.before_answer = pay
    desk.upstream.answers.append(named("UP-SECOND"))
    placed = desk.deposit()
    stored = Payment.objects.get(pk=placed.pk)
    for order in (placed, stored):
        assert (order.status, order.version, order.channel_order_no) == (1, 1, "UP-FIRST")
        assert (order.credited_amount, order.next_query_at) == (Decimal("99.20"), None)
        assert order.submitted_at is not None


def test_a_second_answer_changes_nothing_but_the_timeline(desk: Desk) -> None:
    placed = desk.deposit()
    before = Payment.objects.filter(pk=placed.pk).values().get()
    payments.submitted(payment=placed, submission=named("UP-OTHER"), now=clock.now())
    assert Payment.objects.filter(pk=placed.pk).values().get() == before
    assert placed.channel_order_no == f"UP-{placed.payment_id}"
    assert UpstreamCall.objects.filter(payment=placed).count() == 2


def test_a_number_of_another_order_opens_a_case_and_the_rest_is_kept_d7(desk: Desk) -> None:
    desk.upstream.answers += [named("UP-1"), named("UP-1")]
    first, second = desk.deposit(), desk.deposit()
    assert (first.channel_order_no, second.channel_order_no) == ("UP-1", "")
    stored = Payment.objects.get(pk=second.pk)
    assert (stored.channel_order_no, stored.link) == ("", "https://pay.example/1")
    assert stored.submitted_at is not None
    assert UpstreamCall.objects.filter(payment=stored).count() == 1
    assert (Case.objects.get().kind, Case.objects.get().payment) == (Case.Kind.CONTRADICTION, stored)
