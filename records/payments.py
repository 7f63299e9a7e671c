"""The one writer of deposit orders: creation, what the upstream accepted, and every change of status.

Each change is one UPDATE that names the version it saw, so that whoever comes second finds StatusConflict;
the database writes the history and refuses what the table of moves does not allow.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from django.db import IntegrityError, connection, models, transaction
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.upstreams import base
from diamondpay.lib import crash, errors, ids, money, sql, transactions
from diamondpay.models import User
from records import acceptance, cases, credit, dialects, notifications, parties, schedule
from records.models import (
    PAYMENT_MOVES,
    Actor,
    Case,
    Payment,
    PaymentStatus,
    Posting,
    UpstreamCall,
)

UNSUBMITTED_QUERY_SECONDS = 30
# All but how the order was routed, which only its page shows; it is read when somebody asks for it.
_LOCKED_FIELDS = [field for field in Payment._meta.concrete_fields if field.name != "routing"]
_LOCKED_NAMES = [field.attname for field in _LOCKED_FIELDS]
_LOCKED = f"""
    SELECT {", ".join(f'"{field.column}"' for field in _LOCKED_FIELDS)}
    FROM records_payment WHERE id = %(id)s FOR UPDATE
"""  # noqa: S608 - our own names


def create(*, columns: Mapping[str, object], party: base.Party, now: datetime) -> Payment:
    """Insert a deposit In Progress. The terms in `columns` are copied from what `operations.placement`
    decided.

    Raises: DuplicateOrderNumber when another request with this number committed first.
    """
    number = ids.next_number("payment_number")
    payment = Payment(
        id=number,
        payment_id=ids.payment_id(number),
        status=PaymentStatus.IN_PROGRESS,
        created_at=now,
        updated_at=now,
        next_query_at=now + timedelta(seconds=UNSUBMITTED_QUERY_SECONDS),
        **parties.sealed(party),
        **columns,
    )
    if not sql.insert_once(payment, key=("merchant_id", "merchant_order_no")):
        raise errors.DuplicateOrderNumber
    return payment


def locked(payment_pk: int) -> Payment:
    """Return a deposit, locked until the transaction ends. Locks: the order's row, before any account."""
    found = sql.rows(_LOCKED, {"id": payment_pk})
    if not found:
        raise Payment.DoesNotExist(payment_pk)
    return Payment.from_db(connection.alias, _LOCKED_NAMES, found[0])


def expected_amount(payment: Payment) -> Decimal:
    """Return what the payer was asked to send. Units: major units of the order's currency."""
    asked: Decimal = payment.requested_amount if payment.display_amount is None else payment.display_amount
    return asked


def is_within_tolerance(payment: Payment, amount: Decimal) -> bool:
    """Say whether an amount that arrived may be credited as it is (D9)."""
    return money.is_within(
        amount,
        expected=expected_amount(payment),
        below_percent=payment.tolerance_below,
        above_percent=payment.tolerance_above,
    )


def submitted(*, payment: Payment, submission: base.Submission, now: datetime) -> Payment:
    """Write down what the upstream answered to a submission: accepted, refused or unknown.

    A callback may have come first: whatever the status is now, only what is still empty is filled in.
    """
    if submission.outcome is not base.SubmissionOutcome.ACCEPTED:
        return _not_accepted(payment_pk=payment.pk, submission=submission, now=now)
    try:
        _accepted(payment=payment, submission=submission, now=now)
    except IntegrityError as refusal:
        if not _is_number_taken(refusal):
            raise
        _accepted_under_a_taken_number(payment=payment, submission=submission, now=now)
    return payment


def _accepted(*, payment: Payment, submission: base.Submission, now: datetime) -> None:
    """Write the acceptance, and tell the merchant where its dialect does: one statement for all others."""
    if payment.notify_url and dialects.get(payment.dialect).tells_in_progress:
        _accepted_and_told(payment=payment, submission=submission, now=now)
    else:
        acceptance.write(payment=payment, submission=submission, now=now)


@transactions.atomic_with_retries
def _accepted_and_told(*, payment: Payment, submission: base.Submission, now: datetime) -> None:
    is_first = acceptance.write(payment=payment, submission=submission, now=now)
    if is_first and payment.status == PaymentStatus.IN_PROGRESS:
        notifications.enqueue(payment=payment, now=now)


@transactions.atomic_with_retries
def _not_accepted(*, payment_pk: int, submission: base.Submission, now: datetime) -> Payment:
    payment = locked(payment_pk)
    note_call(
        payment=payment,
        purpose=UpstreamCall.Purpose.SUBMIT,
        outcome=submission.outcome,
        exchange=submission.exchange,
        reason=submission.reason,
        now=now,
        cause=submission.cause,
    )
    is_open = payment.status == PaymentStatus.IN_PROGRESS
    if submission.outcome is base.SubmissionOutcome.REFUSED and is_open:
        return fail(payment=payment, now=now, changed_by=Actor.SUBMISSION, reason=submission.reason)
    return payment


@transactions.atomic_with_retries
def _accepted_under_a_taken_number(*, payment: Payment, submission: base.Submission, now: datetime) -> None:
    _accepted(payment=payment, submission=replace(submission, channel_order_no=""), now=now)
    _report_taken_number(payment=payment, channel_order_no=submission.channel_order_no, now=now)


def remember_channel_order_no(*, payment: Payment, channel_order_no: str, now: datetime) -> Case | None:
    """Keep the upstream's number, or return the case when it belongs to another order (D7)."""
    if not channel_order_no or payment.channel_order_no:
        return None
    try:
        with transaction.atomic():
            Payment.objects.filter(pk=payment.pk).update(channel_order_no=channel_order_no)
    except IntegrityError as refusal:
        if not _is_number_taken(refusal):
            raise
        return _report_taken_number(payment=payment, channel_order_no=channel_order_no, now=now)
    payment.channel_order_no = channel_order_no
    return None


def _is_number_taken(refusal: IntegrityError) -> bool:
    return transactions.constraint_name(refusal) == "payment_channel_order_no_once"


def has_taken_number(payment: Payment) -> bool:
    """Say whether the upstream accepted the order under a number that belongs to another one (D7)."""
    if payment.submitted_at is None or payment.channel_order_no:
        return False
    return Case.objects.filter(key=_taken_number_key(payment)).exists()


def _taken_number_key(payment: Payment) -> str:
    return f"channel-order-no:{payment.channel_id}:{payment.payment_id}"


def _report_taken_number(*, payment: Payment, channel_order_no: str, now: datetime) -> Case:
    return cases.open_once(
        key=_taken_number_key(payment),
        kind=Case.Kind.CONTRADICTION,
        payment=payment,
        now=now,
        channel_id=payment.channel_id,
        summary=_t("The upstream gave order %(order)s the number %(number)s, which belongs to another order.")
        % {"order": payment.payment_id, "number": channel_order_no},
    )


def settle(
    *,
    payment: Payment,
    actual_amount: Decimal,
    now: datetime,
    changed_by: Actor,
    channel_order_no: str = "",
    reason: str = "",
    user: User | None = None,
) -> Payment:
    """Credit a deposit with what arrived: posting, status and notification, all or nothing.

    `payment` was locked in this transaction. The one road to Success, for callbacks, queries and operators
    alike (D2).

    Units: actual_amount in major units of payment.currency; converted at the order's unit price, rounded
    once.
    Raises: StatusConflict when the order is Success already; NotCreditable, before anything is written;
    EffectExists.
    Locks: (the order), then the accounts in ascending id.
    """
    crash.point("settle.locked")
    if not PAYMENT_MOVES.allows(PaymentStatus(payment.status), PaymentStatus.SUCCESS):
        raise _conflict(payment, PaymentStatus.SUCCESS)
    quote, settled_amount = credit.quoted(payment=payment, actual_amount=actual_amount)
    remember_channel_order_no(payment=payment, channel_order_no=channel_order_no, now=now)
    posting = credit.begin(payment=payment, now=now, operator=user, remark=reason)
    moved = _move(
        payment,
        PaymentStatus.SUCCESS,
        now=now,
        changed_by=changed_by,
        user=user,
        reason=reason,
        actual_amount=actual_amount,
        settled_amount=settled_amount,
        fee=quote.fee,
        credited_amount=quote.credited,
        credit_posting=posting,
        is_late=payment.status != PaymentStatus.IN_PROGRESS,
        next_query_at=None,
        error_message="",
    )
    crash.point("settle.notified")
    # Last of all: the wallet is locked from here to the commit, and all its other payers wait.
    credit.enter(payment=payment, posting=posting, actual_amount=actual_amount, quote=quote, now=now)
    crash.point("settle.posted")
    return moved


def refund(*, payment: Payment, is_fee_returned: bool, now: datetime, user: User, reason: str) -> Posting:
    """Give a deposit back to its payer, all that arrived, once; it stays Success. The second person is the
    caller's duty, and that the payer gets the money the upstream's.

    `payment` was locked in this transaction. The wallet is debited what was settled; where the fee is
    returned, what was credited.

    Raises: StatusConflict unless it is Success; InsufficientBalance; EffectExists.
    Locks: (the order), then the wallet's account.
    """
    if payment.status != PaymentStatus.SUCCESS:
        raise errors.StatusConflict(
            order=payment.payment_id, current=PaymentStatus(payment.status).label, wanted=_("Refunded")
        )
    return credit.refund(
        payment=payment, is_fee_returned=is_fee_returned, now=now, operator=user, remark=reason
    )


def fail(
    *, payment: Payment, now: datetime, changed_by: Actor, reason: str, user: User | None = None
) -> Payment:
    """Mark a deposit as Failed because the upstream said so.

    Raises: StatusConflict when it is no longer in progress.
    """
    return _move(
        payment,
        PaymentStatus.FAILED,
        now=now,
        changed_by=changed_by,
        user=user,
        reason=reason,
        error_message=reason[:500],
        next_query_at=schedule.after_end(payment, now),
    )


@transactions.atomic_with_retries
def close(
    *, payment_pk: int, now: datetime, changed_by: Actor, reason: str, user: User | None = None
) -> Payment:
    """Close a deposit that nobody paid: expired, or closed by a person. Money that comes later is a late
    payment (D8).

    Raises: StatusConflict when it is no longer in progress.
    """
    payment = locked(payment_pk)
    return _move(
        payment,
        PaymentStatus.CLOSED,
        now=now,
        changed_by=changed_by,
        user=user,
        reason=reason,
        next_query_at=schedule.after_end(payment, now),
    )


def close_expired(*, now: datetime, row_count_max: int = 200) -> int:
    """Close the deposits whose time is over; return how many this call closed. Each in a transaction of its
    own.
    """
    due = Payment.objects.filter(schedule.is_over(now)).order_by("expires_at")
    closed = 0
    for payment_pk in list(due.values_list("pk", flat=True)[:row_count_max]):
        try:
            close(
                payment_pk=payment_pk,
                now=now,
                changed_by=Actor.EXPIRY,
                reason=_t("Expired without a payment."),
            )
        except errors.StatusConflict:
            continue  # Paid, failed or closed by somebody else in the meantime, which is the better end.
        closed += 1
    return closed


def note_call(
    *,
    payment: Payment,
    purpose: UpstreamCall.Purpose,
    outcome: str,
    exchange: base.Exchange,
    reason: str,
    now: datetime,
    cause: base.RefusalCause = base.RefusalCause.OTHER,
) -> None:
    """Keep one call to the upstream for the order's timeline; the adapter has masked it."""
    UpstreamCall.objects.create(
        payment=payment,
        purpose=purpose,
        outcome=outcome,
        cause=cause,
        request=exchange.request,
        response=exchange.response,
        http_status=exchange.http_status,
        duration_ms=exchange.duration_ms,
        reason=reason[:500],
        created_at=now,
    )


def _move(
    payment: Payment,
    target: PaymentStatus,
    *,
    now: datetime,
    changed_by: Actor,
    user: User | None,
    reason: str,
    **changes: object,
) -> Payment:
    """Walk one move of the table: compare the version, set, tell the merchant.

    Raises: StatusConflict when the move is not allowed or somebody else was first.
    """
    if not PAYMENT_MOVES.allows(PaymentStatus(payment.status), target):
        raise _conflict(payment, target)
    changes |= {
        "status": int(target),
        "updated_at": now,
        "completed_at": now,
        "changed_by": str(changed_by),
        "changed_by_user": user,
        "change_reason": reason[:500],
    }
    written = {
        cast("models.Field[Any, Any]", Payment._meta.get_field(name)).attname: getattr(value, "pk", value)
        for name, value in changes.items()
    }
    seen = {"seen_id": payment.pk, "seen_version": payment.version, "seen_status": int(payment.status)}
    found = sql.rows(_moving(tuple(written)), {**written, **seen})
    if not found:
        raise _conflict(payment, target)
    for name, value in changes.items():
        setattr(payment, name, value)
    payment.version = found[0][0]
    crash.point("settle.updated")
    notifications.enqueue(payment=payment, now=now)
    return payment


@functools.cache
def _moving(columns: tuple[str, ...]) -> str:
    """Return the statement that sets the columns of an order which is still as it was seen."""
    changes = ", ".join(f'"{column}" = %({column})s' for column in columns)
    return (
        f"UPDATE records_payment SET {changes} WHERE id = %(seen_id)s "  # noqa: S608 - our own names
        "AND version = %(seen_version)s AND status = %(seen_status)s RETURNING version"
    )


def _conflict(payment: Payment, target: PaymentStatus) -> errors.StatusConflict:
    return errors.StatusConflict(
        order=payment.payment_id, current=PaymentStatus(payment.status).label, wanted=target.label
    )
