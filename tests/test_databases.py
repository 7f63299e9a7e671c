"""The tests' own ground: clones, roles, and the look at the book."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import quote

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db import ProgrammingError, connection, connections, transaction
from psycopg import sql

from diamondpay import environment
from diamondpay.models import Heartbeat
from diamondpay.run import postgres
from merchants.registration import Registered
from tests.support import book, clones, runs

EPOCH = "2026-01-01T00:00:00Z"


def _who() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        found: tuple[str, str] = cursor.fetchone()
    return found


def test_tests_run_as_the_applications_role_on_their_own_clone(db: None) -> None:
    assert _who() == (runs.APPLICATION, clones.of_this_process().name)


def test_the_applications_role_may_not_change_the_schema(db: None) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE mine ()")


def test_an_event_loop_in_the_thread_brings_no_second_connection(db: None) -> None:
    """Playwright leaves one running; a connection that nobody closes would be cut when its database goes."""

    async def seen() -> object:
        return connections["default"]

    assert asyncio.run(seen()) is connections["default"]


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_committing_test_wrote_is_gone_and_reference_rows_stay(
    transactional_db: None, turn: int
) -> None:
    assert Heartbeat.objects.count() == 0, f"turn {turn} met what the other one wrote"
    assert Permission.objects.count() > 100
    Heartbeat.objects.create(name="left behind", beat_at=EPOCH)
    assert Heartbeat.objects.count() == 1


def test_the_owner_works_on_the_same_database(
    clone: clones.Clone, owner_connection: psycopg.Connection, database_url: str
) -> None:
    owner_connection.execute("CREATE TABLE proof AS SELECT 1")
    row = owner_connection.execute("SELECT current_user, current_database()").fetchone()
    assert row == (runs.OWNER, _who()[1])
    with psycopg.connect(database_url) as application:
        assert application.execute("SELECT current_user").fetchone() == (runs.APPLICATION,)


def test_further_clones_are_as_the_migrations_left_them(fresh_clone: Callable[[], clones.Clone]) -> None:
    first, second = fresh_clone(), fresh_clone()
    with first.connect_as_owner() as owner:
        owner.execute("CREATE TABLE only_here ()")
    with second.connect_as_owner() as owner:
        assert owner.execute("SELECT to_regclass('only_here')").fetchone() == (None,)
        assert owner.execute("SELECT to_regclass('records_payment')").fetchone() == ("records_payment",)


def _migrate(clone: clones.Clone, *, role: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "DIAMONDPAY_ENV", "DIAMONDPAY_HOME")}
    url = environment.database_url(user=quote(role), database=clone.name, host=runs.sockets())
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=1"],
        cwd=environment.ROOT,
        env={**kept, "DATABASE_URL": url, "DATABASE_OWNER_URL": clone.owner_url},
        capture_output=True,
        text=True,
    )


def test_migrate_refuses_a_role_that_does_not_exist(fresh_clone: Callable[[], clones.Clone]) -> None:
    answer = _migrate(fresh_clone(), role="nobody_we_know")
    assert answer.returncode == 1
    assert "The role 'nobody_we_know' of DATABASE_URL does not exist on the server." in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "Applying" not in answer.stdout


def test_migrate_may_be_run_again_and_quotes_the_role(fresh_clone: Callable[[], clones.Clone]) -> None:
    clone, role = fresh_clone(), f'odd "role"; -- {secrets.token_hex(4)}'
    with runs.superuser() as server:
        postgres.ensure_role(server, name=role)
    try:
        answer = _migrate(clone, role=role)
        assert answer.returncode == 0, answer.stderr
        assert f"Granted the role {role} what the application needs." in answer.stdout
        with psycopg.connect(host=runs.sockets(), dbname=clone.name, user=role) as application:
            assert application.execute("SELECT count(*) FROM records_payment").fetchone() == (0,)
    finally:
        clones.drop(clone)
        with runs.superuser() as server:
            server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.mark.tampers
def test_the_look_at_the_book_fails_a_test_that_damages_it(
    transactional_db: None, acme: Registered, owner_connection: psycopg.Connection
) -> None:
    book.check()
    owner_connection.execute("ALTER TABLE records_account DISABLE TRIGGER USER")
    # A balance that no entry explains (L3).
    owner_connection.execute("UPDATE records_account SET balance = 5 WHERE kind = 'available'")
    with pytest.raises(pytest.fail.Exception, match="The book does not hold") as failed:
        book.check()
    assert "check_l3_balance_is_sum_of_entries" in str(failed.value)
