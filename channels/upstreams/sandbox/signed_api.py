"""The API that adapters call: every request signed by the account, every answer by the sandbox."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from channels.upstreams.base import Direction, UpstreamState
from channels.upstreams.sandbox import signing, wire
from channels.upstreams.sandbox import upstream as upstreams
from channels.upstreams.sandbox.behaviour import Mode
from channels.upstreams.sandbox.book import Order
from channels.upstreams.sandbox.server import Answer, Call
from channels.upstreams.sandbox.upstream import Upstream

# How long REORDERED waits for its callback to be answered before it answers the creation itself.
REORDERED_SECONDS_MAX = 10.0

_HTML = b"<!doctype html><html><body><h1>Bad gateway</h1><p>Please try again later.</p></body></html>"


class SignedApi:
    """POST /v1/payments, POST /v1/payouts, GET /v1/orders/{reference}?direction="""

    def __init__(self, *, upstream: Upstream, stopping: threading.Event) -> None:
        self._upstream = upstream
        self._stopping = stopping

    def respond(self, call: Call) -> Answer:
        """Answer one call below /v1/."""
        account = call.headers.get(signing.HEADER_KEY, "")
        secret = self._upstream.accounts.get(account)
        if secret is None:
            # Nobody to sign for: an answer that no adapter believes.
            return Answer(401, wire.dump({"code": "unknown_account", "reason": "no such account"}))
        try:
            timestamp = signing.fresh_timestamp(call.headers, now=time.time())
            expected = signing.request_signature(
                secret=secret, method=call.method, path=call.target, timestamp=timestamp, body=call.body
            )
            signing.check(call.headers, expected=expected)
        except signing.SignatureRefused as refusal:
            return self._signed(call, account, 401, {"code": "signature", "reason": str(refusal)})
        path = urlsplit(call.target).path
        if call.method == "POST" and path == wire.PAYMENTS_PATH:
            return self._place(call, account, Direction.DEPOSIT)
        if call.method == "POST" and path == wire.PAYOUTS_PATH:
            return self._place(call, account, Direction.PAYOUT)
        if call.method == "GET" and path.startswith(wire.ORDERS_PATH):
            return self._query(call, account, unquote(path.removeprefix(wire.ORDERS_PATH)))
        return self._signed(call, account, 400, {"code": "no_such_call", "reason": "no such method and path"})

    def _signed(self, call: Call, account: str, status: int, fields: Mapping[str, object]) -> Answer:
        return self._signed_body(call, account, status, wire.dump(fields))

    def _signed_body(self, call: Call, account: str, status: int, body: bytes) -> Answer:
        secret = self._upstream.accounts[account]
        if self._upstream.behaviour(account).mode is Mode.BAD_SIGNATURE:
            secret += "-forged"
        timestamp = str(int(time.time()))
        signature = signing.answer_signature(
            secret=secret,
            status=status,
            timestamp=timestamp,
            request=call.headers.get(signing.HEADER_SIGNATURE, ""),
            body=body,
        )
        headers = signing.headers(account=account, timestamp=timestamp, signature=signature)
        return Answer(status, body, headers=headers)

    def _place(self, call: Call, account: str, direction: Direction) -> Answer:
        reference: object = ""
        try:
            fields = wire.load(call.body)
            reference = fields.get("reference")
            now = time.time()
            order = self._upstream.place(account=account, direction=direction, fields=fields, now=now)
        except wire.Unreadable as fault:
            return self._signed(call, account, 400, {"code": "unreadable", "reason": str(fault)})
        except upstreams.OrderRefused as refusal:
            refused = {"code": wire.ORDER_REFUSED, "reason": str(refusal), "reference": reference}
            if refusal.cause:
                refused["cause"] = refusal.cause
            return self._signed(call, account, 422, refused)
        except upstreams.ReferenceConflict as conflict:
            told = {"code": wire.REFERENCE_CONFLICT, "reason": str(conflict), "reference": reference}
            return self._signed(call, account, 409, told)
        return self._spoiled(call, account, order)

    def _spoiled(self, call: Call, account: str, order: Order) -> Answer:
        """Answer for an order that is made, in the way in which the account's mode wants it."""
        told = self._upstream.behaviour(account)
        if told.mode is Mode.REORDERED:
            self._upstream.end_by_itself(order, now=time.time())
            self._wait_for_callback(order)
        self._stopping.wait(told.seconds_to_wait())
        body = wire.dump(_placed_fields(order, host=call.headers.get("host", "")))
        match told.mode:
            case Mode.ERROR_500_BUT_DONE:
                return Answer(500, _HTML, content_type="text/html; charset=utf-8")
            case Mode.TIMEOUT_BUT_DONE:
                return Answer(504, is_cut=True)
            case Mode.RESET_BUT_DONE:
                return Answer(504, is_cut=True, is_reset=True)
            case Mode.HTML_BUT_DONE:
                return Answer(200, _HTML, content_type="text/html; charset=utf-8")
            case Mode.HALF_ANSWER_BUT_DONE:
                return self._signed_body(call, account, 200, body[: len(body) // 2])
            case _:
                return self._signed_body(call, account, 200, body)

    def _wait_for_callback(self, order: Order) -> None:
        until = time.monotonic() + REORDERED_SECONDS_MAX
        while time.monotonic() < until and not self._stopping.is_set():
            callbacks = self._upstream.book.callbacks_of(order.channel_order_no)
            if any(callback.last_answer for callback in callbacks):
                return
            self._stopping.wait(0.01)

    def _query(self, call: Call, account: str, reference: str) -> Answer:
        directions = parse_qs(urlsplit(call.target).query).get("direction", [])
        if directions not in (["deposit"], ["payout"]):
            return self._signed(
                call, account, 400, {"code": "unreadable", "reason": "direction must be deposit or payout"}
            )
        told = self._upstream.behaviour(account)
        if told.mode is Mode.SLOW:
            self._stopping.wait(told.seconds_to_wait())
        order = self._upstream.book.order_of(account=account, direction=directions[0], reference=reference)
        if order is None:
            absent = {
                "reference": reference,
                "direction": directions[0],
                "state": UpstreamState.NOT_FOUND.value,
            }
            return self._signed(call, account, 404, absent)
        return self._signed(call, account, 200, _queried_fields(order))


def link(order: Order, *, host: str) -> str:
    """Return the address of an order's payer's page, at the host that the caller reached us under."""
    return f"http://{host}/pay/{order.channel_order_no}"


def _placed_fields(order: Order, *, host: str) -> dict[str, object]:
    fields: dict[str, object] = {
        "reference": order.reference,
        "direction": order.direction,
        "channel_order_no": order.channel_order_no,
        "amount": order.amount,
        "currency": order.currency,
    }
    if order.direction == Direction.DEPOSIT.value:
        fields["link"] = fields["qr_text"] = link(order, host=host)
        fields["receiver"] = upstreams.receiver(order)
        fields["display_amount"] = order.display_amount
    return fields


def _queried_fields(order: Order) -> dict[str, object]:
    return {
        "reference": order.reference,
        "direction": order.direction,
        "channel_order_no": order.channel_order_no,
        "state": order.state,
        "amount": order.amount_paid,
        "currency": order.currency,
        "reason": order.reason,
    }
