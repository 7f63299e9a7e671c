"""F11: the broker is gone, emptied or repeats itself; beat is doubled or silent. Rows are the queue.

The web process runs all the time; worker and beat are started when a test wants them.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from diamondpay.run import children
from merchants.registration import Registered
from records.models import Notification, Payment, StatusChange
from tests.flows.test_faults import acme, client, place, same_book
from tests.flows.test_faults_database import platform
from tests.support.platform import BEAT, WEB, WORKER, Platform
from tests.support.receiver import Receiver
from tests.support.sandbox import ROOT

__all__ = ["acme", "platform", "same_book"]
_numbers = count(1)
TASK = "records.tasks.deliver_notifications"


@pytest.fixture(autouse=True)
def _no_worker_yet(platform: Platform, same_book: None) -> Iterator[None]:
    yield
    for part in (WORKER, BEAT):
        platform.stop(part)


def messages(platform: Platform) -> Path:
    return platform.home / "broker" / "messages"


def paid(platform: Platform, acme: Registered, receiver: Receiver) -> str:
    """Have a deposit placed and credited; return its number."""
    payment_id = place(client(acme, platform), "payment", f"f11_{next(_numbers)}", receiver.url)
    platform.sandbox.pay(payment_id)
    platform.until(lambda: Payment.objects.get(payment_id=payment_id).status == 1, what="the credit")
    return payment_id


def all_told(platform: Platform, receiver: Receiver, wanted: list[str]) -> None:
    """Wait until every order's notification has succeeded; each must have come once."""
    told = Notification.objects.filter(order_no__in=wanted, state="success", attempt_count=1)
    platform.until(lambda: told.count() == len(wanted), what="the notifications")
    arrived = Counter(headers["webhook-id"] for headers, _body in receiver.received)
    assert arrived == Counter(f"{payment_id}-1" for payment_id in wanted)


def test_a_broker_that_cannot_be_written_delays_and_fails_nothing_f11(
    platform: Platform, acme: Registered, receiver: Receiver
) -> None:
    shutil.rmtree(messages(platform), ignore_errors=True)
    messages(platform).parent.mkdir(exist_ok=True)
    messages(platform).write_text("a file where the folder should be")
    payment_id = paid(platform, acme, receiver)
    platform.until(lambda: "The broker did not take a wake-up" in platform.log(WEB), what="the log")
    told = Notification.objects.get(order_no=payment_id)
    assert (told.state, told.attempt_count, receiver.received) == ("retrying", 0, [])
    messages(platform).unlink()
    messages(platform).mkdir()
    platform.start(WORKER)
    platform.start(BEAT)
    all_told(platform, receiver, [payment_id])


def test_a_broker_flushed_under_load_loses_nothing_f11(
    platform: Platform, acme: Registered, receiver: Receiver
) -> None:
    platform.start(WORKER)
    platform.start(BEAT)
    with flushed_again_and_again(messages(platform)) as flushed:
        wanted = [paid(platform, acme, receiver) for _order in range(8)]
    assert any(TASK in text for text in flushed)
    all_told(platform, receiver, wanted)


@contextmanager
def flushed_again_and_again(folder: Path) -> Iterator[list[str]]:
    """Throw away every message that appears; what they said is kept."""
    over, flushed = threading.Event(), list[str]()

    def flush() -> None:
        while not over.wait(0.002):
            for path in [*folder.glob("*.msg")]:
                with contextlib.suppress(FileNotFoundError):  # The worker was faster.
                    text = path.read_text()
                    path.unlink()
                    flushed.append(text)

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        yield flushed
    finally:
        over.set()
        thread.join()


def test_a_task_delivered_three_times_tells_once_f11(
    platform: Platform, acme: Registered, receiver: Receiver
) -> None:
    payment_id = paid(platform, acme, receiver)
    platform.until(lambda: list(messages(platform).glob("*.msg")), what="the wake-up")
    for path in [*messages(platform).glob("*.msg")]:
        for copy in (1, 2):
            shutil.copy(path, path.with_name(f"{copy}{path.name[1:]}"))
    assert len(list(messages(platform).glob("*.msg"))) >= 3
    platform.start(WORKER)
    platform.until(lambda: not list(messages(platform).glob("*.msg")), what="the worker to take them all")
    all_told(platform, receiver, [payment_id])


@pytest.mark.parametrize("beat_count", [1, 2])
def test_what_waited_ten_minutes_for_beat_is_done_once_whoever_beats_f11(
    platform: Platform, acme: Registered, receiver: Receiver, beat_count: int
) -> None:
    platform.sandbox.behaviour("lost_callback")
    expired, silent = (
        place(client(acme, platform), "payment", f"f11_{next(_numbers)}", receiver.url) for _order in range(2)
    )
    platform.sandbox.pay(silent)
    ten_minutes_ago = "now() - interval '10 minutes'"
    with platform.clone.connect_as_owner() as owner:
        owner.execute(
            f"UPDATE records_payment SET expires_at = {ten_minutes_ago} WHERE payment_id = %s", [expired]
        )
        owner.execute(
            f"UPDATE records_payment SET next_query_at = {ten_minutes_ago} WHERE payment_id = %s", [silent]
        )
    for path in [*messages(platform).glob("*.msg")]:
        path.unlink()
    platform.start(WORKER)
    with beats(platform, beat_count):
        all_told(platform, receiver, [expired, silent])
    moved = StatusChange.objects.filter(payment__payment_id__in=[expired, silent], version__gt=0)
    assert sorted(moved.values_list("payment__payment_id", "to_status")) == [(expired, 3), (silent, 1)]


@contextmanager
def beats(platform: Platform, beat_count: int) -> Iterator[None]:
    """Run so many beats of one platform at once, each with a schedule of its own as on two hosts."""
    processes = []
    for number in range(beat_count):
        schedule = str(platform.home / f"schedule-{next(_numbers)}-{number}")
        command = [sys.executable, "-m", "celery", "-A", "diamondpay", "beat", "--schedule", schedule]
        with (platform.home / "beat.log").open("ab") as log:
            processes.append(
                children.start([*command, "--pidfile", ""], env=platform.environment, cwd=ROOT, output=log)
            )
    try:
        yield
    finally:
        for process in processes:
            children.stop(process, signal_number=signal.SIGTERM, seconds_max=10)
