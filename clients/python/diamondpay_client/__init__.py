"""A merchant's end of the three DiamondPay APIs, a client for each."""

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
from diamondpay_client.transaction import (
    BankCard,
    PaymentMethod,
    RequestClient,
    RequestStatus,
    TransactionRequest,
    webhook,
)

__all__ = [
    "Balance",
    "BankCard",
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
    "PaymentMethod",
    "PaymentStatus",
    "Payout",
    "PayoutStatus",
    "Refused",
    "RequestClient",
    "RequestStatus",
    "SignatureInvalid",
    "TransactionRequest",
    "callback",
    "notification",
    "webhook",
]
