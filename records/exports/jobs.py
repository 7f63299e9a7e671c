"""The life of a file: asked for, claimed, given up, taken back, offered, expired. Rows are the queue.

Only this module and `building` change an `ExportJob`. Whoever builds holds a lease and renews it with every
step; a lease that ended is somebody's who died, and the job is queued again, three times in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo, available_timezones

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from diamondpay import audit
from diamondpay.lib import errors, transactions, wake
from diamondpay.models import User
from merchants import access
from records.exports import files, kinds
from records.models import ExportFormat, ExportJob, ExportSchedule

State = ExportJob.State
TOPIC = "exports"
PERMISSION = "records.add_exportjob"
RUNNING_PER_USER_MAX = 2
QUEUED_PER_USER_MAX = 20
ATTEMPTS_MAX = 3
# A builder counts before it writes, which takes its time on a large book; then it renews twice a second.
FIRST_LEASE = timedelta(minutes=5)
LEASE = timedelta(seconds=60)
KEPT = timedelta(days=7)
KEPT_SCHEDULED = timedelta(days=30)
OPEN_STATES = (State.QUEUED, State.RUNNING)
# One claim at a time, so that nobody's third file slips in beside the second.
_CLAIM_LOCK = 7_421_101


class FileGone(errors.DomainError):
    """The file is not there to be taken: not built yet, expired, or no longer this person's to see."""

    code = "file_gone"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a file shall hold: a record, its list's filters, the columns in their order, format and zone."""

    kind: str
    query: str
    columns: tuple[str, ...]
    format: str
    zone: str


@transactions.atomic_with_retries
def request(
    *,
    wanted: Wanted,
    user: User,
    now: datetime,
    address: str | None = None,
    schedule: ExportSchedule | None = None,
) -> ExportJob:
    """Put a file in the queue, for this person and with what they may see, and wake a worker.

    Raises: NotAllowed; InvalidInput naming what is wrong with columns, format, zone or filters.
    """
    if not may_export(user, wanted.kind):
        raise errors.NotAllowed
    query = _checked(wanted=wanted, user=user, now=now)
    job = ExportJob.objects.create(
        kind=wanted.kind,
        query=query,
        columns=list(wanted.columns),
        format=wanted.format,
        zone=wanted.zone,
        requested_by=user,
        schedule=schedule,
        requested_at=now,
    )
    _audit(job=job, action="export.request", user=user, now=now, address=address)
    wake.after_commit(TOPIC)
    return job


def may_export(user: Any, kind: str) -> bool:
    """Say whether the user may make files, and of this record."""
    source = kinds.KINDS.get(kind)
    return source is not None and bool(user.has_perm(PERMISSION)) and source.is_open_to(user)


def _checked(*, wanted: Wanted, user: User, now: datetime) -> str:
    """Return the canonical query. Raises: InvalidInput with everything that is wrong."""
    problems: dict[str, errors.Words] = {}
    offered = {column.key for column in kinds.KINDS[wanted.kind].offered(user)}
    unknown = [key for key in wanted.columns if key not in offered]
    if not wanted.columns:
        problems["columns"] = _t("Choose at least one column.")
    elif unknown or len(set(wanted.columns)) != len(wanted.columns):
        problems["columns"] = _t("These columns cannot be chosen: %s.") % ", ".join(unknown or wanted.columns)
    if wanted.format not in ExportFormat.values:
        problems["format"] = _t("Choose Excel or CSV.")
    if wanted.zone not in available_timezones():
        problems["zone"] = _t("This is no time zone: %s.") % wanted.zone[:40]
        raise errors.InvalidInput(problems)
    if ExportJob.objects.filter(requested_by=user, state=State.QUEUED).count() >= QUEUED_PER_USER_MAX:
        problems["queue"] = _t("You have %d files waiting; wait for one or cancel one.") % QUEUED_PER_USER_MAX
    reading = kinds.KINDS[wanted.kind].read(wanted.query, user, ZoneInfo(wanted.zone), now)
    if reading.errors:
        problems["filters"] = " ".join(reading.errors)
    if problems:
        raise errors.InvalidInput(problems)
    return reading.query


def claim(*, now: datetime, worker: str, job_id: int | None = None) -> ExportJob | None:
    """Take the oldest queued job of somebody who has fewer than two running, or the one named.

    Locks: one claimer at a time (advisory), then the job.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
        running = ExportJob.objects.filter(state=State.RUNNING).values_list("requested_by_id", flat=True)
        busy = [user for user in set(running) if list(running).count(user) >= RUNNING_PER_USER_MAX]
        queued = ExportJob.objects.select_for_update(skip_locked=True).filter(state=State.QUEUED)
        queued = queued.exclude(requested_by_id__in=busy)
        if job_id is not None:
            queued = queued.filter(pk=job_id)
        job = queued.order_by("id").first()
        if job is None:
            return None
        job.state, job.worker, job.leased_until = State.RUNNING, worker[:100], now + FIRST_LEASE
        job.started_at, job.finished_at, job.rows_done, job.error = now, None, 0, ""
        job.attempt_count += 1
        job.save()
    return job


def is_work_waiting() -> bool:
    """Say whether a job could be claimed now or was left by somebody who died."""
    return ExportJob.objects.filter(state=State.QUEUED).exists()


@transactions.atomic_with_retries
def take_back(*, now: datetime) -> int:
    """Queue again what a dead worker left; a job that was left three times has failed. Returns how many."""
    left = Q(state=State.RUNNING, leased_until__lt=now)
    failed = ExportJob.objects.filter(left, attempt_count__gte=ATTEMPTS_MAX).update(
        state=State.FAILED,
        leased_until=None,
        finished_at=now,
        error=_t("The file was begun %d times, and each time its worker stopped.") % ATTEMPTS_MAX,
    )
    queued = ExportJob.objects.filter(left).update(state=State.QUEUED, leased_until=None)
    if queued:
        wake.after_commit(TOPIC)
    return failed + queued


@transactions.atomic_with_retries
def cancel(*, job: ExportJob, user: User, now: datetime) -> ExportJob:
    """Give up a job that waits or runs; whoever builds it notices within a second and leaves nothing.

    Raises: StatusConflict when it has ended. Locks: the job.
    """
    locked = ExportJob.objects.select_for_update().get(pk=job.pk)
    if locked.state not in OPEN_STATES:
        raise errors.StatusConflict(
            order=str(locked), current=locked.get_state_display(), wanted=State.CANCELLED.label
        )
    locked.state, locked.leased_until, locked.finished_at = State.CANCELLED, None, now
    locked.save(update_fields=["state", "leased_until", "finished_at"])
    _audit(job=locked, action="export.cancel", user=user, now=now)
    return locked


@transactions.atomic_with_retries
def retry(*, job: ExportJob, user: User, now: datetime) -> ExportJob:
    """Queue a job again that failed, was cancelled or has expired; its rows will be those of then.

    Raises: StatusConflict for one that waits, runs or is ready; NotAllowed. Locks: the job.
    """
    locked = ExportJob.objects.select_for_update().get(pk=job.pk)
    if locked.state not in (State.FAILED, State.CANCELLED, State.EXPIRED):
        raise errors.StatusConflict(
            order=str(locked), current=locked.get_state_display(), wanted=State.QUEUED.label
        )
    if not may_export(user, locked.kind):
        raise errors.NotAllowed
    locked.state, locked.attempt_count, locked.error, locked.finished_at = State.QUEUED, 0, "", None
    locked.rows_done, locked.rows_expected, locked.expires_at = 0, None, None
    locked.save()
    _audit(job=locked, action="export.retry", user=user, now=now)
    wake.after_commit(TOPIC)
    return locked


def take(*, job: ExportJob, user: User, now: datetime, address: str | None = None) -> BinaryIO:
    """Open a ready file for its owner and note who took it.

    The right to it is checked as it is now: the record, each of its columns, and whose rows it holds.
    Raises: FileGone in words.
    """
    if job.state == State.EXPIRED or (job.expires_at is not None and job.expires_at <= now):
        raise FileGone(_t("This file has expired. Make it again: its rows will be those of then."))
    if job.state != State.DONE:
        raise FileGone(_t("This file is not ready."))
    refused = refused_now(job=job, user=user)
    if refused:
        raise FileGone(refused)
    try:
        file = files.open_stored(job.stored_name)
    except FileNotFoundError:
        raise FileGone(_t("This file is no longer where it was kept. Make it again.")) from None
    _audit(job=job, action="export.download", user=user, now=now, address=address, sha256=job.sha256)
    return file


def refused_now(*, job: ExportJob, user: User) -> str:
    """Return in words why the person may no longer see what the file holds; empty when they may."""
    if not may_export(user, job.kind):
        return _t("You may no longer see these records.")
    offered = {column.key for column in kinds.KINDS[job.kind].offered(user)}
    lost = [key for key in job.columns if key not in offered]
    if lost:
        return ngettext(
            "The file has a column that you may no longer see. Make it again.",
            "The file has columns that you may no longer see. Make it again.",
            len(lost),
        )
    confined = access.merchants_of(user)
    if confined is not None and (job.confined_to is None or not set(job.confined_to) <= set(confined)):
        return _t("The file has rows that you may no longer see. Make it again.")
    return ""


def of_user(user: User) -> QuerySet[ExportJob]:
    """Return the person's own files, newest first."""
    return access.visible_to(user, ExportJob.objects.filter(requested_by=user)).order_by("-id")


@transactions.atomic_with_retries
def expire(*, now: datetime) -> int:
    """Remove files whose time is over and what nobody names any more; return how many jobs expired."""
    over = list(
        ExportJob.objects.select_for_update(skip_locked=True).filter(state=State.DONE, expires_at__lte=now)
    )
    for job in over:
        files.remove(job.stored_name)
        job.state, job.stored_name = State.EXPIRED, ""
        job.save(update_fields=["state", "stored_name"])
    return len(over)


def remove_left_over(*, now: datetime) -> int:
    """Remove what dead workers left in the folder; return how many files."""
    kept = frozenset(ExportJob.objects.filter(state=State.DONE).values_list("stored_name", flat=True))
    found = files.left_over(kept=kept, older_than=now.timestamp() - files.LEFT_OVER_SECONDS)
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def fail(*, job: ExportJob, reason: str, now: datetime, is_final: bool = False) -> None:
    """Write down in words why a build ended without a file; nothing when the job is not ours any more.

    A scheduled one, which nobody watches, is tried again unless `is_final`, three times in all; then the
    schedule says so too.
    """
    mine = ExportJob.objects.filter(pk=job.pk, state=State.RUNNING, attempt_count=job.attempt_count)
    if job.schedule_id is not None and not is_final and job.attempt_count < ATTEMPTS_MAX:
        mine.update(state=State.QUEUED, leased_until=None, error=reason[:500])
        return
    failed = mine.update(state=State.FAILED, leased_until=None, finished_at=now, error=reason[:500])
    if failed and job.schedule_id is not None:
        ExportSchedule.objects.filter(pk=job.schedule_id).update(
            failure_count=F("failure_count") + 1, last_error=reason[:500]
        )


def release(*, job: ExportJob) -> None:
    """Put a job back in the queue without counting the attempt, for a worker with more time."""
    mine = ExportJob.objects.filter(pk=job.pk, state=State.RUNNING, attempt_count=job.attempt_count)
    mine.update(state=State.QUEUED, leased_until=None, attempt_count=F("attempt_count") - 1)
    wake.after_commit(TOPIC)


def kept_until(*, job: ExportJob, now: datetime) -> datetime:
    """Return when a file that is ready now expires."""
    return now + (KEPT_SCHEDULED if job.schedule_id is not None else KEPT)


def _audit(
    *,
    job: ExportJob,
    action: str,
    user: User,
    now: datetime,
    address: str | None = None,
    **more: object,
) -> None:
    audit.write(
        action=action,
        object_kind="exportjob",
        object_id=str(job.pk),
        user=user,
        address=address,
        now=now,
        after={
            "kind": job.kind,
            "filters": job.query[:500],
            "columns": job.columns,
            "format": job.format,
            **more,
        },
    )


def still_allowed(kind: str, user: Any, keys: Sequence[str]) -> tuple[str, ...]:
    """Return those of the columns that the user may see now, in their order."""
    source = kinds.KINDS.get(kind)
    offered = {column.key for column in source.offered(user)} if source is not None else set()
    return tuple(key for key in keys if key in offered)
