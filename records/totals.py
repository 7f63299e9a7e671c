"""Counts and sums of orders, exact at every moment and at the same cost at any size.

Totals hold what has been folded, deltas what has not yet; both are read in one statement. The ends of a
range that fall inside an hour are counted in the book itself. What a single merchant has stands in totals by
merchant; what all have together in totals of the platform, which have far fewer rows; and what asks for no
service and no channel in summaries, which have fewer still.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from records import periods
from records.models.totals import MEASURES
from records.totals_statement import AMOUNTS, OWN, PAYMENTS, PAYOUTS, Filter, Parts, add_cover, kept_in

__all__ = ["OWN", "PAYMENTS", "PAYOUTS"]

SUCCESS = 1
DIMENSIONS = frozenset({"service", "channel", "merchant", "status", "hour", "day", "month"})
_PERIODS = frozenset({"hour", "day", "month"})

# A bucket holds amounts from its edge up to, but without, the next; the database has the same list.
AMOUNT_EDGES: tuple[Decimal, ...] = tuple(
    Decimal(digit).scaleb(power) for power in range(11) for digit in (1, 2, 5)
)[:31]

_BOOK_SUMS = {
    PAYMENTS: (
        "1", "requested_amount", "coalesce(actual_amount, 0)", "coalesce(fee, 0)",
        "coalesce(credited_amount, 0)",
    ),
    PAYOUTS: (
        "1", "requested_amount", "coalesce(actual_amount, 0)", "fee",
        f"CASE WHEN status = {SUCCESS} THEN debited_amount ELSE 0 END",
    ),
}  # fmt: skip
_SUMS = ", ".join(MEASURES)
_NAMES = ("currency", "settlement_currency", "status")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Counts and sums of the orders of one currency, settlement currency and status.

    Units: requested and actual in major units of the currency, fee and credited in those of the settlement
    currency; an order without an actual amount, fee or credit counts as 0. `credited_sum` of payouts is what
    successful ones debited. `group` holds the values of `group_by` in its
    order: ids, a status, the UTC beginning of an hour, the date of a day, the first of a month.
    """

    currency: str
    settlement_currency: str
    status: int
    order_count: int
    requested_sum: Decimal
    actual_sum: Decimal
    fee_sum: Decimal
    credited_sum: Decimal
    group: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AmountCount:
    """How many orders of a currency were requested within a bucket of amounts, and how many succeeded.

    Bucket 0 is below the first of `AMOUNT_EDGES`, bucket n from the n-th edge on.
    """

    currency: str
    bucket: int
    order_count: int
    success_count: int


@contextmanager
def snapshot() -> Iterator[None]:
    """Let everything inside see one moment of the book: a read-only REPEATABLE READ transaction.

    Inside another transaction it is part of that one, whose isolation can no longer be chosen.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def order_count(
    *, kind: int, merchant_id: str, start: datetime | None = None, end: datetime | None = None
) -> int:
    """Return how many orders a merchant has, of all time or created in the half-open range [start, end).

    Units: kind is PAYMENTS or PAYOUTS. Both ends are given, or neither.
    Raises: ValueError for one end alone.
    """
    if (start is None) != (end is None):
        raise ValueError("a range has two ends")
    wanted = Filter(kind=kind, merchants=[merchant_id])
    parts = Parts(wanted=wanted, columns="merchant, order_count", book="merchant", measures=["1"])
    if start is None or end is None:
        parts.add("records_ordertotal")
        parts.add("records_orderdelta")
    elif start < end:
        add_cover(parts, [start, end], sources=kept_in(wanted, ()))
    rows = parts.run("SELECT coalesce(sum(order_count), 0) FROM ({parts}) AS parts (merchant, order_count)")
    return int(rows[0][0]) if rows else 0


def figures(
    *,
    kind: int,
    start: datetime | None,
    end: datetime | None,
    merchants: Sequence[str] | None = None,
    services: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    currencies: Sequence[str] | None = None,
    statuses: Sequence[int] | None = None,
    settled: str | None = None,
    is_test: bool | None = None,
    group_by: Sequence[str] = (),
    zone: ZoneInfo | None = None,
) -> list[Figures]:
    """Return counts and sums per currencies, status and group of the orders created in [start, end).

    None as an end is no end. Hours are UTC's, which in a half-hour zone begin at its :30; days and months
    are those of `zone`, cut off by the range. Groups without an order are left out. The order is that of
    the groups, then currencies and status.
    Raises: ValueError for an unknown dimension, two periods, a period of an open range, or days without zone.
    """
    step = _step(group_by, start=start, end=end, zone=zone)
    a, b = start or periods.EVER, end or periods.NEVER
    if a >= b:
        return []
    edges: list[datetime] = [a, b]
    names: list[date] = []
    if step in ("day", "month"):
        edges, names = periods.split(a, b, step=step, zone=zone or ZoneInfo("UTC"))
    wanted = Filter(
        kind=kind, merchants=merchants, services=services, channels=channels, currencies=currencies,
        statuses=statuses, settled=settled, is_test=is_test,
    )  # fmt: skip
    keys = [_key(name) for name in group_by]
    parts = Parts(
        wanted=wanted,
        columns=", ".join([*_NAMES, *keys, _SUMS]),
        book=", ".join([*_NAMES, *keys]),
        measures=_BOOK_SUMS[kind],
        edges=edges,
    )
    if start is None and end is None:
        parts.add("records_ordertotal")
        parts.add("records_orderdelta")
    else:
        sources = kept_in(wanted, group_by)
        if step == "hour":
            sources = sources[-1:]
        add_cover(parts, edges, sources=sources, has_off=step not in ("day", "month"))
    rows = parts.run(_grouped(len(keys)))
    return [_figures(row, group_by, names) for row in rows]


def compared(
    *,
    kind: int,
    ranges: Sequence[periods.Range],
    now: datetime,
    merchants: Sequence[str] | None = None,
    is_test: bool | None = None,
) -> list[list[Figures]]:
    """Return what `figures` does for each of some ranges, [start, end) half-open each, in one statement.

    Few orders are taken to be from after `now`; what is counted is right wherever they are.
    """
    wanted = Filter(kind=kind, merchants=merchants, is_test=is_test)
    whole = Parts(wanted=wanted, columns="", book="", measures=())
    for place, ends in enumerate(ranges):
        names = ", ".join([*_NAMES, str(place)])
        parts = Parts(
            wanted=wanted, columns=f"{names}, {_SUMS}", book=names, measures=_BOOK_SUMS[kind]
        )  # fmt: skip
        add_cover(parts, ends, sources=kept_in(wanted, ()), now=now)
        whole.extend(parts)
    found: list[list[Figures]] = [[] for _range in ranges]
    for row in whole.run(_grouped(1)):
        without = (*row[: len(_NAMES)], *row[len(_NAMES) + 1 :])
        found[row[len(_NAMES)]].append(_figures(without, (), ()))
    return found


def amounts(
    *,
    kind: int,
    start: datetime,
    end: datetime,
    merchants: Sequence[str] | None = None,
    services: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    currencies: Sequence[str] | None = None,
    is_test: bool | None = None,
    now: datetime | None = None,
) -> list[AmountCount]:
    """Return how the requested amounts of the orders created in [start, end) are distributed.

    What the range cuts off is counted in the book, from the side where less of it lies; few orders are taken
    to be from after `now`.
    """
    if start >= end:
        return []
    wanted = Filter(
        kind=kind, merchants=merchants, services=services, channels=channels, currencies=currencies,
        is_test=is_test,
    )  # fmt: skip
    parts = Parts(
        wanted=wanted,
        columns="currency, bucket, order_count, success_count",
        book="currency, records_amount_bucket(requested_amount)",
        measures=["1", f"(status = {SUCCESS})::int"],
        delta=f"currency, bucket, order_count, CASE WHEN status = {SUCCESS} THEN order_count ELSE 0 END",
    )
    is_of_all = services is None and channels is None
    add_cover(parts, [start, end], sources=AMOUNTS[merchants is not None, is_of_all], now=now)
    rows = parts.run(
        "SELECT currency, bucket, sum(order_count), sum(success_count)"
        " FROM ({parts}) AS parts (currency, bucket, order_count, success_count)"
        " GROUP BY 1, 2 HAVING sum(order_count) <> 0 ORDER BY 1, 2"
    )
    return [
        AmountCount(currency=row[0], bucket=row[1], order_count=int(row[2]), success_count=int(row[3]))
        for row in rows
    ]


def _step(
    group_by: Sequence[str], *, start: datetime | None, end: datetime | None, zone: ZoneInfo | None
) -> str:
    """Return the period among the dimensions, or nothing."""
    if unknown := sorted(set(group_by) - DIMENSIONS):
        raise ValueError(f"figures are not kept by {', '.join(unknown)}")
    steps = [name for name in group_by if name in _PERIODS]
    if len(steps) > 1:
        raise ValueError("figures are grouped by one period at a time")
    if not steps:
        return ""
    if start is None or end is None:
        raise ValueError("periods need a range with two ends")
    if steps[0] != "hour" and zone is None:
        raise ValueError("days and months are those of a zone")
    return steps[0]


def _key(name: str) -> str:
    if name == "hour":
        return "date_trunc('hour', {time}, 'UTC')"
    return "width_bucket({time}, {edges})" if name in _PERIODS else name


def _grouped(key_count: int) -> str:
    names = [*_NAMES, *(f"key_{number}" for number in range(key_count))]
    sums = ", ".join(f"sum({name})" for name in MEASURES)
    order = ", ".join([*names[len(_NAMES) :], *_NAMES])
    return (
        f"SELECT {', '.join(names)}, {sums} FROM ({{parts}})"  # noqa: S608 - our own names
        f" AS parts ({', '.join(names)}, {_SUMS})"
        f" GROUP BY {', '.join(names)} HAVING sum(order_count) <> 0 ORDER BY {order}"
    )


def _figures(row: Sequence[Any], group_by: Sequence[str], names: Sequence[date]) -> Figures:
    currency, settlement_currency, status = row[: len(_NAMES)]
    keys, sums = row[len(_NAMES) : -len(MEASURES)], row[-len(MEASURES) :]
    group = tuple(_read(name, value, names) for name, value in zip(group_by, keys, strict=True))
    count, requested, actual, fee, credited = sums
    return Figures(
        currency=currency, settlement_currency=settlement_currency, status=status, order_count=int(count),
        requested_sum=requested, actual_sum=actual, fee_sum=fee, credited_sum=credited, group=group,
    )  # fmt: skip


def _read(name: str, value: Any, names: Sequence[date]) -> Any:
    if name == "hour":
        return value.astimezone(UTC)
    return names[value - 1] if name in _PERIODS else value
