"""The gateway API's language, v1 and v2: amounts × 100, its own status codes, MD5 or HMAC-SHA256.

Amounts are integers, currency unit × 100, for every currency. A merchant can only ask for amounts that this
carries exactly. What arises later may have more decimals (a fee of 0.030030 USDT, an odd amount from a
chain): then the wire shows the nearest integer at which the merchant never counts on more than there is,
received amounts and balances towards zero, fees away from zero. Half up would promise money that is not
there. The book, the back office and the files show every digit.

Each amount is in its own currency: what is asked for and paid in the order's, fees and balances in that of
the wallet from which a fee is taken. Converted back, a fee would be rounded twice, and the sums of a merchant
would no longer come out.

Source: gateway-api.md, sections 1 to 5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation

from diamondpay.lib import signing
from merchants.models import Credential
from records.dialects import wording
from records.models import Payment, PaymentStatus, Payout, PayoutStatus, SignType

CONTENT_TYPE = "application/json;charset=utf-8"
SUCCESS_CODE = "0000"

# Stored status and whether the upstream has accepted the order → the code on the wire (section 4).
_PAYMENT_CODES = {
    (PaymentStatus.IN_PROGRESS, False): 0,
    (PaymentStatus.IN_PROGRESS, True): 1,
    (PaymentStatus.SUCCESS, False): 2,
    (PaymentStatus.SUCCESS, True): 2,
    (PaymentStatus.CLOSED, False): 3,
    (PaymentStatus.CLOSED, True): 3,
    (PaymentStatus.FAILED, False): 4,
    (PaymentStatus.FAILED, True): 4,
}
_PAYOUT_CODES = {
    (PayoutStatus.IN_PROGRESS, False): 1,
    (PayoutStatus.IN_PROGRESS, True): 2,
    (PayoutStatus.SUCCESS, False): 3,
    (PayoutStatus.SUCCESS, True): 3,
    (PayoutStatus.REVIEW_REJECTED, False): 4,
    (PayoutStatus.REVIEW_REJECTED, True): 4,
    (PayoutStatus.FAILED, False): 5,
    (PayoutStatus.FAILED, True): 5,
    (PayoutStatus.UNDER_REVIEW, False): 6,
    (PayoutStatus.UNDER_REVIEW, True): 6,
}
_HUNDRED = Decimal(100)
# Wide enough for the book's 38 digits; a value it cannot hold is a fault and not a rounding.
_DOWN = Context(prec=60, rounding=ROUND_FLOOR, traps=[InvalidOperation])
_UP = Context(prec=60, rounding=ROUND_CEILING, traps=[InvalidOperation])


def had(amount: Decimal | None) -> int:
    """Return an amount that the merchant has, gets or asked for × 100, towards zero; none is 0.

    Never for a negative amount: the book has none here.
    """
    return 0 if amount is None else int(_DOWN.to_integral_value(_DOWN.multiply(amount, _HUNDRED)))


def charged(amount: Decimal | None) -> int:
    """Return a fee × 100, away from zero; none is 0."""
    return 0 if amount is None else int(_UP.to_integral_value(_UP.multiply(amount, _HUNDRED)))


def is_exact(amount: Decimal) -> bool:
    """Say whether the amount can be written × 100 without losing a digit."""
    return had(amount) == charged(amount)


def unix_seconds(moment: datetime) -> int:
    """Return the moment in whole Unix seconds, the fraction dropped."""
    return int(moment.timestamp())


def payment_status(*, status: int, is_submitted: bool) -> int:
    """Return the API's code of a deposit: 0 pending, 1 processing, 2 success, 3 closed, 4 failed."""
    return _PAYMENT_CODES[PaymentStatus(status), is_submitted]


def payout_status(*, status: int, is_submitted: bool) -> int:
    """Return the API's code: 1 pending, 2 processing, 3 success, 4 cancelled, 5 failed, 6 under review."""
    return _PAYOUT_CODES[PayoutStatus(status), is_submitted]


def signed(params: Mapping[str, object], *, sign_type: str, secret: str) -> dict[str, object]:
    """Return the parameters with `sign` behind them; every non-empty one takes part."""
    return {**params, "sign": signing.sign(params, secret, sign_type)}


def answer_sign_type(*, is_md5_allowed: bool) -> str:
    """Return how v1 answers are signed: MD5 for merchants that have it on, else HMAC-SHA256."""
    return SignType.MD5 if is_md5_allowed else SignType.HMAC_SHA256


@dataclass(frozen=True, slots=True)
class GatewayDialect:
    """One version of the gateway API as the language of notifications; both versions say the same."""

    name: str
    credential_api: str = Credential.Api.GATEWAY
    tells_in_progress: bool = False
    tells_progress: bool = False
    reads_answers: bool = True

    def payment_facts(self, payment: Payment) -> dict[str, object]:
        """Return the fields of a deposit's notification, in the order of the specification (section 5)."""
        return {
            "payment_id": payment.payment_id,
            "payment_cl_id": payment.merchant_order_no,
            "platform_id": payment.merchant_id,
            "amount": had(payment.requested_amount),
            "real_amount": had(payment.actual_amount),
            "fee": charged(payment.fee),
            "status": payment_status(status=payment.status, is_submitted=payment.submitted_at is not None),
            "create_time": unix_seconds(payment.created_at),
            "update_time": unix_seconds(payment.updated_at),
        }

    def payout_facts(self, payout: Payout) -> dict[str, object]:
        """Return the fields of a payout's notification; a failed one also says why."""
        facts: dict[str, object] = {
            "payout_id": payout.payout_id,
            "payout_cl_id": payout.merchant_order_no,
            "platform_id": payout.merchant_id,
            "amount": had(payout.requested_amount),
            "fee": charged(payout.fee),
            "status": payout_status(status=payout.status, is_submitted=payout.submitted_at is not None),
            "create_time": unix_seconds(payout.created_at),
            "update_time": unix_seconds(payout.updated_at),
        }
        if payout.status == PayoutStatus.FAILED:
            facts["error_msg"] = payout.error_message
        return facts

    def body(
        self,
        *,
        facts: Mapping[str, object],
        sign_type: str,
        secret: str,
        access_key: str = "",
        timestamp_ms: int = 0,
    ) -> bytes:
        """Return the body. MD5 carries exactly the listed fields; HMAC also `sign_type` and `error_msg`.

        An MD5 merchant recomputes the signature over all he was sent, so one field more would break him.
        """
        listed = {
            name: value for name, value in facts.items() if name != "error_msg" or sign_type != SignType.MD5
        }
        content = signed(listed, sign_type=sign_type, secret=secret)
        if sign_type != SignType.MD5:
            content["sign_type"] = sign_type
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

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

        While two keys live, a merchant that knows only one of them finds its signature in the list.
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
        """Say yes for HTTP 200 with a JSON object whose error_code is "0000", whatever else is in it."""
        if http_status != 200:
            return False, wording.of_status(http_status)
        try:
            found = json.loads(answer.removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            return False, "HTTP 200, but the answer is not JSON"
        if not isinstance(found, dict):
            return False, "HTTP 200, but the answer is not a JSON object"
        code = found.get("error_code")
        if code == SUCCESS_CODE:
            return True, "the merchant answered 0000"
        if code is None:
            return False, "HTTP 200, but the answer has no error_code"
        return False, f'HTTP 200, but error_code is {json.dumps(code)[:60]} instead of "{SUCCESS_CODE}"'


V1 = GatewayDialect("gateway.v1")
V2 = GatewayDialect("gateway.v2")
