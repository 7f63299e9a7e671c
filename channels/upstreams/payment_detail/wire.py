"""The payment-detail API's wire as its client reads it: the envelope, integers in texts, no surprises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, Inexact, localcontext

import orjson

from channels.upstreams.reading import Unreadable, load, text

__all__ = ["Envelope", "Unreadable", "dump", "envelope", "load", "moved", "plain", "text", "units"]

SUCCESS = 200
_UNITS = re.compile(r"[0-9]{1,78}", re.ASCII)
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?", re.ASCII)
# Longer than any product of an amount and a number of units.
_PRECISION = 160


@dataclass(frozen=True, slots=True)
class Envelope:
    """An answer: `data` is None in a refusal, which is told by `message` and `description`."""

    code: int
    message: str
    description: str
    data: dict[str, object] | None


def dump(fields: Mapping[str, object]) -> bytes:
    """Return the fields as compact UTF-8 JSON."""
    return orjson.dumps(fields)


def plain(amount: Decimal) -> str:
    """Return an amount in plain digits without trailing zeros: equal amounts are equal texts."""
    shown = f"{amount:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def envelope(fields: Mapping[str, object]) -> Envelope:
    """Return the envelope that an answer is.

    Raises: Unreadable.
    """
    code, data = fields.get("code"), fields.get("data")
    if type(code) is not int or not isinstance(data, dict | None):
        raise Unreadable("the answer is not in the envelope of this protocol")
    if (code == SUCCESS) != (data is not None):
        raise Unreadable("the answer says both yes and no")
    return Envelope(
        code=code, message=text(fields, "msg"), description=text(fields, "description"), data=data
    )


def units(fields: Mapping[str, object], name: str) -> int:
    """Return a field that must be the digits of a number of units above zero.

    Raises: Unreadable.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not _UNITS.fullmatch(value) or int(value) == 0:
        raise Unreadable(f"{name} is not a number of units above zero")
    return int(value)


def amount(fields: Mapping[str, object], name: str) -> Decimal:
    """Return a field that must be an amount above zero in plain digits.

    Raises: Unreadable.
    """
    value = fields.get(name)
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or Decimal(value) == 0:
        raise Unreadable(f"{name} is not an amount above zero")
    return Decimal(value)


def moved(quoted: Decimal, *, expected: int, settled: int, decimals: int) -> Decimal:
    """Return what was paid in the currency of the quote: its share of what was expected.

    Exact where it can be written with 18 decimals, as it always can where quote and payment are in one
    currency; else cut to `decimals`, so that never more is believed than came.
    """
    with localcontext(Context(prec=_PRECISION, traps=[])) as exact:
        share = quoted * settled / expected
        if not exact.flags[Inexact] and -int(share.normalize().as_tuple().exponent) <= 18:
            return share
        return share.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_DOWN)
