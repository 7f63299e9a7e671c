"""The request log behind the calls: bounded, written in batches, forgotten after 30 days."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, connections, transaction

from diamondpay.lib import clock
from merchants.calls import journal, upkeep
from merchants.calls.journal import Entry, Journal
from merchants.models import ApiCall
from merchants.registration import Registered
from tests.admin.chromium import soon

CARD = "6222021234567890123"


def entry(owner: Registered | None = None, **changes: object) -> Entry:
    """Return a call that was answered."""
    now = time.monotonic()
    made = Entry(
        merchant_id=owner.merchant.pk if owner else "", credential_pk=owner.credential.pk if owner else None,
        api="gateway", method="GET", path="/gateway/api/v1/payments", query="", address="203.0.113.7",
        status=200, code="0000", started=now - 0.25, ended=now, request=b"", answer=b'{"error_code":"0000"}',
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def log() -> Iterator[Journal]:
    """A journal without a thread of its own."""
    made = Journal(has_thread=False)
    yield made
    made.stop()


def test_a_row_says_when_and_how_long_by_the_clock_of_the_database(log: Journal, acme: Registered) -> None:
    before = clock.now()
    log.note(entry(acme))
    assert log.write_waiting(connection) == 1
    row = ApiCall.objects.get()
    assert row.duration_ms == 250
    assert before - timedelta(seconds=1) < row.created_at < clock.now()
    assert (row.lost_before, row.is_proved, row.answer) == (0, True, '{"error_code":"0000"}')


def test_what_finds_no_room_is_counted_and_told_by_the_next_row(
    log: Journal, acme: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "ENTRY_COUNT_MAX", 3)
    for _call in range(8):
        log.note(entry(acme))
    assert log.write_waiting(connection) == 3
    log.note(entry(acme))
    log.write_waiting(connection)
    assert list(ApiCall.objects.order_by("id").values_list("lost_before", flat=True)) == [5, 0, 0, 0]
    assert upkeep.lost_count(now=clock.now()) == 5


def test_large_bodies_wait_cut_and_only_so_many_bytes_of_them(
    log: Journal, acme: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "WAITING_BYTES_MAX", 200_000)
    large = b'{"number":"' + CARD.encode() + b'","x":"' + b"a " * 100_000 + b'"}'
    for _call in range(5):
        log.note(entry(acme, answer=large))
    assert log.write_waiting(connection) == 3
    answers = ApiCall.objects.values_list("answer", flat=True)
    assert all(len(text.encode()) <= 2048 and CARD not in text for text in answers)
    assert upkeep.lost_count(now=clock.now()) == 2


def test_what_cannot_be_written_is_lost_and_counted_and_nothing_else_happens(
    log: Journal, acme: Registered
) -> None:
    log.note(entry(acme, address="no address"))
    with pytest.raises(DatabaseError), transaction.atomic():
        log.write_waiting(connection)
    assert log._lost == 1
    assert not log._waiting


def test_an_ordinary_path_stays_as_it_is(log: Journal, acme: Registered) -> None:
    paths = ["/gateway/api/v2/payments/T15abc-Order_77", "/api/v2/merchant/transaction-request"]
    for path in paths:
        log.note(entry(acme, path=path))
    log.write_waiting(connection)
    assert list(ApiCall.objects.order_by("id").values_list("path", flat=True)) == paths


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request", f'{{"number":"{CARD}"}}'.encode()),
        ("request", f'{{"a":{{"b":["{CARD}"]}}}}'.encode()),
        ("request", f'{{"a":{CARD}'.encode()),
        ("request", f"card={CARD}&x=1".encode()),
        ("answer", f'{{"memo":"paid to {CARD}"}}'.encode()),
        ("answer", f'{{"{CARD}":1}}'.encode()),
        ("query", f"number={CARD}"),
        ("path", f"/gateway/api/v2/payments/{CARD}"),
        ("request", b'{"x":"\xff\x00\\ud800","number":"' + CARD.encode() + b'"}'),
    ],
)
def test_no_card_number_reaches_the_log_by_any_road(
    log: Journal, acme: Registered, name: str, value: object
) -> None:
    log.note(entry(acme, **{name: value}))
    log.write_waiting(connection)
    row = ApiCall.objects.values().get()
    assert CARD not in str(row)
    assert CARD[-4:] in str(row)


def test_calls_are_forgotten_after_thirty_days_in_bounded_batches(
    acme: Registered, log: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _call in range(10):
        log.note(entry(acme))
    log.write_waiting(connection)
    now = clock.now()
    assert upkeep.forget(now=now + timedelta(days=30) - timedelta(minutes=1)) == 0
    monkeypatch.setattr(upkeep, "BATCH_COUNT_MAX", 2)
    monkeypatch.setattr(upkeep, "BATCHES_MAX", 3)
    later = now + timedelta(days=30, minutes=1)
    assert [upkeep.forget(now=later) for _turn in range(3)] == [6, 4, 0]
    assert not ApiCall.objects.exists()


def test_a_thread_writes_what_waits_over_a_connection_of_its_own(
    transactional_db: None, acme: Registered
) -> None:
    log = Journal(has_thread=True)
    for _call in range(3):
        log.note(entry(acme))
    assert soon(lambda: ApiCall.objects.count() == 3)
    log.note(entry(acme))
    log.stop()
    assert ApiCall.objects.count() == 4
    assert not log._thread.is_alive()  # type: ignore[union-attr]


def test_a_call_is_not_held_up_by_a_log_that_cannot_be_written(
    transactional_db: None, acme: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {**connections.settings["default"], "HOST": "/nonexistent"}
    monkeypatch.setitem(connections.settings, "default", nowhere)
    log = Journal(has_thread=True)
    for _call in range(20):
        log.note(entry(acme))
    assert soon(lambda: len(log._waiting) == 20)
    log.stop()
    monkeypatch.undo()
    assert not ApiCall.objects.exists()
