"""What beat asks of this room."""

from __future__ import annotations

from celery import shared_task

from diamondpay.lib import clock
from merchants import debug


@shared_task(name="merchants.tasks.end_debug_mode")
def end_debug_mode(**_kwargs: object) -> None:
    """Switch debug mode off for the merchants whose midnight has come."""
    debug.end_due(clock.now())
