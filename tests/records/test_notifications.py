"""What is left to be told, the schedule, and every way in which a receiver can behave (N1, F10)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from channels.upstreams.base import CallbackAnswer
from diamondpay.lib import clock, errors, http, signing
from diamondpay.models import AuditRow
from merchants import credentials
from records import notifications, payments, queries
from records.models import Actor, Notification, NotificationAttempt, Payment, UpstreamCallback
from tests import factories
from tests.lib import servers
from tests.support import callbacks
from tests.support.desk import Desk, desk, upstream
from tests.support.scripted_upstream import refused

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
YES = CallbackAnswer(http_status=200, content_type="text/plain", body='{"error_code":"0000","msg":"ok"}')
NO = CallbackAnswer(http_status=200, content_type="application/json", body='{"error_code":"0001"}')


@pytest.fixture(autouse=True)
def _loopback(settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Iterator[callbacks.CallbackReceiver]:
    with callbacks.receiving() as found:
        found.answers = [YES]
        yield found


def ended(desk: Desk, url: str, **changes: str) -> Notification:
    """Place a deposit, have it paid, and return what must be told."""
    payment = desk.deposit(notify_url=url, **changes)
    desk.paid(payment)
    return Notification.objects.get(payment=payment)


def only_attempt(notification: Notification) -> NotificationAttempt:
    return NotificationAttempt.objects.get(notification=notification)


def seconds_until(notification: Notification, since: datetime) -> float:
    notification.refresh_from_db()
    assert notification.due_at is not None
    return (notification.due_at - since).total_seconds()


def test_a_paid_deposit_is_told_signed_and_with_webhook_headers(
    desk: Desk, receiver: callbacks.CallbackReceiver
) -> None:
    notification = ended(desk, receiver.url)
    summary = notifications.deliver_due(now=clock.now(), worker="w1")
    assert (summary.attempt_count, summary.success_count, summary.failed_count) == (1, 1, 0)
    (arrived,) = receiver.arrived()
    payment = Payment.objects.get()
    body = json.loads(arrived.body)
    assert {name: body[name] for name in ("amount", "real_amount", "fee", "status")} == {
        "amount": 10000,
        "real_amount": 10000,
        "fee": 80,
        "status": 2,
    }
    key = desk.registered.platform_key
    assert signing.verify(body, key, "HMAC-SHA256", body["sign"])
    assert body["update_time"] == int(payment.updated_at.timestamp())
    headers = signing.webhook_headers(
        secret=key.encode(),
        message_id=notification.webhook_id,
        timestamp=int(arrived.headers["webhook-timestamp"]),
        body=arrived.body,
    )
    assert {name: arrived.headers[name] for name in headers} == headers
    notification.refresh_from_db()
    assert (notification.state, notification.due_at, notification.leased_until) == ("success", None, None)
    attempt = only_attempt(notification)
    assert (attempt.is_success, attempt.http_status, attempt.answer) == (True, 200, YES.body)
    assert attempt.body.encode() == arrived.body


def test_nothing_is_told_before_the_end_or_when_nobody_asked(desk: Desk) -> None:
    payment = desk.deposit(notify_url="http://127.0.0.1:9/")
    assert notifications.enqueue(payment=payment, now=clock.now()) is None
    desk.fund()
    payout = desk.payout()
    assert notifications.enqueue(payout=payout, now=clock.now()) is None
    unasked = desk.deposit(notify_url="")
    desk.paid(unasked)
    assert not Notification.objects.exists()
    with pytest.raises(ValueError, match="one order"):
        notifications.enqueue(payment=payment, payout=payout, now=clock.now())


def test_a_failed_payout_is_told_with_the_reason(desk: Desk, receiver: callbacks.CallbackReceiver) -> None:
    desk.fund()
    desk.upstream.answers = [refused("account closed")]
    payout = desk.payout(notify_url=receiver.url)
    notifications.deliver_due(now=clock.now())
    body = json.loads(receiver.arrived()[0].body)
    assert body["payout_id"] == payout.payout_id
    assert (body["status"], body["error_msg"], body["amount"]) == (5, payout.error_message, 10000)


def test_an_md5_order_is_told_in_md5(desk: Desk, receiver: callbacks.CallbackReceiver) -> None:
    ended(desk, receiver.url, sign_type="MD5")
    notifications.deliver_due(now=clock.now())
    body = json.loads(receiver.arrived()[0].body)
    assert "sign_type" not in body
    assert signing.verify(body, desk.registered.platform_key, "MD5", body["sign"])


def test_six_attempts_on_schedule_then_failed_n1(
    desk: Desk, receiver: callbacks.CallbackReceiver, settings: Settings
) -> None:
    receiver.answers = [NO]
    notification = ended(desk, receiver.url)
    now = clock.now()
    for number, planned in enumerate(settings.NOTIFICATION_RETRY_SECONDS, start=1):
        assert notifications.deliver_due(now=now).retrying_count == 1
        wait = seconds_until(notification, now)
        assert 0.8 * planned <= wait <= 1.2 * planned + 2
        assert (notification.state, notification.attempt_count) == ("retrying", number)
        assert notifications.deliver_due(now=now + timedelta(seconds=wait - 3)).attempt_count == 0
        assert notification.due_at is not None
        now = notification.due_at
    assert notifications.deliver_due(now=now).failed_count == 1
    notification.refresh_from_db()
    assert (notification.state, notification.attempt_count, notification.due_at) == ("failed", 6, None)
    assert notification.last_reason == 'HTTP 200, but error_code is "0001" instead of "0000"'
    assert {arrived.headers["webhook-id"] for arrived in receiver.arrived()} == {notification.webhook_id}
    assert len(receiver.arrived()) == 6


def test_a_resend_adds_one_attempt_with_a_reason_and_an_audit_row(
    desk: Desk, receiver: callbacks.CallbackReceiver
) -> None:
    user = factories.make_operator()
    notification = ended(desk, receiver.url)
    with pytest.raises(errors.InvalidInput):
        notifications.resend(notification=notification, user=user, reason=" ", now=clock.now())
    notifications.deliver_due(now=clock.now())
    sent = notifications.resend(notification=notification, user=user, reason="lost it", now=clock.now())
    assert (sent.state, sent.attempt_count, sent.attempt_count_max) == ("retrying", 1, 7)
    notifications.deliver_due(now=clock.now())
    notification.refresh_from_db()
    assert (notification.state, notification.attempt_count) == ("success", 2)
    row = AuditRow.objects.get(action="notification.resend")
    assert (row.user, row.reason, row.before) == (
        user,
        "lost it",
        {"state": "success", "attempt_count": 1},
    )
    first, second = receiver.arrived()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_without_a_live_key_nothing_is_sent_and_the_reason_says_so(
    desk: Desk, receiver: callbacks.CallbackReceiver
) -> None:
    notification = ended(desk, receiver.url)
    credentials.end(desk.registered.credential, clock.now())
    assert notifications.deliver_due(now=clock.now()).retrying_count == 1
    assert receiver.arrived() == []
    assert "no live key" in only_attempt(notification).reason


def test_late_payment_is_told_after_the_first_attempt_at_closed(
    desk: Desk, receiver: callbacks.CallbackReceiver
) -> None:
    """Both ends are told in order; "paid" does not wait for the retries of "closed" (N1)."""
    receiver.answers = [NO, YES]
    payment = desk.deposit(notify_url=receiver.url)
    payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="expired")
    desk.paid(payment)
    notifications.deliver_due(now=clock.now())
    statuses = [json.loads(arrived.body)["status"] for arrived in receiver.arrived()]
    assert statuses == [3, 2]
    assert list(Notification.objects.order_by("order_version").values_list("state", flat=True)) == [
        "retrying",
        "success",
    ]


RAW = {
    "301": b"HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    "410": b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n",
    "html": b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
    "nul": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na\x00\xff",
    "garbage": b"\x00\x01\x02\r\n\r\n",
}
FLOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n"


@pytest.mark.parametrize(
    ("server", "status", "words"),
    [
        (servers.serving(servers.answering(RAW["301"])), 301, "redirects are not followed"),
        (servers.serving(servers.answering(RAW["410"])), 410, "HTTP 410 Gone"),
        (servers.serving(servers.answering(RAW["html"])), 200, "not JSON"),
        (servers.serving(servers.answering(RAW["nul"])), 200, "not JSON"),
        (servers.serving(servers.answering(RAW["garbage"])), None, "unreadable"),
        (servers.serving(servers.flooding(FLOOD, b'{"error_code":"0000"}' * 500)), 200, "longer than 64 kB"),
        (servers.serving(servers.resetting(b"HTTP/1.1 200 OK\r\n")), None, "reset"),
    ],
    ids=["301", "410", "html", "nul", "garbage", "5 MB", "reset"],
)
def test_every_bad_answer_ends_in_words_and_a_retry_f10(
    desk: Desk, server: AbstractContextManager[servers.Server], status: int | None, words: str
) -> None:
    with server as opened:
        notification = ended(desk, opened.url)
        now = clock.now()
        notifications.deliver_due(now=now)
    attempt = only_attempt(notification)
    assert (attempt.is_success, attempt.http_status) == (False, status)
    assert words in attempt.reason
    assert len(attempt.answer.encode()) <= 2048
    assert 0 < seconds_until(notification, now) <= 25


def test_a_receiver_that_hangs_costs_15_seconds_at_most_f10(desk: Desk) -> None:
    with servers.serving(servers.hanging) as opened:
        notification = ended(desk, opened.url)
        notifications.deliver_due(now=clock.now())
    attempt = only_attempt(notification)
    assert attempt.duration_ms is not None
    assert 14_500 <= attempt.duration_ms <= 16_000
    assert attempt.reason == "timeout after 15 s"


def test_nobody_listening_and_refused_addresses_end_in_words_f10(desk: Desk, settings: Settings) -> None:
    refused_there = ended(desk, "http://127.0.0.1:9/notify")
    notifications.deliver_due(now=clock.now())
    assert only_attempt(refused_there).reason == "connection refused"
    settings.NOTIFICATION_PRIVATE_NETWORKS = []
    now_private = ended(desk, "http://127.0.0.1:9/notify")
    notifications.deliver_due(now=clock.now())
    assert "not a public address (loopback)" in only_attempt(now_private).reason
    with pytest.raises(http.AddressRefused):
        http.check_url("http://127.0.0.1:9/notify", [])


def test_a_name_without_an_address_and_a_port_without_tls_end_in_words_f10(desk: Desk) -> None:
    nowhere = ended(desk, "http://receiver.invalid/notify")
    with servers.serving(servers.answering(RAW["html"]), read_first=False) as plain:
        bare = ended(desk, plain.url.replace("http:", "https:"))
        notifications.deliver_due(now=clock.now())
    for notification, word in ((nowhere, "DNS"), (bare, "TLS")):
        attempt = only_attempt(notification)
        assert (attempt.is_success, attempt.http_status, attempt.answer) == (False, None, "")
        assert attempt.reason.startswith(word)
        notification.refresh_from_db()
        assert (notification.state, notification.attempt_count) == ("retrying", 1)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("120", 120, 123),
        ("1", 12, 21),
        ("999999999999", 86_400, 86_403),
        ("nonsense", 12, 21),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 12, 21),
    ],
)
def test_retry_after_is_honoured_and_bounded_f10(desk: Desk, header: str, least: int, most: int) -> None:
    raw = f"HTTP/1.1 429 Slow Down\r\nretry-after: {header}\r\ncontent-length: 0\r\n\r\n".encode()
    with servers.serving(servers.answering(raw)) as opened:
        notification = ended(desk, opened.url)
        now = clock.now()
        notifications.deliver_due(now=now)
    assert least <= seconds_until(notification, now) <= most


def test_a_long_yes_is_a_yes_and_two_kilobytes_of_it_are_kept(
    desk: Desk, receiver: callbacks.CallbackReceiver
) -> None:
    long = json.dumps({"error_code": "0000", "words": "字" * 5000}, ensure_ascii=False)
    receiver.answers = [CallbackAnswer(http_status=200, content_type="text/html", body=long)]
    notification = ended(desk, receiver.url)
    assert notifications.deliver_due(now=clock.now()).success_count == 1
    kept = only_attempt(notification).answer
    assert 2040 <= len(kept.encode()) <= 2048
    assert long.startswith(kept)


def test_how_far_the_queue_is_behind_can_be_asked(desk: Desk, receiver: callbacks.CallbackReceiver) -> None:
    assert queries.oldest_due_notification_seconds(now=clock.now()) is None
    notification = ended(desk, receiver.url)
    age = queries.oldest_due_notification_seconds(now=notification.created_at + timedelta(seconds=42))
    assert age == 42
    notifications.deliver_due(now=clock.now())
    assert queries.oldest_due_notification_seconds(now=clock.now()) is None


def test_sending_opens_no_connection_in_its_threads(desk: Desk, receiver: callbacks.CallbackReceiver) -> None:
    """N3: what sends has no database at all."""
    ended(desk, receiver.url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        before = cursor.fetchone()
        notifications.deliver_due(now=clock.now())
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert cursor.fetchone() == before


def test_how_long_a_callback_has_waited_for_its_outcome_can_be_asked_d6(desk: Desk) -> None:
    now = clock.now()
    assert queries.oldest_unanswered_callback_seconds(now=now) is None
    UpstreamCallback.objects.create(
        channel_id="scripted", received_at=now - timedelta(seconds=7), body=b"{}", body_bytes=2, due_at=now
    )
    assert queries.oldest_unanswered_callback_seconds(now=now) == 7
