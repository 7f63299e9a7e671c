"""Counts and sums of orders, exact at every moment and at the same cost at any size.

Totals hold what has been folded, deltas what has not yet; both are read in one statement. The ends of a
range that fall inside an hour are counted in the book itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

PAYMENTS = 1
PAYOUTS = 2
_TABLES = {PAYMENTS: "records_payment", PAYOUTS: "records_payout"}
Parameters = dict[str, str | int | datetime | date]
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


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
    if start is None or end is None:
        parts = [_figures("records_ordertotal", ""), _figures("records_orderdelta", "")]
        return _sum(parts, {"kind": kind, "merchant": merchant_id})
    return _range_count(kind=kind, merchant_id=merchant_id, start=start, end=end)


def _range_count(*, kind: int, merchant_id: str, start: datetime, end: datetime) -> int:
    """Count whole days by their totals, the hours beside them by theirs, the ragged ends in the book."""
    if start >= end:
        return 0
    parameters: Parameters = {"kind": kind, "merchant": merchant_id, "start": start, "end": end}
    first, last = _rounded_up(start, _HOUR), _rounded_down(end, _HOUR)
    if first >= last:
        return _sum([_orders(kind, "start", "end")], parameters)
    parameters |= {"first": first, "last": last}
    parts = [
        _orders(kind, "start", "first"),
        _orders(kind, "last", "end"),
        _between("records_orderdelta", "first", "last"),
    ]
    first_day, last_day = _rounded_up(first, _DAY), _rounded_down(last, _DAY)
    if first_day >= last_day:
        parts.append(_between("records_orderhourtotal", "first", "last"))
    else:
        parameters |= {
            "midnight": first_day,
            "last_midnight": last_day,
            "day": first_day.date(),
            "last_day": last_day.date(),
        }
        parts += [
            _between("records_orderhourtotal", "first", "midnight"),
            _between("records_orderhourtotal", "last_midnight", "last"),
            _figures("records_orderdaytotal", "AND day >= %(day)s AND day < %(last_day)s"),
        ]
    return _sum(parts, parameters)


def _figures(table: str, condition: str) -> str:
    return (
        f"(SELECT coalesce(sum(order_count), 0) FROM {table} "  # noqa: S608 - our own names
        f"WHERE merchant = %(merchant)s AND kind = %(kind)s {condition})"
    )


def _between(table: str, start: str, end: str) -> str:
    return _figures(table, f"AND hour >= %({start})s AND hour < %({end})s")


def _orders(kind: int, start: str, end: str) -> str:
    return (
        f"(SELECT count(*) FROM {_TABLES[kind]} "  # noqa: S608 - our own names
        f"WHERE merchant_id = %(merchant)s AND created_at >= %({start})s AND created_at < %({end})s)"
    )


def _sum(parts: list[str], parameters: Parameters) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {' + '.join(parts)}", parameters)
        row = cursor.fetchone()
    return int(row[0])


def _rounded_down(moment: datetime, step: timedelta) -> datetime:
    moment = moment.astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step


def _rounded_up(moment: datetime, step: timedelta) -> datetime:
    down = _rounded_down(moment, step)
    return down if down == moment else down + step
