"""The transaction-request API in OpenAPI: every operation with its fields, an answer and its refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from django.utils.functional import lazystr
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema

from merchants.api import characters, shapes
from merchants.api.shapes import text
from merchants.api.transaction_request import examples, fields
from merchants.api.transaction_request.errors import STATUSES

Json = Mapping[str, Any]
F = TypeVar("F", bound=Callable[..., object])


class Decorator(Protocol):
    """What describes a method and returns it as it was."""

    def __call__(self, method: F, /) -> F:
        """Return the method."""
        ...


_TEXT: Final[Json] = {"type": "string"}
_AMOUNT: Final[Json] = {"type": "number", "description": "exact decimals"}
_MOMENT: Final[Json] = {"type": "integer", "format": "int64", "description": "UTC milliseconds"}
_MAYBE_MOMENT: Final[Json] = {**_MOMENT, "nullable": True}
_REGISTERED: Final[Json] = {
    **_MAYBE_MOMENT, "minimum": fields.MILLISECONDS_MIN, "maximum": fields.MILLISECONDS_MAX - 1,
}  # fmt: skip
_FIAT: Final[Json] = {"type": "string", "enum": ["CNY", "HKD"]}
_ASKED: Final[Json] = {
    "type": "string",
    "enum": ["MTC", "CNY", "HKD"],
    "description": "MTC: the amount is in settlement units, paid as amount × unitPrice; else fiatCurrency",
}
_ASKED_AMOUNT: Final[Json] = {
    "oneOf": [
        {"type": "number", "minimum": 1e-18},
        {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?$"},
    ],
    "description": "above 0: a JSON number, or its digits as text",
}


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "required": required, "properties": properties}


_CLIENT: Final[Json] = _object(
    ["realName"], realName=text(fields.NAME_LENGTH_MAX, required=True), registeredAt=_REGISTERED
)
_ORDER: Final[Mapping[str, Json]] = {
    "requestCode": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "tradeType": {"type": "string", "enum": ["Deposit", "Withdraw"]},
    "clientName": _TEXT,
    "requestAmount": _AMOUNT,
    "requestCurrency": _TEXT,
    "fiatCurrency": _FIAT,
    "paymentMethod": {
        "type": "string",
        "nullable": True,
        "enum": ["BankCard", "WeChatPay", "Alipay", "Blockchain", "Account", None],
    },
    "status": {
        "type": "string",
        "enum": ["Reviewing", "Matching", "InProgress", "Finished", "Failed", "Cancelled"],
    },
    "endedAt": _MAYBE_MOMENT,
    "endedReason": _TEXT,
    "source": {"type": "string", "enum": ["MerchantBackend", "API_V1", "API_V2"]},
    "merchantOrderNo": _TEXT,
    "internalOrderNo": {"type": "string", "pattern": "^AT-[DW]-[0-9A-Z]{9,}$"},
    "unitPrice": _AMOUNT,
    "transactionAmount": {**_AMOUNT, "description": "in settlement units; 0 until money has moved"},
    "receivedAmount": {
        **_AMOUNT,
        "description": "deposit: credited after the fee; withdrawal: fiat received",
    },
    "transactionFee": {**_AMOUNT, "description": "in settlement units"},
    "paymentAmount": {**_AMOUNT, "description": "fiat that is paid"},
    "expiredAt": _MAYBE_MOMENT,
    "createdAt": _MOMENT,
    "modifiedAt": _MOMENT,
}


def _envelope(**further: Json) -> Json:
    return _object(
        ["data", "isSuccess", "statusCode", "message", "version"],
        data=_object(list(_ORDER), **_ORDER, **further),
        isSuccess={"type": "boolean"},
        statusCode=_TEXT,
        message=_TEXT,
        version=_TEXT,
    )


# The three headers prove together who calls.
PROOF: Final[Mapping[str, list[str]]] = {"access_key": [], "timestamp": [], "signature": []}
_REFUSED: Final[Json] = _object(
    ["data", "isSuccess", "statusCode", "message", "version"],
    data={"type": "object", "nullable": True},
    isSuccess={"type": "boolean"},
    statusCode={"type": "string", "enum": list(STATUSES)},
    message={"type": "string", "description": "what is wrong, and with which field"},
    version=_TEXT,
)
_DEPOSIT: Final[Json] = _object(
    [
        "client", "depositCurrency", "fiatCurrency", "depositAmount", "merchantOrderNo", "webhookUrl",
        "paymentMethod",
    ],
    client=_CLIENT,
    depositCurrency=_ASKED,
    fiatCurrency=_FIAT,
    depositAmount=_ASKED_AMOUNT,
    merchantOrderNo=shapes.order_number(fields.ORDER_NUMBER_LENGTH_MAX),
    webhookUrl=shapes.url(fields.URL_LENGTH_MAX, required=True),
    language={
        "type": "string", "enum": ["en", "zh_CN", "zh_TW", "", None], "nullable": True, "default": "en",
    },
    paymentMethod=_object(
        ["method"],
        method={
            "type": "integer",
            "minimum": 1,
            "maximum": 31,
            "description": "sum of 1 BankCard, 2 WeChatPay, 4 Alipay, 8 Blockchain, 16 Account",
        },
    ),
)  # fmt: skip
_WITHDRAW: Final[Json] = _object(
    [
        "client",
        "withdrawCurrency",
        "fiatCurrency",
        "withdrawAmount",
        "bankCard",
        "merchantOrderNo",
        "webhookUrl",
    ],
    client=_CLIENT,
    withdrawCurrency=_ASKED,
    fiatCurrency=_FIAT,
    withdrawAmount=_ASKED_AMOUNT,
    bankCard=_object(
        ["cardNumber", "bankName"],
        cardNumber=text(fields.CARD_LENGTH_MAX, required=True),
        bankName=text(fields.BANK_LENGTH_MAX, required=True),
        bankBranchName=text(fields.BANK_LENGTH_MAX),
    ),
    requiresReview={
        "type": "boolean",
        "nullable": True,
        "default": False,
        "description": "adds a review, never removes one",
    },
    merchantOrderNo=shapes.order_number(fields.ORDER_NUMBER_LENGTH_MAX),
    webhookUrl=shapes.url(fields.URL_LENGTH_MAX, required=True),
)
_HEADERS: Final = [
    OpenApiParameter(
        "access_key", {"type": "string", "pattern": "^[!-~]+$"}, OpenApiParameter.HEADER, required=True,
        description="your access key; `access-key` is taken too",
    ),
    OpenApiParameter(
        "timestamp", {"type": "string", "pattern": "^[0-9]{12,15}$"}, OpenApiParameter.HEADER, required=True,
        description="UTC milliseconds, ± 300 s of our clock",
    ),
    OpenApiParameter(
        "signature", {"type": "string", "pattern": "^[0-9A-F]{64}$"}, OpenApiParameter.HEADER, required=True,
        description="HMAC-SHA256 of `{access_key}_{timestamp}` with your secret key, upper-case hex",
    ),
]  # fmt: skip


def _operation(
    name: str,
    summary: str,
    answered: Json,
    *,
    example: Json,
    sent: Json | None = None,
    request: Json | None = None,
    parameters: list[OpenApiParameter] | None = None,
) -> Decorator:
    # Beside those of the table: another method, a body that is too large, one that is not JSON.
    codes = sorted({*STATUSES.values(), 405, 413, 415})
    samples = [OpenApiExample("Answer", value=dict(example), response_only=True, status_codes=["200"])]
    if sent is not None:
        samples.append(OpenApiExample("Request", value=dict(sent), request_only=True))
    return extend_schema(
        operation_id=name,
        summary=lazystr(summary),
        request={"application/json": request} if request else None,
        responses={
            (200, "application/json"): answered,
            **{(code, "application/json"): _REFUSED for code in codes},
        },
        examples=samples,
        parameters=[*_HEADERS, *(parameters or [])],
        auth=[PROOF],  # type: ignore[list-item]
        tags=["Orders"],
    )


read = _operation(
    "readTransactionRequest",
    "Read one deposit or withdrawal",
    _envelope(),
    example=examples.FOUND,
    parameters=[
        OpenApiParameter(
            "requestCode",
            {"type": "string", "pattern": "^([0-9a-f]{32})?$"},
            description="our code of the order",
        ),
        OpenApiParameter(
            "merchantOrderNo",
            {"type": "string", "pattern": characters.TEXT_PATTERN},
            description="your number; at least one of both",
        ),
    ],
)
deposit = _operation(
    "createDeposit",
    "Create a deposit",
    _envelope(paymentUrl={"type": "string", "nullable": True, "description": "the payer's page"}),
    example=examples.DEPOSITED,
    sent=examples.DEPOSIT,
    request=_DEPOSIT,
)
withdraw = _operation(
    "createBankCardWithdrawal",
    "Create a withdrawal to a bank card",
    _envelope(),
    example=examples.WITHDRAWN,
    sent=examples.WITHDRAW,
    request=_WITHDRAW,
)
