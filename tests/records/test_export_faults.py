"""F14, A3: a file is built by a real process that is killed half way, or while others write to the book."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from diamondpay import environment
from diamondpay.lib import clock
from diamondpay.models import User
from merchants.registration import Registered
from records import tasks
from records.exports import building, jobs
from records.models import ExportJob
from tests.admin import book
from tests.records.exporting import State, asked, boss, content, data, filled, folder, listed, summed

__all__ = ["boss", "filled", "folder"]

pytestmark = pytest.mark.django_db(transaction=True)


def _builder(database_url: str, folder: Path, *, crash_point: str = "") -> subprocess.CompletedProcess[str]:
    """Run what a worker starts: `manage.py build_exports`."""
    settings = {"DATABASE_URL": database_url, "DIAMONDPAY_EXPORT_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "manage.py", "build_exports"],
        cwd=environment.ROOT,
        env=os.environ | settings | ({"DIAMONDPAY_CRASH_POINT": crash_point} if crash_point else {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("point", ["exports.half", "exports.written", "exports.kept"])
def test_a_builder_killed_half_way_leaves_nothing_to_take_and_the_next_one_makes_it_whole(
    point: str, boss: User, filled: Registered, folder: Path, database_url: str
) -> None:
    """F14."""
    job = asked(boss, form="csv")
    assert _builder(database_url, folder, crash_point=point).returncode == -signal.SIGKILL
    job.refresh_from_db()
    assert (job.state, job.stored_name) == (State.RUNNING, "")
    with pytest.raises(jobs.FileGone, match="not ready"):
        content(job, boss)
    assert len(list(folder.iterdir())) == 1
    assert jobs.take_back(now=clock.now() + 2 * jobs.FIRST_LEASE) == 1
    answer = _builder(database_url, folder)
    assert (answer.returncode, answer.stderr) == (0, "")
    job.refresh_from_db()
    assert data(job, boss) == listed("payment", "", boss)
    assert jobs.remove_left_over(now=clock.now()) == 0
    later = clock.now() + 2 * jobs.KEPT
    assert jobs.remove_left_over(now=later) == 1
    assert [path.name for path in folder.iterdir()] == [job.stored_name]


def test_what_is_written_while_a_file_is_built_is_not_in_it(
    boss: User, filled: Registered, owner_connection: psycopg.Connection
) -> None:
    """A3: rows and sums are those of one moment."""
    before = listed("payment", "", boss)
    job = asked(boss, form="csv")
    with ThreadPoolExecutor(1) as pool, owner_connection.transaction():
        # The build asks whose rows it may read once its snapshot stands; there it waits until we are done.
        owner_connection.execute("LOCK TABLE merchants_membership IN ACCESS EXCLUSIVE MODE")
        built = pool.submit(_build_in_a_thread)
        _until(lambda: _waiting_count(owner_connection) == 1)
        book.deposit(filled, "meanwhile")
        book.deposit(filled, "meanwhile too", is_paid=False)
        owner_connection.execute("COMMIT")
        built.result(30)
        owner_connection.execute("BEGIN")
    job.refresh_from_db()
    assert len(listed("payment", "", boss)) == len(before) + 2
    assert data(job, boss) == before
    assert sum(int(line[3]) for line in summed(job)) == len(before)


def test_a_worker_builds_what_waits_in_a_process_of_its_own_and_twice_at_once_does_no_harm(
    boss: User, filled: Registered, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F11: a task that is delivered twice changes nothing but when."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DIAMONDPAY_EXPORT_DIR", str(folder))
    waiting = [asked(boss, form=form) for form in ("xlsx", "csv")]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _number: _task_in_a_thread(), range(2)))
    for job in waiting:
        job.refresh_from_db()
        assert (job.state, job.attempt_count, job.rows_done) == (State.DONE, 1, 8)


def _task_in_a_thread() -> None:
    try:
        tasks.build_exports()
    finally:
        connection.close()


def _build_in_a_thread() -> ExportJob | None:
    try:
        return building.build_next(worker="thread")
    finally:
        connection.close()


def _waiting_count(owner: psycopg.Connection) -> int:
    row = owner.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND database IS NOT NULL").fetchone()
    return int(row[0]) if row else 0


def _until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline, "it never came to wait"
        time.sleep(0.02)
