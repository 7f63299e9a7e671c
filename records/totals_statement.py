"""The one statement that reads totals, deltas and the book of some ranges together, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection

from records import periods

PAYMENTS: Final = 1
PAYOUTS: Final = 2
OWN: Final = "OWN"
_TABLES = {PAYMENTS: "records_payment", PAYOUTS: "records_payout"}
_REFERENCES = ("merchant", "service", "channel", "currency", "settlement_currency")
_LAST_AMOUNT = {PAYMENTS: "credited_amount", PAYOUTS: "debited_amount"}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What orders to count; None leaves a dimension open, an empty sequence matches nothing.

    `settled` is OWN for orders that settle in their own currency, or the currency into which they are
    converted.
    """

    kind: int
    merchants: Sequence[str] | None = None
    services: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    currencies: Sequence[str] | None = None
    statuses: Sequence[int] | None = None
    settled: str | None = None
    is_test: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table of totals that is kept by a step, and which of its rows are meant."""

    step: timedelta
    table: str
    time: str = "start"
    where: str = ""


def _grains(table: str, where: str, *steps: timedelta) -> tuple[Source, ...]:
    grained = ((step, f"grain = '{_GRAINS[step]}'") for step in steps)
    return tuple(
        Source(step=step, table=table, where=f"{grain} AND {where}" if where else grain)
        for step, grain in grained
    )


_GRAINS = {periods.HOUR: "hour", periods.FOUR_HOURS: "4h", periods.DAY: "day"}
_HOURS_OF_MERCHANTS = Source(step=periods.HOUR, table="records_orderhourtotal", time="hour")
_MERCHANTS = (Source(step=periods.DAY, table="records_orderdaytotal", time="day"), _HOURS_OF_MERCHANTS)
_PLATFORM = _grains("records_platformtotal", "", periods.DAY, periods.HOUR)
_STEPS = (periods.DAY, periods.FOUR_HOURS, periods.HOUR)
_OF_ALL, _BY_SERVICE = "service = ''", "service <> ''"
_TOGETHER = "merchant = ''"
_SUMMARIES = {
    True: _grains("records_summarytotal", _OF_ALL, *_STEPS),
    False: _grains("records_summarytotal", f"{_OF_ALL} AND {_TOGETHER}", *_STEPS),
}
_SERVICES = {
    True: (*_grains("records_summarytotal", _BY_SERVICE, periods.DAY), _HOURS_OF_MERCHANTS),
    False: (
        *_grains("records_summarytotal", f"{_BY_SERVICE} AND {_TOGETHER}", periods.DAY, periods.FOUR_HOURS),
        *_grains("records_platformtotal", "", periods.HOUR),
    ),
}
# By whether merchants are named, and whether services and channels are left open.
AMOUNTS = {
    (False, True): _grains("records_amounttotal", f"{_OF_ALL} AND {_TOGETHER}", periods.DAY, periods.HOUR),
    (False, False): _grains(
        "records_amounttotal", f"{_BY_SERVICE} AND {_TOGETHER}", periods.DAY, periods.HOUR
    ),
    (True, True): _grains("records_amounttotal", _OF_ALL, periods.DAY, periods.FOUR_HOURS),
    (True, False): _grains("records_amounttotal", _BY_SERVICE, periods.DAY),
}


def kept_in(wanted: Filter, group_by: Sequence[str]) -> tuple[Source, ...]:
    """Return the totals that have the fewest rows for what is asked, those of the longest step first."""
    has_merchants = wanted.merchants is not None
    if not has_merchants and "merchant" in group_by:
        return _MERCHANTS
    if wanted.channels is None and "channel" not in group_by:
        by_service = wanted.services is not None or "service" in group_by
        return (_SERVICES if by_service else _SUMMARIES)[has_merchants]
    return _MERCHANTS if has_merchants else _PLATFORM


def add_cover(
    parts: Parts,
    edges: Sequence[datetime],
    *,
    sources: Sequence[Source],
    has_off: bool = True,
    now: datetime | None = None,
) -> None:
    """Read a range from the totals that are kept for it, what is not folded, and the ends from the book.

    Groups that lie between edges cannot have anything taken off: it lies in another group.
    """
    pieces = periods.cover(edges, steps=[source.step for source in sources], has_off=has_off, now=now)
    for source in sources:
        parts.add(source.table, ranges=pieces.kept[source.step], where=source.where, time=source.time)
    parts.add("records_orderdelta", ranges=pieces.folded, columns=parts.delta)
    parts.add_book(pieces.book)
    parts.add_book(pieces.off, is_taken_off=True)


class Parts:
    """The parts of one statement, each a SELECT of the same columns, with their parameters in order."""

    def __init__(
        self,
        *,
        wanted: Filter,
        columns: str,
        book: str,
        measures: Sequence[str],
        delta: str = "",
        edges: Sequence[datetime] = (),
    ) -> None:
        """Keep how the columns are called in totals, and what they are in the book.

        In the book the `measures` come after `book`, which says by what they are grouped. `delta` are the
        columns as deltas have them, where they have others.
        """
        self._wanted, self._columns = wanted, columns
        self._book, self._measures, self.delta = book, measures, delta
        # Edges within a range: the part before the first one is number 0 and has no edge of its own.
        self._edges = list(edges[:-1])
        self._texts: list[str] = []
        self._parameters: list[Any] = []

    def extend(self, other: Parts) -> None:
        """Read what the other reads too."""
        self._texts += other._texts
        self._parameters += other._parameters

    def add(
        self,
        table: str,
        *,
        ranges: Sequence[periods.Range] | None = None,
        where: str = "",
        time: str = "hour",
        columns: str = "",
    ) -> None:
        """Read a table of totals or the deltas within the ranges; None for all time."""
        if ranges is not None and not ranges:
            return
        instant = "(day::timestamp AT TIME ZONE 'UTC')" if time == "day" else time
        self._select(columns or self._columns, table, instant)
        conditions = ["kind = %s", *([where] if where else [])]
        self._parameters.append(self._wanted.kind)
        if ranges is not None:
            bounds = [(a.date(), b.date()) if time == "day" else (a, b) for a, b in ranges]
            conditions.append(self._within(time, bounds))
        self._texts[-1] += " WHERE " + " AND ".join([*conditions, *self._dimensions()])

    def add_book(self, ranges: Sequence[periods.Range], *, is_taken_off: bool = False) -> None:
        """Read the orders themselves, with the names that totals give their columns, or take them off."""
        if not ranges:
            return
        names = ", ".join(f"{name}_id AS {name}" for name in _REFERENCES)
        table = _TABLES[self._wanted.kind]
        last = _LAST_AMOUNT[self._wanted.kind]
        orders = (
            f"(SELECT {names}, is_test, status, created_at, requested_amount, actual_amount, fee, {last}"  # noqa: S608
            f" FROM {table}) AS orders"
        )
        sign = "-" if is_taken_off else ""
        measures = (f"{sign}{measure}" for measure in self._measures)
        self._select(", ".join([self._book, *measures]), orders, "created_at")
        conditions = [self._within("created_at", list(ranges)), *self._dimensions()]
        self._texts[-1] += " WHERE " + " AND ".join(conditions)

    def run(self, outer: str) -> list[tuple[Any, ...]]:
        """Return the rows of the outer statement over all parts; none where there are no parts."""
        if not self._texts:
            return []
        with connection.cursor() as cursor:
            cursor.execute(outer.format(parts=" UNION ALL ".join(self._texts)), self._parameters)
            return list(cursor.fetchall())

    def _select(self, columns: str, table: str, instant: str) -> None:
        count = columns.count("{edges}")
        self._texts.append(
            f"SELECT {columns.format(time=instant, edges='%s::timestamptz[]')} FROM {table}"  # noqa: S608
        )
        self._parameters += [self._edges] * count

    def _within(self, column: str, ranges: Sequence[tuple[date, date]]) -> str:
        for each in ranges:
            self._parameters += each
        return "(" + " OR ".join([f"{column} >= %s AND {column} < %s"] * len(ranges)) + ")"

    def _dimensions(self) -> Iterator[str]:
        """Name the conditions of the filter, each with its parameter."""
        wanted = self._wanted
        lists = (
            ("merchant", wanted.merchants), ("service", wanted.services), ("channel", wanted.channels),
            ("currency", wanted.currencies), ("status", wanted.statuses),
        )  # fmt: skip
        for name, values in lists:
            if values is not None:
                self._parameters.append(list(values))
                yield f"{name} = ANY(%s)"
        if wanted.settled == OWN:
            yield "settlement_currency = currency"
        elif wanted.settled is not None:
            self._parameters.append(wanted.settled)
            yield "settlement_currency = %s AND settlement_currency <> currency"
        if wanted.is_test is not None:
            self._parameters.append(wanted.is_test)
            yield "is_test = %s"
