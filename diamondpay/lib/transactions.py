"""The outermost transaction of a use case, with a bounded number of tries.

Source: promises F13.
"""

import functools
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import ParamSpec, TypeVar

import psycopg
import psycopg_pool
from django.db import DatabaseError, connection, transaction

from diamondpay.lib import errors

P = ParamSpec("P")
R = TypeVar("R")

TRIES_MAX = 3
DEADLOCK, SERIALIZATION, LOCK_TIMEOUT = "40P01", "40001", "55P03"
_WORTH_ANOTHER_TRY = frozenset({DEADLOCK, SERIALIZATION, LOCK_TIMEOUT})
_PAUSE_SECONDS = 0.02


def atomic_with_retries(function: Callable[P, R]) -> Callable[P, R]:
    """Run the function in a transaction and start again on a deadlock, a lost race or a lock timeout.

    Inside another transaction it only opens a savepoint: PostgreSQL has then aborted the whole, and only
    the outermost can begin again. The function may run three times, so it must do nothing but SQL.
    Raises: Busy after the third try, or when the pool had no connection to give.
    """
    return _retried(function, outermost=transaction.atomic)


def statement_with_retries(function: Callable[P, R]) -> Callable[P, R]:
    """Do the same for a function that is one statement, which is a transaction of its own.

    It saves the way to the database and back for BEGIN and for COMMIT.
    """
    return _retried(function, outermost=nullcontext)


def _retried(
    function: Callable[P, R], *, outermost: Callable[[], AbstractContextManager[object]]
) -> Callable[P, R]:
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            with transaction.atomic():
                return function(*args, **kwargs)
        for attempt in range(1, TRIES_MAX + 1):
            try:
                with outermost():
                    return function(*args, **kwargs)
            except DatabaseError as failure:
                if isinstance(failure.__cause__, (psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests)):
                    raise errors.Busy from failure
                if sqlstate(failure) not in _WORTH_ANOTHER_TRY:
                    raise
                if attempt == TRIES_MAX:
                    raise errors.Busy from failure
            # Two that met once should not meet again at the same instant.
            time.sleep(_PAUSE_SECONDS * attempt * (1 + random.random()))  # noqa: S311 (no secret)
        raise AssertionError("the loop above returns or raises")

    return run


def sqlstate(failure: DatabaseError) -> str | None:
    """Return PostgreSQL's five-character code of the failure, None when it has none."""
    cause = failure.__cause__
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def constraint_name(failure: DatabaseError) -> str | None:
    """Return the name of the constraint that was violated, None when it was something else.

    So that a CHECK on a wallet becomes InsufficientBalance and a unique key DuplicateOrderNumber, each by
    its own name and never by the text of a message.
    """
    cause = failure.__cause__
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
