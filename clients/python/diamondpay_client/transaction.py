"""The transaction-request API: deposits and withdrawals in settlement units or fiat, and their webhooks."""

from __future__ import annotations

import enum
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import httpx

from diamondpay_client import notifications, reading
from diamondpay_client.connection import Connection, is_signed_answer, json_object
from diamondpay_client.errors import OutcomeUnknown, Refused, SignatureInvalid

Json = Mapping[str, object]
# After these nobody knows whether anything was done, or something else is to be asked first.
_UNSURE: Final = frozenset({"SERVICE_UNAVAILABLE", "TOO_MANY_REQUESTS"})


class PaymentMethod(enum.IntFlag):
    """How a payer may pay; several are joined by `|`."""

    BANK_CARD = 1
    WECHAT_PAY = 2
    ALIPAY = 4
    BLOCKCHAIN = 8
    ACCOUNT = 16


class RequestStatus(enum.StrEnum):
    """States of a request. FAILED and CANCELLED deposits may still become FINISHED, when money comes late."""

    REVIEWING = "Reviewing"
    MATCHING = "Matching"
    IN_PROGRESS = "InProgress"
    FINISHED = "Finished"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCard:
    """Where a withdrawal goes."""

    number: str
    bank_name: str
    branch_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRequest:
    """A deposit or a withdrawal. `status` is a text, so that a state unknown to this version is no error.

    Units: `payment_amount` in `fiat_currency`, `requested_amount` in `requested_currency`, the others in
    settlement units. Amounts of what has not moved yet are 0. `payment_url` comes with a new deposit only.
    """

    code: str
    order_no: str
    internal_no: str
    is_withdrawal: bool
    status: str
    ended_reason: str
    requested_amount: Decimal
    requested_currency: str
    fiat_currency: str
    unit_price: Decimal
    transaction_amount: Decimal
    received_amount: Decimal
    fee: Decimal
    payment_amount: Decimal
    created_at: datetime
    ended_at: datetime | None
    payment_url: str

    @property
    def is_finished(self) -> bool:
        """Say whether the money has moved. Credit `received_amount` of a deposit."""
        return self.status == RequestStatus.FINISHED


def signature(*, access_key: str, secret_key: str, timestamp: str) -> str:
    """Return the signature of a call, in upper-case hex.

    Raises: ValueError for an empty secret.
    """
    if not secret_key:
        raise ValueError("a secret must not be empty")
    mac = hmac.new(secret_key.encode(), f"{access_key}_{timestamp}".encode(), hashlib.sha256)
    return mac.hexdigest().upper()


class RequestClient(Connection):
    """One merchant's connection to the transaction-request API; close it, or use it as a context.

    `http` replaces the connection, for proxies, certificates or tests; the caller closes it.
    """

    def __init__(
        self,
        *,
        url: str,
        access_key: str,
        secret_key: str,
        timeout_seconds: float = 30.0,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, http=http)
        self._base = f"{url.rstrip('/')}/api/v2/merchant"
        self._access_key = access_key
        self._secret_key = secret_key
        self._last_moment = 0
        self._lock = threading.Lock()

    def create_deposit(
        self,
        *,
        order_no: str,
        amount: Decimal | int,
        name: str,
        webhook_url: str,
        methods: PaymentMethod = PaymentMethod.BANK_CARD,
        currency: str = "CNY",
        fiat_currency: str = "CNY",
        language: str = "en",
    ) -> TransactionRequest:
        """Create a deposit and return it; the same again returns the same order, so it is safe to repeat.

        `currency` is that of the amount: the fiat currency, or MTC for settlement units.
        Raises: Refused, with DUPLICATE_ORDER_NO when the number has another order; OutcomeUnknown: the
        deposit may exist, send the same again.
        """
        return self._create(
            "/deposit",
            {
                "client": {"realName": name},
                "depositCurrency": currency,
                "fiatCurrency": fiat_currency,
                "depositAmount": _written(amount),
                "merchantOrderNo": order_no,
                "webhookUrl": webhook_url,
                "language": language,
                "paymentMethod": {"method": int(methods)},
            },
        )

    def withdraw(
        self,
        *,
        order_no: str,
        amount: Decimal | int,
        name: str,
        card: BankCard,
        webhook_url: str,
        currency: str = "CNY",
        fiat_currency: str = "CNY",
        requires_review: bool = False,
    ) -> TransactionRequest:
        """Create a withdrawal to a bank card: accepted, which does not mean paid. Safe to repeat.

        Raises: Refused, with INSUFFICIENT_BALANCE when it cannot be paid; OutcomeUnknown: it may exist, send
        the same again and never with a new number.
        """
        return self._create(
            "/withdraw/bank-card",
            {
                "client": {"realName": name},
                "withdrawCurrency": currency,
                "fiatCurrency": fiat_currency,
                "withdrawAmount": _written(amount),
                "bankCard": {
                    "cardNumber": card.number,
                    "bankName": card.bank_name,
                    "bankBranchName": card.branch_name,
                },
                "requiresReview": requires_review,
                "merchantOrderNo": order_no,
                "webhookUrl": webhook_url,
            },
        )

    def find(self, order_no: str = "", *, code: str = "") -> TransactionRequest:
        """Return one order by the merchant's number, by its request code, or by both where they agree.

        Raises: ValueError when neither is given; Refused with NOT_FOUND when there is none; OutcomeUnknown.
        """
        given = {"merchantOrderNo": order_no, "requestCode": code}
        query = {name: value for name, value in given.items() if value}
        if not query:
            raise ValueError("give an order number or a request code")
        return _request(self._call("GET", "/transaction-request", params=query))

    def _create(self, path: str, fields: Json) -> TransactionRequest:
        body = json.dumps(fields).encode()
        return _request(self._call("POST", path, content=body, headers={"Content-Type": "application/json"}))

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **sent: Any) -> Json:
        moment = self._moment()
        signed = signature(access_key=self._access_key, secret_key=self._secret_key, timestamp=moment)
        # Servers in front often drop names with an underscore, so the hyphenated spelling is sent.
        proof = {"access-key": self._access_key, "timestamp": moment, "signature": signed}
        try:
            answer = self._http.request(
                method, self._base + path, headers={**(headers or {}), **proof}, **sent
            )
        except httpx.TransportError as fault:
            raise OutcomeUnknown(f"no answer: {type(fault).__name__}") from fault
        content = json_object(answer.content, parse_float=Decimal)
        code, data, is_success = (content.get(name) for name in ("statusCode", "data", "isSuccess"))
        if answer.status_code == httpx.codes.OK and is_success is True and isinstance(data, dict):
            if not is_signed_answer(answer, secret=self._secret_key, signature=signed):
                raise OutcomeUnknown("the answer is not signed as ours")
            return data
        is_known = isinstance(code, str) and code not in _UNSURE
        if is_known and is_success is False and answer.is_client_error:
            raise Refused(str(code), str(content.get("message", "")))
        raise OutcomeUnknown(f"HTTP {answer.status_code}, statusCode {code!r}")

    def _moment(self) -> str:
        """Return the milliseconds now, never the same twice: one moment signs one body."""
        with self._lock:
            self._last_moment = max(int(time.time() * 1000), self._last_moment + 1)
            return str(self._last_moment)


def webhook(
    *, headers: Mapping[str, str], body: bytes, keys: Iterable[str], now: float | None = None
) -> TransactionRequest:
    """Verify a webhook by its Standard Webhooks headers, which cover the body, and return the order.

    `keys` are the merchant's live secret keys.
    Raises: SignatureInvalid when it is not ours, is older than five minutes, or cannot be read.
    """
    notifications.check(headers=headers, body=body, keys=keys, now=now)
    try:
        return _request(json_object(body, parse_float=Decimal))
    except OutcomeUnknown as fault:
        raise SignatureInvalid("the webhook cannot be read") from fault


def _request(content: Json) -> TransactionRequest:
    return TransactionRequest(
        code=reading.text(content, "requestCode"),
        order_no=reading.text(content, "merchantOrderNo"),
        internal_no=reading.text(content, "internalOrderNo"),
        is_withdrawal=reading.text(content, "tradeType") == "Withdraw",
        status=reading.text(content, "status"),
        ended_reason=reading.text(content, "endedReason"),
        requested_amount=_decimal(content, "requestAmount"),
        requested_currency=reading.text(content, "requestCurrency"),
        fiat_currency=reading.text(content, "fiatCurrency"),
        unit_price=_decimal(content, "unitPrice"),
        transaction_amount=_decimal(content, "transactionAmount"),
        received_amount=_decimal(content, "receivedAmount"),
        fee=_decimal(content, "transactionFee"),
        payment_amount=_decimal(content, "paymentAmount"),
        created_at=_time(reading.number(content, "createdAt")),
        ended_at=_time(reading.number(content, "endedAt")) if content.get("endedAt") is not None else None,
        payment_url=reading.text(content, "paymentUrl"),
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _decimal(content: Json, name: str) -> Decimal:
    found = content.get(name)
    if isinstance(found, bool) or not isinstance(found, Decimal | int):
        raise OutcomeUnknown(f"the answer's {name} is no number")
    return Decimal(found)


def _written(value: Decimal | int) -> str:
    """Return the digits of an amount, as text: a JSON number would pass through a float on its way.

    Raises: TypeError for a float; ValueError for what is not positive.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError("give amounts as Decimal or int")
    found = Decimal(value)
    if not found.is_finite() or found <= 0:
        raise ValueError(f"{value} is no positive amount")
    return f"{found:f}"
