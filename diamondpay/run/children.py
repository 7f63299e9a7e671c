"""Child processes that never outlive this one, and the left-overs of a run that was killed.

Linux ends a child when the *thread* that started it ends, so children are started from the main thread.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: IO[bytes] | int | None = None,
    end_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own; it gets `end_signal` when this process dies."""
    return subprocess.Popen(
        list(command),
        env=dict(env) if env is not None else None,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        preexec_fn=_dies_with(os.getpid(), end_signal),
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], *, signal_number: int, seconds_max: float) -> bool:
    """Ask a child to end and make sure that it and its group do. Returns whether it ended when asked."""
    if process.poll() is not None:
        return True
    process.send_signal(signal_number)
    try:
        process.wait(seconds_max)
        return True
    except subprocess.TimeoutExpired:
        kill_group(process.pid)
        process.wait()
        return False


def kill_group(pid: int) -> None:
    """Kill a child's process group; one that is gone already is fine."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # PermissionError is macOS's answer for a group of which only a zombie is left.
        return


@dataclass(frozen=True)
class Recorded:
    """A process as it is written down: a pid alone may be somebody else's by tomorrow."""

    name: str
    pid: int
    started: str


def record(path: Path, processes: Mapping[str, int]) -> None:
    """Write down which processes run now, whole or not at all."""
    rows = [{"name": name, "pid": pid, "started": started_at(pid)} for name, pid in processes.items()]
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(rows))
    draft.replace(path)


def recorded(path: Path) -> list[Recorded]:
    """Return the processes written down that still run. A damaged file counts as empty."""
    try:
        rows = json.loads(path.read_text())
        found = [Recorded(str(row["name"]), int(row["pid"]), str(row["started"])) for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [item for item in found if item.started and started_at(item.pid) == item.started]


def end_recorded(path: Path, *, seconds_max: float) -> list[str]:
    """End what a killed run left behind. Returns the names of what was found alive."""
    found = recorded(path)
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for item in recorded(path):
            _signal_group(item.pid, signal_number)
        end = time.monotonic() + seconds_max / 3
        while recorded(path) and time.monotonic() < end:
            time.sleep(0.05)
    path.unlink(missing_ok=True)
    return [item.name for item in found]


def started_at(pid: int) -> str:
    """Return what tells this process from a later one of the same pid; empty when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if sys.platform == "linux" else _started_at_by_ps(pid)
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]


def _started_at_by_ps(pid: int) -> str:
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def _signal_group(pid: int, signal_number: int) -> None:
    try:
        os.killpg(os.getpgid(pid), signal_number)
    except (ProcessLookupError, PermissionError):
        return


def _dies_with(parent: int, end_signal: int) -> Callable[[], None]:
    """Return what a child runs before it becomes the command. The C library is loaded here, in the parent."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None

    def prepare() -> None:
        if library is None:
            return
        library.prctl(_PR_SET_PDEATHSIG, end_signal)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
