"""The payment-detail API in OpenAPI: every operation with its fields, an answer and its refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from django.utils.functional import lazystr
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema

from merchants.api import characters, shapes
from merchants.api.payment_detail import examples, fields
from merchants.api.payment_detail.errors import WORDS

Json = Mapping[str, Any]
F = TypeVar("F", bound=Callable[..., object])


class Decorator(Protocol):
    """What describes a method and returns it as it was."""

    def __call__(self, method: F, /) -> F:
        """Return the method."""
        ...


_TEXT: Final[Json] = {"type": "string"}
_UNITS: Final[Json] = {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}
_AMOUNT: Final[Json] = {"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]+)?$"}
_ASKED_AMOUNT: Final[Json] = {
    "type": "string",
    "pattern": r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?$",
    "description": "above 0",
}


_CHAIN_ID: Final[Json] = {"type": "integer", "minimum": 1, "maximum": fields.WHOLE_MAX}


def _maybe(kind: Json) -> Json:
    return {**kind, "nullable": True}


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "required": required, "properties": properties}


ORDER: Final[Mapping[str, Json]] = {
    "orgId": {"type": "integer"},
    "outTradeNo": _TEXT,
    "outPaymentNo": _TEXT,
    "chainId": _maybe({"type": "integer"}),
    "currencyId": _maybe({"type": "integer"}),
    "description": _TEXT,
    "isLegalTender": {"type": "integer", "enum": [0, 1]},
    "quoteCurrencySymbol": _TEXT,
    "quoteAmount": _AMOUNT,
    "paymentStatus": {"type": "integer", "enum": [0, 1, 2, 3, 4, 5]},
    "paymentType": _maybe({"type": "integer", "enum": [0, 1, None]}),
    "expectedAmount": _maybe(_UNITS),
    "settlementAmount": _maybe(_UNITS),
    "settlementCurrencySymbol": _maybe(_TEXT),
    "transferHash": _maybe(_TEXT),
    "userWalletAddress": _maybe(_TEXT),
    "fromAddress": _maybe(_TEXT),
    "blockTime": _maybe({"type": "integer", "format": "int64"}),
    "createTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"},
}

NEW_ORDER: Final = _object(
    [
        "chainId", "description", "outTradeNo", "isLegalTender", "quoteCurrencySymbol", "quoteAmount",
        "notifyUrl",
    ],
    chainId=_CHAIN_ID,
    description=shapes.text(fields.DESCRIPTION_LENGTH_MAX, required=True),
    outTradeNo=shapes.order_number(fields.ORDER_NUMBER_LENGTH_MAX, ""),
    isLegalTender={"type": "integer", "enum": [0, 1]},
    quoteCurrencySymbol={"type": "string", "pattern": "^[A-Z][A-Z0-9]{1,15}$"},
    quoteAmount=_ASKED_AMOUNT,
    notifyUrl={"format": "uri", **shapes.url(fields.URL_LENGTH_MAX, required=True)},
    redirectionUrl={"format": "uri", **shapes.url(fields.URL_LENGTH_MAX)},
)  # fmt: skip
PLACED: Final[Mapping[str, Json]] = {
    "outPaymentNo": _TEXT,
    "paymentUrl": _maybe(_TEXT),
    "userWalletAddress": _maybe(_TEXT),
}
CHAIN: Final[Mapping[str, Json]] = {
    "chainId": {"type": "integer"},
    "name": _TEXT,
    "symbol": _TEXT,
    "confirmations": {"type": "integer"},
}
CURRENCY: Final[Mapping[str, Json]] = {
    "currencyId": {"type": "integer"},
    "chainId": {"type": "integer"},
    "name": _TEXT,
    "symbol": _TEXT,
    "address": _maybe(_TEXT),
    "decimals": {"type": "integer"},
    "exchangeRate": _maybe(_AMOUNT),
}


def _list(members: Mapping[str, Json]) -> Json:
    return {"type": "array", "items": _object(list(members), **members)}


def envelope(data: Json) -> Json:
    """Return the schema of an answer around its data."""
    return _object(["code", "msg", "data"], code={"type": "integer", "enum": [200]}, msg=_TEXT, data=data)


_REFUSED: Final[Json] = _object(
    ["code", "msg", "description"],
    code={"type": "integer", "enum": sorted(WORDS)},
    msg=_TEXT,
    description=_TEXT,
)
_HEADERS: Final = [
    OpenApiParameter(
        "X-PAY-KEY", {"type": "string", "pattern": "^[!-~]+$"}, OpenApiParameter.HEADER,
        required=True, description="your key",
    ),
    OpenApiParameter(
        "X-PAY-TIMESTAMP", {"type": "string", "pattern": "^[0-9]{1,11}$"}, OpenApiParameter.HEADER,
        required=True, description="Unix seconds, ± 60 s of our clock",
    ),
    OpenApiParameter(
        "X-PAY-SIGN", {"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}, OpenApiParameter.HEADER,
        required=True,
        description="Base64 of HMAC-SHA256 of timestamp + METHOD + path + body with your secret",
    ),
]  # fmt: skip
_NUMBER: Final[Json] = {
    "type": "string",
    "maxLength": fields.ORDER_NUMBER_LENGTH_MAX,
    "pattern": characters.TEXT_PATTERN,
}
_NUMBERS: Final = [
    OpenApiParameter("outTradeNo", dict(_NUMBER), description="your order number"),
    OpenApiParameter("outPaymentNo", dict(_NUMBER), description="our order number; at least one of both"),
]
# The three headers prove together who calls.
PROOF: Final[Mapping[str, list[str]]] = {"X-PAY-KEY": [], "X-PAY-TIMESTAMP": [], "X-PAY-SIGN": []}


def operation(
    name: str,
    summary: str,
    answered: Json,
    *,
    example: Json,
    tag: str = "Orders",
    sent: Json | None = None,
    request: Json | None = None,
    parameters: list[OpenApiParameter] | None = None,
) -> Decorator:
    """Return what describes an operation."""
    samples = [OpenApiExample("Answer", value=dict(example), response_only=True, status_codes=["200"])]
    if sent is not None:
        samples.append(OpenApiExample("Request", value=dict(sent), request_only=True))
    return extend_schema(
        operation_id=name,
        summary=lazystr(summary),
        request={"application/json": request} if request else None,
        responses={
            (200, "application/json"): answered,
            **{(code, "application/json"): _REFUSED for code in WORDS},
        },
        examples=samples,
        parameters=[*_HEADERS, *(parameters or [])],
        auth=[PROOF],  # type: ignore[list-item]
        tags=[tag],
    )


detail = operation(
    "readPaymentDetail",
    "Read one order",
    envelope(_object(list(ORDER), **ORDER)),
    example=examples.FOUND,
    parameters=_NUMBERS,
)
notify = operation(
    "sendPaymentNotification",
    "Send one notification of an order now",
    envelope({"type": "object"}),
    example=examples.TOLD,
    parameters=_NUMBERS,
)
create = operation(
    "createPaymentOrder",
    "Place an order",
    envelope(_object(list(PLACED), **PLACED)),
    example=examples.PLACED,
    sent=examples.NEW_ORDER,
    request=NEW_ORDER,
)
chain_list = operation(
    "listChains",
    "List the chains",
    envelope(_list(CHAIN)),
    example=examples.CHAINS,
    tag="Lists",
)
currency_list = operation(
    "listCurrencies",
    "List what may be paid with",
    envelope(_list(CURRENCY)),
    example=examples.CURRENCIES,
    tag="Lists",
    parameters=[OpenApiParameter("chainId", dict(_CHAIN_ID), description="only of this chain")],
)
