"""Where a running instance keeps what, how its processes are configured, and what they are."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from diamondpay import environment
from diamondpay.run import postgres

OWNER = "diamondpay_owner"
APPLICATION = "diamondpay_app"
DATABASE = "diamondpay"
HOST = "127.0.0.1"
WEB_PROCESSES, WEB_THREADS, WORKER_THREADS = 2, 8, 6
WEB_STOP_SECONDS = 4
# Whatever a migration reads, and with it whatever makes migrating necessary.
_MIGRATION_SOURCES = ("*/migrations/*.py", "*/sql/*.sql", "*/apps.py", "requirements.txt")


class InstanceError(Exception):
    """The instance cannot start. The text is one sentence for the person at the terminal."""


@dataclass(frozen=True)
class Part:
    """One process of the instance: its command and what its environment has on top."""

    name: str
    command: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Instance:
    """One running DiamondPay: a folder and two ports tell it from another; with demo data or empty."""

    home: Path
    port: int
    sandbox_port: int
    has_demo: bool = True

    @property
    def url(self) -> str:
        """The address of the web process."""
        return f"http://{HOST}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        """The address of the sandbox upstream."""
        return f"http://{HOST}:{self.sandbox_port}"

    @property
    def logs(self) -> Path:
        """The folder of the parts' logs."""
        return self.home / "logs"

    def variables(self) -> dict[str, str]:
        """Return what the instance's processes, and `manage.py` in a second terminal, have to know."""
        _, sockets = postgres.folders(self.home)
        given = environment.text("DATABASE_URL")
        private = environment.text("DIAMONDPAY_NOTIFICATION_PRIVATE_NETWORKS", default="127.0.0.0/8")
        return {
            "DIAMONDPAY_ENV": "dev",
            "DIAMONDPAY_HOME": str(self.home),
            "DIAMONDPAY_PORT": str(self.port),
            "DIAMONDPAY_SANDBOX_PORT": str(self.sandbox_port),
            "DIAMONDPAY_PUBLIC_URL": environment.text("DIAMONDPAY_PUBLIC_URL", default=self.url),
            "DIAMONDPAY_NOTIFICATION_PRIVATE_NETWORKS": private,
            "DATABASE_URL": given or _url(APPLICATION, sockets),
            "DATABASE_OWNER_URL": environment.text("DATABASE_OWNER_URL") or _url(OWNER, sockets),
            "CELERY_BROKER_URL": environment.text("CELERY_BROKER_URL", default="filesystem://localhost"),
        }

    def process_environment(self) -> dict[str, str]:
        """Return the environment of the instance's processes."""
        return {**os.environ, **self.variables(), "PYTHONUNBUFFERED": "1"}

    def write_variables(self) -> None:
        """Leave the settings for `manage.py` in a second terminal, readable by their owner only."""
        path = self.home / "instance.env"
        draft = path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text("".join(f"{name}={value}\n" for name, value in self.variables().items()))
        draft.replace(path)


def configured() -> Instance:
    """Return the instance that the environment describes.

    Raises: ConfigurationError, InstanceError when half of an outside database is given.
    """
    port = environment.integer("DIAMONDPAY_PORT", default=8000, minimum=1, maximum=65535)
    sandbox_port = environment.integer("DIAMONDPAY_SANDBOX_PORT", default=8100, minimum=1, maximum=65535)
    if port == sandbox_port:
        raise InstanceError(f"DIAMONDPAY_PORT and DIAMONDPAY_SANDBOX_PORT are both {port}; they must differ.")
    if bool(environment.text("DATABASE_URL")) != bool(environment.text("DATABASE_OWNER_URL")):
        raise InstanceError(
            "Give both DATABASE_URL and DATABASE_OWNER_URL, or neither to use the embedded PostgreSQL."
        )
    return Instance(
        home=environment.home(),
        port=port,
        sandbox_port=sandbox_port,
        has_demo=environment.flag("DIAMONDPAY_DEMO", default=True),
    )


def uses_embedded_database() -> bool:
    """Return whether the instance brings its own PostgreSQL."""
    return not environment.text("DATABASE_URL")


def require_free_ports(instance: Instance) -> None:
    """Raises: InstanceError naming the port that another program holds and how to choose another."""
    for variable, port in (
        ("DIAMONDPAY_PORT", instance.port),
        ("DIAMONDPAY_SANDBOX_PORT", instance.sandbox_port),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise InstanceError(
                    f"Port {port} cannot be used ({error.strerror or error}). Stop the program that holds "
                    f"it, or choose another: {variable}={port + 1} make run"
                ) from error


def migration_fingerprint() -> str:
    """Return what tells whether the database was migrated by exactly these files."""
    digest = hashlib.sha256()
    for pattern in _MIGRATION_SOURCES:
        for path in sorted(environment.ROOT.glob(pattern)):
            digest.update(str(path.relative_to(environment.ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def manage(*arguments: str) -> list[str]:
    """Return the command line of a command of ours."""
    return [sys.executable, "manage.py", *arguments]


def sandbox() -> Part:
    """The upstream that plays the outside world."""
    return Part("sandbox", (sys.executable, "-m", "channels.upstreams.sandbox"))


def parts(instance: Instance) -> tuple[Part, ...]:
    """Return the product's own processes, in the order in which they start."""
    web = (
        *(sys.executable, "-m", "gunicorn", "diamondpay.wsgi"),
        *("--bind", f"{HOST}:{instance.port}", "--worker-class", "gthread", "--preload"),
        *("--workers", str(WEB_PROCESSES), "--threads", str(WEB_THREADS)),
        # The one header with an underscore that an API of ours has; gunicorn drops all others of that kind.
        *("--forwarder-headers", "ACCESS_KEY"),
        *("--graceful-timeout", str(WEB_STOP_SECONDS), "--log-level", "warning", "--no-control-socket"),
    )
    celery = (sys.executable, "-m", "celery", "--app", "diamondpay")
    worker = (
        *celery,
        *(
            "--quiet",
            "worker",
            "--pool",
            "threads",
            "--concurrency",
            str(WORKER_THREADS),
            "--loglevel",
            "WARNING",
        ),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    )
    beat = (*celery, "--quiet", "beat", "--loglevel", "WARNING", "--pidfile=")
    return (
        Part("web", web),
        Part("worker", worker, extra=(("DIAMONDPAY_DATABASE_POOL_SIZE", str(WORKER_THREADS + 4)),)),
        Part("beat", beat),
    )


def _url(user: str, sockets: Path) -> str:
    return environment.database_url(user=user, database=DATABASE, host=str(sockets))
