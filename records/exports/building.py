"""Building a file: one snapshot, one pass, constant memory; whole or not at all.

    snapshot (REPEATABLE READ, read only) ─► count and sums ─► rows, as they come ─► file ─► its name ─► done

What the file holds was counted by the database before, in the same snapshot; a file of another number of
rows is not offered.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _t

from diamondpay.lib import clock, crash
from diamondpay.lib.spreadsheet.columns import Look
from diamondpay.lib.spreadsheet.delimited import Delimited
from diamondpay.lib.spreadsheet.xlsx import Book
from merchants import access
from records import totals
from records.exports import files, jobs, kinds, progress, sources, summaries
from records.models import ExportFormat, ExportJob, ExportSchedule

logger = logging.getLogger(__name__)

SMALL_ROWS_MAX = 5_000
SMALL_SECONDS_MAX = 2.0
_LOOK_MS_MAX = 400
_BATCH_ROWS = 2_000
WRITERS: dict[str, type[Book] | type[Delimited]] = {ExportFormat.XLSX: Book, ExportFormat.CSV: Delimited}


class RowsDiffer(Exception):
    """The file has another number of rows than the database counted in the same snapshot."""


def build_next(*, worker: str) -> ExportJob | None:
    """Claim and build one job; None when there is none to claim."""
    job = jobs.claim(now=clock.now(), worker=worker)
    if job is not None:
        build(job=job)
    return job


def build_small(*, job: ExportJob, worker: str) -> bool:
    """Build at once what is certainly small; what proves slow is left to a worker. Says whether it is built.

    For the request that asked for it: the file is ready before its page is shown.
    """
    if not _is_small(job):
        return False
    claimed = jobs.claim(now=clock.now(), worker=worker, job_id=job.pk)
    if claimed is None:
        return False
    build(job=claimed, seconds_max=SMALL_SECONDS_MAX)
    job.refresh_from_db()
    return job.state == ExportJob.State.DONE


def build(*, job: ExportJob, seconds_max: float | None = None) -> None:
    """Build a claimed job. It ends done, failed in words, or untouched when it was cancelled meanwhile."""
    told = progress.Progress(job=job, lease=jobs.LEASE, seconds_max=seconds_max)
    try:
        with timezone.override(ZoneInfo(job.zone)), files.draft(job.pk) as draft:
            with totals.snapshot():
                _limit_statements(seconds_max)
                _write(job=job, draft=draft, told=told)
            _finish(job=job, draft=draft)
    except progress.GivenUp:
        logger.info("A file was given up while it was built.", extra={"fields": {"export": job.pk}})
    except progress.TooSlow:
        jobs.release(job=job)
    except sources.Refused as refusal:
        jobs.fail(job=job, reason=str(refusal), now=clock.now(), is_final=True)
    except OSError as fault:
        logger.warning(
            "A file could not be written.", extra={"fields": {"export": job.pk, "errno": fault.errno}}
        )
        jobs.fail(job=job, reason=files.words(fault), now=clock.now())
    except DatabaseError as fault:
        if seconds_max is not None:
            jobs.release(job=job)
        else:
            _fail(job, fault)
    except Exception as fault:  # noqa: BLE001 - whatever it was, the person who waits is told
        _fail(job, fault)
    finally:
        told.close()


def _write(*, job: ExportJob, draft: files.Draft, told: progress.Progress) -> None:
    """Write the whole file inside the snapshot, and remember on the job what it holds."""
    source, zone = kinds.KINDS[job.kind], ZoneInfo(job.zone)
    job.snapshot_at = clock.now()
    job.confined_to = access.merchants_of(job.requested_by)
    if not jobs.may_export(job.requested_by, job.kind):
        raise sources.Refused(_t("%s may no longer export these records.") % job.requested_by.get_username())
    opened = source.open(job=job, zone=zone)
    told.rows_expected = job.rows_expected = opened.row_count
    writer = WRITERS[job.format](
        draft.file,
        columns=opened.columns,
        look=Look(zone=zone, decimals=opened.decimals),
        title=opened.title,
    )
    try:
        _write_rows(writer=writer, opened=opened, told=told)
        summary = summaries.of(job=job, opened=opened, writer=writer, zone=zone)
        writer.close(summary)
    except BaseException:
        writer.abandon()
        raise
    crash.point("exports.written")
    job.rows_done, job.data_sha256 = writer.row_count, writer.data_sha256
    job.summary = summaries.as_json(summary)
    job.file_name = summaries.file_name(job=job, opened=opened, zone=zone, suffix=writer.suffix)
    draft.keep(writer.suffix)


def _write_rows(*, writer: Book | Delimited, opened: sources.Opened, told: progress.Progress) -> None:
    """Write the rows as they come. Raises: RowsDiffer when they are not as many as were counted."""
    rows, half = opened.rows(), max(opened.row_count // 2, 1)
    while batch := list(itertools.islice(rows, _BATCH_ROWS)):
        writer.write(batch)
        told.step(writer.row_count)
        if writer.row_count >= half:
            crash.point("exports.half")
    if writer.row_count != opened.row_count:
        raise RowsDiffer(f"{writer.row_count} rows written, {opened.row_count} counted")
    writer.end_rows()


def _finish(*, job: ExportJob, draft: files.Draft) -> None:
    """Offer the file, unless the job was cancelled or taken back while it was written."""
    now = clock.now()
    mine = ExportJob.objects.filter(pk=job.pk, state=ExportJob.State.RUNNING, attempt_count=job.attempt_count)
    crash.point("exports.kept")
    updated = mine.update(
        state=ExportJob.State.DONE,
        leased_until=None,
        finished_at=now,
        snapshot_at=job.snapshot_at,
        confined_to=job.confined_to,
        expires_at=jobs.kept_until(job=job, now=now),
        rows_done=job.rows_done,
        rows_expected=job.rows_expected,
        file_name=job.file_name,
        stored_name=draft.stored_name,
        size_bytes=draft.size_bytes,
        sha256=draft.sha256,
        data_sha256=job.data_sha256,
        summary=job.summary,
        error="",
    )
    if not updated:
        files.remove(draft.stored_name)
        raise progress.GivenUp
    if job.schedule_id is not None:
        ExportSchedule.objects.filter(pk=job.schedule_id, last_error="").update(failure_count=0)


def _fail(job: ExportJob, fault: Exception) -> None:
    logger.error("A file could not be built.", exc_info=fault, extra={"fields": {"export": job.pk}})
    reason = _t("The file could not be built: an error on our side (%s). Nothing was kept.")
    jobs.fail(job=job, reason=reason % type(fault).__name__, now=clock.now())


def _is_small(job: ExportJob) -> bool:
    """Say whether the job has few rows, as far as that can be found out at once."""
    try:
        with _bounded(_LOOK_MS_MAX):
            found = kinds.KINDS[job.kind].count_up_to(job=job, most=SMALL_ROWS_MAX + 1)
    except DatabaseError:
        return False
    return found is not None and found <= SMALL_ROWS_MAX


@contextmanager
def _bounded(milliseconds: int) -> Iterator[None]:
    """Run statements in a transaction that stops each after a time."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            (before,) = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{milliseconds}ms"])
        yield
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


def _limit_statements(seconds_max: float | None) -> None:
    """Let a worker's statements take their time, and a request's no longer than the request may."""
    limit = "0" if seconds_max is None else f"{int(seconds_max * 1000)}ms"
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [limit])
