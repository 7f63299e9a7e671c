"""F1, F2, F6, F9: a real process is killed with SIGKILL at a named point; what was promised still comes.

The doomed web process and the sound one are two of one platform, on one database. No worker runs: the
sweepers' turns are taken here, at the time at which they would come.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from itertools import count
from pathlib import Path

import httpx
import pytest
from django.db import connections
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from channels.models import Channel
from diamondpay.lib import clock
from merchants.registration import Registered, Terms
from records import callbacks, ledger, notifications, submission
from records.models import Notification, Payment, Payout, Posting, UpstreamCallback
from tests import factories
from tests.support import clones
from tests.support import platform as platforms
from tests.support import sandbox as sandboxes
from tests.support.platform import WEB, WORKER, Platform
from tests.support.receiver import Merchant, Receiver

_numbers = count(1)
# Where a process was killed, and the order that was in its hands.
KILLED: list[tuple[str, str]] = []
LOST: list[str] = []
WAS_KILLED = "was sent SIGKILL"


@pytest.fixture(scope="module")
def platform(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The sound web process and a sandbox."""
    with sandboxes.running(tmp_path_factory.mktemp("sandbox")) as sandbox:
        home = tmp_path_factory.mktemp("platform")
        with platforms.running(home=home, sandbox=sandbox, parts=(WEB,)) as running:
            yield running


@pytest.fixture(autouse=True)
def same_book(
    platform: Platform, django_db_blocker: DjangoDbBlocker, record_property: Callable[[str, object], None]
) -> Iterator[None]:
    """Let this process look into the platform's database and take the sweepers' turns there.

    What was killed and lost is told in the summary of the run.
    """
    KILLED.clear()
    LOST.clear()
    with django_db_blocker.unblock():
        clones.point_django_at(platform.clone)
        yield
        connections.close_all()
        clones.point_django_at(clones.of_this_process())
    for point, _order in KILLED:
        record_property("killed", point)
    for order in LOST:
        record_property("lost", order)


@pytest.fixture
def acme(platform: Platform) -> Registered:
    """A merchant with 1,000.00 CNY at the sandbox, whose payouts wait there."""
    if not Channel.objects.filter(pk="sandbox").exists():
        factories.make_channel(
            base_url=platform.sandbox.base_url, secret=platform.sandbox.accounts["sandbox"]
        )
    platform.sandbox.behaviour("normal", payout_delay_seconds=600)
    made = factories.make_merchant("Acme", terms=Terms(fee_permillage=Decimal(8)))
    ledger.adjust(
        merchant_channel=made.wallets[0], amount=Decimal(1000), reason="float",
        request_id=f"float-{made.merchant.pk}", now=clock.now(),
    )  # fmt: skip
    return made


class Doomed(Platform):
    """A web process of the same platform that kills itself at one point."""

    def saw_death(self, point: str, order: str) -> None:
        """Wait until the process is dead, by SIGKILL."""
        self.until(lambda: WAS_KILLED in self.log(WEB), what=f"the death at {point}")
        KILLED.extend((point, order) for _kill in range(self.log(WEB).count(WAS_KILLED)))


@contextmanager
def doomed(platform: Platform, home: Path, point: str) -> Iterator[Doomed]:
    web = Doomed(home=home, clone=platform.clone, sandbox=platform.sandbox, environment={})
    web.start(WEB, crash_point=point)
    try:
        yield web
    finally:
        web.stop_all()


def client(acme: Registered, web: Platform) -> Merchant:
    return Merchant(
        url=web.url, platform_id=acme.merchant.pk, platform_key=acme.platform_key,
        authorization=acme.authorization,
    )  # fmt: skip


def place(merchant: Merchant, kind: str, number: str, notify_url: str = "http://127.0.0.1:9/n") -> str:
    """Place a deposit or payout of 100.00 over HTTP; return our number."""
    fields: dict[str, object] = {"amount": 10000, f"{kind}_cl_id": number, "name": "Wang"}
    fields["notify_url"] = notify_url
    if kind == "payout":
        fields["number"] = "6216667451674374"
    service = "SVC0001" if kind == "payment" else "SVC0004"
    answer = merchant.post(f"/v2/{kind}s", service_id=service, **fields)
    assert answer["error_code"] == "0000", answer
    return str(answer["data"][f"{kind}_id"])


def told_of(payment_id: str) -> list[UpstreamCallback]:
    """Return the callbacks that were stored for an order, with an outcome or without."""
    return [row for row in UpstreamCallback.objects.all() if payment_id.encode() in bytes(row.body)]


def sweep(seconds: int) -> None:
    """Take the turn that the sweepers would have so many seconds from now."""
    now = clock.now() + timedelta(seconds=seconds)
    callbacks.reconsider_due(now=now)
    submission.query_due(now=now)


def balances(acme: Registered) -> tuple[Decimal, Decimal]:
    return ledger.balances([acme.wallets[0].pk])[acme.wallets[0].pk]


def expect(order: str, look: Callable[[], bool]) -> None:
    """Wait a moment for the promised end, since a callback may be at work too; note what is lost."""
    until = time.monotonic() + 10
    while not look():
        if time.monotonic() > until:
            LOST.append(order)
            pytest.fail(f"{order} did not come to its promised end")
        time.sleep(0.05)


def credited(payment: Payment, acme: Registered) -> bool:
    payment.refresh_from_db()
    return (payment.status, balances(acme)) == (1, (Decimal("1099.20"), Decimal(0)))


def settled(payout: Payout, acme: Registered) -> bool:
    payout.refresh_from_db()
    return (payout.status, balances(acme)) == (1, (Decimal("899.20"), Decimal(0)))


@pytest.mark.parametrize(
    ("point", "rows"),
    [("placement.before_commit", 0), ("placement.committed", 1), ("submission.answered", 1)],
)
def test_killed_while_a_deposit_is_placed_f1(
    platform: Platform, acme: Registered, tmp_path: Path, point: str, rows: int
) -> None:
    number = f"f1_{next(_numbers)}"
    with doomed(platform, tmp_path, point) as web:
        with pytest.raises(httpx.TransportError):
            place(client(acme, web), "payment", number)
        web.saw_death(point, number)
    kept = Payment.objects.filter(merchant_order_no=number)
    assert [(row.status, row.submitted_at) for row in kept] == [(0, None)] * rows
    assert kept.filter(payment_id=place(client(acme, platform), "payment", number)).count() == 1
    sweep(31)
    payment = kept.get()
    at_the_upstream = platform.sandbox.order(payment.payment_id)
    assert payment.channel_order_no == at_the_upstream["channel_order_no"]
    platform.sandbox.pay(payment.payment_id)
    sweep(200)
    expect(number, lambda: credited(payment, acme))
    assert Posting.objects.filter(payment=payment).count() == 1


POINTS_OF_A_CREDIT = ["settle.locked", "settle.posted", "settle.updated", "settle.notified"]


@pytest.mark.parametrize("point", POINTS_OF_A_CREDIT)
def test_killed_inside_the_credit_nothing_or_all_f2(
    platform: Platform, acme: Registered, receiver: Receiver, tmp_path: Path, point: str
) -> None:
    with doomed(platform, tmp_path, point) as web:
        payment_id = place(client(acme, web), "payment", f"f2_{next(_numbers)}", receiver.url)
        platform.sandbox.pay(payment_id)
        web.saw_death(point, payment_id)
        web.stop(WEB, signal_number=signal.SIGKILL)
    payment = Payment.objects.get(payment_id=payment_id)
    assert (payment.status, payment.version, balances(acme)[0]) == (0, 0, Decimal(1000))
    assert Posting.objects.filter(payment=payment).count() == 0
    assert {row.outcome for row in told_of(payment_id)} == {"waiting"}
    sweep(21)
    expect(payment_id, lambda: credited(payment, acme))
    outcomes = sorted(row.outcome for row in told_of(payment_id))
    assert outcomes == ["credited", *["duplicate"] * (len(outcomes) - 1)]
    assert Notification.objects.filter(payment=payment).count() == 1


@pytest.mark.parametrize("point", ["callbacks.committed", "settle.updated"])
def test_the_upstreams_repeat_after_a_kill_is_answered_yes_f2(
    platform: Platform, acme: Registered, tmp_path: Path, point: str
) -> None:
    with doomed(platform, tmp_path, point) as web:
        payment_id = place(client(acme, web), "payment", f"f2_{next(_numbers)}")
        platform.sandbox.pay(payment_id)
        web.saw_death(point, payment_id)
        web.stop(WEB, signal_number=signal.SIGKILL)
        was_credited = point == "callbacks.committed"
        assert Payment.objects.get(payment_id=payment_id).status == (1 if was_credited else 0)
        web.start(WEB)
        platform.sandbox.repeat(payment_id)
        told = UpstreamCallback.objects.filter(reference=payment_id).exclude(answered_at=None)
        web.until(lambda: told.filter(outcome="duplicate").exists() or not was_credited, what="the repeat")
        web.until(told.exists, what="an outcome")
    sweep(21)
    payment = Payment.objects.get(payment_id=payment_id)
    expect(payment_id, lambda: credited(payment, acme))
    assert UpstreamCallback.objects.filter(reference=payment_id, outcome="credited").count() == 1
    assert Posting.objects.filter(payment=payment).count() == 1


@pytest.mark.parametrize(
    ("point", "state"),
    [
        ("payouts.frozen", ""),
        ("placement.committed", "prepared"),
        ("payouts.sent", "sent"),
        ("submission.answered", "sent"),
    ],
)
def test_killed_while_a_payout_is_sent_f6(
    platform: Platform, acme: Registered, tmp_path: Path, point: str, state: str
) -> None:
    number = f"f6_{next(_numbers)}"
    with doomed(platform, tmp_path, point) as web:
        with pytest.raises(httpx.TransportError):
            place(client(acme, web), "payout", number)
        web.saw_death(point, number)
    kept = Payout.objects.filter(merchant_order_no=number)
    if state:
        assert [row.attempts.get().state for row in kept] == [state]
        assert balances(acme) == (Decimal("899.20"), Decimal("100.80"))
    else:
        assert (kept.count(), balances(acme)) == (0, (Decimal(1000), Decimal(0)))
    assert kept.filter(payout_id=place(client(acme, platform), "payout", number)).count() == 1
    sweep(31)
    assert balances(acme) == (Decimal("899.20"), Decimal("100.80"))
    attempt = kept.get().attempts.get()
    order = platform.sandbox.order(attempt.reference)
    assert (attempt.state, order["channel_order_no"]) == (
        "sent",
        attempt.channel_order_no or order["channel_order_no"],
    )
    platform.sandbox.pay(attempt.reference)
    sweep(300)
    expect(number, lambda: settled(kept.get(), acme))
    attempt.refresh_from_db()
    assert (attempt.state, attempt.channel_order_no) == ("succeeded", order["channel_order_no"])


def test_killed_while_a_payout_is_settled_f6(platform: Platform, acme: Registered, tmp_path: Path) -> None:
    with doomed(platform, tmp_path, "settle.posted") as web:
        payout_id = place(client(acme, web), "payout", f"f6_{next(_numbers)}")
        platform.sandbox.pay(f"{payout_id}-1")
        web.saw_death("settle.posted", payout_id)
        web.stop(WEB, signal_number=signal.SIGKILL)
    payout = Payout.objects.get(payout_id=payout_id)
    assert (payout.status, payout.attempts.get().state, balances(acme)[1]) == (0, "sent", Decimal("100.80"))
    sweep(21)
    expect(payout_id, lambda: settled(payout, acme))


def finish_what_is_due() -> None:
    """Bring what earlier tests left to its end, so that the doomed worker finds this test's notification."""
    with override_settings(NOTIFICATION_PRIVATE_NETWORKS=[ip_network("127.0.0.0/8")]):
        for days in range(1, 8):
            notifications.deliver_due(now=clock.now() + timedelta(days=days))
    assert not Notification.objects.filter(state="retrying").exists()


@pytest.mark.parametrize(("point", "received"), [("notifications.claimed", 0), ("notifications.sent", 1)])
def test_a_worker_killed_while_it_tells_repeats_at_most_once_f9(
    platform: Platform, acme: Registered, receiver: Receiver, tmp_path: Path, point: str, received: int,
) -> None:  # fmt: skip
    finish_what_is_due()
    payment_id = place(client(acme, platform), "payment", f"f9_{next(_numbers)}", receiver.url)
    platform.start(WORKER, crash_point=point)
    process = platform._processes[WORKER]
    platform.sandbox.pay(payment_id)
    assert process.wait(30) == -signal.SIGKILL
    KILLED.append((point, payment_id))
    told = Notification.objects.get(payment__payment_id=payment_id)
    assert (told.state, told.attempt_count, len(receiver.received)) == ("retrying", 1, received)
    with override_settings(NOTIFICATION_PRIVATE_NETWORKS=[ip_network("127.0.0.0/8")]):
        assert notifications.deliver_due(now=clock.now()).attempt_count == 0
        assert notifications.deliver_due(now=clock.now() + timedelta(seconds=60)).success_count == 1
    told.refresh_from_db()
    expect(payment_id, lambda: (told.state, told.attempt_count) == ("success", 2))
    assert len(receiver.received) == received + 1
    assert {headers["webhook-id"] for headers, _body in receiver.received} == {f"{payment_id}-1"}
    assert [body["status"] for body in receiver.verified(client(acme, platform))] == [2] * (received + 1)
