"""Attempts of a payout at an upstream: prepared before they are sent, sent once, ended once (P4, N2)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from channels.upstreams import base
from diamondpay.lib import errors, transactions
from records.models import Payout, PayoutAttempt, PayoutStatus, UpstreamCall

State = PayoutAttempt.State
LIVE = (State.PREPARED, State.SENT, State.UNKNOWN)
QUERY_SECONDS = (30, 60, 120, 240, 600, 1800)
UNSENT_SECONDS = 30


def prepare(*, payout: Payout, channel_id: str, now: datetime) -> PayoutAttempt:
    """Write the next attempt before it is sent; its reference is the upstream's key (P4).

    Raises: StatusConflict while an earlier attempt may still pay.
    """
    number = payout.attempts.count() + 1
    try:
        with transaction.atomic():
            return PayoutAttempt.objects.create(
                payout=payout,
                number=number,
                reference=f"{payout.payout_id}-{number}",
                channel_id=channel_id,
                state=State.PREPARED,
                prepared_at=now,
                next_query_at=now + timedelta(seconds=UNSENT_SECONDS),
            )
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) in {
            "attempt_live_once",
            "attempt_number_once",
            "attempt_born_prepared",
        }:
            status = PayoutStatus(payout.status).label
            raise errors.StatusConflict(
                order=payout.payout_id, current=status, wanted=PayoutStatus.IN_PROGRESS.label
            ) from refusal
        raise


@transactions.atomic_with_retries
def claim_sending(*, attempt_pk: int, now: datetime) -> bool:
    """Mark a prepared attempt as sent, before the call is made; False when somebody else sends it (P4)."""
    next_query_at = now + timedelta(seconds=QUERY_SECONDS[0])
    touched = PayoutAttempt.objects.filter(pk=attempt_pk, state=State.PREPARED).update(
        state=State.SENT, sent_at=now, next_query_at=next_query_at
    )
    return touched == 1


def is_number_of_another(*, attempt: PayoutAttempt, channel_order_no: str) -> bool:
    """Say whether the upstream's number belongs to another attempt on the channel (D7)."""
    if not channel_order_no or attempt.channel_order_no:
        return False
    owners = PayoutAttempt.objects.filter(channel_id=attempt.channel_id, channel_order_no=channel_order_no)
    return owners.exclude(pk=attempt.pk).exists()


def query_schedule(attempt: PayoutAttempt, now: datetime) -> datetime:
    """Return when the upstream is asked again; a live attempt is asked for as long as it lives."""
    return now + timedelta(seconds=QUERY_SECONDS[min(attempt.query_count, len(QUERY_SECONDS) - 1)])


def note_query(*, attempt: PayoutAttempt, inquiry: base.Inquiry, now: datetime) -> None:
    """Keep one query for the order's timeline."""
    _note_call(attempt, UpstreamCall.Purpose.QUERY, inquiry.state, inquiry.exchange, inquiry.reason, now)


def not_found_count(attempt: PayoutAttempt) -> int:
    """Return how often the upstream said that it does not know the attempt; a query is kept before its answer
    is acted upon, so that a worker killed in between is counted too.
    """
    queries = UpstreamCall.objects.filter(attempt=attempt, purpose=UpstreamCall.Purpose.QUERY)
    return queries.filter(outcome=base.UpstreamState.NOT_FOUND).count()


def note_submission(*, attempt: PayoutAttempt, submission: base.Submission, now: datetime) -> None:
    """Keep one submission for the order's timeline."""
    _note_call(
        attempt, UpstreamCall.Purpose.SUBMIT, submission.outcome, submission.exchange, submission.reason, now,
        cause=submission.cause,
    )  # fmt: skip


def _note_call(
    attempt: PayoutAttempt,
    purpose: UpstreamCall.Purpose,
    outcome: str,
    exchange: base.Exchange,
    reason: str,
    now: datetime,
    cause: base.RefusalCause = base.RefusalCause.OTHER,
) -> None:
    UpstreamCall.objects.create(
        attempt=attempt,
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


def finish(
    attempt: PayoutAttempt, state: PayoutAttempt.State, *, channel_order_no: str, reason: str, now: datetime
) -> None:
    """End an attempt. One that was prepared and never seen as sent is sent first when the upstream knows it
    after all.
    """
    if attempt.state == State.PREPARED and state == State.SUCCEEDED:
        PayoutAttempt.objects.filter(pk=attempt.pk).update(state=State.SENT, sent_at=now)
    PayoutAttempt.objects.filter(pk=attempt.pk, state__in=LIVE).update(
        state=state,
        finished_at=now,
        next_query_at=None,
        reason=reason[:500],
        channel_order_no=attempt.channel_order_no or channel_order_no,
    )
    attempt.refresh_from_db()
