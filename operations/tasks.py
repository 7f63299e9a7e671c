"""Wake-ups of operations' workers. Rows are the queue: a lost or doubled task changes nothing but when."""

from __future__ import annotations

import threading

from celery import shared_task

from diamondpay.lib import clock
from operations import approvals
from operations.batches import placing, returned

SECONDS_MAX = 60.0
# Beat rings every few seconds; one call in each process drains the queue.
_placing = threading.Lock()


@shared_task(name="operations.tasks.place_batches", ignore_result=True)
def place_batches(**_kwargs: object) -> None:
    """Create payouts of confirmed batches."""
    if not _placing.acquire(blocking=False):
        return
    try:
        placing.place_waiting(seconds_max=SECONDS_MAX)
    finally:
        _placing.release()


@shared_task(name="operations.tasks.expire_acts", ignore_result=True)
def expire_acts(**_kwargs: object) -> None:
    """End acts that nobody decided in time, and empty files that nobody fetched in time."""
    now = clock.now()
    approvals.expire_due(now=now)
    returned.empty_expired(now=now)
