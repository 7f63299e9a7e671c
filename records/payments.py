"""The one writer of deposit orders: creation, what the upstream accepted, and every change of status.

Each change is one UPDATE that names the version it saw, so that whoever comes second finds StatusConflict;
the database writes the history and refuses what the table of moves does not allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _t

from channels.models import Currency
from channels.upstreams import base
from diamondpay.lib import crash, errors, ids, money, transactions
from diamondpay.models import User
from merchants import pricing
from records import cases, ledger, notifications, parties, schedule
from records.models import (
    PAYMENT_MOVES,
    Actor,
    Case,
    Payment,
    PaymentStatus,
    Posting,
    PostingKind,
    UpstreamCall,
)

FIRST_QUERY_SECONDS = 60
UNSUBMITTED_QUERY_SECONDS = 30


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
    try:
        payment.save(force_insert=True)
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) == "payment_merchant_order_no_once":
            raise errors.DuplicateOrderNumber from refusal
        raise
    return payment


def locked(payment_pk: int) -> Payment:
    """Return a deposit, locked until the transaction ends. Locks: the order's row, before any account."""
    return Payment.objects.select_for_update().get(pk=payment_pk)


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


@transactions.atomic_with_retries
def submitted(*, payment_pk: int, submission: base.Submission, now: datetime) -> Payment:
    """Write down what the upstream answered to a submission: accepted, refused or unknown.

    A callback may have come first: whatever the status is now, only what is still empty is filled in.
    """
    payment = locked(payment_pk)
    note_call(
        payment=payment,
        purpose=UpstreamCall.Purpose.SUBMIT,
        outcome=submission.outcome,
        exchange=submission.exchange,
        reason=submission.reason,
        now=now,
    )
    if submission.outcome is base.SubmissionOutcome.REFUSED:
        if payment.status == PaymentStatus.IN_PROGRESS:
            return fail(payment=payment, now=now, changed_by=Actor.SUBMISSION, reason=submission.reason)
        return payment
    if submission.outcome is base.SubmissionOutcome.UNKNOWN or payment.submitted_at is not None:
        return payment
    changes: dict[str, object] = {
        "submitted_at": now,
        "link": submission.link,
        "qr_text": submission.qr_text,
        "display_amount": submission.display_amount,
        "receiver_encrypted": parties.sealed_receiver(submission.receiver),
        "updated_at": now,
    }
    if payment.next_query_at is not None:
        changes["next_query_at"] = now + timedelta(seconds=FIRST_QUERY_SECONDS)
    remember_channel_order_no(
        payment=payment, channel_order_no=submission.channel_order_no, now=now, changes=changes
    )
    return payment


def remember_channel_order_no(
    *, payment: Payment, channel_order_no: str, now: datetime, changes: Mapping[str, object] | None = None
) -> Case | None:
    """Keep the upstream's number, or return the case when it belongs to another order (D7).

    `changes` are further columns that are written in the same UPDATE, and on the object.
    """
    changes = dict(changes or {})
    is_new = bool(channel_order_no) and not payment.channel_order_no
    if not is_new:
        _fill_in(payment, changes)
        return None
    try:
        with transaction.atomic():
            _fill_in(payment, {**changes, "channel_order_no": channel_order_no})
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) != "payment_channel_order_no_once":
            raise
    else:
        return None
    _fill_in(payment, {**changes, "channel_order_no": ""})
    return cases.open_once(
        key=f"channel-order-no:{payment.channel_id}:{payment.payment_id}",
        kind=Case.Kind.CONTRADICTION,
        payment=payment,
        now=now,
        channel_id=payment.channel_id,
        summary=_t("The upstream gave order %(order)s the number %(number)s, which belongs to another order.")
        % {"order": payment.payment_id, "number": channel_order_no},
    )


def _fill_in(payment: Payment, changes: Mapping[str, object]) -> None:
    """Write columns of a locked order, on the row and on the object."""
    if changes:
        for name, value in changes.items():
            setattr(payment, name, value)
        Payment.objects.filter(pk=payment.pk).update(**changes)


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
    Raises: StatusConflict when the order is Success already; EffectExists.
    Locks: (the order), then the accounts in ascending id.
    """
    crash.point("settle.locked")
    if not PAYMENT_MOVES.allows(PaymentStatus(payment.status), PaymentStatus.SUCCESS):
        raise _conflict(payment, PaymentStatus.SUCCESS)
    remember_channel_order_no(payment=payment, channel_order_no=channel_order_no, now=now)
    exponent = Currency.objects.values_list("exponent", flat=True).get(pk=payment.settlement_currency_id)
    settled_amount = money.converted(actual_amount, unit_price=payment.unit_price, exponent=exponent)
    quote = pricing.quote_settled(
        settled=settled_amount,
        fee_type=payment.fee_type,
        fee_permillage=payment.fee_permillage,
        fee_fixed=payment.fee_fixed,
        exponent=exponent,
    )
    posting = _post_credit(
        payment=payment, actual_amount=actual_amount, quote=quote, now=now, user=user, reason=reason
    )
    crash.point("settle.posted")
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
    return moved


def _post_credit(
    *,
    payment: Payment,
    actual_amount: Decimal,
    quote: pricing.Quote,
    now: datetime,
    user: User | None,
    reason: str,
) -> Posting:
    """Book a deposit: from the channel (through the exchange account, if converted) to wallet and fees."""
    accounts = ledger.accounts_of(
        merchant_channel_id=payment.merchant_channel_id,
        channel_id=payment.channel_id,
        currency_id=payment.settlement_currency_id,
    )
    if payment.settlement_currency_id == payment.currency_id:
        counterpart = accounts["clearing"]
    else:
        counterpart = accounts["exchange"]
        _post_exchange(payment=payment, actual_amount=actual_amount, now=now)
    return ledger.post(
        effect_key=f"payment:{payment.payment_id}:credit",
        kind=PostingKind.DEPOSIT_CREDIT,
        currency_id=payment.settlement_currency_id,
        legs=[
            (counterpart, -(quote.credited + quote.fee)),
            (accounts["available"], quote.credited),
            (accounts["fees"], quote.fee),
        ],
        now=now,
        payment=payment,
        order_no=payment.payment_id,
        operator=user,
        remark=reason,
    )


def _post_exchange(*, payment: Payment, actual_amount: Decimal, now: datetime) -> None:
    """Book what the channel received, in the order's currency, against that currency's exchange account."""
    exchange = ledger.system_accounts_of(channel_id=payment.channel_id, currency_id=payment.currency_id)
    ledger.post(
        effect_key=f"payment:{payment.payment_id}:exchange",
        kind=PostingKind.EXCHANGE,
        currency_id=payment.currency_id,
        legs=[(exchange["clearing"], -actual_amount), (exchange["exchange"], actual_amount)],
        now=now,
        payment=payment,
        order_no=payment.payment_id,
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
    due = Payment.objects.filter(status=PaymentStatus.IN_PROGRESS, expires_at__lte=now).order_by("expires_at")
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
) -> None:
    """Keep one call to the upstream for the order's timeline; the adapter has masked it."""
    UpstreamCall.objects.create(
        payment=payment,
        purpose=purpose,
        outcome=outcome,
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
    touched = Payment.objects.filter(pk=payment.pk, version=payment.version, status=payment.status).update(
        status=target,
        updated_at=now,
        completed_at=now,
        changed_by=changed_by,
        changed_by_user=user,
        change_reason=reason[:500],
        **changes,
    )
    if touched != 1:
        raise _conflict(payment, target)
    crash.point("settle.updated")
    payment.refresh_from_db()
    notifications.enqueue(payment=payment, now=now)
    return payment


def _conflict(payment: Payment, target: PaymentStatus) -> errors.StatusConflict:
    return errors.StatusConflict(
        order=payment.payment_id, current=PaymentStatus(payment.status).label, wanted=target.label
    )
