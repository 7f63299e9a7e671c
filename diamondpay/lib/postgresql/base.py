"""Django's PostgreSQL backend; a connection from the pool is looked at before it is used, mostly for nothing.

Django's own look is a round trip for each request, a fifth of what a small answer costs. A server that ends a
connection says so through the socket, where it can be heard without asking. What nobody says, such as a host
that vanished, is found by a question every few seconds.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base

# How long a connection is taken to be alive because it answered, as long as nothing is heard of it.
ASKED_EVERY_SECONDS = 5.0
_ASKED_AT = "_diamondpay_asked_at"


def is_alive(connection: psycopg.Connection[Any]) -> bool:
    """Say whether an idle connection can be used; asks the server only when in doubt."""
    now = time.monotonic()
    if now < getattr(connection, _ASKED_AT, 0.0) + ASKED_EVERY_SECONDS and not _is_heard(connection):
        return True
    try:
        # Outside autocommit the question would open a transaction that nobody ends.
        connection.autocommit = True
        connection.execute("")
    except psycopg.OperationalError:
        return False
    setattr(connection, _ASKED_AT, now)
    return True


def _is_heard(connection: psycopg.Connection[Any]) -> bool:
    """Say whether something lies in the socket: a farewell, its end, or only a notice."""
    if connection.closed:
        return True
    listener = select.poll()
    listener.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(listener.poll(0))


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper, which never hands out a pooled connection that the server has ended."""

    # Django's own, one pool for each alias.
    _connection_pools: dict[str, Any]

    def get_connection_params(self) -> dict[str, Any]:
        """Return how to connect, as long as there is no pool; one that stands was told when it was made."""
        return {} if self.alias in self._connection_pools else super().get_connection_params()

    def _set_autocommit(self, autocommit: bool) -> None:
        # Saying again what holds already costs nearly as much as a statement takes in this process.
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a live connection; dead ones are given back, and the pool replaces them.

        Raises: psycopg_pool.PoolTimeout when no live one comes in time.
        """
        connection = super().get_new_connection(conn_params)
        pool = self.pool
        if pool is None:
            return connection
        # More dead ones than the pool holds cannot come out of it.
        for _try in range(pool.max_size):
            if is_alive(connection):
                break
            pool.putconn(connection)
            connection = super().get_new_connection(conn_params)
        return connection
