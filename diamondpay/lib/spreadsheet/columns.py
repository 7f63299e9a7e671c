"""Columns of a file: where a value stands in a row, and what it is to a spreadsheet."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

Row = Sequence[Any]
ReadCell = Callable[[Row], str]

# A double keeps any 15 significant digits, and Excel shows no more.
DIGITS_MAX = 15
DECIMALS_MAX = 18
DECIMALS_DEFAULT = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER_SECONDS = 900


class Kind(enum.StrEnum):
    """What a column is to a spreadsheet.

    TEXT also for numbers that nobody adds up (ids, card tails): no digit and no leading zero is lost.
    AMOUNT is a Decimal shown with its currency's decimals; NUMBER a Decimal or int shown as it is.
    MOMENT is an aware datetime, shown in the file's zone to the second; DAY a date.
    """

    TEXT = "text"
    AMOUNT = "amount"
    NUMBER = "number"
    MOMENT = "moment"
    DAY = "day"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. `position` says where its value stands in each row.

    `unit_position`: where the currency of an AMOUNT stands. `words`: the texts of a choice's stored values.
    """

    title: str
    position: int
    kind: Kind = Kind.TEXT
    unit_position: int | None = None
    words: Mapping[Any, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Look:
    """What all cells of a file share: the zone of its times and the decimals of each currency."""

    zone: tzinfo
    decimals: Mapping[str, int] = field(default_factory=dict)


def decimals_of(column: Column, look: Look) -> Callable[[Row], int]:
    """Return what tells the decimals of an amount from its row."""
    position, decimals = column.unit_position, look.decimals
    if position is None:
        return lambda row: DECIMALS_DEFAULT
    return lambda row: decimals.get(row[position], DECIMALS_DEFAULT)


def plain(number: Decimal | int) -> str:
    """Return the digits, without an exponent or zeros at the end of decimals; never through a float."""
    if type(number) is int:
        return str(number)
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def is_exact(text: str) -> bool:
    """Say whether a spreadsheet can hold the plain number: at most 15 digits from the first to the last that
    is not zero.
    """
    return len(text) <= DIGITS_MAX or len(text.replace(".", "").strip("-0")) <= DIGITS_MAX


def local_seconds(zone: tzinfo) -> Callable[[datetime], int]:
    """Return what turns a moment into whole seconds since 1970 on the zone's clock.

    No zone changes its offset but at a quarter of an hour, so each quarter is looked up once.
    """
    offsets: dict[int, int] = {}

    def seconds(moment: datetime) -> int:
        since = moment - _EPOCH
        utc = since.days * 86_400 + since.seconds
        quarter = utc // _QUARTER_SECONDS
        offset = offsets.get(quarter)
        if offset is None:
            if len(offsets) > 100_000:
                offsets.clear()
            # Historic offsets with odd seconds count from the moment itself and are not remembered.
            exact = moment.astimezone(zone).utcoffset() or timedelta()
            offset = exact.days * 86_400 + exact.seconds
            if offset % _QUARTER_SECONDS:
                return utc + offset
            offsets[quarter] = offset
        return utc + offset

    return seconds


def day_number(day: date) -> int:
    """Return the day's serial number in a spreadsheet (1899-12-30 is 0)."""
    return day.toordinal() - 693_594
