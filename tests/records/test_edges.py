"""A2: what a range cuts off is counted from the side where less of the book lies, and to the same sum."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from operations import placement
from records import checks, periods, totals
from records.models import Payment
from tests.records.test_figures import bucket, desks, few, fold, moments
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "desks", "upstream"]
DAY = datetime(2026, 11, 10, tzinfo=UTC)
HOUR, FOUR, WHOLE = periods.HOUR, periods.FOUR_HOURS, periods.DAY


def at(hours: float) -> datetime:
    return DAY + timedelta(hours=hours)


def test_a_day_of_a_zone_is_made_of_days_four_hours_and_hours() -> None:
    # From 16:00 on, as a day of Shanghai, to 5:00, as one of New York.
    cover = periods.cover([at(-8), at(29)], steps=(WHOLE, FOUR, HOUR))
    assert cover.kept == {
        WHOLE: ((at(0), at(24)),), FOUR: ((at(-8), at(0)), (at(24), at(28))), HOUR: ((at(28), at(29)),),
    }  # fmt: skip
    assert (cover.book, cover.off, cover.folded) == ((), (), ((at(-8), at(29)),))


def test_the_side_of_an_hour_with_less_of_the_book_is_counted() -> None:
    near = periods.cover([at(0.75), at(3.25)], steps=(HOUR,), has_off=True)
    assert (near.book, near.off) == (((at(0.75), at(1)), (at(3), at(3.25))), ())
    assert near.kept == {HOUR: ((at(1), at(3)),)}
    far = periods.cover([at(0.25), at(3.75)], steps=(HOUR,), has_off=True)
    assert (far.book, far.off) == ((), ((at(0), at(0.25)), (at(3.75), at(4))))
    assert far.kept == {HOUR: ((at(0), at(4)),)}
    both = periods.cover([at(0.25), at(0.9)], steps=(HOUR,), has_off=True)
    assert (both.book, both.off) == ((), ((at(0), at(0.25)), (at(0.9), at(1))))
    # Without leave nothing outside the range is read.
    assert periods.cover([at(0.25), at(3.75)], steps=(HOUR,)).off == ()


def test_after_now_there_is_nothing_to_count() -> None:
    wanted = [at(0), at(3.25)]
    now = at(3.25) + timedelta(seconds=40)
    assert periods.cover(wanted, steps=(HOUR,), has_off=True, now=now).off == ((at(3.25), at(4)),)
    # The rest of today, of which a day's beginning has most, is empty.
    today = periods.cover([at(-8), at(16)], steps=(WHOLE,), has_off=True, now=at(11))
    assert (today.book, today.off) == (((at(-8), at(0)),), ((at(16), at(24)),))
    assert today.kept == {WHOLE: ((at(0), at(24)),)}


@pytest.mark.django_db
def test_every_step_and_side_adds_up_to_the_book_a2(desks: list[Desk]) -> None:
    owner = desks[0].registered.merchant.pk

    @few
    @given(moments, moments, moments, st.sampled_from([None, [owner]]), st.sampled_from([None, ["SVC0001"]]))
    def compare(a: datetime, b: datetime, now: datetime, merchants: Any, services: Any) -> None:
        start, end = min(a, b), max(a, b)
        orders = [
            order for order in Payment.objects.filter(created_at__gte=start, created_at__lt=end)
            if merchants is None or order.merchant_id == owner
        ]  # fmt: skip
        wanted: dict[str, Any] = {"kind": 1, "start": start, "end": end, "merchants": merchants}
        found = totals.figures(**wanted, services=services, group_by=["service"])
        assert sum(row.order_count for row in found) == len(orders)
        assert sum(row.requested_sum for row in found) == sum(order.requested_amount for order in orders)
        spread = totals.amounts(**wanted, services=services, now=now)
        assert {row.bucket: row.order_count for row in spread} == Counter(
            bucket(order.requested_amount) for order in orders
        )
        ranges = [(start, end), (start - timedelta(days=1), end - timedelta(days=1))]
        today, _yesterday = totals.compared(kind=1, ranges=ranges, merchants=merchants, now=now)
        assert sum(row.order_count for row in today) == len(orders)

    compare()
    fold()
    compare()


@pytest.fixture
def cut(desk: Desk) -> Desk:
    """A merchant's deposits on both sides of the midnights of Shanghai and New York, folded but for one."""
    for hours, amount in ((-8.01, 1), (-7.9, 20), (-0.1, 300), (4.9, 5), (5.1, 60), (15.9, 700), (16.1, 8)):
        if hours == 16.1:
            fold()
        placement.place_payment(order=desk.new_payment(str(amount)), now=at(hours))
    return desk


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "services", "amounts", "sides"),
    [
        # 16:00 to 16:00 UTC is made of whole steps of four hours.
        ("Asia/Shanghai", None, [20, 300, 5, 60, 700], 0),
        # Of a service there are days alone: eight hours of the first are counted, of the second taken off.
        ("Asia/Shanghai", ["SVC0001"], [20, 300, 5, 60, 700], 2),
        # 5:00 to 5:00 UTC, the day before: an hour is taken off where it begins, and counted where it ends.
        ("America/New_York", None, [1, 20, 300, 5], 2),
        ("America/New_York", ["SVC0001"], [1, 20, 300, 5], 2),
    ],
)
def test_a_merchants_amounts_of_a_day_are_exact_east_and_west_of_utc_a2(
    cut: Desk, zone: str, services: list[str] | None, amounts: list[int], sides: int
) -> None:
    day = (DAY if zone == "Asia/Shanghai" else DAY - timedelta(days=1)).date()
    start = datetime.combine(day, datetime.min.time(), tzinfo=ZoneInfo(zone))
    owner = cut.registered.merchant.pk
    with CaptureQueriesContext(connection) as captured:
        found = totals.amounts(
            kind=1, start=start, end=start + timedelta(days=1), merchants=[owner], services=services
        )
    assert {row.bucket: row.order_count for row in found} == Counter(bucket(Decimal(a)) for a in amounts)
    assert len(captured) == 1
    assert captured[0]["sql"].count("FROM records_payment") == sides


@pytest.mark.django_db
def test_a_service_has_no_hours_of_its_own_and_equals_the_book_a2(cut: Desk) -> None:
    for start, end in itertools.combinations([at(-8), at(-7), at(0), at(5), at(6), at(16), at(24)], 2):
        expected = Payment.objects.filter(created_at__gte=start, created_at__lt=end).count()
        for merchants in (None, [cut.registered.merchant.pk]):
            found = totals.figures(kind=1, start=start, end=end, merchants=merchants, group_by=["service"])
            assert sum(row.order_count for row in found) == expected
    assert checks.violations() == []


@pytest.mark.tampers
@pytest.mark.django_db(transaction=True)
def test_the_audit_finds_wrong_amounts_of_four_hours_a2(
    cut: Desk, owner_connection: psycopg.Connection
) -> None:
    fold()
    assert checks.violations() == []
    owner_connection.execute(b"DELETE FROM records_amounttotal WHERE grain = '4h' AND bucket = 1")
    assert dict(checks.violations()) == {"check_totals_of_amounts": 1}


@pytest.mark.tampers
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rows", ["service <> ''", "grain = '4h'", "merchant = '' AND grain = 'hour'"])
def test_the_audit_finds_a_wrong_summary_and_counting_anew_mends_it_a2(
    cut: Desk, owner_connection: psycopg.Connection, rows: str
) -> None:
    fold()
    owner_connection.execute(
        f"UPDATE records_summarytotal SET order_count = order_count + 1 WHERE {rows}".encode()
    )
    assert dict(checks.violations())["check_totals_of_summaries"] > 0
    owner_connection.execute(b"SELECT records_refill_summaries()")
    assert checks.violations() == []
