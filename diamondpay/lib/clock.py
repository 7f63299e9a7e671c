"""The one clock: PostgreSQL's, read once per use case and passed down."""

import time as seconds
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from diamondpay.lib import sql

ReadClock = Callable[[], datetime]


def now() -> datetime:
    """Return the database's present time as an aware UTC datetime.

    `clock_timestamp()` and not `now()`: inside a long transaction the latter stands still.
    """
    instant: datetime = sql.rows("SELECT clock_timestamp()", {})[0][0]
    return instant.astimezone(UTC)


def moment_of(request: Any) -> datetime:
    """Return the moment of a page, read once for a request."""
    if not hasattr(request, "moment"):
        request.moment = now()
    found: datetime = request.moment
    return found


def going_on_from(instant: datetime) -> ReadClock:
    """Return a clock that shows `instant` now and goes on from there; for use cases told their time."""
    started = seconds.monotonic()
    return lambda: instant + timedelta(seconds=seconds.monotonic() - started)


def local_midnight_after(instant: datetime, zone_name: str) -> datetime:
    """Return, in UTC, the first moment of the day after `instant`'s day in the zone.

    Where a change of clocks skips midnight, that is the first moment that exists.
    Raises: ValueError for a naive instant; zoneinfo.ZoneInfoNotFoundError for an unknown zone.
    """
    if instant.tzinfo is None:
        raise ValueError("instant must be aware")
    zone = ZoneInfo(zone_name)
    next_day = instant.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(next_day, time.min, tzinfo=zone).astimezone(UTC)
