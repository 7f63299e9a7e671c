"""What is sent to the gateway API to create an order, in OpenAPI's words.

On the wire types are lax: numbers come as numbers or as texts of digits, texts of digits as either.
Source: gateway-api.md, section 3.
"""

from __future__ import annotations

from typing import Final

from merchants.api import shapes
from merchants.api.gateway.fields import LAST_NUMBERS_MAX, ORDER_NUMBER_LENGTH_MAX, URL_LENGTH_MAX
from merchants.api.shapes import Json, or_digits, text

# × 100 of what the book can hold: 20 digits before the point.
_AMOUNT: Final[Json] = {
    "oneOf": [
        {"type": "integer", "minimum": 1, "maximum": 10**22 - 1},
        {"type": "string", "pattern": "^[1-9][0-9]{0,21}$"},
    ],
    "description": "currency unit × 100, a number or its digits",
}
_TIME: Final[Json] = {
    "oneOf": [
        {"type": "integer", "minimum": 1, "maximum": 10**11 - 1},
        {"type": "string", "pattern": "^[1-9][0-9]{0,10}$"},
    ],
    "description": "Unix seconds, ± 300 s of our clock",
}
_TAIL: Final[Json] = {
    "oneOf": [
        {"type": "string", "pattern": "^[0-9]{3,8}$"},
        {"type": "integer", "minimum": 100, "maximum": 10**8 - 1},
    ],
}
_MAYBE_TAIL: Final[Json] = {
    "oneOf": [
        {"type": "string", "pattern": "^([0-9]{3,8})?$", "maxLength": 8, "nullable": True},
        {"type": "integer", "minimum": 100, "maximum": 10**8 - 1},
    ],
    "description": "last digits of the payer's account",
}
_SIGN: Final[Json] = {
    "type": "string",
    "pattern": "^([0-9a-f]{32}|[0-9a-f]{64})$",
    "description": "32 or 64 lower-case hex characters",
}
_CALL: Final[Json] = {
    "platform_id": {"type": "string", "minLength": 1, "maxLength": 16, "pattern": "^[!-~]+$"},
    "service_id": text(16, required=True),
    "amount": _AMOUNT,
    "request_time": _TIME,
}
_PARTY: Final[Json] = {
    "bank_id": or_digits(text(128)),
    "bank_code": or_digits(text(128)),
    "bank_name": or_digits(text(128, "any one of the three names the bank")),
    "phone": or_digits(text(32)),
    "id_number": or_digits(text(64)),
    "ifsc_code": or_digits(text(16, "India")),
    "currency": {
        "type": "string",
        "maxLength": 8,
        "pattern": "^([A-Za-z]{3,8})?$",
        "nullable": True,
        "description": "must be the service's",
    },
    "sign_type": {
        "type": "string",
        "enum": ["MD5", "HMAC-SHA256", "", None],
        "nullable": True,
        "description": "MD5 when absent",
    },
    "sign": _SIGN,
}
_REQUIRED: Final = ["platform_id", "service_id", "amount", "request_time", "sign"]
NEW_PAYMENT: Final[Json] = shapes.members(
    [*_REQUIRED, "payment_cl_id", "notify_url"],
    {
        **_CALL,
        "payment_cl_id": or_digits(shapes.order_number(ORDER_NUMBER_LENGTH_MAX)),
        "notify_url": shapes.url(URL_LENGTH_MAX, required=True),
        "name": or_digits(text(64, "payer")),
        "number": or_digits(text(128, "account of the payer")),
        **_PARTY,
        "last_number": _MAYBE_TAIL,
        "last_numbers": {"type": "array", "items": _TAIL, "maxItems": LAST_NUMBERS_MAX, "nullable": True},
        "remark_code": or_digits(text(32)),
    },
)
NEW_PAYOUT: Final[Json] = shapes.members(
    [*_REQUIRED, "payout_cl_id", "name", "number"],
    {
        **_CALL,
        "payout_cl_id": or_digits(shapes.order_number(ORDER_NUMBER_LENGTH_MAX)),
        "notify_url": shapes.url(URL_LENGTH_MAX),
        "name": or_digits(text(64, "recipient", required=True)),
        "number": or_digits(text(128, "account; for Brazil the Pix key", required=True)),
        **_PARTY,
        "bank_branch": or_digits(text(128)),
        "platform_channel_id": text(20, "which wallet to debit; chosen for you when absent"),
    },
)
