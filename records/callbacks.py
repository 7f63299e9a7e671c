"""Callbacks in: stored raw before anything else, then verified, then given exactly one outcome (D6)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _t

from channels import secrets
from channels.models import Channel
from channels.upstreams import base
from diamondpay.lib import clock, crash, errors, transactions
from records import submission, verdicts
from records.models import Actor, Payment, PayoutAttempt, UpstreamCallback

BODY_BYTES_MAX = 256 * 1024
DUE_SECONDS = 20
KEPT_HEADERS_MAX = 40

Outcome = UpstreamCallback.Outcome
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """A callback that was stored, and what to answer the upstream."""

    callback: UpstreamCallback
    answer: base.CallbackAnswer


def receive(
    *, channel_code: str, headers: Mapping[str, str], body: bytes, source_address: str | None, now: datetime
) -> Received:
    """Store a callback as it came, commit, then consider it. The upstream is told yes only for what has an
    outcome.

    Raises: ChannelUnknown when no channel has this code (nothing is stored then).
    """
    channel = Channel.objects.filter(pk=channel_code).first()
    if channel is None:
        raise errors.ChannelUnknown
    callback = UpstreamCallback.objects.create(
        channel=channel,
        received_at=now,
        source_address=source_address,
        body=body[:BODY_BYTES_MAX],
        body_bytes=len(body),
        headers=dict(list(headers.items())[:KEPT_HEADERS_MAX]),
        due_at=now + timedelta(seconds=DUE_SECONDS),
    )
    adapter = secrets.adapter_of(channel)
    try:
        outcome = consider(callback=callback, now=now)
    except Exception:
        # It is stored and due: the sweeper considers it again. The upstream hears no, and repeats it.
        logger.exception("Callback %s has no outcome yet.", callback.pk)
        return Received(callback, adapter.answer_callback(is_accepted=False))
    crash.point("callbacks.committed")
    return Received(callback, adapter.answer_callback(is_accepted=outcome != Outcome.REFUSED))


def consider(*, callback: UpstreamCallback, now: datetime) -> UpstreamCallback.Outcome:
    """Verify a stored callback and give it its outcome, in one transaction with what it causes."""
    try:
        message = _verified(callback)
    except base.CallbackRefused as refusal:
        _answered(callback, verdicts.Verdict(Outcome.REFUSED, str(refusal)), now)
        return Outcome.REFUSED
    return _apply(callback=callback, message=message, now=now)


@transactions.atomic_with_retries
def _apply(
    *, callback: UpstreamCallback, message: base.CallbackMessage, now: datetime
) -> UpstreamCallback.Outcome:
    """Give a verified callback its outcome. Locks: the callback's row, then the order, then accounts in
    ascending id.
    """
    claimed = UpstreamCallback.objects.select_for_update().get(pk=callback.pk)
    if claimed.outcome != Outcome.WAITING:
        return Outcome(claimed.outcome)
    word = verdicts.Word(
        message.state, message.amount, message.currency, message.channel_order_no, message.reason
    )
    payment, attempt = _order_of(callback.channel, message)
    if payment is not None:
        verdict = verdicts.on_payment(payment_pk=payment.pk, word=word, now=now, changed_by=Actor.CALLBACK)
    elif attempt is not None:
        verdict = verdicts.on_attempt(attempt_pk=attempt.pk, word=word, now=now, changed_by=Actor.CALLBACK)
    else:
        verdict = verdicts.on_unknown_order(
            channel=callback.channel, reference=message.reference, word=word, now=now
        )
    _answered(callback, verdict, now, reference=message.reference, payment=payment, attempt=attempt)
    return verdict.outcome


def _verified(callback: UpstreamCallback) -> base.CallbackMessage:
    if callback.body_bytes > BODY_BYTES_MAX:
        raise base.CallbackRefused(_t("The callback is larger than 256 kB."))
    raw = base.RawCallback(
        headers=callback.headers,
        body=bytes(callback.body),
        received_at=callback.received_at,
        path=urlsplit(submission.callback_url(callback.channel_id)).path,
    )
    return secrets.adapter_of(callback.channel).parse_callback(raw)


def _order_of(channel: Channel, message: base.CallbackMessage) -> tuple[Payment | None, PayoutAttempt | None]:
    """Find the order by our reference, on this channel only: one upstream cannot speak for another's
    orders.
    """
    if message.direction is base.Direction.DEPOSIT:
        return Payment.objects.filter(payment_id=message.reference, channel=channel).first(), None
    return None, PayoutAttempt.objects.filter(reference=message.reference, channel=channel).first()


def _answered(
    callback: UpstreamCallback,
    verdict: verdicts.Verdict,
    now: datetime,
    *,
    reference: str = "",
    payment: Payment | None = None,
    attempt: PayoutAttempt | None = None,
) -> None:
    UpstreamCallback.objects.filter(pk=callback.pk, outcome=Outcome.WAITING).update(
        outcome=verdict.outcome,
        reason=verdict.reason[:500],
        case=verdict.case,
        reference=reference[:64],
        payment=payment,
        attempt=attempt,
        due_at=None,
        answered_at=now,
    )


def reconsider_due(*, now: datetime, row_count_max: int = 100) -> int:
    """Consider again the callbacks that have no outcome; return how many got one."""
    with transaction.atomic():
        due = list(
            UpstreamCallback.objects.select_for_update(skip_locked=True)
            .filter(outcome=Outcome.WAITING, due_at__lte=now)
            .order_by("due_at")[:row_count_max]
        )
        for callback in due:
            UpstreamCallback.objects.filter(pk=callback.pk).update(
                due_at=now + timedelta(seconds=DUE_SECONDS), try_count=callback.try_count + 1
            )
    answered = 0
    for callback in due:
        try:
            consider(callback=callback, now=clock.now())
        except Exception:
            logger.exception("Callback %s has no outcome yet.", callback.pk)
            continue
        answered += 1
    return answered
