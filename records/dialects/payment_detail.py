"""The payment-detail API's language: one object for answers and notifications, amounts as texts.

Only deposits are known here. What is paid is told in smallest units: of the token for an order over a chain,
of the order's own currency for every other, which has nulls for what only a chain has.

Source: payment-detail-api.md.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from urllib.parse import urlsplit

import orjson

from channels.models import Currency, PaymentMethod, Token
from diamondpay.lib import money, signing
from merchants.models import Credential
from records import chain_payments, ledger
from records.dialects import wording
from records.models import ChainPayment, ChainQuote, ChainTransfer, Payment, PaymentStatus, Payout

CONTENT_TYPE = "application/json;charset=utf-8"
KEY_HEADER, TIMESTAMP_HEADER, SIGN_HEADER = "X-PAY-KEY", "X-PAY-TIMESTAMP", "X-PAY-SIGN"
YES = "success"

PAID, PENDING, CONFIRMING, PARTIAL, FAILED, REFUNDED = range(6)
WALLET_TRANSFER = 1
# Any amount of the book in any token's units.
_WIDE = Context(prec=100)
_DOWN = Context(prec=100, rounding=ROUND_DOWN)
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
    return str(int(_DOWN.to_integral_value(_DOWN.scaleb(amount, decimals))))


def local_time(payment: Payment) -> str:
    """Return when the order was made, in its merchant's time zone."""
    zone = zoneinfo.ZoneInfo(payment.merchant.time_zone)
    return payment.created_at.astimezone(zone).replace(tzinfo=None).isoformat(" ", "seconds")


def receiving_address(payment: Payment) -> str | None:
    """Return where the payer sends the money; None for an order over no chain of ours."""
    found = _chain_payment(payment)
    return None if found is None else found.address


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
    tells_progress: bool = True
    reads_answers: bool = True

    def payment_facts(self, payment: Payment) -> dict[str, object]:
        """Return the detail object of a deposit."""
        return {
            "orgId": payment.merchant.organisation_id,
            "outTradeNo": payment.merchant_order_no,
            "outPaymentNo": payment.payment_id,
            **_facts(payment),
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


def _facts(payment: Payment) -> dict[str, object]:
    """Return what is told of an order beside its numbers."""
    found = _chain_payment(payment)
    code = payment_status(
        status=payment.status,
        detail=ChainPayment.Detail.PENDING if found is None else found.detail,
        is_refunded=is_refunded(payment),
    )
    told = _without_chain(payment) if found is None else _over_chain(payment, found)
    return {**told, **_quote(payment, found), "paymentStatus": code}


def _chain_payment(payment: Payment) -> ChainPayment | None:
    if payment.payment_method != PaymentMethod.BLOCKCHAIN:
        return None
    try:
        return payment.chain_payment
    except ChainPayment.DoesNotExist:
        # It is paid at an upstream that knows the chain.
        return None


def _quote(payment: Payment, found: ChainPayment | None) -> dict[str, object]:
    is_quoted = payment.quoted_amount is not None
    quoted_in: Currency = payment.settlement_currency if is_quoted else payment.currency
    amount = payment.quoted_amount if payment.quoted_amount is not None else payment.requested_amount
    symbol = quoted_in.pk
    if quoted_in.is_crypto and found is not None and found.token is not None:
        symbol = found.token.symbol
    return {
        "isLegalTender": int(not quoted_in.is_crypto),
        "quoteCurrencySymbol": symbol,
        "quoteAmount": money.plain(amount),
    }


def _without_chain(payment: Payment) -> dict[str, object]:
    """Return what is told of an order that travels over no chain."""
    asked = payment.requested_amount if payment.display_amount is None else payment.display_amount
    return {
        "chainId": None,
        "currencyId": None,
        "description": "",
        "paymentType": None,
        "expectedAmount": units(asked, payment.currency.exponent),
        **_settled_in_currency(payment),
        "transferHash": None,
        "userWalletAddress": None,
        "fromAddress": None,
        "blockTime": None,
    }


def _over_chain(payment: Payment, found: ChainPayment) -> dict[str, object]:
    """Return what is told of an order over a chain. Null is what nobody knows yet."""
    return {
        "chainId": found.chain_id,
        "currencyId": found.token_id,
        "description": found.description,
        "paymentType": WALLET_TRANSFER,
        "expectedAmount": None if found.expected_units is None else str(int(found.expected_units)),
        **_settled(payment, found),
        "userWalletAddress": found.address,
    }


def _settled_in_currency(payment: Payment) -> dict[str, object]:
    """Return what was credited in units of the order's own currency."""
    is_paid = payment.status == PaymentStatus.SUCCESS and payment.actual_amount is not None
    amount = payment.actual_amount or Decimal(0)
    return {
        "settlementAmount": units(amount, payment.currency.exponent) if is_paid else None,
        "settlementCurrencySymbol": payment.currency_id if is_paid else None,
    }


def _settled(payment: Payment, found: ChainPayment) -> dict[str, object]:
    """Return what arrived: of a paid order what it was credited for, of another whatever is confirmed.

    The transaction is told as soon as it is seen. What a person credited without a transfer is told by its
    amount alone.
    """
    token = found.token
    shown = {
        "transferHash": found.transfer_hash or None,
        "fromAddress": found.from_address or None,
        "blockTime": None if found.block_time is None else int(found.block_time.timestamp()),
    }
    if payment.status != PaymentStatus.SUCCESS or token is None:
        is_some = token is not None and found.confirmed_units > 0
        arrived = {
            "settlementAmount": str(int(found.confirmed_units)) if is_some else None,
            "settlementCurrencySymbol": token.symbol if token is not None and is_some else None,
        }
        return {**(_settled_in_currency(payment) if token is None else arrived), **shown}
    quote = ChainQuote.objects.filter(chain_payment=payment.pk, token=token).first()
    credited = _credited(payment, token, quote)
    if not credited:
        return {**_settled_by_hand(payment, token, quote), **shown}
    last = credited[-1]
    return {
        "settlementAmount": str(sum(int(transfer.units) for transfer in credited)),
        "settlementCurrencySymbol": token.symbol,
        "transferHash": last.tx_hash,
        "fromAddress": last.from_address,
        "blockTime": int(last.block_time.timestamp()),
    }


def _credited(payment: Payment, token: Token, quote: ChainQuote | None) -> list[ChainTransfer]:
    """Return the transfers for which an order was credited, the oldest first.

    They bear the number under which they were, once that is written. A notification is made before: until
    then they are those that are worth what was credited.
    """
    confirmed = list(
        ChainTransfer.objects.filter(
            payment=payment.pk, token=token, state=ChainTransfer.State.CONFIRMED
        ).order_by("block_number", "id")
    )
    booked = [one for one in confirmed if one.effect and one.effect == payment.channel_order_no]
    waiting = [one for one in confirmed if not one.effect]
    if booked or not waiting or quote is None:
        return booked
    arrived = sum(int(one.units) for one in waiting)
    worth = chain_payments.worth(payment=payment, token=token, units=arrived, unit_price=quote.unit_price)
    return waiting if worth == payment.actual_amount else []


def _settled_by_hand(payment: Payment, token: Token, quote: ChainQuote | None) -> dict[str, object]:
    if quote is None or payment.actual_amount is None:
        return _settled_in_currency(payment)
    amount = _WIDE.divide(payment.actual_amount, quote.unit_price)
    return {"settlementAmount": units(amount, token.decimals), "settlementCurrencySymbol": token.symbol}


V1 = PaymentDetailDialect("payment_detail.v1")
