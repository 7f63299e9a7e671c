"""What readers ask of the book: the merchants' lists, single orders, and how far the queues are behind.

Lists are one query of plain values, newest first, without a COUNT; `records.totals` knows how many there are.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Min

from merchants.models import MerchantChannel
from records.models import Account, Notification, Payment, Payout, UpstreamCallback


class PaymentRow(NamedTuple):
    """One deposit of a merchant's list. Units: amounts in major units of the order's currency."""

    payment_id: str
    merchant_order_no: str
    merchant_channel_id: str
    party_name: str
    requested_amount: Decimal
    actual_amount: Decimal | None
    fee: Decimal | None
    status: int
    memo: str
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    completed_at: datetime | None


class PayoutRow(NamedTuple):
    """One payout of a merchant's list. Units: amounts in major units of the order's currency."""

    payout_id: str
    merchant_order_no: str
    merchant_channel_id: str
    requested_amount: Decimal
    fee: Decimal | None
    status: int
    memo: str
    error_message: str
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    completed_at: datetime | None


class WalletRow(NamedTuple):
    """One wallet of a merchant. Units: balances in major units of its currency."""

    merchant_channel_id: str
    name: str
    currency: str
    available: Decimal
    frozen: Decimal


def merchant_payments(
    *,
    merchant_id: str,
    offset: int = 0,
    limit: int = 25,
    payment_id: str = "",
    merchant_order_no: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[PaymentRow]:
    """Return a merchant's deposits created in the half-open range [start, end), newest first."""
    found = Payment.objects.filter(merchant_id=merchant_id).order_by("-created_at", "-id")
    if payment_id:
        found = found.filter(payment_id=payment_id)
    if merchant_order_no:
        found = found.filter(merchant_order_no=merchant_order_no)
    if start is not None and end is not None:
        found = found.filter(created_at__gte=start, created_at__lt=end)
    return [
        PaymentRow._make(values) for values in found.values_list(*PaymentRow._fields)[offset : offset + limit]
    ]


def merchant_payouts(
    *,
    merchant_id: str,
    offset: int = 0,
    limit: int = 25,
    payout_id: str = "",
    merchant_order_no: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[PayoutRow]:
    """Return a merchant's payouts created in the half-open range [start, end), newest first."""
    found = Payout.objects.filter(merchant_id=merchant_id).order_by("-created_at", "-id")
    if payout_id:
        found = found.filter(payout_id=payout_id)
    if merchant_order_no:
        found = found.filter(merchant_order_no=merchant_order_no)
    if start is not None and end is not None:
        found = found.filter(created_at__gte=start, created_at__lt=end)
    return [
        PayoutRow._make(values) for values in found.values_list(*PayoutRow._fields)[offset : offset + limit]
    ]


def merchant_wallets(*, merchant_id: str) -> list[WalletRow]:
    """Return a merchant's wallets with their balances; a disabled one's money is still the merchant's."""
    accounts = Account.objects.filter(merchant_id=merchant_id, merchant_channel__isnull=False)
    balances = {
        (wallet, kind): balance
        for wallet, kind, balance in accounts.values_list("merchant_channel_id", "kind", "balance")
    }
    wallets = MerchantChannel.objects.filter(merchant_id=merchant_id).order_by("id")
    return [
        WalletRow(
            merchant_channel_id=pk,
            name=name or channel_name,
            currency=currency,
            available=balances[pk, Account.Kind.AVAILABLE],
            frozen=balances[pk, Account.Kind.FROZEN],
        )
        for pk, name, channel_name, currency in wallets.values_list(
            "id", "name", "channel__name", "currency_id"
        )
    ]


def oldest_due_notification_seconds(now: datetime) -> float | None:
    """Return for how long the oldest due notification has been waiting, None when none is due.

    What is in a worker's hands is not due; what a dead worker held is, once its lease has ended.
    """
    oldest = Notification.objects.filter(state=Notification.State.RETRYING, due_at__lte=now).aggregate(
        at=Min("due_at")
    )["at"]
    return None if oldest is None else (now - oldest).total_seconds()


def oldest_unanswered_callback_seconds(now: datetime) -> float | None:
    """Return how old the oldest callback without an outcome is, None when every one has its outcome (D6)."""
    waiting = UpstreamCallback.objects.filter(outcome=UpstreamCallback.Outcome.WAITING)
    oldest = waiting.aggregate(at=Min("received_at"))["at"]
    return None if oldest is None else max(0.0, (now - oldest).total_seconds())
