"""Files that people upload: XLSX books and CSV tables, read into plain rows, with nothing executed.

Whoever makes the file is not trusted: its size, what its archive unpacks to, its sheets, rows and cells
are bounded before anything is kept, and a refusal says in words what to do about it. Numbers stay digits and
never become a float.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors

MEGABYTE = 1_000_000


class FileRefused(errors.DomainError):
    """The file is not taken; the message says why and what to do."""

    code = "file_refused"


class CellKind(enum.StrEnum):
    """What a cell holds. Only texts and numbers are values; the rest is for a complaint that names it."""

    TEXT = "text"
    NUMBER = "number"
    # A number of more digits than a spreadsheet keeps: what stood behind the fifteenth is lost.
    ROUNDED = "rounded"
    FORMULA = "formula"
    FAULT = "fault"
    TRUTH = "truth"
    # A number that the sheet shows as a date or a time; the text is that moment.
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text without blanks around it, or its number as plain digits."""

    text: str
    kind: CellKind = CellKind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """A row with at least one cell that is not empty. Shapes: `number` from 1, `cells` by column from 0."""

    number: int
    cells: Mapping[int, Cell]
    is_hidden: bool = False


@dataclass(slots=True, kw_only=True)
class Sheet:
    """A sheet and its rows from the top; a CSV file is one sheet without a name."""

    name: str
    is_hidden: bool = False
    rows: list[SheetRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is taken at most. Units: bytes; `unpacked_bytes_max` is for all parts of a book together."""

    file_bytes_max: int = 5 * MEGABYTE
    unpacked_bytes_max: int = 40 * MEGABYTE
    # A table of payouts packs 10 to 30 times; what packs a hundred times is nearly nothing but repetition.
    ratio_max: int = 150
    part_count_max: int = 200
    sheet_count_max: int = 10
    row_count_max: int = 5_001
    column_count_max: int = 60
    text_length_max: int = 500


def plain_text(text: str) -> str:
    """Return a text without blanks around it; the tab that our own CSV files put before numbers is one."""
    return text.strip()


def add_row(sheet: Sheet, row: SheetRow, limits: Limits) -> None:
    """Keep a row. Raises: FileRefused beyond what is taken."""
    if len(sheet.rows) >= limits.row_count_max:
        shape = _("%(sheet)s has more than %(count)s rows. Split it into several files.")
        raise FileRefused(shape % {"sheet": shown_name(sheet.name), "count": f"{limits.row_count_max - 1:,}"})
    if row.cells and max(row.cells) >= limits.column_count_max:
        shape = _("%(sheet)s: row %(row)d has more than %(count)d columns.")
        raise FileRefused(
            shape % {"row": row.number, "sheet": shown_name(sheet.name), "count": limits.column_count_max}
        )
    sheet.rows.append(row)


def check_length(text: str, limits: Limits) -> None:
    """Refuse a cell that is longer than any field. Raises: FileRefused."""
    if len(text) > limits.text_length_max:
        shape = _("A cell has more than %(count)d characters: “%(start)s…”.")
        raise FileRefused(shape % {"count": limits.text_length_max, "start": text[:20]})


def shown_name(name: str) -> str:
    """Return how a sheet is called in a sentence."""
    return str(_("Sheet “%s”") % name[:40]) if name else str(_("The file"))
