"""Files that are made every day: one for each recipient, with what that person may see on that day."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _t

from diamondpay.lib import errors
from diamondpay.models import User
from records.exports import jobs
from records.models import ExportSchedule

logger = logging.getLogger(__name__)

_DUE_MAX = 100


def next_run(*, time_of_day: time, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first moment after `after` at which the zone's clocks show the time of day.

    A time that a change of clocks skips comes when it would have come without the change; one that comes
    twice comes at its first.
    """
    day = after.astimezone(zone).date()
    while True:
        moment = datetime.combine(day, time_of_day, tzinfo=zone).astimezone(UTC)
        if moment > after:
            return moment
        day += timedelta(days=1)


def run_due(*, now: datetime) -> int:
    """Queue the files of every schedule whose time has come; return how many files.

    A schedule that was missed for days runs once. What a recipient may not have any more is written on the
    schedule as its failure, and the others get their files.
    """
    due = ExportSchedule.objects.filter(is_active=True, next_run_at__lte=now).order_by("next_run_at")
    return sum(_run(schedule_id, now) for schedule_id in list(due.values_list("pk", flat=True)[:_DUE_MAX]))


def _run(schedule_id: int, now: datetime) -> int:
    with transaction.atomic():
        schedule = (
            ExportSchedule.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("template")
            .filter(pk=schedule_id, is_active=True, next_run_at__lte=now)
            .first()
        )
        if schedule is None:
            return 0
        problems = [problem for user in _recipients(schedule) if (problem := _request(schedule, user, now))]
        made = schedule.recipients.count() - len(problems)
        schedule.last_run_at = now
        schedule.next_run_at = next_run(
            time_of_day=schedule.time_of_day, zone=ZoneInfo(schedule.zone), after=now
        )
        # A failure stays in sight until a run begins without one.
        schedule.last_error = " ".join(problems)[:500]
        if problems:
            schedule.failure_count = F("failure_count") + 1
        schedule.save(update_fields=["last_run_at", "next_run_at", "failure_count", "last_error"])
        return made


def _recipients(schedule: ExportSchedule) -> list[User]:
    return list(schedule.recipients.order_by("pk"))


def _request(schedule: ExportSchedule, user: User, now: datetime) -> str:
    """Queue one recipient's file; return why not, in words."""
    wanted = jobs.Wanted(
        kind=schedule.kind,
        query=schedule.query,
        columns=jobs.still_allowed(schedule.kind, user, schedule.template.columns),
        format=schedule.template.format,
        zone=schedule.zone,
    )
    try:
        if not (user.is_active and user.is_staff):
            raise errors.NotAllowed
        jobs.request(wanted=wanted, user=user, now=now, schedule=schedule)
    except errors.DomainError as refusal:
        logger.warning(
            "A scheduled file was refused.",
            extra={"fields": {"schedule": schedule.pk, "user": user.pk, "reason": refusal.code}},
        )
        return _t("%(user)s: %(reason)s") % {"user": user.get_username(), "reason": refusal}
    return ""
