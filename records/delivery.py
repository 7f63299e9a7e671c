"""The queue of notifications: rows claimed with a lease, sent with nothing held, results written down.

An attempt is inserted, with the signed body, before it is sent (N2). While a row is in a worker's hands its
due time is the end of the lease, so what a dead worker held simply becomes due again.

One order can be told of twice (accepted, then ended; closed, then paid late). The newer waits until the
first attempt at the older is over, so that a healthy receiver hears them in order; it never waits for the
older's retries, because a receiver that chokes on "closed" must still hear "paid" at once. `update_time` or
`modifiedAt` tells the merchant which is newer.
"""

from __future__ import annotations

import email.utils
import logging
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _t

from diamondpay.lib import crash, crypto, destinations, http, sql, transactions
from merchants import credentials
from records import dialects
from records.models import Notification, NotificationAttempt

logger = logging.getLogger(__name__)

State = Notification.State
LEASE_SECONDS = 60
# Of all workers together, for one merchant and for one host: a dead one never fills the pool (N4).
IN_FLIGHT_MAX = 4
CANDIDATE_COUNT_MAX = 200
SEEN_OF_A_MERCHANT_MAX = 20
# Longer than what is kept, because a yes with long words around it is still a yes.
ANSWER_BYTES_READ_MAX = 65_536
ANSWER_BYTES_KEPT_MAX = 2048
RETRY_AFTER_SECONDS_MAX = 24 * 3600
_JITTER = 0.2
_CLAIM_LOCK = 7421003
_random = secrets.SystemRandom()

_HOST = "lower(substring(url from '://([^/?#]*)'))"
_BUSY = f"""
    SELECT merchant_id, {_HOST} FROM records_notification
    WHERE state = 'retrying' AND due_at > %(now)s AND due_at <= %(lease)s AND leased_until > %(now)s
"""  # noqa: S608 - only our own constants
# One query for each kind of order: a condition that covers both would use neither index.
_OLDER = """
            SELECT 1 FROM records_notification older
            WHERE older.{order} = due.{order}
                AND (older.order_version, coalesce(older.progress_number, 0))
                    < (due.order_version, coalesce(due.progress_number, 0))
                AND older.state = 'retrying' AND (older.attempt_count = 0 OR older.leased_until > %(now)s)
"""
# Walks from merchant to merchant along the index and looks at the oldest few of each, so that one merchant's
# long queue is not read through to find what is due for the others.
_CANDIDATES = f"""
    WITH RECURSIVE waiting AS (
        (SELECT merchant_id FROM records_notification WHERE state = 'retrying' ORDER BY merchant_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT merchant_id FROM records_notification
            WHERE state = 'retrying' AND merchant_id > waiting.merchant_id ORDER BY merchant_id LIMIT 1
        ) FROM waiting WHERE waiting.merchant_id IS NOT NULL
    )
    SELECT due.id, due.merchant_id, due.host
    FROM waiting CROSS JOIN LATERAL (
        SELECT id, merchant_id, payment_id, payout_id, order_version, progress_number, due_at, {_HOST} AS host
        FROM records_notification
        WHERE state = 'retrying' AND merchant_id = waiting.merchant_id AND due_at <= %(now)s
            AND (leased_until IS NULL OR leased_until <= %(now)s)
        ORDER BY due_at, id LIMIT {SEEN_OF_A_MERCHANT_MAX}
    ) due
    WHERE waiting.merchant_id <> ALL(%(merchants)s::text[]) AND due.host <> ALL(%(hosts)s::text[])
        AND NOT EXISTS ({_OLDER.format(order="payment_id")})
        AND NOT EXISTS ({_OLDER.format(order="payout_id")})
    ORDER BY due.due_at, due.id LIMIT {CANDIDATE_COUNT_MAX}
"""  # noqa: S608 - only our own constants
_LEASE = """
    WITH leased AS (
        UPDATE records_notification
        SET attempt_count = attempt_count + 1, due_at = %(lease)s, leased_until = %(lease)s
        WHERE id = ANY(%(notifications)s::bigint[])
    )
    INSERT INTO records_notificationattempt (notification_id, number, started_at, url, body, answer, reason)
    SELECT notification, number, %(now)s, url, body, '', %(reason)s::text
    FROM unnest(%(notifications)s::bigint[], %(numbers)s::int[], %(urls)s::text[], %(bodies)s::text[])
        AS sending (notification, number, url, body)
    RETURNING notification_id, id
"""
# What was resent after our lease had ended is due once more and is left so.
_RECORD = """
    WITH results AS (
        SELECT * FROM unnest(
            %(attempts)s::bigint[], %(notifications)s::bigint[], %(numbers)s::int[], %(successes)s::boolean[],
            %(http_statuses)s::int[], %(answers)s::text[], %(reasons)s::text[], %(durations)s::int[],
            %(states)s::text[], %(dues)s::timestamptz[]
        ) AS result (
            attempt, notification, number, is_success, http_status, answer, reason, duration_ms, state, due_at
        )
    ), written AS (
        UPDATE records_notificationattempt attempt
        SET finished_at = %(now)s, is_success = result.is_success, http_status = result.http_status,
            answer = result.answer, reason = result.reason, duration_ms = result.duration_ms
        FROM results result WHERE attempt.id = result.attempt AND attempt.finished_at IS NULL
        RETURNING attempt.id
    ), moved AS (
        UPDATE records_notification notification
        SET state = result.state, due_at = result.due_at, leased_until = NULL, last_reason = result.reason,
            finished_at = CASE WHEN result.due_at IS NULL THEN %(now)s::timestamptz END
        FROM results result JOIN written ON written.id = result.attempt
        WHERE notification.id = result.notification AND notification.attempt_count = result.number
            AND notification.leased_until IS NOT NULL
    )
    SELECT id FROM written
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One claimed attempt. Without `headers` it cannot be sent: the merchant has no live key."""

    notification_pk: int
    attempt_pk: int
    number: int
    is_last: bool
    dialect: str
    url: str
    body: bytes = b""
    headers: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    is_success: bool
    reason: str
    duration_ms: int = 0
    http_status: int | None = None
    answer: str = ""
    retry_after: str = ""


class Key(NamedTuple):
    """A live key of a merchant, in clear."""

    public_id: str
    secret: str


@dataclass(slots=True)
class Keyring:
    """The merchants' live keys, newest first, read at most once a second by one round of sending."""

    _found: dict[tuple[str, str], tuple[datetime, list[Key]]] = field(default_factory=dict)

    def live(self, *, merchant_id: str, api: str, now: datetime) -> list[Key]:
        """Return the keys that sign for a merchant now."""
        read_at, keys = self._found.get((merchant_id, api), (None, []))
        if read_at is None or not timedelta() <= now - read_at < timedelta(seconds=1):
            keys = _readable_keys(merchant_id=merchant_id, api=api, now=now)
            self._found[merchant_id, api] = (now, keys)
        return keys


@transactions.atomic_with_retries
def claim(
    *, now: datetime, worker: str, count: int, keyring: Keyring | None = None
) -> tuple[list[Sending], int]:
    """Take at most `count` due rows into our hands and write their attempts; also end those with none left.

    Locks: one claim at a time (an advisory lock), so that the caps hold across workers; then the rows.
    """
    lease = now + timedelta(seconds=LEASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
    picked = _picked(now=now, lease=lease, count=count)
    if not picked:
        return [], 0
    rows = list(
        Notification.objects.select_for_update(skip_locked=True)
        .filter(pk__in=picked, state=State.RETRYING, due_at__lte=now)
        .order_by("due_at", "pk")
    )
    dead = [row for row in rows if row.leased_until is not None]
    if dead:
        _end_dead_attempts(rows=dead, now=now)
    tired = [row.pk for row in rows if row.attempt_count >= row.attempt_count_max]
    if tired:
        Notification.objects.filter(pk__in=tired).update(
            state=State.FAILED,
            due_at=None,
            leased_until=None,
            finished_at=now,
            last_reason=_t("The worker died in the last attempt."),
        )
    rows = [row for row in rows if row.pk not in tired]
    return _leased(rows=rows, now=now, lease=lease, worker=worker, keyring=keyring or Keyring()), len(tired)


def _picked(*, now: datetime, lease: datetime, count: int) -> list[int]:
    """Choose what is due for the longest, as far as the caps of its merchant and its host allow."""
    by_merchant: Counter[str] = Counter()
    by_host: Counter[str] = Counter()
    for merchant, host in sql.rows(_BUSY, {"now": now, "lease": lease}):
        by_merchant[merchant] += 1
        by_host[host] += 1
    full = {
        "merchants": [merchant for merchant, n in by_merchant.items() if n >= IN_FLIGHT_MAX],
        "hosts": [host for host, n in by_host.items() if n >= IN_FLIGHT_MAX],
    }
    picked: list[int] = []
    for pk, merchant, host in sql.rows(_CANDIDATES, {"now": now, **full}):
        has_room = by_merchant[merchant] < IN_FLIGHT_MAX and by_host[host] < IN_FLIGHT_MAX
        if len(picked) < count and has_room:
            picked.append(pk)
            by_merchant[merchant] += 1
            by_host[host] += 1
    return picked


def _end_dead_attempts(*, rows: Sequence[Notification], now: datetime) -> None:
    """Say of attempts without a result that their worker died; whether they arrived is unknown."""
    for attempt in NotificationAttempt.objects.filter(notification__in=rows, finished_at__isnull=True):
        NotificationAttempt.objects.filter(pk=attempt.pk, finished_at__isnull=True).update(
            finished_at=now,
            reason=_t(
                "The worker died before it wrote down the result; the merchant may have been told. %(was)s"
            )
            % {"was": attempt.reason},
        )


def _leased(
    *, rows: Sequence[Notification], now: datetime, lease: datetime, worker: str, keyring: Keyring
) -> list[Sending]:
    """Lease the rows and insert one attempt for each, with the body as it will be sent."""
    sendings = [_signed(row=row, now=now, keyring=keyring) for row in rows]
    reason = _t("In the hands of %(worker)s.") % {"worker": worker} if worker else ""
    written = {
        "lease": lease,
        "now": now,
        "reason": reason,
        "notifications": [sending.notification_pk for sending in sendings],
        "numbers": [sending.number for sending in sendings],
        "urls": [sending.url for sending in sendings],
        "bodies": [sending.body.decode() for sending in sendings],
    }
    attempts: dict[int, int] = dict(sql.rows(_LEASE, written)) if sendings else {}
    return [replace(sending, attempt_pk=attempts[sending.notification_pk]) for sending in sendings]


def _signed(*, row: Notification, now: datetime, keyring: Keyring) -> Sending:
    """Return the next attempt of a row, whose own number is not known yet."""
    dialect = dialects.get(row.dialect)
    keys = keyring.live(merchant_id=row.merchant_id, api=dialect.credential_api, now=now)
    body, headers = b"", None
    if keys:
        body = dialect.body(
            facts=row.facts,
            sign_type=row.sign_type,
            secret=keys[0].secret,
            access_key=keys[0].public_id,
            timestamp_ms=int(now.timestamp() * 1000),
        )
        headers = dialect.headers(
            webhook_id=row.webhook_id, timestamp=int(now.timestamp()), body=body, url=row.url,
            secrets=[key.secret for key in keys], access_key=keys[0].public_id,
        )  # fmt: skip
    number = row.attempt_count + 1
    return Sending(
        notification_pk=row.pk,
        attempt_pk=0,
        number=number,
        is_last=number >= row.attempt_count_max,
        dialect=row.dialect,
        url=row.url,
        body=body,
        headers=headers,
    )


def _readable_keys(*, merchant_id: str, api: str, now: datetime) -> list[Key]:
    """Return the merchant's live keys, newest first.

    One that no configured key opens is left out and logged: it must not stop every other merchant's queue.
    """
    found: list[Key] = []
    for credential in credentials.live(merchant_id, api, now):
        try:
            found.append(Key(credential.public_id, credentials.secret_of(credential)))
        except crypto.CannotDecrypt:
            logger.error("A credential cannot be decrypted.", extra={"fields": {"credential": credential.pk}})
    return found


def send(sending: Sending) -> Result:
    """Send one attempt and judge the answer. Runs in a thread of its own, without the database."""
    if sending.headers is None:
        return Result(is_success=False, reason=_t("Not sent: the merchant has no live key to sign with."))
    started = time.monotonic()
    try:
        answer = http.post(
            sending.url,
            sending.body,
            sending.headers,
            settings.NOTIFICATION_PRIVATE_NETWORKS,
            answer_bytes_max=ANSWER_BYTES_READ_MAX,
        )
    except destinations.DeliveryFailed as failure:
        crash.point("notifications.sent")
        return Result(
            is_success=False, reason=failure.reason, duration_ms=round((time.monotonic() - started) * 1000)
        )
    crash.point("notifications.sent")
    text = answer.body.decode("utf-8", "replace")
    dialect = dialects.get(sending.dialect)
    is_success, reason = dialect.is_acknowledged(http_status=answer.status, answer=text)
    if answer.is_cut and answer.status == 200 and dialect.reads_answers:
        is_success, reason = False, _t("HTTP 200, but the answer is longer than 64 kB.")
    return Result(
        is_success=is_success,
        reason=reason,
        duration_ms=answer.duration_ms,
        http_status=answer.status,
        answer=_kept(text),
        retry_after=answer.headers.get("retry-after", ""),
    )


def _kept(text: str) -> str:
    """Return what is kept of an answer: 2 kB, and nothing that a text column refuses."""
    return text.replace("\x00", "\ufffd").encode()[:ANSWER_BYTES_KEPT_MAX].decode("utf-8", "ignore")


@transactions.statement_with_retries
def record(*, results: Sequence[tuple[Sending, Result]], now: datetime) -> Counter[str]:
    """Write down results and what follows from each: done, due again, or failed for good."""
    ends = [_end(sending=sending, result=result, now=now) for sending, result in results]
    written = {
        "now": now,
        "attempts": [sending.attempt_pk for sending, _result in results],
        "notifications": [sending.notification_pk for sending, _result in results],
        "numbers": [sending.number for sending, _result in results],
        "successes": [result.is_success for _sending, result in results],
        "http_statuses": [result.http_status for _sending, result in results],
        "answers": [result.answer for _sending, result in results],
        "reasons": [result.reason[:500] for _sending, result in results],
        "durations": [result.duration_ms for _sending, result in results],
        "states": [state.value for state, _due_at in ends],
        "dues": [due_at for _state, due_at in ends],
    }
    kept = {row[0] for row in sql.rows(_RECORD, written)}
    counts: Counter[str] = Counter()
    for (sending, _result), (state, _due_at) in zip(results, ends, strict=True):
        if sending.attempt_pk in kept:
            counts[str(state)] += 1
        else:
            # We were held up for longer than the lease and somebody else has taken over: theirs counts.
            logger.warning(
                "A notification's result came after its lease.",
                extra={"fields": {"attempt": sending.attempt_pk}},
            )
    return counts


def _end(*, sending: Sending, result: Result, now: datetime) -> tuple[Notification.State, datetime | None]:
    """Return what becomes of a notification after a result, and when it is due again, if it is."""
    if result.is_success:
        return State.SUCCESS, None
    if sending.is_last:
        return State.FAILED, None
    wait_seconds = _wait_seconds(number=sending.number, retry_after=result.retry_after, now=now)
    return State.RETRYING, now + timedelta(seconds=wait_seconds)


def _wait_seconds(*, number: int, retry_after: str, now: datetime) -> float:
    """Return the wait after attempt `number`: the schedule ± 20 %, never less than the merchant asked for."""
    schedule: Sequence[int] = settings.NOTIFICATION_RETRY_SECONDS
    planned = schedule[min(number, len(schedule)) - 1] * _random.uniform(1 - _JITTER, 1 + _JITTER)
    return max(planned, _retry_after_seconds(retry_after, now))


def _retry_after_seconds(text: str, now: datetime) -> float:
    """Return the seconds of a Retry-After header (number or date), at most a day; 0 for none or nonsense."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), RETRY_AFTER_SECONDS_MAX))
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), float(RETRY_AFTER_SECONDS_MAX))
