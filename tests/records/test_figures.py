"""A2: figures of any range, filter and grouping equal the book, folded or not, in any zone."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from operations import placement
from records import checks, periods, totals
from records.models import Payment, Payout
from records.totals import Figures
from tests.support.desk import Desk, desk, open_desk, upstream

__all__ = ["desk", "upstream"]

# New York puts its clocks back on the first of November, inside the days of the book.
FIRST, LAST = datetime(2026, 10, 29, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
ZONES = ("Asia/Shanghai", "Asia/Kolkata", "America/New_York", "UTC")
SUMS = ("order_count", "requested_sum", "actual_sum", "fee_sum", "credited_sum")
few = hypothesis.settings(max_examples=40, deadline=None, derandomize=True)
moments = st.integers(0, 6 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))
maybe = st.none() | st.lists(st.sampled_from([0, 1, 2, 3]), unique=True, max_size=3)


def fold(row_count_max: int = 100_000) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT records_fold_order_totals(%s)", [row_count_max])


@pytest.fixture
def desks(desk: Desk) -> list[Desk]:
    """Two merchants with 60 orders of every kind over six days, some at the edges of hours; half folded."""
    dice = random.Random(11)
    both = [desk, open_desk(desk.upstream, "Rival")]
    for each in both:
        each.fund("100000")
    for number in range(60):
        owner = both[number % 3 % 2]
        minutes = dice.randrange(6 * 24 * 60)
        when = FIRST + timedelta(minutes=minutes - minutes % (60 if number % 5 == 0 else 1))
        amount, is_test = str(dice.choice([1, 2, 99, 100, 199, 200, 5000])), number % 7 == 0
        if number % 4 == 3:
            made = placement.place_payout(order=owner.new_payout(amount, is_test=is_test), now=when)
            (owner.paid, owner.failed)[number % 8 == 3](made.attempts.get())
        else:
            placed = placement.place_payment(order=owner.new_payment(amount, is_test=is_test), now=when)
            if number % 4:
                owner.paid(placed, amount) if number % 4 == 1 else owner.failed(placed)
        if number == 40:
            fold(37)
    return both


def booked(kind: int, start: datetime, end: datetime, **wanted: Any) -> list[Any]:
    """Return the orders that the figures must have counted."""
    model: Any = Payment if kind == totals.PAYMENTS else Payout
    orders = model.objects.filter(created_at__gte=start, created_at__lt=end)
    names = {"merchants": "merchant__in", "statuses": "status__in", "is_test": "is_test"}
    return list(orders.filter(**{names[key]: value for key, value in wanted.items() if value is not None}))


def summed(orders: Iterable[Any]) -> tuple[Any, ...]:
    """Return the sums of orders as figures have them."""
    result: list[Any] = [0, Decimal(0), Decimal(0), Decimal(0), Decimal(0)]
    for order in orders:
        if isinstance(order, Payout):
            credited = order.debited_amount if order.status == 1 else 0
        else:
            credited = order.credited_amount or 0
        for place, amount in enumerate((1, order.requested_amount, order.actual_amount, order.fee, credited)):
            result[place] += amount or 0
    return tuple(result)


def read(found: Sequence[Figures]) -> tuple[Any, ...]:
    """Return the sums of figures."""
    return tuple(sum((getattr(row, name) for row in found), start=Decimal(0)) for name in SUMS)


@pytest.mark.django_db
def test_figures_equal_the_book_and_the_sum_of_any_split_folded_or_not_a2(desks: list[Desk]) -> None:
    merchant_ids = [each.registered.merchant.pk for each in desks]
    owners = st.none() | st.lists(st.sampled_from(merchant_ids), unique=True, max_size=2)

    @few
    @given(st.lists(moments, min_size=2, max_size=4), st.sampled_from([1, 2]), owners, maybe,
           st.none() | st.booleans())  # fmt: skip
    def compare(cuts: list[datetime], kind: int, merchants: Any, statuses: Any, is_test: Any) -> None:
        cuts.sort()
        wanted = {"merchants": merchants, "statuses": statuses, "is_test": is_test}
        parts = [totals.figures(kind=kind, start=a, end=b, **wanted) for a, b in itertools.pairwise(cuts)]
        whole = totals.figures(kind=kind, start=cuts[0], end=cuts[-1], **wanted)
        assert read(whole) == summed(booked(kind, cuts[0], cuts[-1], **wanted))
        assert read(whole) == tuple(map(sum, zip(*map(read, parts), strict=True)))
        by_status = Counter(order.status for order in booked(kind, cuts[0], cuts[-1], **wanted))
        assert {row.status: row.order_count for row in whole} == by_status

    compare()
    fold()
    compare()
    assert checks.violations() == []


@pytest.mark.django_db
def test_days_and_hours_of_a_zone_equal_the_book_across_a_change_of_clocks_a2(desks: list[Desk]) -> None:
    owner = desks[0].registered.merchant.pk

    @few
    @given(moments, moments, st.sampled_from(ZONES), st.sampled_from(["day", "month"]),
           st.sampled_from([None, [owner]]))  # fmt: skip
    def compare(a: datetime, b: datetime, zone_name: str, step: str, merchants: Any) -> None:
        start, end, zone = min(a, b), max(a, b), ZoneInfo(zone_name)
        wanted: dict[str, Any] = {"kind": 1, "start": start, "end": end, "merchants": merchants}
        orders = booked(1, start, end, merchants=merchants)
        days = [order.created_at.astimezone(zone).date() for order in orders]
        names = Counter(day.replace(day=1) if step == "month" else day for day in days)
        assert counts(totals.figures(**wanted, group_by=["service", step], zone=zone)) == names
        hours = Counter(order.created_at.replace(minute=0, second=0, microsecond=0) for order in orders)
        assert counts(totals.figures(**wanted, group_by=["hour"])) == hours
        owners = Counter(order.merchant_id for order in orders)
        assert counts(totals.figures(**wanted, group_by=["merchant"])) == owners

    compare()
    fold()
    compare()


def counts(found: Iterable[Figures]) -> Counter[Any]:
    """Return the number of orders by the last part of the group."""
    result: Counter[Any] = Counter()
    for row in found:
        result[row.group[-1]] += row.order_count
    return result


@pytest.mark.django_db
def test_amounts_equal_the_book_folded_or_not_a2(desks: list[Desk]) -> None:
    owner = desks[0].registered.merchant.pk

    @few
    @given(moments, moments, st.sampled_from([1, 2]), st.sampled_from([None, [owner], []]),
           st.none() | st.booleans())  # fmt: skip
    def compare(a: datetime, b: datetime, kind: int, merchants: Any, is_test: Any) -> None:
        start, end = min(a, b), max(a, b)
        found = totals.amounts(kind=kind, start=start, end=end, merchants=merchants, is_test=is_test)
        orders = booked(kind, start, end, merchants=merchants, is_test=is_test)
        expected = Counter(bucket(order.requested_amount) for order in orders)
        paid = Counter(bucket(order.requested_amount) for order in orders if order.status == 1)
        assert {row.bucket: row.order_count for row in found} == expected
        assert {row.bucket: row.success_count for row in found if row.success_count} == paid

    compare()
    fold()
    compare()


def bucket(amount: Decimal) -> int:
    return sum(1 for edge in totals.AMOUNT_EDGES if edge <= amount)


@pytest.mark.django_db
def test_an_open_end_reaches_as_far_as_the_book_does_a2(desks: list[Desk]) -> None:
    middle = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    whole = read(totals.figures(kind=1, start=None, end=None))
    assert whole == summed(Payment.objects.all())
    before = read(totals.figures(kind=1, start=None, end=middle))
    after = read(totals.figures(kind=1, start=middle, end=None))
    assert before == summed(Payment.objects.filter(created_at__lt=middle))
    assert tuple(a + b for a, b in zip(before, after, strict=True)) == whole
    assert totals.figures(kind=1, start=middle, end=middle) == []
    assert totals.figures(kind=1, start=None, end=None, merchants=[]) == []
    in_whole_days = read(totals.figures(kind=1, start=FIRST, end=LAST))
    assert in_whole_days == summed(booked(1, FIRST, LAST))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"group_by": ["payer"]}, "not kept by payer"),
        ({"group_by": ["hour", "day"]}, "one period"),
        ({"group_by": ["hour"], "end": None}, "two ends"),
        ({"group_by": ["day"]}, "of a zone"),
    ],
)
def test_what_cannot_be_counted_is_refused(changes: dict[str, Any], words: str) -> None:
    wanted = {"kind": 1, "start": FIRST, "end": LAST, **changes}
    with pytest.raises(ValueError, match=words):
        totals.figures(**wanted)


@pytest.mark.django_db
def test_the_edges_of_amounts_are_the_databases() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT records_amount_edges(), records_amount_bucket(199.999999)")
        edges, found = cursor.fetchone()
    assert tuple(edges) == totals.AMOUNT_EDGES
    assert found == bucket(Decimal("199.999999")) == 7


def test_a_range_falls_apart_without_gap_or_overlap() -> None:
    new_york = ZoneInfo("America/New_York")
    edges, names = periods.split(FIRST, LAST, step="day", zone=new_york)
    assert names[0] == date(2026, 10, 28)
    assert [b - a for a, b in itertools.pairwise(edges)][3:5] == [timedelta(hours=24), timedelta(hours=25)]
    cover = periods.cover([FIRST + timedelta(minutes=20), LAST - timedelta(minutes=50)])
    assert [end - start for start, end in cover.book] == [timedelta(minutes=40), timedelta(minutes=10)]
    whole = (*cover.folded, *cover.book)
    assert sum((b - a for a, b in whole), timedelta()) == timedelta(days=5, hours=22, minutes=50)
    assert periods.cover([FIRST, FIRST + timedelta(minutes=5)]).folded == ()
