"""A limit on what a page may cost the database: after so many milliseconds a statement is given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection, transaction

_QUERY_CANCELED = "57014"
_SET = "SELECT set_config('statement_timeout', %s, true)"


class TookTooLong(Exception):
    """A statement ran for longer than it was allowed to and was given up."""


@contextmanager
def within(*, milliseconds: int) -> Iterator[None]:
    """Give up every statement in the block that runs longer; the limit ends with the block.

    The block is a transaction of its own, or a savepoint of the one that is open.
    Raises: TookTooLong.
    """
    is_nested = connection.in_atomic_block
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            before = ""
            if is_nested:
                cursor.execute("SELECT current_setting('statement_timeout')")
                before = str(cursor.fetchone()[0])
            cursor.execute(_SET, [str(milliseconds)])
            yield
            if is_nested:
                cursor.execute(_SET, [before])
    except DatabaseError as fault:
        if getattr(fault.__cause__, "sqlstate", "") != _QUERY_CANCELED:
            raise
        raise TookTooLong from fault
