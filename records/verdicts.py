"""What an upstream says of an order, applied: the one place where callbacks and queries end.

Each verdict is one transaction with exactly one outcome: credited or settled, duplicate, in suspense with a
case, or noted.
Money that arrived and cannot be given to an order is booked to the channel's suspense account, never
dropped (D6, D9).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _t

from channels.models import Channel
from channels.upstreams import base
from diamondpay.lib import money, transactions
from records import attempts, cases, credit, ledger, payments, payouts
from records.models import (
    Actor,
    Case,
    Payment,
    PaymentStatus,
    Payout,
    PayoutAttempt,
    PayoutStatus,
    PostingKind,
    UpstreamCallback,
)

Outcome = UpstreamCallback.Outcome


@dataclass(frozen=True, slots=True)
class Word:
    """What the upstream said. Units: amount in major units of currency."""

    state: base.UpstreamState
    amount: Decimal | None
    currency: str
    channel_order_no: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was done with it."""

    outcome: UpstreamCallback.Outcome
    reason: str
    case: Case | None = None


@transactions.atomic_with_retries
def on_payment(*, payment_pk: int, word: Word, now: datetime, changed_by: Actor) -> Verdict:
    """Apply what the upstream said of a deposit.

    Locks: the order, then accounts in ascending id.
    """
    payment = payments.locked(payment_pk)
    if word.state is base.UpstreamState.PAID:
        return _payment_paid(payment, word, now, changed_by)
    if word.state is base.UpstreamState.FAILED:
        if payment.status == PaymentStatus.IN_PROGRESS:
            reason = word.reason or _t("The upstream reports a failure.")
            payments.fail(payment=payment, now=now, changed_by=changed_by, reason=reason)
            return Verdict(Outcome.NOTED, _t("The order has failed."))
        if payment.status == PaymentStatus.SUCCESS:
            case = _contradiction(word, now, payment=payment, channel_id=payment.channel_id)
            return Verdict(Outcome.NOTED, case.summary, case)
        return Verdict(Outcome.DUPLICATE, _t("The order had ended without a payment before."))
    return Verdict(Outcome.NOTED, _t("Nothing has happened yet."))


def _payment_paid(payment: Payment, word: Word, now: datetime, changed_by: Actor) -> Verdict:
    """Credit what was paid, or put it aside with the reason."""
    number = word.channel_order_no
    if word.amount is None or word.amount <= 0:
        case = _contradiction(word, now, payment=payment, channel_id=payment.channel_id)
        return Verdict(Outcome.SUSPENSE, case.summary, case)
    if word.currency != payment.currency_id:
        return _paid_in_another_currency(payment, word, now)
    is_same_upstream_order = not number or not payment.channel_order_no or number == payment.channel_order_no
    if payment.status == PaymentStatus.SUCCESS:
        return _paid_again(payment, word, now, is_same_upstream_order=is_same_upstream_order)
    if not is_same_upstream_order:
        summary = _t("Order %(order)s was paid under another number, %(number)s.") % {
            "order": payment.payment_id,
            "number": number,
        }
        return _into_suspense(
            Case.Kind.CONTRADICTION, summary, word, now, payment=payment, channel_id=payment.channel_id
        )
    if not payments.is_within_tolerance(payment, word.amount):
        summary = _t("Order %(order)s asked for %(wanted)s %(currency)s; %(amount)s were paid.") % {
            "order": payment.payment_id,
            "wanted": money.plain(payments.expected_amount(payment)),
            "currency": word.currency,
            "amount": money.plain(word.amount),
        }
        return _into_suspense(
            Case.Kind.WRONG_AMOUNT, summary, word, now, payment=payment, channel_id=payment.channel_id
        )
    effect_key = _suspense_key(payment.channel_id, number, payment.payment_id)
    if ledger.is_posted(effect_key):
        # The money of this upstream order is in the book already; a second sum for it is a story, not money.
        return _suspended_before(
            effect_key, word, now, channel_id=payment.channel_id, payment=payment, payout=None
        )
    taken = payments.remember_channel_order_no(payment=payment, channel_order_no=number, now=now)
    if taken is not None:
        # One upstream order must not credit two of ours.
        return Verdict(Outcome.SUSPENSE, taken.summary, taken)
    try:
        payments.settle(
            payment=payment,
            actual_amount=word.amount,
            now=now,
            changed_by=changed_by,
            channel_order_no=number,
            reason=word.reason,
        )
    except credit.NotCreditable as refusal:
        # Nothing was written. A person must see it, and the callback has its outcome.
        return _into_suspense(
            Case.Kind.WRONG_AMOUNT, str(refusal), word, now, payment=payment, channel_id=payment.channel_id
        )
    return Verdict(Outcome.CREDITED, _t("Late payment credited.") if payment.is_late else _t("Credited."))


def _paid_in_another_currency(payment: Payment, word: Word, now: datetime) -> Verdict:
    """Open a case; nothing can be booked, because the channel has no account in that currency."""
    summary = _t("Order %(order)s is in %(wanted)s; %(amount)s %(paid)s were paid.") % {
        "order": payment.payment_id,
        "wanted": payment.currency_id,
        "amount": word.amount,
        "paid": word.currency,
    }
    case = cases.open_once(
        key=f"currency:{payment.payment_id}:{word.channel_order_no}",
        kind=Case.Kind.WRONG_CURRENCY,
        summary=summary,
        now=now,
        payment=payment,
        channel_id=payment.channel_id,
        amount=word.amount,
    )
    return Verdict(Outcome.SUSPENSE, summary, case)


def _paid_again(payment: Payment, word: Word, now: datetime, *, is_same_upstream_order: bool) -> Verdict:
    """Tell a repeated callback from money that came a second time."""
    if is_same_upstream_order and word.amount == payment.actual_amount:
        return Verdict(Outcome.DUPLICATE, _t("The order is credited already."))
    if is_same_upstream_order:
        case = _contradiction(word, now, payment=payment, channel_id=payment.channel_id)
        return Verdict(Outcome.SUSPENSE, case.summary, case)
    summary = _t(
        "Order %(order)s is credited already and was paid again: %(amount)s %(currency)s as %(number)s."
    ) % {
        "order": payment.payment_id,
        "amount": word.amount,
        "currency": word.currency,
        "number": word.channel_order_no,
    }
    return _into_suspense(
        Case.Kind.PAID_AGAIN, summary, word, now, payment=payment, channel_id=payment.channel_id
    )


def _into_suspense(
    kind: Case.Kind,
    summary: str,
    word: Word,
    now: datetime,
    *,
    channel_id: str,
    payment: Payment | None = None,
    payout: Payout | None = None,
) -> Verdict:
    """Book money that belongs to no order yet to the channel's suspense account, and open its case; once
    per upstream order.
    """
    order_no = payment.payment_id if payment else payout.payout_id if payout else ""
    effect_key = _suspense_key(channel_id, word.channel_order_no, order_no)
    accounts = ledger.system_accounts_of(channel_id=channel_id, currency_id=word.currency)
    amount = word.amount or Decimal(0)
    # Money that came in raises suspense, a payout that went out after its end lowers it.
    signed = -amount if payout else amount
    try:
        with transaction.atomic():
            posting = ledger.post(
                effect_key=effect_key,
                kind=PostingKind.SUSPENSE,
                currency_id=word.currency,
                legs=[(accounts["clearing"], -signed), (accounts["suspense"], signed)],
                now=now,
                payment=payment,
                payout_pk=payout.pk if payout else None,
                order_no=order_no,
                remark=summary,
            )
    except ledger.EffectExists:
        return _suspended_before(effect_key, word, now, channel_id=channel_id, payment=payment, payout=payout)
    case = cases.open_once(
        key=effect_key,
        kind=kind,
        summary=summary,
        now=now,
        payment=payment,
        payout=payout,
        posting=posting,
        channel_id=channel_id,
        amount=amount,
        currency_id=word.currency,
    )
    return Verdict(Outcome.SUSPENSE, summary, case)


def _suspense_key(channel_id: str, channel_order_no: str, order_no: str) -> str:
    """Return the key under which one upstream order's money can be put into suspense once."""
    return f"suspense:{channel_id}:{channel_order_no or order_no}"[:128]


def _suspended_before(
    effect_key: str,
    word: Word,
    now: datetime,
    *,
    channel_id: str,
    payment: Payment | None,
    payout: Payout | None,
) -> Verdict:
    """Tell a repeat of money that is in suspense from another amount under the same number."""
    case = Case.objects.filter(posting__effect_key=effect_key).first()
    if case is not None and case.amount == word.amount:
        return Verdict(Outcome.DUPLICATE, _t("The money is in suspense already."), case)
    contradiction = _contradiction(word, now, channel_id=channel_id, payment=payment, payout=payout)
    return Verdict(Outcome.SUSPENSE, contradiction.summary, contradiction)


def _contradiction(
    word: Word,
    now: datetime,
    *,
    channel_id: str,
    payment: Payment | None = None,
    payout: Payout | None = None,
) -> Case:
    """Open a case for a word that cannot be true together with what is in the book; nothing is booked."""
    order_no = payment.payment_id if payment else payout.payout_id if payout else word.channel_order_no
    status = (
        PaymentStatus(payment.status).label
        if payment
        else PayoutStatus(payout.status).label
        if payout
        else _t("unknown")
    )
    summary = _t(
        "The upstream says %(state)s, amount %(amount)s, of order %(order)s, which is %(status)s here."
    ) % {
        "state": word.state,
        "amount": "?" if word.amount is None else money.plain(word.amount),
        "order": order_no,
        "status": status,
    }
    return cases.open_once(
        key=f"contradiction:{order_no}:{word.state}:{word.channel_order_no}:{word.amount}",
        kind=Case.Kind.CONTRADICTION,
        summary=summary,
        now=now,
        payment=payment,
        payout=payout,
        channel_id=channel_id,
    )


@transactions.atomic_with_retries
def on_attempt(*, attempt_pk: int, word: Word, now: datetime, changed_by: Actor) -> Verdict:
    """Apply what the upstream said of a payout attempt.

    Locks: the payout, the attempt, then accounts in ascending id.
    """
    attempt, payout = payouts.locked_attempt(attempt_pk)
    if word.state is base.UpstreamState.PAID:
        return _attempt_paid(attempt, payout, word, now, changed_by)
    if word.state is base.UpstreamState.FAILED:
        if attempt.state == PayoutAttempt.State.FAILED:
            return Verdict(Outcome.DUPLICATE, _t("The attempt has failed before."))
        if attempt.state == PayoutAttempt.State.SUCCEEDED:
            case = _contradiction(word, now, payout=payout, channel_id=attempt.channel_id)
            return Verdict(Outcome.NOTED, case.summary, case)
        reason = word.reason or _t("The upstream reports a failure.")
        payouts.attempt_failed(payout=payout, attempt=attempt, reason=reason, now=now, changed_by=changed_by)
        return Verdict(Outcome.NOTED, _t("The attempt has failed."))
    return Verdict(Outcome.NOTED, _t("Nothing has happened yet."))


def _attempt_paid(
    attempt: PayoutAttempt, payout: Payout, word: Word, now: datetime, changed_by: Actor
) -> Verdict:
    """Settle the payout, or open the case that a person must decide (P3)."""
    if attempt.state == PayoutAttempt.State.SUCCEEDED:
        if word.amount == payout.actual_amount and word.currency == payout.currency_id:
            return Verdict(Outcome.DUPLICATE, _t("The payout is settled already."))
        case = _contradiction(word, now, payout=payout, channel_id=attempt.channel_id)
        return Verdict(Outcome.SUSPENSE, case.summary, case)
    if word.amount != payout.requested_amount or word.currency != payout.currency_id:
        summary = _t(
            "Payout %(order)s asked for %(wanted)s %(currency)s; the upstream says %(amount)s %(paid)s."
        ) % {
            "order": payout.payout_id,
            "wanted": money.plain(payout.requested_amount),
            "currency": payout.currency_id,
            "amount": word.amount,
            "paid": word.currency,
        }
        case = cases.open_once(
            key=f"payout-amount:{attempt.reference}:{word.amount}",
            kind=Case.Kind.PAYOUT_AMOUNT,
            summary=summary,
            now=now,
            payout=payout,
            channel_id=attempt.channel_id,
            amount=word.amount,
        )
        return Verdict(Outcome.SUSPENSE, summary, case)
    if attempt.state == PayoutAttempt.State.FAILED:
        summary = _t(
            "Payout %(order)s: the upstream says that attempt %(attempt)s was paid after it had failed."
        ) % {
            "order": payout.payout_id,
            "attempt": attempt.reference,
        }
        return _into_suspense(
            Case.Kind.PAID_AFTER_END, summary, word, now, payout=payout, channel_id=attempt.channel_id
        )
    if attempts.is_number_of_another(attempt=attempt, channel_order_no=word.channel_order_no):
        # One upstream order must not settle two of ours.
        case = _contradiction(word, now, payout=payout, channel_id=attempt.channel_id)
        return Verdict(Outcome.SUSPENSE, case.summary, case)
    payouts.settle(
        payout=payout,
        attempt=attempt,
        actual_amount=word.amount,
        now=now,
        changed_by=changed_by,
        channel_order_no=word.channel_order_no,
        reason=word.reason,
    )
    return Verdict(Outcome.SETTLED, _t("Settled."))


@transactions.atomic_with_retries
def on_unknown_order(*, channel: Channel, reference: str, word: Word, now: datetime) -> Verdict:
    """Put money for an order that we do not know into suspense; anything else about it is only noted."""
    if word.state is not base.UpstreamState.PAID or word.amount is None or word.amount <= 0:
        return Verdict(Outcome.NOTED, _t("The order is unknown here, and no money has moved."))
    summary = _t("%(amount)s %(currency)s for the unknown order %(reference)s (%(number)s).") % {
        "amount": money.plain(word.amount),
        "currency": word.currency,
        "reference": reference[:64],
        "number": word.channel_order_no[:64],
    }
    if word.currency != channel.currency_id:
        case = cases.open_once(
            key=f"unknown:{channel.code}:{reference}:{word.channel_order_no}",
            kind=Case.Kind.UNKNOWN_ORDER,
            summary=summary,
            now=now,
            channel_id=channel.code,
            amount=word.amount,
        )
        return Verdict(Outcome.SUSPENSE, summary, case)
    named = Word(word.state, word.amount, word.currency, word.channel_order_no or reference, word.reason)
    return _into_suspense(Case.Kind.UNKNOWN_ORDER, summary, named, now, channel_id=channel.code)
