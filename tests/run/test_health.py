"""`/healthz` and `/readyz`: alive is not the same as ready."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection
from django.test import Client

from diamondpay import celery, tasks
from diamondpay.lib import clock
from diamondpay.models import Heartbeat


def _heartbeat(*, name: str, age_seconds: int) -> None:
    beat_at = clock.now() - datetime.timedelta(seconds=age_seconds)
    Heartbeat.objects.update_or_create(name=name, defaults={"beat_at": beat_at})


def test_alive_asks_nobody(client: Client) -> None:
    # No database fixture: a query here would be refused.
    answer = client.get("/healthz", headers={"host": "10.0.0.7"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_every_part_gave_a_sign_of_life(db: None, client: Client) -> None:
    tasks.heartbeat(sent_at=clock.now().isoformat())
    answer = client.get("/readyz")
    assert answer.status_code == 200
    parts = answer.json()["parts"]
    assert sorted(parts) == ["beat", "broker", "database", "worker"]
    assert all(part["up"] for part in parts.values())


@pytest.mark.parametrize("name", [tasks.WORKER, tasks.BEAT])
def test_not_ready_when_a_part_is_silent(db: None, client: Client, name: str) -> None:
    tasks.heartbeat(sent_at=clock.now().isoformat())
    _heartbeat(name=name, age_seconds=300)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    part = answer.json()["parts"][name]
    assert part["up"] is False
    assert 299 <= part["age_seconds"] <= 310


def test_not_ready_when_the_broker_is_gone(db: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.heartbeat(sent_at=clock.now().isoformat())
    # Port 1 of this machine: nobody listens there.
    monkeypatch.setattr(celery.app.conf, "broker_write_url", "amqp://127.0.0.1:1")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["broker"] == {"up": False}
    assert answer.json()["parts"]["database"] == {"up": True}


def test_not_ready_when_the_database_is_gone(
    transactional_db: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setitem(connection.settings_dict, "HOST", "/nonexistent")
        connection.close()
        answer = client.get("/readyz")
        assert client.get("/healthz").status_code == 200
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "parts": {"database": {"up": False}, "broker": {"up": True}},
    }


def test_the_heartbeat_never_lies_in_the_future(db: None) -> None:
    tasks.heartbeat(sent_at=(clock.now() + datetime.timedelta(hours=1)).isoformat(), later_argument=1)
    beat_at = Heartbeat.objects.get(name=tasks.BEAT).beat_at
    assert beat_at == Heartbeat.objects.get(name=tasks.WORKER).beat_at
