"""A2: every figure of the statistics equals the rows of the list that it leads to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import QuerySet, Sum
from django.http import QueryDict

from diamondpay.models import User
from operations import placement
from records import filters, statistics, totals
from records.statistics import Asked, Links, Row
from tests import factories
from tests.support.desk import Desk, desk, open_desk, upstream

__all__ = ["desk", "upstream"]
NEW_YORK, SHANGHAI = ZoneInfo("America/New_York"), ZoneInfo("Asia/Shanghai")
# The night of the first of November has two hours called one o'clock in New York.
START, END = datetime(2026, 10, 30, 4, tzinfo=UTC), datetime(2026, 11, 3, 5, tzinfo=UTC)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def desks(desk: Desk) -> list[Desk]:
    """Two merchants with deposits around the change of clocks, half of them folded into the totals."""
    both = [desk, open_desk(desk.upstream, "Rival")]
    for number in range(36):
        owner = both[number % 3 == 0]
        when = START + timedelta(minutes=157 * number)
        order = owner.new_payment(str(50 + 37 * number), is_test=number % 9 == 8)
        placed = placement.place_payment(order=order, now=when)
        if number % 4:
            owner.paid(placed, str(placed.requested_amount)) if number % 4 < 3 else owner.failed(placed)
        if number == 20:
            with connection.cursor() as cursor:
                cursor.execute("SELECT records_fold_order_totals(1000)")
    return both


def ask(**changes: Any) -> Asked:
    wanted: dict[str, Any] = {
        "kind": totals.PAYMENTS, "start": START, "end": END, "zone": NEW_YORK, "now": NOW, **changes,
    }  # fmt: skip
    return Asked(**wanted)


def listed(query: str, zone: ZoneInfo = NEW_YORK) -> QuerySet[Any]:
    """Return what the list shows under a query string."""
    boss = User.objects.filter(username="boss").first() or factories.make_user("boss", is_superuser=True)
    reading = filters.read("payment", QueryDict(query), user=boss, zone=zone, now=NOW)
    assert (reading.errors, reading.unknown) == ((), ())
    return reading.queryset


def check(row: Row) -> None:
    """Compare a row with the four lists behind it."""
    counts = {name: listed(query).count() for name, query in row.queries.items()}
    assert counts == {
        "all": row.order_count, "success": row.success_count, "ended": row.ended_count,
        "open": row.open_count,
    }  # fmt: skip
    assert (listed(row.queries["all"]).aggregate(Sum("requested_amount"))["requested_amount__sum"] or 0) == (
        row.requested
    )
    names = {"actual_amount": row.actual, "fee": row.fee, "credited_amount": row.credited}
    sums = listed(row.queries["success"]).aggregate(**{f"of_{name}": Sum(name) for name in names})
    assert {name: sums[f"of_{name}"] or 0 for name in names} == names


@pytest.mark.django_db
@pytest.mark.parametrize("by", ["service", "channel", "merchant"])
def test_each_row_of_a_table_equals_the_lists_it_leads_to_a2(desks: list[Desk], by: str) -> None:
    asked = ask()
    links = Links(asked)
    rows = statistics.table(asked, by=by, links=links)
    for row in rows:
        check(row)
    sums = statistics.summed(rows, links)
    assert [row.order_count for row in sums] == [32]
    check(sums[0])
    assert statistics.whole(asked, links=links)[0].requested == sums[0].requested


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes", [{"is_test": None}, {"is_test": True}, {"start": START + timedelta(minutes=11)}]
)
@pytest.mark.parametrize("step", ["hour", "day", "month"])
def test_each_period_equals_the_list_it_leads_to_also_where_an_hour_comes_twice_a2(
    desks: list[Desk], step: str, changes: dict[str, Any]
) -> None:
    asked = ask(**changes)
    rows = statistics.series(asked, step=step, links=Links(asked))
    busy = [row for row in rows if row.order_count] if step == "hour" else rows
    for row in busy:
        check(row)
    assert (
        sum(row.order_count for row in rows)
        == listed(statistics.whole(asked, links=Links(asked))[0].queries["all"]).count()
    )
    # Three days have 24 hours and one has 25; every one has its row, also an empty one.
    assert len(rows) == {"hour": 97, "day": 4, "month": 2}[step]


@pytest.mark.django_db
def test_the_distribution_equals_the_lists_it_leads_to_a2(desks: list[Desk]) -> None:
    owner = desks[0].registered.merchant.pk
    for merchants in (None, (owner,)):
        asked = ask(merchants=merchants)
        buckets = statistics.distribution(asked, currency="CNY", links=Links(asked))
        assert [bucket.low for bucket in buckets] == [50, 100, 200, 500, 1000]
        for bucket in buckets:
            assert listed(bucket.queries["all"]).count() == bucket.order_count
            assert listed(bucket.queries["success"]).count() == bucket.success_count
        assert sum(bucket.order_count for bucket in buckets) == (32 if merchants is None else 20)
    assert statistics.distribution(asked, currency="THB", links=Links(asked)) == []


@pytest.mark.django_db
def test_periods_of_today_end_now(desk: Desk) -> None:
    desk.deposit()
    now = datetime.now(UTC)
    midnight = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    asked = ask(start=midnight, end=midnight + timedelta(days=1), zone=SHANGHAI, now=now)
    rows = statistics.series(asked, step="hour", links=Links(asked))
    assert len(rows) == now.astimezone(SHANGHAI).hour + 1
    assert rows[-1].order_count == 1


def test_a_rate_is_rounded_half_up_and_none_of_nothing() -> None:
    assert statistics.percent(1, 3) == Decimal("33.33")
    assert statistics.percent(1, 800) == Decimal("0.13")
    assert statistics.percent(0, 5) == Decimal("0.00")
    assert statistics.percent(0, 0) is None
    row = Row(key="x", currency="CNY", order_count=8, success_count=5, ended_count=6)
    assert (row.success_rate, row.ended_rate, row.open_count) == (Decimal("62.50"), Decimal("83.33"), 2)


@pytest.mark.parametrize(
    ("length", "step"),
    [(timedelta(hours=25), "hour"), (timedelta(days=7), "day"), (timedelta(days=92), "day"),
     (timedelta(days=366), "month")],
)  # fmt: skip
def test_a_range_is_drawn_by_periods_that_can_be_read(length: timedelta, step: str) -> None:
    assert statistics.step_for(START, START + length) == step


def test_a_window_is_written_as_days_minutes_or_with_its_distance_from_utc() -> None:
    day = datetime(2026, 11, 1, tzinfo=NEW_YORK)
    whole = statistics.window(day, day + timedelta(days=2), zone=NEW_YORK)
    assert whole == [("created_from", "2026-11-01"), ("created_to", "2026-11-02")]
    second_one = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    cut = statistics.window(second_one - timedelta(hours=1), second_one, zone=NEW_YORK)
    assert cut == [("created_from", "2026-11-01T01:30"), ("created_to", "2026-11-01T01:30-05:00")]
    assert statistics.day_of(date(2026, 11, 1), NEW_YORK) == date(2026, 11, 1)
