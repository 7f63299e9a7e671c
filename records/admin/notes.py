"""What is known of an order that is stuck, was not told, or whose amounts do not match, in sentences.

Instead of the FAQ's "contact the upstream" the page says what the upstream was asked and what it answered.
Source: seed 000, FAQ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from channels.models import Channel
from records.admin import facts, parts
from records.admin.life import Life, list_of
from records.admin.timeline import outcome_words
from records.models import (
    Case,
    Notification,
    Payment,
    PaymentStatus,
    Payout,
    PayoutAttempt,
    PayoutStatus,
    UpstreamCall,
    UpstreamCallback,
)


@dataclass(frozen=True)
class Note:
    """A sentence in the tone of a badge, perhaps with a link."""

    tone: str
    text: str
    url: str = ""
    url_text: str = ""


def notes(*, life: Life, reader: facts.Reader, now: datetime) -> list[Note]:
    """Return what a person should know before they ask anybody else."""
    order = life.order
    found = [*_cases(life)]
    if isinstance(order, Payment):
        found += _payment(order, life, now)
    else:
        found += _payout(order, life, now)
    found += _amounts(life)
    if reader.names_channels and _is_open(life) and order.channel.status != Channel.Status.ENABLED:
        found.append(Note("review", _t("Channel %s is disabled now.") % order.channel_id))
    found += _told(life, now)
    return found


def _is_open(life: Life) -> bool:
    if isinstance(life.order, Payment):
        return life.order.status == PaymentStatus.IN_PROGRESS
    return life.order.status in (PayoutStatus.IN_PROGRESS, PayoutStatus.UNDER_REVIEW)


def _cases(life: Life) -> Iterator[Note]:
    for case in life.cases.rows:
        if case.status == Case.Status.OPEN:
            text = _t("Open case: %(kind)s. %(summary)s") % {
                "kind": case.get_kind_display(), "summary": case.summary,
            }  # fmt: skip
            yield Note("review", text, parts.page_url(Case, case.pk), _t("Open the case"))


def _payment(payment: Payment, life: Life, now: datetime) -> Iterator[Note]:
    if payment.status == PaymentStatus.SUCCESS:
        refund = life.refund
        if refund is not None:
            text = _t("Refunded at %(time)s: %(amount)s %(unit)s left the wallet.") % {
                "time": parts.clock_time(refund.created_at or now, now), "unit": refund.currency_id,
                "amount": parts.plain_amount(-refund.amount, refund.currency),
            }  # fmt: skip
            yield Note("review", text)
        if payment.is_late:
            yield Note(
                "progress", _t("The money came after the order had ended; it was credited all the same.")
            )
        return
    if payment.status == PaymentStatus.IN_PROGRESS:
        yield Note("progress", _waiting(payment, now))
    else:
        yield Note("progress", _t("Money that still comes is credited as a late payment."))
    if payment.status == PaymentStatus.IN_PROGRESS or payment.next_query_at is not None:
        yield from _asked(life, payment.query_count, payment.next_query_at, now)


def _waiting(payment: Payment, now: datetime) -> str:
    age = parts.duration(now - payment.created_at)
    if payment.submitted_at is None:
        return _t("Made %s ago; the upstream has not accepted it yet, or its answer was lost.") % age
    if payment.expires_at <= now:
        text = _t("Waiting for the payer for %(age)s; its time was over at %(time)s, so it is being closed.")
        return text % {
            "age": age, "time": parts.clock_time(payment.expires_at, now),
        }  # fmt: skip
    return _t("Waiting for the payer for %(age)s; expires at %(time)s, in %(left)s.") % {
        "age": age, "time": parts.clock_time(payment.expires_at, now),
        "left": parts.duration(payment.expires_at - now),
    }  # fmt: skip


def _asked(life: Life, query_count: int, next_query_at: datetime | None, now: datetime) -> Iterator[Note]:
    """Say how often the upstream was asked, what it answered, when it is asked again, what it told us."""
    parts_of_it = []
    if UpstreamCall in life.may_see:
        parts_of_it.append(_last_answer(life, query_count, now))
    if next_query_at is not None:
        parts_of_it.append(_t("next query %s") % parts.clock_time(next_query_at, now))
    text = "; ".join(part for part in parts_of_it if part)
    if text:
        yield Note("progress", f"{text[:1].upper()}{text[1:]}.")
    if UpstreamCallback in life.may_see:
        yield _callbacks(life, now)


def _last_answer(life: Life, query_count: int, now: datetime) -> str:
    last = life.calls.last
    if last is None:
        return _t("upstream was not asked yet")
    answer = {
        "answer": outcome_words(last.outcome), "time": parts.clock_time(last.created_at, now),
        "why": f" ({last.reason})" if last.reason else "",
    }  # fmt: skip
    queries = sum(call.purpose == UpstreamCall.Purpose.QUERY for call in life.calls.rows)
    count = max(queries, query_count) if life.calls.is_cut else queries
    if not count:
        return _t("upstream answered at %(time)s: %(answer)s%(why)s; it was not asked again yet") % answer
    asked = ngettext("upstream asked once", "upstream asked %(count)d times", count) % {"count": count}
    return asked + _t(", last answer at %(time)s: %(answer)s%(why)s") % answer


def _callbacks(life: Life, now: datetime) -> Note:
    last = life.callbacks.last
    if last is None:
        return Note("progress", _t("No callback has come from the upstream."))
    text = _t("The last callback came at %(time)s: %(outcome)s%(why)s.") % {
        "time": parts.clock_time(last.received_at, now), "outcome": str(last.get_outcome_display()).lower(),
        "why": f", {last.reason.rstrip('.')}" if last.reason else "",
    }  # fmt: skip
    tone = "review" if last.outcome == UpstreamCallback.Outcome.REFUSED else "progress"
    return Note(tone, text, list_of(UpstreamCallback, life.order), _t("Callbacks"))


def _payout(payout: Payout, life: Life, now: datetime) -> Iterator[Note]:
    age = parts.duration(now - payout.created_at)
    held = {
        "age": age, "unit": payout.settlement_currency_id,
        "amount": parts.plain_amount(payout.debited_amount, payout.settlement_currency),
    }  # fmt: skip
    if payout.status == PayoutStatus.UNDER_REVIEW:
        yield Note("review", _t("Waits for a review for %(age)s; %(amount)s %(unit)s are frozen.") % held)
        return
    if payout.status != PayoutStatus.IN_PROGRESS:
        return
    attempt = life.attempts.last
    if payout.is_held:
        why = f" ({payout.error_message.rstrip('.')})" if payout.error_message else ""
        text = _t(
            "Held: the last attempt failed%(why)s; %(amount)s %(unit)s stay frozen until a person decides."
        )
        yield Note("review", text % {**held, "why": why})
        return
    yield Note("progress", _t("In progress for %(age)s; %(amount)s %(unit)s are frozen.") % held)
    if attempt is not None:
        yield from _attempt(attempt, life, now)


def _attempt(attempt: PayoutAttempt, life: Life, now: datetime) -> Iterator[Note]:
    if attempt.state == PayoutAttempt.State.UNKNOWN:
        text = _t("What became of attempt %s is unknown: it may have paid, so the money stays frozen.")
        yield Note("review", text % attempt.reference)
    elif attempt.state == PayoutAttempt.State.PREPARED:
        yield Note("progress", _t("Attempt %s has not left yet.") % attempt.reference)
    yield from _asked(life, attempt.query_count, attempt.next_query_at, now)


def _amounts(life: Life) -> Iterator[Note]:
    """Compare the order's amounts with its terms and with the book."""
    order = life.order
    by_rule = facts.fee_by_rule(order)
    if by_rule is not None and by_rule != order.fee:
        text = _t("The stored fee is %(fee)s; by the order's terms it would be %(rule)s.") % {
            "fee": parts.plain_amount(order.fee or by_rule, order.settlement_currency),
            "rule": parts.plain_amount(by_rule, order.settlement_currency),
        }  # fmt: skip
        yield Note("failed", text)
    if isinstance(order, Payment) and order.actual_amount not in (None, order.requested_amount):
        text = _t("%(actual)s were paid instead of %(wanted)s: what arrived was booked.") % {
            "actual": parts.plain_amount(order.actual_amount, order.currency),
            "wanted": parts.plain_amount(order.requested_amount, order.currency),
        }  # fmt: skip
        yield Note("progress", text)


def _told(life: Life, now: datetime) -> Iterator[Note]:
    """Say what the merchant does not know yet."""
    for row in life.notifications.rows:
        if row.state in (Notification.State.SUCCESS, Notification.State.REPLACED):
            continue
        link = (parts.page_url(Notification, row.pk), _t("Notification"))
        why = f" {row.last_reason}" if row.last_reason else ""
        count = {"count": row.attempt_count}
        if row.state == Notification.State.FAILED:
            text = ngettext(
                "The merchant was not told: the one attempt failed.",
                "The merchant was not told: all %(count)d attempts failed.", row.attempt_count,
            ) % count  # fmt: skip
            yield Note("failed", text + why, *link)
        elif row.attempt_count:
            text = ngettext(
                "The merchant has not been told yet: one attempt failed; the next is at %(time)s.",
                "The merchant has not been told yet: %(count)d attempts failed; the next is at %(time)s.",
                row.attempt_count,
            ) % {**count, "time": parts.clock_time(row.due_at or now, now)}  # fmt: skip
            yield Note("review", text + why, *link)
