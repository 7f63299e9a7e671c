"""Addresses under /gateway/: the API and the payer's page."""

from __future__ import annotations

from django.urls import path

from merchants.api import anything  # noqa: F401 - what it registers is used below
from merchants.api.gateway import balances, payments, payouts, portal, views

urlpatterns = [
    path("api/v1/payments", payments.PaymentsV1.as_view(), name="gateway-payments-v1"),
    path("api/v2/payments", payments.CreatePaymentV2.as_view(), name="gateway-payments-v2"),
    path(
        "api/v2/payments/<anything:payment_cl_id>",
        payments.PaymentDetail.as_view(),
        name="gateway-payment-v2",
    ),
    path("api/v1/payouts", payouts.PayoutsV1.as_view(), name="gateway-payouts-v1"),
    path("api/v2/payouts", payouts.PayoutsV2.as_view(), name="gateway-payouts-v2"),
    path("api/v2/payouts/<anything:payout_cl_id>", payouts.PayoutDetail.as_view(), name="gateway-payout-v2"),
    path("api/v1/platforms/balance", balances.BalanceV1.as_view(), name="gateway-balance-v1"),
    path("api/v2/platforms/balance", balances.BalanceV2.as_view(), name="gateway-balance-v2"),
    path("portal/v1/payments/<str:opaque>", portal.payment_page, name="portal-payment"),
    path("portal/v1/payments/<str:opaque>/status", portal.payment_state, name="portal-payment-state"),
    path("portal/v1/payments/<str:opaque>/token", portal.payment_token, name="portal-payment-token"),
    path("api/<anything:rest>", views.unknown_address, name="gateway-unknown"),
    path("api/", views.unknown_address),
]
