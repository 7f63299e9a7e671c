"""An XLSX book in one pass: rows go to the disk as they come, so a million take the memory of a thousand."""

from __future__ import annotations

import hashlib
import itertools
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from diamondpay.lib.spreadsheet import texts, xlsx_cells, xlsx_parts
from diamondpay.lib.spreadsheet.columns import Column, Kind, Look, Row
from diamondpay.lib.spreadsheet.summary import Line, Summary

SHEET_ROWS_MAX = 1_048_575  # A sheet has 1,048,576, and the first is the header.
# Below the size from which the archive would need the 64-bit form, which not every reader opens.
SHEET_BYTES_MAX = 1_900_000_000
BATCH_ROWS = 500
_COMPRESSION = 1
_WIDTHS = {Kind.MOMENT: 20, Kind.DAY: 12}
_WIDTH_MIN, _WIDTH_MAX = 8, 48
_INEXACT_MARK = f'<c s="{xlsx_cells.INEXACT}"'
_LABEL_WIDTH, _VALUE_WIDTH = 34, 24


class Book:
    """A book of data sheets with a summary in front: `write` as often as needed, `end_rows`, `close`.

    Known after `end_rows`: `row_count`, `sheet_count`, `inexact_count` (numbers kept as text because a
    spreadsheet would round them) and `data_sha256`, the hash of the data sheets as they stand in the archive
    (`unzip -p FILE 'xl/worksheets/data*.xml' | sha256sum`).
    """

    suffix = "xlsx"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(
        self,
        file: BinaryIO,
        *,
        columns: Sequence[Column],
        look: Look,
        title: str,
        sheet_rows_max: int = SHEET_ROWS_MAX,
        sheet_bytes_max: int = SHEET_BYTES_MAX,
    ) -> None:
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION)
        self._columns, self._look, self._title = tuple(columns), look, title
        self._cells = [xlsx_cells.read_cell(column, look) for column in self._columns]
        self._sheet_rows_max, self._sheet_bytes_max = sheet_rows_max, sheet_bytes_max
        self._hash = hashlib.sha256()
        self._parts: list[xlsx_parts.Part] = []
        self._sheet: Any = None
        self._sheet_rows = self._sheet_bytes = 0
        self._widths: tuple[int, ...] = ()
        self.row_count = self.inexact_count = 0

    @property
    def sheet_count(self) -> int:
        """How many data sheets there are so far."""
        return len(self._parts)

    @property
    def data_sha256(self) -> str:
        """The hash of the data sheets so far."""
        return self._hash.hexdigest()

    def write(self, rows: Iterable[Row]) -> None:
        """Add rows. The widths of the columns follow the first batch."""
        source = iter(rows)
        while batch := list(itertools.islice(source, BATCH_ROWS)):
            if not self._widths:
                self._widths = tuple(_width(column, batch) for column in self._columns)
            while batch:
                if self._sheet is None or self._is_full():
                    self._open_sheet()
                room = self._sheet_rows_max - self._sheet_rows
                self._write_rows(batch[:room])
                batch = batch[room:]

    def end_rows(self) -> None:
        """Finish the data, whose hash is known from here on; without rows, there is the header."""
        if not self._parts:
            self._widths = tuple(_width(column, []) for column in self._columns)
            self._open_sheet()
        self._close_sheet()

    def close(self, summary: Summary) -> None:
        """Write the summary and what holds the book together; after `end_rows`."""
        front = xlsx_parts.Part(name=self._summary_name(summary.title), file="summary.xml")
        self._write_part(f"xl/worksheets/{front.file}", _summary_sheet(summary))
        parts = [front, *self._parts]
        for name, text in (
            ("xl/styles.xml", xlsx_parts.STYLES),
            ("xl/workbook.xml", xlsx_parts.workbook(parts)),
            ("xl/_rels/workbook.xml.rels", xlsx_parts.workbook_relations(parts)),
            ("[Content_Types].xml", xlsx_parts.content_types(parts)),
        ):
            self._write_part(name, [text])
        self._archive.close()

    def abandon(self) -> None:
        """Let go of the file unfinished: nothing more is written to it, also not by the collector."""
        self._archive.fp = None

    def _summary_name(self, wanted: str) -> str:
        name = xlsx_parts.sheet_name(wanted)
        taken = {part.name.casefold() for part in self._parts}
        return name if name.casefold() not in taken else xlsx_parts.sheet_name(wanted, len(taken) + 1)

    def _is_full(self) -> bool:
        return self._sheet_rows >= self._sheet_rows_max or self._sheet_bytes >= self._sheet_bytes_max

    def _open_sheet(self) -> None:
        self._close_sheet()
        if not self._parts:
            # By its first part programs tell what kind of archive it is.
            self._write_part("_rels/.rels", [xlsx_parts.ROOT_RELATIONS])
        number = len(self._parts) + 1
        name = xlsx_parts.sheet_name(self._title, number)
        self._parts.append(xlsx_parts.Part(name=name, file=f"data{number}.xml"))
        self._sheet = self._archive.open(f"xl/worksheets/data{number}.xml", "w")
        self._sheet_rows = self._sheet_bytes = 0
        widths = "".join(
            f'<col min="{n}" max="{n}" width="{width}" customWidth="1"/>'
            for n, width in enumerate(self._widths, start=1)
        )
        heading = "".join(xlsx_cells.text_cell(column.title, xlsx_cells.HEADING) for column in self._columns)
        self._put(
            f'{xlsx_parts.SHEET_OPEN}<sheetViews><sheetView workbookViewId="0"><pane ySplit="1"'
            ' topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"'
            f' activeCell="A2" sqref="A2"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/>'
            f"<cols>{widths}</cols><sheetData><row>{heading}</row>"
        )

    def _write_rows(self, batch: Sequence[Row]) -> None:
        cells, join = self._cells, "".join
        text = join([f"<row>{join([cell(row) for cell in cells])}</row>" for row in batch])
        self.inexact_count += text.count(_INEXACT_MARK)
        self._put(text)
        self._sheet_rows += len(batch)
        self.row_count += len(batch)

    def _close_sheet(self) -> None:
        if self._sheet is None:
            return
        last = self._sheet_rows + 1
        span = f"A1:{xlsx_parts.column_letter(len(self._columns))}{last}"
        letters = [
            xlsx_parts.column_letter(number)
            for number, column in enumerate(self._columns, start=1)
            if column.kind is Kind.TEXT
        ]
        # Ids are text on purpose: no green corner in each of their cells.
        quiet = " ".join(f"{letter}1:{letter}{last}" for letter in letters)
        self._put(
            f'</sheetData><autoFilter ref="{span}"/>'
            '<pageMargins left="0.4" right="0.4" top="0.5" bottom="0.5" header="0.3" footer="0.3"/>'
            '<pageSetup orientation="landscape"/>'
            + (
                f'<ignoredErrors><ignoredError sqref="{quiet}" numberStoredAsText="1"/></ignoredErrors>'
                if quiet
                else ""
            )
            + xlsx_parts.SHEET_CLOSE
        )
        self._sheet.close()
        self._sheet = None
        opened = self._parts[-1]
        self._parts[-1] = xlsx_parts.Part(name=opened.name, file=opened.file, filtered=span)

    def _put(self, text: str) -> None:
        content = text.encode()
        self._hash.update(content)
        self._sheet.write(content)
        self._sheet_bytes += len(content)

    def _write_part(self, name: str, pieces: Iterable[str]) -> None:
        with self._archive.open(name, "w") as part:
            for piece in pieces:
                part.write(piece.encode())


def _width(column: Column, rows: Sequence[Row]) -> int:
    """Return a width in characters for the title with its filter arrow and what the first rows hold."""
    widest = max((_shown(column, row) for row in rows), default=0)
    wanted = max(_WIDTHS.get(column.kind, 0), widest + 2, _columns_of(column.title) + 4)
    return max(_WIDTH_MIN, min(wanted, _WIDTH_MAX))


def _shown(column: Column, row: Row) -> int:
    value = row[column.position]
    if value is None or column.kind in _WIDTHS:
        return 0
    if column.kind is Kind.TEXT:
        return _columns_of(str((column.words or {}).get(value, value))[:_WIDTH_MAX])
    return len(f"{value:,.2f}")


def _columns_of(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _summary_sheet(summary: Summary) -> Iterator[str]:
    widest = max((len(line.cells) for line in summary.lines), default=1)
    widths = [_LABEL_WIDTH, *([_VALUE_WIDTH] * max(widest - 1, 1))]
    yield (
        f'{xlsx_parts.SHEET_OPEN}<sheetViews><sheetView tabSelected="1" showGridLines="0"'
        ' workbookViewId="0"/>'
        '</sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>'
    )
    for number, width in enumerate(widths, start=1):
        yield f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
    yield "</cols><sheetData>"
    yield f"<row>{xlsx_cells.text_cell(summary.heading, xlsx_cells.TITLE)}</row>"
    for line in summary.lines:
        yield f"<row>{''.join(_summary_cells(line))}</row>"
    yield f"</sheetData>{xlsx_parts.SHEET_CLOSE}"


def _summary_cells(line: Line) -> Iterator[str]:
    for cell in line.cells:
        if cell.decimals is not None:
            yield xlsx_cells.amount_cell(cell.value, cell.decimals)
        elif isinstance(cell.value, int):
            yield xlsx_cells.amount_cell(cell.value, 0)
        else:
            yield xlsx_cells.text_cell(
                texts.clean(str(cell.value)), xlsx_cells.HEADING if line.is_heading else xlsx_cells.TEXT
            )
