"""Where a benchmark runs: a PostgreSQL of its own with durable settings, a fresh database for each."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from diamondpay import environment
from diamondpay.run import instance, postgres

TEMPLATE = "template_diamondpay"
HOST = instance.HOST
# One run places more orders in a minute than a merchant may; what is measured is not the throttle.
_CALLS_PER_MINUTE = "1000000"
_OURS = ("DIAMONDPAY_", "DATABASE_", "CELERY_", "SECRET_KEY", "BENCHMARK_", "DJANGO_")
_SUPERUSER_URL = "BENCHMARK_SUPERUSER_URL"


class NotReady(Exception):
    """Something a benchmark waited for did not come."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder and a migrated database that one benchmark has to itself, under the names of three roles."""

    home: Path
    application_url: str
    owner_url: str
    superuser_url: str

    def environment(self, *, port: int = 8000) -> dict[str, str]:
        """Return the environment of the product's processes, free of whatever the caller's shell had set."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return {
            **kept,
            "DIAMONDPAY_ENV": "dev",
            "DIAMONDPAY_HOME": str(self.home),
            "DIAMONDPAY_PORT": str(port),
            "DIAMONDPAY_PUBLIC_URL": f"http://{HOST}:{port}",
            "DIAMONDPAY_NOTIFICATION_PRIVATE_NETWORKS": "127.0.0.0/8",
            "DIAMONDPAY_API_CALLS_PER_MINUTE": _CALLS_PER_MINUTE,
            "DIAMONDPAY_LOG_LEVEL": "WARNING",
            "DATABASE_URL": self.application_url,
            "DATABASE_OWNER_URL": self.owner_url,
            _SUPERUSER_URL: self.superuser_url,
            "PYTHONUNBUFFERED": "1",
        }

    def owner(self) -> psycopg.Connection:
        """Return a connection of the schema's owner; each statement commits by itself."""
        return psycopg.connect(self.owner_url, autocommit=True)

    def application(self) -> psycopg.Connection:
        """Return a connection of the application's role; each statement commits by itself."""
        return psycopg.connect(self.application_url, autocommit=True)

    @contextmanager
    def loader(self) -> Iterator[psycopg.Connection]:
        """Yield a connection of the schema's owner that fires no trigger; one transaction for all."""
        owner = str(psycopg.conninfo.conninfo_to_dict(self.owner_url)["user"])
        with psycopg.connect(self.superuser_url) as connection:
            # Only a superuser may switch triggers off; the rows are then written as the owner.
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(owner)))
            yield connection


def from_environment() -> Place:
    """Return the place that the process which started this one made for it."""
    return Place(
        home=environment.home(),
        application_url=environment.required("DATABASE_URL", why="A benchmark is started by `make bench`."),
        owner_url=environment.required("DATABASE_OWNER_URL", why="A benchmark is started by `make bench`."),
        superuser_url=environment.required(_SUPERUSER_URL, why="A benchmark is started by `make bench`."),
    )


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The running server and its folder."""

    server: postgres.Server
    folder: Path

    def fresh(self, name: str) -> Place:
        """Make a folder and a migrated database that nobody has used."""
        home = self.folder / name
        (home / "static").mkdir(mode=0o700, parents=True)
        with self.server.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                    sql.Identifier(name), sql.Identifier(TEMPLATE), sql.Identifier(instance.OWNER)
                )
            )
        return self._place(home=home, database=name)

    def migrate(self) -> None:
        """Make the template with the two roles, as `make run` makes its database."""
        with self.server.connect() as connection:
            postgres.ensure_role(connection, name=instance.OWNER)
            postgres.ensure_role(connection, name=instance.APPLICATION)
            postgres.ensure_database(connection, name=TEMPLATE, owner=instance.OWNER)
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            cwd=environment.ROOT,
            env=self._place(home=self.folder, database=TEMPLATE).environment(),
            check=True,
        )

    def _place(self, *, home: Path, database: str) -> Place:
        return Place(
            home=home,
            application_url=self.server.url(database=database, user=instance.APPLICATION),
            owner_url=self.server.url(database=database, user=instance.OWNER),
            superuser_url=self.server.url(database=database, user=postgres.SUPERUSER),
        )

    def machine(self) -> str:
        """Return one line about what everything ran on."""
        with self.server.connect() as connection:
            version, fsync, commit, buffers = (
                _setting(connection, name)
                for name in ("server_version", "fsync", "synchronous_commit", "shared_buffers")
            )
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return (
            f"{os.cpu_count()} cores ({_processor()}), {memory_bytes / 1024**3:.0f} GiB memory, "
            f"Python {sys.version.split()[0]}, PostgreSQL {version} on {_file_system(self.server.data)} "
            f"(fsync {fsync}, synchronous_commit {commit}, shared_buffers {buffers}), "
            f"load average at the start {os.getloadavg()[0]:.1f}"
        )


@contextmanager
def opened() -> Iterator[Stage]:
    """Start a server in a temporary folder and end it with everything in it.

    Raises: postgres.PostgresError.
    """
    folder = Path(tempfile.mkdtemp(prefix="diamondpay-benchmarks-"))
    data, sockets = postgres.folders(folder)
    try:
        postgres.create(data)
        server = postgres.start(data=data, sockets=sockets, log=folder / "postgres.log")
        try:
            stage = Stage(server=server, folder=folder)
            stage.migrate()
            yield stage
        finally:
            postgres.stop(server)
    finally:
        for path in (data, sockets, folder):
            shutil.rmtree(path, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def until(look: Callable[[], bool], *, what: str, seconds_max: float = 60) -> None:
    """Look again and again until it is so. Raises: NotReady."""
    deadline = time.monotonic() + seconds_max
    while not look():
        if time.monotonic() > deadline:
            raise NotReady(f"Waited {seconds_max:g} s for {what}.")
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Say whether a web process answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "unknown processor")


def _file_system(path: Path) -> str:
    """Return the kind of file system a folder lies on: fsync means nothing in memory."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "an unknown file system"
    above = [(mount, kind) for mount, kind in mounts if path.resolve().is_relative_to(mount)]
    return max(above, key=lambda item: len(item[0]))[1] if above else "an unknown file system"
