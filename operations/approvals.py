"""Four eyes: an act is asked for by one person, decided by another, and executed once, exactly as it was
approved (P6, P8).

The evidence is frozen in the row when the act is requested; the database refuses a decision by the same
person.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from diamondpay import audit
from diamondpay.lib import clock, errors, money, transactions
from diamondpay.models import User
from merchants.models import MerchantChannel
from operations.models import Act
from records import ledger, payments, payouts, submission, transfers
from records.models import Actor, ManualFreeze, Payment, Payout, PayoutAttempt

Followed = Callable[[], None]


# What an act cannot be decided without; amounts are plain decimals in major units.
EVIDENCE: Mapping[Act.Kind, tuple[str, ...]] = {
    Act.Kind.ADJUST_BALANCE: ("amount",),
    Act.Kind.SUPPLEMENT_BALANCE: ("amount",),
    Act.Kind.FREEZE_BALANCE: ("amount",),
    Act.Kind.TRANSFER_BALANCE: ("amount", "destination"),
    Act.Kind.FAIL_PAYOUT: ("proof",),
    Act.Kind.REINITIATE_PAYOUT: ("channel",),
    Act.Kind.SUPPLEMENT_PAYMENT: ("amount", "channel_order_no"),
}


def request(
    *,
    kind: Act.Kind,
    object_kind: str,
    object_id: str,
    evidence: Mapping[str, str],
    reason: str,
    request_id: str,
    user: User,
    now: datetime,
    address: str | None = None,
) -> Act:
    """Ask for an act; a repeated request id returns the first one (P8).

    Raises: InvalidInput without a reason or evidence, and when the request id stands for another act.
    """
    faults = _faults(kind=kind, evidence=evidence, reason=reason)
    if faults:
        raise errors.InvalidInput(faults)
    try:
        with transaction.atomic():
            act = Act.objects.create(
                request_id=request_id,
                kind=kind,
                object_kind=object_kind,
                object_id=object_id,
                evidence=dict(evidence),
                reason=reason,
                requested_by=user,
                requested_at=now,
            )
            audit.write(
                action=f"act.request.{kind}",
                object_kind=object_kind,
                object_id=object_id,
                user=user,
                address=address,
                reason=reason,
                now=now,
                after={"request_id": request_id, **evidence},
            )
    except IntegrityError as refusal:
        if (
            transactions.constraint_name(refusal) is None
            or not Act.objects.filter(request_id=request_id).exists()
        ):
            raise
        first = Act.objects.get(request_id=request_id)
        asked = (first.kind, first.object_kind, first.object_id, first.evidence)
        if asked != (kind, object_kind, object_id, dict(evidence)):
            raise errors.InvalidInput({"request_id": _("It was used for another act.")}) from refusal
        return first
    return act


def _faults(*, kind: Act.Kind, evidence: Mapping[str, str], reason: str) -> dict[str, errors.Words]:
    wanted = EVIDENCE.get(kind, ())
    faults: dict[str, errors.Words] = {
        name: _("This is required.") for name in wanted if not evidence.get(name, "").strip()
    }
    if not reason.strip():
        faults["reason"] = _("This is required.")
    if kind not in EXECUTORS:
        faults["kind"] = _("This act cannot be carried out yet.")
    if "amount" in wanted and "amount" not in faults:
        try:
            money.parse_plain(evidence["amount"])
        except money.NotPlain as fault:
            faults["amount"] = fault.reason
    return faults


def approve(*, act_id: int, user: User, reason: str, now: datetime) -> Act:
    """Approve and execute an act in one transaction; what must be sent to an upstream follows the commit.

    Raises: FourEyesRequired for the person who asked; StatusConflict when it was decided before; whatever
    the deed raises.
    """
    act, followed = _approve(act_id=act_id, user=user, reason=reason, now=now)
    if followed is not None:
        followed()
    return act


@transactions.atomic_with_retries
def _approve(*, act_id: int, user: User, reason: str, now: datetime) -> tuple[Act, Followed | None]:
    act = _undecided(act_id=act_id, user=user)
    followed = EXECUTORS[Act.Kind(act.kind)](act, user, now)
    return _decided(act, Act.State.EXECUTED, user, reason, now), followed


@transactions.atomic_with_retries
def reject(*, act_id: int, user: User, reason: str, now: datetime) -> Act:
    """Refuse an act; nothing is done.

    Raises: FourEyesRequired; StatusConflict.
    """
    return _decided(_undecided(act_id=act_id, user=user), Act.State.REJECTED, user, reason, now)


def _undecided(*, act_id: int, user: User) -> Act:
    """Return an act that waits for a decision, locked. Locks: the act, before any order or account."""
    act = Act.objects.select_for_update().get(pk=act_id)
    if act.requested_by_id == user.pk:
        raise errors.FourEyesRequired
    if not user.has_perm("operations.decide_act"):
        raise errors.NotAllowed
    if act.state != Act.State.REQUESTED:
        raise errors.StatusConflict(
            order=act.request_id, current=Act.State(act.state).label, wanted=Act.State.EXECUTED.label
        )
    return act


def _decided(act: Act, state: Act.State, user: User, reason: str, now: datetime) -> Act:
    Act.objects.filter(pk=act.pk).update(
        state=state, decided_by=user, decided_at=now, decision_reason=reason[:500]
    )
    audit.write(
        action=f"act.{state}.{act.kind}",
        object_kind=act.object_kind,
        object_id=act.object_id,
        user=user,
        reason=reason,
        now=now,
        after={"request_id": act.request_id},
    )
    act.refresh_from_db()
    return act


def _wallet(act: Act) -> MerchantChannel:
    return MerchantChannel.objects.get(pk=act.object_id)


def _amount(act: Act) -> Decimal:
    return money.parse_plain(act.evidence["amount"])


def _adjust_balance(act: Act, user: User, now: datetime) -> None:
    ledger.adjust(
        merchant_channel=_wallet(act),
        amount=_amount(act),
        reason=act.reason,
        request_id=act.request_id,
        now=now,
        operator=user,
        is_supplement=act.kind == Act.Kind.SUPPLEMENT_BALANCE,
    )


def _freeze_balance(act: Act, user: User, now: datetime) -> None:
    ledger.freeze(
        merchant_channel=_wallet(act),
        amount=_amount(act),
        reason=act.reason,
        request_id=act.request_id,
        now=now,
        operator=user,
    )


def _unfreeze_balance(act: Act, user: User, now: datetime) -> None:
    ledger.unfreeze(
        manual_freeze=ManualFreeze.objects.get(request_id=act.object_id),
        reason=act.reason,
        now=now,
        operator=user,
    )


def _transfer_balance(act: Act, user: User, now: datetime) -> None:
    transfers.execute(
        source=_wallet(act),
        destination=MerchantChannel.objects.get(pk=act.evidence["destination"]),
        amount=_amount(act),
        reason=act.reason,
        request_id=act.request_id,
        now=now,
        operator=user,
    )


def _fail_payout(act: Act, user: User, now: datetime) -> None:
    payouts.fail_by_hand(
        payout_pk=Payout.objects.get(payout_id=act.object_id).pk, user=user, reason=act.reason, now=now
    )


def _reinitiate_payout(act: Act, user: User, now: datetime) -> Followed:
    attempt = payouts.reinitiate(
        payout_pk=Payout.objects.get(payout_id=act.object_id).pk,
        channel_id=act.evidence["channel"],
        user=user,
        reason=act.reason,
        now=now,
    )
    return functools.partial(_send, attempt.pk, clock.going_on_from(now))


def _review_payout(act: Act, user: User, now: datetime) -> Followed:
    attempt = payouts.approve(
        payout_pk=Payout.objects.get(payout_id=act.object_id).pk, user=user, reason=act.reason, now=now
    )
    return functools.partial(_send, attempt.pk, clock.going_on_from(now))


def _send(attempt_pk: int, read_clock: clock.ReadClock) -> None:
    submission.submit_attempt(
        attempt=PayoutAttempt.objects.select_related("payout", "channel").get(pk=attempt_pk),
        read_clock=read_clock,
    )


def _supplement_payment(act: Act, user: User, now: datetime) -> None:
    """Credit what no callback told. Money put aside for this order leaves suspense first."""
    payment = payments.locked(Payment.objects.get(payment_id=act.object_id).pk)
    for case in payment.cases.select_related("posting").filter(
        posting__reversed_by__isnull=True, posting__kind="suspense"
    ):
        if case.posting is not None:
            ledger.reverse(posting=case.posting, remark=act.reason, now=now, operator=user)
    payments.settle(
        payment=payment,
        actual_amount=_amount(act),
        now=now,
        changed_by=Actor.OPERATOR,
        user=user,
        reason=act.reason,
        channel_order_no=act.evidence["channel_order_no"],
    )
    payment.cases.filter(status="open").update(
        status="closed", closed_at=now, closed_by=user, resolution=act.reason
    )


EXECUTORS: Mapping[Act.Kind, Callable[[Act, User, datetime], Followed | None]] = {
    Act.Kind.ADJUST_BALANCE: _adjust_balance,
    Act.Kind.SUPPLEMENT_BALANCE: _adjust_balance,
    Act.Kind.FREEZE_BALANCE: _freeze_balance,
    Act.Kind.UNFREEZE_BALANCE: _unfreeze_balance,
    Act.Kind.TRANSFER_BALANCE: _transfer_balance,
    Act.Kind.FAIL_PAYOUT: _fail_payout,
    Act.Kind.REINITIATE_PAYOUT: _reinitiate_payout,
    Act.Kind.REVIEW_PAYOUT: _review_payout,
    Act.Kind.SUPPLEMENT_PAYMENT: _supplement_payment,
}
