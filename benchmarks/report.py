"""What was measured: figures with their baselines and aims, as a table on the terminal and in RESULTS.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_INTRODUCTION = """# Benchmark results

The last results of `make bench`, written by the run itself. Every figure was measured beside its
baseline: the same machine and PostgreSQL server, in the same run, taking turns. A section keeps the date of
its own run, since `make bench BENCH_ARGS="credits"` measures one alone.
"""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a figure should reach, and whether it did."""

    text: str
    is_met: bool


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measurement beside its baseline. `ratio` is a plain number, `ratio_text` says what it means."""

    what: str
    ours: str
    baseline: str
    ratio: float
    ratio_text: str
    aims: tuple[Aim, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """One benchmark's figures, with what a reader must know to judge them."""

    title: str
    sizes: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def from_json(found: dict[str, Any]) -> Report:
    """Return the report that `as_json` made."""
    figures = tuple(
        Figure(**{**figure, "aims": tuple(Aim(**aim) for aim in figure["aims"])})
        for figure in found["figures"]
    )
    return Report(**{**found, "figures": figures, "notes": tuple(found["notes"])})


def at_least(value: float, aim: float, text: str) -> Aim:
    """Return the aim of reaching a value."""
    return Aim(text=text, is_met=value >= aim)


def at_most(value: float, aim: float, text: str) -> Aim:
    """Return the aim of staying within a value."""
    return Aim(text=text, is_met=value <= aim)


def show(report: Report, *, write: Callable[[str], None] = print) -> None:
    """Print a report as a table."""
    rows = [_HEADERS, *(_cells(figure) for figure in report.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADERS))]
    write(f"\n{report.title}")
    write(report.sizes)
    for row in rows:
        write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for note in report.notes:
        write(f"- {note}")


def keep(path: Path, reports: Sequence[Report], *, run: str) -> None:
    """Write the reports into the file of results, replacing the sections of the same titles.

    `run` says when and on which machine; it stands in each section, since a narrowed run renews only its own.
    """
    sections = _sections(path.read_text()) if path.exists() else {}
    sections |= {report.title: _section(report, run) for report in reports}
    parts = [_INTRODUCTION, *(sections[title] for title in sorted(sections))]
    path.write_text("\n".join(parts))


_HEADERS = ("What", "DiamondPay", "Baseline", "Ratio", "Aim")


def _cells(figure: Figure) -> tuple[str, ...]:
    aims = "; ".join(f"{aim.text}: {'met' if aim.is_met else 'MISSED'}" for aim in figure.aims)
    return figure.what, figure.ours, figure.baseline, figure.ratio_text, aims


def _sections(text: str) -> dict[str, str]:
    found = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in found}


def _section(report: Report, run: str) -> str:
    rows = [_HEADERS, tuple("---" for _ in _HEADERS), *(_cells(figure) for figure in report.figures)]
    lines = [f"## {report.title}", "", run, "", report.sizes, ""]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    if report.notes:
        lines += ["", *(f"- {note}" for note in report.notes)]
    return "\n".join(lines) + "\n"
