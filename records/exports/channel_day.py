"""A channel's day: every entry of its clearing account beside the order it belongs to, and the reverse.

Two roads: from each entry to its order, in the rows; and from the orders that succeeded on the day to the
entries of the day, in the summary, so that an order without an entry is seen as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, ExpressionWrapper, F, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Channel
from diamondpay.lib.fields import MoneyField
from diamondpay.lib.spreadsheet import summary as sheets
from diamondpay.lib.spreadsheet.columns import Kind as Cells
from diamondpay.lib.spreadsheet.summary import Cell
from merchants import access
from records.exports import sources
from records.exports.reconciliation import Day, DayField, amount_field, bounds
from records.exports.sources import Sums
from records.models import (
    Account,
    BalanceRecord,
    ChangeType,
    ExportJob,
    Payment,
    PaymentStatus,
    Payout,
    PayoutStatus,
)

_ZERO = Decimal(0)
# The entries that an order makes on the clearing account when it succeeds.
_OF_DEPOSITS = frozenset({"deposit_credit", "exchange"})
_OF_PAYOUTS = frozenset({"payout_debit"})
# What an upstream was to pay out: without the fee, which is ours.
_SENT = F("debited_amount") - Coalesce(F("fee"), _ZERO)
_CHANNEL_FIELDS = (
    DayField(key="created_at", label=_("Time"), path="created_at", cells=Cells.MOMENT),
    DayField(key="change_type", label=_("Entry"), path="change_type",
           words={str(value): str(word) for value, word in ChangeType.choices}),
    DayField(key="payment", label=_("Deposit order"), path="posting__payment__payment_id"),
    DayField(key="payout", label=_("Payout order"), path="posting__payout__payout_id"),
    DayField(key="merchant", label=_("Merchant"), path="our_merchant"),
    DayField(key="channel_order_no", label=_("Channel order no."), path="their_number"),
    amount_field("expected", _("Our order says"), "expected"),
    amount_field("amount", _("Clearing account"), "amount"),
    amount_field("difference", _("Difference"), "difference"),
    DayField(key="currency", label=_("Currency"), path="currency_id"),
    DayField(key="effect", label=_("Posting"), path="posting__effect_key"),
)  # fmt: skip


class ChannelDay(Day):
    """Every entry of a channel's clearing accounts on one day beside the order it belongs to."""

    title = _("Reconciliation of a channel")
    fields = _CHANNEL_FIELDS
    owner = "channel"
    owner_model = Channel
    permissions = ("records.view_balancerecord", "records.view_upstreamcall", "channels.view_channel")

    def rows_of(self, *, job: ExportJob, zone: ZoneInfo) -> QuerySet[Any]:
        if access.merchants_of(job.requested_by) is not None:
            raise sources.Refused(_t("A channel's clearing account is the platform's own."))
        channel, day = self.asked(job, zone)
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

    def figures_of(self, *, job: ExportJob, zone: ZoneInfo) -> tuple[int, tuple[Sums, ...], tuple[str, ...]]:
        decimals = sources.currency_decimals()
        found = list(
            self.rows_of(job=job, zone=zone)
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
        orders = orders_beside_entries(found, **self._orders(job=job, zone=zone), decimals=decimals)
        return sum(int(row["count"]) for row in found), (table, orders), notes

    def _orders(self, *, job: ExportJob, zone: ZoneInfo) -> dict[str, list[Any]]:
        """Return what our orders say by themselves: those that succeeded on the day, by currency."""
        channel, day = self.asked(job, zone)
        start, end = bounds(day, zone)
        ended = {"channel_id": channel, "completed_at__gte": start, "completed_at__lt": end}
        user = job.requested_by
        paid = access.visible_to(user, Payment.objects.filter(status=PaymentStatus.SUCCESS, **ended))
        sent = access.visible_to(user, Payout.objects.filter(status=PayoutStatus.SUCCESS, **ended))
        return {
            "paid": list(_added(paid, F("currency_id"), -Sum("actual_amount"))),
            "sent": list(_added(sent, F("settlement_currency_id"), Sum(_SENT))),
        }


def _channel_check(row: dict[str, Any]) -> str:
    if row["differing"]:
        return _t("DOES NOT AGREE")
    return _t("no order to compare with") if row["orphans"] else _t("agrees")


def _with_orders(entries: QuerySet[Any]) -> QuerySet[Any]:
    """Add what the order of each entry says, with the sign it has on the clearing account."""
    paid = F("posting__payment__actual_amount")
    sent = F("posting__payout__debited_amount") - Coalesce(F("posting__payout__fee"), _ZERO)
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


def _added(orders: QuerySet[Any], unit: F, total: Any) -> QuerySet[Any]:
    """Return count and sum of orders by the currency in which the channel's clearing account has them."""
    found: QuerySet[Any] = orders.order_by().values(unit=unit).annotate(count=Count("pk"), total=total)
    return found.order_by("unit")


def orders_beside_entries(
    entries: Iterable[Mapping[str, Any]], *, paid: Iterable[Any], sent: Iterable[Any],
    decimals: Mapping[str, int],
) -> Sums:  # fmt: skip
    """Return the orders of the day beside the entries of the day, by currency and direction."""
    rows, entries = [], list(entries)
    for word, types, orders in ((_t("Deposits"), _OF_DEPOSITS, paid), (_t("Payouts"), _OF_PAYOUTS, sent)):
        ours = {row["unit"]: (int(row["count"]), row["total"]) for row in orders}
        booked: dict[str, tuple[int, Decimal]] = {}
        for entry in (each for each in entries if each["change_type"] in types):
            count, total = booked.get(entry["currency_id"], (0, _ZERO))
            booked[entry["currency_id"]] = (count + int(entry["count"]), total + (entry["booked"] or _ZERO))
        for currency in sorted(ours.keys() | booked.keys()):
            ordered, entered = ours.get(currency, (0, _ZERO)), booked.get(currency, (0, _ZERO))
            rows.append((
                Cell(value=currency),
                Cell(value=word),
                Cell(value=ordered[0]),
                sheets.amount(ordered[1], decimals.get(currency, 2)),
                Cell(value=entered[0]),
                sheets.amount(entered[1], decimals.get(currency, 2)),
                Cell(value=_t("agrees") if ordered == entered else _t("DOES NOT AGREE")),
            ))  # fmt: skip
    headings = (
        _t("Currency"), _t("Orders"), _t("Succeeded on the day"), _t("Our orders say"), _t("Entries"),
        _t("Clearing account"), _t("Check"),
    )  # fmt: skip
    return Sums(title=_t("Orders of the day"), headings=headings, rows=tuple(rows))
