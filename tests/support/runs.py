"""One run of the tests: its folder and its PostgreSQL server.

The migrated cluster is kept under `.run/test/`, named by a hash of everything migrations read. A run
copies it (0.1 s) into a folder of its own and starts a throwaway server there, so runs in one checkout
never share anything, and a killed run leaves only a folder, which the next run removes.

That folder lies in memory where there is enough: renewing a database creates some 700 files, for which
one disk took 40 ms and another 600 ms.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from diamondpay import environment
from diamondpay.run import children, postgres

OWNER = "diamondpay_owner"
APPLICATION = "diamondpay_app"
TEMPLATE = "template_diamondpay"
VARIABLES = ("DIAMONDPAY_TEST_RUN", "DIAMONDPAY_TEST_SOCKETS")
_CACHE = environment.ROOT / ".run" / "test"
_CLUSTERS_KEPT = 3
_MEMORY = Path("/dev/shm")
_MEMORY_FREE_BYTES_MIN = 2 * 1024**3
# Whatever can change what a migrated database holds.
_SOURCES = (
    "*/migrations/*.py",
    "*/sql/*.sql",
    "*/models.py",
    "*/models/*.py",
    "*/apps.py",
    "*/reference*.py",
    "*/roles.py",
    "diamondpay/lib/fields.py",
    "diamondpay/management/commands/migrate.py",
    "tests/support/runs.py",
)

_servers: list[postgres.Server] = []


def current() -> Path:
    """Return this run's folder: made by the process the user started, inherited by its xdist workers."""
    given = os.environ.get(VARIABLES[0], "")
    if given and Path(given).name.split("-")[0] in {str(os.getpid()), str(os.getppid())}:
        return Path(given)
    _remove_dead_runs()
    folder = _runs_folder() / f"{os.getpid()}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True, mode=0o700)
    os.environ[VARIABLES[0]] = str(folder)
    os.environ.pop(VARIABLES[1], None)
    return folder


def sockets() -> str:
    """Return the socket folder of this run's server, starting the server when nothing has yet."""
    if VARIABLES[1] not in os.environ:
        start_server()
    return os.environ[VARIABLES[1]]


def start_server() -> None:
    """Start this run's server on a copy of the migrated cluster. It dies with this process."""
    folder = current()
    data, socket_folder = postgres.folders(folder)
    copy_cluster(data)
    server = postgres.start(
        data=data,
        sockets=socket_folder,
        log=folder / "postgres.log",
        settings=postgres.THROWAWAY_SETTINGS,
    )
    _servers.append(server)
    os.environ[VARIABLES[1]] = str(socket_folder)
    atexit.register(end)


def copy_cluster(data: Path) -> None:
    """Copy the migrated cluster to a folder that does not exist yet."""
    with _locked():
        cluster = _migrated_cluster()
        data.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", str(cluster), str(data)], check=True)


def end() -> None:
    """Stop the server, if this process started one, and remove the run's folder."""
    while _servers:
        server = _servers.pop()
        postgres.stop(server)
        shutil.rmtree(server.data, ignore_errors=True)
        shutil.rmtree(server.sockets, ignore_errors=True)
    folder = os.environ.get(VARIABLES[0], "")
    if folder and Path(folder).name.startswith(f"{os.getpid()}-"):
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # Other runs of this checkout still use it.
            Path(folder).parent.rmdir()


def superuser(*, database: str = "postgres") -> psycopg.Connection:
    """Return a connection of the server's superuser; each statement commits by itself."""
    return psycopg.connect(host=sockets(), dbname=database, user=postgres.SUPERUSER, autocommit=True)


def _runs_folder() -> Path:
    digest = hashlib.sha256(str(environment.ROOT).encode()).hexdigest()[:8]
    try:
        free_bytes = shutil.disk_usage(_MEMORY).free
    except OSError:
        return _CACHE / "runs"
    in_memory = _MEMORY / f"diamondpay-tests-{os.geteuid()}-{digest}"
    return in_memory if free_bytes >= _MEMORY_FREE_BYTES_MIN else _CACHE / "runs"


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One process at a time builds, copies or removes clusters."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "clusters.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrated_cluster() -> Path:
    folder = _CACHE / f"cluster-{_fingerprint()}"
    data, _ = postgres.folders(folder)
    ready = folder / "ready"
    if not ready.exists() or not data.exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)
        folder.mkdir(mode=0o700)
        _build(folder)
        ready.touch()
    os.utime(ready)
    _remove_old_clusters()
    return data


def _build(folder: Path) -> None:
    """Make a cluster with the two roles and a template database that the owner migrated."""
    data, socket_folder = postgres.folders(folder)
    postgres.create(data)
    server = postgres.start(
        data=data,
        sockets=socket_folder,
        log=folder / "postgres.log",
        settings=postgres.THROWAWAY_SETTINGS,
    )
    try:
        with server.connect() as connection:
            postgres.ensure_role(connection, name=OWNER, may_create_databases=True)
            postgres.ensure_role(connection, name=APPLICATION)
            postgres.ensure_database(connection, name=TEMPLATE, owner=OWNER)
        _migrate(server)
        _let_tests_found_terms(server)
    finally:
        postgres.stop(server, seconds_max=30)


def _migrate(server: postgres.Server) -> None:
    answer = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=environment.ROOT,
        env={
            **os.environ,
            "DIAMONDPAY_ENV": "test",
            "DATABASE_URL": server.url(database=TEMPLATE, user=APPLICATION),
            "DATABASE_OWNER_URL": server.url(database=TEMPLATE, user=OWNER),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise pytest.UsageError(f"The test database could not be migrated:\n{answer.stdout}{answer.stderr}")


def _let_tests_found_terms(server: postgres.Server) -> None:
    """Give the tests' databases a switch with which factories set terms as the schema's owner may.

    A test's own transaction is seen by no second connection, so the owner's would be of no use. The setting
    is off unless a factory turns it on; no migration knows of it.
    """
    body = (
        "SELECT current_setting('tests.founds_terms', true) = 'on' OR pg_has_role(current_user,"
        " (SELECT relowner FROM pg_class WHERE oid = 'public.operations_act'::regclass), 'USAGE')"
    )
    with server.connect(database=TEMPLATE) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION operations_owns_schema() RETURNS boolean LANGUAGE sql STABLE"
            f" SET search_path = pg_catalog, pg_temp AS $${body}$$"
        )


def _fingerprint() -> str:
    digest = hashlib.sha256(str(postgres.binaries()).encode())
    for pattern in _SOURCES:
        for path in sorted(environment.ROOT.glob(pattern)):
            digest.update(str(path.relative_to(environment.ROOT)).encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _remove_old_clusters() -> None:
    def used_at(folder: Path) -> float:
        ready = folder / "ready"
        return ready.stat().st_mtime if ready.exists() else 0.0

    for folder in sorted(_CACHE.glob("cluster-*"), key=used_at, reverse=True)[_CLUSTERS_KEPT:]:
        shutil.rmtree(postgres.folders(folder)[0], ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_dead_runs() -> None:
    for folder in _runs_folder().glob("*-*"):
        pid = folder.name.split("-")[0]
        if pid.isdigit() and not children.started_at(int(pid)):
            data, socket_folder = postgres.folders(folder)
            for path in (data, socket_folder, folder):
                shutil.rmtree(path, ignore_errors=True)
