"""The transaction-request API's language: exact JSON numbers, words as statuses, codes for our ids.

Amounts are JSON numbers with the book's own decimals; nothing passes through a binary float. What moved is
told once it has moved: until then, and after an end without money, transactionAmount, receivedAmount and
transactionFee of a deposit are 0, as are those of a payout whose money went back.

Source: transaction-request-api.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson
from django.utils.translation import gettext as _t

from diamondpay.lib import crypto, money, signing
from merchants.models import Credential
from records.dialects import wording
from records.models import Actor, Order, Payment, PaymentStatus, Payout, PayoutStatus

CONTENT_TYPE = "application/json;charset=utf-8"
DEPOSIT, WITHDRAW = "Deposit", "Withdraw"
FIAT_CURRENCIES = ("CNY", "HKD")
SETTLEMENT_CURRENCY = "MTC"
# Fields that are numbers on the wire; facts hold their digits as text, which JSON in the book keeps exactly.
NUMBERS = frozenset(
    {"requestAmount", "unitPrice", "transactionAmount", "receivedAmount", "transactionFee", "paymentAmount"}
)

# Stored status and whether the upstream has accepted the order → the word on the wire (Status map).
_PAYMENT_WORDS = {
    (PaymentStatus.IN_PROGRESS, False): "Matching",
    (PaymentStatus.IN_PROGRESS, True): "InProgress",
    (PaymentStatus.SUCCESS, False): "Finished",
    (PaymentStatus.SUCCESS, True): "Finished",
    (PaymentStatus.FAILED, False): "Failed",
    (PaymentStatus.FAILED, True): "Failed",
    (PaymentStatus.CLOSED, False): "Cancelled",
    (PaymentStatus.CLOSED, True): "Cancelled",
}
_PAYOUT_WORDS = {
    (PayoutStatus.UNDER_REVIEW, False): "Reviewing",
    (PayoutStatus.UNDER_REVIEW, True): "Reviewing",
    (PayoutStatus.IN_PROGRESS, False): "Matching",
    (PayoutStatus.IN_PROGRESS, True): "InProgress",
    (PayoutStatus.SUCCESS, False): "Finished",
    (PayoutStatus.SUCCESS, True): "Finished",
    (PayoutStatus.FAILED, False): "Failed",
    (PayoutStatus.FAILED, True): "Failed",
    (PayoutStatus.REVIEW_REJECTED, False): "Cancelled",
    (PayoutStatus.REVIEW_REJECTED, True): "Cancelled",
}
_RELEASED = (PayoutStatus.FAILED, PayoutStatus.REVIEW_REJECTED)

_CODE_CONTEXTS = {DEPOSIT: "transaction_request.deposit", WITHDRAW: "transaction_request.withdraw"}
_NUMBER_PREFIXES = {DEPOSIT: "AT-D-", WITHDRAW: "AT-W-"}
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER_LENGTH = 9
# Every number below 36⁹ gets another place: the factor has no divisor in common with 36, so nothing collides.
_PLACES = 36**_NUMBER_LENGTH
_FACTOR = 61_803_398_874_989
_INVERSE = pow(_FACTOR, -1, _PLACES)
_INTERNAL_NO = re.compile(rf"AT-([DW])-([1-9][0-9]{{0,5}})?([0-9A-Z]{{{_NUMBER_LENGTH}}})")


def payment_status(*, status: int, is_submitted: bool) -> str:
    """Return the API's word for a deposit's status."""
    return _PAYMENT_WORDS[PaymentStatus(status), is_submitted]


def payout_status(*, status: int, is_submitted: bool) -> str:
    """Return the API's word for a payout's status."""
    return _PAYOUT_WORDS[PayoutStatus(status), is_submitted]


def request_code(*, trade_type: str, number: int) -> str:
    """Return the 32 hex characters by which an order is known outside; always the same for an order."""
    return crypto.seal_number(number, _CODE_CONTEXTS[trade_type])


def opened_code(code: str) -> tuple[str, int] | None:
    """Return the trade type and the number of the order behind a request code, None for any other text."""
    for trade_type, context in _CODE_CONTEXTS.items():
        number = crypto.open_number(code, context)
        if number is not None:
            return trade_type, number
    return None


def internal_order_no(*, trade_type: str, number: int) -> str:
    """Return `AT-D-…` or `AT-W-…`, unique, and the same for an order for ever.

    Longer than nine characters only from the 10¹⁴th order on.
    """
    turns, place = divmod(number, _PLACES)
    place = place * _FACTOR % _PLACES
    digits = ""
    for _position in range(_NUMBER_LENGTH):
        place, digit = divmod(place, len(_LETTERS))
        digits = _LETTERS[digit] + digits
    return f"{_NUMBER_PREFIXES[trade_type]}{turns or ''}{digits}"


def opened_internal_order_no(text: str) -> tuple[str, int] | None:
    """Return the trade type and the number of the order behind an internal number, None for other texts."""
    found = _INTERNAL_NO.fullmatch(text)
    if found is None:
        return None
    place = int(found[3], len(_LETTERS)) * _INVERSE % _PLACES
    number = int(found[2] or 0) * _PLACES + place
    return (DEPOSIT if found[1] == "D" else WITHDRAW), number


def unix_milliseconds(moment: datetime | None) -> int | None:
    """Return the moment in whole Unix milliseconds, None for none."""
    return None if moment is None else int(moment.timestamp() * 1000)


def wire(facts: Mapping[str, object]) -> dict[str, object]:
    """Return the facts as they go to the wire: amounts as exact JSON numbers, for `dumped`."""
    return {
        name: orjson.Fragment(str(value)) if name in NUMBERS and value is not None else value
        for name, value in facts.items()
    }


def dumped(content: Mapping[str, object]) -> bytes:
    """Return the content as compact JSON."""
    return orjson.dumps(content)


@dataclass(frozen=True, slots=True)
class TransactionRequestDialect:
    """The query object is also what is told: one table of fields for answers and notifications."""

    name: str
    credential_api: str = Credential.Api.TRANSACTION_REQUEST
    tells_in_progress: bool = True
    tells_progress: bool = False
    reads_answers: bool = False

    def payment_facts(self, payment: Payment) -> dict[str, object]:
        """Return the query object of a deposit, amounts as their digits."""
        is_paid = payment.status == PaymentStatus.SUCCESS
        asked = payment.requested_amount if payment.display_amount is None else payment.display_amount
        return {
            **_first_facts(payment, trade_type=DEPOSIT),
            "status": payment_status(status=payment.status, is_submitted=payment.submitted_at is not None),
            "endedAt": unix_milliseconds(payment.completed_at),
            "endedReason": _payment_reason(payment),
            **_numbers_of(payment, trade_type=DEPOSIT),
            "transactionAmount": _digits(payment.settled_amount if is_paid else None),
            "receivedAmount": _digits(payment.credited_amount if is_paid else None),
            "transactionFee": _digits(payment.fee if is_paid else None),
            "paymentAmount": _digits(payment.actual_amount if is_paid else asked),
            "expiredAt": unix_milliseconds(payment.expires_at),
            **_moments(payment),
        }

    def payout_facts(self, payout: Payout) -> dict[str, object]:
        """Return the query object of a payout, amounts as their digits."""
        is_released = payout.status in _RELEASED
        fee = payout.fee or Decimal(0)
        return {
            **_first_facts(payout, trade_type=WITHDRAW),
            "status": payout_status(status=payout.status, is_submitted=payout.submitted_at is not None),
            "endedAt": unix_milliseconds(payout.completed_at),
            "endedReason": _payout_reason(payout),
            **_numbers_of(payout, trade_type=WITHDRAW),
            "transactionAmount": _digits(None if is_released else payout.debited_amount - fee),
            "receivedAmount": _digits(payout.actual_amount),
            "transactionFee": _digits(None if is_released else fee),
            "paymentAmount": _digits(payout.requested_amount),
            "expiredAt": None,
            **_moments(payout),
        }

    def body(
        self,
        *,
        facts: Mapping[str, object],
        sign_type: str,
        secret: str,
        access_key: str,
        timestamp_ms: int,
    ) -> bytes:
        """Return the query object with the moment and the signature of access key and moment.

        That signature does not cover the content; the Standard Webhooks headers do.
        """
        signature = signing.access_signature(
            access_key=access_key, secret_key=secret, timestamp=str(timestamp_ms)
        )
        return dumped({**wire(facts), "timestamp": timestamp_ms, "signature": signature})

    def headers(
        self,
        *,
        webhook_id: str,
        timestamp: int,
        body: bytes,
        secrets: Sequence[str],
        access_key: str = "",
        url: str = "",
    ) -> dict[str, str]:
        """Return content type and Standard Webhooks headers, with one signature for every live secret.

        Raises: ValueError when there is no secret.
        """
        made = signing.webhook_headers_of_all(
            secrets=[secret.encode() for secret in secrets],
            message_id=webhook_id,
            timestamp=timestamp,
            body=body,
        )
        return {**made, "Content-Type": CONTENT_TYPE}

    def is_acknowledged(self, *, http_status: int, answer: str) -> tuple[bool, str]:
        """Say yes for any HTTP 2xx, whatever the answer's text."""
        if 200 <= http_status < 300:
            return True, f"the merchant answered HTTP {http_status}"
        return False, wording.of_status(http_status)


def _first_facts(order: Order, *, trade_type: str) -> dict[str, object]:
    is_quoted = order.quoted_amount is not None
    return {
        "requestCode": request_code(trade_type=trade_type, number=order.pk),
        "tradeType": trade_type,
        "clientName": order.party_name,
        "requestAmount": _digits(order.quoted_amount if is_quoted else order.requested_amount),
        "requestCurrency": order.settlement_currency_id if is_quoted else order.currency_id,
        "fiatCurrency": order.currency_id,
        "paymentMethod": order.payment_method or None,
    }


def _numbers_of(order: Order, *, trade_type: str) -> dict[str, object]:
    return {
        "source": order.source,
        "merchantOrderNo": order.merchant_order_no,
        "internalOrderNo": internal_order_no(trade_type=trade_type, number=order.pk),
        "unitPrice": _digits(order.unit_price),
    }


def _moments(order: Order) -> dict[str, object]:
    return {
        "createdAt": unix_milliseconds(order.created_at),
        "modifiedAt": unix_milliseconds(order.updated_at),
    }


def _payment_reason(payment: Payment) -> str:
    """Return why a deposit ended without money. What a person wrote of us stays with us."""
    if payment.status == PaymentStatus.FAILED:
        return payment.error_message
    if payment.status == PaymentStatus.CLOSED:
        return _t("Expired without a payment.") if payment.changed_by == Actor.EXPIRY else _t("Closed.")
    return ""


def _payout_reason(payout: Payout) -> str:
    if payout.status == PayoutStatus.FAILED:
        return payout.error_message
    return _t("Rejected in review.") if payout.status == PayoutStatus.REVIEW_REJECTED else ""


def _digits(amount: Decimal | None) -> str:
    return "0" if amount is None else money.plain(amount)


V2 = TransactionRequestDialect("transaction_request.v2")
