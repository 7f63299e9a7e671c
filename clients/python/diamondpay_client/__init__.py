"""A merchant's end of the DiamondPay gateway API."""

from __future__ import annotations

from diamondpay_client.client import Client
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
    "Client",
    "CreatedDeposit",
    "CreatedPayout",
    "Deposit",
    "DepositStatus",
    "DiamondPayError",
    "Notification",
    "OutcomeUnknown",
    "Page",
    "Payout",
    "PayoutStatus",
    "Refused",
    "SignatureInvalid",
    "notification",
]
