"""The demo: everything is there, made by the real functions, once, however often it is killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db.models import Count, Model, QuerySet
from pytest_django import Settings

from channels import secrets
from channels.models import Channel
from channels.upstreams import base, registry
from channels.upstreams.sandbox.adapter import SandboxAdapter
from diamondpay import environment
from diamondpay.lib import clock
from diamondpay.models import AuditRow
from diamondpay.run import demo, demo_cast, demo_chain, demo_live, demo_plan, demo_setup, demo_waiting
from merchants.models import Merchant, MerchantChannel
from merchants.registration import Registered
from operations import placement
from operations.models import Act, BatchPayout
from records import checks, ledger
from records.models import (
    Account,
    BalanceRecord,
    Case,
    Notification,
    NotificationAttempt,
    Payment,
    Payout,
    PayoutAttempt,
    Posting,
    StatusChange,
    UpstreamCall,
    UpstreamCallback,
)
from tests import factories
from tests.support.clones import Clone
from tests.support.sandbox import Sandbox, free_port, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]
ORDERS = 150
BOOK: tuple[type[Model], ...] = (
    *(Payment, Payout, PayoutAttempt, Posting, BalanceRecord, StatusChange, UpstreamCall),
    *(UpstreamCallback, Case, Notification, NotificationAttempt, Act, AuditRow, Merchant),
)


@pytest.fixture
def home(db: None, settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """A home of its own, no sandbox that answers, and terms set as the schema's owner sets the demo's."""
    settings.HOME = tmp_path
    settings.SANDBOX_PORT = free_port()
    with factories.founding():
        yield tmp_path


def counts() -> dict[str, int]:
    """Return how many rows each table of the book has."""
    return {model.__name__: model._default_manager.count() for model in BOOK}


def silently(line: str) -> None:
    """Take a line of progress and show it to nobody."""


def seen(rows: QuerySet[Model], field: str) -> set[object]:
    """Return the values that a column has."""
    return set(rows.values_list(field, flat=True))


def test_a_demo_has_every_status_case_and_outcome_and_a_second_run_adds_nothing(db: None, home: Path) -> None:
    lines: list[str] = []
    demo.load(order_count=ORDERS, say=lines.append)
    first = counts()
    demo.load(order_count=ORDERS, say=lines.append)
    assert counts() == first
    assert first["Payment"] + first["Payout"] == ORDERS
    assert lines[-1].startswith(f"demo orders {ORDERS} / {ORDERS} · ")
    # Deposits in progress are left to the real sandbox, which does not run here.
    assert seen(Payment.objects.all(), "status") == {1, 2, 3}
    assert seen(Payout.objects.all(), "status") == {0, 1, 2, 3, 4}
    assert seen(PayoutAttempt.objects.all(), "state") == {"sent", "failed", "succeeded"}
    assert seen(Case.objects.all(), "kind") == set(Case.Kind.values) - {"payout_unknown"}
    assert seen(UpstreamCallback.objects.all(), "outcome") == set(UpstreamCallback.Outcome.values) - {
        "waiting"
    }
    assert seen(Notification.objects.all(), "state") >= {"success", "failed"}
    assert seen(Act.objects.all(), "state") == set(Act.State.values)
    assert seen(Act.objects.all(), "kind") == set(Act.Kind.values) - {"review_payout"}
    waiting = Act.objects.filter(state=Act.State.REQUESTED)
    assert seen(waiting, "kind") >= {
        "refund_payment",
        "change_terms",
        "activate_terms",
        "rotate_credential",
        "add_rate",
    }
    batch = BatchPayout.objects.get()
    assert (batch.state, batch.row_count) == (BatchPayout.State.PREPARED, demo_waiting.BATCH_ROWS)
    assert seen(Payment.objects.filter(is_test=True), "source") == {"MerchantBackend"}
    assert Payment.objects.filter(is_late=True).exists()
    assert Payout.objects.filter(is_held=True).count() == 1
    assert checks.violations() == []


def test_the_demos_times_are_those_of_its_plan(db: None, home: Path) -> None:
    demo.load(order_count=demo.ORDERS_MIN, say=silently)
    ends_at = datetime.fromisoformat(AuditRow.objects.get(action=demo_setup.BEGUN).after["ends_at"])
    for model, moment in (
        (Posting, "created_at"),
        (StatusChange, "created_at"),
        (UpstreamCall, "created_at"),
        (UpstreamCallback, "answered_at"),
        (PayoutAttempt, "sent_at"),
        (NotificationAttempt, "finished_at"),
        (Act, "requested_at"),
    ):
        moments = seen(model._default_manager.all(), moment)
        # What was sent within the last instant is answered just behind the end.
        assert all(isinstance(at, datetime) and (at - ends_at).total_seconds() < 1 for at in moments), model
    for account in Account.objects.filter(is_chained=True):
        moments_in_order = [entry.created_at for entry in account.entries.order_by("sequence")]
        assert moments_in_order == sorted(at for at in moments_in_order if at is not None), account
    first_tries = NotificationAttempt.objects.filter(number=1).select_related("notification")
    waits = [
        (attempt.started_at - attempt.notification.created_at).total_seconds() for attempt in first_tries
    ]
    assert (min(waits), max(waits)) == (0.3, 0.3)
    assert not Payment.objects.filter(status=0).exists()


def test_every_login_and_key_of_the_demo_is_written_down_for_its_owner_only(db: None, home: Path) -> None:
    stage = demo_setup.prepared(order_count=ORDERS, now=clock.now())
    path = home / "demo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = json.loads(path.read_text())
    for login in told["logins"]:
        user = authenticate(username=login["username"], password=login["password"])
        assert user is not None, login["username"]
    assert [merchant["platform_id"] for merchant in told["merchants"]] == [
        merchant.pk for merchant in stage.merchants.values()
    ]
    assert [len(merchant["platform_channel_ids"]) for merchant in told["merchants"]] == [5, 2, 1, 1, 1]
    path.unlink()
    demo_setup.prepared(order_count=ORDERS, now=clock.now())
    renewed = json.loads(path.read_text())
    assert renewed["logins"] == told["logins"]
    assert renewed["merchants"][0]["platform_key"] != told["merchants"][0]["platform_key"]


def _command(clone: Clone, home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--orders", "100", *arguments],
        cwd=environment.ROOT,
        env={
            **os.environ,
            "DATABASE_URL": clone.url,
            "DATABASE_OWNER_URL": clone.owner_url,
            "DIAMONDPAY_HOME": str(home),
            "DIAMONDPAY_SANDBOX_PORT": str(free_port()),
        },
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_demo_killed_in_the_middle_goes_on_and_doubles_nothing_f1(clone: Clone, tmp_path: Path) -> None:
    killed = _command(clone, tmp_path, "--first", "60")
    assert killed.stdout is not None
    assert killed.stdout.readline().startswith("demo orders ")
    killed.send_signal(signal.SIGKILL)
    assert (killed.wait(), AuditRow.objects.filter(action=demo.WRITTEN).count()) == (-signal.SIGKILL, 1)
    there = counts()
    assert 0 < there["Payment"] + there["Payout"] < 100
    rest = _command(clone, tmp_path, "--rest")
    lines = rest.communicate()[0].splitlines()
    assert (rest.returncode, lines[-1].split(" · ")[0]) == (0, "demo orders 100 / 100")
    assert Payment.objects.count() + Payout.objects.count() == 100
    assert Merchant.objects.count() == len(demo_cast.SHOPS)
    doubled = Payment.objects.values("merchant_order_no").annotate(n=Count("pk")).filter(n__gt=1)
    assert not doubled.exists()
    assert checks.violations() == []


def test_the_demo_is_refused_in_production(db: None, settings: Settings) -> None:
    settings.IS_PRODUCTION = True
    with pytest.raises(CommandError, match="refused in production"):
        call_command("demo")
    assert not Merchant.objects.exists()


def test_the_demo_is_refused_where_others_have_orders(acme: Registered, home: Path) -> None:
    # Nobody answers at the channel's address, so the order stays without an answer; it is there all the same.
    placement.place_payment(
        order=placement.NewPayment(
            merchant=acme.merchant,
            service_id="SVC0001",
            merchant_order_no="A-1",
            amount=Decimal(100),
            party=base.Party(name="Wang"),
            sign_type="MD5",
            source="API_V1",
        )
    )
    before = counts()
    with pytest.raises(CommandError, match="has orders already"):
        call_command("demo")
    assert counts() == before
    assert not (home / "demo.json").exists()


def test_live_deposits_wait_at_the_real_sandbox_for_a_person(
    db: None, home: Path, sandbox: Sandbox, settings: Settings
) -> None:
    settings.SANDBOX_PORT = sandbox.port
    stage = demo_setup.prepared(order_count=ORDERS, now=clock.now())
    assert demo_live.place(stage) == demo_live.place(stage) == 25 + len(demo_chain.STORIES)
    placed = Payment.objects.filter(chain_payment__isnull=True)
    assert Counter(placed.values_list("currency_id", flat=True)) == dict.fromkeys(
        ("CNY", "THB", "VND", "BRL", "USDT"), 5
    )
    assert seen(placed, "status") == {0}
    assert all(sandbox.order(payment.payment_id)["state"] == "pending" for payment in placed)


def test_the_demos_channels_follow_the_sandbox_to_another_port(
    db: None, home: Path, sandbox: Sandbox, settings: Settings
) -> None:
    demo_setup.prepared(order_count=ORDERS, now=clock.now())
    settings.SANDBOX_PORT = sandbox.port
    stage = demo_setup.prepared(order_count=ORDERS, now=clock.now())
    count = 25 + len(demo_chain.STORIES)
    assert demo_live.place(stage) == count
    assert Payment.objects.filter(submitted_at__isnull=False).count() == count
    for line in demo_chain.LINES:
        assert secrets.settings_of(Channel.objects.get(pk=line.code))["node_url"] == demo_chain.node_url()


def test_the_plan_is_the_same_each_time_and_keeps_to_its_windows() -> None:
    script = demo_plan.Script(order_count=demo.ORDERS, ends_at=datetime(2026, 3, 1, 9, tzinfo=UTC))
    windows = list(demo_plan.windows(script))
    assert windows == list(demo_plan.windows(script))
    orders = [order for window in windows for order in window.orders]
    assert sorted(order.number for order in orders) == list(range(1, demo.ORDERS + 1))
    assert {order.story for order in orders} >= {story for story, _shop in demo_plan.SPECIALS}
    for window in windows:
        assert all(window.start <= order.at < window.end - demo_plan.CLOSING for order in window.orders)


def test_the_rehearsal_gives_the_sandbox_back(db: None, home: Path) -> None:
    demo.load(order_count=ORDERS, first=1, say=silently)
    assert registry.ADAPTERS["sandbox"] is SandboxAdapter
    shop = demo_cast.SHOPS[0]
    funded = MerchantChannel.objects.filter(merchant__name=shop.name, channel__in=shop.channels)
    wallets = list(funded.values_list("pk", flat=True))
    assert all(available > 0 for available, _frozen in ledger.balances(wallets).values())
