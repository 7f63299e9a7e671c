"""Reading an uploaded XLSX book: the texts and numbers of its cells as they stand there.

Not through openpyxl: it makes floats of numbers, which lose a card's digits and an amount's cents, and it
takes in the whole book before anybody could say that it is too large.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation

from diamondpay.lib.spreadsheet import xlsx_moments
from diamondpay.lib.spreadsheet.columns import DIGITS_MAX
from diamondpay.lib.spreadsheet.uploads import (
    Cell,
    CellKind,
    Limits,
    Sheet,
    SheetRow,
    add_row,
    check_length,
    plain_text,
)
from diamondpay.lib.spreadsheet.xlsx_archive import Archive, broken, too_many_sheets

_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
# Excel writes 17 digits, 1.1 as 1.1000000000000001, and shows 15 of them: those are what a person typed.
_SHOWN = Context(prec=DIGITS_MAX)
_NUMBER_LENGTH_MAX = 40
_EXPONENT_MAX = 40
_ROWS_OF_A_SHEET = 1_048_576


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    file: str
    is_hidden: bool


def read(content: bytes, limits: Limits) -> list[Sheet]:
    """Return the worksheets of a book with their rows, in the order of the tabs. Raises: FileRefused."""
    archive = Archive(content, limits)
    archive.check_types()
    listed, styles = _listed(archive, limits)
    texts, moments = _shared_texts(archive), xlsx_moments.read(archive, styles)
    sheets = []
    for entry in listed:
        sheet = Sheet(name=entry.name, is_hidden=entry.is_hidden)
        reader = _SheetReader(sheet=sheet, texts=texts, moments=moments, limits=limits)
        archive.parse(entry.file, start=reader.start, end=reader.end, text=reader.text)
        sheets.append(reader.sheet)
    return sheets


def _listed(archive: Archive, limits: Limits) -> tuple[list[_Listed], str]:
    """Return the book's worksheets and where each stands, and the part of its styles."""
    book = next(
        (target for kind, target in _relations(archive, "_rels/.rels", "").values()
         if kind == "officeDocument"),
        None,
    )  # fmt: skip
    if book is None:
        raise broken()
    folder, name = posixpath.split(book)
    targets = _relations(archive, f"{folder}/_rels/{name}.rels", folder)
    tabs: list[tuple[str, str, bool]] = []

    def start(element: str, attributes: Mapping[str, str]) -> None:
        if element == "sheet":
            is_hidden = attributes.get("state", "visible") != "visible"
            tabs.append((attributes.get("name", ""), attributes.get("id", ""), is_hidden))

    archive.parse(book, start=start)
    if len(tabs) > limits.sheet_count_max:
        raise too_many_sheets(len(tabs), limits)
    found = [(tab, is_hidden, targets.get(key, ("", ""))) for tab, key, is_hidden in tabs]
    styles = next((target for kind, target in targets.values() if kind == "styles"), "")
    # A sheet that is a chart alone has no cells.
    return [
        _Listed(tab, target, is_hidden) for tab, is_hidden, (kind, target) in found if kind == "worksheet"
    ], styles


def _relations(archive: Archive, name: str, folder: str) -> dict[str, tuple[str, str]]:
    """Return what a part refers to within the book, by id: the kind and the part."""
    found: dict[str, tuple[str, str]] = {}

    def start(element: str, attributes: Mapping[str, str]) -> None:
        if element == "Relationship" and attributes.get("TargetMode", "Internal") == "Internal":
            kind = attributes.get("Type", "").rpartition("/")[2]
            target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", "")))
            found[attributes.get("Id", "")] = (kind, target.lstrip("/"))

    archive.parse(name, start=start)
    return found


def _shared_texts(archive: Archive) -> list[str]:
    """Return the texts that cells name by their place; how they are pronounced is left out."""
    texts: list[str] = []
    pieces: list[str] = []
    place = {"text": False, "spoken": False}

    def start(element: str, _attributes: Mapping[str, str]) -> None:
        if element == "si":
            pieces.clear()
        elif element == "rPh":
            place["spoken"] = True
        elif element == "t":
            place["text"] = not place["spoken"]

    def end(element: str) -> None:
        if element == "si":
            texts.append("".join(pieces))
        elif element == "rPh":
            place["spoken"] = False
        elif element == "t":
            place["text"] = False

    def text(piece: str) -> None:
        if place["text"]:
            pieces.append(piece)

    archive.parse("xl/sharedStrings.xml", start=start, end=end, text=text, is_required=False)
    return texts


class _SheetReader:
    """Takes a sheet's elements as they come and keeps the rows that hold something."""

    def __init__(
        self, *, sheet: Sheet, texts: list[str], moments: frozenset[int], limits: Limits
    ) -> None:  # fmt: skip
        self.sheet = sheet
        self._texts, self._moments, self._limits = texts, moments, limits
        self._is_moment = False
        self._row_number = self._column = 0
        self._is_hidden = self._is_formula = False
        self._kind, self._inside = "", ""
        self._cells: dict[int, Cell] = {}
        self._value: list[str] = []
        self._formula: list[str] = []

    def start(self, element: str, attributes: Mapping[str, str]) -> None:
        """Take the beginning of an element."""
        if element == "row":
            self._row_number = _row_of(attributes.get("r", ""), self._row_number + 1)
            self._is_hidden = attributes.get("hidden", "0") in ("1", "true")
            self._cells, self._column = {}, -1
        elif element == "c":
            self._column = _column_of(attributes.get("r", ""), self._column + 1)
            self._kind, self._is_formula = attributes.get("t", "n"), False
            style = attributes.get("s", "0")
            self._is_moment = style.isdigit() and len(style) < 9 and int(style) in self._moments
            self._value, self._formula = [], []
        elif element == "f":
            self._is_formula, self._inside = True, "f"
        elif element in ("v", "t"):
            self._inside = element
        elif element == "rPh":
            self._inside = "spoken"

    def end(self, element: str) -> None:
        """Take the end of an element."""
        if element in ("f", "v", "t", "rPh"):
            self._inside = ""
        elif element == "c":
            cell = self._cell()
            if cell is not None:
                self._cells[self._column] = cell
        elif element == "row" and self._cells:
            row = SheetRow(number=self._row_number, cells=self._cells, is_hidden=self._is_hidden)
            add_row(self.sheet, row, self._limits)

    def text(self, piece: str) -> None:
        """Take characters."""
        if self._inside == "f":
            self._formula.append(piece)
        elif self._inside in ("v", "t"):
            self._value.append(piece)

    def _cell(self) -> Cell | None:
        """Return the cell that just ended; None for an empty one."""
        value = "".join(self._value)
        if self._is_formula:
            formula = "".join(self._formula)
            return Cell(f"={formula[: self._limits.text_length_max]}", CellKind.FORMULA)
        if self._kind == "s":
            value = self._shared(value)
        if self._kind in ("s", "str", "inlineStr"):
            text = plain_text(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), value))
            check_length(text, self._limits)
            return Cell(text) if text else None
        if not value.strip():
            return None
        if self._kind == "b":
            return Cell("TRUE" if value.strip() == "1" else "FALSE", CellKind.TRUTH)
        if self._kind == "e":
            return Cell(value.strip()[:20], CellKind.FAULT)
        if self._kind == "d":
            return Cell(value.strip()[:40], CellKind.MOMENT)
        return xlsx_moments.shown(value) if self._is_moment else _number(value.strip())

    def _shared(self, place: str) -> str:
        number = int(place) if place.strip().isdigit() and len(place) < 9 else -1
        if not 0 <= number < len(self._texts):
            raise broken()
        return self._texts[number]


def _row_of(given: str, following: int) -> int:
    """Return a row's number; one that does not say follows the one before. Raises: FileRefused."""
    if not given:
        return following
    if not (given.isascii() and given.isdigit() and len(given) < 8 and 0 < int(given) <= _ROWS_OF_A_SHEET):
        raise broken()
    return int(given)


def _column_of(reference: str, following: int) -> int:
    """Return a cell's column from 0; a cell that does not say follows the one before."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return following
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - 64
    return column - 1


def _number(value: str) -> Cell:
    """Return a number as the digits that a person sees in the sheet. Raises: FileRefused."""
    try:
        number = Decimal(value) if len(value) <= _NUMBER_LENGTH_MAX and value.isascii() else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > _EXPONENT_MAX:
        raise broken()
    text = f"{_SHOWN.plus(number):f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    is_rounded = number.adjusted() >= DIGITS_MAX
    return Cell("0" if text == "-0" else text, CellKind.ROUNDED if is_rounded else CellKind.NUMBER)
