"""The queue of notifications: rows claimed with a lease, sent with nothing held, results written down.

An attempt is inserted, with the signed body, before it is sent (N2). While a row is in a worker's hands its
due time is the end of the lease, so what a dead worker held simply becomes due again.

One order can end twice (closed, then paid late). Both are told. The newer waits until the first attempt at
the older is over, so that a healthy receiver hears them in order; it never waits for the older's retries,
because a receiver that chokes on "closed" must still hear "paid" at once. `update_time` tells the merchant
which is newer.
"""

from __future__ import annotations

import email.utils
import logging
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils.translation import gettext as _t

from diamondpay.lib import crash, crypto, destinations, http, transactions
from merchants import credentials
from records import dialects
from records.models import Notification, NotificationAttempt

logger = logging.getLogger(__name__)

State = Notification.State
LEASE_SECONDS = 60
# Of all workers together, for one merchant and for one host: a dead one never fills the pool (N4).
IN_FLIGHT_MAX = 4
CANDIDATE_COUNT_MAX = 200
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
_CANDIDATES = f"""
    SELECT id, merchant_id, {_HOST} FROM records_notification due
    WHERE state = 'retrying' AND due_at <= %(now)s AND (leased_until IS NULL OR leased_until <= %(now)s)
        AND merchant_id <> ALL(%(merchants)s) AND {_HOST} <> ALL(%(hosts)s)
        AND NOT EXISTS (
            SELECT 1 FROM records_notification older
            WHERE older.payment_id = due.payment_id AND older.order_version < due.order_version
                AND older.state = 'retrying' AND (older.attempt_count = 0 OR older.leased_until > %(now)s)
        )
    ORDER BY due_at, id LIMIT {CANDIDATE_COUNT_MAX}
"""  # noqa: S608 - only our own constants


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


@transactions.atomic_with_retries
def claim(*, now: datetime, worker: str, count: int) -> tuple[list[Sending], int]:
    """Take at most `count` due rows into our hands and write their attempts; also end those with none left.

    Locks: one claim at a time (an advisory lock), so that the caps hold across workers; then the rows.
    """
    lease = now + timedelta(seconds=LEASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
        cursor.execute(_BUSY, {"now": now, "lease": lease})
        by_merchant: Counter[str] = Counter()
        by_host: Counter[str] = Counter()
        for merchant, host in cursor.fetchall():
            by_merchant[merchant] += 1
            by_host[host] += 1
        full = {
            "merchants": [merchant for merchant, n in by_merchant.items() if n >= IN_FLIGHT_MAX],
            "hosts": [host for host, n in by_host.items() if n >= IN_FLIGHT_MAX],
        }
        cursor.execute(_CANDIDATES, {"now": now, **full})
        picked: list[int] = []
        for pk, merchant, host in cursor.fetchall():
            if (
                len(picked) < count
                and by_merchant[merchant] < IN_FLIGHT_MAX
                and by_host[host] < IN_FLIGHT_MAX
            ):
                picked.append(pk)
                by_merchant[merchant] += 1
                by_host[host] += 1
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
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(
        attempt_count=F("attempt_count") + 1, due_at=lease, leased_until=lease
    )
    return _written_attempts(rows=rows, now=now, worker=worker), len(tired)


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


def _written_attempts(*, rows: Sequence[Notification], now: datetime, worker: str) -> list[Sending]:
    """Insert one attempt for each row with the body as it will be sent."""
    live: dict[tuple[str, str], list[str]] = {}
    attempts: list[NotificationAttempt] = []
    headers: list[dict[str, str] | None] = []
    for row in rows:
        dialect = dialects.get(row.dialect)
        owner = (row.merchant_id, dialect.credential_api)
        if owner not in live:
            live[owner] = _readable_keys(merchant_id=owner[0], api=owner[1], now=now)
        keys, body = live[owner], b""
        if keys:
            body = dialect.body(facts=row.facts, sign_type=row.sign_type, secret=keys[0])
        headers.append(
            dialect.headers(
                webhook_id=row.webhook_id, timestamp=int(now.timestamp()), body=body, secrets=keys
            )
            if keys
            else None
        )
        attempts.append(
            NotificationAttempt(
                notification=row,
                number=row.attempt_count + 1,
                started_at=now,
                url=row.url,
                body=body.decode(),
                reason=_t("In the hands of %(worker)s.") % {"worker": worker} if worker else "",
            )
        )
    NotificationAttempt.objects.bulk_create(attempts)
    return [
        Sending(
            notification_pk=row.pk,
            attempt_pk=attempt.pk,
            number=attempt.number,
            is_last=attempt.number >= row.attempt_count_max,
            dialect=row.dialect,
            url=row.url,
            body=attempt.body.encode(),
            headers=sent,
        )
        for row, attempt, sent in zip(rows, attempts, headers, strict=True)
    ]


def _readable_keys(*, merchant_id: str, api: str, now: datetime) -> list[str]:
    """Return the merchant's live secrets, newest first.

    One that no configured key opens is left out and logged: it must not stop every other merchant's queue.
    """
    found: list[str] = []
    for credential in credentials.live(merchant_id, api, now):
        try:
            found.append(credentials.secret_of(credential))
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
    is_success, reason = dialects.get(sending.dialect).is_acknowledged(http_status=answer.status, answer=text)
    if answer.is_cut and answer.status == 200:
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


@transactions.atomic_with_retries
def record(*, results: Sequence[tuple[Sending, Result]], now: datetime) -> Counter[str]:
    """Write down results and what follows from each: done, due again, or failed for good."""
    counts: Counter[str] = Counter()
    for sending, result in results:
        written = NotificationAttempt.objects.filter(pk=sending.attempt_pk, finished_at__isnull=True).update(
            finished_at=now,
            is_success=result.is_success,
            http_status=result.http_status,
            answer=result.answer,
            reason=result.reason[:500],
            duration_ms=result.duration_ms,
        )
        if not written:
            # We were held up for longer than the lease and somebody else has taken over: theirs counts.
            logger.warning(
                "A notification's result came after its lease.",
                extra={"fields": {"attempt": sending.attempt_pk}},
            )
            continue
        changes: dict[str, object] = {"leased_until": None, "last_reason": result.reason[:500]}
        if result.is_success:
            changes |= {"state": State.SUCCESS, "due_at": None, "finished_at": now}
        elif sending.is_last:
            changes |= {"state": State.FAILED, "due_at": None, "finished_at": now}
        else:
            wait_seconds = _wait_seconds(number=sending.number, retry_after=result.retry_after, now=now)
            changes |= {"state": State.RETRYING, "due_at": now + timedelta(seconds=wait_seconds)}
        # Not when somebody asked for it again after our lease had ended: then it is due once more.
        held = Notification.objects.filter(pk=sending.notification_pk, leased_until__isnull=False)
        held.filter(attempt_count=sending.number).update(**changes)
        counts[str(changes["state"])] += 1
    return counts


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
