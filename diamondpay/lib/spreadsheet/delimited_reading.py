"""Reading an uploaded CSV file: UTF-8, separated by what its first line has: commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io

from django.utils.translation import gettext_lazy as _

from diamondpay.lib.spreadsheet.uploads import (
    Cell,
    CellKind,
    FileRefused,
    Limits,
    Sheet,
    SheetRow,
    add_row,
    check_length,
    plain_text,
)

_SEPARATORS = ",;\t"


def read(content: bytes, limits: Limits) -> Sheet:
    """Return the rows of a CSV file; a row is numbered by where it stands, as a spreadsheet shows it.

    Raises: FileRefused.
    """
    text = _decoded(content)
    if "\x00" in text:
        raise FileRefused(_("The file is called .csv but is no text."))
    first_line = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first_line.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    sheet = Sheet(name="")
    number = 0
    try:
        for number, values in enumerate(rows, start=1):
            cells = {column: _cell(value, limits) for column, value in enumerate(values) if plain_text(value)}
            if cells:
                add_row(sheet, SheetRow(number=number, cells=cells), limits)
    except csv.Error as fault:
        shape = _("The file cannot be read after row %d: a quotation mark is open or out of place.")
        raise FileRefused(shape % number) from fault
    return sheet


def _cell(value: str, limits: Limits) -> Cell:
    text = plain_text(value)
    check_length(text, limits)
    return Cell(text, CellKind.FORMULA if text.startswith("=") else CellKind.TEXT)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # A guess at the encoding would put wrong names on transfers.
        raise FileRefused(_("The file is not UTF-8. Save it as “CSV UTF-8”, or as .xlsx.")) from None
