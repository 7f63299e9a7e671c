"""Creating a confirmed batch's payouts. The rows are the queue; whoever takes one holds it for a minute.

    claim (lease, committed) ─► place_payout (its own transactions) ─► note (placed or failed, committed)

A worker that is killed between two of these leaves a row that is claimed again. Its order number was fixed
before and the book takes a number once, so the second try finds the first one's order and notes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.db import connection
from django.utils.translation import gettext as _t

from diamondpay.lib import clock, crash, errors, money, sql, wake
from operations import placement
from operations.batches import acts, checking, sealing
from operations.batches.models import BatchPayout, BatchPayoutRow
from records.models import Payout, SignType, Source

logger = logging.getLogger(__name__)

RowState = BatchPayoutRow.State
THREADS = 4
# An adapter's call takes 15 s at most.
LEASE = timedelta(seconds=60)
AGAIN_AFTER = timedelta(seconds=5)
TRIES_MAX = 8
_CLAIM = """
    UPDATE operations_batchpayoutrow SET leased_until = %(until)s, try_count = try_count + 1
    WHERE id = (
        SELECT id FROM operations_batchpayoutrow
        WHERE state = 'waiting' AND (leased_until IS NULL OR leased_until <= %(now)s)
        ORDER BY number, id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""


class FeeChanged(errors.DomainError):
    """The row would cost another fee than the person has confirmed."""

    code = "fee_changed"


def place_waiting(*, threads: int = THREADS, seconds_max: float | None = None) -> int:
    """Create payouts until no row can be taken, or so many seconds long; return how many rows were taken.

    One that fails is noted with its reason and stops nobody else. When the time is over and rows may be left,
    a worker is woken for them: whoever wants to end a worker then never waits for a whole batch.
    """
    until = None if seconds_max is None else time.monotonic() + seconds_max
    if threads == 1:
        count = _drain(until)
    else:
        with ThreadPoolExecutor(threads, thread_name_prefix="batches") as pool:
            count = sum(pool.map(lambda _number: _drain_in_a_thread(until), range(threads)))
    if until is not None and time.monotonic() >= until:
        wake.after_commit(acts.TOPIC)
    return count


def _drain_in_a_thread(until: float | None) -> int:
    try:
        return _drain(until)
    finally:
        connection.close()


def _drain(until: float | None) -> int:
    count = 0
    while (until is None or time.monotonic() < until) and place_next():
        count += 1
    return count


def place_next(*, read_clock: Callable[[], datetime] = clock.now) -> bool:
    """Take a row and create its payout; False where none can be taken."""
    row = _claim(read_clock())
    if row is None:
        return False
    try:
        payout, reason = _place(row)
    except errors.Busy:
        _give_back(row, read_clock())
        return True
    except Exception:
        # Whatever it was, the order may exist: unknown is never failed.
        logger.exception("A row of a batch could not be placed.", extra={"fields": {"row": row.pk}})
        if row.try_count < TRIES_MAX or _own_order(row, _order(row)) is not None:
            _give_back(row, read_clock())
            return True
        payout, reason = None, _t("An error on our side; nothing was created for this row.")
    crash.point("batches.placed")
    _note(row, payout=payout, reason=reason, now=read_clock())
    return True


def _claim(now: datetime) -> BatchPayoutRow | None:
    """Take the first row that waits and is in nobody's hands; the batches take turns.

    Locks: the row, for the moment of the claim.
    """
    taken = sql.rows(_CLAIM, {"now": now, "until": now + LEASE})
    if not taken:
        return None
    return BatchPayoutRow.objects.select_related("batch__merchant", "batch__confirmed_by").get(pk=taken[0][0])


def _place(row: BatchPayoutRow) -> tuple[Payout | None, str]:
    """Return the row's payout, or why there is none. Raises: Busy; whatever is no refusal."""
    order = _order(row)
    try:
        _refuse_another_fee(row)
        payout = placement.place_payout(order=order)
    except errors.Busy:
        raise
    except (errors.DomainError, money.AmountTooLarge) as refusal:
        # What is refused now may have been made by an earlier try, or by this one before it was refused.
        own = _own_order(row, order)
        return (own, "") if own is not None else (None, checking.in_words(refusal))
    if not _is_own(row, payout):
        return None, _t("This order number was used meanwhile by %s.") % payout.payout_id
    return payout, ""


def _refuse_another_fee(row: BatchPayoutRow) -> None:
    """Pass a row that still costs what was confirmed. Raises: FeeChanged; as `checking.ground` does."""
    at = checking.ground(
        merchant=row.batch.merchant, service_id=row.batch.service_id,
        merchant_channel_id=row.merchant_channel_id,
    )  # fmt: skip
    fee = at.fee_of(row.amount)
    if fee != row.fee:
        words = _t("The fee is %(now)s now and was %(then)s when the batch was confirmed.")
        raise FeeChanged(words % {"now": at.shown(fee), "then": at.shown(row.fee)})


def _order(row: BatchPayoutRow) -> placement.NewPayout:
    batch = row.batch
    return placement.NewPayout(
        merchant=batch.merchant,
        service_id=batch.service_id,
        merchant_order_no=row.merchant_order_no,
        amount=row.amount,
        party=sealing.party_of(row),
        sign_type=SignType.HMAC_SHA256,
        source=Source.BACK_OFFICE,
        bank=row.bank_id or "",
        bank_branch=row.bank_branch,
        merchant_channel_id=row.merchant_channel_id,
        placed_by=batch.confirmed_by,
    )


def _own_order(row: BatchPayoutRow, order: placement.NewPayout) -> Payout | None:
    """Return the order that an earlier try has made for the row."""
    found = Payout.objects.filter(merchant=row.merchant_id, merchant_order_no=row.merchant_order_no).first()
    if found is None or bytes(found.request_hash) != order.content_hash():
        return None
    return found if _is_own(row, found) else None


def _is_own(row: BatchPayoutRow, payout: Payout) -> bool:
    """Say whether a payout was made for the row, and not by an API with the same content before it."""
    batch: BatchPayout = row.batch
    is_after = batch.confirmed_at is not None and payout.created_at >= batch.confirmed_at
    return is_after and payout.source == Source.BACK_OFFICE and payout.placed_by_id == batch.confirmed_by_id


def _give_back(row: BatchPayoutRow, now: datetime) -> None:
    """Let the row be taken again soon."""
    BatchPayoutRow.objects.filter(pk=row.pk, state=RowState.WAITING).update(leased_until=now + AGAIN_AFTER)


def _note(row: BatchPayoutRow, *, payout: Payout | None, reason: str, now: datetime) -> None:
    """Write down what became of a row, and end its batch with the last one."""
    state = RowState.FAILED if payout is None else RowState.PLACED
    BatchPayoutRow.objects.filter(pk=row.pk, state=RowState.WAITING).update(
        state=state, payout=payout, reason=reason[:500], leased_until=None, finished_at=now
    )
    acts.close_if_over(batch_pk=row.batch_id, now=now)
