"""What a person may do with one order, notification or case at once.

Each act checks its permission and scope, needs a reason, and writes its audit row in the deed's
transaction. Acts that create or release money by hand are in `operations.approvals`; the pages of these are
`operations.order_acts`, `order_acts_payout` and `order_acts_messages`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from diamondpay import audit
from diamondpay.identity import refusals
from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from merchants import access
from operations import approval_rules
from operations.models import Act
from records import payments, payouts, submission
from records.models import Actor, Payment, PaymentStatus, Payout, PayoutAttempt

CLOSE = "operations.close_payment"
REQUERY = "operations.requery_payment"
REVIEW = "operations.review_payout"
# A person who asks more often hears nothing new, and the upstream counts its callers.
REQUERY_SECONDS = 5
_REQUERIED = "payment.requery"


class TooSoon(errors.DomainError):
    """The upstream was asked about this order a moment ago."""

    code = "too_soon"
    words = _("The upstream was asked a moment ago. Wait a few seconds and ask again.")


@refusals.noted(action="payment.close", object_kind="payment", object_id="payment_id")
def close_payment(*, payment_id: str, user: User, reason: str, address: str | None, now: datetime) -> Payment:
    """Close a deposit before it is paid.

    Raises: NotAllowed, OrderUnknown (also for another merchant's), InvalidInput without a reason,
    StatusConflict.
    """
    payment = _payment_for(payment_id=payment_id, user=user, permission=CLOSE, reason=reason)
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


@refusals.noted(action="payment.requery", object_kind="payment", object_id="payment_id")
def requery_payment(
    *, payment_id: str, user: User, reason: str, address: str | None, now: datetime
) -> Payment:
    """Ask the upstream about a deposit now and apply what it says. No transaction may be open.

    Raises: NotAllowed, OrderUnknown, InvalidInput without a reason, StatusConflict, TooSoon.
    """
    payment = announce_requery(payment_id=payment_id, user=user, reason=reason, address=address, now=now)
    submission.query_payment(payment=payment)
    payment.refresh_from_db()
    return payment


@transaction.atomic
def announce_requery(
    *, payment_id: str, user: User, reason: str, address: str | None, now: datetime
) -> Payment:
    """Write down that a person asks the upstream about a deposit; the caller asks after the commit.

    Raises: NotAllowed, OrderUnknown, InvalidInput without a reason; StatusConflict for one that is Success;
    TooSoon within a few seconds of the last time. Locks: the order, so that two do not ask at once.
    """
    found = _payment_for(payment_id=payment_id, user=user, permission=REQUERY, reason=reason)
    status = PaymentStatus(payments.locked(found.pk).status)
    if status == PaymentStatus.SUCCESS:
        raise errors.StatusConflict(order=payment_id, current=status.label, wanted=_t("asked about"))
    if was_just_requeried(payment_id=payment_id, now=now):
        raise TooSoon
    audit.write(
        action=_REQUERIED,
        object_kind="payment",
        object_id=payment_id,
        user=user,
        address=address,
        reason=reason,
        now=now,
    )
    return found


def was_just_requeried(*, payment_id: str, now: datetime) -> bool:
    """Say whether a person asked the upstream about a deposit within the last few seconds."""
    since = now - timedelta(seconds=REQUERY_SECONDS)
    asked = AuditRow.objects.filter(object_kind="payment", object_id=payment_id, action=_REQUERIED)
    return asked.filter(created_at__gt=since).exists()


@refusals.noted(action="payout.approve", object_kind="payout", object_id="payout_id")
def approve_payout(*, payout_id: str, user: User, reason: str, address: str | None, now: datetime) -> Payout:
    """Pass a payout's review and send it to its upstream. No transaction may be open.

    Raises: NotAllowed, OrderUnknown, InvalidInput without a reason, StatusConflict; FourEyesRequired for
    who placed it, and where an approval rule wants two people for such an amount.
    """
    read_clock = clock.going_on_from(now)
    attempt_pk = pass_review(payout_id=payout_id, user=user, reason=reason, address=address, now=now)
    return send(attempt_pk=attempt_pk, read_clock=read_clock)


@transaction.atomic
def pass_review(*, payout_id: str, user: User, reason: str, address: str | None, now: datetime) -> int:
    """Pass a payout's review and return the key of its attempt, which the caller sends after the commit.

    Raises: NotAllowed, OrderUnknown, InvalidInput without a reason, StatusConflict; FourEyesRequired for who
    placed it, and for an amount that an approval rule gives to two people.
    """
    payout = _payout_for(payout_id=payout_id, user=user, reason=reason)
    hindrance = why_two_people(payout)
    if hindrance is not None:
        raise errors.FourEyesRequired(hindrance)
    attempt = payouts.approve(payout_pk=payout.pk, user=user, reason=reason, now=now)
    _audit_review("payout.approve", payout, user, reason, address, now)
    return attempt.pk


def why_two_people(payout: Payout) -> errors.Words | None:
    """Say in words why two people review a payout, None where one does.

    An approval rule gives them its amount, or none says what is large in its currency.
    """
    rule = approval_rules.find(
        kind=Act.Kind.REVIEW_PAYOUT, currency_id=payout.currency_id, amount=payout.requested_amount
    )
    if rule is not None:
        return _("A payout of this amount is reviewed by two people: one asks, another decides.")
    if approval_rules.is_review_banded(payout.currency_id):
        return None
    words = _(
        "No approval rule says from which amount in {currency} two people review a payout, so two review"
        " every one: one asks, another decides."
    )
    return format_lazy(words, currency=payout.currency_id)


def send(*, attempt_pk: int, read_clock: clock.ReadClock = clock.now) -> Payout:
    """Send a prepared attempt to its upstream. No transaction may be open."""
    attempt = PayoutAttempt.objects.select_related("payout", "channel").get(pk=attempt_pk)
    return submission.submit_attempt(attempt=attempt, read_clock=read_clock)


@refusals.noted(action="payout.reject", object_kind="payout", object_id="payout_id")
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
    _require(user=user, permission=REVIEW, reason=reason)
    payout = access.visible_to(user, Payout.objects.all()).filter(payout_id=payout_id).first()
    if payout is None:
        raise errors.OrderUnknown
    return payout


def _require(*, user: User, permission: str, reason: str) -> None:
    if not user.has_perm(permission):
        raise errors.NotAllowed
    if not reason.strip():
        raise errors.InvalidInput({"reason": _("This is required.")})
