"""The call to the upstream with no transaction open, and the transaction after it. Placement and the
sweeper both end here.

Rows are the queue: `next_query_at` says when an order or attempt is due, and moving it forward is the lease.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _t

from channels import secrets
from channels.models import PaymentMethod
from channels.upstreams import base, registry
from diamondpay.lib import clock, crash
from records import attempts, cases, chain_payments, parties, payments, payouts, schedule, verdicts
from records.models import Actor, Case, Payment, PaymentStatus, Payout, PayoutAttempt, UpstreamCall

# An adapter's call takes 15 s at most; two in a row fit, and a dead worker's order is due again within a
# minute.
LEASE_SECONDS = 45
QUERY_THREADS = 8
# By then half an hour of asking has not told what became of a payout.
UNKNOWN_QUERY_COUNT = 6
# An upstream that does not know a payout however often it is handed over loses or hides it: a person asks.
RESEND_COUNT_MAX = 3

logger = logging.getLogger(__name__)


def callback_url(channel_code: str) -> str:
    """Return the address that an upstream calls for orders of this channel."""
    return f"{settings.PUBLIC_URL}/callbacks/{channel_code}"


def submit_payment(*, payment: Payment, read_clock: clock.ReadClock = clock.now) -> Payment:
    """Hand a committed deposit to its upstream and write down the answer. No transaction may be open.

    A repeat is safe where the adapter's submit is idempotent by our reference; see `query_payment`.
    """
    adapter = secrets.adapter_of(payment.channel)
    is_over_chain = payment.payment_method == PaymentMethod.BLOCKCHAIN
    submission = adapter.submit_payment(
        base.PaymentRequest(
            reference=payment.payment_id,
            service=payment.service_id,
            amount=payment.requested_amount,
            currency=payment.currency_id,
            callback_url=callback_url(payment.channel_id),
            expires_at=payment.expires_at,
            payer=parties.party_of(payment),
            remark_code=payment.remark_code,
            receiving=chain_payments.receiving_of(payment) if is_over_chain else None,
        )
    )
    crash.point("submission.answered")
    return payments.submitted(payment=payment, submission=submission, now=read_clock())


def submit_attempt(*, attempt: PayoutAttempt, read_clock: clock.ReadClock = clock.now) -> Payout:
    """Send a prepared attempt, once: marked as sent and committed before the call is made (P4)."""
    if not attempts.claim_sending(attempt_pk=attempt.pk, now=read_clock()):
        return Payout.objects.get(pk=attempt.payout_id)
    crash.point("payouts.sent")
    return _send_attempt(attempt, read_clock)


def _send_attempt(attempt: PayoutAttempt, read_clock: clock.ReadClock) -> Payout:
    payout = attempt.payout
    recipient = _named_bank(parties.party_of(payout), payout)
    submission = secrets.adapter_of(attempt.channel).submit_payout(
        base.PayoutRequest(
            reference=attempt.reference,
            service=payout.service_id,
            amount=payout.requested_amount,
            currency=payout.currency_id,
            callback_url=callback_url(attempt.channel_id),
            recipient=recipient,
        )
    )
    crash.point("submission.answered")
    return payouts.submitted(attempt_pk=attempt.pk, submission=submission, now=read_clock())


def _named_bank(recipient: base.Party, payout: Payout) -> base.Party:
    """Name the recipient's bank for upstreams that ask for it, where the merchant named it by id or code."""
    if payout.bank is None:
        return recipient
    return replace(
        recipient,
        bank_code=recipient.bank_code or payout.bank.code,
        bank_name=recipient.bank_name or payout.bank.name,
    )


def query_payment(*, payment: Payment, read_clock: clock.ReadClock = clock.now) -> None:
    """Ask the upstream about a deposit and apply what it says; one that never reached it is handed over
    again.

    Only adapters whose submit is idempotent are given the same reference twice; for the others an order
    that the upstream definitely does not know has failed.
    """
    adapter = secrets.adapter_of(payment.channel)
    is_open = payment.status == PaymentStatus.IN_PROGRESS
    if is_open and payment.submitted_at is None and adapter.is_submit_idempotent:
        submit_payment(payment=payment, read_clock=read_clock)
        return
    if payment.channel.upstream in registry.CHAINS:
        return  # Nobody to ask: `records.chain_watch` reads what arrives.
    inquiry = adapter.query(direction=base.Direction.DEPOSIT, reference=payment.payment_id)
    now = read_clock()
    payments.note_call(
        payment=payment,
        purpose=UpstreamCall.Purpose.QUERY,
        outcome=inquiry.state,
        exchange=inquiry.exchange,
        reason=inquiry.reason,
        now=now,
    )
    if inquiry.state in (base.UpstreamState.PAID, base.UpstreamState.FAILED):
        verdicts.on_payment(payment_pk=payment.pk, word=_word(inquiry), now=now, changed_by=Actor.QUERY)
    elif is_open and payment.submitted_at is None and inquiry.state is base.UpstreamState.NOT_FOUND:
        word = verdicts.Word(base.UpstreamState.FAILED, None, "", "", "The upstream does not know the order.")
        verdicts.on_payment(payment_pk=payment.pk, word=word, now=now, changed_by=Actor.QUERY)


def query_attempt(*, attempt: PayoutAttempt, read_clock: clock.ReadClock = clock.now) -> None:
    """Ask the upstream about a payout attempt, or send it when it never left.

    Unknown is never failed: an attempt that the upstream does not know is sent again under the same
    reference where the adapter's submit is idempotent, RESEND_COUNT_MAX times. One that stays unknown gets a
    case for a person, once; it is asked about for as long as it lives.
    """
    if attempt.state == PayoutAttempt.State.PREPARED:
        submit_attempt(attempt=attempt, read_clock=read_clock)
        return
    adapter = secrets.adapter_of(attempt.channel)
    inquiry = adapter.query(direction=base.Direction.PAYOUT, reference=attempt.reference)
    now = read_clock()
    attempts.note_query(attempt=attempt, inquiry=inquiry, now=now)
    if inquiry.state in (base.UpstreamState.PAID, base.UpstreamState.FAILED):
        verdicts.on_attempt(attempt_pk=attempt.pk, word=_word(inquiry), now=now, changed_by=Actor.QUERY)
    elif (
        inquiry.state is base.UpstreamState.NOT_FOUND
        and attempt.accepted_at is None
        and adapter.is_submit_idempotent
    ):
        if attempts.not_found_count(attempt) <= RESEND_COUNT_MAX:
            _send_attempt(attempt, read_clock)
        else:
            _report_unknown(
                attempt, now, reason=_t("it does not know the order, sent again %d times") % RESEND_COUNT_MAX
            )
    elif attempt.query_count >= UNKNOWN_QUERY_COUNT and attempt.accepted_at is None:
        _report_unknown(attempt, now, reason=inquiry.reason)


def _report_unknown(attempt: PayoutAttempt, now: datetime, *, reason: str) -> None:
    """Open a case for a payout whose fate stays unknown; its money stays frozen, and the queries go on."""
    payout = attempt.payout
    cases.open_once(
        key=f"payout-unknown:{attempt.reference}",
        kind=Case.Kind.PAYOUT_UNKNOWN,
        payout=payout,
        channel_id=attempt.channel_id,
        now=now,
        amount=payout.requested_amount,
        currency_id=payout.currency_id,
        summary=_t("The upstream still does not say what became of attempt %(attempt)s: %(reason)s")
        % {"attempt": attempt.reference, "reason": reason},
    )


def _word(inquiry: base.Inquiry) -> verdicts.Word:
    return verdicts.Word(
        inquiry.state, inquiry.amount, inquiry.currency, inquiry.channel_order_no, inquiry.reason
    )


def query_due(*, now: datetime, row_count_max: int = 100, read_clock: clock.ReadClock = clock.now) -> int:
    """Ask upstreams about every deposit and attempt that is due; return how many were taken.

    Locks: each due row for the moment of its claim; two workers never take the same one.
    """
    claimed_payments = _claim_payments(now, row_count_max)
    claimed_attempts = _claim_attempts(now, row_count_max)
    tasks: list[Callable[[], None]] = [
        *(
            functools.partial(query_payment, payment=payment, read_clock=read_clock)
            for payment in claimed_payments
        ),
        *(
            functools.partial(query_attempt, attempt=attempt, read_clock=read_clock)
            for attempt in claimed_attempts
        ),
    ]
    _in_parallel(tasks)
    return len(tasks)


def _claim_payments(now: datetime, row_count_max: int) -> list[Payment]:
    with transaction.atomic():
        due = list(
            Payment.objects.select_for_update(skip_locked=True)
            .filter(next_query_at__lte=now)
            .order_by("next_query_at")[:row_count_max]
        )
        for payment in due:
            next_query_at = schedule.next_query(payment, now)
            if payment.submitted_at is None and payment.status == PaymentStatus.IN_PROGRESS:
                next_query_at = now + timedelta(seconds=LEASE_SECONDS)
            Payment.objects.filter(pk=payment.pk).update(
                next_query_at=next_query_at, query_count=F("query_count") + 1
            )
    return list(Payment.objects.select_related("channel").filter(pk__in=[payment.pk for payment in due]))


def _claim_attempts(now: datetime, row_count_max: int) -> list[PayoutAttempt]:
    with transaction.atomic():
        due = list(
            PayoutAttempt.objects.select_for_update(skip_locked=True)
            .filter(next_query_at__lte=now, state__in=attempts.LIVE)
            .order_by("next_query_at")[:row_count_max]
        )
        for attempt in due:
            next_query_at = max(attempts.query_schedule(attempt, now), now + timedelta(seconds=LEASE_SECONDS))
            PayoutAttempt.objects.filter(pk=attempt.pk).update(
                next_query_at=next_query_at, query_count=F("query_count") + 1
            )
    return list(
        PayoutAttempt.objects.select_related("channel", "payout").filter(
            pk__in=[attempt.pk for attempt in due]
        )
    )


def _in_parallel(tasks: Sequence[Callable[[], None]]) -> None:
    """Run the tasks side by side; one that fails is logged and due again, and never stops the others."""

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:
            logger.exception("A query of an upstream did not finish; it is due again.")
        finally:
            connection.close()

    if len(tasks) == 1 or connection.in_atomic_block:
        # One task needs no thread, and inside an open transaction a thread would not see its rows.
        for task in tasks:
            try:
                task()
            except Exception:
                logger.exception("A query of an upstream did not finish; it is due again.")
    elif tasks:
        with ThreadPoolExecutor(
            max_workers=min(QUERY_THREADS, len(tasks)), thread_name_prefix="query"
        ) as pool:
            list(pool.map(run, tasks))
