"""Celery: it wakes workers, and that is all. What is due stands in rows (architecture, rule 3).

Worker: `celery -A diamondpay worker --pool threads`. Beat: `celery -A diamondpay beat`.
"""

from __future__ import annotations

import datetime
import logging
import os
from typing import Any

from celery import Celery
from celery.signals import before_task_publish, setup_logging
from kombu.exceptions import OperationalError

from diamondpay.lib import wake
from diamondpay.run import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diamondpay.settings")

logger = logging.getLogger(__name__)

HEARTBEAT_TASK = "diamondpay.tasks.heartbeat"
_SECONDS_BY_TASK = {
    HEARTBEAT_TASK: 5,
    "records.tasks.deliver_notifications": 5,
    "records.tasks.fold_totals": 5,
    "records.tasks.reconsider_callbacks": 10,
    "records.tasks.expire_payments": 10,
    "records.tasks.query_orders": 10,
    "records.tasks.watch_chains": 10,
    "records.tasks.build_exports": 10,
    "operations.tasks.place_batches": 5,
    "merchants.tasks.end_debug_mode": 60,
    "diamondpay.tasks.tidy_sign_ins": 300,
    "operations.tasks.expire_acts": 60,
    "merchants.tasks.forget_signed_calls": 60,
    "merchants.tasks.forget_api_calls": 60,
}
# A message is worth nothing once the next one is there, so a worker that stood still finds no backlog.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    task: {"task": task, "schedule": seconds, "options": {"expires": 2 * seconds}}
    for task, seconds in _SECONDS_BY_TASK.items()
}
TASK_BY_TOPIC = {
    "notifications": "records.tasks.deliver_notifications",
    "submissions": "records.tasks.query_orders",
    "exports": "records.tasks.build_exports",
    "batches": "operations.tasks.place_batches",
}
WAKE_EXPIRES_SECONDS = 30
WAKES_GATHERED_SECONDS = 0.02

broker.install()
app = Celery("diamondpay")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = BEAT_SCHEDULE
app.autodiscover_tasks()


def publish_wake(topic: str) -> None:
    """Tell a worker that rows of a topic are due now.

    Rows are the queue: when the broker does not answer, the next beat finds them, so the person or
    merchant whose order was just stored is not told of it; the log is.
    """
    task = TASK_BY_TOPIC[topic]
    try:
        app.send_task(task, expires=WAKE_EXPIRES_SECONDS, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning(
            "The broker did not take a wake-up; the next beat will.",
            extra={
                "fields": {
                    "task": task,
                    "error": type(error).__name__,
                }
            },
        )


@before_task_publish.connect(dispatch_uid="diamondpay.heartbeat")
def stamp_heartbeat(sender: str | None = None, body: Any = None, **kwargs: object) -> None:
    """Write into each heartbeat message when it was sent, which is the sign of life of beat itself."""
    if sender == HEARTBEAT_TASK:
        arguments: dict[str, object] = body[1]
        arguments["sent_at"] = datetime.datetime.now(datetime.UTC).isoformat()


@setup_logging.connect(dispatch_uid="diamondpay.logging")
def keep_logging(**kwargs: object) -> None:
    """Leave logging as the settings made it; a connected receiver is what tells Celery so."""


wake.register(wake.gathered(publish_wake, seconds=WAKES_GATHERED_SECONDS))
