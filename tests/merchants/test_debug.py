"""Debug mode ends by itself at 00:00 where the merchant is. Source: backoffice.md, Merchants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from diamondpay.lib import clock
from diamondpay.models import AuditRow
from merchants import debug, tasks
from merchants.models import Merchant
from tests import factories

pytestmark = pytest.mark.django_db
NOON_UTC = datetime(2026, 5, 1, 12, tzinfo=UTC)


def make(time_zone: str) -> Merchant:
    return factories.make_merchant(time_zone, time_zone=time_zone).merchant


@pytest.mark.parametrize(
    ("time_zone", "ends_at"),
    [
        ("Asia/Shanghai", datetime(2026, 5, 1, 16, tzinfo=UTC)),
        ("America/Sao_Paulo", datetime(2026, 5, 2, 3, tzinfo=UTC)),
        ("Pacific/Auckland", datetime(2026, 5, 2, 12, tzinfo=UTC)),
    ],
)
def test_debug_mode_ends_at_the_next_local_midnight(time_zone: str, ends_at: datetime) -> None:
    merchant = make(time_zone)
    debug.switch_on(merchant=merchant, now=NOON_UTC, actor="tests")
    merchant.refresh_from_db()
    assert (merchant.debug_mode, merchant.debug_ends_at) == (True, ends_at)
    assert debug.is_on(merchant=merchant, now=ends_at - timedelta(microseconds=1))
    assert not debug.is_on(merchant=merchant, now=ends_at)


def test_only_what_is_due_ends() -> None:
    shanghai, auckland = make("Asia/Shanghai"), make("Pacific/Auckland")
    for merchant in (shanghai, auckland):
        debug.switch_on(merchant=merchant, now=NOON_UTC, actor="tests")
    midnight = datetime(2026, 5, 1, 16, tzinfo=UTC)
    assert debug.end_due(midnight - timedelta(seconds=1)) == 0
    assert debug.end_due(midnight) == 1
    assert debug.end_due(midnight) == 0
    assert dict(Merchant.objects.values_list("name", "debug_mode")) == {
        "Asia/Shanghai": False,
        "Pacific/Auckland": True,
    }


def test_switching_on_and_ending_are_audited() -> None:
    merchant = make("Asia/Shanghai")
    debug.switch_on(merchant=merchant, now=NOON_UTC, user=factories.make_operator())
    debug.end_due(NOON_UTC + timedelta(days=1))
    rows = AuditRow.objects.filter(action="merchant.debug_mode").order_by("id")
    assert [(row.actor, row.after["debug_mode"]) for row in rows] == [("operator", True), ("system", False)]


def test_the_task_ends_what_is_due_by_the_databases_clock() -> None:
    merchant = make("Asia/Shanghai")
    debug.switch_on(merchant=merchant, now=clock.now() - timedelta(days=2), actor="tests")
    tasks.end_debug_mode(sent_at="ignored")
    merchant.refresh_from_db()
    assert merchant.debug_mode is False
    assert tasks.end_debug_mode.name == "merchants.tasks.end_debug_mode"


def test_switching_off_by_hand_takes_effect_at_once() -> None:
    merchant = make("Asia/Shanghai")
    debug.switch_on(merchant=merchant, now=NOON_UTC, actor="tests")
    debug.switch_off(merchant=merchant, now=NOON_UTC, actor="tests")
    assert not debug.is_on(merchant=merchant, now=NOON_UTC)
