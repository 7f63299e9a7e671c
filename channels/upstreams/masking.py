"""What of an exchange may stand in an order's timeline: all but account numbers, ids, phones and secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

TEXT_LENGTH_MAX = 4000

SENSITIVE_FIELDS = frozenset({"account", "card_number", "cardNumber", "id_number", "phone"})

_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){8,}")
_TAIL_LENGTH = 4


def tail(value: str) -> str:
    """Return a number of which only the last four characters can be read; of a short one, none."""
    if len(value) < 2 * _TAIL_LENGTH:
        return "****" if value else ""
    return "****" + value[-_TAIL_LENGTH:]


def _masked(value: object, *, is_sensitive: bool = False) -> object:
    if isinstance(value, Mapping):
        return {name: _masked(inner, is_sensitive=name in SENSITIVE_FIELDS) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, is_sensitive=is_sensitive) for inner in value]
    if is_sensitive and isinstance(value, str | int):
        return tail(str(value))
    return value


def sensitive_values(fields: object) -> set[str]:
    """Return the texts of sensitive fields, however deep, for masking them where else they appear."""
    if isinstance(fields, list):
        return set().union(*map(sensitive_values, fields))
    if not isinstance(fields, Mapping):
        return set()
    found: set[str] = set()
    for name, value in fields.items():
        if name in SENSITIVE_FIELDS and isinstance(value, str):
            found.add(value)
        else:
            found |= sensitive_values(value)
    return found


def without(text: str, *, sensitive: Iterable[str]) -> str:
    """Return a text in which the given values can no longer be read, wherever they appear."""
    # Longest first, so that a phone number inside an account number does not break it into readable halves.
    for value in sorted(sensitive, key=len, reverse=True):
        if len(value) > _TAIL_LENGTH:
            text = text.replace(value, tail(value))
    return text


def prose(text: str, *, sensitive: Iterable[str] = ()) -> str:
    """Return free text (a reason, HTML, half a document) without the given values and any long number."""
    return _LONG_NUMBER.sub(lambda match: tail(match.group()), without(text, sensitive=sensitive))


def fields_text(fields: Mapping[str, object]) -> str:
    """Return a JSON object as text, its sensitive fields masked, also where another field repeats them."""
    shown = json.dumps(_masked(fields), ensure_ascii=False, indent=1, default=str)
    return without(shown, sensitive=sensitive_values(fields))


def shortened(text: str) -> str:
    """Return at most 4,000 characters of a masked text, without what no database column takes."""
    clean = text.replace("\x00", "\ufffd").encode(errors="replace").decode()
    return clean if len(clean) <= TEXT_LENGTH_MAX else clean[: TEXT_LENGTH_MAX - 1] + "…"
