"""What the sandbox does with orders: take them once, end them once, line up the callbacks that tell of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from channels.upstreams.base import Direction, UpstreamState
from channels.upstreams.sandbox import behaviour, wire
from channels.upstreams.sandbox.behaviour import Behaviour, Mode
from channels.upstreams.sandbox.book import Book, Ending, Order

# Bank card, Alipay to card, UnionPay QuickPass: the payer is shown whose account to send the money to.
SERVICES_WITH_RECEIVER = frozenset({"SVC0001", "SVC0005", "SVC0006"})
RECEIVERS: tuple[dict[str, str], ...] = (
    {
        "card_name": "沙盒一",
        "card_number": "6200000000000000017",
        "bank_code": "ICBC",
        "bank_name": "中国工商银行",
        "bank_branch": "沙盒支行",
    },
    {
        "card_name": "沙盒二",
        "card_number": "6200000000000000025",
        "bank_code": "CCB",
        "bank_name": "中国建设银行",
        "bank_branch": "沙盒分行",
    },
)

DOOMED_NAME = "FAIL"

PENDING, PAID, FAILED = (
    state.value for state in (UpstreamState.PENDING, UpstreamState.PAID, UpstreamState.FAILED)
)

_REFERENCE = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


class OrderRefused(Exception):
    """The order is not taken, and none with its reference exists. `cause` is the wire's word, or ""."""

    def __init__(self, reason: str, cause: str = "") -> None:
        self.cause = cause
        super().__init__(reason)


class ReferenceConflict(Exception):
    """The reference already has an order of other content."""


class AlreadyEnded(Exception):
    """The order has ended in a way that does not allow this."""


@dataclass(frozen=True, slots=True)
class _Content:
    service: str
    amount: Decimal
    currency: str
    callback_url: str
    expires_at: str
    remark_code: str
    party: Mapping[str, object]


def _read_content(direction: Direction, fields: Mapping[str, object]) -> _Content:
    callback_url = wire.required_text(fields, "callback_url", length_max=2048)
    parts = urlsplit(callback_url)
    # urlsplit only reads the port when asked, and then refuses nonsense with a ValueError.
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.port == 0
        or not callback_url.isascii()
    ):
        raise wire.Unreadable("callback_url is not an http address")
    party = wire.section(fields, "payer" if direction is Direction.DEPOSIT else "recipient")
    for name in party:
        wire.text(party, name)
    return _Content(
        service=wire.required_text(fields, "service", length_max=64),
        amount=wire.amount(fields, "amount"),
        currency=wire.currency(fields),
        callback_url=callback_url,
        expires_at=wire.text(fields, "expires_at", length_max=64),
        remark_code=wire.text(fields, "remark_code", length_max=64),
        party=party,
    )


class Upstream:
    """The orders of all accounts. Methods may be called from any thread; `now` is in Unix seconds."""

    def __init__(
        self,
        *,
        book: Book,
        accounts: Mapping[str, str],
        payout_delay_seconds: float,
        wake_courier: Callable[[], None],
    ) -> None:
        self.book = book
        self.accounts = accounts
        self._payout_delay_seconds = payout_delay_seconds
        self._wake_courier = wake_courier

    def behaviour(self, account: str) -> Behaviour:
        """Return how an account behaves now."""
        return self.book.behaviours().get(account, Behaviour())

    def place(self, *, account: str, direction: Direction, fields: Mapping[str, object], now: float) -> Order:
        """Take an order, or return the one that this reference and content already made.

        A repeat is answered before the mode is asked, so that REFUSE never denies an order that exists.
        Raises: OrderRefused, ReferenceConflict.
        """
        reference = fields.get("reference")
        if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
            raise OrderRefused("reference must be 1 to 64 letters, digits or . _ : -")
        kept = self.book.order_of(account=account, direction=direction.value, reference=reference)
        try:
            content = _read_content(direction, fields)
        except (wire.Unreadable, ValueError) as fault:
            raise (OrderRefused if kept is None else ReferenceConflict)(str(fault)) from fault
        fingerprint = self._fingerprint(account, direction, content)
        if kept is None:
            self._refuse_where_told(account)
            kept = self.book.add(self._new_order(account, direction, reference, content, fingerprint, now))
        if kept.fingerprint != fingerprint:
            raise ReferenceConflict(f"reference {reference} already has an order of other content")
        self._wake_courier()
        return kept

    def _refuse_where_told(self, account: str) -> None:
        match self.behaviour(account).mode:
            case Mode.REFUSE:
                raise OrderRefused("the sandbox was told to refuse")
            case Mode.REFUSE_ACCOUNT:
                raise OrderRefused("there is no such account", cause=wire.ACCOUNT_UNKNOWN)

    def _fingerprint(self, account: str, direction: Direction, content: _Content) -> str:
        # Where to call back and until when are not what was ordered: after a move to another host, a repeat
        # is still a repeat.
        ordered = [
            direction.value,
            content.service,
            wire.amount_text(content.amount),
            content.currency,
            content.remark_code,
            dict(content.party),
        ]
        text = json.dumps(ordered, sort_keys=True).encode()
        return hmac.new(self.accounts[account].encode(), text, hashlib.sha256).hexdigest()

    def _new_order(
        self,
        account: str,
        direction: Direction,
        reference: str,
        content: _Content,
        fingerprint: str,
        now: float,
    ) -> Order:
        told = self.behaviour(account)
        delay = told.payout_delay_seconds
        delay = self._payout_delay_seconds if delay is None else delay
        return Order(
            channel_order_no=f"SB{secrets.token_hex(10).upper()}",
            account=account,
            direction=direction.value,
            reference=reference,
            fingerprint=fingerprint,
            service=content.service,
            amount=wire.amount_text(content.amount),
            currency=content.currency,
            display_amount=wire.amount_text(content.amount + Decimal(told.display_amount_add) / 100),
            callback_url=content.callback_url,
            expires_at=content.expires_at,
            remark_code=content.remark_code,
            is_doomed=int(content.party.get("name") == DOOMED_NAME and direction is Direction.PAYOUT),
            state=PENDING,
            amount_paid=None,
            reason="",
            created_at=now,
            due_at=now + delay if direction is Direction.PAYOUT else None,
        )

    def pay(self, order: Order, *, amount: Decimal | None, now: float) -> None:
        """End an order as paid, also one that failed before: real upstreams correct themselves.

        Units: amount in major units; None for what the payer was asked to send.
        Raises: AlreadyEnded.
        """
        if amount is None:
            amount = Decimal(order.display_amount)
            if self.behaviour(order.account).mode is Mode.WRONG_AMOUNT:
                amount = behaviour.wrong_amount(amount)
        self._end(order, state=PAID, amount=amount, reason="", from_states=(PENDING, FAILED), now=now)

    def fail(self, order: Order, *, reason: str, now: float) -> None:
        """End an order as failed.

        Raises: AlreadyEnded.
        """
        self._end(order, state=FAILED, amount=None, reason=reason, from_states=(PENDING,), now=now)

    def end_by_itself(self, order: Order, *, now: float) -> None:
        """End a payout whose time has come, or a new order in REORDERED, unless somebody was quicker."""
        try:
            if order.is_doomed:
                self.fail(order, reason="the recipient's bank refused the account", now=now)
            else:
                self.pay(order, amount=None, now=now)
        except AlreadyEnded:
            return

    def repeat_callback(self, order: Order, *, now: float) -> None:
        """Send the callback of an ended order once more, with an event id of its own.

        Raises: AlreadyEnded when the order has not ended.
        """
        if order.state == PENDING:
            raise AlreadyEnded("the order is still pending: there is nothing to tell")
        amount = None if order.amount_paid is None else Decimal(order.amount_paid)
        callbacks = self._callbacks(order, state=order.state, amount=amount, reason=order.reason)
        self.book.repeat(order.channel_order_no, callbacks, now=now)
        self._wake_courier()

    def _end(
        self,
        order: Order,
        *,
        state: str,
        amount: Decimal | None,
        reason: str,
        from_states: tuple[str, ...],
        now: float,
    ) -> None:
        ending = Ending(
            state=state,
            amount_paid=amount,
            reason=reason,
            callbacks=self._callbacks(order, state=state, amount=amount, reason=reason),
        )
        if not self.book.end(order.channel_order_no, ending, from_states=from_states, now=now):
            current = self.book.order(order.channel_order_no)
            raise AlreadyEnded(f"the order is already {current.state if current else 'gone'}")
        self._wake_courier()

    def _callbacks(
        self, order: Order, *, state: str, amount: Decimal | None, reason: str
    ) -> list[tuple[str, bytes, bool]]:
        mode = self.behaviour(order.account).mode
        if mode is Mode.LOST_CALLBACK:
            return []
        event_id = f"EV{secrets.token_hex(10).upper()}"
        body = wire.dump(
            {
                "event_id": event_id,
                "direction": order.direction,
                "reference": order.reference,
                "channel_order_no": order.channel_order_no,
                "state": state,
                "amount": None if amount is None else wire.amount_text(amount),
                "currency": order.currency,
                "reason": reason,
            }
        )
        callback = (event_id, body, mode is Mode.BAD_SIGNATURE)
        return [callback, callback] if mode is Mode.DOUBLE_CALLBACK else [callback]


def receiver(order: Order) -> dict[str, str] | None:
    """Return whose account the payer of an order sends the money to, for the services that name one."""
    if order.direction != Direction.DEPOSIT.value or order.service not in SERVICES_WITH_RECEIVER:
        return None
    return RECEIVERS[int(order.channel_order_no[-2:], 16) % len(RECEIVERS)]
