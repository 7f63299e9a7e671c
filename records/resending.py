"""Telling a merchant again everything that failed to reach them in a stretch of time.

After a receiver was down for a day, thousands of notifications may have failed. Each order is told once, of
its latest state; what failed and was overtaken by a newer notification of the same order is left alone. The
due times are spaced, so that a receiver which has just come back is not knocked over. Rows are the queue:
nothing is sent here (`records.delivery`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _t

from diamondpay import audit
from diamondpay.lib import errors, sql, transactions, wake
from diamondpay.models import AuditRow, User
from merchants.models import Merchant
from records.models import Notification

WINDOW_DAYS_MAX = 31
# At once; whoever has more sends the rest with the next act.
COUNT_MAX = 10_000
PER_SECOND = 5
SAMPLE_COUNT = 10
_AUDIT_BATCH = 1000

# What somebody else resent or a worker finished meanwhile is no longer failed, and is left as it is.
_DUE_AGAIN = """
    WITH held AS (
        SELECT id, created_at FROM records_notification
        WHERE id = ANY(%(ids)s::bigint[]) AND state = 'failed' ORDER BY id FOR UPDATE
    ), placed AS (
        SELECT id, row_number() OVER (ORDER BY created_at, id) - 1 AS place FROM held
    )
    UPDATE records_notification notification
    SET state = 'retrying', leased_until = NULL, finished_at = NULL,
        due_at = %(now)s::timestamptz + placed.place * %(gap)s::interval,
        attempt_count_max = greatest(notification.attempt_count_max, notification.attempt_count) + 1
    FROM placed WHERE placed.id = notification.id
    RETURNING notification.id, notification.order_no
"""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Whose failed notifications, made from `since` up to and without `until`."""

    merchant: Merchant
    since: datetime
    until: datetime

    def check(self, *, now: datetime) -> None:
        """Refuse a window that is empty, too long or lies in the future. Raises: InvalidInput."""
        if self.until <= self.since:
            raise errors.InvalidInput({"until": _t("The end must be after the beginning.")})
        if self.until - self.since > timedelta(days=WINDOW_DAYS_MAX):
            raise errors.InvalidInput({"until": _t("Choose at most %d days.") % WINDOW_DAYS_MAX})
        if self.since > now:
            raise errors.InvalidInput({"since": _t("This is in the future: nothing has failed yet.")})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What resending would do now; `is_cut` says that there are more than one act takes.

    `overtaken_count` are failed notifications that a newer one of their order makes pointless.
    """

    count: int
    is_cut: bool
    overtaken_count: int
    samples: list[Notification]

    @property
    def lasts(self) -> timedelta:
        """How long it takes until the last of them is due."""
        return timedelta(seconds=max(self.count - 1, 0) / PER_SECOND)


def plan(*, window: Window, now: datetime) -> Plan:
    """Return what resending a merchant's failed notifications would do. Nothing is written.

    The caller has made sure that the person may see the merchant.
    Raises: InvalidInput for a window that is not possible.
    """
    window.check(now=now)
    failed = _failed(window)
    due = failed.filter(*_LATEST)
    count = due[: COUNT_MAX + 1].count()
    overtaken = failed.filter(Exists(_newer("payment")) | Exists(_newer("payout")))
    return Plan(
        count=min(count, COUNT_MAX),
        is_cut=count > COUNT_MAX,
        overtaken_count=overtaken[: COUNT_MAX + 1].count(),
        samples=list(due.order_by("created_at", "id")[:SAMPLE_COUNT]),
    )


@transactions.atomic_with_retries
def resend_failed(*, window: Window, user: User, reason: str, address: str | None, now: datetime) -> int:
    """Make the failed notifications of a window due again, spaced, and return how many were.

    Each gets one attempt more, and an audit row of its own beside that of the act.
    Raises: InvalidInput without a reason or for a window that is not possible.
    Locks: the notifications, in ascending id.
    """
    window.check(now=now)
    if not reason.strip():
        raise errors.InvalidInput({"reason": _t("Say why they are sent again.")})
    ids = list(
        _failed(window).filter(*_LATEST).order_by("created_at", "id").values_list("pk", flat=True)[:COUNT_MAX]
    )
    moved = sql.rows(_DUE_AGAIN, {"ids": ids, "now": now, "gap": timedelta(seconds=1) / PER_SECOND})
    audit.write(
        action="notification.resend_failed", object_kind="merchant", object_id=window.merchant.pk, user=user,
        address=address, reason=reason, now=now,
        after={"since": window.since.isoformat(), "until": window.until.isoformat(), "count": len(moved)},
    )  # fmt: skip
    rows = [
        AuditRow(
            created_at=now, user=user, actor=user.get_username(), address=address,
            action="notification.resend",
            object_kind="notification", object_id=str(pk), reason=reason,
            before={"state": Notification.State.FAILED},
            after={"state": Notification.State.RETRYING, "order_no": order_no},
        )
        for pk, order_no in sorted(moved)
    ]  # fmt: skip
    AuditRow.objects.bulk_create(rows, batch_size=_AUDIT_BATCH)
    if moved:
        wake.after_commit("notifications")
    return len(moved)


def _failed(window: Window) -> QuerySet[Notification]:
    return Notification.objects.filter(
        merchant=window.merchant, state=Notification.State.FAILED, created_at__gte=window.since,
        created_at__lt=window.until,
    )  # fmt: skip


def _newer(order: str) -> QuerySet[Notification]:
    """Newer notifications of the same order, whatever became of them and whenever they were made."""
    version = OuterRef("order_version")
    is_later = Q(order_version__gt=version) | Q(
        order_version=version, progress_number__gt=OuterRef("progress_number")
    )
    return Notification.objects.filter(is_later, **{order: OuterRef(order)})


_LATEST = (~Exists(_newer("payment")), ~Exists(_newer("payout")))
