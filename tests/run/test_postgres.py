"""The embedded PostgreSQL: created, killed, recovered, and never left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from diamondpay import environment
from diamondpay.run import children, postgres
from tests.run.terminal import until
from tests.support import runs


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for one cluster, in memory where the test run is."""
    folder = runs.current() / f"cluster-{os.getpid()}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _start(home: Path) -> postgres.Server:
    data, sockets = postgres.folders(home)
    if not (data / "PG_VERSION").exists():
        postgres.create(data)
    return postgres.start(data=data, sockets=sockets, log=home / "log")


def test_what_was_committed_survives_a_kill_of_the_server(home: Path) -> None:
    server = _start(home)
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    # The process stays a zombie until it is waited for, as under a PID 1 that reaps nobody.
    os.killpg(server.process.pid, signal.SIGKILL)
    until(lambda: not children.started_at(server.process.pid), what="the kill", seconds_max=5)
    again = _start(home)
    try:
        with again.connect() as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    finally:
        postgres.stop(again)
        server.process.wait()


def test_the_server_is_reached_through_its_folder_only(home: Path) -> None:
    server = _start(home)
    try:
        with server.connect() as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert (server.sockets.stat().st_mode & 0o777) == 0o700
        assert (server.data.stat().st_mode & 0o777) == 0o700
    finally:
        postgres.stop(server)


def test_the_server_dies_with_the_process_that_started_it(home: Path) -> None:
    data, sockets = postgres.folders(home)
    postgres.create(data)
    program = (
        "import pathlib, sys, time\n"
        "from diamondpay.run import postgres\n"
        "data, sockets, log = map(pathlib.Path, sys.argv[1:])\n"
        "server = postgres.start(data=data, sockets=sockets, log=log)\n"
        "print(server.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(data), str(sockets), str(home / "log")],
        cwd=environment.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert children.started_at(pid) != ""
    parent.kill()
    parent.wait()
    until(lambda: not children.started_at(pid), what="the end of PostgreSQL", seconds_max=10)
    parent.stdout.close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=str(sockets), user=postgres.SUPERUSER, dbname="postgres")


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    data, sockets = postgres.folders(home)
    postgres.create(data)
    with pytest.raises(postgres.PostgresError, match="no_such_setting"):
        postgres.start(data=data, sockets=sockets, log=home / "log", settings={"no_such_setting": "1"})


def test_a_home_with_a_long_path_keeps_its_socket_in_a_short_folder(tmp_path: Path) -> None:
    long_home = tmp_path / ("x" * 100)
    data, sockets = postgres.folders(long_home)
    assert len(str(sockets)) <= postgres.SOCKET_FOLDER_LENGTH_MAX
    assert postgres.folders(long_home) == (data, sockets)
    assert postgres.folders(tmp_path / ("y" * 100))[1] != sockets


def test_roles_and_databases_are_made_once_and_own_nothing_they_need_not(home: Path) -> None:
    server = _start(home)
    try:
        with server.connect() as connection:
            for _ in range(2):
                postgres.ensure_role(connection, name="book_app")
            assert postgres.ensure_database(connection, name="book", owner="book_app") is True
            assert postgres.ensure_database(connection, name="book", owner="book_app") is False
            rights = "rolsuper, rolcreatedb, rolcreaterole, rolcanlogin"
            row = connection.execute(f"SELECT {rights} FROM pg_roles WHERE rolname = 'book_app'").fetchone()
        assert row == (False, False, False, True)
    finally:
        postgres.stop(server)


def test_a_second_server_on_the_same_data_is_refused_and_the_first_stays(home: Path) -> None:
    server = _start(home)
    try:
        with pytest.raises(postgres.PostgresError, match="did not start"):
            _start(home)
        with server.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        postgres.stop(server)
