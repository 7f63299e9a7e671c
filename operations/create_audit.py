"""The audit row of an order that a person places; a merchant's own call is no deed of a person."""

from __future__ import annotations

from datetime import datetime

from diamondpay import audit
from diamondpay.lib import money
from diamondpay.models import User
from records.models import Payment, Payout


def write(*, placed: Payment | Payout, user: User | None, address: str | None, now: datetime) -> None:
    """Write who placed the order, in the transaction that writes it (A1); nothing where nobody did."""
    if user is None:
        return
    kind = "payment" if isinstance(placed, Payment) else "payout"
    audit.write(
        action=f"{kind}.place",
        object_kind=kind,
        object_id=placed.payment_id if isinstance(placed, Payment) else placed.payout_id,
        user=user,
        address=address,
        now=now,
        after={
            "merchant": placed.merchant_id,
            "merchant_order_no": placed.merchant_order_no,
            "service": placed.service_id,
            "wallet": placed.merchant_channel_id,
            "amount": money.plain(placed.requested_amount),
            "currency": placed.currency_id,
            "is_test": placed.is_test,
        },
    )
