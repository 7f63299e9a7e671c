"""What stands in a file that somebody handed in: its lines, by sheet and row, as plain texts.

A file is hostile until it is read: its size, its sheets, its rows, its texts and what it unpacks to have
limits, and nothing in it is followed or executed. What a cell holds that no text can say exactly (a formula,
a date, a number that a spreadsheet has rounded) is a fault of that cell.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import openpyxl
from django.utils.translation import gettext as _t

from diamondpay.lib import money
from diamondpay.lib.imports import archive
from diamondpay.lib.imports.archive import Unreadable

BYTES_MAX = 2_000_000
ROWS_MAX = 2_000
SHEETS_MAX = 20
CELL_LENGTH_MAX = 1_000
TEXT_LENGTH_MAX = 500_000
# Excel keeps 15 digits of a number, and says nothing of the others.
_DIGITS_MAX = 15
_OLD_BOOK = b"\xd0\xcf\x11\xe0"
_DELIMITERS = ",;\t"
_SHEET_ROWS_MAX = 1_048_576

# A row that is not blank, with its number in the sheet.
Numbered = tuple[int, Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with a cell, or with a row or sheet where no column is named."""

    sheet: str
    row: int
    reason: str
    column: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of the file: where it stands, and its texts by the keys of their columns."""

    sheet: str
    row: int
    cells: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Everything that was read. `unread` are sheets without any of the headings."""

    lines: tuple[Line, ...]
    faults: tuple[Fault, ...] = ()
    sheets: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass
class _Found:
    """What has been read so far, and how much of it."""

    headings: Mapping[str, str]
    lines: list[Line] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    text_length: int = 0


def read(content: bytes, *, headings: Mapping[str, str]) -> Lines:
    """Read an Excel book or a CSV file whose first row names columns.

    Shapes: `headings` leads from each name that a column may have, as `key_of` writes it, to its key.
    Raises: Unreadable in words for the file as a whole.
    """
    if not content.strip():
        raise Unreadable(_t("The file is empty."))
    if len(content) > BYTES_MAX:
        raise Unreadable(_t("The file is larger than %d MB. Divide it.") % (BYTES_MAX // 1_000_000))
    if content.startswith(_OLD_BOOK):
        raise Unreadable(_t("This is an old or locked Excel book. Save it as .xlsx without a password."))
    sheets = _book(content) if content.startswith(b"PK") else [("CSV", _csv(content))]
    found = _Found(headings=headings)
    read_sheets: list[str] = []
    unread: list[str] = []
    for name, rows in sheets:
        (read_sheets if _read_sheet(name, rows, found) else unread).append(name)
    if not read_sheets:
        raise Unreadable(_t("No sheet has these headings in its first row: %s.") % _names(headings))
    if not found.lines and not found.faults:
        raise Unreadable(_t("There are headings and no rows below them."))
    return Lines(
        lines=tuple(found.lines), faults=tuple(found.faults), sheets=tuple(read_sheets), unread=tuple(unread)
    )


def _names(headings: Mapping[str, str]) -> str:
    # Each column once, by the last name it is known under, which is the one that people read.
    return ", ".join({key: name for name, key in headings.items()}.values())


def _read_sheet(name: str, rows: Iterator[Numbered], found: _Found) -> bool:
    """Read a sheet; False when its first row has none of the headings."""
    top, cells = next(rows, (1, ()))
    first = [str(cell).strip() if cell is not None else "" for cell in cells]
    keys = [found.headings.get(key_of(text)) for text in first]
    if not any(keys):
        return False
    for place, (text, key) in enumerate(zip(first, keys, strict=True)):
        if text and key is None:
            reason = _t("There is no such column. Known are: %s.") % _names(found.headings)
            found.faults.append(Fault(sheet=name, row=top, column=text[:100], reason=reason))
        elif key is not None and key in keys[:place]:
            found.faults.append(
                Fault(sheet=name, row=top, column=text, reason=_t("This column stands twice."))
            )
    for number, row in rows:
        if len(found.lines) >= ROWS_MAX:
            raise Unreadable(_t("The file has more than %d rows. Divide it.") % ROWS_MAX)
        found.lines.append(_line(name, number, row, first=first, keys=keys, found=found))
    return True


def key_of(heading: str) -> str:
    """Return a heading as it is looked up: however it is spaced and capitalised."""
    return " ".join(heading.casefold().split())


def _line(
    sheet: str, number: int, row: Sequence[Any], *, first: Sequence[str], keys: Sequence[str | None],
    found: _Found,
) -> Line:  # fmt: skip
    cells: dict[str, str] = {}
    for place, cell in enumerate(row):
        key = keys[place] if place < len(keys) else None
        if key is None:
            if cell is not None and str(cell).strip() and (place >= len(first) or not first[place]):
                reason = _t("This cell stands under no heading.")
                found.faults.append(Fault(sheet=sheet, row=number, value=str(cell)[:100], reason=reason))
            continue
        text, reason = _text(cell)
        if reason:
            found.faults.append(
                Fault(sheet=sheet, row=number, column=first[place], value=text[:100], reason=reason)
            )
        cells.setdefault(key, text)
        found.text_length += len(text)
    if found.text_length > TEXT_LENGTH_MAX:
        raise Unreadable(_t("The file holds too much text. Divide it."))
    return Line(sheet=sheet, row=number, cells=cells)


def _text(cell: Any) -> tuple[str, str]:
    """Return a cell as a text, and what is wrong with it."""
    if cell is None:
        return "", ""
    if isinstance(cell, _Formula):
        return cell.text, _t("This is a formula. Put its value there.")
    if isinstance(cell, bool):
        return ("yes" if cell else "no"), ""
    if isinstance(cell, int | float):
        return _number(cell)
    if not isinstance(cell, str):
        return str(cell), _t("This is a date or time, and none is wanted here.")
    text = cell.strip()
    if len(text) > CELL_LENGTH_MAX:
        return text, _t("This text has more than %d characters.") % CELL_LENGTH_MAX
    odd = next((sign for sign in text if not sign.isprintable()), None)
    if odd is not None:
        return text, _t("This text holds the character U+%04X, which nobody can see.") % ord(odd)
    return text, ""


def _number(value: int | float) -> tuple[str, str]:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value), _t("This is no number.")
    text = money.plain(Decimal(repr(value)))
    if len(text.strip("-").replace(".", "").strip("0")) > _DIGITS_MAX:
        return text, _t(
            "Excel rounds numbers of more than 15 digits. Format the cell as text and type it again."
        )
    return text, ""


class _Formula:
    """A cell that would be computed, by whoever opens the file."""

    def __init__(self, text: object) -> None:
        self.text = str(text)

    def __str__(self) -> str:
        return self.text


def _csv(content: bytes) -> Iterator[Numbered]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(_t("The file is no Excel book and no UTF-8 text. Save it as “CSV UTF-8”.")) from None
    if "\x00" in text:
        raise Unreadable(_t("The file is no Excel book and no CSV text."))
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    # strict: a quote that never ends would otherwise swallow the rest of the file as one cell.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return _of_csv(rows)


def _of_csv(rows: Iterator[list[str]]) -> Iterator[Numbered]:
    number = 0
    try:
        for number, row in enumerate(rows, start=1):
            if len(row) > archive.COLUMNS_MAX:
                raise Unreadable(archive.too_many_columns())
            if not _is_blank(row):
                # Our own files put a tab before texts that a spreadsheet would execute or alter.
                yield number, [cell.lstrip("\t") for cell in row]
    except csv.Error:
        words = _t(
            "The CSV text cannot be read near row %d: a quote is not closed, or stands where none may."
        )
        raise Unreadable(words % (number + 1)) from None


def _is_blank(row: Sequence[Any]) -> bool:
    return all(cell is None or not str(cell).strip() for cell in row)


def _book(content: bytes) -> list[tuple[str, Iterator[Numbered]]]:
    clean = archive.opened(content)
    try:
        with warnings.catch_warnings():
            # It tells of styles and extensions that it leaves out; none of them is wanted.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(clean, read_only=True, keep_links=False)
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            if len(sheets) > SHEETS_MAX:
                raise Unreadable(_t("The book has more than %d sheets.") % SHEETS_MAX)
            # One more than may be, so that it is seen that there are too many.
            return [
                (str(each.title), iter([*itertools.islice(_rows(each), ROWS_MAX + 2)])) for each in sheets
            ]
    except Unreadable:
        raise
    except Exception as fault:  # noqa: BLE001 - a malformed book ends in whatever the reader stumbles over
        raise Unreadable(
            _t("The file cannot be read as an Excel book (%s).") % type(fault).__name__
        ) from None


def _rows(sheet: Any) -> Iterator[Numbered]:
    """Yield the rows of a sheet that hold anything, whatever the sheet says of its own size."""
    sheet.reset_dimensions()
    all_rows = itertools.islice(sheet.iter_rows(max_col=archive.COLUMNS_MAX), _SHEET_ROWS_MAX)
    for number, row in enumerate(all_rows, start=1):
        cells = [_Formula(cell.value) if cell.data_type == "f" else cell.value for cell in row]
        if not _is_blank(cells):
            yield number, cells
