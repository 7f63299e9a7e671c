"""Time ranges of a list, in the viewer's zone: a preset, or two ends of which each is a day or a minute.

Ranges are half-open inside: a day as the upper end is included whole, a minute as the upper end is where
the range stops. A minute may carry its distance from UTC (`2026-01-31T14:05+08:00`, `…Z`), which two hours
with one name, at the end of a summer time, need to be told apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.filters import ListFilter, Pair, shortened

DAYS_MAX = 366
ANY = "any"
_DAY = timedelta(days=1)
_YEARS = range(2000, 2101)
# Two midnights of one zone may lie an hour more or less apart than their dates.
_SLACK = timedelta(hours=2)
_SHAPE = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::\d{2}(?:\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII
)

Days = Callable[[date], tuple[date, date]]


def _this_month(today: date) -> tuple[date, date]:
    return today.replace(day=1), today


def _last_month(today: date) -> tuple[date, date]:
    last = today.replace(day=1) - _DAY
    return last.replace(day=1), last


# First and last day of each preset, both included.
_PRESETS: dict[str, tuple[Any, Days]] = {
    "today": (_("Today"), lambda today: (today, today)),
    "yesterday": (_("Yesterday"), lambda today: (today - _DAY, today - _DAY)),
    "7d": (_("Last 7 days"), lambda today: (today - 6 * _DAY, today)),
    "30d": (_("Last 30 days"), lambda today: (today - 29 * _DAY, today)),
    "month": (_("This month"), _this_month),
    "last_month": (_("Last month"), _last_month),
}
_ANY_WORD = _("Any time")


@dataclass(frozen=True, kw_only=True)
class Window:
    """A half-open range [start, end); None is no end. `first` and `last` are the ends as they were given."""

    start: datetime | None = None
    end: datetime | None = None
    preset: str = ""
    first: str = ""
    last: str = ""
    is_default: bool = False


class Moments(ListFilter):
    """A time range. `preset` is the range until another is chosen; without one, that is any time.

    Any time is served by the index in whose order the list is, so it is allowed; a range of two ends that
    is longer than 366 days is refused.
    """

    suffixes: ClassVar[tuple[str, ...]] = ("", "from", "to")
    control = "moments"

    def __init__(self, field_name: str, *, preset: str = ANY, **options: Any) -> None:
        super().__init__(field_name, **options)
        self.preset = preset

    def read(self, raw: dict[str, list[str]]) -> Window | None:
        """Return the range. Raises: ValidationError, with how to narrow it where it is too long."""
        preset, first, last = (self.single(raw, suffix) or "" for suffix in self.suffixes)
        if first or last:
            # The form sends its preset with the ends that were typed; the ends are what is meant.
            return self._between(first, last)
        if preset and preset != ANY and preset not in _PRESETS:
            raise self.unreadable(preset)
        chosen = preset or self.preset
        if chosen == ANY:
            return Window(preset=ANY) if preset and preset != self.preset else None
        viewer = self.viewer
        days = _PRESETS[chosen][1](viewer.now.astimezone(viewer.zone).date())
        return Window(
            start=_midnight(days[0], viewer.zone), end=_midnight(days[1] + _DAY, viewer.zone),
            preset=chosen, is_default=not preset,
        )  # fmt: skip

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows in the range."""
        if value is not None and value.start is not None:
            qs = qs.filter(**{f"{self.field_name}__gte": value.start})
        if value is not None and value.end is not None:
            qs = qs.filter(**{f"{self.field_name}__lt": value.end})
        return qs

    def pairs(self, value: Any) -> list[Pair]:
        """Return the preset unless it is the default, or the ends as they were given."""
        if value.preset:
            return [] if value.is_default else [(self.name, value.preset)]
        ends = ((self.names["from"], value.first), (self.names["to"], value.last))
        return [(name, text) for name, text in ends if text]

    def chips(self, value: Any) -> list[tuple[str, list[Pair]]]:
        """Return the range; taking it away leaves any time."""
        if value.preset == ANY:
            return []
        return [(self.words(value), [] if self.preset == ANY else [(self.name, ANY)])]

    def words(self, value: Any) -> str:
        """Return the range."""
        if value.preset:
            return str(_ANY_WORD if value.preset == ANY else _PRESETS[value.preset][0])
        ends = (value.first or "…", value.last or "…")
        return " – ".join(end.replace("T", " ") for end in ends)

    def options(self, value: Any) -> list[tuple[str, str, bool]]:
        """Return the presets; the one by default is asked for by saying nothing."""
        chosen = "" if value is not None and not value.preset else getattr(value, "preset", ANY)
        presets = [*((name, word) for name, (word, _days) in _PRESETS.items()), (ANY, _ANY_WORD)]
        return [("" if name == self.preset else name, str(word), name == chosen) for name, word in presets]

    def _between(self, first: str, last: str) -> Window:
        start = self._moment(first, is_last=False) if first else None
        end = self._moment(last, is_last=True) if last else None
        if start is not None and end is not None and start >= end:
            raise ValidationError(gettext("The range ends before it begins; nothing can match."))
        if start is not None and (end or self.viewer.now) - start > DAYS_MAX * _DAY + _SLACK:
            words = gettext(
                "The range is longer than %(days)d days. Choose a shorter one, or any time together with "
                "a merchant, a status or an order number."
            )
            raise ValidationError(words % {"days": DAYS_MAX})
        return Window(start=start, end=end, first=first, last=last)

    def _moment(self, text: str, *, is_last: bool) -> datetime:
        wrong = ValidationError(
            gettext("“%s” is not a day or minute; write it like 2026-01-31 or 2026-01-31T14:05.")
            % shortened(text)
        )
        match = _SHAPE.fullmatch(text)
        if match is None or int(text[:4]) not in _YEARS:
            raise wrong
        try:
            day = date.fromisoformat(match[1])
            if match[2] is None:
                return _midnight(day + _DAY if is_last else day, self.viewer.zone)
            moment = datetime.fromisoformat(text.replace(" ", "T"))
        except ValueError:
            raise wrong from None
        return moment if moment.tzinfo else moment.replace(tzinfo=self.viewer.zone).astimezone(UTC)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day; where a change of clocks skips midnight, the first that exists."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
