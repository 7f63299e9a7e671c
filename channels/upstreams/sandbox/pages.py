"""The sandbox's pages: the payer's, where a person plays the payer, and the list of the latest orders.

Plain HTML and forms, no scripts, every text escaped.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from channels.upstreams.base import Direction
from channels.upstreams.sandbox import practice, wire
from channels.upstreams.sandbox import upstream as upstreams
from channels.upstreams.sandbox.behaviour import EXPLANATIONS, Mode
from channels.upstreams.sandbox.book import Order
from channels.upstreams.sandbox.control import read_fields
from channels.upstreams.sandbox.layout import money, page
from channels.upstreams.sandbox.server import Answer, Call
from channels.upstreams.sandbox.upstream import AlreadyEnded, Upstream

ORDERS_SHOWN = 50

STYLE = Path(__file__).with_name("style.css").read_bytes()

_PAY = re.compile(r"/pay/([A-Z0-9]{1,64})")
_PAY_ACT = re.compile(r"/pay/([A-Z0-9]{1,64})/(pay|other|fail|nothing)")

_STATE_WORDS = {
    upstreams.PENDING: "Waiting for the payer",
    upstreams.PAID: "Paid",
    upstreams.FAILED: "Failed",
}


def _minute(moment: str) -> str:
    try:
        return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return moment


def _badge(state: str) -> str:
    return f'<span class="badge {escape(state)}">{escape(_STATE_WORDS[state])}</span>'


def _facts(order: Order) -> str:
    facts = [
        ("Order", order.reference),
        ("Sandbox number", order.channel_order_no),
        ("Service", order.service),
    ]
    for name, label in (("card_name", "Pay to"), ("card_number", "Account"), ("bank_name", "Bank")):
        if receiver := upstreams.receiver(order):
            facts.append((label, receiver[name]))
    if order.remark_code:
        facts.append(("Remark to write", order.remark_code))
    if order.expires_at:
        facts.append(("Expires", _minute(order.expires_at)))
    if order.reason:
        facts.append(("Reason", order.reason))
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in facts)
    return f"<dl>{rows}</dl>"


def _forms(order: Order) -> str:
    where = f"/pay/{escape(order.channel_order_no)}"
    is_payout = order.direction == Direction.PAYOUT.value
    pay, other = ("Let it succeed", "Send another amount") if is_payout else ("Pay", "Pay another amount")
    amount = escape(order.display_amount)
    if order.state == upstreams.PAID:
        return '<p class="note">This order is paid. Nothing more can be done with it here.</p>'
    pending = (
        f'<form method="post" action="{where}/fail"><button class="fail">Fail</button></form>'
        f'<form method="post" action="{where}/nothing"><button class="quiet">Say nothing</button></form>'
    )
    late = '<p class="note">It failed; paying it now plays an upstream that corrects itself.</p>'
    return (
        f"{late if order.state == upstreams.FAILED else ''}"
        f'<form method="post" action="{where}/pay"><button class="pay">{pay}'
        f" {money(order.display_amount, order.currency)}</button></form>"
        f'<form method="post" action="{where}/other" class="other"><label for="amount">Another amount'
        f" ({escape(order.currency)})</label><div><input id=amount name=amount inputmode=decimal required"
        f' autocomplete=off placeholder="{amount}"><button>{other}</button></div></form>'
        f"{pending if order.state == upstreams.PENDING else ''}"
    )


def _order_page(order: Order, *, note: str = "", status: int = 200) -> Answer:
    what = "Payout" if order.direction == Direction.PAYOUT.value else "Payment"
    moved = "" if order.amount_paid is None else f"<p>{money(order.amount_paid, order.currency)} moved.</p>"
    body = (
        f'<main class="card"><h1>{what}</h1>'
        f'<p class="amount">{money(order.display_amount, order.currency)}</p>'
        f"{_badge(order.state)}{moved}"
        f"{f'<p class=note role=status>{escape(note)}</p>' if note else ''}"
        f"{_facts(order)}{_forms(order)}</main>"
    )
    return page(f"{what} {order.reference}", body, status=status)


def _list_row(order: Order) -> str:
    at = time.strftime("%m-%d %H:%M:%S", time.gmtime(order.created_at))
    return (
        f'<tr><td><a href="/pay/{escape(order.channel_order_no)}">{escape(order.reference)}</a></td>'
        f"<td>{escape(order.direction)}</td><td>{escape(order.account)}</td>"
        f'<td class="number">{money(order.amount, order.currency)}</td><td>{_badge(order.state)}</td>'
        f"<td>{at} UTC</td></tr>"
    )


def _behaviour_row(account: str, told: Mode) -> str:
    options = "".join(
        f'<option value="{mode.value}"{" selected" if mode is told else ""}>'
        f"{mode.value}: {escape(EXPLANATIONS[mode])}</option>"
        for mode in Mode
    )
    name = escape(account)
    return (
        f'<form method="post" action="/behaviour" class="mode"><label for="mode-{name}">{name}</label>'
        f'<input type="hidden" name="account" value="{name}">'
        f'<select id="mode-{name}" name="mode">{options}</select>'
        "<button>Set</button></form>"
    )


class Pages:
    """GET /pay/{channel order number} and the posts of its forms; GET / and GET /style.css."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def index(self) -> Answer:
        """Return the list of the latest orders, with each account's behaviour."""
        rows = "".join(map(_list_row, self._upstream.book.orders_latest(count=ORDERS_SHOWN)))
        none = '<p class="note">No orders yet. They appear here once a channel sends one.</p>'
        names = ("Order", "Direction", "Account", "Amount", "State", "Created")
        heads = "".join(f'<th class="{name.lower()}">{name}</th>' for name in names)
        table = f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        modes = "".join(
            _behaviour_row(account, self._upstream.behaviour(account).mode)
            for account in self._upstream.accounts
        )
        body = (
            f"<main><h1>Latest orders</h1>{table if rows else none}"
            f'<p><a href="{practice.NODE_PATH}">The practice chain</a> has a wallet of its own.</p>'
            f"<h2>Behaviour of each account</h2>{modes}</main>"
        )
        return page("Sandbox upstream", body)

    def respond(self, call: Call) -> Answer:
        """Answer one call to /pay/…"""
        path = urlsplit(call.target).path
        if match := _PAY_ACT.fullmatch(path) if call.method == "POST" else None:
            number, act = match[1], match[2]
        elif match := _PAY.fullmatch(path) if call.method == "GET" else None:
            number, act = match[1], ""
        else:
            return not_found()
        order = self._upstream.book.order(number)
        if order is None:
            return not_found()
        return self._act(order, act, call) if act else _order_page(order)

    def _act(self, order: Order, act: str, call: Call) -> Answer:
        now = time.time()
        try:
            if act == "nothing":
                return _order_page(order, note="Nothing was said to anybody. The order stays as it is.")
            if act == "fail":
                self._upstream.fail(order, reason="the payer let it fail", now=now)
            else:
                amount = wire.amount(read_fields(call), "amount") if act == "other" else None
                self._upstream.pay(order, amount=amount, now=now)
        except wire.Unreadable as fault:
            return _order_page(order, note=f"Not done: {fault}. Write it like 100.00.", status=400)
        except AlreadyEnded as refusal:
            current = self._upstream.book.order(order.channel_order_no)
            return _order_page(current or order, note=f"Not done: {refusal}.", status=409)
        # A reload of the next page must not post again.
        return Answer(303, headers={"location": f"/pay/{order.channel_order_no}"})


def style() -> Answer:
    """Return the stylesheet."""
    return Answer(200, STYLE, content_type="text/css; charset=utf-8")


def not_found() -> Answer:
    """Return the page for what is not here."""
    body = (
        '<main class="card"><h1>Not found</h1><p>The sandbox has no such order or page.'
        ' The <a href="/">latest orders</a> are listed on its first page.</p></main>'
    )
    return page("Not found", body, status=404)
