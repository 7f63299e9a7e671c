"""Retries of the outermost transaction, on real connections of their own (threads): F13."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg_pool
import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from diamondpay.lib import errors, transactions

R = TypeVar("R")
pytestmark = pytest.mark.django_db


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _raise(sqlstate: str, constraint: str = "") -> None:
    named = f", CONSTRAINT = '{constraint}'" if constraint else ""
    _sql(f"DO $$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '{sqlstate}'{named}; END $$")


def _beside(*functions: Callable[[], R]) -> list[R]:
    """Run the functions at once, each outside the test's transaction on a connection of its own."""

    def run(function: Callable[[], R]) -> R:
        try:
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(run, function) for function in functions]]


@pytest.mark.parametrize("sqlstate", ["40P01", "40001", "55P03"])
def test_a_lost_race_is_tried_again_and_then_succeeds(sqlstate: str) -> None:
    tries: list[int] = []

    @transactions.atomic_with_retries
    def work(answer: str) -> str:
        assert connection.in_atomic_block
        tries.append(1)
        if len(tries) < 3:
            _raise(sqlstate)
        return answer

    assert _beside(lambda: work(answer="done")) == ["done"]
    assert len(tries) == 3


def test_after_three_tries_the_answer_is_busy() -> None:
    tries: list[int] = []

    @transactions.atomic_with_retries
    def work() -> None:
        tries.append(1)
        _raise("40001")

    with pytest.raises(errors.Busy) as caught:
        _beside(work)
    assert len(tries) == 3
    assert isinstance(caught.value.__cause__, DatabaseError)


@pytest.mark.parametrize("sqlstate", ["23514", "57014", "P0001"])
def test_other_failures_are_raised_at_once(sqlstate: str) -> None:
    tries: list[int] = []

    @transactions.atomic_with_retries
    def work() -> None:
        tries.append(1)
        _raise(sqlstate)

    with pytest.raises(DatabaseError, match="planted"):
        _beside(work)
    assert len(tries) == 1


def test_two_that_deadlock_both_finish() -> None:
    meeting = threading.Barrier(2, timeout=10)
    tries: list[int] = []

    def crossing(first: int, second: int) -> Callable[[], str]:
        met: list[int] = []

        @transactions.atomic_with_retries
        def work() -> str:
            tries.append(1)
            _sql(f"SELECT pg_advisory_xact_lock({first})")
            if not met:
                met.append(1)
                meeting.wait()
            _sql(f"SELECT pg_advisory_xact_lock({second})")
            return f"{first}{second}"

        return work

    assert _beside(crossing(7101, 7102), crossing(7102, 7101)) == ["71017102", "71027101"]
    assert len(tries) == 3


def test_a_lock_that_never_comes_ends_as_busy() -> None:
    _sql("SELECT pg_advisory_xact_lock(7103)")
    tries: list[int] = []

    @transactions.atomic_with_retries
    def work() -> None:
        tries.append(1)
        _sql("SET LOCAL lock_timeout = '50ms'")
        _sql("SELECT pg_advisory_xact_lock(7103)")

    with pytest.raises(errors.Busy):
        _beside(work)
    assert len(tries) == 3


def test_inside_another_transaction_only_the_outermost_tries_again() -> None:
    tries = {"outer": 0, "inner": 0}

    @transactions.atomic_with_retries
    def inner() -> str:
        tries["inner"] += 1
        if tries["inner"] == 1:
            _raise("40P01")
        return "done"

    @transactions.atomic_with_retries
    def outer() -> str:
        tries["outer"] += 1
        return inner()

    assert _beside(outer) == ["done"]
    assert tries == {"outer": 2, "inner": 2}


def test_a_pool_without_a_free_connection_is_busy_at_once() -> None:
    """As Django reports it: an OperationalError caused by the pool."""
    tries: list[int] = []

    @transactions.atomic_with_retries
    def work() -> None:
        tries.append(1)
        raise OperationalError("no connection") from psycopg_pool.PoolTimeout("after 5 s")

    with pytest.raises(errors.Busy):
        _beside(work)
    assert len(tries) == 1


def test_the_constraint_that_was_violated_is_known_by_name() -> None:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        _raise("23514", constraint="account_not_negative")
    assert transactions.constraint_name(caught.value) == "account_not_negative"
    assert transactions.sqlstate(caught.value) == "23514"


def test_a_failure_of_another_kind_has_no_constraint() -> None:
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        _sql("SELECT 1/0")
    assert transactions.constraint_name(caught.value) is None
    assert transactions.sqlstate(caught.value) == "22012"
    assert transactions.constraint_name(DatabaseError("of our own")) is None
