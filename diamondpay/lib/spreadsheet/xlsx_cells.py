"""Cells of a sheet as XML. Every text is an inline string, so nothing of it is ever a formula."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from diamondpay.lib.spreadsheet import texts
from diamondpay.lib.spreadsheet.columns import (
    DECIMALS_MAX,
    Column,
    Kind,
    Look,
    ReadCell,
    Row,
    day_number,
    decimals_of,
    is_exact,
    local_seconds,
    plain,
)

# Positions in the list of cell formats that `xlsx_parts.STYLES` writes down.
TEXT, MOMENT, DAY, HEADING, INEXACT, NUMBER, TITLE, NOTE, FIRST_AMOUNT = 1, 2, 3, 4, 5, 6, 7, 8, 9
EMPTY = "<c/>"
_DAY_SECONDS = 86_400
# Serial numbers a spreadsheet can show: from March 1900, since it believes in 1900-02-29, to the year 9999.
_FIRST_DAY, _LAST_DAY = 61, 2_958_465
_UNIX_DAY = 25_569
_UNIX_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a time on the clock of the file's zone
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_NEEDS_ESCAPE = re.compile("[&<>]")
# An application reads _x0041_ as "A": so a text that says so has its first underscore escaped.
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_REMEMBERED_MAX = 2_000
_REMEMBERED_LENGTH_MAX = 100


def text_cell(text: str, style: int = TEXT) -> str:
    """Return a cell that holds the text and nothing else."""
    if not text:
        return EMPTY
    # Letters and digits alone need no second look, and most ids are that.
    if not text.isalnum() or len(text) > _REMEMBERED_LENGTH_MAX:
        text = texts.clean(text)
        text = _NEEDS_ESCAPE.sub(lambda found: _ESCAPED[found.group()], text)
        if "_x" in text:
            text = _LOOKS_ESCAPED.sub("_x005F_", text)
        if text[0].isspace() or text[-1].isspace() or "\n" in text or "  " in text:
            return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f'<c s="{style}" t="inlineStr"><is><t>{text}</t></is></c>'


def amount_cell(amount: Decimal | int, decimals: int) -> str:
    """Return a cell with the amount as a number, shown with at least so many decimals.

    An amount of more than 15 significant digits would be rounded by the spreadsheet, so it stands as text
    with every digit, on a tinted ground, and no formula adds it up.
    """
    text = plain(amount)
    if not is_exact(text) or text[-1] > "9":
        return text_cell(text, INEXACT)
    point = text.find(".")
    if point >= 0 and len(text) - point - 1 > decimals:
        decimals = min(len(text) - point - 1, DECIMALS_MAX)
    return f'<c s="{FIRST_AMOUNT + decimals}"><v>{text}</v></c>'


def number_cell(number: Decimal | int) -> str:
    """Return a cell with the number as it is; as text where a spreadsheet would round it."""
    text = plain(number)
    if not is_exact(text) or text[-1] > "9":
        return text_cell(text, INEXACT)
    return f'<c s="{NUMBER}"><v>{text}</v></c>'


def seconds_cell(local_seconds: int) -> str:
    """Return a cell with a time, given in seconds since 1970 on the file's clock."""
    serial = local_seconds / _DAY_SECONDS + _UNIX_DAY
    if not _FIRST_DAY <= serial < _LAST_DAY + 1:
        return text_cell((_UNIX_EPOCH + timedelta(seconds=local_seconds)).isoformat(" "))
    return f'<c s="{MOMENT}"><v>{serial:.10f}</v></c>'


def day_cell(day: date) -> str:
    """Return a cell with a day."""
    serial = day_number(day)
    return f'<c s="{DAY}"><v>{serial}</v></c>' if serial >= _FIRST_DAY else text_cell(day.isoformat())


def read_cell(column: Column, look: Look) -> ReadCell:
    """Return what makes a column's cell out of a row."""
    maker: dict[Kind, Callable[[Column, Look], ReadCell]] = {
        Kind.TEXT: _texts,
        Kind.AMOUNT: _amounts,
        Kind.NUMBER: _numbers,
        Kind.MOMENT: _moments,
        Kind.DAY: _days,
    }
    return maker[column.kind](column, look)


def _texts(column: Column, look: Look) -> ReadCell:
    position = column.position
    words = {key: text_cell(str(word)) for key, word in (column.words or {}).items()}
    # Merchants, services and channels repeat: their cells are made once.
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
            return EMPTY
        return words.get(value) or text_cell(str(value))

    return cell


def _amounts(column: Column, look: Look) -> ReadCell:
    position, decimals = column.position, decimals_of(column, look)

    def cell(row: Row) -> str:
        amount = row[position]
        return EMPTY if amount is None else amount_cell(amount, decimals(row))

    return cell


def _numbers(column: Column, look: Look) -> ReadCell:
    position = column.position

    def cell(row: Row) -> str:
        number = row[position]
        return EMPTY if number is None else number_cell(number)

    return cell


def _moments(column: Column, look: Look) -> ReadCell:
    position, seconds = column.position, local_seconds(look.zone)

    def cell(row: Row) -> str:
        moment: datetime | None = row[position]
        return EMPTY if moment is None else seconds_cell(seconds(moment))

    return cell


def _days(column: Column, look: Look) -> ReadCell:
    position = column.position

    def cell(row: Row) -> str:
        day: Any = row[position]
        return EMPTY if day is None else day_cell(day)

    return cell
