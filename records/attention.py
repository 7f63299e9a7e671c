"""What needs a person's eye: orders that stay open, notifications given up, open cases.

Every question costs the same at any size: it is answered by an index that holds little else, or by totals,
and says "more than a hundred" rather than count on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Exists, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext

from records.models import (
    Case,
    Notification,
    Payment,
    PaymentStatus,
    Payout,
    PayoutAttempt,
    PayoutStatus,
)

COUNT_MAX = 100
# The sweeper closes an expired deposit within seconds; one that is older than this has been forgotten.
EXPIRED_GRACE = timedelta(minutes=2)
PAYOUT_AGE = timedelta(minutes=30)
DAY = timedelta(hours=24)
_OF_ORDERS = ("merchant", "requested_amount")
M = TypeVar("M", bound=Model)


def stuck_deposits(now: datetime) -> QuerySet[Payment]:
    """Return deposits still in progress although they expired minutes ago, the longest overdue first."""
    overdue = Payment.objects.filter(status=PaymentStatus.IN_PROGRESS, expires_at__lt=now - EXPIRED_GRACE)
    return _shown(overdue, "payment_id", "expires_at", *_OF_ORDERS).order_by("expires_at")


def stuck_payouts(now: datetime) -> QuerySet[Payout]:
    """Return payouts in progress for more than half an hour, oldest first; `is_unknown` marks those of which
    nobody knows whether the upstream paid.
    """
    unknown = PayoutAttempt.objects.filter(payout=OuterRef("pk"), state=PayoutAttempt.State.UNKNOWN)
    slow = Payout.objects.filter(status=PayoutStatus.IN_PROGRESS, created_at__lt=now - PAYOUT_AGE)
    found = _shown(slow, "payout_id", "created_at", "is_held", *_OF_ORDERS)
    return found.annotate(is_unknown=Exists(unknown)).order_by("created_at")


def waiting_reviews() -> QuerySet[Payout]:
    """Return payouts under review, oldest first."""
    waiting = Payout.objects.filter(status=PayoutStatus.UNDER_REVIEW)
    return _shown(waiting, "payout_id", "created_at", *_OF_ORDERS).order_by("created_at")


def failed_notifications(since: datetime) -> QuerySet[Notification]:
    """Return notifications made since then that were given up after their last attempt, newest first."""
    failed = Notification.objects.filter(state=Notification.State.FAILED, created_at__gte=since)
    return failed.only("order_no", "merchant", "last_reason", "created_at").order_by("-created_at", "-id")


def open_cases() -> QuerySet[Case]:
    """Return open cases, newest first."""
    waiting = Case.objects.filter(status=Case.Status.OPEN)
    return _shown(waiting, "kind", "merchant", "amount", "opened_at").order_by("-opened_at")


def _shown(queryset: QuerySet[M], *names: str) -> QuerySet[M]:
    """Return the rows with these fields and their currency: an order has fifty more that nobody looks at."""
    return queryset.select_related("currency").only(*names, "currency__exponent")


class _Count(Subquery):
    """How many rows a queryset has, as a column of another statement."""

    template = "(SELECT count(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def first(queryset: QuerySet[Any], *, row_count: int) -> tuple[list[Any], str]:
    """Return the first rows, and how many there are in all, in words past a hundred; never counts further.

    One statement: the count is a column that is worked out once.
    """
    counted = _Count(queryset.order_by().values("pk")[: COUNT_MAX + 1])
    rows = list(queryset.annotate(row_count=counted)[:row_count])
    found = rows[0].row_count if rows else 0
    return rows, str(found) if found <= COUNT_MAX else gettext("more than %d") % COUNT_MAX
