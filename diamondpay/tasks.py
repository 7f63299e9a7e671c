"""The sign of life of worker and beat, and what is tidied of people's signing in."""

from __future__ import annotations

import datetime

from celery import shared_task
from django.conf import settings

from diamondpay.identity import sign_ins, tries
from diamondpay.lib import clock
from diamondpay.models import Heartbeat

WORKER = "worker"
BEAT = "beat"


@shared_task
def heartbeat(*, sent_at: str | None = None, **kwargs: object) -> None:
    """Note that a worker runs tasks now, and that beat was alive when it sent this one."""
    now = clock.now()
    _note(name=WORKER, beat_at=now)
    if sent_at is not None:
        # Beat's host may be ahead of the database's clock; nobody can have been alive in the future.
        _note(name=BEAT, beat_at=min(now, datetime.datetime.fromisoformat(sent_at)))


@shared_task
def tidy_sign_ins(**kwargs: object) -> None:
    """End the sign-ins that nobody uses any more, and forget tries that are two days old."""
    now = clock.now()
    sign_ins.end_idle(idle=datetime.timedelta(seconds=settings.IDLE_SECONDS), now=now)
    tries.prune(now=now)


def _note(*, name: str, beat_at: datetime.datetime) -> None:
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, beat_at=beat_at)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["beat_at"],
    )
