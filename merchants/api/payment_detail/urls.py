"""Addresses under /payment/ and /conf/."""

from __future__ import annotations

from django.urls import path

from merchants.api import anything  # noqa: F401 - what it registers is used below
from merchants.api.payment_detail import views

urlpatterns = [
    path("payment/detail", views.PaymentDetail.as_view(), name="payment-detail"),
    path("payment/createPaymentOrder", views.CreatePaymentOrder.as_view(), name="payment-detail-create"),
    path("payment/notify", views.PaymentNotify.as_view(), name="payment-detail-notify"),
    path("payment/<anything:rest>", views.unknown_address, name="payment-detail-unknown"),
    path("payment/", views.unknown_address),
    path("conf/list/chain", views.ChainList.as_view(), name="payment-detail-chains"),
    path("conf/list/currency", views.CurrencyList.as_view(), name="payment-detail-currencies"),
    path("conf/<anything:rest>", views.unknown_address, name="payment-detail-conf-unknown"),
    path("conf/", views.unknown_address),
]
