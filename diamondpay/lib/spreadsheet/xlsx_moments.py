"""Which cells of a book show a date or a time: to the file they are numbers, told by their format alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from diamondpay.lib.spreadsheet.uploads import Cell, CellKind
from diamondpay.lib.spreadsheet.xlsx_archive import Archive

# The formats that every spreadsheet knows by number: dates and times, and those of East Asia.
_BUILT_IN = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
# Of a format, what is shown as it stands: quoted, escaped, filled, and what stands in brackets but for hours
# that go on beyond a day.
_LITERAL = re.compile(r'"[^"]*"|\\.|[_*].|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_SHOWS_A_MOMENT = re.compile("[dmyhs]", re.IGNORECASE)
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a time on the clock of the sheet
_DAYS_MAX = 2_958_465


def read(archive: Archive, styles: str) -> frozenset[int]:
    """Return the places of the cell formats that show a date or a time. Raises: FileRefused."""
    own: set[str] = set()
    found: set[int] = set()
    place = {"formats": False, "count": 0}

    def start(element: str, attributes: Mapping[str, str]) -> None:
        if element == "numFmt":
            code = _LITERAL.sub("", attributes.get("formatCode", ""))
            if _SHOWS_A_MOMENT.search(code) and code.lower() != "general":
                own.add(attributes.get("numFmtId", ""))
        elif element == "cellXfs":
            place["formats"] = True
        elif element == "xf" and place["formats"]:
            number = attributes.get("numFmtId", "0")
            is_built_in = number.isdigit() and len(number) < 5 and int(number) in _BUILT_IN
            if is_built_in or number in own:
                found.add(place["count"])
            place["count"] += 1

    def end(element: str) -> None:
        if element == "cellXfs":
            place["formats"] = False

    if styles:
        archive.parse(styles, start=start, end=end, is_required=False)
    return frozenset(found)


def shown(value: str) -> Cell:
    """Return a cell that shows a moment, in the words of a calendar where the number is one."""
    try:
        days = float(value)
    except ValueError:
        return Cell(value.strip()[:40], CellKind.MOMENT)
    if not 0 <= days <= _DAYS_MAX:
        return Cell(value.strip()[:40], CellKind.MOMENT)
    return Cell(str(_EPOCH + timedelta(seconds=round(days * 86_400))), CellKind.MOMENT)
