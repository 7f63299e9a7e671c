"""`/healthz`: this process answers. `/readyz`: everything it needs answers too."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from kombu.exceptions import OperationalError
from psycopg_pool import PoolTimeout

from diamondpay import celery, tasks
from diamondpay.lib import clock
from diamondpay.models import Heartbeat
from records import queries

logger = logging.getLogger(__name__)

# The heartbeat is sent every 5 s; three in a row missing is not a slow one.
HEARTBEAT_AGE_SECONDS_MAX = 20
BROKER_WAIT_SECONDS = 2

View = Callable[[HttpRequest], HttpResponse]


class HealthMiddleware:
    """Answers both addresses before sessions, hosts and redirects are looked at.

    A load balancer asks by address and over plain http; neither may make a healthy process look ill.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the two addresses, pass everything else on."""
        view = {"/healthz": alive, "/readyz": ready}.get(request.path)
        return view(request) if view is not None else self.get_response(request)


def alive(request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive, asking nobody else."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """Answer the state of every part: 200 when all are up, else 503.

    Units: ages in seconds by the database's clock; null when there is nothing of the kind.
    """
    parts: dict[str, dict[str, object]] = {"database": _database(), "broker": _broker()}
    work: dict[str, float | None] = {}
    if parts["database"]["up"]:
        now = clock.now()
        parts |= _heartbeats(now)
        work = {
            "oldest_due_notification_seconds": queries.oldest_due_notification_seconds(now=now),
            "oldest_unanswered_callback_seconds": queries.oldest_unanswered_callback_seconds(now=now),
        }
    up = all(part["up"] for part in parts.values()) and len(parts) == 4
    answer = {"status": "ok" if up else "unavailable", "parts": parts, **work}
    return JsonResponse(answer, status=200 if up else 503)


def _database() -> dict[str, object]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, PoolTimeout) as error:
        logger.warning("The database does not answer.", extra={"fields": {"error": type(error).__name__}})
        return {"up": False}
    return {"up": True}


def _broker() -> dict[str, object]:
    """Connect as a publisher would. A connection of its own, so that a dead one is not taken for alive."""
    broker = celery.app.connection_for_write(connect_timeout=BROKER_WAIT_SECONDS)
    try:
        broker.ensure_connection(max_retries=0, timeout=BROKER_WAIT_SECONDS)
    except (OperationalError, OSError) as error:
        logger.warning("The broker does not answer.", extra={"fields": {"error": type(error).__name__}})
        return {"up": False}
    finally:
        broker.release()
    return {"up": True}


def _heartbeats(now: datetime.datetime) -> dict[str, dict[str, object]]:
    beat_at_by_name = dict(Heartbeat.objects.values_list("name", "beat_at"))
    return {name: _heartbeat(beat_at_by_name.get(name), now) for name in (tasks.WORKER, tasks.BEAT)}


def _heartbeat(beat_at: datetime.datetime | None, now: datetime.datetime) -> dict[str, object]:
    if beat_at is None:
        return {"up": False, "age_seconds": None}
    age_seconds = max(0.0, (now - beat_at).total_seconds())
    return {"up": age_seconds <= HEARTBEAT_AGE_SECONDS_MAX, "age_seconds": round(age_seconds, 1)}
