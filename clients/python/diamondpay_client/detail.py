"""The payment-detail API: orders over chains, asking to be told of them, and their callbacks."""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import httpx

from diamondpay_client import reading
from diamondpay_client.connection import Connection, is_signed_answer, json_object
from diamondpay_client.errors import OutcomeUnknown, Refused, SignatureInvalid

TOLERANCE_SECONDS: Final = 300
_REFUSALS: Final = frozenset({400, 401, 403, 404, 405, 409, 413, 415})
Json = Mapping[str, object]


class PaymentStatus(enum.IntEnum):
    """States of an order. FAILED may still become PAID, when the money comes late; PAID may be REFUNDED."""

    PAID = 0
    PENDING = 1
    CONFIRMING = 2
    PARTIALLY_PAID = 3
    FAILED = 4
    REFUNDED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedOrder:
    """An order that was placed. Send the payer to `payment_url`, or show him `address`; both may be empty."""

    id: str
    payment_url: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain over which orders may be placed."""

    id: int
    name: str
    symbol: str
    confirmations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCurrency:
    """What may be paid with on a chain. `address` is empty for the chain's own coin; `rate` is in USD."""

    id: int
    chain_id: int
    name: str
    symbol: str
    address: str
    decimals: int
    rate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDetail:
    """An order. Amounts are in the smallest units of what is paid; None until they are known."""

    id: str
    order_no: str
    status: int
    chain_id: int | None
    currency_id: int | None
    address: str
    quote_currency: str
    quote_amount: str
    expected_units: int | None
    settled_units: int | None
    settlement_currency: str
    transfer_hash: str

    @property
    def is_paid(self) -> bool:
        """Say whether the money is there. Credit `settled_units`."""
        return self.status == PaymentStatus.PAID


def signature(*, secret: str, timestamp: str, method: str, path: str, body: bytes = b"") -> str:
    """Return the signature of a call or a callback, in Base64.

    Raises: ValueError for an empty secret.
    """
    if not secret:
        raise ValueError("a secret must not be empty")
    message = f"{timestamp}{method}{path}".encode() + body
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


class DetailClient(Connection):
    """One merchant's connection to the payment-detail API; close it, or use it as a context.

    `http` replaces the connection, for proxies, certificates or tests; the caller closes it.
    """

    def __init__(
        self,
        *,
        url: str,
        key: str,
        secret: str,
        timeout_seconds: float = 30.0,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, http=http)
        self._base = url.rstrip("/")
        self._key = key
        self._secret = secret

    def create(
        self,
        *,
        order_no: str,
        chain_id: int,
        currency: str,
        amount: str,
        description: str,
        notify_url: str,
        is_fiat: bool = False,
        redirection_url: str = "",
    ) -> CreatedOrder:
        """Place an order and return it; the same again returns the same order, so it is safe to repeat.

        `amount` is a plain decimal in a text.
        Raises: Refused, with 409 when the number has another order; OutcomeUnknown: send the same again.
        """
        wanted: dict[str, object] = {
            "chainId": chain_id,
            "description": description,
            "outTradeNo": order_no,
            "isLegalTender": int(is_fiat),
            "quoteCurrencySymbol": currency,
            "quoteAmount": amount,
            "notifyUrl": notify_url,
        }
        if redirection_url:
            wanted["redirectionUrl"] = redirection_url
        made = _object_in(self._call("POST", "/payment/createPaymentOrder", json.dumps(wanted).encode()))
        path = _text(made, "paymentUrl")
        return CreatedOrder(
            id=reading.text(made, "outPaymentNo"),
            payment_url=urljoin(f"{self._base}/", path) if path else "",
            address=_text(made, "userWalletAddress"),
        )

    def chains(self) -> list[Chain]:
        """Return the chains over which orders may be placed. Raises: Refused; OutcomeUnknown."""
        return [
            Chain(
                id=reading.number(one, "chainId"),
                name=reading.text(one, "name"),
                symbol=reading.text(one, "symbol"),
                confirmations=reading.number(one, "confirmations"),
            )
            for one in self._list("/conf/list/chain")
        ]

    def currencies(self, chain_id: int | None = None) -> list[ChainCurrency]:
        """Return what may be paid with, on one chain or on all. Raises: Refused; OutcomeUnknown."""
        query = "" if chain_id is None else f"?chainId={chain_id}"
        return [
            ChainCurrency(
                id=reading.number(one, "currencyId"),
                chain_id=reading.number(one, "chainId"),
                name=reading.text(one, "name"),
                symbol=reading.text(one, "symbol"),
                address=_text(one, "address"),
                decimals=reading.number(one, "decimals"),
                rate=_text(one, "exchangeRate"),
            )
            for one in self._list(f"/conf/list/currency{query}")
        ]

    def detail(self, order_no: str) -> PaymentDetail:
        """Return one order by the merchant's number.

        Raises: Refused with 404 when there is none; OutcomeUnknown.
        """
        found = self._call("GET", f"/payment/detail?outTradeNo={quote(order_no, safe='')}")
        return _detail(_object_in(found))

    def notify(self, order_no: str) -> None:
        """Let the merchant be told of an order once more, now.

        Raises: Refused; OutcomeUnknown, also when it was told just now.
        """
        self._call("GET", f"/payment/notify?outTradeNo={quote(order_no, safe='')}")

    def _list(self, path: str) -> list[Json]:
        found = self._call("GET", path)
        if not isinstance(found, list):
            raise OutcomeUnknown("the answer is no list")
        return [_object_in(one) for one in found]

    def _call(self, method: str, path: str, body: bytes = b"") -> object:
        moment = str(int(time.time()))
        signed_path = urlsplit(self._base).path + path
        signed = signature(secret=self._secret, timestamp=moment, method=method, path=signed_path, body=body)
        headers = {"X-PAY-KEY": self._key, "X-PAY-TIMESTAMP": moment, "X-PAY-SIGN": signed}
        if body:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._http.request(method, self._base + path, content=body or None, headers=headers)
        except httpx.TransportError as fault:
            raise OutcomeUnknown(f"no answer: {type(fault).__name__}") from fault
        content = json_object(answer.content)
        code = content.get("code")
        data = content.get("data")
        if answer.status_code == code == httpx.codes.OK and isinstance(data, dict | list):
            if not is_signed_answer(answer, secret=self._secret, signature=signed):
                raise OutcomeUnknown("the answer is not signed as ours")
            return data
        if answer.status_code == code and code in _REFUSALS:
            raise Refused(str(code), str(content.get("description", "")))
        raise OutcomeUnknown(f"HTTP {answer.status_code}, code {code!r}")


def callback(
    *, headers: Mapping[str, str], body: bytes, path: str, keys: Mapping[str, str], now: float | None = None
) -> PaymentDetail:
    """Verify a callback and return the order.

    `path` is that of the address that was given, with its query string; `keys` are the live keys, each with
    its secret.
    Raises: SignatureInvalid when it is not ours, is older than five minutes, or cannot be read.
    """
    given = {name.lower(): value for name, value in headers.items()}
    moment, secret = given.get("x-pay-timestamp", ""), keys.get(given.get("x-pay-key", ""), "")
    if not secret or not (moment.isascii() and moment.isdigit()):
        raise SignatureInvalid("the headers X-PAY-KEY and X-PAY-TIMESTAMP are missing or none of ours")
    wanted = signature(secret=secret, timestamp=moment, method="POST", path=path, body=body)
    if not hmac.compare_digest(wanted.encode(), given.get("x-pay-sign", "").encode()):
        raise SignatureInvalid("the signature is none of ours")
    if abs((time.time() if now is None else now) - int(moment)) > TOLERANCE_SECONDS:
        raise SignatureInvalid("the callback is older than five minutes, or from the future")
    try:
        return _detail(json_object(body))
    except OutcomeUnknown as fault:
        raise SignatureInvalid("the callback cannot be read") from fault


def _detail(content: Json) -> PaymentDetail:
    return PaymentDetail(
        id=reading.text(content, "outPaymentNo"),
        order_no=reading.text(content, "outTradeNo"),
        status=reading.number(content, "paymentStatus"),
        chain_id=_number(content, "chainId"),
        currency_id=_number(content, "currencyId"),
        address=_text(content, "userWalletAddress"),
        quote_currency=reading.text(content, "quoteCurrencySymbol"),
        quote_amount=reading.text(content, "quoteAmount"),
        expected_units=_units(content, "expectedAmount"),
        settled_units=_units(content, "settlementAmount"),
        settlement_currency=_text(content, "settlementCurrencySymbol"),
        transfer_hash=_text(content, "transferHash"),
    )


def _number(content: Json, name: str) -> int | None:
    return None if content.get(name) is None else reading.number(content, name)


def _text(content: Json, name: str) -> str:
    return "" if content.get(name) is None else reading.text(content, name)


def _units(content: Json, name: str) -> int | None:
    found = _text(content, name)
    if found and not (found.isascii() and found.isdigit()):
        raise OutcomeUnknown(f"the answer's {name} is no whole number")
    return int(found) if found else None


def _object_in(found: object) -> Json:
    if not isinstance(found, dict):
        raise OutcomeUnknown("the answer is no object")
    return found
