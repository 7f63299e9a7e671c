"""Shapes of what merchants send, in OpenAPI's words: a document says of a field all that its reader refuses.

Where a field may be left out, null says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from merchants.api import characters, strict_json

Json = Mapping[str, Any]
TEXT: Final[Json] = {"type": "string"}
# An address that is called; what stands behind it is looked at when it comes.
_URL_PATTERN: Final = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\u0000- \u007f-\u009f]+$"


def _described(words: str) -> Json:
    return {"description": words} if words else {}


def text(length_max: int, words: str = "", *, required: bool = False) -> Json:
    """Return a text without control and direction characters."""
    return {
        "type": "string",
        "maxLength": length_max,
        "pattern": characters.TEXT_PATTERN,
        **({"minLength": 1} if required else {"nullable": True}),
        **_described(words),
    }


def order_number(length_max: int, words: str = "your order number, unique") -> Json:
    """Return a merchant's order number: ASCII letters, digits and signs, without blanks, & and =."""
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": length_max,
        "pattern": characters.ORDER_NUMBER_PATTERN,
        **_described(words),
    }


def url(length_max: int, words: str = "", *, required: bool = False) -> Json:
    """Return an address that may be called."""
    wanted = _URL_PATTERN if required else f"^$|{_URL_PATTERN}"
    return {
        "type": "string",
        "maxLength": length_max,
        "pattern": wanted,
        **({} if required else {"nullable": True}),
        **_described(words),
    }


def or_digits(shape: Json) -> Json:
    """Return a text that may also be sent as the whole number of its digits, no longer than the text."""
    digits = min(int(shape["maxLength"]), strict_json.DIGITS_MAX)
    least = -(10 ** min(digits, int(shape["maxLength"]) - 1) - 1)
    number = {"type": "integer", "minimum": least, "maximum": 10**digits - 1}
    plain = {name: value for name, value in shape.items() if name != "description"}
    return {"oneOf": [plain, number], **_described(shape.get("description", ""))}


def members(required: list[str], properties: Json) -> Json:
    """Return an object of which these members are always there."""
    return {"type": "object", "required": required, "properties": properties}
