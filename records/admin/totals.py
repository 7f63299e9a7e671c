"""The totals as the database keeps them, for looking behind a figure. Statistics have pages of their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from records.models import (
    AccountDelta,
    AccountTotal,
    AmountTotal,
    OrderDayTotal,
    OrderDelta,
    OrderHourTotal,
    OrderTotal,
    PlatformTotal,
    SummaryTotal,
)


def _kind(row: Any) -> Any:
    return _("deposits") if row.kind == 1 else _("payouts")


def _figures(model: Any, *, when: str = "") -> tuple[Any, ...]:
    total = Columns(model)
    return (
        total.page("id", label=_("row")),
        *([total.full_moment(when)] if when == "hour" else [when] if when else []),
        total.computed(_kind, name="kind", label=_("kind")), "merchant", "service", "channel", "currency",
        total.text("is_test"), "status", "order_count", total.number("requested_sum"),
        total.number("actual_sum"),
        total.number("fee_sum"), total.number("credited_sum"),
    )  # fmt: skip


class _Figures(ReadOnlyAdmin):
    """Newest first; found by merchant through the index of each table."""

    list_display_links = None
    exact_search = (Key(field="merchant", label=_("merchant id"), newest_first="-id", is_upper=True),)


@admin.register(OrderHourTotal)
class OrderHourTotalAdmin(_Figures):
    """Totals by the hour of creation."""

    list_display = _figures(OrderHourTotal, when="hour")


@admin.register(OrderDayTotal)
class OrderDayTotalAdmin(_Figures):
    """Totals by the day of creation, UTC."""

    list_display = _figures(OrderDayTotal, when="day")


@admin.register(OrderTotal)
class OrderTotalAdmin(_Figures):
    """Totals of all time."""

    list_display = _figures(OrderTotal)


@admin.register(OrderDelta)
class OrderDeltaAdmin(ReadOnlyAdmin):
    """Changes that no total holds yet."""

    list_display = _figures(OrderDelta, when="hour")
    list_display_links = None


_platform = Columns(PlatformTotal)
_summary = Columns(SummaryTotal)
_amount = Columns(AmountTotal)


@admin.register(PlatformTotal)
class PlatformTotalAdmin(ReadOnlyAdmin):
    """Totals of all merchants together, by hour and by day, UTC."""

    list_display = (
        _platform.page("id", label=_("row")), _platform.text("grain"), _platform.full_moment("start"),
        _platform.computed(_kind, name="kind", label=_("kind")), "service", "channel", "currency",
        _platform.text("is_test"), "status", "order_count", _platform.number("requested_sum"),
        _platform.number("actual_sum"), _platform.number("fee_sum"), _platform.number("credited_sum"),
    )  # fmt: skip
    list_display_links = None


@admin.register(SummaryTotal)
class SummaryTotalAdmin(ReadOnlyAdmin):
    """Totals of all channels together, of each merchant and service and of all, UTC."""

    list_display = (
        _summary.page("id", label=_("row")), _summary.text("grain"), _summary.full_moment("start"),
        _summary.computed(_kind, name="kind", label=_("kind")), "merchant", "service", "currency",
        "settlement_currency", _summary.text("is_test"), "status", "order_count",
        _summary.number("requested_sum"), _summary.number("actual_sum"), _summary.number("fee_sum"),
        _summary.number("credited_sum"),
    )  # fmt: skip
    list_display_links = None


@admin.register(AmountTotal)
class AmountTotalAdmin(ReadOnlyAdmin):
    """How many orders were requested within each amount bucket, and how many succeeded."""

    list_display = (
        _amount.page("id", label=_("row")), _amount.text("grain"), _amount.full_moment("start"),
        _amount.computed(_kind, name="kind", label=_("kind")), "merchant", "service", "channel", "currency",
        _amount.text("is_test"), "bucket", "order_count", "success_count",
    )  # fmt: skip
    list_display_links = None


_account_total = Columns(AccountTotal)
_account_delta = Columns(AccountDelta)


@admin.register(AccountTotal)
class AccountTotalAdmin(ReadOnlyAdmin):
    """Folded balances of system accounts."""

    list_display = (
        "account", _account_total.money("balance", currency="account.currency"), "entry_count",
    )  # fmt: skip
    list_select_related = ("account__currency",)
    ordering = ("-account_id",)


@admin.register(AccountDelta)
class AccountDeltaAdmin(ReadOnlyAdmin):
    """Changes of system accounts that no total holds yet."""

    list_display = (
        _account_delta.page("id", label=_("row")), _account_delta.text("account"),
        _account_delta.money("amount", currency="account.currency"), "entry_count",
    )  # fmt: skip
    list_display_links = None
    list_select_related = ("account__currency",)
