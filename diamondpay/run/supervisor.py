"""Runs a whole DiamondPay in one terminal: `python -m diamondpay.run`.

Everything starts from this process's main thread, so that nothing outlives it (see `children`), and
everything is written down, so that the next start ends what nevertheless did. Ctrl-C stops all parts in
order; `kill -9` of this process is recovered from by the next start.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from diamondpay import environment
from diamondpay.run import children, instance, output, postgres

DEMO_ORDERS_FIRST = 200
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 5
POSTGRES_STOP_SECONDS_MAX = 3
LEFT_OVER_SECONDS_MAX = 6
LOG_BYTES_MAX = 20 * 1024 * 1024
_RESTART_SECONDS = (0.5, 1, 2, 4, 8, 15, 30)
_STEADY_SECONDS = 60
_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1


# Python swallows what is raised while an object is finalised, also what a signal raises there.
_asked_to_stop = threading.Event()


class Stopped(BaseException):
    """Somebody asked this process to stop. Not an Exception, so that nothing takes it for a fault."""


def stop_if_asked() -> None:
    """Raise Stopped where a signal asked for it, however long ago and whoever swallowed what it raised."""
    if _asked_to_stop.is_set():
        raise Stopped


@dataclass
class Running:
    """A part, its process, and how often it had to be started again in a row."""

    part: instance.Part
    process: subprocess.Popen[bytes]
    started_at: float
    failures: int = 0
    start_again_at: float | None = None


@dataclass
class Supervisor:
    """Starts, watches and stops the processes of one instance."""

    of: instance.Instance
    server: postgres.Server | None = None
    running: list[Running] = field(default_factory=list)
    demo: subprocess.Popen[bytes] | None = None

    @property
    def _record(self) -> Path:
        return self.of.home / "processes.json"

    def run(self) -> None:
        """Start everything and watch over it until asked to stop."""
        try:
            self._start()
            while True:
                self._watch()
                time.sleep(_POLL_SECONDS)
        finally:
            self._stop()

    def _start(self) -> None:
        found = children.end_recorded(self._record, seconds_max=LEFT_OVER_SECONDS_MAX)
        if found:
            output.say(f"The last run was killed; ended what was left of it ({', '.join(found)}).")
        instance.require_free_ports(self.of)
        for folder in (self.of.logs, self.of.home / "static"):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.of.write_variables()
        if instance.uses_embedded_database():
            self._start_database()
        self._migrate()
        self._start_part(instance.sandbox())
        self._load_first_orders()
        # The web process has both cores to itself until it shows its first page.
        web, *others = instance.parts(self.of)
        self._start_part(web)
        self._wait_until_ready(self.running[-1])
        for part in others:
            self._start_part(part)
        output.welcome(self.of)
        self._start_rest_of_demo()

    # Database

    def _start_database(self) -> None:
        home = self.of.home
        data, sockets = postgres.folders(home)
        created = home / "postgres-created"
        if not created.exists() or not (data / "PG_VERSION").exists():
            # Without the mark a creation was cut short, and nothing was ever stored.
            output.say("Creating the database …")
            if created.exists():
                raise instance.InstanceError(
                    f"The data folder {data} is gone although an instance was created in {home}. "
                    f"Remove {created} to start with an empty one."
                )
            shutil.rmtree(data, ignore_errors=True)
            _forget_contents(home)
            postgres.create(data)
            created.touch()
        self.server = postgres.start(data=data, sockets=sockets, log=self._log("postgres"))
        self._write_down()
        with self.server.connect() as connection:
            postgres.ensure_role(connection, name=instance.OWNER)
            postgres.ensure_role(connection, name=instance.APPLICATION)
            postgres.ensure_database(connection, name=instance.DATABASE, owner=instance.OWNER)

    def _migrate(self) -> None:
        done = self.of.home / "migrated"
        wanted = instance.migration_fingerprint()
        if instance.uses_embedded_database() and done.exists() and done.read_text() == wanted:
            return
        output.say("Migrating the database …")
        self._command("migrate", "--verbosity=0")
        done.write_text(wanted)

    # Demo data

    def _load_first_orders(self) -> None:
        done = self.of.home / "demo-first"
        if done.exists() or not self.of.has_demo:
            return
        output.say(f"Making the first {DEMO_ORDERS_FIRST} demo orders …")
        self._command("demo", "--first", str(DEMO_ORDERS_FIRST))
        done.touch()

    def _start_rest_of_demo(self) -> None:
        if (self.of.home / "demo-rest").exists() or not self.of.has_demo:
            return
        self.demo = self._child(instance.manage("demo", "--rest"), log=self._log("demo"))
        self._write_down()

    def _watch_demo(self) -> None:
        if self.demo is None:
            return
        output.progress(self._log("demo"))
        code = self.demo.poll()
        if code is None:
            return
        self.demo = None
        if code == 0:
            (self.of.home / "demo-rest").touch()
            output.say("All demo orders are there.")
        else:
            output.say(f"The demo orders stopped half way (exit {code}); see {self._log('demo')}.")

    # Processes

    def _start_part(self, part: instance.Part) -> None:
        process = self._child(part.command, log=self._log(part.name), extra=dict(part.extra))
        self.running.append(Running(part=part, process=process, started_at=time.monotonic()))
        self._write_down()

    def _child(
        self, command: list[str] | tuple[str, ...], *, log: Path, extra: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process of ours, its output going to a log that starts anew when it has grown large."""
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".old.log"))
        with log.open("ab") as file:
            return children.start(
                command,
                env={**self.of.process_environment(), **(extra or {})},
                cwd=environment.ROOT,
                output=file,
            )

    def _command(self, *arguments: str) -> None:
        """Run a command of ours to its end. Raises: InstanceError with the end of what it said."""
        log = self._log(arguments[0])
        log.unlink(missing_ok=True)
        process = self._child(instance.manage(*arguments), log=log)
        try:
            while process.poll() is None:
                output.progress(log)
                time.sleep(0.05)
        finally:
            children.stop(process, signal_number=signal.SIGTERM, seconds_max=STOP_SECONDS_MAX)
        if process.returncode:
            raise instance.InstanceError(f"`manage.py {arguments[0]}` failed:\n{output.last_lines(log)}")

    def _watch(self) -> None:
        stop_if_asked()
        self._watch_demo()
        if self.server is not None and self.server.process.poll() is not None:
            output.say("PostgreSQL ended; starting it again.")
            data, sockets = postgres.folders(self.of.home)
            self.server = postgres.start(data=data, sockets=sockets, log=self._log("postgres"))
            self._write_down()
        for item in self.running:
            self._watch_part(item)

    def _watch_part(self, item: Running) -> None:
        now = time.monotonic()
        if item.start_again_at is not None:
            if now >= item.start_again_at:
                item.process = self._child(
                    item.part.command, log=self._log(item.part.name), extra=dict(item.part.extra)
                )
                item.started_at, item.start_again_at = now, None
                self._write_down()
            return
        code = item.process.poll()
        if code is None:
            return
        # What the part left behind would hold its port against the next one.
        children.kill_group(item.process.pid)
        item.failures = 0 if now - item.started_at > _STEADY_SECONDS else item.failures
        wait_seconds = _RESTART_SECONDS[min(item.failures, len(_RESTART_SECONDS) - 1)]
        item.failures += 1
        item.start_again_at = now + wait_seconds
        output.say(
            f"{item.part.name} ended (exit {code}); starting it again in {wait_seconds} s. "
            f"See {self._log(item.part.name)}."
        )

    def _wait_until_ready(self, web: Running) -> None:
        end = time.monotonic() + READY_SECONDS_MAX
        while not _answers(f"{self.of.url}/healthz"):
            stop_if_asked()
            if web.process.poll() is not None or time.monotonic() > end:
                raise instance.InstanceError(
                    f"The web process did not start:\n{output.last_lines(self._log('web'))}"
                )
            time.sleep(0.05)

    # The end

    def _stop(self) -> None:
        """Stop all parts at once, then the database on which they stand; a second Ctrl-C kills the parts."""
        processes = [item.process for item in self.running]
        if self.demo is not None:
            processes.append(self.demo)
        if processes or self.server is not None:
            output.say("Stopping …")
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS_MAX
        with contextlib.suppress(Stopped):
            while any(process.poll() is None for process in processes) and time.monotonic() < end:
                time.sleep(0.02)
        for process in processes:
            children.kill_group(process.pid)
            process.wait()
        if self.server is not None:
            postgres.stop(self.server, seconds_max=POSTGRES_STOP_SECONDS_MAX)
        self._record.unlink(missing_ok=True)
        if processes or self.server is not None:
            output.say("Stopped.")

    def _write_down(self) -> None:
        processes = {item.part.name: item.process.pid for item in self.running}
        if self.demo is not None:
            processes["demo"] = self.demo.pid
        if self.server is not None:
            processes["postgres"] = self.server.process.pid
        children.record(self._record, processes)

    def _log(self, name: str) -> Path:
        return self.of.logs / f"{name}.log"


def main() -> int:
    """Run the instance that the environment describes. Returns the exit code."""
    _stop_on_signals()
    _end_with_make()
    try:
        found = instance.configured()
        with _only_one(found.home):
            Supervisor(found).run()
    except (Stopped, KeyboardInterrupt):
        return 0
    except (environment.ConfigurationError, instance.InstanceError, postgres.PostgresError) as error:
        print(f"DiamondPay cannot start: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the folder against a second instance. The lock ends with this process, however it ends."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise instance.InstanceError(
                f"An instance already runs in {home} (process {file.read().strip()}). Stop it, or give this "
                "one its own place: DIAMONDPAY_HOME=… DIAMONDPAY_PORT=… DIAMONDPAY_SANDBOX_PORT=… make run"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _stop_on_signals() -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        _asked_to_stop.set()
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def _end_with_make() -> None:
    """Stop in order when the `make` that started this process is killed; it could not tell us."""
    if sys.platform == "linux" and environment.text("MAKELEVEL"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _forget_contents(home: Path) -> None:
    """Forget what was loaded into a database that is no more."""
    # On the practice chain too: a new database gives the same addresses once more.
    chain = [f"sandbox/chain.sqlite3{suffix}" for suffix in ("", "-wal", "-shm")]
    for name in ("migrated", "demo-first", "demo-rest", "demo.json", *chain):
        (home / name).unlink(missing_ok=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
