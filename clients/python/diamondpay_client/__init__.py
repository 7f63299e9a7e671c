"""A merchant's end of the DiamondPay gateway API, and of the payment-detail API."""

from __future__ import annotations

from diamondpay_client.client import Client
from diamondpay_client.detail import (
    Chain,
    ChainCurrency,
    CreatedOrder,
    DetailClient,
    PaymentDetail,
    PaymentStatus,
    callback,
)
from diamondpay_client.errors import DiamondPayError, OutcomeUnknown, Refused, SignatureInvalid
from diamondpay_client.models import (
    Balance,
    CreatedDeposit,
    CreatedPayout,
    Deposit,
    DepositStatus,
    Notification,
    Page,
    Payout,
    PayoutStatus,
)
from diamondpay_client.notifications import notification

__all__ = [
    "Balance",
    "Chain",
    "ChainCurrency",
    "Client",
    "CreatedDeposit",
    "CreatedOrder",
    "CreatedPayout",
    "Deposit",
    "DepositStatus",
    "DetailClient",
    "DiamondPayError",
    "Notification",
    "OutcomeUnknown",
    "Page",
    "PaymentDetail",
    "PaymentStatus",
    "Payout",
    "PayoutStatus",
    "Refused",
    "SignatureInvalid",
    "callback",
    "notification",
]
