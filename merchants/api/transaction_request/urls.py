"""Addresses under /api/v2/merchant/."""

from __future__ import annotations

from django.urls import path

from merchants.api import anything  # noqa: F401 - what it registers is used below
from merchants.api.transaction_request import views

urlpatterns = [
    path("transaction-request", views.ReadTransactionRequest.as_view(), name="transaction-request"),
    path("deposit", views.Deposit.as_view(), name="transaction-request-deposit"),
    path("withdraw/bank-card", views.WithdrawBankCard.as_view(), name="transaction-request-withdraw"),
    path("<anything:rest>", views.unknown_address, name="transaction-request-unknown"),
    path("", views.unknown_address),
]
