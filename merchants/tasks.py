"""What beat asks of this room."""

from __future__ import annotations

from celery import shared_task

from diamondpay.lib import clock
from merchants import debug, signed_calls
from merchants.calls import upkeep


@shared_task(name="merchants.tasks.end_debug_mode")
def end_debug_mode(**_kwargs: object) -> None:
    """Switch debug mode off for the merchants whose midnight has come."""
    debug.end_due(clock.now())


@shared_task(name="merchants.tasks.forget_signed_calls")
def forget_signed_calls(**_kwargs: object) -> None:
    """Remove what protects against replays of calls whose timestamp is no longer accepted."""
    signed_calls.forget(now=clock.now())


@shared_task(name="merchants.tasks.forget_api_calls")
def forget_api_calls(**_kwargs: object) -> None:
    """Remove from the request log what is older than 30 days."""
    upkeep.forget(now=clock.now())
