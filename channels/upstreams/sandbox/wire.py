"""The sandbox's wire: strict JSON and decimal texts, read the same way at both ends."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal

BODY_BYTES_MAX = 256 * 1024

PAYMENTS_PATH = "/v1/payments"
PAYOUTS_PATH = "/v1/payouts"
ORDERS_PATH = "/v1/orders/"

# Codes of a signed "no". Only ORDER_REFUSED says that no order with this reference exists.
ORDER_REFUSED = "order_refused"
REFERENCE_CONFLICT = "reference_conflict"
# The cause of a refusal: the payer's or recipient's account does not exist.
ACCOUNT_UNKNOWN = "account_unknown"

_AMOUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3,5}", re.ASCII)


class Unreadable(ValueError):
    """The bytes are not the JSON that this protocol speaks; the text says why, in words."""


def _object_without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a key is given twice")
    return found


def _refuse_constant(name: str) -> object:
    raise Unreadable(f"{name} is not a JSON number")


def dump(fields: Mapping[str, object]) -> bytes:
    """Return the fields as compact UTF-8 JSON."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def load(body: bytes) -> dict[str, object]:
    """Return the JSON object in a body.

    Raises: Unreadable for all else: too long, not UTF-8, not JSON, keys twice, NaN, too deep, not an object.
    """
    if len(body) > BODY_BYTES_MAX:
        raise Unreadable(f"the body is longer than {BODY_BYTES_MAX} bytes")
    try:
        found = json.loads(
            body.decode(), object_pairs_hook=_object_without_repeats, parse_constant=_refuse_constant
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


def text(fields: Mapping[str, object], name: str, *, length_max: int = 512) -> str:
    """Return a field that must be text; an absent one reads as the empty text.

    Raises: Unreadable, also for what no database column takes: NUL and lone surrogates.
    """
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not text")
    if len(value) > length_max:
        raise Unreadable(f"{name} is longer than {length_max} characters")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Unreadable(f"{name} holds a character that cannot be stored")
    return value


def required_text(fields: Mapping[str, object], name: str, *, length_max: int = 512) -> str:
    """Return a field that must be text and not empty.

    Raises: Unreadable.
    """
    value = text(fields, name, length_max=length_max)
    if not value:
        raise Unreadable(f"{name} is missing")
    return value


def section(fields: Mapping[str, object], name: str) -> dict[str, object]:
    """Return a field that must be an object.

    Raises: Unreadable.
    """
    value = fields.get(name)
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is not an object")
    return value


def amount_text(amount: Decimal) -> str:
    """Return an amount in plain digits, without exponent or trailing zeros: equal amounts are equal texts.

    Units: major units.
    """
    digits = f"{amount:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def amount(fields: Mapping[str, object], name: str) -> Decimal:
    """Return a field that must be an amount: text of plain ASCII digits, above zero.

    Units: major units.
    Raises: Unreadable.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise Unreadable(f"{name} is not an amount in plain digits")
    parsed = Decimal(value)
    if parsed <= 0:
        raise Unreadable(f"{name} is not above zero")
    return parsed


def currency(fields: Mapping[str, object], name: str = "currency") -> str:
    """Return a field that must be a currency code.

    Raises: Unreadable.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise Unreadable(f"{name} is not a currency code")
    return value
