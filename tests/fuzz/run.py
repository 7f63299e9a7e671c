"""One fuzz run of one API: what was sent, what came back, and what was wrong with it."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.engine import events
from schemathesis.generation.case import Case

from tests.fuzz import checks, proofs
from tests.fuzz.stage import Stage

SEED = 4711


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of finding, with the first case that showed it."""

    check: str
    operation: str
    words: str
    sample: str

    def __str__(self) -> str:
        return f"{self.check} · {self.operation}\n{self.words}\n{self.sample}"


@dataclass
class Run:
    """What a run found.

    `statuses` are the answers by operation, `accepted` the orders that were told to be taken, by kind, and
    `proved` the operations that refused to serve without a proof.
    """

    stage: Stage
    dialect: proofs.Dialect
    operations: int
    statuses: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    accepted: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    failures: dict[tuple[str, str, str], Failure] = field(default_factory=dict)
    failure_count: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    proved: set[str] = field(default_factory=set)
    seconds: float = 0.0
    lock: Any = field(default_factory=threading.Lock)

    @property
    def api(self) -> str:
        """Which API it was."""
        return self.dialect.api

    @property
    def cases(self) -> int:
        """How many calls were answered."""
        return sum(sum(counts.values()) for counts in self.statuses.values())

    def answers(self) -> Counter[str]:
        """Return how often each answer came, over all operations."""
        return sum(self.statuses.values(), Counter())

    def report(self) -> list[str]:
        """Return the run as lines for a person: one for the API, one for each of its operations."""
        phases = ", ".join(f"{phase} {count}" for phase, count in self.phases.items() if count)
        head = (
            f"{self.api}: {self.operations} operations, {self.cases} cases, {self.failure_count} failures, "
            f"{self.seconds:.0f} s ({phases})"
        )
        lines = [
            f"  {label}: " + "  ".join(f"{status} × {count}" for status, count in sorted(counts.items()))
            for label, counts in sorted(self.statuses.items())
        ]
        return [head, *lines]

    def note(self, case: Case[Any], response: Response) -> None:
        """Count an answer, and remember an order that it says was taken."""
        status = checks.told(self.api, response)
        with self.lock:
            self.statuses[case.operation.label][status] += 1
            order = checks.accepted_order(self.api, response)
            if order is not None:
                self.accepted[order[0]].add(order[1:])

    def found(self, check: str, operation: str, words: str, sample: str = "") -> None:
        """Remember a finding; of one kind at one operation the first."""
        self.failure_count += 1
        first_line = words.strip().splitlines()[0] if words.strip() else ""
        self.failures.setdefault((check, operation, first_line), Failure(check, operation, words, sample))


def configuration(
    *, api: str, url: str, examples: int, sequences: int, seed: int = SEED
) -> SchemathesisConfig:
    """Return what a run does: `examples` of each operation, `sequences` of calls that follow one another."""
    return SchemathesisConfig.from_dict({
        "seed": seed,
        "base-url": url,
        "request-timeout": 60,
        "continue-on-failure": True,
        "generation": {
            "mode": "all", "max-examples": examples, "database": "none", "no-shrink": True,
            "with-security-parameters": False,
        },
        "phases": {
            "examples": {"fill-missing": True},
            "coverage": {"generate-duplicate-query-parameters": True},
            "stateful": {"generation": {"max-examples": sequences}},
        },
        "checks": checks.settings(api),
    })  # fmt: skip


def fuzz(stage: Stage, dialect: proofs.Dialect, **how: Any) -> Run:
    """Run every phase over every operation of an API, and return what was found."""
    document = stage.document(dialect.api)
    config = configuration(api=dialect.api, url=stage.platform.url, **how)
    schema = schemathesis.openapi.from_dict(document, config=config)
    run = Run(stage=stage, dialect=dialect, operations=operation_count(document))
    begun = time.monotonic()
    with checks.looking(schema, run):
        for event in engine.from_schema(schema).execute():
            _take(run, event)
    run.seconds = time.monotonic() - begun
    return run


def operation_count(document: Mapping[str, Any]) -> int:
    """Return how many operations a document describes."""
    return sum(len(methods) for methods in document["paths"].values())


def _take(run: Run, event: events.EngineEvent) -> None:
    if isinstance(event, events.NonFatalError):
        run.found("error", event.label, f"{event.info.title}\n{event.info.message}")
    elif isinstance(event, events.FatalError):
        run.found("error", "the whole run", repr(event.exception))
    elif isinstance(event, events.ScenarioFinished):
        run.phases[event.phase.name.lower()] += len(event.recorder.interactions)
        for case_id, nodes in event.recorder.checks.items():
            for node in nodes:
                if node.failure_info is not None:
                    failure = node.failure_info.failure
                    response = event.recorder.find_response(case_id=case_id)
                    answer = (
                        ""
                        if response is None
                        else f"{response.status_code} {response.content.decode()[:600]}"
                    )
                    run.found(
                        node.name, event.recorder.cases[case_id].value.operation.label,
                        f"{failure.title}: {failure.message}", f"{node.failure_info.code_sample}\n→ {answer}",
                    )  # fmt: skip
    elif isinstance(event, events.EngineFinished) and event.stop_reason != engine.StopReason.COMPLETED:
        run.found("error", "the whole run", f"stopped: {event.stop_reason}")
