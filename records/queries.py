"""What readers ask of the book: the merchants' lists, single orders, and how far the queues are behind.

Lists are one statement of plain values, newest first, without a COUNT: totals tell how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Min

from diamondpay.lib import sql
from merchants.models import MerchantChannel
from records import totals
from records.models import Account, Notification, Payment, Payout, UpstreamCall, UpstreamCallback

_BACKGROUND = """
    SELECT 'part', name, beat_at FROM diamondpay_heartbeat
    UNION ALL SELECT 'notification', '', min(due_at) FROM records_notification
        WHERE state = 'retrying' AND due_at <= %(now)s
    UNION ALL SELECT 'callback', '', min(received_at) FROM records_upstreamcallback WHERE outcome = 'waiting'
"""


@dataclass(frozen=True, kw_only=True)
class Background:
    """When each part showed its last sign of life, and for how long the oldest due notification and the
    oldest callback without an outcome have been waiting.
    """

    beats: dict[str, datetime]
    due_seconds: float | None
    unanswered_seconds: float | None


class PaymentRow(NamedTuple):
    """One deposit of a merchant's list. Units: amounts in major units of the order's currency."""

    payment_id: str
    merchant_order_no: str
    merchant_channel_id: str
    party_name: str
    requested_amount: Decimal
    actual_amount: Decimal | None
    fee: Decimal | None
    status: int
    memo: str
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    completed_at: datetime | None


class PayoutRow(NamedTuple):
    """One payout of a merchant's list. Units: amounts in major units of the order's currency."""

    payout_id: str
    merchant_order_no: str
    merchant_channel_id: str
    requested_amount: Decimal
    fee: Decimal | None
    status: int
    memo: str
    error_message: str
    created_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    completed_at: datetime | None


class WalletRow(NamedTuple):
    """One wallet of a merchant. Units: balances in major units of its currency."""

    merchant_channel_id: str
    name: str
    currency: str
    available: Decimal
    frozen: Decimal


# Rows and total in one statement see one moment of the book, without a transaction around them.
_PAGE = """
    SELECT total.order_count, {columns}
    FROM (
        SELECT
            (SELECT coalesce(sum(order_count), 0) FROM records_ordertotal
                WHERE merchant = %(merchant)s AND kind = {kind})
            + (SELECT coalesce(sum(order_count), 0) FROM records_orderdelta
                WHERE merchant = %(merchant)s AND kind = {kind}) AS order_count
    ) AS total
    LEFT JOIN (
        SELECT id, {columns} FROM {table} WHERE merchant_id = %(merchant)s
        ORDER BY created_at DESC, id DESC {bounds}
    ) AS page ON true
    ORDER BY page.created_at DESC, page.id DESC
"""
_ORDERS = """
    SELECT {columns} FROM {table} WHERE merchant_id = %(merchant)s {conditions}
    ORDER BY created_at DESC, id DESC {bounds}
"""
_BOUNDS = "LIMIT %(limit)s OFFSET %(offset)s"
# The first page of a usual size names its size itself: PostgreSQL then plans it once, and else each time
# anew, which takes longer than the page.
_USUAL_LIMITS = frozenset({10, 20, 25, 50, 100, 200, 500})
# Beside a merchant, whom the statement that they stand in calls `merchant`.
_OF_MERCHANT = """
    LEFT JOIN {table} AS found ON found.merchant_id = merchant.id AND found.merchant_order_no = %(number)s
"""
_PAYMENT_OF_MERCHANT = _OF_MERCHANT.format(table="records_payment")
_PAYOUT_OF_MERCHANT = _OF_MERCHANT.format(table="records_payout")
_PAYMENT_COLUMNS = ", ".join(f"found.{name}" for name in PaymentRow._fields)
_PAYOUT_COLUMNS = ", ".join(f"found.{name}" for name in PayoutRow._fields)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which of a merchant's orders, newest first. The range of their creation is half-open, [start, end)."""

    merchant_id: str
    offset: int = 0
    limit: int = 25
    order_id: str = ""
    merchant_order_no: str = ""
    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_one_order(self) -> bool:
        """Whether a number of one order is asked for."""
        return bool(self.order_id or self.merchant_order_no)


def payment_page(wanted: Wanted) -> tuple[list[PaymentRow], int]:
    """Return a page of a merchant's deposits and how many there are in all, both of one moment."""
    found, total = _page(wanted, kind=totals.PAYMENTS, table="records_payment", names=PaymentRow._fields)
    return [PaymentRow._make(values) for values in found], total


def payout_page(wanted: Wanted) -> tuple[list[PayoutRow], int]:
    """Return a page of a merchant's payouts and how many there are in all, both of one moment."""
    found, total = _page(wanted, kind=totals.PAYOUTS, table="records_payout", names=PayoutRow._fields)
    return [PayoutRow._make(values) for values in found], total


def payment_beside(*, merchant_order_no: str) -> sql.Beside:
    """Return how a merchant's deposit is read beside the merchant; `one_payment` reads what was found."""
    return sql.Beside(
        columns=_PAYMENT_COLUMNS, joins=_PAYMENT_OF_MERCHANT, parameters={"number": merchant_order_no}
    )


def one_payment(row: sql.Row) -> PaymentRow | None:
    """Return the deposit that was read beside its merchant, None where there is none."""
    return PaymentRow._make(row) if row and row[0] is not None else None


def payout_beside(*, merchant_order_no: str) -> sql.Beside:
    """Return how a merchant's payout is read beside the merchant; `one_payout` reads what was found."""
    return sql.Beside(
        columns=_PAYOUT_COLUMNS, joins=_PAYOUT_OF_MERCHANT, parameters={"number": merchant_order_no}
    )


def one_payout(row: sql.Row) -> PayoutRow | None:
    """Return the payout that was read beside its merchant, None where there is none."""
    return PayoutRow._make(row) if row and row[0] is not None else None


def _page(wanted: Wanted, *, kind: int, table: str, names: tuple[str, ...]) -> tuple[Sequence[sql.Row], int]:
    parameters: dict[str, object] = {
        "merchant": wanted.merchant_id,
        "offset": wanted.offset,
        "limit": wanted.limit,
        "order_id": wanted.order_id,
        "merchant_order_no": wanted.merchant_order_no,
        "start": wanted.start,
        "end": wanted.end,
    }
    columns = ", ".join(names)
    if wanted.is_one_order:
        # A number leads to one order at most, so its row is also its count.
        conditions = _conditions(wanted, names[0])
        statement = _ORDERS.format(columns=columns, table=table, conditions=conditions, bounds=_BOUNDS)
        found = sql.rows(statement, {**parameters, "offset": 0})
        return found[wanted.offset : wanted.offset + wanted.limit], len(found)
    is_usual = not wanted.offset and wanted.limit in _USUAL_LIMITS
    bounds = f"LIMIT {wanted.limit:d}" if is_usual else _BOUNDS
    if wanted.start is None:
        rows = sql.rows(_PAGE.format(columns=columns, table=table, kind=kind, bounds=bounds), parameters)
        return [row[1:] for row in rows if row[1] is not None], int(rows[0][0])
    conditions = _conditions(wanted, names[0])
    statement = _ORDERS.format(columns=columns, table=table, conditions=conditions, bounds=bounds)
    with totals.snapshot():
        found = sql.rows(statement, parameters)
        count = totals.order_count(
            kind=kind, merchant_id=wanted.merchant_id, start=wanted.start, end=wanted.end
        )
    return found, count


def _conditions(wanted: Wanted, id_column: str) -> str:
    conditions = [
        (wanted.order_id, f"AND {id_column} = %(order_id)s"),
        (wanted.merchant_order_no, "AND merchant_order_no = %(merchant_order_no)s"),
        (wanted.start, "AND created_at >= %(start)s AND created_at < %(end)s"),
    ]
    return " ".join(text for given, text in conditions if given)


def merchant_wallets(*, merchant_id: str) -> list[WalletRow]:
    """Return a merchant's wallets with their balances; a disabled one's money is still the merchant's."""
    accounts = Account.objects.filter(merchant_id=merchant_id, merchant_channel__isnull=False)
    balances = {
        (wallet, kind): balance
        for wallet, kind, balance in accounts.values_list("merchant_channel_id", "kind", "balance")
    }
    wallets = MerchantChannel.objects.filter(merchant_id=merchant_id).order_by("id")
    return [
        WalletRow(
            merchant_channel_id=pk,
            name=name or channel_name,
            currency=currency,
            available=balances[pk, Account.Kind.AVAILABLE],
            frozen=balances[pk, Account.Kind.FROZEN],
        )
        for pk, name, channel_name, currency in wallets.values_list(
            "id", "name", "channel__name", "currency_id"
        )
    ]


def refusal_cause(order: Payment | Payout) -> str:
    """Return why the upstream refused an order that failed when it was handed over; "" where it said no
    more.
    """
    is_payment = isinstance(order, Payment)
    calls = UpstreamCall.objects.filter(
        **{"payment" if is_payment else "attempt__payout": order}, purpose=UpstreamCall.Purpose.SUBMIT
    )
    return calls.order_by("-id").values_list("cause", flat=True).first() or ""


def background(now: datetime) -> Background:
    """Return how the parts that work behind the pages are, in one statement."""
    rows = sql.rows(_BACKGROUND, {"now": now})
    since = {kind: at for kind, _name, at in rows if kind != "part"}
    due, received = since["notification"], since["callback"]
    return Background(
        beats={name: at for kind, name, at in rows if kind == "part"},
        due_seconds=None if due is None else (now - due).total_seconds(),
        unanswered_seconds=None if received is None else max(0.0, (now - received).total_seconds()),
    )


def oldest_due_notification_seconds(now: datetime) -> float | None:
    """Return for how long the oldest due notification has been waiting, None when none is due.

    What is in a worker's hands is not due; what a dead worker held is, once its lease has ended.
    """
    oldest = Notification.objects.filter(state=Notification.State.RETRYING, due_at__lte=now).aggregate(
        at=Min("due_at")
    )["at"]
    return None if oldest is None else (now - oldest).total_seconds()


def oldest_unanswered_callback_seconds(now: datetime) -> float | None:
    """Return how old the oldest callback without an outcome is, None when every one has its outcome (D6)."""
    waiting = UpstreamCallback.objects.filter(outcome=UpstreamCallback.Outcome.WAITING)
    oldest = waiting.aggregate(at=Min("received_at"))["at"]
    return None if oldest is None else max(0.0, (now - oldest).total_seconds())
