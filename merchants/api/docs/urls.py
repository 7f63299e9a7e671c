"""Addresses of the pages for merchants' engineers, under /docs/."""

from __future__ import annotations

from django.urls import path

from merchants.api.docs import pages

urlpatterns = [
    path("", pages.index, name="docs-index"),
    path("gateway/", pages.gateway_page, name="docs-gateway"),
    path("transaction-request/", pages.orders_page, name="docs-orders"),
    path("payment-detail/", pages.detail_page, name="docs-detail"),
]
