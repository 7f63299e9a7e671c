"""F12: connections to PostgreSQL that die in a request, and a COMMIT whose answer never comes back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from diamondpay import environment
from merchants.registration import Registered
from records.models import Payment, Posting, UpstreamCallback
from tests.flows.test_faults import acme, balances, client, place, same_book, sweep
from tests.support import lossy_proxy, runs
from tests.support import platform as platforms
from tests.support import sandbox as sandboxes
from tests.support.lossy_proxy import LossyProxy
from tests.support.platform import WEB, Platform

__all__ = ["acme", "same_book"]
_numbers = count(1)
TRY_AGAIN = (503, "0001")


@pytest.fixture(scope="module")
def platform(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A web process and a sandbox."""
    with sandboxes.running(tmp_path_factory.mktemp("sandbox")) as sandbox:
        home = tmp_path_factory.mktemp("platform")
        with platforms.running(home=home, sandbox=sandbox, parts=(WEB,)) as running:
            yield running


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[LossyProxy]:
    folder = Path(tempfile.mkdtemp(prefix="proxy-"))
    with lossy_proxy.standing_before(Path(runs.sockets()), folder=folder) as standing:
        yield standing
    shutil.rmtree(folder)


@pytest.fixture
def behind_proxy(platform: Platform, proxy: LossyProxy, tmp_path: Path) -> Iterator[Platform]:
    """Another web process of the same platform, which reaches the database through the proxy."""
    url = environment.database_url(
        user=runs.APPLICATION, database=platform.clone.name, host=str(proxy.folder)
    )
    web = Platform(
        home=tmp_path, clone=platform.clone, sandbox=platform.sandbox, environment={"DATABASE_URL": url}
    )
    web.start(WEB)
    yield web
    web.stop_all()


@contextmanager
def asked(web: Platform, acme: Registered, number: str) -> Iterator[Future[tuple[int, dict[str, Any]]]]:
    """Ask for a deposit of 100.00 in a thread of its own; status and JSON of the answer come later."""

    def ask() -> tuple[int, dict[str, Any]]:
        signed = client(acme, web).signed(
            amount=10000, payment_cl_id=number, name="Wang", notify_url="http://127.0.0.1:9/n",
            service_id="SVC0001",
        )  # fmt: skip
        answer = httpx.post(f"{web.url}/gateway/api/v2/payments", json=signed, trust_env=False, timeout=40)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(ask)


def backends(platform: Platform, condition: str = "true") -> list[int]:
    """Return the application's connections to the platform's database for which a condition holds."""
    with runs.superuser(database=platform.clone.name) as superuser:
        found = superuser.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            f" AND usename = '{runs.APPLICATION}' AND {condition}".encode()
        )
        return [pid for (pid,) in found]


def kill(pids: list[int]) -> None:
    assert pids
    with runs.superuser() as superuser:
        for pid in pids:
            superuser.execute("SELECT pg_terminate_backend(%s)", [pid])


def same_order_again(platform: Platform, acme: Registered, number: str) -> Payment:
    """Repeat a request at the sound web process and pay; return the one order it ends with."""
    payment_id = place(client(acme, platform), "payment", number)
    assert place(client(acme, platform), "payment", number) == payment_id
    sweep(31)
    platform.sandbox.pay(payment_id)
    sweep(300)
    platform.until(lambda: balances(acme)[0] == Decimal("1099.20"), what="the credit", seconds_max=10)
    payment = Payment.objects.get(merchant_order_no=number)
    assert (payment.payment_id, payment.status) == (payment_id, 1)
    assert Posting.objects.filter(payment=payment).count() == 1
    return payment


def test_a_backend_killed_inside_the_first_transaction_leaves_nothing_f12(
    platform: Platform, acme: Registered
) -> None:
    number = f"f12_{next(_numbers)}"
    with (
        platform.clone.connect_as_owner() as owner,
        asked_behind_a_lock(owner, platform, acme, number) as (
            waiting,
            answer,
        ),
    ):
        kill(waiting)
        status, body = answer.result(30)
    assert (status, body["error_code"]) == TRY_AGAIN
    assert not Payment.objects.filter(merchant_order_no=number).exists()
    same_order_again(platform, acme, number)


@contextmanager
def asked_behind_a_lock(
    owner: Any, platform: Platform, acme: Registered, number: str
) -> Iterator[tuple[list[int], Future[tuple[int, dict[str, Any]]]]]:
    """Ask for a deposit whose INSERT waits; give the waiting backend and the answer to come."""
    owner.execute("BEGIN; LOCK TABLE records_payment IN SHARE MODE")
    with asked(platform, acme, number) as answer:
        platform.until(lambda: backends(platform, "wait_event_type = 'Lock'"), what="the INSERT to wait")
        yield backends(platform, "wait_event_type = 'Lock'"), answer
        owner.execute("ROLLBACK")


def test_backends_killed_while_the_upstream_thinks_leave_one_order_f12(
    platform: Platform, acme: Registered
) -> None:
    number = f"f12_{next(_numbers)}"
    platform.sandbox.behaviour("slow", delay_seconds=1.5)
    with asked(platform, acme, number) as answer:
        mine = Payment.objects.filter(merchant_order_no=number)
        platform.until(mine.exists, what="the order")
        payment_id = mine.get().payment_id
        platform.until(lambda: platform.sandbox.has_order(payment_id), what="the order at the upstream")
        kill([pid for pid in backends(platform) if pid != connection.connection.info.backend_pid])
        status, body = answer.result(30)
    platform.sandbox.behaviour("normal")
    assert (status, body["error_code"]) in (TRY_AGAIN, (200, "0000"))
    assert (mine.get().status, mine.get().payment_id) == (0, payment_id)
    assert same_order_again(platform, acme, number).payment_id == payment_id


def test_the_answer_to_the_commit_of_an_order_is_lost_f12(
    platform: Platform, behind_proxy: Platform, proxy: LossyProxy, acme: Registered
) -> None:
    number = f"f12_{next(_numbers)}"
    proxy.lose_next_commit()
    with asked(behind_proxy, acme, number) as answer:
        status, body = answer.result(30)
    assert proxy.swallowed.is_set()
    assert (status, body["error_code"]) == TRY_AGAIN
    kept = Payment.objects.get(merchant_order_no=number)
    assert (kept.status, kept.submitted_at) == (0, None)
    assert place(client(acme, behind_proxy), "payment", number) == kept.payment_id
    assert same_order_again(platform, acme, number).pk == kept.pk


def test_the_answer_to_the_commit_of_a_credit_is_lost_f12(
    platform: Platform, behind_proxy: Platform, proxy: LossyProxy, acme: Registered
) -> None:
    payment_id = place(client(acme, behind_proxy), "payment", f"f12_{next(_numbers)}")
    proxy.lose_next_commit()
    platform.sandbox.pay(payment_id)
    assert proxy.swallowed.wait(10)
    told = UpstreamCallback.objects.filter(reference=payment_id)
    # The upstream was not answered yes, so it tells us again, and again the answer is the same.
    platform.until(lambda: told.filter(outcome="duplicate").exists(), what="the repeat")
    assert told.filter(outcome="credited").count() == 1
    assert Posting.objects.filter(payment__payment_id=payment_id).count() == 1
    assert balances(acme) == (Decimal("1099.20"), Decimal(0))
