"""The transaction-request API's wire as its client reads it: exact decimals, the envelope, no surprises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import orjson

BODY_BYTES_MAX = 256 * 1024
_AMOUNT_DIGITS_MAX = 38


class Unreadable(ValueError):
    """The bytes are not what this protocol speaks; the text says why, in words."""


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


def load(body: bytes) -> dict[str, object]:
    """Return the JSON object in a body; every number with a point is a Decimal.

    Raises: Unreadable for all else: too long, not UTF-8, not JSON, keys twice, NaN, too deep, not an object.
    """
    if len(body) > BODY_BYTES_MAX:
        raise Unreadable(f"the body is longer than {BODY_BYTES_MAX} bytes")
    try:
        found = json.loads(
            body.decode(),
            object_pairs_hook=_object_without_repeats,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
        )
    except Unreadable:
        raise
    except UnicodeDecodeError:
        raise Unreadable("the body is not UTF-8") from None
    except RecursionError:
        raise Unreadable("the JSON is nested too deeply") from None
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("the JSON is not an object")
    return found


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


def text(fields: Mapping[str, object], name: str, *, length_max: int = 512, is_required: bool = False) -> str:
    """Return a field that must be text; an absent one or null reads as the empty text.

    Raises: Unreadable, also for what no database column takes: NUL and lone surrogates.
    """
    value = fields.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not text")
    if len(value) > length_max:
        raise Unreadable(f"{name} is longer than {length_max} characters")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Unreadable(f"{name} holds a character that cannot be stored")
    if is_required and not value:
        raise Unreadable(f"{name} is missing")
    return value


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


def _object_without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a key is given twice")
    return found


def _refuse_constant(name: str) -> object:
    raise Unreadable(f"{name} is not a JSON number")
