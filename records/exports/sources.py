"""What a kind of file says of itself: its columns, its rows, and how they are opened inside a snapshot.

A kind is a record list (`recordlists`) or a reconciliation (`reconciliation`); `kinds` names them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _t

from channels.models import Currency
from diamondpay.lib.filters import Reading
from diamondpay.lib.spreadsheet.columns import Column, Row
from diamondpay.lib.spreadsheet.summary import Cell
from records.models import ExportJob

_FETCH_ROWS = 2_000


class Refused(Exception):
    """The rows cannot be had; the message says in words why."""


@dataclass(frozen=True, kw_only=True)
class Offered:
    """A column that a person may choose for a file."""

    key: str
    label: str
    is_default: bool = True


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a query string asks of a kind: its canonical form, in words, and what is wrong with it."""

    query: str
    words: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sums:
    """A table of the summary sheet."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Rows ready to be read, inside the snapshot that is open now."""

    title: str
    columns: tuple[Column, ...]
    row_count: int
    rows: Callable[[], Iterator[Row]]
    decimals: Mapping[str, int]
    filters: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sums: tuple[Sums, ...] = ()
    file_title: str = ""


class Kind(Protocol):
    """One kind of rows."""

    @property
    def title(self) -> Any:
        """The name of the rows, for people."""

    def is_open_to(self, user: Any) -> bool:
        """Say whether the user may see such rows at all."""

    def offered(self, user: Any) -> tuple[Offered, ...]:
        """Return the columns the user may choose, in the order of the list."""

    def read(self, query: str, user: Any, zone: ZoneInfo, now: datetime) -> Asked:
        """Read a query string, as the page of the rows reads it."""

    def count_up_to(self, *, job: ExportJob, most: int) -> int | None:
        """Return how many rows a job has, counting no further than `most`; None where that costs too much."""

    def open(self, *, job: ExportJob, zone: ZoneInfo) -> Opened:
        """Count and open a job's rows. Raises: Refused."""

    def page(self, query: str) -> str:
        """Return the address of the page that shows the rows."""


def currency_decimals() -> dict[str, int]:
    """Return the decimals of each currency."""
    return dict(Currency.objects.values_list("code", "exponent"))


def stream(queryset: QuerySet[Any, Any]) -> Iterator[Row]:
    """Yield the rows of a `values_list` from a server-side cursor, in constant memory.

    Binary, because reading a 38-digit amount or a time from text costs three times as much as all else.
    Call it inside a transaction.
    """
    try:
        statement, parameters = queryset.query.sql_with_params()
    except EmptyResultSet:
        return
    connection.ensure_connection()
    with connection.wrap_database_errors:
        with connection.connection.cursor(name="export_rows", binary=True) as cursor:
            cursor.itersize = _FETCH_ROWS
            cursor.execute(statement, parameters)
            yield from cursor


def positions(paths: Sequence[str]) -> dict[str, int]:
    """Return where each path's value stands when every path is selected once, in order."""
    return {path: position for position, path in enumerate(dict.fromkeys(paths))}


def words_of(reading: Reading, zone: ZoneInfo) -> tuple[str, ...]:
    """Return the filters in words; a range with a name also by its ends: a file is read on other days."""
    ends = {
        str(reading.filterset.filters[name].title): value
        for name, value in reading.values.items()
        if getattr(value, "preset", "") and getattr(value, "start", None) is not None
    }
    words = []
    for chip in reading.chips:
        window = ends.get(chip.label)
        said = f"{chip.label}: {chip.value}"
        if window is not None:
            start = f"{window.start.astimezone(zone):%Y-%m-%d %H:%M}"
            end = f"{window.end.astimezone(zone):%Y-%m-%d %H:%M}" if window.end else "…"
            said += _t(" (from %(start)s to before %(end)s)") % {"start": start, "end": end}
        words.append(said)
    return tuple(words)
