"""The road of whoever holds the schema: the demonstration, and taking merchants on from the command line.

The database lets its owner do what people of the back office may do only by two. A process that serves
requests needs no address of the owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors

ALIAS = "owner"
_MAY_DO_AS_MUCH = "SELECT operations_owns_schema()"


class NoOwner(errors.DomainError):
    """This process was not given the address of the schema's owner."""

    code = "no_owner"
    words = _("This needs DATABASE_OWNER_URL, the address of the schema's owner, as `migrate` does.")


@contextmanager
def connected() -> Iterator[None]:
    """Let the statements of this thread be those of the schema's owner, on a connection of their own.

    Whose connection may do as much already keeps it.
    Raises: NoOwner; RuntimeError inside a transaction, which would be left half done.
    """
    before = connections[DEFAULT_DB_ALIAS]
    with before.cursor() as cursor:
        cursor.execute(_MAY_DO_AS_MUCH)
        may_already = bool(cursor.fetchone()[0])
    if may_already:
        yield
        return
    if ALIAS not in connections.settings:
        raise NoOwner
    if before.in_atomic_block:
        raise RuntimeError("The owner's connection sees nothing of a transaction that is still open.")
    ours = connections.create_connection(ALIAS)
    ours.alias = DEFAULT_DB_ALIAS
    connections[DEFAULT_DB_ALIAS] = ours
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = before
        ours.close()
