"""What a text may look like inside a file: nothing executed, nothing illegal, nothing silently lost."""

from __future__ import annotations

import re

# Excel's longest cell, counted in UTF-16 units as Excel counts.
LENGTH_MAX = 32_767
REPLACEMENT = "\ufffd"
_CUT_MARK = "… [cut; {length:,} characters]"
# What XML 1.0 cannot hold, other control characters, lone surrogates, and marks that turn the reading
# direction around, by which a number could look like another. Tab and line feed stay.
_REPLACED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_LINE_ENDS = re.compile("\r\n?|\x85")


def clean(text: str) -> str:
    """Return a text that both formats can hold: one kind of line end, controls replaced by U+FFFD, and at
    most 32,767 UTF-16 units, with a mark at the end of what was cut.
    """
    if "\r" in text or "\x85" in text:
        text = _LINE_ENDS.sub("\n", text)
    text = _REPLACED.sub(REPLACEMENT, text)
    return text if 2 * len(text) <= LENGTH_MAX else _cut(text)


def _cut(text: str) -> str:
    if _units(text) <= LENGTH_MAX:
        return text
    mark = _CUT_MARK.format(length=len(text))
    # Two bytes a unit; a character outside the basic plane is two units and is kept or left whole.
    kept = text.encode("utf-16-le")[: 2 * (LENGTH_MAX - _units(mark))].decode("utf-16-le", "ignore")
    return kept + mark


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
