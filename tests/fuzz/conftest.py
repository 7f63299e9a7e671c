"""How much is fuzzed: little as one of all tests, much with `make fuzz`, which also prints what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fuzz import proofs, stage
from tests.fuzz import run as runs
from tests.fuzz.run import Run
from tests.fuzz.stage import Stage

EXAMPLES, SEQUENCES = 12, 5
_REPORT = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take how much to do; unknown to a run of all tests, which takes what is set here."""
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz-examples", type=int, default=EXAMPLES, help="cases made for each operation")
    group.addoption("--fuzz-sequences", type=int, default=SEQUENCES, help="sequences of calls for each API")
    group.addoption("--fuzz-seed", type=int, default=runs.SEED, help="another seed makes other cases")
    group.addoption("--fuzz-cases-min", type=int, default=0, help="how many calls there must be in all")


def option(config: pytest.Config, name: str, default: int) -> int:
    """Return an option, or what holds where it is unknown."""
    found: int = config.getoption(f"fuzz_{name}", default)
    return found


@pytest.fixture(scope="module")
def fuzzed_stage(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The product as real processes, full of orders."""
    with stage.running(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


@pytest.fixture(scope="module")
def fuzzed(fuzzed_stage: Stage, pytestconfig: pytest.Config) -> dict[str, Run]:
    """What a run over each API found; the runs share one instance and one book."""
    how: dict[str, Any] = {
        "examples": option(pytestconfig, "examples", EXAMPLES),
        "sequences": option(pytestconfig, "sequences", SEQUENCES),
        "seed": option(pytestconfig, "seed", runs.SEED),
    }
    found = {
        dialect.api: runs.fuzz(fuzzed_stage, dialect(fuzzed_stage), **how) for dialect in proofs.DIALECTS
    }
    pytestconfig.stash[_REPORT] = [line for run in found.values() for line in run.report()]
    pytestconfig.stash[_REPORT].append(f"{sum(run.cases for run in found.values())} calls in all.")
    return found


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say of each operation what was answered how often."""
    for line in config.stash.get(_REPORT, []):
        terminalreporter.write_line(line)
