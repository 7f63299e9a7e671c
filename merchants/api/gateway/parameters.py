"""Reading the query string of a GET: strict in what is known, indifferent to what is not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import QueryDict
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors
from merchants.api import characters
from records import queries

LIMIT_DEFAULT = 25
LIMIT_MAX = 500
OFFSET_MAX = 100_000
_DIGITS = re.compile(r"[0-9]{1,20}")
_MILLISECONDS = 10**11


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a list was asked for. The range is half-open, [start, end), or absent."""

    offset: int
    limit: int
    order_id: str
    merchant_order_no: str
    start: datetime | None
    end: datetime | None

    def of(self, merchant_id: str) -> queries.Wanted:
        """Return what to ask the book for."""
        return queries.Wanted(
            merchant_id=merchant_id,
            offset=self.offset,
            limit=self.limit,
            order_id=self.order_id,
            merchant_order_no=self.merchant_order_no,
            start=self.start,
            end=self.end,
        )


def single(query: QueryDict) -> dict[str, str]:
    """Return the parameters that were given with a value.

    Raises: InvalidInput for one that was given twice.
    """
    repeated = [name for name, values in query.lists() if len(values) > 1]
    if repeated:
        raise errors.InvalidInput({_name(name): _("given more than once") for name in repeated})
    return {name: str(values[0]) for name, values in query.lists() if values and values[0] != ""}


def page(query: QueryDict, *, order_id_name: str, merchant_order_no_name: str) -> Page:
    """Read the parameters of a list.

    Raises: InvalidInput naming every fault.
    """
    given = single(query)
    faults: dict[str, errors.Words] = {}
    offset = _number(given, "offset", default=0, faults=faults)
    limit = _number(given, "limit", default=LIMIT_DEFAULT, faults=faults)
    if not 1 <= limit <= LIMIT_MAX:
        faults["limit"] = format_lazy(_("must be 1 to {limit}"), limit=LIMIT_MAX)
    if offset > OFFSET_MAX:
        words = _("must be at most {offset}; narrow by time (create_time__gte, create_time__lte)")
        faults["offset"] = format_lazy(words, offset=OFFSET_MAX)
    for name in (order_id_name, merchant_order_no_name):
        bad = characters.bad_order_character(given.get(name, ""))
        if bad is not None:
            faults[name] = format_lazy(
                _("contains the character {character}"), character=characters.shown(bad)
            )
    start, end = _range(given, faults)
    if faults:
        raise errors.InvalidInput(faults)
    return Page(
        offset=offset,
        limit=limit,
        order_id=given.get(order_id_name, ""),
        merchant_order_no=given.get(merchant_order_no_name, ""),
        start=start,
        end=end,
    )


def _range(
    given: dict[str, str], faults: dict[str, errors.Words]
) -> tuple[datetime, datetime] | tuple[None, None]:
    """Return the half-open range of the two times; one alone has no effect, as merchants know it."""
    seconds: list[int] = []
    for name in ("create_time__gte", "create_time__lte"):
        if name in given:
            found = _number(given, name, default=0, faults=faults)
            if found >= _MILLISECONDS:
                faults[name] = _("looks like milliseconds; send Unix seconds")
            seconds.append(found)
    if len(seconds) < 2 or faults:
        return None, None
    if seconds[0] > seconds[1]:
        faults["create_time__gte"] = _("is later than create_time__lte")
        return None, None
    # create_time is written in whole seconds, so the last second belongs to the range as a whole.
    return (
        datetime.fromtimestamp(seconds[0], UTC),
        datetime.fromtimestamp(seconds[1], UTC) + timedelta(seconds=1),
    )


def _number(given: dict[str, str], name: str, *, default: int, faults: dict[str, errors.Words]) -> int:
    text = given.get(name)
    if text is None:
        return default
    if _DIGITS.fullmatch(text) is None:
        faults[name] = _("must be a whole number")
        return default
    return int(text)


def _name(name: str) -> str:
    return name[:64] if name.isprintable() else "?"
