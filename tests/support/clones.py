"""Databases for tests: clones of the migrated template, and Django pointed at one of them.

Append-only tables cannot be flushed and the application's role may not truncate, so a test that
commits gets rid of what it wrote by throwing its database away: `DROP`, `CREATE … TEMPLATE`.
"""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass

import psycopg
from django.db import connections
from django.test import TransactionTestCase
from psycopg import sql

from diamondpay import environment
from tests.support import runs


@dataclass(frozen=True)
class Clone:
    """A database that holds what the migrations put there and nothing else."""

    name: str

    @property
    def url(self) -> str:
        """The address for the application, as DATABASE_URL of a child process."""
        return environment.database_url(user=runs.APPLICATION, database=self.name, host=runs.sockets())

    @property
    def owner_url(self) -> str:
        """The address for the owner of the schema."""
        return environment.database_url(user=runs.OWNER, database=self.name, host=runs.sockets())

    def connect_as_owner(self) -> psycopg.Connection:
        """Return a connection of the schema's owner; each statement commits by itself."""
        return psycopg.connect(host=runs.sockets(), dbname=self.name, user=runs.OWNER, autocommit=True)


def of_this_process() -> Clone:
    """Return the clone that Django's connections of this process use."""
    return Clone(f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")


def create(clone: Clone) -> Clone:
    """Create a clone, throwing away one of the same name together with everybody connected to it."""
    with runs.superuser() as connection:
        _drop(connection, clone)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY").format(
                sql.Identifier(clone.name), sql.Identifier(runs.TEMPLATE), sql.Identifier(runs.OWNER)
            )
        )
    return clone


def create_further() -> Clone:
    """Create one more clone, under a name of its own."""
    return create(Clone(f"{of_this_process().name}_{secrets.token_hex(4)}"))


def drop(clone: Clone) -> None:
    """Throw a clone away together with everybody connected to it."""
    with runs.superuser() as connection:
        _drop(connection, clone)


def point_django_at(clone: Clone) -> None:
    """Make Django's connections lead to the clone: "default" as the application, "owner" as the owner."""
    for alias, role in {"default": runs.APPLICATION, "owner": runs.OWNER}.items():
        connections[alias].close()
        connections[alias].settings_dict.update(NAME=clone.name, USER=role, HOST=runs.sockets(), PORT="")


def clone_instead_of_flush() -> None:
    """Make Django renew this process's clone after a test that commits, where it would flush every table.

    A flush would also take the reference data that the migrations loaded. `TestCase`, which rolls
    back, has a teardown of its own and never comes here.
    """

    _keep_one_connection_for_a_thread()

    def renew(self: TransactionTestCase) -> None:
        connections.close_all()
        create(of_this_process())

    TransactionTestCase._fixture_teardown = renew  # type: ignore[attr-defined]


def _keep_one_connection_for_a_thread() -> None:
    """Let a thread have the same connections whether or not an event loop runs in it.

    Playwright leaves its loop running in the main thread. Django takes what runs there for another, async
    caller and gives it connections of its own, beside those that the thread had before. Whoever renews the
    database then closes one set, and `DROP … FORCE` ends the other under the hands of a later test.
    """
    connections.close_all()
    connections._connections = threading.local()  # type: ignore[attr-defined]


def _drop(connection: psycopg.Connection, clone: Clone) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(clone.name)))
