"""The one statement that reads totals, deltas and the book of some ranges together, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from records import periods

PAYMENTS: Final = 1
PAYOUTS: Final = 2
OWN: Final = "OWN"
_TABLES = {PAYMENTS: "records_payment", PAYOUTS: "records_payout"}
_REFERENCES = ("merchant", "service", "channel", "currency", "settlement_currency")
# Where a range is looked up: by service and channel for all merchants or for each, or for neither.
PLATFORM: Final = "records_platformtotal"
SUMMARY: Final = "records_summarytotal"
MERCHANTS: Final = ""
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


def kept_in(wanted: Filter, group_by: Sequence[str]) -> str:
    """Return which totals have the fewest rows for what is asked."""
    if wanted.merchants is None and "merchant" in group_by:
        return MERCHANTS
    if wanted.services is None and wanted.channels is None and not {"service", "channel"} & set(group_by):
        return SUMMARY
    return PLATFORM if wanted.merchants is None else MERCHANTS


def add_cover(parts: Parts, pieces: periods.Cover, *, kept: str) -> None:
    """Read days and hours from the totals that are `kept` for it, what is not folded, the ends."""
    if kept == MERCHANTS:
        parts.add("records_orderhourtotal", ranges=pieces.hours)
        parts.add("records_orderdaytotal", ranges=pieces.days, time="day")
    else:
        all_merchants = " AND merchant = ''" if kept == SUMMARY and not parts.has_merchants else ""
        for grain, ranges in (("hour", pieces.hours), ("day", pieces.days)):
            parts.add(kept, ranges=ranges, where=f"grain = '{grain}'{all_merchants}", time="start")
    parts.add("records_orderdelta", ranges=pieces.folded)
    parts.add_book(pieces.book)


class Parts:
    """The parts of one statement, each a SELECT of the same columns, with their parameters in order."""

    def __init__(self, *, wanted: Filter, columns: str, book: str, edges: Sequence[datetime] = ()) -> None:
        self._wanted, self._columns, self._book = wanted, columns, book
        # Edges within a range: the part before the first one is number 0 and has no edge of its own.
        self._edges = list(edges[:-1])
        self._texts: list[str] = []
        self._parameters: list[Any] = []

    @property
    def has_merchants(self) -> bool:
        """Whether only the orders of certain merchants are wanted."""
        return self._wanted.merchants is not None

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

    def add_book(self, ranges: Sequence[periods.Range]) -> None:
        """Read the orders themselves, with the names that totals give their columns."""
        if not ranges:
            return
        names = ", ".join(f"{name}_id AS {name}" for name in _REFERENCES)
        table = _TABLES[self._wanted.kind]
        last = _LAST_AMOUNT[self._wanted.kind]
        orders = (
            f"(SELECT {names}, is_test, status, created_at, requested_amount, actual_amount, fee, {last}"  # noqa: S608
            f" FROM {table}) AS orders"
        )
        self._select(self._book, orders, "created_at")
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
