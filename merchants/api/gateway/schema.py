"""The gateway API in OpenAPI: every operation with its fields and an example that was really sent.

Plain JSON schemas, because the views read and write no serializers; requests carry the signatures of the
published test vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from django.utils.functional import lazystr
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema

from merchants.api import characters, shapes
from merchants.api.gateway import bodies, examples, fields, parameters
from merchants.api.gateway.errors import SUCCESS, WORDS

Json = Mapping[str, Any]
F = TypeVar("F", bound=Callable[..., object])


class Decorator(Protocol):
    """What describes a method and returns it as it was."""

    def __call__(self, method: F, /) -> F:
        """Return the method."""
        ...


_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "integer"}
_AMOUNT: Final[Json] = {"type": "integer", "description": "currency unit × 100", "example": 50000}
_TIME: Final[Json] = {"type": "integer", "description": "Unix seconds"}
_SIGN: Final[Json] = {"type": "string", "description": "32 or 64 lower-case hex characters"}
_FAILURE: Final[Json] = {
    "type": "object",
    "required": ["error_code", "error_msg"],
    "properties": {
        "error_code": {
            "type": "string",
            "enum": [code for code in WORDS if code != SUCCESS],
            "example": "0004",
        },
        "error_msg": _TEXT,
    },
}


def _object(*optional: str, **properties: Json) -> Json:
    """Return an object whose members are always there, but for the optional ones."""
    return shapes.members([name for name in properties if name not in optional], properties)


def _answer(content: Json, *, total: bool = False) -> Json:
    found = {"error_code": {"type": "string", "enum": [SUCCESS], "example": SUCCESS}, "data": content}
    if total:
        found["total"] = _NUMBER
    return {"oneOf": [shapes.members(list(found), found), _FAILURE]}


_PAYMENT_ITEM: Final[Json] = _object(
    amount=_AMOUNT,
    real_amount=_AMOUNT,
    fee=_AMOUNT,
    payment_id=_TEXT,
    payment_cl_id=_TEXT,
    payment_cl_name=_TEXT,
    platform_id=_TEXT,
    platform_channel_id=_TEXT,
    status={"type": "integer", "enum": [0, 1, 2, 3, 4]},
    memo=_TEXT,
    create_time=_TIME,
    update_time=_TIME,
    sign=_SIGN,
)
_PAYOUT_ITEM: Final[Json] = _object(
    "sign",
    amount=_AMOUNT,
    fee=_AMOUNT,
    payout_id=_TEXT,
    payout_cl_id=_TEXT,
    platform_id=_TEXT,
    platform_channel_id=_TEXT,
    status={"type": "integer", "enum": [0, 1, 2, 3, 4, 5, 6]},
    memo=_TEXT,
    create_time=_TIME,
    update_time=_TIME,
    sign=_SIGN,
)
_ACCOUNT: Final[Json] = _object(
    card_name=_TEXT, card_number=_TEXT, bank_name=_TEXT, bank_branch=_TEXT, bank_logo=_TEXT
)
_SENDER: Final[Json] = _object(
    card_name=_TEXT,
    card_number=_TEXT,
    bank_id=_TEXT,
    bank_code=_TEXT,
    bank_name=_TEXT,
    bank_logo=_TEXT,
    bank_link=_TEXT,
)


def _request(name: str, value: Json) -> OpenApiExample:
    return OpenApiExample(name, value=dict(value), request_only=True)


def _response(name: str, data: object, **more: object) -> OpenApiExample:
    return OpenApiExample(name, value={"error_code": "0000", "data": data, **more}, response_only=True)


_REFUSED = OpenApiExample(
    "Refused", value={"error_code": "0004", "error_msg": "Signature verification failed!"}, response_only=True
)
_UNKNOWN_TOKEN = OpenApiExample(
    "Refused", value={"error_code": "0006", "error_msg": "Invalid Authorization!"}, response_only=True
)


def _seconds(name: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, {"type": "integer", "minimum": 0, "maximum": 10**11 - 1},
        description="Unix seconds; both or neither",
    )  # fmt: skip


def _number(name: str, words: str) -> OpenApiParameter:
    shape = {"type": "string", "pattern": characters.ORDER_NUMBER_PATTERN}
    return OpenApiParameter(name, shape, description=words)


def _parameters(prefix: str) -> list[OpenApiParameter]:
    offset = {"type": "integer", "minimum": 0, "maximum": parameters.OFFSET_MAX}
    limit = {"type": "integer", "minimum": 1, "maximum": parameters.LIMIT_MAX}
    return [
        OpenApiParameter("offset", offset, default=0, description="at most 100,000"),
        OpenApiParameter("limit", limit, default=parameters.LIMIT_DEFAULT, description="at most 500"),
        _number(f"{prefix}_id", "our order number"),
        _number(f"{prefix}_cl_id", "your order number"),
        _seconds("create_time__gte"),
        _seconds("create_time__lte"),
    ]


def _in_address(name: str) -> OpenApiParameter:
    shape = shapes.order_number(fields.ORDER_NUMBER_LENGTH_MAX, "")
    return OpenApiParameter(name, dict(shape), OpenApiParameter.PATH)


def _operation(
    name: str,
    summary: str,
    content: Json,
    samples: list[OpenApiExample],
    *,
    request: Json | None = None,
    parameters: list[OpenApiParameter] | None = None,
    total: bool = False,
) -> Decorator:
    """Describe one operation. GETs carry the token, POSTs the signature, which is a field of theirs."""
    return extend_schema(
        operation_id=name,
        summary=lazystr(summary),
        request={"application/json": request} if request else None,
        responses={
            (200, "application/json"): _answer(content, total=total),
            # What is not the API's: a body that is too large, too many calls, busy.
            **{(status, "application/json"): _FAILURE for status in (413, 429, 503)},
        },
        examples=[*samples, _REFUSED if request else _UNKNOWN_TOKEN],
        parameters=parameters or [],
        auth=[] if request else [{"authorization": []}],  # type: ignore[list-item]
        tags=["Deposits" if "Payment" in name else "Payouts" if "Payout" in name else "Balances"],
    )


create_payment_v1 = _operation(
    "createPaymentV1",
    "Create a deposit",
    _object(
        link=_TEXT,
        payment_info=_object(
            "display_amount",
            "receiver",
            "sender",
            "token",
            amount=_AMOUNT,
            display_amount=_AMOUNT,
            payment_id=_TEXT,
            payment_cl_id=_TEXT,
            receiver=_ACCOUNT,
            sender=_SENDER,
            token={"type": "string", "description": "the remark code that the payer must write"},
        ),
    ),
    [
        _request("MD5", examples.MD5_PAYMENT),
        _request("HMAC-SHA256", examples.HMAC_PAYMENT),
        _response("Created", {"link": examples.LINK, "payment_info": dict(examples.PAYMENT_INFO)}),
    ],
    request=bodies.NEW_PAYMENT,
)
create_payment_v2 = _operation(
    "createPaymentV2",
    "Create a deposit",
    _object(link=_TEXT, payment_id=_TEXT, payment_cl_id=_TEXT, amount=_AMOUNT),
    [
        _request("HMAC-SHA256", examples.HMAC_PAYMENT),
        _response(
            "Created",
            {
                "link": examples.LINK,
                "payment_id": "PM00014581",
                "payment_cl_id": "DEVPM00014581",
                "amount": 50000,
            },
        ),
    ],
    request=bodies.NEW_PAYMENT,
)
list_payments = _operation(
    "listPaymentsV1",
    "List deposits",
    {"type": "array", "items": _PAYMENT_ITEM},
    [_response("Found", [dict(examples.LISTED_PAYMENT)], total=1)],
    parameters=_parameters("payment"),
    total=True,
)
one_payment = _operation(
    "readPaymentV2",
    "Read one deposit",
    _object(
        payment_id=_TEXT,
        payment_cl_id=_TEXT,
        amount=_AMOUNT,
        real_amount=_AMOUNT,
        fee=_AMOUNT,
        status=_NUMBER,
        payment_cl_name=_TEXT,
        create_time=_TIME,
        success_time=_TIME,
    ),
    [
        _response(
            "Found",
            {
                "payment_id": "PM00000145",
                "payment_cl_id": "xinxin_1596380261_10",
                "amount": 400000,
                "real_amount": 400000,
                "fee": 3200,
                "status": 2,
                "payment_cl_name": "testname",
                "create_time": 1596425140,
                "success_time": 1596425770,
            },
        )
    ],
    parameters=[_in_address("payment_cl_id")],
)


def _create_payout(version: str) -> Decorator:
    return _operation(
        f"createPayout{version}",
        "Create a payout",
        _object(payout_id=_TEXT),
        [_request("MD5", examples.MD5_PAYOUT), _response("Accepted", {"payout_id": "POT00000001"})],
        request=bodies.NEW_PAYOUT,
    )


def _list_payouts(version: str) -> Decorator:
    listed: dict[str, object] = {
        "amount": 100000,
        "fee": 200,
        "payout_id": "POT00000001",
        "payout_cl_id": "test_gateway_1707220674",
        "platform_id": "PF0001",
        "platform_channel_id": "PFC00000142",
        "status": 3,
        "memo": "",
        "create_time": 1707220674,
        "update_time": 1707220700,
    }
    if version == "V1":
        listed["sign"] = "0123456789abcdef0123456789abcdef"
    return _operation(
        f"listPayouts{version}",
        "List payouts",
        {"type": "array", "items": _PAYOUT_ITEM},
        [_response("Found", [listed], total=1)],
        parameters=_parameters("payout"),
        total=True,
    )


create_payout_v1, create_payout_v2 = _create_payout("V1"), _create_payout("V2")
list_payouts_v1, list_payouts_v2 = _list_payouts("V1"), _list_payouts("V2")
one_payout = _operation(
    "readPayoutV2",
    "Read one payout",
    _object(
        payout_id=_TEXT,
        payout_cl_id=_TEXT,
        amount=_AMOUNT,
        fee=_AMOUNT,
        status=_NUMBER,
        error_msg=_TEXT,
        create_time=_TIME,
        success_time=_TIME,
    ),
    [
        _response(
            "Found",
            {
                "payout_id": "POT00000001",
                "payout_cl_id": "test_gateway_1707220674",
                "amount": 100000,
                "fee": 200,
                "status": 3,
                "error_msg": "",
                "create_time": 1707220674,
                "success_time": 1707220700,
            },
        )
    ],
    parameters=[_in_address("payout_cl_id")],
)
_CURRENCY = [
    OpenApiParameter(
        "currency", {"type": "string", "maxLength": 8, "pattern": "^([A-Za-z]{3,8})?$"},
        description="when there are several",
    )
]  # fmt: skip
balance_v1 = _operation(
    "readBalanceV1",
    "Read balances",
    _object(
        platform_id=_TEXT,
        platform_channels={
            "type": "array",
            "items": _object(platform_channel_id=_TEXT, channel_name=_TEXT, balance=_AMOUNT, sign=_SIGN),
        },
        total=_NUMBER,
        total_balance=_AMOUNT,
        request_time=_TIME,
        sign=_SIGN,
    ),
    [_response("Found", dict(examples.BALANCE))],
    parameters=_CURRENCY,
)
balance_v2 = _operation(
    "readBalanceV2",
    "Read balances",
    _object(platform_id=_TEXT, total_balance=_AMOUNT, total_frozen_balance=_AMOUNT),
    [_response("Found", {"platform_id": "PF0060", "total_balance": 1250050, "total_frozen_balance": 100200})],
    parameters=_CURRENCY,
)
