"""Addresses under /payment/ and /conf/."""

from __future__ import annotations

from django.urls import path

from merchants.api.payment_detail import views

urlpatterns = [
    path("payment/detail", views.PaymentDetail.as_view(), name="payment-detail"),
    path("payment/notify", views.PaymentNotify.as_view(), name="payment-detail-notify"),
    path("payment/<path:rest>", views.unknown_address, name="payment-detail-unknown"),
    path("payment/", views.unknown_address),
]
