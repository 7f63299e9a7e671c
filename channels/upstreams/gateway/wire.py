"""The gateway API's wire as its client reads it: amounts × 100, whole numbers only, one envelope.

Source: gateway-api.md, 1. Conventions, 4. Order Status List.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation

from channels.upstreams import reading
from channels.upstreams.base import Direction, UpstreamState
from channels.upstreams.reading import Unreadable, text

__all__ = [
    "Envelope",
    "Unreadable",
    "dump",
    "envelope",
    "hundredths",
    "load",
    "major_units",
    "moved",
    "state",
    "text",
]

SUCCESS = "0000"
_CODE_LENGTH = 4
_AMOUNT_BITS_MAX = 63
# Wide enough for the book's 38 digits; a value it cannot hold is a fault and not a rounding.
_EXACT = Context(prec=60, traps=[InvalidOperation])
_STATES = {
    Direction.DEPOSIT: {
        0: UpstreamState.PENDING,
        1: UpstreamState.PENDING,
        2: UpstreamState.PAID,
        3: UpstreamState.FAILED,
        4: UpstreamState.FAILED,
    },
    Direction.PAYOUT: {
        0: UpstreamState.PENDING,
        1: UpstreamState.PENDING,
        2: UpstreamState.PENDING,
        3: UpstreamState.PAID,
        4: UpstreamState.FAILED,
        5: UpstreamState.FAILED,
        6: UpstreamState.PENDING,
    },
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """An answer: the code, what is said of it, and whatever stands in `data`."""

    code: str
    message: str
    content: object


def dump(fields: Mapping[str, object]) -> bytes:
    """Return the fields as compact UTF-8 JSON."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def load(body: bytes) -> dict[str, object]:
    """Return the JSON object in a body, which holds whole numbers only.

    Raises: Unreadable.
    """
    return reading.load(body, fraction=_refuse_fraction)


def _refuse_fraction(digits: str) -> object:
    raise Unreadable("a number is not whole")


def envelope(fields: Mapping[str, object]) -> Envelope:
    """Return the envelope that an answer is.

    Raises: Unreadable.
    """
    code = text(fields, "error_code", length_max=_CODE_LENGTH, is_required=True)
    if len(code) != _CODE_LENGTH:
        raise Unreadable("error_code is not one of this protocol")
    if (code == SUCCESS) != ("data" in fields):
        raise Unreadable("the answer says both yes and no")
    return Envelope(code=code, message=text(fields, "error_msg"), content=fields.get("data"))


def section(value: object) -> dict[str, object]:
    """Return what must be an object.

    Raises: Unreadable.
    """
    if not isinstance(value, dict):
        raise Unreadable("the data is not an object")
    return value


def hundredths(amount: Decimal) -> int | None:
    """Return an amount × 100, or None when that is no whole number above zero: it is never rounded.

    Units: major units.
    """
    scaled = _EXACT.scaleb(amount, 2)
    if scaled <= 0 or scaled != _EXACT.to_integral_value(scaled):
        return None
    return int(scaled)


def major_units(fields: Mapping[str, object], name: str) -> Decimal:
    """Return a field that must be an amount × 100 above zero, in major units.

    Raises: Unreadable.
    """
    value = fields.get(name)
    if type(value) is not int or value.bit_length() > _AMOUNT_BITS_MAX:
        raise Unreadable(f"{name} is not a whole number")
    if value <= 0:
        raise Unreadable(f"{name} is not above zero")
    return _EXACT.scaleb(Decimal(value), -2)


def state(fields: Mapping[str, object], direction: Direction) -> UpstreamState:
    """Return what the status of an order means. An order that is closed may still be paid late.

    Raises: Unreadable for a status that is not listed.
    """
    told = fields.get("status")
    if type(told) is not int or told not in _STATES[direction]:
        raise Unreadable("the status is not one we know")
    return _STATES[direction][told]


def moved(fields: Mapping[str, object], direction: Direction) -> Decimal | None:
    """Return what moved: what the payer really sent, or the whole payout; None before anything has.

    Units: major units.
    Raises: Unreadable.
    """
    if state(fields, direction) is not UpstreamState.PAID:
        return None
    return major_units(fields, "real_amount" if direction is Direction.DEPOSIT else "amount")
