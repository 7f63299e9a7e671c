"""Files by which finance reconciles: what a day is to all of them, and the day of a merchant.

A merchant's day is every record of the merchant's wallets between the balance it began and the balance it
ended with; `channel_day` has the day of a channel. Both say in their summary whether the figures agree, and
where they do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.http import QueryDict
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Channel
from diamondpay.lib.spreadsheet import summary as sheets
from diamondpay.lib.spreadsheet.columns import Column, Row
from diamondpay.lib.spreadsheet.columns import Kind as Cells
from diamondpay.lib.spreadsheet.summary import Cell
from merchants import access
from merchants.models import Merchant
from records.exports import sources
from records.exports.sources import Asked, Offered, Opened, Sums
from records.models import Account, BalanceRecord, ChangeType, ExportJob

_ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class DayField:
    """A column of a reconciliation file; `unit` is the path of an amount's currency."""

    key: str
    label: Any
    path: str
    cells: Cells = Cells.TEXT
    unit: str = ""
    words: dict[Any, str] | None = None


def amount_field(key: str, label: Any, path: str) -> DayField:
    return DayField(key=key, label=label, path=path, cells=Cells.AMOUNT, unit="currency_id")


_MERCHANT_FIELDS = (
    DayField(key="created_at", label=_("Change time"), path="created_at", cells=Cells.MOMENT),
    DayField(key="wallet", label=_("Wallet"), path="merchant_channel_id"),
    DayField(key="account_kind", label=_("Balance"), path="account_kind",
           words={str(value): str(word) for value, word in Account.Kind.choices}),
    DayField(key="sequence", label=_("Sequence"), path="sequence", cells=Cells.NUMBER),
    DayField(key="change_type", label=_("Change type"), path="change_type",
           words={str(value): str(word) for value, word in ChangeType.choices}),
    amount_field("amount", _("Change amount"), "amount"),
    amount_field("balance_before", _("Balance before"), "balance_before"),
    amount_field("balance_after", _("Balance after"), "balance_after"),
    DayField(key="currency", label=_("Currency"), path="currency_id"),
    DayField(key="order_no", label=_("Associated order number"), path="order_no"),
    DayField(key="remark", label=_("Remarks"), path="posting__remark"),
)  # fmt: skip


class Day:
    """What both kinds share: a query of one owner and one day, and a fixed table of columns."""

    title: Any
    fields: tuple[DayField, ...]
    owner: str
    owner_model: type[Merchant] | type[Channel]
    permissions: tuple[str, ...]

    def is_open_to(self, user: Any) -> bool:
        """Say whether the user may reconcile."""
        return all(user.has_perm(permission) for permission in self.permissions)

    def offered(self, user: Any) -> tuple[Offered, ...]:
        """Return all columns."""
        return tuple(Offered(key=each.key, label=str(each.label)) for each in self.fields)

    def read(self, query: str, user: Any, zone: ZoneInfo, now: datetime) -> Asked:
        """Read the owner and the day; `yesterday` and `today` are days too."""
        given = QueryDict(query)
        owner, named = given.get(self.owner, "").strip(), given.get("day", "").strip()
        problems = []
        if self._owned(user).filter(pk=owner[:64].replace("\x00", "")).first() is None:
            problems.append(_t("Choose one that exists."))
        day = _day_of(named, zone, now)
        if day is None:
            problems.append(_t("“%s” is not a day; write it like 2026-01-31.") % named[:40])
        elif day > now.astimezone(zone).date():
            problems.append(_t("This day has not begun."))
        words = (f"{_t('Of')}: {owner}", f"{_t('Day')}: {day}")
        return Asked(query=urlencode({self.owner: owner, "day": named}), words=words, errors=tuple(problems))

    def count_up_to(self, *, job: ExportJob, most: int) -> int | None:
        """Count the day's rows."""
        zone = ZoneInfo(job.zone)
        return int(self.rows_of(job=job, zone=zone)[:most].count())

    def page(self, query: str) -> str:
        """Return the address of the form of such files."""
        return f"{reverse('admin:reconciliation')}?{urlencode({'kind': f'{self.owner}day'})}"

    def open(self, *, job: ExportJob, zone: ZoneInfo) -> Opened:
        """Open the day's rows with the figures that must agree."""
        asked = self.read(job.query, job.requested_by, zone, job.requested_at)
        if asked.errors:
            raise sources.Refused(" ".join(asked.errors))
        chosen = [next(each for each in self.fields if each.key == key) for key in job.columns]
        paths = [path for each in chosen for path in (each.path, each.unit) if path]
        place = sources.positions(paths)
        rows = self.rows_of(job=job, zone=zone)
        owner, day = self.asked(job, zone)
        count, sums, notes = self.figures_of(job=job, zone=zone)

        def read() -> Iterator[Row]:
            return sources.stream(rows.values_list(*place))

        return Opened(
            title=str(self.title),
            file_title=f"{self.title} {owner} {day}",
            columns=tuple(_column(each, place, zone) for each in chosen),
            row_count=count,
            rows=read,
            decimals=sources.currency_decimals(),
            filters=asked.words,
            sums=sums,
            notes=notes,
        )

    def _owned(self, user: Any) -> QuerySet[Any]:
        found: QuerySet[Any] = access.visible_to(user, self.owner_model._default_manager.all())
        return found

    def asked(self, job: ExportJob, zone: ZoneInfo) -> tuple[str, date]:
        """Return the owner and the day. Raises: Refused."""
        given = QueryDict(job.query)
        day = _day_of(given.get("day", ""), zone, job.requested_at)
        if day is None:
            raise sources.Refused(_t("The file has no day."))
        return given.get(self.owner, ""), day

    def rows_of(self, *, job: ExportJob, zone: ZoneInfo) -> QuerySet[Any]:
        """Return the day's rows."""
        raise LookupError("a kind of day says which rows it has")

    def figures_of(self, *, job: ExportJob, zone: ZoneInfo) -> tuple[int, tuple[Sums, ...], tuple[str, ...]]:
        """Return how many rows there are, the tables of figures that must agree, and notes."""
        raise LookupError("a kind of day says which figures must agree")


class MerchantDay(Day):
    """Opening balance, every record, closing balance and fees of a merchant's wallets on one day."""

    title = _("Reconciliation of a merchant")
    fields = _MERCHANT_FIELDS
    owner = "merchant"
    owner_model = Merchant
    permissions = ("records.view_balancerecord",)

    def _records(self, job: ExportJob) -> QuerySet[Any]:
        records = BalanceRecord.objects.filter(merchant_id=QueryDict(job.query).get(self.owner, ""))
        return access.visible_to(job.requested_by, records)

    def rows_of(self, *, job: ExportJob, zone: ZoneInfo) -> QuerySet[Any]:
        start, end = bounds(self.asked(job, zone)[1], zone)
        rows = self._records(job).filter(created_at__gte=start, created_at__lt=end)
        return rows.order_by("account_id", "sequence")

    def figures_of(self, *, job: ExportJob, zone: ZoneInfo) -> tuple[int, tuple[Sums, ...], tuple[str, ...]]:
        start, end = bounds(self.asked(job, zone)[1], zone)
        in_day = Q(created_at__gte=start, created_at__lt=end)
        since = {
            row["account_id"]: row
            for row in self._records(job)
            .filter(created_at__gte=start)
            .values("account_id")
            .order_by("account_id")
            .annotate(
                moved=Sum("amount", filter=in_day),
                after=Sum("amount", filter=Q(created_at__gte=end)),
                count=Count("id", filter=in_day),
                first=Min("sequence", filter=in_day),
                last=Max("sequence", filter=in_day),
            )
        }
        accounts = access.visible_to(
            job.requested_by, Account.objects.filter(merchant_id=QueryDict(job.query).get(self.owner, ""))
        )
        lines = [
            self._line(account, since.get(account.pk, {}), decimals)
            for account in accounts.select_related("currency").order_by("merchant_channel_id", "kind")
            for decimals in (account.currency.exponent,)
        ]
        headings = (
            _t("Wallet"), _t("Balance"), _t("Currency"), _t("Opening balance"), _t("Records"),
            _t("Sum of the records"), _t("Closing balance"), _t("Check"),
        )  # fmt: skip
        balances = Sums(title=_t("Balances of the day"), headings=headings, rows=tuple(lines))
        count = sum(int(row["count"]) for row in since.values())
        return count, (balances, _fees_of(self.rows_of(job=job, zone=zone))), ()

    def _line(self, account: Account, found: dict[str, Any], decimals: int) -> tuple[Cell, ...]:
        """Return a wallet's day. Two roads must meet: back from today's balance, and along the chain."""
        moved, after = found.get("moved") or _ZERO, found.get("after") or _ZERO
        closing = account.balance - after
        opening = closing - moved
        return (
            Cell(value=account.merchant_channel_id or ""),
            Cell(value=str(account.get_kind_display())),
            Cell(value=account.currency_id),
            sheets.amount(opening, decimals),
            Cell(value=int(found.get("count") or 0)),
            sheets.amount(moved, decimals),
            sheets.amount(closing, decimals),
            Cell(value=_chain_check(account, found, opening, closing)),
        )


def bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the half-open range of a day in a zone, whatever its clocks do (A2)."""
    start = datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
    return start, datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)


def _day_of(named: str, zone: ZoneInfo, now: datetime) -> date | None:
    today = now.astimezone(zone).date()
    if named in ("today", "yesterday"):
        return today if named == "today" else today - timedelta(days=1)
    try:
        day = date.fromisoformat(named)
    except ValueError:
        return None
    return day if date(1970, 1, 2) < day < date(9990, 1, 1) else None


def _chain_check(account: Account, found: dict[str, Any], opening: Decimal, closing: Decimal) -> str:
    if not found.get("count"):
        return _t("agrees (no records)")
    ends = dict(
        BalanceRecord.objects.filter(
            account=account, sequence__in=(found["first"], found["last"])
        ).values_list("sequence", "balance_before")
    )
    last = BalanceRecord.objects.get(account=account, sequence=found["last"])
    if found["last"] - found["first"] + 1 != found["count"]:
        # Records near midnight may be numbered out of the order of their times; the sums hold all the same.
        return _t("agrees by its sum; records of a neighbouring day are numbered among these")
    if ends[found["first"]] == opening and last.balance_after == closing:
        return _t("agrees")
    return _t("DOES NOT AGREE: the chain goes from %(first)s to %(last)s") % {
        "first": ends[found["first"]],
        "last": last.balance_after,
    }


def _fees_of(rows: QuerySet[Any]) -> Sums:
    """Return the fees that were booked together with a merchant's records."""
    postings = rows.order_by().values("posting_id")
    decimals = sources.currency_decimals()
    words = {str(value): str(word) for value, word in ChangeType.choices}
    found = (
        BalanceRecord.objects.filter(account_kind=Account.Kind.FEES, posting_id__in=postings)
        .values("currency_id", "change_type")
        .annotate(count=Count("id"), total=Sum("amount"))
        .order_by("currency_id", "change_type")
    )
    lines = tuple(
        (
            Cell(value=row["currency_id"]),
            Cell(value=words.get(row["change_type"], row["change_type"])),
            Cell(value=row["count"]),
            sheets.amount(row["total"], decimals.get(row["currency_id"], 2)),
        )
        for row in found
    )
    headings = (_t("Currency"), _t("Of"), _t("Orders"), _t("Fees"))
    return Sums(title=_t("Fees of the day"), headings=headings, rows=lines)


def _column(each: DayField, place: dict[str, int], zone: ZoneInfo) -> Column:
    title = f"{each.label} ({zone.key})" if each.cells is Cells.MOMENT else str(each.label)
    return Column(
        title=title,
        position=place[each.path],
        kind=each.cells,
        unit_position=place[each.unit] if each.unit else None,
        words=each.words,
    )
