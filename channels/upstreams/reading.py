"""Strict reading of what upstreams answer in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal

BODY_BYTES_MAX = 256 * 1024


class Unreadable(ValueError):
    """The bytes are not what this protocol speaks; the text says why, in words."""


def load(body: bytes, *, fraction: Callable[[str], object] = Decimal) -> dict[str, object]:
    """Return the JSON object in a body; `fraction` reads every number that is not whole.

    Raises: Unreadable for all else: too long, not UTF-8, not JSON, keys twice, NaN, too deep, not an object.
    """
    if len(body) > BODY_BYTES_MAX:
        raise Unreadable(f"the body is longer than {BODY_BYTES_MAX} bytes")
    try:
        found = json.loads(
            body.decode(),
            object_pairs_hook=_object_without_repeats,
            parse_float=fraction,
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


def _object_without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a key is given twice")
    return found


def _refuse_constant(name: str) -> object:
    raise Unreadable(f"{name} is not a JSON number")
