"""Reading a merchant's JSON body: what is not plain, unambiguous JSON is refused with the reason.

The usual parser takes duplicate keys, NaN, exponents and half characters, answers deep nesting with a
crash, and turns decimals into floats. Here integers stay int and every other number keeps its text.
"""

import json
import re
from typing import NoReturn

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.signing import NumberText

__all__ = ["BadJson", "BodyTooLarge", "NumberText", "parse"]

BYTES_MAX = 262_144
DEPTH_MAX = 8
DIGITS_MAX = 38

# A whole string (also one that never ends) or one bracket; possessive, so the time is linear.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


class BadJson(Exception):
    """The body is not JSON we accept; `reason` says why in words."""

    def __init__(self, reason: str | Promise) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return str(self.reason)


class BodyTooLarge(Exception):
    """The body is longer than allowed; it was not looked at."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.reason = format_lazy(_("The body is larger than {bytes_max} bytes."), bytes_max=bytes_max)
        super().__init__(self.reason)

    def __str__(self) -> str:
        return str(self.reason)


def parse(body: bytes, max_bytes: int = BYTES_MAX) -> dict[str, object]:
    """Return the object in the body: str, int, NumberText, bool, None, list and dict, nothing else.

    `str(value)` of an int or a NumberText is the text as sent.
    Raises: BodyTooLarge, BadJson.
    """
    if len(body) > max_bytes:
        raise BodyTooLarge(max_bytes)
    text = _decoded(body)
    _check_depth(text)
    try:
        found = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as fault:
        raise BadJson(
            format_lazy(
                _("Not valid JSON at line {line}, column {column}."), line=fault.lineno, column=fault.colno
            )
        ) from None
    if not isinstance(found, dict):
        raise BadJson(_("The body must be a JSON object."))
    # Only an escape can bring these in: raw ones are not valid UTF-8 or not valid JSON.
    if "\\u" in text:
        _check_characters(found)
    return found


def _decoded(body: bytes) -> str:
    if body.startswith(b"\x1f\x8b"):
        raise BadJson(_("The body is compressed; send it as it is."))
    if body.startswith(b"\xef\xbb\xbf"):
        raise BadJson(_("The body begins with a byte order mark; leave it out."))
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise BadJson(format_lazy(_("The body is not UTF-8 at byte {byte}."), byte=fault.start)) from None
    if not text.strip():
        raise BadJson(_("The body is empty."))
    return text


def _check_depth(text: str) -> None:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        mark = text[found.start()]
        if mark in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise BadJson(format_lazy(_("Nested more than {depth} levels deep."), depth=DEPTH_MAX))
        elif mark != '"':
            depth -= 1


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise BadJson(format_lazy(_("The name “{name}” stands twice."), name=_shown(name)))
        members[name] = value
    return members


def _whole(text: str) -> int:
    _check_digits(text)
    if text == "-0":
        raise BadJson(_("Minus zero is not a number to write."))
    return int(text)


def _fraction(text: str) -> NumberText:
    if "e" in text or "E" in text:
        raise BadJson(_("A number has an exponent; write it as a plain decimal."))
    _check_digits(text)
    return NumberText(text)


def _check_digits(text: str) -> None:
    if sum(character.isdigit() for character in text) > DIGITS_MAX:
        raise BadJson(format_lazy(_("A number has more than {digits} digits."), digits=DIGITS_MAX))


def _constant(name: str) -> NoReturn:
    raise BadJson(format_lazy(_("{name} is not a JSON number."), name=name))


def _check_characters(value: object) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise BadJson(_("A text contains the character U+0000."))
        half = _SURROGATE.search(value)
        if half is not None:
            code = f"U+{ord(half.group()):04X}"
            raise BadJson(format_lazy(_("A text contains half a character, {code}."), code=code))
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_characters(name)
            _check_characters(member)
    elif isinstance(value, list):
        for member in value:
            _check_characters(member)


def _shown(name: str) -> str:
    """Return the name so that it can stand in an answer: short, and printable whatever it holds."""
    return name[:64].encode("ascii", "backslashreplace").decode() if not name.isprintable() else name[:64]
