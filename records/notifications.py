"""Telling merchants what became of their orders, at least once or until every attempt has failed (N1).

    Retrying ──► Success   (the merchant's yes)
        ├──────► Failed    (1 + 5 attempts, or what a person added by resending)
        └──────► Replaced  (news of an open order, once there is newer)

Enqueued in the transaction of the change; `records.delivery` claims, sends and writes down.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext as _t

from diamondpay import audit
from diamondpay.lib import crash, errors, sql, transactions, wake
from diamondpay.models import User
from records import delivery, dialects
from records.models import Notification, Payment, PaymentStatus, Payout, PayoutStatus

logger = logging.getLogger(__name__)

State = Notification.State
# Sends that are under way and may soon be over.
THREAD_COUNT_MAX = 16
# One that has waited for so long only waits: its thread costs nothing, and it makes room for another (N4).
SLOW_SECONDS = 0.2
THREAD_COUNT_WITH_SLOW_MAX = 64
ROUND_SECONDS = 0.25
GATHER_SECONDS = 0.01
_INSERTED = [field for field in Notification._meta.concrete_fields if not field.primary_key]
_INSERT = f"""
    INSERT INTO records_notification ({", ".join(f'"{field.column}"' for field in _INSERTED)})
    VALUES ({", ".join(f"%({field.column})s" for field in _INSERTED)}) RETURNING id
"""  # noqa: S608 - our own names
_OPEN_PAYMENTS = (PaymentStatus.IN_PROGRESS,)
_OPEN_PAYOUTS = (PayoutStatus.IN_PROGRESS, PayoutStatus.UNDER_REVIEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySummary:
    """What one call of `deliver_due` did, in attempts."""

    attempt_count: int = 0
    success_count: int = 0
    retrying_count: int = 0
    failed_count: int = 0


def enqueue(
    *, payment: Payment | None = None, payout: Payout | None = None, now: datetime
) -> Notification | None:
    """Leave what the merchant must be told of an order that has just ended; None when nobody asked.

    Call it in the transaction of the change, with the row as it is now (status and version). Approval is
    never told, and that the upstream has accepted the order only in dialects that tell it (gateway-api.md,
    section 5; transaction-request-api.md, Webhooks).
    Raises: ValueError unless exactly one order is given.
    """
    order = payment or payout
    if order is None or (payment is not None and payout is not None):
        raise ValueError("a notification is of one order")
    if not order.notify_url:
        return None
    dialect = dialects.get(order.dialect)
    if not _is_told(order, tells_in_progress=dialect.tells_in_progress):
        return None
    if isinstance(order, Payment):
        order_no, facts = order.payment_id, dialect.payment_facts(order)
        if dialect.tells_progress:
            _replace_progress(order, now)
    else:
        order_no, facts = order.payout_id, dialect.payout_facts(order)
    return _inserted(_made(order=order, order_no=order_no, facts=facts, now=now))


def enqueue_progress(*, payment: Payment, now: datetime) -> Notification | None:
    """Leave what the merchant must be told of a deposit over a chain that is still open; None for nobody.

    It takes the place of older news of the order that nobody has in hand. Call it with the order locked.
    Source: payment-detail-api.md, paymentStatus 1 to 3.
    """
    dialect = dialects.get(payment.dialect)
    if not payment.notify_url or not dialect.tells_progress:
        return None
    _replace_progress(payment, now)
    told = Notification.objects.filter(payment=payment, progress_number__isnull=False)
    number = (told.aggregate(newest=Max("progress_number"))["newest"] or 0) + 1
    facts = dialect.payment_facts(payment)
    made = _made(order=payment, order_no=payment.payment_id, facts=facts, now=now)
    made.progress_number = number
    made.webhook_id = f"{payment.payment_id}-{payment.version}-P{number}"
    return _inserted(made)


def _replace_progress(payment: Payment, now: datetime) -> None:
    """End the sending of what newer news takes the place of; what is on its way arrives."""
    Notification.objects.filter(
        payment=payment.pk, progress_number__isnull=False, state=State.RETRYING, leased_until__isnull=True
    ).update(
        state=State.REPLACED,
        due_at=None,
        finished_at=now,
        last_reason=_t("There is newer news of the order."),
    )


def _made(*, order: Payment | Payout, order_no: str, facts: dict[str, object], now: datetime) -> Notification:
    return Notification(
        webhook_id=f"{order_no}-{order.version}",
        merchant_id=order.merchant_id,
        payment=order if isinstance(order, Payment) else None,
        payout=order if isinstance(order, Payout) else None,
        order_no=order_no,
        order_version=order.version,
        order_status=order.status,
        dialect=order.dialect,
        sign_type=order.sign_type,
        url=order.notify_url,
        facts=facts,
        attempt_count_max=1 + len(settings.NOTIFICATION_RETRY_SECONDS),
        due_at=now,
        created_at=now,
    )


def _inserted(notification: Notification) -> Notification:
    columns = {
        str(field.column): field.get_db_prep_save(getattr(notification, field.attname), connection)
        for field in _INSERTED
    }
    notification.pk = sql.rows(_INSERT, columns)[0][0]
    notification._state.adding, notification._state.db = False, connection.alias
    wake.after_commit("notifications")
    return notification


def _is_told(order: Payment | Payout, *, tells_in_progress: bool) -> bool:
    """Say whether the order's present status is one that its merchant hears of."""
    if order.status not in (_OPEN_PAYMENTS if isinstance(order, Payment) else _OPEN_PAYOUTS):
        return True
    is_under_review = isinstance(order, Payout) and order.status == PayoutStatus.UNDER_REVIEW
    return tells_in_progress and not is_under_review and order.submitted_at is not None


@transactions.atomic_with_retries
def resend(
    *, notification: Notification, user: User, reason: str, now: datetime, address: str | None = None
) -> Notification:
    """Make a notification due at once, whatever became of it, with one attempt more than before (N1).

    Raises: StatusConflict while an attempt is on its way; InvalidInput without a reason.
    Locks: the notification.
    """
    if not reason.strip():
        raise errors.InvalidInput({"reason": _t("Say why it is sent again.")})
    locked = Notification.objects.select_for_update().get(pk=notification.pk)
    if locked.leased_until is not None and locked.leased_until > now:
        raise errors.StatusConflict(order=locked.order_no, current=_t("being sent"), wanted=_t("resend"))
    before = {"state": locked.state, "attempt_count": locked.attempt_count}
    locked.state, locked.due_at = State.RETRYING, now
    locked.leased_until = locked.finished_at = None
    # A worker may have died in its last attempt, so count from what was tried.
    locked.attempt_count_max = max(locked.attempt_count_max, locked.attempt_count) + 1
    locked.save(update_fields=["state", "due_at", "leased_until", "finished_at", "attempt_count_max"])
    audit.write(
        action="notification.resend",
        object_kind="notification",
        object_id=str(locked.pk),
        user=user,
        address=address,
        reason=reason,
        now=now,
        before=before,
        after={
            "state": locked.state,
            "attempt_count_max": locked.attempt_count_max,
            "order_no": locked.order_no,
        },
    )
    wake.after_commit("notifications")
    return locked


def deliver_due(*, now: datetime, worker: str = "", seconds_max: float = 30.0) -> DeliverySummary:
    """Send what is due until nothing is, or `seconds_max` have passed; what is on its way is then awaited.

    No transaction and no lock is held during HTTP (N3); the sending threads have no database connection.
    Time goes on from `now`. `worker` is written on the attempts, so that one who died can be named.

    One call at a time sends in each process: a second one wakes the first, which looks again at once, and
    returns without having sent anything. So a dead receiver never keeps more than one of a worker's threads.
    """
    if not _turn.begin():
        return DeliverySummary()
    counts: Counter[str] = Counter()
    try:
        _send_all(now=now, worker=worker, seconds_max=seconds_max, counts=counts)
    finally:
        _turn.leave()
    return DeliverySummary(
        attempt_count=counts["attempts"],
        success_count=counts[State.SUCCESS],
        retrying_count=counts[State.RETRYING],
        failed_count=counts[State.FAILED],
    )


def wake_sender() -> bool:
    """Let whoever sends in this process look again at once, and say whether anybody does."""
    return _turn.ring()


def _send_all(*, now: datetime, worker: str, seconds_max: float, counts: Counter[str]) -> None:
    started = time.monotonic()
    flying: dict[Future[delivery.Result], _Flight] = {}
    keyring = delivery.Keyring()
    with ThreadPoolExecutor(THREAD_COUNT_WITH_SLOW_MAX, thread_name_prefix="notification") as pool:
        while True:
            # Before the look, so that who rings during it is heard after it.
            _turn.hush()
            passed = time.monotonic() - started
            room = _room(flying.values())
            if passed >= seconds_max:
                # Whoever comes from now on begins a turn of its own; ours only waits for its answers.
                _turn.leave()
            elif room > 0:
                claimed, exhausted_count = delivery.claim(
                    now=now + timedelta(seconds=passed), worker=worker, count=room, keyring=keyring
                )
                counts["failed"] += exhausted_count
                if claimed:
                    crash.point("notifications.claimed")
                counts["attempts"] += len(claimed)
                for sending in claimed:
                    flying[pool.submit(delivery.send, sending)] = _Flight(sending, time.monotonic())
            if not flying and (passed >= seconds_max or _turn.end()):
                return
            awaited: list[Future[Any]] = [*flying, *_turn.bells()]
            wait(awaited, timeout=ROUND_SECONDS, return_when=FIRST_COMPLETED)
            # Those who end together are written down together: a round costs the database the same for many.
            time.sleep(GATHER_SECONDS)
            ended = [future for future in list(flying) if future.done()]
            results = [(flying.pop(future).sending, _outcome(future)) for future in ended]
            if results:
                at = now + timedelta(seconds=time.monotonic() - started)
                counts.update(delivery.record(results=results, now=at))


@dataclass(frozen=True, slots=True)
class _Flight:
    """A send that is under way since a moment of the monotonic clock."""

    sending: delivery.Sending
    since: float


def _room(flights: Collection[_Flight]) -> int:
    """Return how many more may be sent now."""
    slow_before = time.monotonic() - SLOW_SECONDS
    quick_count = sum(flight.since > slow_before for flight in flights)
    return min(THREAD_COUNT_MAX - quick_count, THREAD_COUNT_WITH_SLOW_MAX - len(flights))


class _Turn:
    """Whose turn it is to send in this process, and the bell by which others wake it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._bell: Future[None] | None = None

    def begin(self) -> bool:
        """Take the turn, or ring the bell of who has it."""
        with self._lock:
            if self._bell is None:
                self._bell, self._owner = Future(), threading.get_ident()
                return True
            self._ring(self._bell)
            return False

    def ring(self) -> bool:
        """Ring the bell of who has the turn; say whether anybody has."""
        with self._lock:
            if self._bell is not None:
                self._ring(self._bell)
            return self._bell is not None

    @staticmethod
    def _ring(bell: Future[None]) -> None:
        if not bell.done():
            bell.set_result(None)

    def hush(self) -> None:
        """Silence the bell: what it was rung for is looked at now."""
        with self._lock:
            if self._is_ours() and self._bell is not None and self._bell.done():
                self._bell = Future()

    def bells(self) -> list[Future[None]]:
        """Return the bell to wait for; none without the turn."""
        with self._lock:
            return [self._bell] if self._bell is not None and self._is_ours() else []

    def end(self) -> bool:
        """Give the turn back, unless somebody rang since the last look: then there is more to do."""
        with self._lock:
            if self._is_ours():
                if self._bell is not None and self._bell.done():
                    return False
                self._bell, self._owner = None, 0
        return True

    def leave(self) -> None:
        """Give the turn back whatever happened; nothing when it is not ours any more."""
        with self._lock:
            if self._is_ours():
                self._bell, self._owner = None, 0

    def _is_ours(self) -> bool:
        return self._owner == threading.get_ident()


_turn = _Turn()


def _outcome(future: Future[delivery.Result]) -> delivery.Result:
    """Return what the thread found. A fault of ours is logged and counts as a failed attempt."""
    fault = future.exception()
    if fault is None:
        return future.result()
    logger.error("A notification could not be sent.", exc_info=fault)
    return delivery.Result(
        is_success=False,
        reason=_t("Not sent: an error on our side (%(kind)s).") % {"kind": type(fault).__name__},
    )
