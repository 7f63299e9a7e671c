"""Who may make batches, and for whom. Source: backoffice.md, Permissions (1015 and 1022)."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from diamondpay.lib import errors
from merchants.models import Merchant
from operations.batches.models import BatchPayout
from records import filters

OWN = "operations.operation_payout_write"
GLOBAL = "operations.operation_payout_global_write"
EITHER = (OWN, GLOBAL)


def merchants_for(user: Any) -> QuerySet[Merchant]:
    """Return the merchants for whom the user may create payouts.

    1022 is for any merchant that the user may see; 1015 for the merchants whom they act for, and so for none
    where nothing binds them to one.
    """
    if user.has_perm(GLOBAL) or (user.has_perm(OWN) and filters.confined_to(user) is not None):
        return filters.visible_to(user, Merchant.objects.order_by("id"))
    return Merchant.objects.none()


def batches_for(user: Any) -> QuerySet[BatchPayout]:
    """Return the batches that the user may open, newest first."""
    seen = filters.visible_to(user, BatchPayout.objects.order_by("-id"))
    if user.has_perm(GLOBAL):
        return seen
    return seen if user.has_perm(OWN) and filters.confined_to(user) is not None else seen.none()


def check(user: Any, merchant_id: str) -> None:
    """Pass a user who may create payouts for the merchant now. Raises: NotAllowed."""
    if not merchants_for(user).filter(pk=merchant_id).exists():
        raise errors.NotAllowed
