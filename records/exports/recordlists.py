"""Record lists as files: the rows of a list's address, in the columns of that list, read raw.

The table of columns is the list's own (`records.columns`), and so is the reading of the address
(`records.filters`); a file is what the list shows. A column whose reader hands the database's value on as it
is, is taken from the row directly; the others are asked, with the values they need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Model, QuerySet, Sum
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _t

from diamondpay.lib import columns as lib_columns
from diamondpay.lib.columns import FileType
from diamondpay.lib.filters import Reading
from diamondpay.lib.spreadsheet import summary as sheets
from diamondpay.lib.spreadsheet.columns import Column, Row
from diamondpay.lib.spreadsheet.columns import Kind as Cells
from diamondpay.lib.spreadsheet.summary import Cell
from diamondpay.models import AuditRow
from records import filters
from records.exports import resources, sources
from records.exports.sources import Asked, Offered, Opened, Sums
from records.models import (
    Account,
    BalanceRecord,
    BalanceTransfer,
    Case,
    ChainTransfer,
    ExportJob,
    Notification,
    Payment,
    Payout,
    UpstreamCallback,
)

_CELLS = {
    FileType.TEXT: Cells.TEXT,
    FileType.AMOUNT: Cells.AMOUNT,
    FileType.MOMENT: Cells.MOMENT,
    FileType.NUMBER: Cells.NUMBER,
}
# A value of each type that no row holds: a reader that hands it on unchanged reads nothing else.
_PROBES: dict[FileType, Any] = {
    FileType.TEXT: "\x00 no row holds this",
    FileType.AMOUNT: Decimal("12345678901234567.123456789012345678"),
    FileType.MOMENT: datetime(1971, 1, 1, tzinfo=UTC),
    FileType.NUMBER: 2**61 - 1,
}


@dataclass(frozen=True, kw_only=True)
class RecordList:
    """One record's list. `group` and `amounts` say what its summary adds up: by path, and by column key."""

    kind: str
    model: type[Model]
    group: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name of the list in plain words."""
        name = str(self.model._meta.verbose_name_plural)
        return name[:1].upper() + name[1:]

    def is_open_to(self, user: Any) -> bool:
        """Say whether the user may open the list."""
        return bool(user.has_perm(f"{self.model._meta.app_label}.view_{self.model._meta.model_name}"))

    def columns_for(self, user: Any) -> tuple[lib_columns.Column, ...]:
        """Return the list's columns that the user may see."""
        return resources.of(self.kind)().columns_for(user)

    def offered(self, user: Any) -> tuple[Offered, ...]:
        """Return those columns for a form."""
        return tuple(
            Offered(key=each.key, label=each.heading, is_default=each.is_default)
            for each in self.columns_for(user)
        )

    def read(self, query: str, user: Any, zone: ZoneInfo, now: datetime) -> Asked:
        """Read a query string as the list reads it."""
        found = self.reading(query, user=user, zone=zone, now=now)
        return Asked(
            query=found.query,
            words=sources.words_of(found, zone),
            errors=found.errors,
            unknown=found.unknown,
        )

    def reading(self, query: str, *, user: Any, zone: ZoneInfo, now: datetime) -> Reading:
        """Return the rows of a query string, within what the user may see."""
        return filters.read(self.kind, QueryDict(query), user=user, zone=zone, now=now)

    def count_up_to(self, *, job: ExportJob, most: int) -> int | None:
        """Count the list's rows, no further than `most`."""
        return int(self._reading(job).queryset.order_by()[:most].count())

    def page(self, query: str) -> str:
        """Return the address of the list with its filters."""
        meta = self.model._meta
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        return f"{url}?{query}" if query else url

    def open(self, *, job: ExportJob, zone: ZoneInfo) -> Opened:
        """Open the rows with their count and sums."""
        reading = self._reading(job)
        if reading.errors:
            raise sources.Refused(" ".join(reading.errors))
        by_key = {each.key: each for each in self.columns_for(job.requested_by)}
        lost = [key for key in job.columns if key not in by_key]
        if lost:
            raise sources.Refused(_t("These columns may no longer be seen: %s.") % ", ".join(lost))
        chosen = [by_key[key] for key in job.columns]
        decimals = sources.currency_decimals()
        count, sums = self._sums(reading.queryset, by_key, decimals)
        source = _Source(model=self.model, chosen=chosen, zone=zone)

        def rows() -> Iterator[Row]:
            return source.rows(reading.queryset)

        return Opened(
            title=self.title,
            columns=source.columns,
            row_count=count,
            rows=rows,
            decimals=decimals,
            filters=sources.words_of(reading, zone),
            notes=reading.notes,
            sums=sums,
        )

    def _reading(self, job: ExportJob) -> Reading:
        zone = ZoneInfo(job.zone)
        # “Today” is the day on which the file was asked for, also when it is built after midnight.
        return self.reading(job.query, user=job.requested_by, zone=zone, now=job.requested_at)

    def _sums(
        self,
        queryset: QuerySet[Any],
        by_key: Mapping[str, lib_columns.Column],
        decimals: Mapping[str, int],
    ) -> tuple[int, tuple[Sums, ...]]:
        """Count and add up in the database; amounts of columns that the person may not see are left out."""
        summed = [by_key[key] for key in self.amounts if key in by_key]
        totals = {f"sum_{each.key}": Sum(each.fields[0]) for each in summed}
        grouped = queryset.order_by().values(*self.group).annotate(row_count=Count("pk"), **totals)
        found = list(grouped.order_by(*self.group))
        words = {path: dict(getattr(_field_of(self.model, path), "flatchoices", ())) for path in self.group}
        lines = tuple(
            (
                *(Cell(value=str(words[path].get(row[path], row[path]))) for path in self.group),
                Cell(value=int(row["row_count"])),
                *(
                    sheets.amount(
                        row[f"sum_{each.key}"] or Decimal(0), decimals.get(row[f"{each.currency}_id"], 2)
                    )
                    for each in summed
                ),
            )
            for row in found
        )
        headings = (
            *(self._heading(path) for path in self.group), _t("Rows"), *(each.heading for each in summed)
        )  # fmt: skip
        table = Sums(headings=headings, rows=lines)
        return sum(int(row["row_count"]) for row in found), (table,)

    def _heading(self, path: str) -> str:
        name = str(_field_of(self.model, path).verbose_name)
        return name[:1].upper() + name[1:]


class _Source:
    """The chosen columns of a list as positions in raw rows."""

    def __init__(self, *, model: type[Model], chosen: Sequence[lib_columns.Column], zone: ZoneInfo) -> None:
        self._annotations = {each.key: each.annotation for each in chosen if each.annotation is not None}
        plans = [_plan(model, each) for each in chosen]
        units = [each.currency.replace(".", "__") for each in chosen]
        needed = (path for plan, unit in zip(plans, units, strict=True) for path in (*plan.paths, unit))
        self._place = sources.positions([path for path in needed if path])
        self._asked: list[Callable[[Row], Any]] = []
        self.columns = tuple(
            Column(
                title=f"{each.heading} ({zone.key})" if plan.cells is Cells.MOMENT else each.heading,
                position=self._ask(each, plan.paths) if plan.is_computed else self._place[plan.paths[0]],
                kind=plan.cells,
                unit_position=self._place[unit] if unit else None,
                words=plan.words,
            )
            for each, plan, unit in zip(chosen, plans, units, strict=True)
        )

    def rows(self, queryset: QuerySet[Any]) -> Iterator[Row]:
        """Yield the rows; what readers make of them stands behind the raw values."""
        found = queryset.annotate(**self._annotations) if self._annotations else queryset
        raw = sources.stream(found.values_list(*self._place))
        if not self._asked:
            return raw
        asked = tuple(self._asked)
        return ((*row, *[ask(row) for ask in asked]) for row in raw)

    def _ask(self, each: lib_columns.Column, paths: Sequence[str]) -> int:
        """Ask the column's reader for each row; return where its answer stands, behind the raw values."""
        places = [self._place[path] for path in paths]
        stub = _Stub(paths)

        def ask(row: Row) -> Any:
            stub.fill([row[place] for place in places])
            return each.reader(stub.row)

        self._asked.append(ask)
        return len(self._place) + len(self._asked) - 1


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How a column is had: its value as it is (`paths` is one), in words, or by asking its reader."""

    cells: Cells
    paths: tuple[str, ...]
    words: Mapping[Any, str] | None = None
    is_computed: bool = False


def _plan(model: type[Model], each: lib_columns.Column) -> _Plan:
    own = each.key if each.annotation is not None else next(iter(each.fields), "")
    cells = _CELLS[each.file_type]
    if own and _is_choice(model, each, own):
        return _Plan(cells=cells, paths=(own,), words=_words(model, each, own))
    if own and _hands_on(each, own):
        return _Plan(cells=cells, paths=(own,))
    unit = each.currency.replace(".", "__")
    paths = [own, *(path for path in each.fields if path not in (unit, f"{unit}__exponent"))]
    return _Plan(cells=cells, paths=tuple(dict.fromkeys(filter(None, paths))), is_computed=True)


def _hands_on(each: lib_columns.Column, path: str) -> bool:
    """Say whether the reader hands on the value of one path unchanged, and needs no other to do so."""
    probe, stub = _PROBES[each.file_type], _Stub((path,))
    stub.fill((probe,))
    try:
        return each.reader(stub.row) is probe
    except Exception:  # noqa: BLE001 - a reader that works with its values cannot work with this one
        return False


def _is_choice(model: type[Model], each: lib_columns.Column, path: str) -> bool:
    if each.annotation is not None or each.file_type is not FileType.TEXT:
        return False
    found = _field_of(model, path)
    return bool(getattr(found, "flatchoices", None)) or found.get_internal_type() == "BooleanField"


def _words(model: type[Model], each: lib_columns.Column, path: str) -> Mapping[Any, str]:
    """Return what the column says for each value of its choice."""
    found = _field_of(model, path)
    is_flag = found.get_internal_type() == "BooleanField"
    values = [True, False] if is_flag else [value for value, _word in found.flatchoices]
    stub, words = _Stub((path,)), {}
    for value in values:
        stub.fill((value,))
        words[value] = str(each.reader(stub.row) or "")
    return words


class _Stub:
    """Stands for a row before a column's reader: the attributes that its paths lead to, and no others."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.row = SimpleNamespace()
        self._leaves: list[tuple[SimpleNamespace, str]] = []
        for path in paths:
            *relations, leaf = path.split("__")
            holder = self.row
            for name in relations:
                if not isinstance(getattr(holder, name, None), SimpleNamespace):
                    setattr(holder, name, SimpleNamespace())
                holder = getattr(holder, name)
            self._leaves.append((holder, leaf))

    def fill(self, values: Sequence[Any]) -> None:
        """Set the values, in the order of the paths."""
        for (holder, leaf), value in zip(self._leaves, values, strict=True):
            setattr(holder, leaf, value)


def _field_of(model: type[Model], path: str) -> Any:
    found: Any = None
    owner: Any = model
    for name in path.split("__"):
        found = next(
            each for each in owner._meta.get_fields() if name in (each.name, getattr(each, "attname", ""))
        )
        owner = getattr(getattr(found, "remote_field", None), "model", None)
    return found


_BY_STATUS = ("currency_id", "settlement_currency_id", "status")
LISTS = (
    RecordList(
        kind="payment", model=Payment, group=_BY_STATUS,
        amounts=("requested_amount", "actual_amount", "fee", "credited_amount"),
    ),
    RecordList(
        kind="payout", model=Payout, group=_BY_STATUS,
        amounts=("requested_amount", "actual_amount", "fee", "debited_amount"),
    ),
    RecordList(
        kind="balancerecord", model=BalanceRecord, group=("currency_id", "account_kind", "change_type"),
        amounts=("amount",),
    ),
    RecordList(
        kind="balancetransfer", model=BalanceTransfer, group=("currency_id",), amounts=("amount",)
    ),
    RecordList(kind="notification", model=Notification, group=("state",)),
    RecordList(kind="upstreamcallback", model=UpstreamCallback, group=("outcome",)),
    RecordList(kind="chaintransfer", model=ChainTransfer, group=("chain_id", "token_id", "state")),
    RecordList(kind="case", model=Case, group=("status", "kind")),
    RecordList(kind="auditrow", model=AuditRow, group=("is_refused",)),
    RecordList(kind="account", model=Account, group=("currency_id",), amounts=("balance",)),
)  # fmt: skip
