"""Pages of a list by keyset: newer and older from a row, and page numbers as far as they stay cheap.

A cursor names a row by the columns of the list's order, so going on from it costs the same anywhere in the
book. A page number without a cursor has to walk past what stands before it, so those end at 200.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext

PAGE_NUMBER_MAX = 200
AFTER, BEFORE, NUMBER = "after", "before", "p"
PARAMETERS = frozenset({AFTER, BEFORE, NUMBER})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LENGTH_MAX = 64
_SHAPE = re.compile(r"(-?\d{1,18})\.(\d{1,19})", re.ASCII)
_KEY_MAX = 2**63 - 1


class Unreadable(ValueError):
    """A place in a list cannot be read; the text says why, for people."""


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A row's place in a list: its time, where the order begins with one, and its key."""

    key: int
    at: datetime | None = None

    def __str__(self) -> str:
        micros = 0 if self.at is None else (self.at - _EPOCH) // _MICROSECOND
        return base64.urlsafe_b64encode(f"{micros}.{self.key}".encode()).decode().rstrip("=")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a list: at a page number, after a row (older) or before one (newer).

    Beside a cursor the number is only what the page is called.
    """

    number: int = 1
    after: Cursor | None = None
    before: Cursor | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """The keys of a page, newest first, and what lies on both sides of it."""

    keys: tuple[int, ...] = ()
    first: Cursor | None = None
    last: Cursor | None = None
    has_newer: bool = False
    has_older: bool = False


def place_of(params: Mapping[str, str]) -> Place:
    """Return the place that an address names.

    Raises: Unreadable for what is no page, both sides at once, and page numbers beyond the last.
    """
    text = str(params.get(NUMBER, "")).strip() or "1"
    after, before = (str(params.get(name, "")).strip() for name in (AFTER, BEFORE))
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or int(text) < 1:
        raise Unreadable(gettext("“%s” is not a page number.") % text[:40])
    if after and before:
        raise Unreadable(gettext("A page is either after a row or before one."))
    if not after and not before and int(text) > PAGE_NUMBER_MAX:
        raise Unreadable(
            gettext("Page numbers end at %d. Go on with “older”, or narrow the list by a time.")
            % PAGE_NUMBER_MAX
        )
    return Place(
        number=int(text), after=_cursor(after) if after else None, before=_cursor(before) if before else None
    )


def page(
    branches: Sequence[QuerySet[Any]], *, order: Sequence[str], place: Place, size: int,
    row_count_max: int | None = None,
) -> Page:  # fmt: skip
    """Return a page of the rows of all branches together, in one statement.

    `order` is the list's: a time or nothing, then the integer key, all descending. Branches do not overlap;
    the database reads each in the order of its index and merges. `row_count_max` is how many rows there
    are, where somebody knows: past the last of them nothing is looked for.
    """
    moment = order[0].lstrip("-") if len(order) > 1 else ""
    is_backwards = place.before is not None
    names = [name for name in (moment, "pk") if name]
    ordered = names if is_backwards else [f"-{name}" for name in names]
    cursor = place.before or place.after
    offset = 0 if cursor else (place.number - 1) * size
    end = offset + size + 1
    if row_count_max is not None and cursor is None:
        end = min(end, row_count_max)
    if end <= offset or not branches:
        return Page(has_newer=offset > 0)
    parts = [
        (each.filter(_beyond(cursor, moment, is_backwards)) if cursor else each)
        .order_by(*ordered)
        .values_list(*names)
        for each in branches
    ]
    if len(parts) == 1:
        found = list(parts[0][offset:end])
    else:
        together = parts[0][:end].union(*(part[:end] for part in parts[1:]), all=True)
        found = list(together.order_by(*(name.replace("pk", "id") for name in ordered))[offset:end])
    return _made(found, size=size, is_backwards=is_backwards, has_before=bool(cursor) or offset > 0)


def _made(found: list[Any], *, size: int, is_backwards: bool, has_before: bool) -> Page:
    has_more, shown = len(found) > size, found[:size]
    if is_backwards:
        shown.reverse()
    cursors = [Cursor(key=row[-1], at=row[0] if len(row) > 1 else None) for row in shown]
    return Page(
        keys=tuple(each.key for each in cursors),
        first=cursors[0] if cursors else None,
        last=cursors[-1] if cursors else None,
        has_newer=has_more if is_backwards else has_before,
        has_older=True if is_backwards else has_more,
    )


def _beyond(cursor: Cursor, moment: str, is_backwards: bool) -> Q:
    """Return the condition of the rows after the cursor, so that an index can begin at it."""
    side = "gt" if is_backwards else "lt"
    if not moment:
        return Q(**{f"pk__{side}": cursor.key})
    same = Q(**{f"{moment}__{side}": cursor.at}) | Q(**{f"pk__{side}": cursor.key})
    return Q(**{f"{moment}__{side}e": cursor.at}) & same


def _cursor(text: str) -> Cursor:
    try:
        if len(text) > _LENGTH_MAX:
            raise ValueError
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        match = _SHAPE.fullmatch(plain)
        if match is None or int(match[2]) > _KEY_MAX:
            raise ValueError
        return Cursor(key=int(match[2]), at=_EPOCH + int(match[1]) * _MICROSECOND)
    except (ValueError, OverflowError, binascii.Error):
        raise Unreadable(gettext("The place in the list cannot be read; begin at its first page.")) from None
