"""Left-overs of a killed run are ended; a process that merely has the same pid is not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diamondpay.run import children

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
""",
]


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends only when it is killed."""
    process = children.start(STUBBORN, output=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process
    children.kill_group(process.pid)
    process.wait()
    process.stdout.close()


def test_recorded_processes_are_ended_even_stubborn_ones(
    tmp_path: Path, stubborn: subprocess.Popen[bytes]
) -> None:
    path = tmp_path / "processes.json"
    children.record(path, {"stubborn": stubborn.pid})
    assert [item.name for item in children.recorded(path)] == ["stubborn"]
    assert children.end_recorded(path, seconds_max=0.9) == ["stubborn"]
    assert stubborn.wait(5) == -signal.SIGKILL
    assert not path.exists()


def test_another_process_of_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    process = children.start(SLEEP)
    path = tmp_path / "processes.json"
    path.write_text(json.dumps([{"name": "web", "pid": process.pid, "started": "1"}]))
    assert children.end_recorded(path, seconds_max=0.3) == []
    assert process.poll() is None
    assert children.stop(process, signal_number=signal.SIGTERM, seconds_max=5) is True


def test_a_damaged_record_counts_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "processes.json"
    path.write_text('[{"name": "web"')
    assert children.recorded(path) == []
    assert children.end_recorded(path, seconds_max=0.3) == []


def test_stop_tells_whether_a_process_ended_when_asked(stubborn: subprocess.Popen[bytes]) -> None:
    assert children.stop(stubborn, signal_number=signal.SIGTERM, seconds_max=0.2) is False
    assert stubborn.returncode == -signal.SIGKILL
