"""Wake-ups of the sweepers. Rows are the queue: a lost, doubled or late task changes nothing but when."""

from __future__ import annotations

import os
import socket

from celery import shared_task
from django.db import connection

from diamondpay.lib import clock
from records import callbacks, chain_watch, notifications, payments, submission
from records.exports import upkeep

FOLD_ROWS = 20_000
WORKER = f"{socket.gethostname()}:{os.getpid()}"


@shared_task(name="records.tasks.deliver_notifications", ignore_result=True)
def deliver_notifications(**_kwargs: object) -> None:
    """Send the notifications that are due."""
    # Of many wake-ups at once, all but the first only ring the bell: they need no database for that.
    if not notifications.wake_sender():
        notifications.deliver_due(now=clock.now(), worker=WORKER)


@shared_task(name="records.tasks.reconsider_callbacks", ignore_result=True)
def reconsider_callbacks(**_kwargs: object) -> None:
    """Give an outcome to callbacks that have none."""
    callbacks.reconsider_due(now=clock.now())


@shared_task(name="records.tasks.expire_payments", ignore_result=True)
def expire_payments(**_kwargs: object) -> None:
    """Close deposits whose time is over."""
    payments.close_expired(now=clock.now())


@shared_task(name="records.tasks.query_orders", ignore_result=True)
def query_orders(**_kwargs: object) -> None:
    """Ask upstreams about orders in progress, and hand over what never reached them."""
    submission.query_due(now=clock.now())


@shared_task(name="records.tasks.watch_chains", ignore_result=True)
def watch_chains(**_kwargs: object) -> None:
    """Read what is new on the chains that payments are awaited on."""
    chain_watch.watch_all()


@shared_task(name="records.tasks.fold_totals", ignore_result=True)
def fold_totals(**_kwargs: object) -> None:
    """Move deltas into totals."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT records_fold_order_totals(%s)", [FOLD_ROWS])
        cursor.execute("SELECT records_fold_account_totals(%s)", [FOLD_ROWS])


@shared_task(name="records.tasks.build_exports", ignore_result=True)
def build_exports(**_kwargs: object) -> None:
    """Build files that wait, queue those whose hour has come, remove those whose time is over."""
    upkeep.tend(now=clock.now())
    upkeep.build_waiting()
