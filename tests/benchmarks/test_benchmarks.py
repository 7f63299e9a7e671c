"""Each benchmark runs at its smallest and yields ratios. What they measure is for `make bench` to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import report, stage
from benchmarks.__main__ import NAMES, run
from diamondpay import environment
from diamondpay.run import postgres
from tests.support import clones, runs

FIGURE_COUNTS = {
    "deposits": 1, "lists": 10, "credits": 2, "notifications": 4, "backoffice": 41, "exports": 6,
    "queries": 3,
}  # fmt: skip


@pytest.fixture
def place(fresh_clone: Callable[[], clones.Clone], tmp_path: Path) -> stage.Place:
    clone = fresh_clone()
    (tmp_path / "static").mkdir()
    return stage.Place(
        home=tmp_path,
        application_url=clone.url,
        owner_url=clone.owner_url,
        superuser_url=environment.database_url(
            user=postgres.SUPERUSER, database=clone.name, host=runs.sockets()
        ),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_at_its_smallest_yields_ratios_and_leaves_the_book_sound(
    name: str, place: stage.Place
) -> None:
    found = run(name=name, place=place, level="smallest")
    assert len(found.figures) == FIGURE_COUNTS[name]
    assert all(figure.ratio > 0 and figure.baseline and figure.ratio_text for figure in found.figures)
    assert any(note.startswith("Afterwards all") for note in found.notes)


def _report(title: str, *, ours: str, is_met: bool) -> report.Report:
    figure = report.Figure(
        what="deposits",
        ours=ours,
        baseline="pgbench: 100/s",
        ratio=0.2,
        ratio_text="20 %",
        aims=(report.Aim(text="≥ 15 %", is_met=is_met),),
    )
    return report.Report(title=title, sizes="one", figures=(figure,), notes=("a note",))


def test_results_say_in_words_when_an_aim_is_missed(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    report.keep(file, [_report("(a) Deposits", ours="10/s", is_met=False)], run="one day, one machine.")
    assert "| deposits | 10/s | pgbench: 100/s | 20 % | ≥ 15 %: MISSED |" in file.read_text()


def test_results_of_a_narrowed_run_replace_their_own_section_only(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    first = [_report(title, ours="10/s", is_met=True) for title in ("(b) Lists", "(a) Deposits")]
    report.keep(file, first, run="first run.")
    report.keep(file, [_report("(b) Lists", ours="30/s", is_met=True)], run="second run.")
    text = file.read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## (a) Deposits",
        "## (b) Lists",
    ]
    assert (text.count("10/s"), text.count("30/s")) == (1, 1)
    assert text.index("first run.") < text.index("second run.")


def test_a_report_is_the_same_after_it_went_through_json() -> None:
    made = _report("(a) Deposits", ours="10/s", is_met=True)
    assert report.from_json(made.as_json()) == made
