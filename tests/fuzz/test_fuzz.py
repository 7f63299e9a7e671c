"""Thousands of valid, invalid and nonsensical calls of every operation of every API, over real HTTP.

The calls are made by Schemathesis from the OpenAPI documents that the product serves: whatever an answer is,
it is one that the document tells of, nothing fails in a way that nobody foresaw, what is wrong is refused and
what is right is taken, nobody is served without a proof, and the book holds.
"""

from __future__ import annotations

import pytest

from tests.fuzz.conftest import option
from tests.fuzz.run import Run
from tests.fuzz.stage import DOCUMENTS, Stage

OPERATIONS = {"gateway": 11, "transaction_request": 3, "payment_detail": 5}
TAKEN = {"0000", "200"}
APIS = list(DOCUMENTS)
FAILED = 2


@pytest.mark.parametrize("api", APIS)
def test_no_answer_is_other_than_the_document_says(fuzzed: dict[str, Run], api: str) -> None:
    failures = [str(failure) for failure in fuzzed[api].failures.values()]
    assert failures == [], "\n\n".join(failures)
    assert fuzzed[api].failure_count == 0


@pytest.mark.parametrize("api", APIS)
def test_every_operation_of_the_document_was_called_and_taken(fuzzed: dict[str, Run], api: str) -> None:
    run = fuzzed[api]
    assert run.operations == OPERATIONS[api]
    assert len(run.statuses) == run.operations
    taken = {label for label, counts in run.statuses.items() if any(counts[status] for status in TAKEN)}
    assert taken == set(run.statuses)


@pytest.mark.parametrize("api", APIS)
def test_every_operation_refuses_a_call_without_its_proof(fuzzed: dict[str, Run], api: str) -> None:
    assert fuzzed[api].proved == set(fuzzed[api].statuses)


@pytest.mark.parametrize("api", APIS)
def test_every_phase_called_and_limits_swallowed_nothing(fuzzed: dict[str, Run], api: str) -> None:
    run = fuzzed[api]
    assert {"examples", "coverage", "fuzzing"} <= {phase for phase, count in run.phases.items() if count}
    answers = run.answers()
    refused = sum(count for status, count in answers.items() if status not in TAKEN)
    assert refused / run.cases < 0.95
    # A notification of an order is sent once in a while: the only 429 there may be.
    limited = {label for label, counts in run.statuses.items() if counts["429"]}
    assert limited <= {"GET /payment/notify"}


def test_the_book_holds_afterwards(fuzzed: dict[str, Run], fuzzed_stage: Stage) -> None:
    fuzzed_stage.platform.check_book()
    printed = fuzzed_stage.platform.command("verify_ledger")
    assert printed.strip().endswith("checks hold."), printed


def test_the_orders_in_the_book_are_those_that_were_told_to_be_taken(
    fuzzed: dict[str, Run], fuzzed_stage: Stage
) -> None:
    for kind in ("payment", "payout"):
        told = {order for run in fuzzed.values() for order in run.accepted[kind]}
        booked = fuzzed_stage.new_orders(kind)
        assert len(told) > 10
        assert told - set(booked) == set()
        # What was not told to be taken was refused by the upstream, and failed.
        others = {order: status for order, status in booked.items() if order not in told}
        assert {order: status for order, status in others.items() if status != FAILED} == {}


def test_no_call_failed_in_a_way_that_nobody_foresaw(fuzzed: dict[str, Run], fuzzed_stage: Stage) -> None:
    assert sum(run.cases for run in fuzzed.values()) > 1000
    assert fuzzed_stage.failures_logged() == []


def test_there_were_as_many_calls_as_asked_for(fuzzed: dict[str, Run], pytestconfig: pytest.Config) -> None:
    assert sum(run.cases for run in fuzzed.values()) >= option(pytestconfig, "cases_min", 0)
