"""One clock."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfoNotFoundError

import pytest
from django.db import connection

from diamondpay.lib import clock


@pytest.mark.django_db
def test_now_is_the_databases_time_in_utc_and_moves_on_inside_a_transaction() -> None:
    """F14: windows by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now(), clock_timestamp()")
        begun, before = cursor.fetchone()
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert begun < before < first < second < before + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("instant", "zone", "wanted"),
    [
        ("2026-03-01 15:59:59", "Asia/Shanghai", "2026-03-01 16:00:00"),
        ("2026-03-01 16:00:00", "Asia/Shanghai", "2026-03-02 16:00:00"),
        ("2026-03-28 23:30:00", "Europe/Berlin", "2026-03-29 22:00:00"),
        ("2026-10-24 22:30:00", "Europe/Berlin", "2026-10-25 23:00:00"),
        # 31 March 2024 had no midnight in Beirut: 00:00 became 01:00.
        ("2024-03-30 12:00:00", "Asia/Beirut", "2024-03-30 22:00:00"),
        ("2026-12-31 12:00:00", "UTC", "2027-01-01 00:00:00"),
    ],
)
def test_local_midnight_after_is_the_next_days_first_moment(instant: str, zone: str, wanted: str) -> None:
    found = clock.local_midnight_after(datetime.fromisoformat(f"{instant}+00:00"), zone)
    assert found == datetime.fromisoformat(f"{wanted}+00:00")
    assert found.utcoffset() == timedelta(0)


def test_local_midnight_after_takes_an_instant_of_any_zone_but_no_naive_one() -> None:
    here = datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=8)))
    assert clock.local_midnight_after(here, "Asia/Shanghai") == datetime(2026, 3, 2, 16, tzinfo=UTC)
    with pytest.raises(ValueError, match="aware"):
        clock.local_midnight_after(datetime(2026, 3, 2), "Asia/Shanghai")  # noqa: DTZ001
    with pytest.raises(ZoneInfoNotFoundError):
        clock.local_midnight_after(here, "Asia/Nowhere")
