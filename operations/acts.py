"""What a person may do with one order at once: close, ask the upstream again, approve or reject a review.

Each act checks its permission and scope, needs a reason, and writes its audit row in the deed's
transaction. Acts that create or release money by hand are in `operations.approvals`.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from diamondpay import audit
from diamondpay.lib import clock, errors
from diamondpay.models import User
from merchants import access
from operations import approval_rules
from operations.models import Act
from records import payments, payouts, submission
from records.models import Actor, Payment, Payout, PayoutAttempt


def close_payment(*, payment_id: str, user: User, reason: str, address: str | None, now: datetime) -> Payment:
    """Close a deposit before it is paid.

    Raises: NotAllowed, OrderUnknown (also for another merchant's), InvalidInput without a reason,
    StatusConflict.
    """
    payment = _payment_for(
        payment_id=payment_id, user=user, permission="operations.close_payment", reason=reason
    )
    with transaction.atomic():
        closed = payments.close(
            payment_pk=payment.pk, now=now, changed_by=Actor.OPERATOR, reason=reason, user=user
        )
        audit.write(
            action="payment.close",
            object_kind="payment",
            object_id=payment_id,
            user=user,
            address=address,
            reason=reason,
            now=now,
            before={"status": int(payment.status)},
            after={"status": int(closed.status)},
        )
    return closed


def requery_payment(
    *, payment_id: str, user: User, reason: str, address: str | None, now: datetime
) -> Payment:
    """Ask the upstream about a deposit now and apply what it says.

    Raises: NotAllowed, OrderUnknown, InvalidInput without a reason.
    """
    payment = _payment_for(
        payment_id=payment_id, user=user, permission="operations.close_payment", reason=reason
    )
    audit.write(
        action="payment.requery",
        object_kind="payment",
        object_id=payment_id,
        user=user,
        address=address,
        reason=reason,
        now=now,
    )
    submission.query_payment(payment=payment)
    payment.refresh_from_db()
    return payment


def approve_payout(*, payout_id: str, user: User, reason: str, address: str | None, now: datetime) -> Payout:
    """Pass a payout's review and send it to its upstream.

    Raises: NotAllowed, OrderUnknown, InvalidInput without a reason, StatusConflict; FourEyesRequired for
    who placed it, and where an approval rule wants two people for such an amount.
    """
    payout = _payout_for(payout_id=payout_id, user=user, reason=reason)
    needs_two = approval_rules.find(
        kind=Act.Kind.REVIEW_PAYOUT, currency_id=payout.currency_id, amount=payout.requested_amount
    )
    if needs_two is not None:
        raise errors.FourEyesRequired(
            _("A payout of this amount is reviewed by two people: one asks, another decides.")
        )
    read_clock = clock.going_on_from(now)
    with transaction.atomic():
        attempt = payouts.approve(payout_pk=payout.pk, user=user, reason=reason, now=now)
        _audit_review("payout.approve", payout, user, reason, address, now)
    return submission.submit_attempt(
        attempt=PayoutAttempt.objects.select_related("payout", "channel").get(pk=attempt.pk),
        read_clock=read_clock,
    )


def reject_payout(*, payout_id: str, user: User, reason: str, address: str | None, now: datetime) -> Payout:
    """Reject a payout in review; the money is released and the merchant told.

    Raises: NotAllowed, OrderUnknown, InvalidInput without a reason, StatusConflict, FourEyesRequired.
    """
    payout = _payout_for(payout_id=payout_id, user=user, reason=reason)
    with transaction.atomic():
        rejected = payouts.reject(payout_pk=payout.pk, user=user, reason=reason, now=now)
        _audit_review("payout.reject", payout, user, reason, address, now)
    return rejected


def _audit_review(
    action: str, payout: Payout, user: User, reason: str, address: str | None, now: datetime
) -> None:
    audit.write(
        action=action,
        object_kind="payout",
        object_id=payout.payout_id,
        user=user,
        address=address,
        reason=reason,
        now=now,
        before={"status": int(payout.status)},
    )


def _payment_for(*, payment_id: str, user: User, permission: str, reason: str) -> Payment:
    _require(user=user, permission=permission, reason=reason)
    payment = (
        access.visible_to(user, Payment.objects.select_related("channel"))
        .filter(payment_id=payment_id)
        .first()
    )
    if payment is None:
        raise errors.OrderUnknown
    return payment


def _payout_for(*, payout_id: str, user: User, reason: str) -> Payout:
    _require(user=user, permission="operations.review_payout", reason=reason)
    payout = access.visible_to(user, Payout.objects.all()).filter(payout_id=payout_id).first()
    if payout is None:
        raise errors.OrderUnknown
    return payout


def _require(*, user: User, permission: str, reason: str) -> None:
    if not user.has_perm(permission):
        raise errors.NotAllowed
    if not reason.strip():
        raise errors.InvalidInput({"reason": _("This is required.")})
