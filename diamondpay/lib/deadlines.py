"""A limit on what a page may cost the database: after so many milliseconds a statement is given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.template.response import SimpleTemplateResponse

_QUERY_CANCELED = "57014"
_SET = "SELECT set_config('statement_timeout', %s, true)"
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
# What stood there is read before the other is set: an offset keeps the inner statement from being merged.
_REPLACE = (
    "SELECT before, set_config('statement_timeout', %s, true)"
    " FROM (SELECT current_setting('statement_timeout') AS before OFFSET 0) was"
)


class TookTooLong(Exception):
    """A statement ran for longer than it was allowed to and was given up."""


@contextmanager
def within(*, milliseconds: int, is_snapshot: bool = False) -> Iterator[None]:
    """Give up every statement in the block that runs longer; the limit ends with the block.

    The block is a transaction of its own, or a savepoint of the one that is open. A snapshot sees one moment
    of the book and may only read; as a savepoint it is part of what is open, whose isolation can no longer be
    chosen.
    Raises: TookTooLong.
    """
    is_nested = connection.in_atomic_block
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            if is_nested:
                cursor.execute(_REPLACE, [str(milliseconds)])
                before = str(cursor.fetchone()[0])
            else:
                # One way to the database; it ends with the transaction, so nothing has to be put back.
                bound = f"SET LOCAL statement_timeout = {milliseconds:d}"
                cursor.execute(f"{_SNAPSHOT}; {bound}" if is_snapshot else bound)
            yield
            if is_nested:
                cursor.execute(_SET, [before])
    except DatabaseError as fault:
        if not is_given_up(fault):
            raise
        raise TookTooLong from fault


def is_given_up(fault: BaseException) -> bool:
    """Say whether a fault is a statement that ran for longer than it was allowed to."""
    return isinstance(fault, TookTooLong) or getattr(fault.__cause__, "sqlstate", "") == _QUERY_CANCELED


def bounded(*, milliseconds: int) -> Callable[[Callable[..., Any]], Any]:
    """Limit every statement of a page, from its view to the last line of its template.

    Raises: TookTooLong, which the site tells in words.
    """

    def limited(page: Callable[..., Any]) -> Any:
        @wraps(page)
        def shown(*args: Any, **kwargs: Any) -> Any:
            with within(milliseconds=milliseconds):
                response = page(*args, **kwargs)
                if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
                    response.render()
                return response

        return shown

    return limited
