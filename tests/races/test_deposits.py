"""F3, F4, D1, D8: callbacks, closing, expiry and repeats at one moment, on real connections."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from channels.upstreams import base
from diamondpay.lib import clock, errors
from operations import placement
from records import callbacks, payments, submission
from records.models import Actor, Case, Notification, Payment, Posting, StatusChange, UpstreamCallback
from tests.support.desk import Desk, desk, open_desk, system_balance, upstream
from tests.support.scripted_upstream import HEADERS, accepted, callback_body
from tests.support.together import at_once

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 6


def call_back(reference: str, *, amount: str = "100", number: str | None = None) -> callbacks.Received:
    return callbacks.receive(
        channel_code="scripted",
        headers=HEADERS,
        body=callback_body(reference, amount=amount, number=number),
        source_address=None,
        now=clock.now(),
    )


def close(payment: Payment) -> Payment:
    return payments.close(
        payment_pk=payment.pk, now=clock.now(), changed_by=Actor.OPERATOR, reason="asked for"
    )


def outcomes() -> Counter[str]:
    return Counter(UpstreamCallback.objects.values_list("outcome", flat=True))


def test_64_equal_callbacks_make_one_credit_and_63_duplicates_f3(desk: Desk) -> None:
    payment = desk.deposit()
    answers = at_once([functools.partial(call_back, payment.payment_id)] * 64)
    assert outcomes() == {"credited": 1, "duplicate": 63}
    assert [getattr(answer, "answer", answer) for answer in answers if "yes" not in repr(answer)] == []
    payment.refresh_from_db()
    assert (payment.status, payment.version, desk.balances()) == (1, 1, (Decimal("99.20"), Decimal(0)))
    assert (Posting.objects.count(), Notification.objects.count(), StatusChange.objects.count()) == (1, 1, 2)


def test_64_equal_callbacks_for_an_unknown_order_are_booked_once_f3(desk: Desk) -> None:
    at_once([functools.partial(call_back, "PM404")] * 64)
    assert outcomes() == {"suspense": 1, "duplicate": 63}
    assert (Case.objects.count(), Posting.objects.count()) == (1, 1)
    assert system_balance("suspense", channel="scripted") == Decimal(100)


def test_one_upstream_number_for_two_orders_credits_one_of_them_d7(desk: Desk) -> None:
    orders = [unnumbered(desk), unnumbered(desk)]
    at_once(
        [
            functools.partial(call_back, order.payment_id, number="N-1")
            for order in orders
            for _time in range(4)
        ]
    )
    assert Payment.objects.filter(status=1).count() == 1
    assert desk.balances()[0] == Decimal("99.20")


def unnumbered(desk: Desk) -> Payment:
    """Return a deposit to which the upstream has not given a number yet."""
    desk.upstream.answers.append(accepted(""))
    return desk.deposit()


@pytest.mark.parametrize("rival", ["close", "expiry"])
def test_a_payment_meets_the_end_of_its_order_and_is_never_lost_d8_f4(desk: Desk, rival: str) -> None:
    late = 0
    for number in range(1, ROUNDS + 1):
        payment = desk.deposit()
        end: Callable[[], object] = functools.partial(close, payment)
        if rival == "expiry":
            end = functools.partial(payments.close_expired, now=payment.expires_at)
        paid = functools.partial(call_back, payment.payment_id)
        at_once([end, paid] if number % 2 else [paid, end])
        payment.refresh_from_db()
        late += payment.is_late
        assert (payment.status, payment.credited_amount) == (1, Decimal("99.20"))
        assert payment.version == (2 if payment.is_late else 1)
        assert Notification.objects.filter(payment=payment).count() == payment.version
        assert desk.balances()[0] == number * Decimal("99.20")
    assert outcomes() == {"credited": ROUNDS}
    print(f"{rival}: {ROUNDS} races, {late} won by the end of the order")  # noqa: T201


def test_closing_expiry_failure_and_payment_have_one_winner_and_the_money_f4(desk: Desk) -> None:
    for number in range(1, ROUNDS + 1):
        payment = desk.deposit()
        at_once(
            [
                functools.partial(close, payment),
                functools.partial(payments.close_expired, now=payment.expires_at),
                functools.partial(desk.failed, Payment.objects.get(pk=payment.pk)),
                functools.partial(desk.paid, Payment.objects.get(pk=payment.pk)),
                functools.partial(desk.paid, Payment.objects.get(pk=payment.pk)),
            ]
        )
        payment.refresh_from_db()
        assert (payment.status, desk.balances()[0]) == (1, number * Decimal("99.20"))
        assert payment.version <= 2


def test_a_query_and_a_callback_credit_once_f4(desk: Desk) -> None:
    payment = desk.deposit()
    desk.upstream.knows(payment.payment_id, base.UpstreamState.PAID, Decimal(100))
    ask = functools.partial(submission.query_payment, payment=Payment.objects.get(pk=payment.pk))
    at_once([ask, functools.partial(call_back, payment.payment_id)] * 4)
    payment.refresh_from_db()
    assert (payment.status, payment.version, desk.balances()[0]) == (1, 1, Decimal("99.20"))
    assert Posting.objects.count() == 1


def test_repeats_of_one_create_make_one_order_d1(desk: Desk) -> None:
    order = desk.new_payment()
    placed = at_once([functools.partial(placement.place_payment, order=order)] * 8)
    assert len({payment.pk for payment in placed if isinstance(payment, Payment)}) == 1
    assert len(desk.upstream.requests) == 1
    other = desk.new_payment("101", merchant_order_no=order.merchant_order_no)
    assert isinstance(
        at_once([functools.partial(placement.place_payment, order=other)])[0], errors.DomainError
    )
    assert Payment.objects.get().requested_amount == Decimal(100)


def test_one_number_with_two_contents_makes_one_order_d1(desk: Desk) -> None:
    orders = [desk.new_payment(amount, merchant_order_no="same") for amount in ("100", "200")]
    placed = at_once([functools.partial(placement.place_payment, order=order) for order in orders * 4])
    kept = Payment.objects.get()
    same = [item for item in placed if isinstance(item, Payment)]
    refused = [item for item in placed if isinstance(item, errors.DuplicateOrderNumber)]
    assert (len(same), len(refused), {item.pk for item in same}) == (4, 4, {kept.pk})


def test_two_sweepers_never_take_the_same_order(desk: Desk) -> None:
    for _time in range(20):
        desk.deposit()
    due = clock.now() + timedelta(seconds=90)
    taken = at_once([functools.partial(submission.query_due, now=due, row_count_max=8)] * 4)
    assert sum(count for count in taken if isinstance(count, int)) == 20
    assert max(Counter(desk.upstream.queries).values()) == 1


def test_two_sweepers_consider_a_waiting_callback_once(desk: Desk) -> None:
    payment, now = desk.deposit(), clock.now()
    for _time in range(6):
        UpstreamCallback.objects.create(
            channel_id="scripted", received_at=now, headers=HEADERS, body_bytes=1, due_at=now,
            body=callback_body(payment.payment_id, amount="100"),
        )  # fmt: skip
    at_once([functools.partial(callbacks.reconsider_due, now=now)] * 4)
    assert outcomes() == {"credited": 1, "duplicate": 5}
    assert UpstreamCallback.objects.filter(try_count=1).count() == 6


def test_merchants_credited_side_by_side_keep_their_chains_l4(desk: Desk) -> None:
    rival = open_desk(desk.upstream, "Rival")
    orders = [each.deposit() for each in (desk, rival) for _time in range(12)]
    at_once([functools.partial(call_back, order.payment_id) for order in orders])
    assert (desk.balances()[0], rival.balances()[0]) == (Decimal("1190.40"), Decimal("1190.40"))
