"""F12: the whole PostgreSQL is killed under load; the supervisor brings it back, nobody else restarts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from itertools import count

import httpx
import pytest

from tests.run.terminal import Terminal, until
from tests.support import runs
from tests.support.receiver import Merchant

BACK_SECONDS_MAX = 10.0
MAKE_CHANNEL = """
from channels.upstreams.sandbox.configuration import DEFAULT_ACCOUNTS
from tests.factories import make_channel
make_channel(base_url="http://127.0.0.1:{port}", secret=DEFAULT_ACCOUNTS["sandbox"])
"""


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A whole instance with durable settings, whose supervisor watches over it."""
    folder = runs.current() / "home" / f"faults-{os.getpid()}"
    folder.mkdir(mode=0o700, parents=True)
    found = Terminal(folder / "instance")
    try:
        yield found.start_and_wait()
    finally:
        found.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def merchant(terminal: Terminal) -> Merchant:
    made = terminal.manage("shell", "--no-imports", "-c", MAKE_CHANNEL.format(port=terminal.sandbox_port))
    assert made.returncode == 0, made.stderr
    options = ["--name", "Acme", "--service", "SVC0001", "--channel", "sandbox", "--in-force", "--json"]
    made = terminal.manage("create_merchant", *options)
    printed = json.loads(made.stdout)
    return Merchant(
        url=terminal.url, platform_id=printed["platform_id"], platform_key=printed["platform_key"],
        authorization=printed["authorization"],
    )  # fmt: skip


class Load:
    """Places one deposit after another and keeps what was acknowledged, and everything else it heard."""

    def __init__(self, merchant: Merchant) -> None:
        self.merchant = merchant
        self.acknowledged: dict[str, str] = {}
        # When each was asked for, and when it was acknowledged.
        self.acknowledged_at: list[tuple[float, float]] = []
        self.refusals: list[tuple[int, str]] = []
        self.over = threading.Event()

    def run(self) -> None:
        for number in count(1):
            if self.over.is_set():
                return
            signed = self.merchant.signed(
                amount=10000, payment_cl_id=f"n{number}", name="Wang", notify_url="http://127.0.0.1:9/n",
                service_id="SVC0001",
            )  # fmt: skip
            asked_at = time.monotonic()
            answer = httpx.post(
                f"{self.merchant.url}/gateway/api/v2/payments", json=signed, trust_env=False, timeout=30
            )
            body = answer.json()
            if (answer.status_code, body["error_code"]) == (200, "0000"):
                self.acknowledged[f"n{number}"] = body["data"]["payment_id"]
                self.acknowledged_at.append((asked_at, time.monotonic()))
            else:
                self.refusals.append((answer.status_code, body["error_code"]))
                time.sleep(0.1)

    def wait_for(self, more: int, *, seconds_max: float) -> None:
        wanted = len(self.acknowledged_at) + more
        until(lambda: len(self.acknowledged_at) >= wanted, what="more orders", seconds_max=seconds_max)


def test_postgresql_killed_under_load_keeps_what_was_acknowledged_f12(
    terminal: Terminal, merchant: Merchant
) -> None:
    parts = terminal.parts()
    load = Load(merchant)
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        load.wait_for(10, seconds_max=30)
        killed_at = time.monotonic()
        os.killpg(parts["postgres"], signal.SIGKILL)
        gone = (None, parts["postgres"])
        until(lambda: terminal.parts().get("postgres") not in gone, what="another", seconds_max=10)
        load.wait_for(10, seconds_max=2 * BACK_SECONDS_MAX)
    finally:
        load.over.set()
        thread.join()
    back_at = next(at for asked_at, at in load.acknowledged_at if asked_at > killed_at)
    assert back_at - killed_at <= BACK_SECONDS_MAX
    # Whatever was not acknowledged was refused in the API's own words, and nobody was started again.
    assert set(load.refusals) <= {(503, "0001")}
    assert {name: pid for name, pid in terminal.parts().items() if name != "postgres"} == {
        name: pid for name, pid in parts.items() if name != "postgres"
    }
    for number, payment_id in load.acknowledged.items():
        found = merchant.get("/v1/payments", payment_cl_id=number)["data"]
        assert [(row["payment_cl_id"], row["payment_id"]) for row in found] == [(number, payment_id)]
    assert terminal.manage("verify_ledger").returncode == 0
