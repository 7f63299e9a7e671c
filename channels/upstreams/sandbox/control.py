"""The control API: a test or a person with curl plays the payer, the bank, and the moods of the upstream.

Unsigned, so it answers this machine alone. Its amounts are whole numbers × 100, for every currency.
"""

from __future__ import annotations

import re
import time
from decimal import Decimal
from urllib.parse import parse_qsl, unquote, urlsplit

from channels.upstreams.sandbox import behaviour, wire
from channels.upstreams.sandbox.behaviour import EXPLANATIONS, Mode
from channels.upstreams.sandbox.book import Order
from channels.upstreams.sandbox.server import Answer, Call
from channels.upstreams.sandbox.signed_api import link
from channels.upstreams.sandbox.upstream import AlreadyEnded, Upstream

_ORDER = re.compile(r"/orders/([^/]+)")
_ORDER_ACT = re.compile(r"/orders/([^/]+)/(pay|fail|repeat)")


def _no(status: int, reason: str) -> Answer:
    return Answer(status, wire.dump({"reason": reason}))


def read_fields(call: Call) -> dict[str, object]:
    """Return the fields of a JSON body or of a form; an empty body has none.

    Raises: wire.Unreadable.
    """
    if not call.body.strip():
        return {}
    # curl -d sends JSON under the name of a form, so the body itself tells.
    if call.body.lstrip().startswith(b"{"):
        return wire.load(call.body)
    try:
        return dict(parse_qsl(call.body.decode("ascii"), strict_parsing=True, keep_blank_values=True))
    except ValueError:
        raise wire.Unreadable("the body is neither JSON nor a form") from None


def _hundredths(amount: str | None) -> int | str | None:
    """Return an amount × 100: a whole number, or a text where the currency's decimals leave a rest."""
    if amount is None:
        return None
    hundredfold = Decimal(amount) * 100
    return (
        int(hundredfold) if hundredfold == hundredfold.to_integral_value() else wire.amount_text(hundredfold)
    )


class ControlApi:
    """GET /orders/{reference}, POST /orders/{reference}/(pay|fail|repeat), GET and POST /behaviour."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def respond(self, call: Call) -> Answer:
        """Answer one call to /orders/… or /behaviour."""
        path = urlsplit(call.target).path
        try:
            if path == "/behaviour":
                return self._set_behaviour(call) if call.method == "POST" else self._behaviours()
            if call.method == "GET" and (match := _ORDER.fullmatch(path)):
                return self._with_order(call, unquote(match[1]), act="")
            if call.method == "POST" and (match := _ORDER_ACT.fullmatch(path)):
                return self._with_order(call, unquote(match[1]), act=match[2])
        except wire.Unreadable as fault:
            return _no(400, str(fault))
        except AlreadyEnded as refusal:
            return _no(409, str(refusal))
        return _no(404, "no such method and path")

    def _with_order(self, call: Call, reference: str, *, act: str) -> Answer:
        wanted = dict(parse_qsl(urlsplit(call.target).query))
        orders = [
            order
            for order in self._upstream.book.orders_with(reference)
            if wanted.get("account", order.account) == order.account
            and wanted.get("direction", order.direction) == order.direction
        ]
        if not orders:
            return _no(404, f"no order has the reference {reference}")
        if len(orders) > 1:
            which = ", ".join(f"account={order.account}&direction={order.direction}" for order in orders)
            return _no(409, f"several orders have this reference: add one of ?{which}")
        [order] = orders
        self._act(order, act, read_fields(call) if act else {})
        current = self._upstream.book.known_order(order.channel_order_no)
        return Answer(200, wire.dump(self._order_fields(current, host=call.headers.get("host", ""))))

    def _act(self, order: Order, act: str, fields: dict[str, object]) -> None:
        now = time.time()
        if act == "pay":
            amount = behaviour.hundredths(fields, "amount")
            if amount == 0:
                raise wire.Unreadable("amount must be above zero")
            major = None if amount is None else Decimal(amount) / 100
            self._upstream.pay(order, amount=major, now=now)
        elif act == "fail":
            self._upstream.fail(order, reason=wire.text(fields, "reason") or "told to fail", now=now)
        elif act == "repeat":
            self._upstream.repeat_callback(order, now=now)

    def _order_fields(self, order: Order, *, host: str) -> dict[str, object]:
        return {
            "reference": order.reference,
            "account": order.account,
            "direction": order.direction,
            "channel_order_no": order.channel_order_no,
            "service": order.service,
            "state": order.state,
            "amount": _hundredths(order.amount),
            "display_amount": _hundredths(order.display_amount),
            "amount_paid": _hundredths(order.amount_paid),
            "currency": order.currency,
            "remark_code": order.remark_code,
            "reason": order.reason,
            "link": link(order, host=host),
            "callback_url": order.callback_url,
            "callbacks": [
                {
                    "event_id": callback.event_id,
                    "attempt_count": callback.attempt_count,
                    "is_received": bool(callback.is_received),
                    "is_waiting": callback.next_at is not None,
                    "last_answer": callback.last_answer,
                }
                for callback in self._upstream.book.callbacks_of(order.channel_order_no)
            ],
        }

    def _behaviours(self) -> Answer:
        accounts = {name: self._upstream.behaviour(name).fields() for name in self._upstream.accounts}
        modes = {mode.value: EXPLANATIONS[mode] for mode in Mode}
        return Answer(200, wire.dump({"accounts": accounts, "modes": modes}))

    def _set_behaviour(self, call: Call) -> Answer:
        fields = read_fields(call)
        account = wire.text(fields, "account") or wire.text(fields, "channel")
        if account not in self._upstream.accounts:
            return _no(404, "account must be one of " + ", ".join(self._upstream.accounts))
        told = behaviour.read(fields)
        self._upstream.book.set_behaviour(account, told)
        if "text/html" in call.headers.get("accept", ""):
            return Answer(303, headers={"location": "/"})
        return Answer(200, wire.dump({"account": account, **told.fields()}))
