"""Cases: what a person must look at. The same event opens one case, however often it is told."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from records.models import Case, Payment, Payout, Posting


def open_once(
    *,
    key: str,
    kind: Case.Kind,
    summary: str,
    now: datetime,
    channel_id: str,
    payment: Payment | None = None,
    payout: Payout | None = None,
    posting: Posting | None = None,
    amount: Decimal | None = None,
    currency_id: str | None = None,
) -> Case:
    """Open a case, or return the one that this event opened before."""
    order = payment or payout
    case, _created = Case.objects.get_or_create(
        key=key[:160],
        defaults={
            "kind": kind,
            "summary": summary[:500],
            "opened_at": now,
            "channel_id": channel_id,
            "payment": payment,
            "payout": payout,
            "posting": posting,
            "amount": amount,
            "currency_id": currency_id,
            "merchant_id": order.merchant_id if order else None,
        },
    )
    return case
