"""How a time range falls apart: into hours and days that totals know, and ends that only the book knows.

Pure. Every range is half-open, every instant aware; totals count whole hours and whole days of UTC.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Stand for "since ever" and "for ever": midnights of UTC, so that nothing of them falls to the book.
EVER = datetime(1, 1, 2, tzinfo=UTC)
NEVER = datetime(9999, 12, 30, tzinfo=UTC)

Range = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What to read of a range: totals by the day, totals by the hour, and the book itself.

    The three do not overlap, and their union is the range. `folded` is what totals hold of it: there, and
    nowhere else, deltas are added.
    """

    days: tuple[Range, ...]
    hours: tuple[Range, ...]
    book: tuple[Range, ...]

    @property
    def folded(self) -> tuple[Range, ...]:
        """Return the days and hours together."""
        return _joined((*self.days, *self.hours))


def cover(edges: Sequence[datetime], *, has_days: bool = True, has_hours: bool = True) -> Cover:
    """Return what to read so that nothing read lies across one of the edges.

    Without days or hours, as where no such totals are kept, the next smaller part stands in for them.
    """
    days: list[Range] = []
    hours: list[Range] = []
    book: list[Range] = []
    for start, end in itertools.pairwise(edges):
        first_day, last_day = rounded_up(start, DAY), rounded_down(end, DAY)
        is_whole = has_days and first_day < last_day
        for a, b in ((start, first_day), (last_day, end)) if is_whole else ((start, end),):
            first, last = rounded_up(a, HOUR), rounded_down(b, HOUR)
            if has_hours and first < last:
                book += [(a, first), (last, b)]
                hours.append((first, last))
            else:
                book.append((a, b))
        if is_whole:
            days.append((first_day, last_day))
    return Cover(days=_joined(days), hours=_joined(hours), book=_joined(book))


def split(start: datetime, end: datetime, *, step: str, zone: ZoneInfo) -> tuple[list[datetime], list[date]]:
    """Return the edges of the days or months of a zone within a range, and the first day of each part.

    The first and the last part are cut off by the range. Units: step is `day` or `month`.
    """
    first = start.astimezone(zone).date()
    names = [first.replace(day=1) if step == "month" else first]
    edges = [start.astimezone(UTC)]
    while (following := _midnight(_next(names[-1], step), zone)) < end:
        edges.append(following)
        names.append(_next(names[-1], step))
    return [*edges, end.astimezone(UTC)], names


def rounded_down(moment: datetime, step: timedelta) -> datetime:
    """Return the beginning of the hour or day of UTC in which the moment lies."""
    moment = moment.astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step


def rounded_up(moment: datetime, step: timedelta) -> datetime:
    """Return the moment where an hour or day of UTC begins with it, else where the next one begins."""
    down = rounded_down(moment, step)
    return down if down == moment else down + step


def _next(day: date, step: str) -> date:
    return day + DAY if step == "day" else (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day; where a change of clocks skips midnight, the first that exists."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return the ranges in order, without empty ones, those that touch made one."""
    joined: list[Range] = []
    for start, end in sorted(each for each in ranges if each[0] < each[1]):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)
