"""Files by which finance reconciles: a merchant's day, and a channel's day.

A merchant's day is every record of the merchant's wallets between the balance it began and the balance it
ended with. A channel's day is every entry of the channel's clearing account beside the order it belongs to.
Both say in their summary whether the figures agree, and where they do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, ExpressionWrapper, F, Max, Min, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce
from django.http import QueryDict
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Channel
from diamondpay.lib.fields import MoneyField
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
class _Field:
    """A column of a reconciliation file; `unit` is the path of an amount's currency."""

    key: str
    label: Any
    path: str
    cells: Cells = Cells.TEXT
    unit: str = ""
    words: dict[Any, str] | None = None


def _amount(key: str, label: Any, path: str) -> _Field:
    return _Field(key=key, label=label, path=path, cells=Cells.AMOUNT, unit="currency_id")


_MERCHANT_FIELDS = (
    _Field(key="created_at", label=_("Change time"), path="created_at", cells=Cells.MOMENT),
    _Field(key="wallet", label=_("Wallet"), path="merchant_channel_id"),
    _Field(key="account_kind", label=_("Balance"), path="account_kind",
           words={str(value): str(word) for value, word in Account.Kind.choices}),
    _Field(key="sequence", label=_("Sequence"), path="sequence", cells=Cells.NUMBER),
    _Field(key="change_type", label=_("Change type"), path="change_type",
           words={str(value): str(word) for value, word in ChangeType.choices}),
    _amount("amount", _("Change amount"), "amount"),
    _amount("balance_before", _("Balance before"), "balance_before"),
    _amount("balance_after", _("Balance after"), "balance_after"),
    _Field(key="currency", label=_("Currency"), path="currency_id"),
    _Field(key="order_no", label=_("Associated order number"), path="order_no"),
    _Field(key="remark", label=_("Remarks"), path="posting__remark"),
)  # fmt: skip
_CHANNEL_FIELDS = (
    _Field(key="created_at", label=_("Time"), path="created_at", cells=Cells.MOMENT),
    _Field(key="change_type", label=_("Entry"), path="change_type",
           words={str(value): str(word) for value, word in ChangeType.choices}),
    _Field(key="payment", label=_("Deposit order"), path="posting__payment__payment_id"),
    _Field(key="payout", label=_("Payout order"), path="posting__payout__payout_id"),
    _Field(key="merchant", label=_("Merchant"), path="our_merchant"),
    _Field(key="channel_order_no", label=_("Channel order no."), path="their_number"),
    _amount("expected", _("Our order says"), "expected"),
    _amount("amount", _("Clearing account"), "amount"),
    _amount("difference", _("Difference"), "difference"),
    _Field(key="currency", label=_("Currency"), path="currency_id"),
    _Field(key="effect", label=_("Posting"), path="posting__effect_key"),
)  # fmt: skip


class _Day:
    """What both kinds share: a query of one owner and one day, and a fixed table of columns."""

    title: Any
    fields: tuple[_Field, ...]
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
        return int(self._rows(job=job, zone=zone)[:most].count())

    def page(self, query: str) -> str:
        """Return the address of the form of reconciliation files."""
        return reverse("admin:reconciliation")

    def open(self, *, job: ExportJob, zone: ZoneInfo) -> Opened:
        """Open the day's rows with the figures that must agree."""
        asked = self.read(job.query, job.requested_by, zone, job.requested_at)
        if asked.errors:
            raise sources.Refused(" ".join(asked.errors))
        chosen = [next(each for each in self.fields if each.key == key) for key in job.columns]
        paths = [path for each in chosen for path in (each.path, each.unit) if path]
        place = sources.positions(paths)
        rows = self._rows(job=job, zone=zone)
        owner, day = self._asked(job, zone)
        count, sums, notes = self._figures(job=job, zone=zone)

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

    def _asked(self, job: ExportJob, zone: ZoneInfo) -> tuple[str, date]:
        given = QueryDict(job.query)
        day = _day_of(given.get("day", ""), zone, job.requested_at)
        if day is None:
            raise sources.Refused(_t("The file has no day."))
        return given.get(self.owner, ""), day

    def _rows(self, *, job: ExportJob, zone: ZoneInfo) -> QuerySet[Any]:
        raise LookupError("a kind of day says which rows it has")

    def _figures(self, *, job: ExportJob, zone: ZoneInfo) -> tuple[int, tuple[Sums, ...], tuple[str, ...]]:
        raise LookupError("a kind of day says which figures must agree")


class MerchantDay(_Day):
    """Opening balance, every record, closing balance and fees of a merchant's wallets on one day."""

    title = _("Reconciliation of a merchant")
    fields = _MERCHANT_FIELDS
    owner = "merchant"
    owner_model = Merchant
    permissions = ("records.view_balancerecord",)

    def _records(self, job: ExportJob) -> QuerySet[Any]:
        records = BalanceRecord.objects.filter(merchant_id=QueryDict(job.query).get(self.owner, ""))
        return access.visible_to(job.requested_by, records)

    def _rows(self, *, job: ExportJob, zone: ZoneInfo) -> QuerySet[Any]:
        start, end = bounds(self._asked(job, zone)[1], zone)
        rows = self._records(job).filter(created_at__gte=start, created_at__lt=end)
        return rows.order_by("account_id", "sequence")

    def _figures(self, *, job: ExportJob, zone: ZoneInfo) -> tuple[int, tuple[Sums, ...], tuple[str, ...]]:
        start, end = bounds(self._asked(job, zone)[1], zone)
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
        return count, (balances, _fees_of(self._rows(job=job, zone=zone))), ()

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


class ChannelDay(_Day):
    """Every entry of a channel's clearing accounts on one day beside the order it belongs to."""

    title = _("Reconciliation of a channel")
    fields = _CHANNEL_FIELDS
    owner = "channel"
    owner_model = Channel
    permissions = ("records.view_balancerecord", "records.view_upstreamcall", "channels.view_channel")

    def _rows(self, *, job: ExportJob, zone: ZoneInfo) -> QuerySet[Any]:
        if access.merchants_of(job.requested_by) is not None:
            raise sources.Refused(_t("A channel's clearing account is the platform's own."))
        channel, day = self._asked(job, zone)
        start, end = bounds(day, zone)
        accounts = list(
            Account.objects.filter(channel_id=channel, kind=Account.Kind.CLEARING).values_list(
                "pk", flat=True
            )
        )
        entries = BalanceRecord.objects.filter(
            account_id__in=accounts, created_at__gte=start, created_at__lt=end
        )
        return _with_orders(entries).order_by("created_at", "id")

    def _figures(self, *, job: ExportJob, zone: ZoneInfo) -> tuple[int, tuple[Sums, ...], tuple[str, ...]]:
        decimals = sources.currency_decimals()
        found = list(
            self._rows(job=job, zone=zone)
            .order_by()
            .values("currency_id", "change_type")
            .annotate(
                count=Count("id"),
                booked=Sum("amount"),
                ordered=Sum("expected"),
                orphans=Count("id", filter=Q(expected__isnull=True)),
                differing=Count("id", filter=~Q(difference=0) & Q(difference__isnull=False)),
            )
            .order_by("currency_id", "change_type")
        )
        words = {str(value): str(word) for value, word in ChangeType.choices}
        headings = (
            _t("Currency"), _t("Entry"), _t("Entries"), _t("Our orders say"), _t("Clearing account"),
            _t("Without an order"), _t("Differing"), _t("Check"),
        )  # fmt: skip
        rows = tuple(
            (
                Cell(value=row["currency_id"]),
                Cell(value=words.get(row["change_type"], row["change_type"])),
                Cell(value=row["count"]),
                sheets.amount(row["ordered"] or _ZERO, decimals.get(row["currency_id"], 2)),
                sheets.amount(row["booked"] or _ZERO, decimals.get(row["currency_id"], 2)),
                Cell(value=row["orphans"]),
                Cell(value=row["differing"]),
                Cell(value=_channel_check(row)),
            )
            for row in found
        )
        notes = (_t("Seen from the clearing account: a deposit is below zero, since the channel owes it."),)
        table = Sums(title=_t("Clearing account of the day"), headings=headings, rows=rows)
        return sum(int(row["count"]) for row in found), (table,), notes


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


def _channel_check(row: dict[str, Any]) -> str:
    if row["differing"]:
        return _t("DOES NOT AGREE")
    return _t("no order to compare with") if row["orphans"] else _t("agrees")


def _with_orders(entries: QuerySet[Any]) -> QuerySet[Any]:
    """Add what the order of each entry says, with the sign it has on the clearing account."""
    paid, sent = F("posting__payment__actual_amount"), F("posting__payout__requested_amount")
    is_payment, is_payout = Q(posting__payment__isnull=False), Q(posting__payout__isnull=False)
    expected = Case(
        When(is_payment, change_type="exchange", amount__gt=0, then=paid),
        When(is_payment, change_type__in=["deposit_credit", "exchange"], then=-paid),
        # What is given back, also through the exchange account, comes in on the clearing account.
        When(is_payment, change_type="deposit_refund", then=paid),
        When(is_payout, change_type="payout_debit", then=sent),
        output_field=MoneyField(),
    )
    found: QuerySet[Any] = entries.annotate(
        expected=expected,
        our_merchant=Coalesce("posting__payment__merchant_id", "posting__payout__merchant_id"),
        their_number=Coalesce("posting__payment__channel_order_no", "posting__payout__channel_order_no"),
        difference=ExpressionWrapper(F("amount") - expected, output_field=MoneyField()),
    )
    return found


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


def _column(each: _Field, place: dict[str, int], zone: ZoneInfo) -> Column:
    title = f"{each.label} ({zone.key})" if each.cells is Cells.MOMENT else str(each.label)
    return Column(
        title=title,
        position=place[each.path],
        kind=each.cells,
        unit_position=place[each.unit] if each.unit else None,
        words=each.words,
    )
