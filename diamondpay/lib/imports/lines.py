"""What stands in a file that somebody handed in: its lines, by sheet and row, as plain texts.

The file itself is read by `spreadsheet.upload_kinds`, which trusts nothing of it and bounds all of it. Here
its cells become lines by the headings of the first row. What a cell holds that no text can say exactly (a
formula, a date, a number that a spreadsheet has rounded) is a fault of that cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.spreadsheet import upload_kinds
from diamondpay.lib.spreadsheet.uploads import (
    MEGABYTE,
    Cell,
    CellKind,
    FileRefused,
    Limits,
    Sheet,
    SheetRow,
)

BYTES_MAX = 2 * MEGABYTE
ROWS_MAX = 2_000
TEXT_LENGTH_MAX = 500_000
_CELL_LENGTH_MAX = 1_000
_SHOWN_LENGTH_MAX = 100
# What is read of a file at all; a cell that is too long for any column is told as a fault with its place.
TAKEN = Limits(
    file_bytes_max=BYTES_MAX,
    unpacked_bytes_max=30 * MEGABYTE,
    ratio_max=100,
    part_count_max=500,
    sheet_count_max=20,
    # With the row of titles; `_read_sheet` counts the rows below them over all sheets.
    row_count_max=ROWS_MAX + 1,
    text_length_max=10_000,
)
_CSV = "CSV"


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


def read(content: bytes, *, name: str, headings: Mapping[str, str]) -> Lines:
    """Read an Excel book or a CSV file whose first row names columns; hidden sheets are not read.

    Shapes: `headings` leads from each name that a column may have, as `key_of` writes it, to its key.
    Raises: FileRefused in words for the file as a whole.
    """
    sheets = upload_kinds.read(content, name=name, limits=TAKEN)
    found = _Found(headings=headings)
    read_sheets: list[str] = []
    unread: list[str] = []
    for sheet in sheets:
        if not sheet.is_hidden:
            (read_sheets if _read_sheet(sheet, found) else unread).append(sheet.name or _CSV)
    if not read_sheets:
        raise FileRefused(_t("No sheet has these headings in its first row: %s.") % _names(headings))
    if not found.lines and not found.faults:
        raise FileRefused(_t("There are headings and no rows below them."))
    return Lines(
        lines=tuple(found.lines), faults=tuple(found.faults), sheets=tuple(read_sheets), unread=tuple(unread)
    )


def key_of(heading: str) -> str:
    """Return a heading as it is looked up: however it is spaced and capitalised."""
    return " ".join(heading.casefold().split())


def _names(headings: Mapping[str, str]) -> str:
    # Each column once, by the last name it is known under, which is the one that people read.
    return ", ".join({key: name for name, key in headings.items()}.values())


def _read_sheet(sheet: Sheet, found: _Found) -> bool:
    """Read a sheet; False when its first row has none of the headings."""
    if not sheet.rows:
        return False
    name, head = sheet.name or _CSV, sheet.rows[0]
    keys: dict[int, str] = {}
    faults: list[Fault] = []
    for place, cell in sorted(head.cells.items()):
        key = found.headings.get(key_of(cell.text))
        if key is None:
            reason = _t("There is no such column. Known are: %s.") % _names(found.headings)
            faults.append(_fault(name, head, cell.text, reason))
        elif key in keys.values():
            faults.append(_fault(name, head, cell.text, _t("This column stands twice.")))
        else:
            keys[place] = key
    if not keys:
        return False
    found.faults += faults
    for row in sheet.rows[1:]:
        if len(found.lines) >= ROWS_MAX:
            raise FileRefused(_t("The file has more than %d rows. Divide it.") % ROWS_MAX)
        found.lines.append(_line(name, row, head=head, keys=keys, found=found))
    return True


def _fault(sheet: str, row: SheetRow, column: str, reason: str, value: str = "") -> Fault:
    return Fault(
        sheet=sheet, row=row.number, reason=reason, column=column[:_SHOWN_LENGTH_MAX],
        value=value[:_SHOWN_LENGTH_MAX],
    )  # fmt: skip


def _line(
    sheet: str, row: SheetRow, *, head: SheetRow, keys: Mapping[int, str], found: _Found
) -> Line:  # fmt: skip
    cells: dict[str, str] = {}
    for place, cell in sorted(row.cells.items()):
        title = head.cells.get(place)
        if title is None:
            found.faults.append(_fault(sheet, row, "", _t("This cell stands under no heading."), cell.text))
        elif place in keys:
            text, reason = _text(cell)
            if reason:
                found.faults.append(_fault(sheet, row, title.text, reason, text))
            cells[keys[place]] = text
            found.text_length += len(text)
    if found.text_length > TEXT_LENGTH_MAX:
        raise FileRefused(_t("The file holds too much text. Divide it."))
    return Line(sheet=sheet, row=row.number, cells=cells)


def _text(cell: Cell) -> tuple[str, str]:
    """Return a cell as a text, and what is wrong with it."""
    if cell.kind is CellKind.TRUTH:
        return ("yes" if cell.text == "TRUE" else "no"), ""
    reason = _REFUSED.get(cell.kind)
    if reason is not None:
        return cell.text, str(reason)
    if len(cell.text) > _CELL_LENGTH_MAX:
        return cell.text, _t("This text has more than %d characters.") % _CELL_LENGTH_MAX
    odd = next((sign for sign in cell.text if not sign.isprintable()), None)
    if odd is not None:
        return cell.text, _t("This text holds the character U+%04X, which nobody can see.") % ord(odd)
    return cell.text, ""


_REFUSED: Mapping[CellKind, Promise] = {
    CellKind.FORMULA: _("This is a formula. Put its value there."),
    CellKind.FAULT: _("This is an error of the spreadsheet. Put the value there."),
    CellKind.MOMENT: _("This is a date or time, and none is wanted here."),
    CellKind.ROUNDED: _(
        "Excel rounds numbers of more than 15 digits. Format the cell as text and type it again."
    ),
}
