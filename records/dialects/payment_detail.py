"""The payment-detail API's language: one object for answers and notifications, amounts as texts.

Only deposits are known here. An order that travels over no chain, made through another API, is told with
nulls for what only a chain has; then what the payer pays is in the order's own currency.

Source: payment-detail-api.md.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, localcontext
from urllib.parse import urlsplit

import orjson

from channels.models import Currency
from diamondpay.lib import money, signing
from merchants.models import Credential
from records import ledger
from records.dialects import wording
from records.models import Payment, PaymentStatus, Payout

CONTENT_TYPE = "application/json;charset=utf-8"
KEY_HEADER, TIMESTAMP_HEADER, SIGN_HEADER = "X-PAY-KEY", "X-PAY-TIMESTAMP", "X-PAY-SIGN"
YES = "success"

PAID, PENDING, CONFIRMING, PARTIAL, FAILED, REFUNDED = range(6)
WALLET_TRANSFER = 1
# Any amount of the book in any token's units.
_WIDE = Context(prec=100)
# Stored status → the code on the wire; what is in progress has details of its own.
_CODES = {
    PaymentStatus.IN_PROGRESS: PENDING,
    PaymentStatus.SUCCESS: PAID,
    PaymentStatus.FAILED: FAILED,
    PaymentStatus.CLOSED: FAILED,
}
# What a chain payment in progress is waiting for → the code on the wire.
_DETAILS = {"pending": PENDING, "confirming": CONFIRMING, "partial": PARTIAL}


def payment_status(*, status: int, detail: str = "pending", is_refunded: bool = False) -> int:
    """Return the API's code of a deposit. Source: payment-detail-api.md, Decisions."""
    code = _CODES[PaymentStatus(status)]
    if code == PAID:
        return REFUNDED if is_refunded else PAID
    return _DETAILS[detail] if code == PENDING else code


def is_refunded(payment: Payment) -> bool:
    """Say whether an approved act gave the money back."""
    return payment.status == PaymentStatus.SUCCESS and ledger.is_posted(
        f"payment:{payment.payment_id}:refund"
    )


def units(amount: Decimal, decimals: int) -> str:
    """Return amount × 10^decimals as an integer in a text; what is smaller than a unit is dropped."""
    with localcontext(_WIDE):
        return str(int(amount.scaleb(decimals).to_integral_value(rounding=ROUND_DOWN)))


def local_time(payment: Payment) -> str:
    """Return when the order was made, in its merchant's time zone."""
    zone = zoneinfo.ZoneInfo(payment.merchant.time_zone)
    return payment.created_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def dumped(content: Mapping[str, object]) -> bytes:
    """Return the content as compact JSON."""
    return orjson.dumps(content)


def signed_path(url: str) -> str:
    """Return what of an address is signed: all of it behind the host, without a fragment."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@dataclass(frozen=True, slots=True)
class PaymentDetailDialect:
    """The detail object is also what is told: one table of fields for answers and notifications."""

    name: str
    credential_api: str = Credential.Api.PAYMENT_DETAIL
    tells_in_progress: bool = False
    reads_answers: bool = True

    def payment_facts(self, payment: Payment) -> dict[str, object]:
        """Return the detail object of a deposit."""
        return {
            "orgId": payment.merchant.organisation_id,
            "outTradeNo": payment.merchant_order_no,
            "outPaymentNo": payment.payment_id,
            **_without_chain(payment),
            "createTime": local_time(payment),
        }

    def payout_facts(self, payout: Payout) -> dict[str, object]:
        """Refuse: the API knows no payouts, so none is ever made in this dialect.

        Raises: ValueError.
        """
        raise ValueError(f"the payment-detail API has no payouts, yet {payout.payout_id} speaks it")

    def body(
        self,
        *,
        facts: Mapping[str, object],
        sign_type: str,
        secret: str,
        access_key: str,
        timestamp_ms: int,
    ) -> bytes:
        """Return the detail object as it is; the headers sign it."""
        return dumped(facts)

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
        """Return the three signed headers, made with the newest secret, and the Standard Webhooks headers.

        The latter are an addition: they carry a signature for every live secret, and an id for what comes
        twice.
        Raises: ValueError when there is no secret.
        """
        made = signing.webhook_headers_of_all(
            secrets=[secret.encode() for secret in secrets],
            message_id=webhook_id,
            timestamp=timestamp,
            body=body,
        )
        signature = signing.detail_signature(
            secret=secrets[0], timestamp=str(timestamp), method="POST", path=signed_path(url), body=body
        )
        return {
            **made,
            KEY_HEADER: access_key,
            TIMESTAMP_HEADER: str(timestamp),
            SIGN_HEADER: signature,
            "Content-Type": CONTENT_TYPE,
        }

    def is_acknowledged(self, *, http_status: int, answer: str) -> tuple[bool, str]:
        """Say yes for HTTP 200 with the text `success`, white space around it ignored."""
        if http_status != 200:
            return False, wording.of_status(http_status)
        if answer.removeprefix("\ufeff").strip() == YES:
            return True, f"the merchant answered {YES}"
        return False, f"HTTP 200, but the answer is not the text {YES}"


def _without_chain(payment: Payment) -> dict[str, object]:
    """Return what is told of an order that travels over no chain."""
    is_quoted = payment.quoted_amount is not None
    quoted_in: Currency = payment.settlement_currency if is_quoted else payment.currency
    quoted = payment.quoted_amount if payment.quoted_amount is not None else payment.requested_amount
    asked = payment.requested_amount if payment.display_amount is None else payment.display_amount
    is_paid = payment.status == PaymentStatus.SUCCESS and payment.actual_amount is not None
    decimals = payment.currency.exponent
    return {
        "chainId": None,
        "description": "",
        "isLegalTender": int(not quoted_in.is_crypto),
        "quoteCurrencySymbol": quoted_in.pk,
        "quoteAmount": money.plain(quoted),
        "paymentStatus": payment_status(status=payment.status, is_refunded=is_refunded(payment)),
        "paymentType": None,
        "expectedAmount": units(asked, decimals),
        "settlementAmount": units(payment.actual_amount or Decimal(0), decimals) if is_paid else None,
        "settlementCurrencySymbol": payment.currency_id if is_paid else None,
        "transferHash": None,
        "userWalletAddress": None,
        "fromAddress": None,
        "blockTime": None,
    }


V1 = PaymentDetailDialect("payment_detail.v1")
