"""Two weeks of demo data, made by the product's own functions with the clock moved.

The plan (`demo_plan`) is the same everywhere; the stories (`demo_deposits`, `demo_payouts`, `demo_desk`) play
it on a stage where only the upstream's answers and the merchants' receivers are rehearsed. One window of the
plan is one transaction: a killed demo goes on with the next window, and nothing is there twice.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection
from django.utils.translation import gettext as _t

from channels.models import Channel
from diamondpay import audit
from diamondpay.lib import clock, transactions
from diamondpay.models import AuditRow, User
from diamondpay.run import (
    demo_deposits,
    demo_desk,
    demo_live,
    demo_payouts,
    demo_plan,
    demo_receivers,
    demo_setup,
    demo_upstream,
    demo_waiting,
)
from diamondpay.run.demo_plan import Planned, Window
from diamondpay.run.demo_scene import Scene, Story
from diamondpay.run.demo_setup import ACTOR, OBJECT_KIND, DemoRefused, Stage
from records import tasks
from records.models import Notification, UpstreamCallback

ORDERS = 5000
ORDERS_MIN = 100
WRITTEN = "demo.window"
COMPLETE = "demo.complete"
Say = Callable[[str], None]
_LOCK = 7421099
_LOCK_SECONDS_MAX = 30
_TOLD_AFTER = timedelta(milliseconds=300)
_RETRIED_AFTER = timedelta(seconds=2)
# When workers have asked about the ended orders of a window, for the last times.
_ASKED_AFTER = (timedelta(seconds=301), timedelta(seconds=43_201))


@dataclass(slots=True, kw_only=True)
class Director:
    """Lets the stories of a window go on in the order of their times. Nothing happens after `until`."""

    scene: Scene
    until: datetime
    _due: list[tuple[datetime, int, Story]] = field(default_factory=list)
    _entry: Iterator[int] = field(default_factory=itertools.count)

    def add(self, story: Story, *, at: datetime) -> None:
        """Let a story go on at a moment."""
        if at <= self.until:
            heapq.heappush(self._due, (at, next(self._entry), story))

    def run(self) -> None:
        """Let everything happen, and then have merchants told of it, each notification at its own time.

        Told last, because a claim holds off every other worker until this transaction ends.
        """
        self._go_on()
        due = Notification.objects.filter(state=Notification.State.RETRYING, due_at__lte=self.until)
        for due_at in due.values_list("due_at", flat=True):
            if due_at is not None:
                self._tell(due_at + _TOLD_AFTER)
        self._go_on()

    def _go_on(self) -> None:
        while self._due:
            _at, _entry, story = heapq.heappop(self._due)
            goes_on_at = next(story, None)
            if goes_on_at is not None:
                self.add(story, at=goes_on_at)

    def _tell(self, at: datetime) -> None:
        self.add(self._deliver(at), at=at)

    def _deliver(self, at: datetime) -> Story:
        for due_at in demo_receivers.deliver_due(now=at):
            self._tell(due_at + _RETRIED_AFTER)
        yield from ()


def load(*, order_count: int = ORDERS, first: int | None = None, say: Say) -> None:
    """Make the demo, or what is missing of it; with `first`, only as many orders or a few more.

    Raises: DemoRefused.
    """
    with _alone():
        stage = demo_setup.prepared(order_count=order_count, now=clock.now())
        if _rows(COMPLETE):
            return
        _write_windows(stage, first=first, say=say)
        tasks.fold_totals()
        if first is None:
            live = demo_live.place(stage)
            demo_waiting.ask(stage)
            audit.write(
                action=COMPLETE,
                object_kind=OBJECT_KIND,
                object_id="orders",
                actor=ACTOR,
                now=clock.now(),
                after={"orders": stage.script.order_count, "live": live},
            )


def _write_windows(stage: Stage, *, first: int | None, say: Say) -> None:
    written = {int(row.object_id): int(row.after["orders"]) for row in _rows(WRITTEN)}
    there, total = sum(written.values()), stage.script.order_count
    started, made = time.monotonic(), 0
    for window in demo_plan.windows(stage.script):
        if window.number in written:
            continue
        if first is not None and there >= first:
            break
        _write_window(stage, window)
        there, made = there + len(window.orders), made + len(window.orders)
        speed = made / (time.monotonic() - started)
        say(f"demo orders {there:,} / {total:,} · {speed:.0f}/s")


@transactions.atomic_with_retries
def _write_window(stage: Stage, window: Window) -> None:
    """Play one window of the plan. All or nothing."""
    scene = Scene(
        merchants=stage.merchants,
        people={user.username: user for user in User.objects.filter(is_staff=True)},
        channels=Channel.objects.in_bulk(),
    )
    director = Director(scene=scene, until=stage.script.ends_at)
    for at, deed in demo_desk.deeds(window, window_count=stage.script.window_count):
        director.add(deed(scene, at), at=at)
    for order in window.orders:
        director.add(_story(scene, order), at=order.at)
    for wait in _ASKED_AFTER:
        at = window.end + wait
        director.add(_asking(scene, at), at=at)
    with demo_upstream.performing(scene.upstream):
        director.run()
    unanswered = UpstreamCallback.objects.filter(outcome=UpstreamCallback.Outcome.WAITING).count()
    if unanswered:
        raise DemoRefused(_t("%(count)s callbacks found no outcome; see the log.") % {"count": unanswered})
    audit.write(
        action=WRITTEN,
        object_kind=OBJECT_KIND,
        object_id=str(window.number),
        actor=ACTOR,
        now=clock.now(),
        after={"orders": len(window.orders)},
    )


def _story(scene: Scene, order: Planned) -> Story:
    stories = demo_payouts.STORIES if order.direction == demo_plan.PAYOUT else demo_deposits.STORIES
    return stories[order.story](scene, order)


def _asking(scene: Scene, at: datetime) -> Story:
    scene.sweep(at=at)
    yield from ()


def _rows(action: str) -> list[AuditRow]:
    return list(AuditRow.objects.filter(object_kind=OBJECT_KIND, action=action))


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the demo against a second command; one that was killed lets go as soon as the server sees it.

    Raises: DemoRefused.
    """
    end = time.monotonic() + _LOCK_SECONDS_MAX
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            if cursor.fetchone()[0]:
                break
            if time.monotonic() > end:
                raise DemoRefused(_t("Another command makes the demo already."))
            time.sleep(0.2)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
