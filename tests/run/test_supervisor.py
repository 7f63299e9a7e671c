"""`make run`: real supervisors with real children, and what becomes of them when they are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diamondpay.run import children
from tests.run.terminal import Terminal, until
from tests.support import clones, runs

PARTS = {"postgres", "sandbox", "web", "worker", "beat"}


@pytest.fixture(scope="module")
def prepared_home() -> Iterator[Path]:
    """A folder in which an instance ran once and was stopped: its database is migrated."""
    folder = runs.current() / "home" / f"run-{os.getpid()}"
    terminal = Terminal(folder / "prepared")
    folder.mkdir(mode=0o700)
    try:
        terminal.start_and_wait()
    finally:
        terminal.end()
    yield terminal.home
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def last_terminal() -> Iterator[list[Terminal]]:
    """The instance that the test before left running, if it did."""
    found: list[Terminal] = []
    yield found
    for terminal in found:
        terminal.end()


@pytest.fixture
def terminal(prepared_home: Path, last_terminal: list[Terminal]) -> Terminal:
    """An instance that runs on the prepared folder: the last test's, unless it was ended there."""
    if not last_terminal or last_terminal[0].ended():
        last_terminal[:] = [Terminal(prepared_home).start_and_wait()]
    return last_terminal[0]


@pytest.fixture
def idle_home(prepared_home: Path, last_terminal: list[Terminal]) -> Path:
    """The prepared folder with nothing running on it."""
    for terminal in last_terminal:
        terminal.end()
    return prepared_home


def _ready(terminal: Terminal) -> bool:
    return terminal.get("/readyz")[0] == 200


def test_a_later_start_shows_its_first_page_within_5_seconds(idle_home: Path) -> None:
    terminal = Terminal(idle_home)
    began = time.monotonic()
    terminal.start()
    try:
        until(lambda: terminal.get("/healthz") == (200, '{"status": "ok"}'), what="a page", seconds_max=15)
        seconds = time.monotonic() - began
    finally:
        terminal.end()
    # Twice the promise: other tests share the machine's two cores with this one.
    assert seconds < 10


def test_a_running_instance_says_where_it_is_and_is_ready(terminal: Terminal) -> None:
    assert f"{terminal.url}/admin/" in terminal.output
    assert f"http://127.0.0.1:{terminal.sandbox_port}/" in terminal.output
    assert set(terminal.parts()) == PARTS
    until(lambda: _ready(terminal), what="readiness", seconds_max=30)
    answer = json.loads(terminal.get("/readyz")[1])
    assert answer["status"] == "ok"
    assert {name: part["up"] for name, part in answer["parts"].items()} == {
        "database": True,
        "broker": True,
        "worker": True,
        "beat": True,
    }
    assert answer["oldest_due_notification_seconds"] is None
    assert answer["oldest_unanswered_callback_seconds"] is None


def test_a_second_terminal_finds_the_running_instance(terminal: Terminal) -> None:
    settings = terminal.home / "instance.env"
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    answer = terminal.manage("verify_ledger")
    assert answer.returncode == 0, answer.stderr


def test_secrets_are_kept_for_the_next_start_and_for_nobody_else(terminal: Terminal) -> None:
    keys = sorted((terminal.home / "secrets").iterdir())
    assert [key.name for key in keys] == ["encryption.key", "hash.key", "session.key"]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert stat.S_IMODE(terminal.home.stat().st_mode) == 0o700


def test_ctrl_c_stops_everything_within_10_seconds(terminal: Terminal) -> None:
    pids = terminal.parts()
    began = time.monotonic()
    assert terminal.signal(signal.SIGINT) == 0
    assert time.monotonic() - began < 10
    assert {name for name, pid in pids.items() if children.started_at(pid)} == set()
    assert terminal.output.endswith("Stopped.\n")


def test_a_killed_supervisor_takes_all_parts_with_it_and_the_next_start_recovers(terminal: Terminal) -> None:
    pids = terminal.parts()
    terminal.signal(signal.SIGKILL)
    until(
        lambda: not any(children.started_at(pid) for pid in pids.values()),
        what="the end of the parts",
        seconds_max=10,
    )
    again = Terminal(terminal.home).start_and_wait()
    try:
        assert set(again.parts()) == PARTS
        assert set(again.parts().values()).isdisjoint(pids.values())
        until(lambda: _ready(again), what="readiness", seconds_max=30)
    finally:
        again.end()


def test_a_start_right_after_a_kill_recovers_too(terminal: Terminal) -> None:
    pids = terminal.parts()
    for pid in [terminal.process.pid if terminal.process else 0, *pids.values()]:
        os.kill(pid, signal.SIGKILL)
    terminal.signal(signal.SIGKILL)
    again = Terminal(terminal.home).start_and_wait()
    try:
        assert again.get("/healthz")[0] == 200
    finally:
        again.end()


@pytest.mark.parametrize("name", ["web", "worker", "postgres"])
def test_a_killed_part_is_started_again(terminal: Terminal, name: str) -> None:
    before = terminal.parts()[name]
    os.killpg(before, signal.SIGKILL)
    until(
        lambda: terminal.parts().get(name, before) != before and _ready(terminal),
        what=f"another {name}",
        seconds_max=40,
    )
    assert terminal.output.count("starting it again") >= 1


def test_a_second_instance_in_the_same_folder_is_refused_in_one_sentence(terminal: Terminal) -> None:
    second = Terminal(terminal.home).start()
    assert second.process is not None
    assert second.process.wait(20) == 1
    assert f"An instance already runs in {terminal.home}" in second.output
    assert second.output.count("\n") == 1
    assert terminal.get("/healthz")[0] == 200


def test_a_taken_port_is_named_together_with_the_way_out(idle_home: Path) -> None:
    terminal = Terminal(idle_home)
    with socket.create_server(("127.0.0.1", terminal.port)):
        terminal.start()
        assert terminal.process is not None
        assert terminal.process.wait(20) == 1
    assert f"Port {terminal.port} cannot be used" in terminal.output
    assert f"DIAMONDPAY_PORT={terminal.port + 1} make run" in terminal.output
    assert terminal.output.count("\n") == 1


def test_two_instances_run_side_by_side_one_of_them_on_a_database_of_its_own(
    terminal: Terminal, fresh_clone: Callable[[], clones.Clone]
) -> None:
    clone = fresh_clone()
    other = Terminal(
        terminal.home.parent / "other", DATABASE_URL=clone.url, DATABASE_OWNER_URL=clone.owner_url
    ).start_and_wait()
    try:
        assert set(other.parts()) == PARTS - {"postgres"}
        until(lambda: _ready(terminal) and _ready(other), what="readiness of both", seconds_max=40)
        assert set(terminal.parts()) == PARTS
    finally:
        other.end()
    assert terminal.get("/healthz")[0] == 200


def test_half_an_outside_database_is_refused(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home", DATABASE_URL="postgresql://a@/b").start()
    assert terminal.process is not None
    assert terminal.process.wait(20) == 1
    assert "Give both DATABASE_URL and DATABASE_OWNER_URL" in terminal.output


def test_a_signal_that_comes_while_something_is_finalised_is_not_lost() -> None:
    program = """
import os, signal
from diamondpay.run import supervisor

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(1000))

supervisor._stop_on_signals()
Finalised()
print("swallowed")
try:
    supervisor.stop_if_asked()
except supervisor.Stopped:
    print("stopped")
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "swallowed\nstopped\n"
    assert "Exception ignored in" in answer.stderr
