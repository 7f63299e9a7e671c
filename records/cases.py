"""Cases: what a person must look at. The same event opens one case, however often it is told."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _t

from diamondpay import audit
from diamondpay.lib import errors, transactions
from diamondpay.models import User
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


@transactions.atomic_with_retries
def close(*, case: Case, user: User, resolution: str, address: str | None, now: datetime) -> Case:
    """Close a case with what became of it. Money that it put into suspense stays there until it is moved.

    Raises: InvalidInput without a resolution; StatusConflict when somebody closed it before.
    Locks: the case.
    """
    if not resolution.strip():
        raise errors.InvalidInput({"reason": _t("Say what became of it.")})
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if locked.status != Case.Status.OPEN:
        raise errors.StatusConflict(
            order=locked.key, current=Case.Status(locked.status).label, wanted=Case.Status.CLOSED.label
        )
    locked.status, locked.closed_at, locked.closed_by = Case.Status.CLOSED, now, user
    locked.resolution = resolution.strip()[:500]
    locked.save(update_fields=["status", "closed_at", "closed_by", "resolution"])
    audit.write(
        action="case.close", object_kind="case", object_id=str(locked.pk), user=user, address=address,
        reason=locked.resolution, now=now, before={"status": Case.Status.OPEN},
        after={"status": Case.Status.CLOSED},
    )  # fmt: skip
    return locked
