"""The one writer of payout orders and their attempts: freeze, send, settle or release.

Creating a payout freezes amount + fee; the freeze is resolved once. What is unknown stays frozen until it
is proven.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError
from django.utils.translation import gettext as _t

from channels.models import Channel, ChannelService
from channels.upstreams import base
from diamondpay.lib import crash, errors, ids, transactions
from diamondpay.models import User
from records import attempts, cases, debit, ledger, notifications, parties
from records.models import (
    PAYOUT_MOVES,
    Actor,
    Case,
    Payout,
    PayoutAttempt,
    PayoutStatus,
    PostingKind,
)

State = PayoutAttempt.State


def create(*, columns: Mapping[str, object], party: base.Party, under_review: bool, now: datetime) -> Payout:
    """Freeze amount + fee and insert the payout, In Progress with a prepared attempt or Under Review.

    Raises: InsufficientBalance; DuplicateOrderNumber when another request with this number committed first.
    Locks: the wallet's two accounts, in ascending id.
    """
    number = ids.next_number("payout_number")
    payout = Payout(
        id=number,
        payout_id=ids.payout_id(number),
        created_at=now,
        updated_at=now,
        status=PayoutStatus.UNDER_REVIEW if under_review else PayoutStatus.IN_PROGRESS,
        **parties.sealed(party),
        **columns,
    )
    accounts = ledger.accounts_of(
        merchant_channel_id=payout.merchant_channel_id,
        channel_id=payout.channel_id,
        currency_id=payout.settlement_currency_id,
    )
    payout.freeze_posting = ledger.post(
        effect_key=f"payout:{payout.payout_id}:freeze",
        kind=PostingKind.BALANCE_FREEZE,
        currency_id=payout.settlement_currency_id,
        legs=[(accounts["available"], -payout.debited_amount), (accounts["frozen"], payout.debited_amount)],
        now=now,
        payout_pk=number,
        order_no=payout.payout_id,
    )
    try:
        payout.save(force_insert=True)
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) == "payout_merchant_order_no_once":
            raise errors.DuplicateOrderNumber from refusal
        raise
    crash.point("payouts.frozen")
    if not under_review:
        attempts.prepare(payout=payout, channel_id=payout.channel_id, now=now)
    return payout


def locked(payout_pk: int) -> Payout:
    """Return a payout, locked until the transaction ends. Locks: the order's row, before its attempts and
    any account.
    """
    return Payout.objects.select_for_update().get(pk=payout_pk)


@transactions.atomic_with_retries
def approve(*, payout_pk: int, user: User, reason: str, now: datetime) -> PayoutAttempt:
    """Pass the review: In Progress, with the first attempt prepared. The caller submits it after the commit.

    Raises: StatusConflict; FourEyesRequired when the reviewer placed the payout (P6).
    """
    payout = locked(payout_pk)
    _refuse_own_review(payout, user)
    _move(payout, PayoutStatus.IN_PROGRESS, now=now, changed_by=Actor.OPERATOR, user=user, reason=reason)
    return attempts.prepare(payout=payout, channel_id=payout.channel_id, now=now)


@transactions.atomic_with_retries
def reject(*, payout_pk: int, user: User, reason: str, now: datetime) -> Payout:
    """Refuse in review: Review Rejected, the money released, the merchant told.

    Raises: StatusConflict; FourEyesRequired.
    """
    payout = locked(payout_pk)
    _refuse_own_review(payout, user)
    return _release(
        payout, PayoutStatus.REVIEW_REJECTED, now=now, changed_by=Actor.OPERATOR, user=user, reason=reason
    )


def _refuse_own_review(payout: Payout, user: User) -> None:
    if payout.placed_by_id is not None and payout.placed_by_id == user.pk:
        raise errors.FourEyesRequired


@transactions.atomic_with_retries
def submitted(*, attempt_pk: int, submission: base.Submission, now: datetime) -> Payout:
    """Write down what the upstream answered: accepted, definitely refused, or unknown (P5)."""
    attempt, payout = locked_attempt(attempt_pk)
    attempts.note_submission(attempt=attempt, submission=submission, now=now)
    if attempt.state not in attempts.LIVE:
        return payout
    if submission.outcome is base.SubmissionOutcome.REFUSED:
        return attempt_failed(
            payout=payout, attempt=attempt, reason=submission.reason, now=now, changed_by=Actor.SUBMISSION
        )
    changes: dict[str, object] = {}
    if submission.outcome is base.SubmissionOutcome.UNKNOWN:
        changes = (
            {"state": State.UNKNOWN, "reason": submission.reason[:500]} if attempt.state == State.SENT else {}
        )
    elif attempt.accepted_at is None:
        number = _own_number(attempt=attempt, payout=payout, number=submission.channel_order_no, now=now)
        changes = {"accepted_at": now, "channel_order_no": number}
        Payout.objects.filter(pk=payout.pk).update(
            submitted_at=payout.submitted_at or now, channel_order_no=number, updated_at=now
        )
    if changes:
        PayoutAttempt.objects.filter(pk=attempt.pk).update(**changes)
    was_accepted_before = payout.submitted_at is not None
    payout.refresh_from_db()
    if payout.submitted_at is not None and not was_accepted_before:
        notifications.enqueue(payout=payout, now=now)
    return payout


def _own_number(*, attempt: PayoutAttempt, payout: Payout, number: str, now: datetime) -> str:
    """Return the upstream's number; another attempt's opens a case and is not taken (D7)."""
    if not attempts.is_number_of_another(attempt=attempt, channel_order_no=number):
        return number
    cases.open_once(
        key=f"channel-order-no:{attempt.channel_id}:{attempt.reference}",
        kind=Case.Kind.CONTRADICTION,
        payout=payout,
        now=now,
        channel_id=attempt.channel_id,
        summary=_t("The upstream gave attempt %(attempt)s the number %(number)s, which belongs to another.")
        % {"attempt": attempt.reference, "number": number},
    )
    return ""


def locked_attempt(attempt_pk: int) -> tuple[PayoutAttempt, Payout]:
    """Return an attempt and its payout, both locked. Locks: the payout first, then the attempt."""
    payout_pk = PayoutAttempt.objects.values_list("payout_id", flat=True).get(pk=attempt_pk)
    payout = locked(payout_pk)
    return PayoutAttempt.objects.select_for_update().get(pk=attempt_pk), payout


def settle(
    *,
    payout: Payout,
    attempt: PayoutAttempt,
    actual_amount: Decimal,
    now: datetime,
    changed_by: Actor,
    channel_order_no: str = "",
    reason: str = "",
    user: User | None = None,
) -> Payout:
    """Pay out of the frozen balance: posting, attempt, status and notification, all or nothing (P2).

    `payout` and `attempt` were locked in this transaction.

    Raises: StatusConflict; LedgerRefused when the upstream paid another amount than was asked.
    Locks: (the order, the attempt), then the accounts in ascending id.
    """
    if actual_amount != payout.requested_amount:
        raise errors.LedgerRefused(_t("The upstream paid another amount than was asked."))
    if not PAYOUT_MOVES.allows(PayoutStatus(payout.status), PayoutStatus.SUCCESS):
        raise _conflict(payout, PayoutStatus.SUCCESS)
    attempts.finish(attempt, State.SUCCEEDED, channel_order_no=channel_order_no, reason=reason, now=now)
    posting = debit.post(
        payout=payout, attempt=attempt, actual_amount=actual_amount, now=now, operator=user, remark=reason
    )
    crash.point("settle.posted")
    return _move(
        payout,
        PayoutStatus.SUCCESS,
        now=now,
        changed_by=changed_by,
        user=user,
        reason=reason,
        actual_amount=actual_amount,
        resolve_posting=posting,
        completed_at=now,
        channel_order_no=channel_order_no or payout.channel_order_no,
        is_held=False,
    )


def attempt_failed(
    *,
    payout: Payout,
    attempt: PayoutAttempt,
    reason: str,
    now: datetime,
    changed_by: Actor,
    user: User | None = None,
) -> Payout:
    """Write down that an attempt has definitely failed; the merchant service's rule decides what follows
    (P3).

    `payout` and `attempt` were locked in this transaction.
    """
    attempts.finish(attempt, State.FAILED, channel_order_no="", reason=reason, now=now)
    if payout.after_failure == "fail":
        return _release(payout, PayoutStatus.FAILED, now=now, changed_by=changed_by, user=user, reason=reason)
    Payout.objects.filter(pk=payout.pk).update(is_held=True, error_message=reason[:500], updated_at=now)
    cases.open_once(
        key=f"payout-held:{attempt.reference}",
        kind=Case.Kind.PAYOUT_HELD,
        payout=payout,
        channel_id=attempt.channel_id,
        now=now,
        amount=payout.requested_amount,
        currency_id=payout.currency_id,
        summary=_t("Attempt %(attempt)s failed: %(reason)s")
        % {"attempt": attempt.reference, "reason": reason},
    )
    payout.refresh_from_db()
    return payout


@transactions.atomic_with_retries
def reinitiate(*, payout_pk: int, channel_id: str, user: User, reason: str, now: datetime) -> PayoutAttempt:
    """Prepare a new attempt of a held payout, on the same or another channel. The caller submits it after
    the commit.

    Raises: StatusConflict unless the payout is held and its last attempt has definitely failed (P4);
    NoChannelAvailable when the channel cannot carry it.
    """
    payout = locked(payout_pk)
    if payout.status != PayoutStatus.IN_PROGRESS or not payout.is_held:
        raise _conflict(payout, PayoutStatus.IN_PROGRESS)
    if not _carries(channel_id, payout):
        raise errors.NoChannelAvailable(
            _t("Channel %(channel)s cannot carry this payout.") % {"channel": channel_id}
        )
    attempt = attempts.prepare(payout=payout, channel_id=channel_id, now=now)
    Payout.objects.filter(pk=payout.pk).update(
        is_held=False,
        channel_id=channel_id,
        channel_order_no="",
        error_message="",
        updated_at=now,
        changed_by=Actor.OPERATOR,
        changed_by_user=user,
        change_reason=reason[:500],
    )
    return attempt


def _carries(channel_id: str, payout: Payout) -> bool:
    return ChannelService.objects.filter(
        channel=channel_id,
        channel__status=Channel.Status.ENABLED,
        channel__currency=payout.currency_id,
        service=payout.service_id,
        status=ChannelService.Status.ENABLED,
    ).exists()


@transactions.atomic_with_retries
def fail_by_hand(*, payout_pk: int, user: User, reason: str, now: datetime) -> Payout:
    """Fail a payout in progress on evidence that its attempt did not pay (P5); the second person is the
    caller's duty.

    Raises: StatusConflict when it is not in progress or an attempt has succeeded.
    """
    payout = locked(payout_pk)
    if payout.status != PayoutStatus.IN_PROGRESS:
        raise _conflict(payout, PayoutStatus.FAILED)
    for attempt in payout.attempts.select_for_update().filter(state__in=attempts.LIVE):
        attempts.finish(attempt, State.FAILED, channel_order_no="", reason=reason, now=now)
    return _release(payout, PayoutStatus.FAILED, now=now, changed_by=Actor.OPERATOR, user=user, reason=reason)


def _release(
    payout: Payout, target: PayoutStatus, *, now: datetime, changed_by: Actor, user: User | None, reason: str
) -> Payout:
    """Give the frozen money back to the wallet and end the payout. Locks: the accounts in ascending id."""
    if not PAYOUT_MOVES.allows(PayoutStatus(payout.status), target):
        raise _conflict(payout, target)
    accounts = ledger.accounts_of(
        merchant_channel_id=payout.merchant_channel_id,
        channel_id=payout.channel_id,
        currency_id=payout.settlement_currency_id,
    )
    posting = ledger.post(
        effect_key=f"payout:{payout.payout_id}:resolve",
        kind=PostingKind.BALANCE_UNFREEZE,
        currency_id=payout.settlement_currency_id,
        legs=[(accounts["frozen"], -payout.debited_amount), (accounts["available"], payout.debited_amount)],
        now=now,
        payout_pk=payout.pk,
        order_no=payout.payout_id,
        operator=user,
        remark=reason,
    )
    return _move(
        payout,
        target,
        now=now,
        changed_by=changed_by,
        user=user,
        reason=reason,
        resolve_posting=posting,
        completed_at=now,
        error_message=reason[:500],
        is_held=False,
    )


def _move(
    payout: Payout,
    target: PayoutStatus,
    *,
    now: datetime,
    changed_by: Actor,
    user: User | None,
    reason: str,
    **changes: object,
) -> Payout:
    """Walk one move of the table: compare the version, set, tell the merchant of every end.

    Raises: StatusConflict when the move is not allowed or somebody else was first.
    """
    if not PAYOUT_MOVES.allows(PayoutStatus(payout.status), target):
        raise _conflict(payout, target)
    touched = Payout.objects.filter(pk=payout.pk, version=payout.version, status=payout.status).update(
        status=target,
        updated_at=now,
        changed_by=changed_by,
        changed_by_user=user,
        change_reason=reason[:500],
        **changes,
    )
    if touched != 1:
        raise _conflict(payout, target)
    payout.refresh_from_db()
    if target != PayoutStatus.IN_PROGRESS:
        notifications.enqueue(payout=payout, now=now)
    return payout


def _conflict(payout: Payout, target: PayoutStatus) -> errors.StatusConflict:
    return errors.StatusConflict(
        order=payout.payout_id, current=PayoutStatus(payout.status).label, wanted=target.label
    )
