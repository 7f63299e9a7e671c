"""Characters that no field of a merchant may hold, told so that a reader sees which one it was."""

from __future__ import annotations

import re

# Controls, half characters, and marks that turn the direction of a text: with those, two names that look
# alike would differ.
_BAD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BAD_IN_ORDER_NUMBER = re.compile(r"[^!-~]|[&=]")
# The same, said in OpenAPI: patterns of texts that hold none of them. Half characters have no UTF-8.
TEXT_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*$"
ORDER_NUMBER_PATTERN = "^[!-%'-<>-~]*$"


def bad_character(text: str) -> str | None:
    """Return the first character that no text may hold: a control, a direction mark, half a character."""
    found = _BAD.search(text)
    return None if found is None else found.group()


def bad_order_character(text: str) -> str | None:
    """Return the first character that an order number must not hold, None when all is well."""
    found = _BAD_IN_ORDER_NUMBER.search(text)
    return None if found is None else found.group()


def shown(character: str) -> str:
    """Return a character so that a reader sees which it is."""
    code = f"U+{ord(character):04X}"
    return f"“{character}” ({code})" if "!" <= character <= "~" else code
