"""The sheet in front of a book: what it holds, for whom, and the sums by which it can be checked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A text, a count (int) or, with `decimals`, an amount."""

    value: Any
    decimals: int | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the summary; a heading is set apart."""

    cells: tuple[Cell, ...] = ()
    is_heading: bool = False


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The summary: the name on its tab, its heading, its lines."""

    title: str
    heading: str
    lines: tuple[Line, ...] = ()


def line(*values: str | int) -> Line:
    """Return a line of texts and counts."""
    return Line(cells=tuple(Cell(value=value) for value in values))


def heading(*values: str) -> Line:
    """Return a line that names the columns below it."""
    return Line(cells=tuple(Cell(value=value) for value in values), is_heading=True)


def amount(value: Decimal, decimals: int) -> Cell:
    """Return an amount for a line."""
    return Cell(value=value, decimals=decimals)


def gap() -> Line:
    """Return an empty line."""
    return Line()
