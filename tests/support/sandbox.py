"""The sandbox upstream as a real process, and its control API in the words of a test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.upstreams.sandbox.configuration import DEFAULT_ACCOUNTS
from diamondpay.run import children

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 15.0


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sandbox:
    """One sandbox process. It may be killed and started again: port and folder stay the same."""

    def __init__(self, home: Path, *, environment: Mapping[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.accounts = dict(DEFAULT_ACCOUNTS)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(base_url=self.base_url, timeout=20, trust_env=False)

    @property
    def log(self) -> str:
        """What the process wrote so far, of all its starts."""
        return (self.home / "sandbox.log").read_text()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        environment = {
            **os.environ,
            "DIAMONDPAY_SANDBOX_PORT": str(self.port),
            "DIAMONDPAY_HOME": str(self.home),
            **self._environment,
        }
        with (self.home / "sandbox.log").open("ab") as log:
            self._process = children.start(
                [sys.executable, "-m", "channels.upstreams.sandbox"],
                env=environment,
                cwd=ROOT,
                output=log,
            )
        until = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"The sandbox did not start:\n{self.log}")
            time.sleep(0.03)

    def _answers(self) -> bool:
        try:
            return self._client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """End the process with SIGTERM; return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self._end(signal.SIGKILL)

    def _end(self, signal_number: int) -> int:
        assert self._process is not None
        children.stop(self._process, signal_number=signal_number, seconds_max=10)
        return self._process.returncode

    def settings(self, account: str = "sandbox", **other: str) -> dict[str, str]:
        """Return the settings of a channel that uses one of the accounts."""
        return {"base_url": self.base_url, "account": account, "secret": self.accounts[account]} | other

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        response = self._client.request(method, path, **arguments)
        if response.status_code != 200:
            raise AssertionError(f"{method} {path}: HTTP {response.status_code} {response.text}")
        found: dict[str, Any] = response.json()
        return found

    def order(self, reference: str, **which: str) -> dict[str, Any]:
        """Return an order as the control API tells it. Units: amounts × 100."""
        return self._call("GET", f"/orders/{reference}", params=which)

    def has_order(self, reference: str) -> bool:
        """Tell whether the sandbox knows a reference."""
        return self._client.get(f"/orders/{reference}").status_code != 404

    def pay(self, reference: str, *, amount: int | None = None, **which: str) -> dict[str, Any]:
        """Play the payer who pays, or a payout that succeeds. Units: amount × 100."""
        fields = {} if amount is None else {"amount": amount}
        return self._call("POST", f"/orders/{reference}/pay", params=which, json=fields)

    def fail(self, reference: str, **which: str) -> dict[str, Any]:
        """Play an order that fails."""
        return self._call("POST", f"/orders/{reference}/fail", params=which)

    def repeat(self, reference: str, **which: str) -> dict[str, Any]:
        """Have the callback of an ended order sent once more."""
        return self._call("POST", f"/orders/{reference}/repeat", params=which)

    def behaviour(self, mode: str = "normal", *, account: str = "sandbox", **other: float) -> dict[str, Any]:
        """Set how an account behaves: delay_seconds, payout_delay_seconds, display_amount_add (× 100)."""
        return self._call("POST", "/behaviour", json={"account": account, "mode": mode, **other})

    def reset(self) -> None:
        """Have every account behave well."""
        for account in self.accounts:
            self.behaviour(account=account)

    def get(self, path: str) -> httpx.Response:
        """Open one of the pages."""
        return self._client.get(path)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        """Send one of the pages' forms."""
        return self._client.post(path, **arguments)


@contextmanager
def running(home: Path, **environment: str) -> Iterator[Sandbox]:
    """Run a sandbox with a folder of its own; payouts end after 0.2 s and callbacks are repeated soon."""
    quick = {
        "DIAMONDPAY_SANDBOX_PAYOUT_DELAY": "0.2",
        "DIAMONDPAY_SANDBOX_RETRY_SECONDS": "0.2,0.4,0.8,1.6,3.2",
    }
    started = Sandbox(home, environment=quick | environment)
    started.start()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for all tests of this process; tests take `sandbox`, which resets it."""
    with running(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """The sandbox, every account behaving well. Earlier tests' orders stay: references must be unique."""
    sandbox_process.reset()
    return sandbox_process
