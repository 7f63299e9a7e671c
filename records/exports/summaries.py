"""What stands in front of a book, and on the page of its job: what it holds, for whom, and its sums."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _t

from diamondpay.lib import money
from diamondpay.lib.spreadsheet import summary as sheets
from diamondpay.lib.spreadsheet.summary import Cell, Line, Summary
from records.exports.sources import Opened, Sums
from records.models import ExportFormat, ExportJob

_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Written(Protocol):
    """What the summary asks of the writer of the data."""

    @property
    def row_count(self) -> int:
        """How many rows there are."""

    @property
    def inexact_count(self) -> int:
        """How many numbers stand as text."""

    @property
    def sheet_count(self) -> int:
        """How many data sheets there are."""

    @property
    def data_sha256(self) -> str:
        """The hash of the data."""


def of(*, job: ExportJob, opened: Opened, writer: Written, zone: ZoneInfo) -> Summary:
    """Return the summary of a file whose rows are written."""
    assert job.snapshot_at is not None  # noqa: S101 - set when the snapshot was opened
    lines = [
        sheets.line(_t("Made for"), job.requested_by.get_username()),
        sheets.line(_t("Rows as of"), _moment(job.snapshot_at, zone)),
        sheets.line(_t("Times are in"), zone.key),
        *(
            sheets.line(_t("Filters") if number == 0 else "", words)
            for number, words in enumerate(opened.filters or (_t("none: every row"),))
        ),
        *(sheets.line("" if number else _t("Note"), words) for number, words in enumerate(opened.notes)),
        sheets.gap(),
        sheets.line(_t("Rows"), writer.row_count),
        sheets.line(_t("Data sheets"), writer.sheet_count),
    ]
    for table in opened.sums:
        lines += [sheets.gap(), *_table(table)]
    lines += [sheets.gap(), *_checks(job, writer)]
    return Summary(title=_t("Summary"), heading=opened.title, lines=tuple(lines))


def as_json(summary: Summary) -> list[dict[str, Any]]:
    """Return the summary as a job keeps it for its page: facts, and tables with a title, headings, rows."""
    blocks: list[dict[str, Any]] = []
    for line in summary.lines:
        cells = [_shown(cell) for cell in line.cells]
        last = blocks[-1] if blocks else {}
        if line.is_heading and len(cells) == 1:
            blocks.append({"title": cells[0]["text"], "headings": [], "rows": []})
        elif line.is_heading:
            if last.get("headings") != []:
                blocks.append({"title": "", "headings": [], "rows": []})
            blocks[-1]["headings"] = [cell["text"] for cell in cells]
        elif not cells:
            blocks.append({"facts": []})
        elif "rows" in last:
            last["rows"].append(cells)
        else:
            if "facts" not in last:
                blocks.append({"facts": []})
            blocks[-1]["facts"].append([cell["text"] for cell in cells])
    return [block for block in blocks if block.get("facts") != []]


def file_name(*, job: ExportJob, opened: Opened, zone: ZoneInfo, suffix: str) -> str:
    """Return the name under which the file is saved: what it holds, and as of when."""
    assert job.snapshot_at is not None  # noqa: S101 - set when the snapshot was opened
    title = _NOT_IN_FILE_NAMES.sub("-", opened.file_title or opened.title).strip("-").lower() or job.kind
    return f"{title[:80]}-{job.snapshot_at.astimezone(zone):%Y%m%d-%H%M%S}-{job.pk}.{suffix}"


def _table(table: Sums) -> Iterator[Line]:
    if table.title:
        yield sheets.heading(table.title)
    yield sheets.heading(*table.headings)
    for row in table.rows:
        yield Line(cells=tuple(row))


def _checks(job: ExportJob, writer: Written) -> Iterator[Line]:
    if job.format == ExportFormat.XLSX:
        yield sheets.line(_t("SHA-256 of the data sheets"), writer.data_sha256)
        yield sheets.line(_t("To check it"), "unzip -p FILE 'xl/worksheets/data*.xml' | sha256sum")
    if writer.inexact_count:
        words = _t(
            "%d amounts have more than 15 digits, which a spreadsheet would round. They stand as text on a"
            " tinted ground, with every digit, and no formula adds them up; the sums above hold them."
        )
        yield sheets.line(_t("Note"), words % writer.inexact_count)


def _moment(moment: Any, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %z}"


def _shown(cell: Cell) -> dict[str, Any]:
    if cell.decimals is not None:
        return {"text": money.render(Decimal(cell.value), cell.decimals), "is_number": True}
    if isinstance(cell.value, int):
        return {"text": f"{cell.value:,}", "is_number": True}
    return {"text": str(cell.value), "is_number": False}
