"""Every address of the product. The only module that may import `merchants.api`."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, include, path
from django.views.generic import RedirectView

# The short paths that staff know and link to, each with its filters. Source: backoffice.md, Pages.
SHORT_PATHS = {
    "RecordPayment": "admin:records_payment_changelist",
    "RecordPayout": "admin:records_payout_changelist",
    "RecordBalanceRecord": "admin:records_balancerecord_changelist",
    "RecordBalanceTransfer": "admin:records_balancetransfer_changelist",
    "RecordNotificationDetail": "admin:records_notification_changelist",
    "OperationBatchPayout": "admin:batch_payout",
    "OperationOrderQuery": "admin:order_query",
    "OperationCreatePayment": "admin:create_payment",
    "OperationCreatePayout": "admin:create_payout",
}


def _leads_to(route: str, url_name: str) -> URLPattern:
    return path(route, RedirectView.as_view(pattern_name=url_name, query_string=True))


urlpatterns = [
    # What is called most is found first.
    path("gateway/", include("merchants.api.gateway.urls")),
    path("api/v2/merchant/", include("merchants.api.transaction_request.urls")),
    path("", include("merchants.api.payment_detail.urls")),
    _leads_to("", "admin:index"),
    *(_leads_to(route, url_name) for route, url_name in SHORT_PATHS.items()),
    path("admin/", admin.site.urls),
    path("", include("records.urls")),
    path("docs/", include("merchants.api.docs.urls")),
    path("docs/api/", include("merchants.api.gateway.docs")),
    path("docs/api/transaction-request/", include("merchants.api.transaction_request.docs")),
    path("docs/api/payment-detail/", include("merchants.api.payment_detail.docs")),
]
