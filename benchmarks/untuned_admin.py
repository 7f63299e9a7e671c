"""The same tables in a stock ModelAdmin: exact counts, `icontains` search, a sidebar of list filters.

Read-only like ours, with Django's own templates. Statistics and the home page, which Django does not have,
are what one writes first: aggregates over the orders.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.db import connection, transaction
from django.db.models import Count, Q, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import include, path

from records.models import BalanceRecord, Notification, Payment, Payout

SECONDS_MAX = 60
ENGINE = "stock"


class UntunedSite(AdminSite):
    """Django's own site under another name; each page has a minute of the database's time."""

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        checked: Any = super().admin_view(view, cacheable)

        def bounded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            with transaction.atomic():
                _limit()
                response = checked(request, *args, **kwargs)
                if isinstance(response, TemplateResponse):
                    response.using = ENGINE
                    response.render()
            return response

        return bounded


def _limit() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{SECONDS_MAX}s'")


class ReadOnly(ModelAdmin[Any]):
    """Nobody writes here either."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class UntunedOrders(ReadOnly):
    """The columns and filters that our list has."""

    list_display = [
        "created_at", "merchant_order_no", "merchant", "service", "channel", "requested_amount",
        "actual_amount", "credited_amount", "fee", "status", "completed_at",
    ]  # fmt: skip
    list_filter = ["created_at", "status", "service", "channel", "is_test", "merchant"]
    search_fields = [
        "payment_id", "merchant_order_no", "channel_order_no", "account_tail", "requested_amount",
    ]  # fmt: skip
    list_per_page = 50
    ordering = ["-created_at"]


class UntunedPayouts(UntunedOrders):
    """The same of payouts."""

    list_display = [name for name in UntunedOrders.list_display if name != "credited_amount"]
    search_fields = ["payout_id", "merchant_order_no", "channel_order_no", "account_tail"]


class UntunedEntries(ReadOnly):
    """Balance records."""

    list_display = [
        "created_at", "merchant", "channel", "change_type", "amount", "balance_before", "balance_after",
        "order_no",
    ]  # fmt: skip
    list_filter = ["created_at", "change_type", "channel", "merchant"]
    search_fields = ["order_no"]
    list_per_page = 50
    ordering = ["-created_at"]


class UntunedNotifications(ReadOnly):
    """Notifications."""

    list_display = ["created_at", "order_no", "merchant", "state", "attempt_count", "url"]
    list_filter = ["created_at", "state", "merchant"]
    search_fields = ["order_no", "webhook_id"]
    list_per_page = 50
    ordering = ["-created_at"]


def statistics(request: HttpRequest) -> HttpResponse:
    """Counts and sums of the deposits of a time range, by service."""
    start, end = (datetime.fromisoformat(request.GET[name]) for name in ("start", "end"))
    with transaction.atomic():
        _limit()
        found = (
            Payment.objects.filter(created_at__gte=start, created_at__lt=end, is_test=False)
            .values("service", "currency")
            .annotate(
                orders=Count("id"),
                successes=Count("id", filter=Q(status=1)),
                requested=Sum("requested_amount"),
                actual=Sum("actual_amount"),
                fees=Sum("fee"),
            )
            .order_by("service")
        )
        return JsonResponse({"rows": list(found)})


site = UntunedSite(name="untuned")
site.register(Payment, UntunedOrders)
site.register(Payout, UntunedPayouts)
site.register(BalanceRecord, UntunedEntries)
site.register(Notification, UntunedNotifications)

urlpatterns = [
    path("untuned/statistics/", statistics),
    path("untuned/", site.urls),
    path("", include("diamondpay.urls")),
]
