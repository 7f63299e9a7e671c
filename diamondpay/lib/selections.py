"""Rows that a person chose in a list, as an address names them: one by one, or many in short."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import models

# One row a parameter, as the boxes of a list send them; and many in one: 4-9,12 or a,b,c.
ONE, MANY = "row", "rows"
_DIGITS_MAX = 18


def is_numbered(model: type[models.Model]) -> bool:
    """Say whether the rows of a model have numbers for keys."""
    return isinstance(model._meta.pk, models.AutoField)


def read(params: Any, *, is_numbered: bool, row_count_max: int) -> list[str]:
    """Return the ids that an address or a form names, each once, and at most one more than may be.

    Whoever gets more than may be knows that it were too many. What is no id stays in: nothing has it.
    """
    parts = itertools.chain(
        params.getlist(ONE),
        *(_expanded(text, is_numbered=is_numbered) for text in params.getlist(MANY)),
    )
    # A range could be endless, so no more of it is read than is needed.
    return list(itertools.islice(_each_once(parts), row_count_max + 1))


def text(ids: Iterable[str], *, is_numbered: bool) -> str:
    """Return ids in short; following numbers become one range."""
    if not is_numbered:
        return ",".join(sorted(ids))
    numbers = sorted(int(each) for each in set(ids))
    places = itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    ranges = [[number for _place, number in group] for _step, group in places]
    return ",".join(str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in ranges)


def _each_once(ids: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for each in ids:
        if each and each not in seen:
            seen.add(each)
            yield each


def _expanded(told: str, *, is_numbered: bool) -> Iterator[str]:
    for part in told.split(","):
        low, dash, high = part.partition("-")
        if is_numbered and dash and _is_digits(low) and _is_digits(high):
            yield from map(str, range(int(low), int(high) + 1))
        else:
            yield part.strip()


def _is_digits(told: str) -> bool:
    return told.isascii() and told.isdigit() and len(told) <= _DIGITS_MAX
