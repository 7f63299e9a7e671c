"""Telling a merchant again what failed in a stretch of time: once an order, spaced, audited (N1, P8, A1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from records import payments, resending
from records.models import Actor, Notification, NotificationAttempt, Payment
from tests.support.desk import Desk, desk, open_desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
ADDRESS = "203.0.113.9"
DAY = timedelta(days=1)


def give_up(notification: Notification) -> Notification:
    """Let every attempt at a notification have failed."""
    now = clock.now()
    Notification.objects.filter(pk=notification.pk).update(
        state="failed", attempt_count=6, due_at=None, finished_at=now, last_reason="HTTP 500"
    )
    NotificationAttempt.objects.bulk_create(
        NotificationAttempt(
            notification=notification, number=number, started_at=now, finished_at=now, is_success=False,
            url=notification.url,
        )
        for number in range(1, 7)
    )  # fmt: skip
    notification.refresh_from_db()
    return notification


def failed(desk: Desk) -> Notification:
    """Return a notification of a paid deposit that nobody received."""
    payment = desk.deposit()
    desk.paid(payment)
    return give_up(Notification.objects.get(payment=payment))


def window(desk: Desk, *, days: float = 1, ago: float = 0) -> resending.Window:
    until = clock.now() - ago * DAY + timedelta(seconds=1)
    return resending.Window(merchant=desk.registered.merchant, since=until - days * DAY, until=until)


def again(desk: Desk, user: User, now: datetime, **asked: float) -> int:
    return resending.resend_failed(
        window=window(desk, **asked), user=user, reason="receiver mended", address=ADDRESS, now=now
    )


def test_what_failed_is_due_again_spaced_and_with_one_attempt_more_n1(desk: Desk, operator: User) -> None:
    rows = [failed(desk) for _ in range(7)]
    now = clock.now()
    assert again(desk, operator, now) == 7
    found = list(Notification.objects.order_by("id"))
    assert [row.pk for row in found] == [row.pk for row in rows]
    gaps = [(row.due_at - now).total_seconds() for row in found if row.due_at]
    assert gaps == [pytest.approx(place / resending.PER_SECOND) for place in range(7)]
    assert {(row.state, row.attempt_count, row.attempt_count_max, row.finished_at) for row in found} == {
        ("retrying", 6, 7, None)
    }


def test_the_act_and_each_notification_have_an_audit_row_a1(desk: Desk, operator: User) -> None:
    one, other = failed(desk), failed(desk)
    asked, now = window(desk), clock.now()
    resending.resend_failed(window=asked, user=operator, reason="mended", address=ADDRESS, now=now)
    act = AuditRow.objects.get(action="notification.resend_failed")
    assert (act.object_kind, act.object_id, act.user, act.address, act.reason, act.after) == (
        "merchant", desk.registered.merchant.pk, operator, ADDRESS, "mended",
        {"since": asked.since.isoformat(), "until": asked.until.isoformat(), "count": 2},
    )  # fmt: skip
    each = AuditRow.objects.filter(action="notification.resend").order_by("id")
    assert [(row.object_id, row.before, row.after["order_no"]) for row in each] == [
        (str(row.pk), {"state": "failed"}, row.order_no) for row in (one, other)
    ]


def test_an_order_is_told_once_of_its_latest_state(desk: Desk, operator: User) -> None:
    payment = desk.deposit()
    payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="Expired.")
    closed = give_up(Notification.objects.get(payment=payment))
    desk.paid(payment)
    paid = Notification.objects.filter(payment=payment).latest("order_version")
    found = resending.plan(window=window(desk), now=clock.now())
    assert (found.count, found.overtaken_count, found.samples) == (0, 1, [])
    give_up(paid)
    found = resending.plan(window=window(desk), now=clock.now())
    assert (found.count, found.overtaken_count, found.samples) == (1, 1, [paid])
    assert again(desk, operator, clock.now()) == 1
    closed.refresh_from_db()
    paid.refresh_from_db()
    assert (closed.state, paid.state) == ("failed", "retrying")
    assert Payment.objects.get().is_late


def test_only_what_failed_of_this_merchant_in_this_window_is_resent(desk: Desk, operator: User) -> None:
    rival = open_desk(desk.upstream, "Rival")
    theirs, ours = failed(rival), failed(desk)
    delivered, waiting = failed(desk), desk.deposit()
    Notification.objects.filter(pk=delivered.pk).update(state="success")
    desk.paid(waiting)
    assert resending.plan(window=window(desk, ago=1), now=clock.now()).count == 0
    assert again(desk, operator, clock.now(), ago=1) == 0
    assert again(desk, operator, clock.now()) == 1
    states = dict(Notification.objects.values_list("pk", "state"))
    assert states == {
        theirs.pk: "failed", ours.pk: "retrying", delivered.pk: "success",
        Notification.objects.get(payment=waiting).pk: "retrying",
    }  # fmt: skip


def test_the_window_is_half_open_a2(desk: Desk) -> None:
    row = failed(desk)
    at, merchant = row.created_at, desk.registered.merchant
    for since, until, count in ((at, at + DAY, 1), (at - DAY, at, 0)):
        asked = resending.Window(merchant=merchant, since=since, until=until)
        assert resending.plan(window=asked, now=clock.now()).count == count


@pytest.mark.parametrize(
    ("since", "until", "field", "words"),
    [
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), "until", "after the beginning"),
        (datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), "until", "after the beginning"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC), "until", "at most 31 days"),
        (datetime(2999, 1, 1, tzinfo=UTC), datetime(2999, 1, 2, tzinfo=UTC), "since", "in the future"),
    ],
)
def test_a_window_that_is_not_possible_is_refused_and_nothing_is_sent(
    desk: Desk, operator: User, since: datetime, until: datetime, field: str, words: str
) -> None:
    row = failed(desk)
    asked = resending.Window(merchant=desk.registered.merchant, since=since, until=until)
    with pytest.raises(errors.InvalidInput) as refusal:
        resending.plan(window=asked, now=clock.now())
    assert words in str(refusal.value.fields[field])
    with pytest.raises(errors.InvalidInput):
        resending.resend_failed(window=asked, user=operator, reason="x", address=None, now=clock.now())
    row.refresh_from_db()
    assert (row.state, AuditRow.objects.filter(action__startswith="notification").count()) == ("failed", 0)


def test_exactly_31_days_are_possible_and_a_reason_is_needed(desk: Desk, operator: User) -> None:
    failed(desk)
    assert resending.plan(window=window(desk, days=31), now=clock.now()).count == 1
    with pytest.raises(errors.InvalidInput, match="Say why"):
        resending.resend_failed(window=window(desk), user=operator, reason=" ", address=None, now=clock.now())
    assert Notification.objects.get().state == "failed"


def test_one_act_takes_a_bounded_number(desk: Desk, operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resending, "COUNT_MAX", 2)
    rows = [failed(desk) for _ in range(3)]
    found = resending.plan(window=window(desk), now=clock.now())
    assert (found.count, found.is_cut, found.lasts) == (2, True, timedelta(seconds=0.2))
    assert again(desk, operator, clock.now()) == 2
    assert [Notification.objects.get(pk=row.pk).state for row in rows] == ["retrying", "retrying", "failed"]
    assert again(desk, operator, clock.now()) == 1


def test_many_take_as_many_statements_as_few(desk: Desk, operator: User) -> None:
    counts = []
    for number in (1, 6):
        for _ in range(number):
            failed(desk)
        with CaptureQueriesContext(connection) as queries:
            assert again(desk, operator, clock.now()) == number
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_what_somebody_resent_meanwhile_is_left_alone(desk: Desk, operator: User) -> None:
    failed(desk)
    assert [again(desk, operator, clock.now()) for _ in range(2)] == [1, 0]
    assert Notification.objects.get().attempt_count_max == 7
