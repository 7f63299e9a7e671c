"""F13: no free connection, locks that do not come, deadlocks: a few tries, then 503 in the API's envelope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path

import psycopg
import pytest

from merchants.registration import Registered
from records.models import Account, Payment, Posting, UpstreamCallback
from tests.flows.test_faults import acme, balances, client, place, same_book
from tests.flows.test_faults_database import TRY_AGAIN, asked, backends, platform
from tests.support import runs
from tests.support.platform import WEB, Platform

__all__ = ["acme", "platform", "same_book"]
_numbers = count(1)
StartWeb = Callable[..., Platform]


@pytest.fixture
def start_web(platform: Platform, tmp_path: Path) -> Iterator[StartWeb]:
    """Start another web process of the platform, with settings of its own."""
    started: list[Platform] = []

    def start(**environment: str) -> Platform:
        web = Platform(home=tmp_path, clone=platform.clone, sandbox=platform.sandbox, environment=environment)
        web.start(WEB)
        started.append(web)
        return web

    yield start
    for web in started:
        web.stop_all()


@contextmanager
def nobody_writes_deposits(platform: Platform) -> Iterator[psycopg.Connection]:
    """Let every INSERT and UPDATE of a deposit wait until the block ends, or its ROLLBACK comes."""
    with platform.clone.connect_as_owner() as owner:
        owner.execute("BEGIN; LOCK TABLE records_payment IN SHARE MODE")
        yield owner
        owner.execute("ROLLBACK")


@contextmanager
def short_locks(platform: Platform) -> Iterator[None]:
    """Let connections that the application opens in the block wait 0.2 s for a lock."""
    alter = f'ALTER ROLE {runs.APPLICATION} IN DATABASE "{platform.clone.name}"'
    with runs.superuser() as superuser:
        superuser.execute(f"{alter} SET lock_timeout = '200ms'".encode())
        yield
        superuser.execute(f"{alter} RESET lock_timeout".encode())


def test_a_lock_that_does_not_come_is_answered_503_after_three_tries_f13(
    platform: Platform, acme: Registered, start_web: StartWeb
) -> None:
    number = f"f13_{next(_numbers)}"
    with short_locks(platform):
        web = start_web()
        with nobody_writes_deposits(platform), asked(web, acme, number) as answer:
            status, body = answer.result(30)
    assert (status, body["error_code"]) == TRY_AGAIN
    assert not Payment.objects.filter(merchant_order_no=number).exists()
    place(client(acme, web), "payment", number)
    assert Payment.objects.filter(merchant_order_no=number).count() == 1


def test_without_a_free_connection_the_answer_is_503_f13(
    platform: Platform, acme: Registered, start_web: StartWeb
) -> None:
    web = start_web(DIAMONDPAY_DATABASE_POOL_SIZE="1")
    first, second = f"f13_{next(_numbers)}", f"f13_{next(_numbers)}"
    with nobody_writes_deposits(platform) as owner, asked(web, acme, first) as waiting:
        platform.until(lambda: backends(platform, "wait_event_type = 'Lock'"), what="the first to wait")
        with asked(web, acme, second) as refused:
            status, body = refused.result(30)
        assert (status, body["error_code"]) == TRY_AGAIN
        owner.execute("ROLLBACK")
        status, body = waiting.result(30)
    assert (status, body["error_code"]) == (200, "0000")
    kept = [Payment.objects.filter(merchant_order_no=number).count() for number in (first, second)]
    assert kept == [1, 0]
    place(client(acme, web), "payment", second)


def test_a_credit_that_dies_of_a_deadlock_is_tried_again_f13(platform: Platform, acme: Registered) -> None:
    payment_id = place(client(acme, platform), "payment", f"f13_{next(_numbers)}")
    account = Account.objects.get(merchant_channel=acme.wallets[0], kind="available")
    told = UpstreamCallback.objects.filter(reference=payment_id)
    with runs.superuser(database=platform.clone.name) as other:
        # Whoever waits and looks first is the one that dies: not this one.
        other.execute("SET deadlock_timeout = '60s'; BEGIN")
        other.execute("SELECT 1 FROM records_account WHERE id = %s FOR UPDATE", [account.pk])
        platform.sandbox.pay(payment_id)
        platform.until(lambda: backends(platform, "wait_event_type = 'Lock'"), what="the credit to wait")
        other.execute("SELECT 1 FROM records_payment WHERE payment_id = %s FOR UPDATE", [payment_id])
        other.execute("ROLLBACK")
        platform.until(lambda: told.filter(outcome="credited").exists(), what="the credit")
        deadlocks = other.execute(
            "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database"
            " WHERE datname = current_database()"
        ).fetchone()
    assert deadlocks is not None
    assert deadlocks[1] == 1
    assert Posting.objects.filter(payment__payment_id=payment_id).count() == 1
    assert balances(acme) == (Decimal("1099.20"), Decimal(0))
    # Of this one callback: it was tried again inside, and the upstream had no reason to repeat it.
    assert list(told.values_list("outcome", "try_count")) == [("credited", 0)]
