"""A CSV file (RFC 4180, UTF-8 with a mark for Excel) of the same rows as a book.

A CSV cell has no type, so programs guess one from its text. Where a text would be executed as a formula or
altered (a long card number to 6.2E+18, 007 to 7, 1-2 to a day), a tab goes in front: every spreadsheet then
keeps it as text and shows it unchanged, and a program gets the value back by removing leading tabs.
Amounts are plain decimals with a point, times `2026-01-31 14:05:09` in the file's zone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import BinaryIO

from diamondpay.lib.spreadsheet import texts
from diamondpay.lib.spreadsheet.columns import (
    Column,
    Kind,
    Look,
    ReadCell,
    Row,
    decimals_of,
    local_seconds,
    plain,
)
from diamondpay.lib.spreadsheet.summary import Summary

BATCH_ROWS = 500
_MARK = "\ufeff"
_LINE_END = "\r\n"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a time on the clock of the file's zone
_QUOTED = re.compile('[",\n\t]|^ | $')
_EXECUTED = re.compile(r"\s*[=+\-@|＝＋－＠]|\s")
# Texts that a spreadsheet takes for a number, a time, a day or a truth and would show in another form.
_ALTERED_DIGITS = re.compile(
    r"0\d.*|\d{16,}|\d*\.\d*0|\.\d+|[\d.]*[,:/ %-][\d.,:/ %-]*|\d+\.?\d*e[+-]?\d+"
    r"|\d+[ ./-]?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*([ ./-]?\d+)?",
    re.IGNORECASE | re.ASCII,
)
_ALTERED_WORDS = re.compile(
    r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ ./-]?\d.*|true|false",
    re.IGNORECASE | re.ASCII,
)
_WORDS_BEGIN = frozenset("jfmasondtJFMASONDT")
_REMEMBERED_MAX = 2_000
_REMEMBERED_LENGTH_MAX = 100


class Delimited:
    """A CSV file, with the interface of `xlsx.Book`; it has no summary, so `close` leaves it out."""

    suffix = "csv"
    content_type = "text/csv; charset=utf-8"
    sheet_count = 1
    inexact_count = 0

    def __init__(self, file: BinaryIO, *, columns: Sequence[Column], look: Look, title: str) -> None:
        self._file = file
        self._cells = [_read_cell(column, look) for column in columns]
        self._hash = hashlib.sha256()
        self.row_count = 0
        self._put(_MARK + ",".join(text_cell(column.title) for column in columns) + _LINE_END)

    @property
    def data_sha256(self) -> str:
        """The hash of the file so far."""
        return self._hash.hexdigest()

    def write(self, rows: Iterable[Row]) -> None:
        """Add rows."""
        source, cells = iter(rows), self._cells
        while batch := list(islice(source, BATCH_ROWS)):
            lines = [",".join([cell(row) for cell in cells]) for row in batch]
            self._put(_LINE_END.join(lines) + _LINE_END)
            self.row_count += len(batch)

    def end_rows(self) -> None:
        """Finish the data."""
        self._file.flush()

    def close(self, summary: Summary) -> None:
        """Leave the summary out: a table of its own inside the file would spoil the rows for programs."""

    def abandon(self) -> None:
        """Let go of the file without finishing it."""

    def _put(self, text: str) -> None:
        content = text.encode()
        self._hash.update(content)
        self._file.write(content)


def text_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet executes or alters."""
    if not text:
        return ""
    first = text[0]
    if text.isalnum() and len(text) <= _REMEMBERED_LENGTH_MAX:
        # Letters and digits alone need no quotes and are no formula, and most ids are that.
        return f'"\t{text}"' if _is_altered(first, text) else text
    text = texts.clean(text)
    if _EXECUTED.match(text) or _is_altered(first, text):
        text = "\t" + text
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _is_altered(first: str, text: str) -> bool:
    if first in _WORDS_BEGIN:
        return _ALTERED_WORDS.fullmatch(text) is not None
    return not first.isalpha() and _ALTERED_DIGITS.fullmatch(text) is not None


def _read_cell(column: Column, look: Look) -> ReadCell:
    if column.kind is Kind.TEXT:
        return _texts(column)
    if column.kind is Kind.AMOUNT:
        return _amounts(column, look)
    if column.kind is Kind.MOMENT:
        return _moments(column, look)
    position, write = column.position, plain if column.kind is Kind.NUMBER else str

    def cell(row: Row) -> str:
        value = row[position]
        return "" if value is None else write(value)

    return cell


def _texts(column: Column) -> ReadCell:
    position = column.position
    words = {key: text_cell(str(word)) for key, word in (column.words or {}).items()}
    remembered: dict[str, str] = {}

    def cell(row: Row) -> str:
        value = row[position]
        if type(value) is str and not words:
            found = remembered.get(value)
            if found is None:
                found = text_cell(value)
                if len(remembered) < _REMEMBERED_MAX and len(value) <= _REMEMBERED_LENGTH_MAX:
                    remembered[value] = found
            return found
        if value is None:
            return ""
        found = words.get(value)
        return text_cell(str(value)) if found is None else found

    return cell


def _amounts(column: Column, look: Look) -> ReadCell:
    position, decimals = column.position, decimals_of(column, look)

    def cell(row: Row) -> str:
        amount = row[position]
        if amount is None:
            return ""
        text = plain(amount)
        if "." not in text:
            text += "."
        missing = decimals(row) - (len(text) - text.index(".") - 1)
        return (text + "0" * missing if missing > 0 else text).rstrip(".")

    return cell


def _moments(column: Column, look: Look) -> ReadCell:
    position, seconds = column.position, local_seconds(look.zone)

    def cell(row: Row) -> str:
        moment: datetime | None = row[position]
        if moment is None:
            return ""
        return str(_EPOCH + timedelta(seconds=seconds(moment)))

    return cell
