"""Several workers, dead workers and dead neighbours, on real connections and processes (N2, N3, N4, F9)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import psycopg
import pytest
from pytest_django import Settings

from channels.upstreams.base import CallbackAnswer
from diamondpay.environment import ROOT
from diamondpay.lib import clock, errors
from records import delivery, notifications
from records.models import Notification, NotificationAttempt
from tests import factories
from tests.lib import servers
from tests.support import callbacks, clones
from tests.support.desk import Desk, open_desk, upstream
from tests.support.scripted_upstream import ScriptedUpstream

__all__ = ["upstream"]
YES = CallbackAnswer(http_status=200, content_type="application/json", body='{"error_code":"0000"}')
WORKER = """
import django
django.setup()
from diamondpay.lib import clock
from records import notifications
print(notifications.deliver_due(now=clock.now(), worker="child").success_count)
"""


@pytest.fixture(autouse=True)
def _loopback(settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Iterator[callbacks.CallbackReceiver]:
    with callbacks.receiving() as found:
        found.answers = [YES]
        yield found


@pytest.fixture
def acme_desk(transactional_db: None, upstream: ScriptedUpstream) -> Desk:
    return open_desk(upstream)


def end(desk: Desk, url: str, count: int = 1) -> list[Notification]:
    """Have so many deposits paid, whose merchant listens at the URL."""
    for _ in range(count):
        desk.paid(desk.deposit(notify_url=url))
    return list(Notification.objects.filter(url=url).order_by("id"))


def start_worker(clone: clones.Clone, crash_point: str = "") -> subprocess.Popen[bytes]:
    """Start a process that sends what is due, or dies at the point."""
    environment = {
        **os.environ,
        "DATABASE_URL": clone.url,
        "DIAMONDPAY_NOTIFICATION_PRIVATE_NETWORKS": "127.0.0.0/8",
        "DIAMONDPAY_CRASH_POINT": crash_point,
    }
    return subprocess.Popen([sys.executable, "-c", WORKER], env=environment, cwd=ROOT, stdout=subprocess.PIPE)


def sending_in_thread() -> threading.Thread:
    thread = threading.Thread(target=notifications.deliver_due, kwargs={"now": clock.now()})
    thread.start()
    return thread


def test_two_workers_never_send_the_same_notification(
    acme_desk: Desk, clone: clones.Clone, receiver: callbacks.CallbackReceiver
) -> None:
    end(acme_desk, receiver.url, 40)
    workers = [start_worker(clone) for _ in range(2)]
    sent = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(sent) == 40
    arrived = Counter(callback.headers["webhook-id"] for callback in receiver.arrived())
    assert len(arrived) == 40
    assert set(arrived.values()) == {1}
    assert set(Notification.objects.values_list("state", "attempt_count")) == {("success", 1)}


@pytest.mark.parametrize(
    ("crash_point", "arrivals"), [("notifications.claimed", 1), ("notifications.sent", 2)]
)
def test_what_a_killed_worker_held_is_sent_again_after_its_lease_f9(
    acme_desk: Desk,
    clone: clones.Clone,
    receiver: callbacks.CallbackReceiver,
    crash_point: str,
    arrivals: int,
) -> None:
    (notification,) = end(acme_desk, receiver.url)
    worker = start_worker(clone, crash_point)
    worker.communicate(timeout=60)
    assert worker.returncode == -signal.SIGKILL
    now = clock.now()
    assert notifications.deliver_due(now=now).attempt_count == 0
    assert NotificationAttempt.objects.get().finished_at is None
    assert notifications.deliver_due(now=now + timedelta(seconds=60)).success_count == 1
    notification.refresh_from_db()
    assert (notification.state, notification.attempt_count) == ("success", 2)
    assert len(receiver.arrived()) == arrivals
    first = notification.attempts.get(number=1)
    assert first.is_success is None
    assert first.reason.startswith("The worker died before it wrote down the result")
    assert "child" in first.reason


def test_a_worker_that_dies_in_the_last_attempt_leaves_a_failure_n1(
    acme_desk: Desk, receiver: callbacks.CallbackReceiver
) -> None:
    (notification,) = end(acme_desk, receiver.url)
    now = clock.now()
    for _ in range(6):
        claimed, exhausted = delivery.claim(now=now, worker="dying", count=16)
        assert (len(claimed), exhausted) == (1, 0)
        now += timedelta(seconds=61)
    assert notifications.deliver_due(now=now).failed_count == 1
    notification.refresh_from_db()
    assert (notification.state, notification.attempt_count) == ("failed", 6)
    assert receiver.arrived() == []


def test_a_result_that_comes_after_its_lease_is_not_counted_twice_n2(
    acme_desk: Desk, receiver: callbacks.CallbackReceiver
) -> None:
    (notification,) = end(acme_desk, receiver.url)
    now = clock.now()
    claimed, _exhausted = delivery.claim(now=now, worker="slow", count=16)
    result = delivery.send(claimed[0])
    assert notifications.deliver_due(now=now + timedelta(seconds=61)).success_count == 1
    assert delivery.record(results=[(claimed[0], result)], now=now + timedelta(seconds=62)) == Counter()
    notification.refresh_from_db()
    assert (notification.state, notification.attempt_count) == ("success", 2)


def test_no_transaction_is_open_while_the_merchant_thinks_n3(
    acme_desk: Desk, owner_connection: psycopg.Connection
) -> None:
    with servers.serving(servers.hanging) as slow:
        end(acme_desk, slow.url)
        thread = sending_in_thread()
        until = time.monotonic() + 5
        while not slow.requests and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
        found = owner_connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
        ).fetchone()
        resent = Notification.objects.get()
        with pytest.raises(errors.StatusConflict):
            notifications.resend(
                notification=resent, user=factories.make_operator(), reason="now", now=clock.now()
            )
    thread.join()
    assert found == (0,)


def test_a_dead_neighbour_delays_nobody_n4(
    acme_desk: Desk, upstream: ScriptedUpstream, receiver: callbacks.CallbackReceiver
) -> None:
    """The neighbour has the older queue, and hangs; 4 of its sends are on their way and no more."""
    neighbour = open_desk(upstream, "Neighbour")
    with servers.serving(servers.hanging) as dead:
        end(neighbour, dead.url, 30)
        end(acme_desk, receiver.url, 30)
        thread = sending_in_thread()
        receiver.wait_for(30, seconds_max=3)
        assert dead.connection_count == delivery.IN_FLIGHT_MAX
        assert Notification.objects.filter(leased_until__gt=clock.now(), url=dead.url).count() == 4
        # New ones are sent at once too: the second call only wakes the first.
        end(acme_desk, receiver.url, 1)
        started = time.monotonic()
        assert notifications.deliver_due(now=clock.now()).attempt_count == 0
        receiver.wait_for(31, seconds_max=3)
        assert time.monotonic() - started < 0.4
    thread.join()


def test_merchants_at_one_dead_host_share_its_places_n4(acme_desk: Desk, upstream: ScriptedUpstream) -> None:
    with servers.serving(servers.hanging) as dead:
        for name in ("One", "Two", "Three"):
            end(open_desk(upstream, name), dead.url, 3)
        claimed, _exhausted = delivery.claim(now=clock.now(), worker="", count=16)
        assert len(claimed) == delivery.IN_FLIGHT_MAX
        assert delivery.claim(now=clock.now(), worker="", count=16) == ([], 0)


def test_sends_that_only_wait_make_room_for_others_n4(
    acme_desk: Desk, upstream: ScriptedUpstream, receiver: callbacks.CallbackReceiver
) -> None:
    """Five dead merchants at five hosts hang more sends than are ever begun at once."""
    with ExitStack() as stack:
        dead = [stack.enter_context(servers.serving(servers.hanging)) for _merchant in range(5)]
        for number, server in enumerate(dead):
            end(open_desk(upstream, f"Dead {number}"), server.url, delivery.IN_FLIGHT_MAX)
        thread = sending_in_thread()
        until = time.monotonic() + 5
        while sum(server.connection_count for server in dead) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        assert sum(server.connection_count for server in dead) == 20 > notifications.THREAD_COUNT_MAX
        end(acme_desk, receiver.url, 8)
        notifications.wake_sender()
        receiver.wait_for(8, seconds_max=3)
    thread.join()


def test_a_long_queue_of_one_merchant_hides_nobody_elses_n4(
    acme_desk: Desk, upstream: ScriptedUpstream, receiver: callbacks.CallbackReceiver
) -> None:
    neighbour = open_desk(upstream, "Neighbour")
    end(neighbour, "http://127.0.0.1:9/one", delivery.SEEN_OF_A_MERCHANT_MAX + 5)
    mine = end(acme_desk, receiver.url, 3)
    claimed, _exhausted = delivery.claim(now=clock.now(), worker="", count=16)
    by_merchant = Counter(sending.url for sending in claimed)
    assert by_merchant == {"http://127.0.0.1:9/one": delivery.IN_FLIGHT_MAX, receiver.url: 3}
    # Oldest first, whoever it belongs to.
    assert [sending.notification_pk for sending in claimed][-3:] == [row.pk for row in mine]
