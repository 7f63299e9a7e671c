"""The practice wallet: pages on which a person sends worthless coins of the practice chain to an address.

Opened with a payment request as wallets read it from a QR code (EIP-681), or with a bare address. No key is
asked for, because there is none. Plain HTML and forms, no scripts, every text escaped.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from decimal import Context, Decimal
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from channels.upstreams.evm import keccak
from channels.upstreams.sandbox import practice, wire
from channels.upstreams.sandbox.control import read_fields
from channels.upstreams.sandbox.layout import money, page
from channels.upstreams.sandbox.practice import Coin
from channels.upstreams.sandbox.practice_book import PracticeBook, Sent
from channels.upstreams.sandbox.server import Answer, Call

SHOWN_MAX = 50
REQUEST_LENGTH_MAX = 512
# As many whole coins at most; with 18 decimals that is what Decimal reckons exactly.
COINS_MAX = 10**9
_WIDE = Context(prec=80)
_REQUEST = re.compile(
    r"(?:ethereum:)?(0x[0-9a-fA-F]{40})(?:@([0-9]{1,20}))?(/transfer)?(?:\?([A-Za-z0-9=&.]*))?", re.ASCII
)
_KEY = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_SHARES = (("exact", "Send exactly", Decimal(1)), ("half", "Send half", Decimal("0.5")),
           ("twice", "Send twice as much", Decimal(2)))  # fmt: skip
_NOTICE = (
    '<p class="note">A practice wallet on the practice chain. Nothing here is worth anything, there are no'
    " private keys, and no real wallet or chain knows of it. Never send real coins to these addresses.</p>"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a payment request asks for. `coin` and `units` are None where it is a bare address.

    Units: of the coin's smallest.
    """

    text: str
    address: str
    coin: Coin | None
    units: int | None

    @property
    def url(self) -> str:
        """Where the wallet is opened with it."""
        return f"{practice.WALLET_PATH}?{urlencode({'request': self.text})}"


def read_request(text: str) -> Request:
    """Return what a payment request asks for.

    Raises: wire.Unreadable.
    """
    text = text.strip()
    found = _REQUEST.fullmatch(text) if len(text) <= REQUEST_LENGTH_MAX else None
    if found is None:
        raise wire.Unreadable("this is no payment request and no address of this chain")
    target, network, is_transfer, query = found.groups()
    if network is not None and int(network) != practice.NETWORK:
        raise wire.Unreadable("this request is for another chain, and not for practice")
    asked = dict(parse_qsl(query or ""))
    receiver = asked.get("address", "") if is_transfer else target
    contract = target.lower() if is_transfer else practice.NATIVE
    coin = practice.COIN_BY_CONTRACT.get(contract)
    if coin is None:
        raise wire.Unreadable("the practice chain has no such token")
    try:
        address = keccak.read_address(receiver)
    except ValueError as fault:
        raise wire.Unreadable(str(fault)) from None
    units = asked.get("uint256" if is_transfer else "value", "")
    is_amount = units.isascii() and units.isdigit() and len(units) < 40
    wanted = int(units) if is_amount and 0 < int(units) <= COINS_MAX * 10**coin.decimals else None
    is_bare = wanted is None and not is_transfer
    return Request(text=text, address=address, coin=None if is_bare else coin, units=wanted)


class PracticeWallet:
    """GET and POST /chain/wallet, GET /chain."""

    def __init__(self, book: PracticeBook) -> None:
        self._book = book

    def index(self) -> Answer:
        """Return how far the chain has come, the latest transfers, and a field for a request."""
        rows = "".join(self._row(sent, _receiver(sent)) for sent in self._book.sent_latest(count=SHOWN_MAX))
        body = (
            f"<main><h1>Practice chain</h1>{_NOTICE}"
            f"<p>Block {self._book.head()}, a new one every {practice.BLOCK_SECONDS} seconds; a transfer"
            f" counts after {practice.CONFIRMATIONS}.</p>"
            f'<form method="get" action="{practice.WALLET_PATH}" class="other"><label for="request">Payment'
            ' request or address</label><div><input id="request" name="request" required autocomplete="off">'
            '<button class="pay">Open</button></div></form>'
            f"<h2>Latest transfers</h2>{_table(rows, '<th>To</th>')}</main>"
        )
        return page("Practice chain", body)

    def respond(self, call: Call) -> Answer:
        """Answer one call to /chain/wallet."""
        try:
            if call.method == "POST":
                return self._send(read_fields(call))
            query = dict(parse_qsl(urlsplit(call.target).query))
            return self._page(read_request(query.get("request", "")))
        except wire.Unreadable as fault:
            return _refused(str(fault))

    def _send(self, fields: dict[str, object]) -> Answer:
        asked = read_request(str(fields.get("request", "")))
        key = str(fields.get("key", ""))
        if not _KEY.fullmatch(key):
            raise wire.Unreadable("the form came without its key; open it again")
        try:
            coin, units = _wanted(asked, fields)
        except wire.Unreadable as fault:
            typed = str(fields.get("amount", ""))[:64]
            return self._page(asked, note=f"Not sent: {fault}.", typed=typed, status=400)
        address = asked.address.lower()
        self._book.send(key=key, contract=coin.contract, to_address=address, units=units)
        # A reload of the next page must not send again.
        return Answer(303, headers={"location": asked.url})

    def _page(self, asked: Request, *, note: str = "", typed: str = "", status: int = 200) -> Answer:
        sent = self._book.sent_to(asked.address.lower(), count=SHOWN_MAX)
        rows = "".join(self._row(each) for each in sent)
        is_waiting = any(self._confirmations(each) < practice.CONFIRMATIONS for each in sent)
        what = (
            f'<p class="amount">{_shown(asked.coin, asked.units)}</p>' if asked.coin and asked.units else ""
        )
        told = f'<p class="note fail" role="alert">{escape(note)}</p>' if note else ""
        body = (
            f'<main class="wallet"><div class="card"><h1>Practice wallet</h1>{what}'
            f"<dl><dt>To</dt><dd>{escape(asked.address)}</dd><dt>Over</dt><dd>Practice chain</dd></dl>"
            f"{told}{_forms(asked, typed)}{_NOTICE}</div>"
            f"<h2>Sent to this address</h2>{_table(rows)}</main>"
        )
        # While something waits for confirmations the page shows how it goes on, unless somebody is typing.
        is_followed = is_waiting and not note
        return page("Practice wallet", body, status=status,
                    refresh_seconds=practice.BLOCK_SECONDS if is_followed else 0)  # fmt: skip

    def _confirmations(self, sent: Sent) -> int:
        return max(0, self._book.head() - sent.block_number + 1)

    def _row(self, sent: Sent, receiver: str = "") -> str:
        coin, count = practice.COIN_BY_CONTRACT[sent.contract], self._confirmations(sent)
        is_done = count >= practice.CONFIRMATIONS
        words = "Confirmed" if is_done else f"{count} of {practice.CONFIRMATIONS} confirmations"
        badge = f'<span class="badge {"paid" if is_done else "pending"}">{words}</span>'
        # Beside the receivers there is no room for it whole.
        shown = f"{sent.tx_hash[:14]}…{sent.tx_hash[-6:]}" if receiver else sent.tx_hash
        return (
            f'<tr><td class="number">{_shown(coin, int(sent.units))}</td><td>{badge}</td>'
            f'{receiver}<td>{sent.block_number}</td><td><code title="{sent.tx_hash}">{shown}</code></td></tr>'
        )


def _wanted(asked: Request, fields: dict[str, object]) -> tuple[Coin, int]:
    """Return what is to be sent. Raises: wire.Unreadable."""
    coin = asked.coin or practice.COIN_BY_CONTRACT.get(str(fields.get("coin", "-")))
    if coin is None:
        raise wire.Unreadable("choose what to send")
    share = next((each for name, _label, each in _SHARES if name == fields.get("share")), None)
    if share is not None and asked.units is not None:
        units = int(asked.units * share)
    else:
        exact = wire.amount(fields, "amount").scaleb(coin.decimals, context=_WIDE)
        if exact != exact.to_integral_value():
            raise wire.Unreadable(f"{coin.symbol} has {coin.decimals} decimals and no more")
        units = int(exact)
    if not 0 < units <= COINS_MAX * 10**coin.decimals:
        raise wire.Unreadable("that is more, or less, than this wallet sends")
    return coin, units


def _forms(asked: Request, typed: str) -> str:
    hidden = (
        f'<input type="hidden" name="request" value="{escape(asked.text)}">'
        f'<input type="hidden" name="key" value="{secrets.token_hex(12)}">'
    )
    opened = f'<form method="post" action="{practice.WALLET_PATH}"'
    shares = ""
    if asked.coin is not None and asked.units is not None:
        for name, label, share in _SHARES:
            shown = _shown(asked.coin, int(asked.units * share))
            style = "pay" if name == "exact" else "other"
            shares += (
                f'{opened}>{hidden}<button class="{style}" name="share" value="{name}">{label}:'
                f" {shown}</button></form>"
            )
    if asked.coin is None:
        options = "".join(
            f'<option value="{coin.contract}">{coin.symbol}</option>' for coin in practice.COINS
        )
        what = f'<label for="coin">What</label><select id="coin" name="coin">{options}</select>'
        label = "Amount"
    else:
        what, label = "", f"Another amount ({asked.coin.symbol})"
    return (
        f'{shares}{opened} class="other">{hidden}{what}<label for="amount">{label}</label><div>'
        f'<input id="amount" name="amount" inputmode="decimal" required autocomplete="off"'
        f' value="{escape(typed)}">'
        "<button>Send</button></div></form>"
    )


def _shown(coin: Coin, units: int) -> str:
    return money(wire.amount_text(Decimal(units).scaleb(-coin.decimals, context=_WIDE)), coin.symbol)


def _receiver(sent: Sent) -> str:
    """Return the cell of a transfer's address, which opens the wallet there."""
    address = keccak.read_address(sent.to_address)
    shown = f"{address[:8]}…{address[-6:]}"
    return f'<td><a href="{practice.WALLET_PATH}?request={address}">{shown}</a></td>'


def _table(rows: str, receiver: str = "") -> str:
    if not rows:
        return '<p class="note">Nothing was sent yet.</p>'
    return (
        '<div class="wide"><table><thead><tr><th class="amount">Amount</th><th>State</th>'
        f"{receiver}<th>Block</th><th>Transaction</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _refused(reason: str) -> Answer:
    body = (
        f'<main class="card"><h1>Practice wallet</h1><p role="alert">Not done: {escape(reason)}.</p>'
        f'<p><a href="{practice.NODE_PATH}">Back to the practice chain</a></p>{_NOTICE}</main>'
    )
    return page("Practice wallet", body, status=400)
