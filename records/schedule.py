"""When an upstream is asked about a deposit again, and when its time is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q

from records.models import ChainPayment, Payment, PaymentStatus

# While open an order is asked for at least every 4 minutes, so that a lost callback is found within 5 (F5).
OPEN_QUERY_SECONDS = (60, 60, 120, 180, 240)
ENDED_QUERY_SECONDS = (300, 1800, 7200, 43200)


def next_query(payment: Payment, now: datetime) -> datetime | None:
    """Return when the upstream should be asked about the order again; None when never."""
    if payment.status == PaymentStatus.SUCCESS:
        return None
    if payment.status == PaymentStatus.IN_PROGRESS:
        seconds = OPEN_QUERY_SECONDS[min(payment.query_count, len(OPEN_QUERY_SECONDS) - 1)]
        return now + timedelta(seconds=seconds)
    return after_end(payment, now)


def after_end(payment: Payment, now: datetime) -> datetime | None:
    """Return when to ask about an order that has ended without money; it may still come (D8)."""
    ended_at = payment.completed_at or now
    due = (ended_at + timedelta(seconds=seconds) for seconds in ENDED_QUERY_SECONDS)
    return next((instant for instant in due if instant > now), None)


def is_over(now: datetime) -> Q:
    """Return what tells the deposits whose time is over from those that still wait.

    An order over a chain is over only once the chain was read past its time and holds nothing that is on its
    way: a node that is down or behind must not close what may be paid. Nor may it keep it open for ever:
    once nobody looks at its address any more, it is over.
    """
    is_read = Q(chain_payment__channel__chain_cursor__block_time__gte=F("expires_at"))
    is_quiet = is_read & ~Q(chain_payment__detail=ChainPayment.Detail.CONFIRMING)
    is_due = Q(status=PaymentStatus.IN_PROGRESS, expires_at__lte=now)
    is_given_up = Q(chain_payment__watched_until__lte=now)
    return is_due & (Q(chain_payment__isnull=True) | is_quiet | is_given_up)
