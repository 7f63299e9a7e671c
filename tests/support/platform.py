"""The whole platform as real processes on a database of its own: web, worker, beat and the sandbox upstream.

Nothing of it runs in the test's process. Tests speak to it as merchants and operators do: HTTP, the command
line, and a look into the database.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from psycopg import sql

from diamondpay.run import children
from records import checks
from tests.support import clones
from tests.support.sandbox import ROOT, Sandbox, free_port

Found = TypeVar("Found")
START_SECONDS_MAX = 30.0

WEB = "web"
WORKER = "worker"
BEAT = "beat"


class Platform:
    """One running platform. Each part may be killed and started again on its own."""

    def __init__(
        self, *, home: Path, clone: clones.Clone, sandbox: Sandbox, environment: dict[str, str]
    ) -> None:
        self.home = home
        self.clone = clone
        self.sandbox = sandbox
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "DIAMONDPAY_ENV": "test",
            "DIAMONDPAY_HOME": str(home),
            "DIAMONDPAY_PORT": str(self.port),
            "DIAMONDPAY_PUBLIC_URL": self.url,
            "DIAMONDPAY_NOTIFICATION_PRIVATE_NETWORKS": "127.0.0.0/8",
            "DIAMONDPAY_NOTIFICATION_RETRY_SECONDS": "1,1,1,1,1",
            "DATABASE_URL": clone.url,
            "DATABASE_OWNER_URL": clone.owner_url,
            **environment,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, part: str, *, crash_point: str = "") -> None:
        """Start a part; with a crash point it kills itself there, once."""
        commands = {
            WEB: [
                "-m",
                "gunicorn",
                "diamondpay.wsgi",
                "--bind",
                f"127.0.0.1:{self.port}",
                "--threads",
                "16",
                "--worker-class",
                "gthread",
                "--timeout",
                "60",
                "--forwarder-headers",
                "ACCESS_KEY",
                "--no-control-socket",
            ],
            WORKER: [
                "-m",
                "celery",
                "-A",
                "diamondpay",
                "worker",
                "--pool",
                "threads",
                "--concurrency",
                "8",
                "--without-gossip",
                "--without-mingle",
                "--loglevel",
                "WARNING",
            ],
            BEAT: [
                "-m",
                "celery",
                "-A",
                "diamondpay",
                "beat",
                "--loglevel",
                "WARNING",
                "--schedule",
                str(self.home / "beat-schedule"),
            ],
        }
        environment = self.environment | ({"DIAMONDPAY_CRASH_POINT": crash_point} if crash_point else {})
        with (self.home / f"{part}.log").open("ab") as log:
            self._processes[part] = children.start(
                [sys.executable, *commands[part]], env=environment, cwd=ROOT, output=log
            )
        if part == WEB:
            self.until(self._answers, what="the web process to answer")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, part: str, *, signal_number: int = signal.SIGTERM) -> None:
        """End a part and everything it started."""
        process = self._processes.pop(part, None)
        if process is not None:
            children.stop(process, signal_number=signal_number, seconds_max=10)
            # A worker that was just being started outlives its master for a moment, and holds the port.
            children.kill_group(process.pid)

    def stop_all(self) -> None:
        """End every part."""
        for part in list(self._processes):
            self.stop(part, signal_number=signal.SIGKILL)

    def log(self, part: str) -> str:
        """Return what a part wrote so far."""
        return (self.home / f"{part}.log").read_text()

    def command(self, *arguments: str) -> str:
        """Run a management command in a process of its own, as in a second terminal; return what it
        printed.
        """
        finished = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if finished.returncode != 0:
            raise AssertionError(
                f"{arguments}: exit {finished.returncode}\n{finished.stdout}\n{finished.stderr}"
            )
        return finished.stdout

    def command_json(self, *arguments: str) -> dict[str, Any]:
        """Run a management command with --json and return what it says."""
        found: dict[str, Any] = json.loads(self.command(*arguments, "--json"))
        return found

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return what the database holds, asked as its owner."""
        with self.clone.connect_as_owner() as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def one(self, statement: str, *parameters: object) -> Any:
        """Return the one value of the one row."""
        return self.rows(statement, *parameters)[0][0]

    def make_due(self, order_no: str) -> None:
        """Let the next sweep ask the upstream about an order, instead of waiting for its time."""
        with self.clone.connect_as_owner() as connection:
            connection.execute(
                "UPDATE records_payment SET next_query_at = now() WHERE payment_id = %s", [order_no]
            )
            connection.execute(
                "UPDATE records_payoutattempt SET next_query_at = now() WHERE next_query_at IS NOT NULL"
                " AND payout_id = (SELECT id FROM records_payout WHERE payout_id = %s)",
                [order_no],
            )

    def until(self, look: Callable[[], Found], *, what: str, seconds_max: float = START_SECONDS_MAX) -> Found:
        """Look again and again until something true comes back; fail in words when time is over."""
        deadline = time.monotonic() + seconds_max
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > deadline:
                logs = "\n".join(
                    f"--- {part}\n{self.log(part)[-3000:]}"
                    for part in (WEB, WORKER, BEAT)
                    if (self.home / f"{part}.log").exists()
                )
                raise AssertionError(f"Waited {seconds_max} s for {what}.\n{logs}")
            time.sleep(0.05)

    def check_book(self) -> None:
        """Run every check of the ledger and find nothing."""
        with self.clone.connect_as_owner() as connection:
            found = {
                check.view: connection.execute(
                    sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(check.view))
                ).fetchone()
                for check in checks.CHECKS
            }
        assert {view: row for view, row in found.items() if row != (0,)} == {}

    def shell(self, script: str) -> None:
        """Run Python of the product in a process of its own."""
        self.command("shell", "--no-imports", "-c", script)

    def make_channel(self, code: str = "sandbox", *, currency: str = "CNY", account: str = "sandbox") -> None:
        """Make a channel at the sandbox that carries card deposits and payouts, with our own functions."""
        script = (
            "from tests.factories import make_channel; import sys; "
            f"make_channel(code={code!r}, currency={currency!r}, base_url={self.sandbox.base_url!r}, "
            f"account={account!r}, secret={self.sandbox.accounts[account]!r}, "
            "services=('SVC0001', 'SVC0004'), settings={'timeout_seconds': '2'})"
        )
        self.shell(script)


@contextmanager
def running(
    *, home: Path, sandbox: Sandbox, parts: tuple[str, ...] = (WEB, WORKER, BEAT), **environment: str
) -> Iterator[Platform]:
    """Run a platform on a fresh clone; its parts end and its database goes with the context."""
    clone = clones.create_further()
    platform = Platform(home=home, clone=clone, sandbox=sandbox, environment=environment)
    try:
        for part in parts:
            platform.start(part)
        yield platform
    finally:
        platform.stop_all()
        clones.drop(clone)
