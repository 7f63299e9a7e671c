"""Debug mode: marks a merchant's new orders as test orders until the next midnight where the merchant is.

Source: backoffice.md, Merchants.
"""

from __future__ import annotations

from datetime import datetime

from diamondpay import audit
from diamondpay.lib import clock, transactions
from diamondpay.models import User
from merchants.models import Merchant


def is_on(*, merchant: Merchant, now: datetime) -> bool:
    """Say whether new orders are test orders; past its end debug mode is off even before a worker says so."""
    return merchant.debug_mode and merchant.debug_ends_at is not None and now < merchant.debug_ends_at


@transactions.atomic_with_retries
def switch_on(
    *,
    merchant: Merchant,
    now: datetime,
    user: User | None = None,
    actor: str = "",
    address: str | None = None,
) -> None:
    """Switch debug mode on until 00:00 of the merchant's next local day."""
    _set(
        merchant=merchant,
        ends_at=clock.local_midnight_after(now, merchant.time_zone),
        now=now,
        user=user,
        actor=actor,
        address=address,
    )


@transactions.atomic_with_retries
def switch_off(
    *,
    merchant: Merchant,
    now: datetime,
    user: User | None = None,
    actor: str = "",
    address: str | None = None,
) -> None:
    """Switch debug mode off."""
    _set(merchant=merchant, ends_at=None, now=now, user=user, actor=actor, address=address)


@transactions.atomic_with_retries
def end_due(now: datetime) -> int:
    """Switch debug mode off wherever its end has come; return how many merchants that were.

    Locks: those merchants' rows, in the order of their ids; one that somebody holds waits for the next run.
    """
    due = list(
        Merchant.objects.select_for_update(skip_locked=True)
        .filter(debug_mode=True, debug_ends_at__lte=now)
        .order_by("pk")
    )
    for merchant in due:
        _set(merchant=merchant, ends_at=None, now=now, user=None, actor="system", address=None)
    return len(due)


def _set(
    *,
    merchant: Merchant,
    ends_at: datetime | None,
    now: datetime,
    user: User | None,
    actor: str,
    address: str | None,
) -> None:
    before = _told(merchant)
    merchant.debug_mode = ends_at is not None
    merchant.debug_ends_at = ends_at
    merchant.save(update_fields=["debug_mode", "debug_ends_at"])
    audit.write(
        action="merchant.debug_mode",
        object_kind="merchant",
        object_id=merchant.pk,
        now=now,
        user=user,
        actor=actor,
        address=address,
        before=before,
        after=_told(merchant),
    )


def _told(merchant: Merchant) -> dict[str, object]:
    return {
        "debug_mode": merchant.debug_mode,
        "debug_ends_at": merchant.debug_ends_at.isoformat() if merchant.debug_ends_at else "",
    }
