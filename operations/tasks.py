"""Wake-ups of the sweeper of acts. Rows are the queue: a lost or late task changes nothing but when."""

from __future__ import annotations

from celery import shared_task

from diamondpay.lib import clock
from operations import approvals


@shared_task(name="operations.tasks.expire_acts", ignore_result=True)
def expire_acts(**_kwargs: object) -> None:
    """End acts that nobody decided in time."""
    approvals.expire_due(now=clock.now())
