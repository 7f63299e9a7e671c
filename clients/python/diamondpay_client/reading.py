"""From the wire to the models: amounts ÷ 100, Unix seconds, and nothing taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from diamondpay_client.errors import OutcomeUnknown
from diamondpay_client.models import Deposit, Notification, Payout

Json = Mapping[str, object]


def whole(value: Decimal | int) -> int:
    """Return an amount × 100.

    Raises: TypeError for a float; ValueError for what is not positive or has more than two decimals.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError("give amounts as Decimal or int")
    found = Decimal(value) * 100
    if not found.is_finite() or found <= 0 or found != found.to_integral_value():
        raise ValueError(f"{value} is no positive amount of at most two decimals")
    return int(found)


def text(content: Json, name: str) -> str:
    """Return a text; "" where there is none."""
    found = content.get(name, "")
    if not isinstance(found, str):
        raise OutcomeUnknown(f"the answer's {name} is no text")
    return found


def number(content: Json, name: str) -> int:
    """Return an integer of the answer."""
    found = content.get(name)
    if isinstance(found, bool) or not isinstance(found, int):
        raise OutcomeUnknown(f"the answer's {name} is no integer")
    return found


def amount(content: Json, name: str) -> Decimal:
    """Return an amount in whole currency units."""
    return Decimal(number(content, name)).scaleb(-2)


def moment(content: Json, name: str) -> datetime:
    """Return a time in UTC."""
    return datetime.fromtimestamp(number(content, name), UTC)


def deposit(content: Json) -> Deposit:
    """Return a deposit of a list or of its own address."""
    return Deposit(
        id=text(content, "payment_id"),
        order_no=text(content, "payment_cl_id"),
        amount=amount(content, "amount"),
        real_amount=amount(content, "real_amount"),
        fee=amount(content, "fee"),
        status=number(content, "status"),
        created_at=moment(content, "create_time"),
    )


def payout(content: Json) -> Payout:
    """Return a payout of a list or of its own address."""
    return Payout(
        id=text(content, "payout_id"),
        order_no=text(content, "payout_cl_id"),
        amount=amount(content, "amount"),
        fee=amount(content, "fee"),
        status=number(content, "status"),
        error=text(content, "error_msg"),
        created_at=moment(content, "create_time"),
    )


def notification(content: Json, *, webhook_id: str) -> Notification:
    """Return a notification whose signature was checked."""
    is_payout = "payout_id" in content
    kind = "payout" if is_payout else "payment"
    return Notification(
        webhook_id=webhook_id,
        id=text(content, f"{kind}_id"),
        order_no=text(content, f"{kind}_cl_id"),
        is_payout=is_payout,
        amount=amount(content, "amount"),
        real_amount=None if is_payout else amount(content, "real_amount"),
        fee=amount(content, "fee"),
        status=number(content, "status"),
        updated_at=moment(content, "update_time"),
    )
