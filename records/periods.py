"""How a time range falls apart: into hours and days that totals know, and ends that only the book knows.

Pure. Every range is half-open, every instant aware; totals count whole hours and whole days of UTC.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
# Most zones of the world begin their day at a multiple of it, or an hour or two beside one.
FOUR_HOURS = timedelta(hours=4)
DAY = timedelta(days=1)
# Stand for "since ever" and "for ever": midnights of UTC, so that nothing of them falls to the book.
EVER = datetime(1, 1, 2, tzinfo=UTC)
NEVER = datetime(9999, 12, 30, tzinfo=UTC)

Range = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What to read of a range: totals by their steps, and the book itself.

    What is `kept` in totals and in the `book` does not overlap. What is `off` was kept too but lies outside
    the range: it is counted in the book and taken off. All together are the range.
    """

    kept: Mapping[timedelta, tuple[Range, ...]]
    book: tuple[Range, ...]
    off: tuple[Range, ...] = ()

    @property
    def folded(self) -> tuple[Range, ...]:
        """Return all that totals hold of it: there, and nowhere else, deltas are added."""
        return _joined(each for ranges in self.kept.values() for each in ranges)


def cover(
    edges: Sequence[datetime],
    *,
    steps: Sequence[timedelta] = (DAY, HOUR),
    has_off: bool = False,
    now: datetime | None = None,
) -> Cover:
    """Return what to read so that nothing read lies across one of the edges.

    `steps` are those by which totals are kept, the longest first. With `has_off` a step that an edge cuts is
    read from the side on which less of the book lies, of which there is none after `now`: it may then be
    kept as a whole, across the edge, and what lies outside is taken off.
    """
    kept: dict[timedelta, list[Range]] = {step: [] for step in steps}
    book: list[Range] = []
    off: list[Range] = []
    for start, end in itertools.pairwise(edges):
        for rest in _whole(start, end, steps, kept):
            for piece in _within_steps(rest, steps[-1]):
                beside = _beside(piece, steps[-1])
                if has_off and _length(*beside, now=now) < _length(piece, now=now):
                    kept[steps[-1]].append((beside[0][0], beside[-1][1]))
                    off += beside
                else:
                    book.append(piece)
    return Cover(
        kept={step: _joined(ranges) for step, ranges in kept.items()}, book=_joined(book), off=_joined(off)
    )


def _whole(
    start: datetime, end: datetime, steps: Sequence[timedelta], kept: Mapping[timedelta, list[Range]]
) -> list[Range]:
    """Add the whole steps of a range to what is kept, and return its ends that are no whole step."""
    if start >= end or not steps:
        return [(start, end)] if start < end else []
    first, last = rounded_up(start, steps[0]), rounded_down(end, steps[0])
    if first >= last:
        return _whole(start, end, steps[1:], kept)
    kept[steps[0]].append((first, last))
    return [*_whole(start, first, steps[1:], kept), *_whole(last, end, steps[1:], kept)]


def _within_steps(rest: Range, step: timedelta) -> list[Range]:
    """Return the parts of a range, shorter than two steps, that lie within one step each."""
    middle = rounded_up(rest[0], step)
    return [rest] if middle >= rest[1] else [(rest[0], middle), (middle, rest[1])]


def _beside(piece: Range, step: timedelta) -> tuple[Range, Range]:
    """Return what the step in which a piece lies has before and after it."""
    begin = rounded_down(piece[0], step)
    return (begin, piece[0]), (piece[1], begin + step)


def _length(*ranges: Range, now: datetime | None) -> timedelta:
    """Return how much of the ranges can have orders."""
    latest = now or NEVER
    return sum((max(min(end, latest) - start, timedelta()) for start, end in ranges), timedelta())


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
