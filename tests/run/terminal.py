"""`python -m diamondpay.run` as somebody types it in a terminal: another process, its output, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from diamondpay import environment
from diamondpay.run import children
from tests.support.sandbox import free_port

START_SECONDS_MAX = 90.0
_OURS = ("DIAMONDPAY_", "DATABASE_", "CELERY_", "SECRET_KEY", "MAKE")


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without anything of ours, and what is given on top."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, **variables}


def until(condition: Callable[[], bool], *, what: str, seconds_max: float) -> None:
    """Wait for a condition. Raises: AssertionError naming what never came."""
    end = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds_max} s"
        time.sleep(0.05)


class Terminal:
    """One instance, started in a folder of its own on ports of its own."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home = home
        self.port, self.sandbox_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.variables = {
            "DIAMONDPAY_HOME": str(home),
            "DIAMONDPAY_PORT": str(self.port),
            "DIAMONDPAY_SANDBOX_PORT": str(self.sandbox_port),
            "DIAMONDPAY_DEMO": "0",
            **variables,
        }
        self._output = home.parent / f"{home.name}-{self.port}.out"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return self._output.read_text() if self._output.exists() else ""

    def start(self) -> Terminal:
        """Start without waiting for anything."""
        with self._output.open("wb") as file:
            self.process = children.start(
                [sys.executable, "-m", "diamondpay.run"],
                env=clean_environment(**self.variables),
                cwd=environment.ROOT,
                output=file,
            )
        return self

    def start_and_wait(self) -> Terminal:
        """Start and wait until it says that it runs."""
        self.start()
        until(
            lambda: "is running" in self.output or self.ended(),
            what="the start",
            seconds_max=START_SECONDS_MAX,
        )
        assert not self.ended(), self.output
        return self

    def ended(self) -> bool:
        """Return whether the supervisor is gone."""
        return self.process is not None and self.process.poll() is not None

    def signal(self, number: int, *, seconds_max: float = 12) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(seconds_max)

    def end(self) -> None:
        """End it if it still runs."""
        if self.process is not None and not self.ended():
            self.signal(signal.SIGTERM)

    def parts(self) -> dict[str, int]:
        """Return the pids of the parts that run, by name."""
        return {item.name: item.pid for item in children.recorded(self.home / "processes.json")}

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a page; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as in a second terminal, which knows the folder and nothing else."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=environment.ROOT,
            env=clean_environment(DIAMONDPAY_HOME=str(self.home)),
            capture_output=True,
            text=True,
            timeout=60,
        )
