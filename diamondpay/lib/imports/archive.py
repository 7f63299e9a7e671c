"""What an Excel book may be made of: an archive that unpacks to a bounded size, of XML without entities."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from xml.parsers import expat

from django.utils.translation import gettext as _t

PARTS_MAX = 500
UNPACKED_BYTES_MAX = 30_000_000
# Of what is larger than this; small parts of a book may well be all alike.
RATIO_MAX, RATIO_FROM_BYTES = 100, 1_000_000
COLUMNS_MAX = 60
_XML = (".xml", ".rels")
# What a cell of a sheet holds: a value, an own text, a formula.
_CONTENT = frozenset({"v", "is", "f"})
_LETTERS = re.compile("[A-Z]{1,3}")


class Unreadable(Exception):
    """A file cannot be read; the message says why and what to do."""


def opened(content: bytes) -> io.BytesIO:
    """Return the XML of a book as an archive of our own: what was looked at is what is read.

    Raises: Unreadable for an archive that is broken, locked, larger inside than may be, or whose XML declares
    entities.
    """
    clean = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(clean, "w") as ours:
            parts = given.infolist()
            _check_parts(parts, packed=len(content))
            for part in parts:
                if part.filename.lower().endswith(_XML):
                    text = _unpacked(given, part)
                    _check_xml(text)
                    ours.writestr(part.filename, text)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, OSError,
            RuntimeError) as fault:  # fmt: skip
        raise Unreadable(_t("The file is damaged: its archive cannot be opened.")) from fault
    clean.seek(0)
    return clean


def _unpacked(given: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes:
    """Unpack a part, no more of it than it declared: without a bound, whoever lies about that gets 2 GB."""
    with given.open(part) as packed:
        return packed.read(part.file_size + 1)


def _check_parts(parts: list[zipfile.ZipInfo], *, packed: int) -> None:
    if len(parts) > PARTS_MAX:
        raise Unreadable(_t("The book is made of more than %d parts.") % PARTS_MAX)
    if len({part.filename for part in parts}) < len(parts):
        raise Unreadable(_t("The file is damaged: two parts of it have the same name."))
    if any(part.flag_bits & 0x1 for part in parts):
        raise Unreadable(_t("The book is locked. Save it without a password."))
    unpacked = sum(part.file_size for part in parts)
    if unpacked > UNPACKED_BYTES_MAX:
        raise Unreadable(_t("The book unpacks to more than %d MB.") % (UNPACKED_BYTES_MAX // 1_000_000))
    if unpacked > RATIO_FROM_BYTES and unpacked > RATIO_MAX * packed:
        raise Unreadable(_t("The book unpacks to more than %d times its size.") % RATIO_MAX)


def _check_xml(content: bytes) -> None:
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = _Cells().element
    try:
        parser.Parse(content, True)
    except expat.ExpatError as fault:
        raise Unreadable(_t("The file is damaged: a part of it is no XML.")) from fault


def _refuse(*_declaration: object) -> None:
    raise Unreadable(_t("The book declares entities of its own, which no spreadsheet does."))


class _Cells:
    """Watches where the cells of a sheet stand: beyond the last column that is read, there may be nothing."""

    def __init__(self) -> None:
        self._column = 0

    def element(self, tag: str, attributes: dict[str, str]) -> None:
        """Follow an element. Raises: Unreadable for content beyond the last column."""
        name = tag.rpartition(":")[2]
        if name == "row":
            self._column = 0
        elif name == "c":
            letters = _LETTERS.match(attributes.get("r", ""))
            self._column = _number_of(letters[0]) if letters else self._column + 1
        elif name in _CONTENT and self._column > COLUMNS_MAX:
            raise Unreadable(too_many_columns())


def too_many_columns() -> str:
    """Return the words for a file that is too wide."""
    return _t("The file has more than %d columns.") % COLUMNS_MAX


def _number_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
