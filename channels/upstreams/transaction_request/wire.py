"""The transaction-request API's wire as its client reads it: exact decimals, the envelope, no surprises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import orjson

from channels.upstreams.reading import Unreadable, load, text

__all__ = ["Envelope", "Unreadable", "amount", "digits", "dump", "envelope", "load", "text"]

_AMOUNT_DIGITS_MAX = 38


@dataclass(frozen=True, slots=True)
class Envelope:
    """An answer: `data` is None in a refusal."""

    is_success: bool
    status_code: str
    message: str
    data: dict[str, object] | None


def dump(fields: Mapping[str, object]) -> bytes:
    """Return the fields as compact UTF-8 JSON, decimals as exact JSON numbers."""
    return orjson.dumps(fields, default=_number)


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(digits(value))
    raise TypeError(f"a {type(value).__name__} has no place in a request")


def digits(amount: Decimal) -> str:
    """Return an amount in plain digits without trailing zeros: equal amounts are equal texts."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def envelope(fields: Mapping[str, object]) -> Envelope:
    """Return the envelope that an answer is.

    Raises: Unreadable.
    """
    is_success, data = fields.get("isSuccess"), fields.get("data")
    if not isinstance(is_success, bool) or not isinstance(data, dict | None):
        raise Unreadable("the answer is not in the envelope of this protocol")
    if is_success != (data is not None):
        raise Unreadable("the answer says both yes and no")
    return Envelope(
        is_success=is_success,
        status_code=text(fields, "statusCode", is_required=True),
        message=text(fields, "message"),
        data=data,
    )


def amount(fields: Mapping[str, object], name: str) -> Decimal:
    """Return a field that must be a number above zero, with every digit as it was sent.

    Raises: Unreadable.
    """
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unreadable(f"{name} is not a number")
    if isinstance(value, int) and abs(value).bit_length() > 140:
        raise Unreadable(f"{name} has too many digits")
    parsed = Decimal(value)
    if parsed <= 0:
        raise Unreadable(f"{name} is not above zero")
    shape = parsed.as_tuple()
    if not isinstance(shape.exponent, int) or len(shape.digits) + abs(shape.exponent) > _AMOUNT_DIGITS_MAX:
        raise Unreadable(f"{name} has too many digits")
    return parsed
