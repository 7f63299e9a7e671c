"""The statistics pages as files: the table of a page, in its grouping, with the sums below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, Service
from diamondpay.lib.spreadsheet import summary as sheets
from diamondpay.lib.spreadsheet.columns import Column, Row
from diamondpay.lib.spreadsheet.columns import Kind as Cells
from diamondpay.lib.spreadsheet.summary import Cell
from merchants.models import Merchant
from records import filter_sets, filters, statistics, statistics_filters
from records.exports import sources
from records.exports.sources import Asked, Offered, Opened, Sums
from records.models import ExportJob

_PERMISSIONS = {"payment": "records.view_payment", "payout": "records.view_payout"}
_WORDS = {"payment": _("Deposits"), "payout": _("Payouts")}
_GROUPS = {
    "service": _("Service"), "channel": _("Channel"), "merchant": _("Merchant"), "hour": _("Hour"),
    "day": _("Day"), "month": _("Month"),
}  # fmt: skip
_NAMED: dict[str, Any] = {"service": Service, "channel": Channel, "merchant": Merchant}
# Each column: its label and what stands in its cells. The group's label and cells follow the grouping.
_COLUMNS: dict[str, tuple[Any, Cells]] = {
    "key": (_("Group"), Cells.TEXT),
    "name": (_("Name"), Cells.TEXT),
    "currency": (_("Currency"), Cells.TEXT),
    "settlement_currency": (_("Settled in"), Cells.TEXT),
    "order_count": (_("Orders"), Cells.NUMBER),
    "success_count": (_("Successful"), Cells.NUMBER),
    "open_count": (_("Open"), Cells.NUMBER),
    "success_rate": (_("Success rate %"), Cells.NUMBER),
    "ended_rate": (_("Of the ended %"), Cells.NUMBER),
    "requested": (_("Requested"), Cells.AMOUNT),
    "actual": (_("Actual"), Cells.AMOUNT),
    "fee": (_("Fee"), Cells.AMOUNT),
    "credited": (_("Credited"), Cells.AMOUNT),
}
# What is in the currency of the wallet.
_SETTLED = frozenset({"fee", "credited"})
_PLACES = {key: place for place, key in enumerate(_COLUMNS)}


@dataclass(frozen=True, kw_only=True)
class _Read:
    """An address of a statistics page: which orders, in which grouping, and the reading of its bar."""

    kind: str
    by: str
    question: statistics_filters.Question
    errors: tuple[str, ...]


class Statistics:
    """Service and success-rate statistics: one file for both pages, since the grouping is in the address."""

    title = _("Statistics")

    def is_open_to(self, user: Any) -> bool:
        """Say whether the user may see orders of either kind."""
        return any(user.has_perm(permission) for permission in _PERMISSIONS.values())

    def offered(self, user: Any) -> tuple[Offered, ...]:
        """Return all columns."""
        return tuple(Offered(key=key, label=str(label)) for key, (label, _cells) in _COLUMNS.items())

    def read(self, query: str, user: Any, zone: ZoneInfo, now: datetime) -> Asked:
        """Read a query string as the pages read it."""
        found = self._read(query, user, zone, now)
        reading = found.question.reading
        words = (
            f"{_t('Orders')}: {_WORDS[found.kind]}",
            f"{_t('By')}: {_GROUPS[found.by]}",
            *sources.words_of(reading, zone),
        )
        address = QueryDict(mutable=True)
        address.update({"kind": found.kind, "by": found.by})
        return Asked(
            query="&".join(filter(None, (address.urlencode(), reading.query))),
            words=words,
            errors=found.errors,
            unknown=reading.unknown,
        )

    def count_up_to(self, *, job: ExportJob, most: int) -> int | None:
        """Count the groups, which are never very many."""
        return len(self._rows(job)[0][:most])

    def page(self, query: str) -> str:
        """Return the address of the page."""
        url = reverse("admin:success_rate_statistics")
        return f"{url}?{query}" if query else url

    def open(self, *, job: ExportJob, zone: ZoneInfo) -> Opened:
        """Count everything in this snapshot."""
        rows, found = self._rows(job)
        asked = self.read(job.query, job.requested_by, zone, job.requested_at)
        decimals = sources.currency_decimals()
        names: dict[Any, str] = {}
        if found.by in _NAMED:
            keys = {row.key for row in rows}
            names = dict(_NAMED[found.by].objects.filter(pk__in=keys).values_list("pk", "name"))
        raw = [_raw(row, names) for row in rows]

        def read() -> Iterator[Row]:
            return iter(raw)

        return Opened(
            title=f"{_t('Statistics')}: {_WORDS[found.kind]}",
            columns=tuple(_column(key, found, zone) for key in job.columns),
            row_count=len(raw),
            rows=read,
            decimals=decimals,
            filters=asked.words,
            sums=(_sums(rows, found, decimals),),
        )

    def _rows(self, job: ExportJob) -> tuple[list[statistics.Row], _Read]:
        zone = ZoneInfo(job.zone)
        found = self._read(job.query, job.requested_by, zone, job.requested_at)
        asked = found.question.asked
        if found.errors or asked is None:
            raise sources.Refused(" ".join(found.errors))
        links = statistics.Links(asked)
        if found.by in statistics.STEPS:
            return statistics.series(asked, step=found.by, links=links), found
        return statistics.table(asked, by=found.by, links=links), found

    def _read(self, query: str, user: Any, zone: ZoneInfo, now: datetime) -> _Read:
        given = QueryDict(query)
        allowed = [kind for kind, permission in _PERMISSIONS.items() if user.has_perm(permission)]
        groups = [by for by in _GROUPS if by not in _hidden(user)]
        kind, by = given.get("kind") or allowed[0], given.get("by") or "service"
        problems = []
        for name, value, offered in (("kind", kind, allowed), ("by", by, groups)):
            if value not in offered:
                problems.append(
                    _t("“%(value)s” is no “%(name)s” here.") % {"value": value[:40], "name": name}
                )
        kind = kind if kind in allowed else allowed[0]
        by = by if by in groups else "service"
        question = statistics_filters.read(kind, given, user=user, zone=zone, now=now)
        asked = question.asked
        if asked is not None and by == "hour" and asked.end - asked.start > statistics.HOURS_MAX:
            problems.append(_t("By the hour at most %d days are shown.") % statistics.HOURS_MAX.days)
        errors = (*problems, *question.reading.errors)
        return _Read(kind=kind, by=by, question=question, errors=errors)


def _hidden(user: Any) -> set[str]:
    """Return the groupings that the pages do not offer the user either."""
    hidden = set() if user.has_perm(filter_sets.UPSTREAM) else {"channel"}
    confined = filters.confined_to(user)
    return hidden | ({"merchant"} if confined is not None and len(confined) < 2 else set())


def _raw(row: statistics.Row, names: dict[Any, str]) -> Row:
    return tuple(names.get(row.key, "") if key == "name" else getattr(row, key) for key in _COLUMNS)


def _label(key: str, kind: str) -> Any:
    return _("Debited") if key == "credited" and kind == "payout" else _COLUMNS[key][0]


def _column(key: str, found: _Read, zone: ZoneInfo) -> Column:
    by, label, cells = found.by, _label(key, found.kind), _COLUMNS[key][1]
    if key == "key":
        label = _GROUPS[by]
        cells = {"hour": Cells.MOMENT, "day": Cells.DAY, "month": Cells.DAY}.get(by, Cells.TEXT)
    is_timed = cells in (Cells.MOMENT, Cells.DAY)
    return Column(
        title=f"{label} ({zone.key})" if is_timed else str(label),
        position=_PLACES[key],
        kind=cells,
        unit_position=_PLACES[_unit(key)] if cells is Cells.AMOUNT else None,
    )


def _unit(key: str) -> str:
    """Return which column says in which currency an amount is."""
    return "settlement_currency" if key in _SETTLED else "currency"


def _sums(rows: Sequence[statistics.Row], found: _Read, decimals: dict[str, int]) -> Sums:
    asked = found.question.asked
    summed = statistics.summed(rows, statistics.Links(asked)) if asked is not None else []
    amounts = ("requested", "actual", "fee", "credited")
    headings = (
        _t("Currency"),
        _t("Settled in"),
        _t("Orders"),
        _t("Successful"),
        *(str(_label(key, found.kind)) for key in amounts),
    )
    lines = tuple(
        (
            Cell(value=row.currency),
            Cell(value=row.settlement_currency),
            Cell(value=row.order_count),
            Cell(value=row.success_count),
            *(
                sheets.amount(Decimal(getattr(row, key)), decimals.get(getattr(row, _unit(key)), 2))
                for key in amounts
            ),
        )
        for row in summed
    )
    return Sums(headings=headings, rows=lines)
