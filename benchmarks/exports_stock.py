"""The same rows as django-import-export makes them, and rows in memory for a writer alone."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.http import HttpRequest
from import_export import resources
from import_export.admin import ExportMixin
from import_export.formats import base_formats

from benchmarks.exports_child import PATHS
from diamondpay.lib.spreadsheet.columns import Column, Kind, Look
from records.models import Payment, PaymentStatus

_AMOUNTS = frozenset({"requested_amount", "actual_amount", "fee", "credited_amount"})
_MOMENTS = frozenset({"created_at", "completed_at"})
_RELATED = ("merchant", "service", "channel", "currency")


class PaymentResource(resources.ModelResource):  # type: ignore[misc]  # import-export has no types
    """The fifteen columns as its documentation declares them."""

    class Meta:
        model = Payment
        fields = tuple(path.removesuffix("_id") if path != "payment_id" else path for path in PATHS)
        export_order = fields


class StockAdmin(ExportMixin, admin.ModelAdmin[Payment]):  # type: ignore[misc]  # import-export has no types
    """Its admin integration, unchanged."""

    resource_classes = [PaymentResource]


class _Anybody:
    """A person who may do anything."""

    pk = 1
    is_active = is_staff = True

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """Allow."""
        return True


def export(merchant_id: str) -> int:
    """Return how many rows its own export call wrote into a book."""
    request: Any = HttpRequest()
    request.method, request.user = "POST", _Anybody()
    rows = (
        Payment.objects.filter(merchant_id=merchant_id)
        .select_related(*_RELATED)
        .order_by("-created_at", "-id")
    )
    made = StockAdmin(Payment, admin.site).get_export_data(base_formats.XLSX(), request, rows)
    if len(made) < 1000:
        raise SystemExit("The stock export wrote nothing.")
    return int(rows.count())


def rows_in_memory(merchant_id: str) -> tuple[list[Any], list[Column], Look]:
    """Return raw rows with the columns and look of a file of them."""
    rows = Payment.objects.filter(merchant_id=merchant_id).order_by("-created_at", "-id")
    columns = [
        Column(
            title=path,
            position=place,
            kind=Kind.AMOUNT if path in _AMOUNTS else Kind.MOMENT if path in _MOMENTS else Kind.TEXT,
            unit_position=PATHS.index("currency_id") if path in _AMOUNTS else None,
            words={value: str(word) for value, word in PaymentStatus.choices} if path == "status" else None,
        )
        for place, path in enumerate(PATHS)
    ]
    look = Look(zone=ZoneInfo("Asia/Shanghai"), decimals={"CNY": 2})
    return list(rows.values_list(*PATHS)), columns, look
