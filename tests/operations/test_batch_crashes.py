"""Workers that die in the middle of a batch, and workers that meet: no payout doubled, none lost (F6)."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from diamondpay import environment
from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from merchants.registration import Registered
from operations import tasks
from operations.batches import placing
from operations.batches.models import BatchPayout
from records.models import Payout
from tests.operations import batching
from tests.operations.batching import HEAD, balances, good, maker, owner, xlsx
from tests.support.together import at_once

__all__ = ["maker", "owner"]
pytestmark = pytest.mark.django_db(transaction=True)

COUNT = 24


def worker(database_url: str, *, crash_point: str = "") -> subprocess.Popen[str]:
    """Start what a worker does, as a process of its own."""
    chosen = {"DIAMONDPAY_CRASH_POINT": crash_point} if crash_point else {}
    return subprocess.Popen(
        [sys.executable, "manage.py", "place_batches", "--threads", "2"],
        cwd=environment.ROOT, env=os.environ | {"DATABASE_URL": database_url} | chosen,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def confirmed(owner: Registered, maker: User) -> BatchPayout:
    """Return a batch whose rows wait for workers."""
    return batching.confirm(batching.upload(owner, maker, xlsx(HEAD, good(COUNT))), maker)


def leases_ended(owner_connection: psycopg.Connection) -> None:
    """Let a minute pass for the rows that a dead worker held."""
    owner_connection.execute(
        "UPDATE operations_batchpayoutrow SET leased_until = now() - interval '1 s' WHERE state = 'waiting'"
    )


def is_whole(batch: BatchPayout, owner: Registered) -> bool:
    """Say whether every row has exactly one order of its own and the wallet holds their exact sum."""
    batch.refresh_from_db()
    orders = list(Payout.objects.order_by("merchant_order_no").values_list("merchant_order_no", "pk"))
    rows = list(batch.rows.order_by("merchant_order_no").values_list("merchant_order_no", "payout_id"))
    assert (orders, batch.state) == (rows, "done")
    assert len(orders) == COUNT
    assert balances(owner) == (Decimal(100_000) - Decimal("100.30") * COUNT, Decimal("100.30") * COUNT)
    return True


@pytest.mark.parametrize(
    "point", ["placement.before_commit", "placement.committed", "payouts.sent", "batches.placed"]
)
@pytest.mark.parametrize("is_repeat_refused", [False, True])
def test_a_worker_killed_at_a_row_leaves_it_to_the_next_who_creates_it_once(
    owner: Registered, maker: User, database_url: str, owner_connection: psycopg.Connection, point: str,
    is_repeat_refused: bool,
) -> None:  # fmt: skip
    owner.merchant.is_repeat_refused = is_repeat_refused
    owner.merchant.save()
    batch = confirmed(owner, maker)
    assert worker(database_url, crash_point=point).wait(60) == -signal.SIGKILL
    assert batch.rows.filter(state="waiting").count() >= COUNT - 1
    leases_ended(owner_connection)
    placing.place_waiting()
    assert is_whole(batch, owner)


def test_a_worker_killed_half_way_through_loses_and_doubles_nothing(
    owner: Registered, maker: User, database_url: str, owner_connection: psycopg.Connection
) -> None:
    batch = confirmed(owner, maker)
    process = worker(database_url)
    deadline = time.monotonic() + 60
    while batch.rows.filter(state="placed").count() < COUNT // 2:
        assert time.monotonic() < deadline, "the worker never came half way"
        time.sleep(0.01)
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    batch.refresh_from_db()
    assert (batch.state, batch.rows.filter(state="waiting").exists()) == ("placing", True)
    leases_ended(owner_connection)
    answer = worker(database_url)
    assert (answer.communicate(timeout=60)[1], answer.returncode) == ("", 0)
    assert is_whole(batch, owner)


def test_a_row_in_a_workers_hands_is_nobody_elses_until_its_minute_is_over(
    owner: Registered, maker: User
) -> None:
    batch = confirmed(owner, maker)
    now = clock.now()
    assert placing._claim(now) is not None
    later = [placing._claim(now) for _number in range(COUNT)]
    assert [row.number for row in later if row] == list(range(2, COUNT + 1))
    again = placing._claim(now + placing.LEASE + timedelta(seconds=1))
    assert again is not None
    assert (again.number, again.try_count) == (1, 2)
    assert batch.rows.filter(state="waiting").count() == COUNT


def test_tasks_and_workers_that_meet_create_each_payout_once(owner: Registered, maker: User) -> None:
    batch = confirmed(owner, maker)
    started = threading.Barrier(4)

    def run(number: int) -> None:
        started.wait(10)
        try:
            tasks.place_batches() if number else placing.place_waiting(threads=2)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert is_whole(batch, owner)


def test_two_people_who_confirm_at_once_confirm_once(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(COUNT)))
    started = threading.Barrier(3)

    def run(_number: int) -> str:
        started.wait(10)
        try:
            return str(batching.confirm(batch, maker).state)
        except batching.errors.StatusConflict:
            return "too late"
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(run, range(3))) == ["placing", "too late", "too late"]
    placing.place_waiting()
    assert is_whole(batch, owner)


def test_50_presses_of_one_confirmation_place_each_payout_once_p8(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(COUNT)))
    client = Client()
    client.force_login(maker)
    clients = [Client() for _number in range(50)]
    for each in clients:
        each.cookies = client.cookies
    page = reverse("admin:batch_payout_confirm", args=[batch.pk])
    answers = at_once([functools.partial(each.post, page) for each in clients])
    assert {answer.status_code for answer in answers} == {302}
    assert AuditRow.objects.filter(action="batch.confirm").count() == 1
    placing.place_waiting()
    assert is_whole(batch, owner)
    assert Payout.objects.count() == COUNT
