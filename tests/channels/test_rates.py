"""Exchange rates: the one in force at a moment, the history nobody rewrites, and the one way to add one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from channels import rates
from channels.models import ExchangeRate
from diamondpay.lib import clock, errors, transactions
from diamondpay.models import AuditRow

pytestmark = pytest.mark.django_db


def add(price: str, *, now: datetime, **changes: object) -> ExchangeRate:
    given: dict[str, object] = {
        "base": "MTC", "quote": "CNY", "rate": Decimal(price), "reason": "the market", "now": now,
        "actor": "tests",
    }  # fmt: skip
    return rates.add(**{**given, **changes})  # type: ignore[arg-type]


def test_the_rate_in_force_is_the_last_that_has_begun() -> None:
    now = clock.now()
    add("7.47", now=now)
    add("7.5", now=now, valid_from=now + timedelta(hours=1))
    moments = (now, now + timedelta(minutes=59), now + timedelta(hours=1), now + timedelta(days=9))
    found = [rates.at(base="MTC", quote="CNY", moment=moment) for moment in moments]
    assert found == [Decimal("7.47"), Decimal("7.47"), Decimal("7.5"), Decimal("7.5")]


def test_there_is_none_before_the_first_the_other_way_round_or_for_another_pair() -> None:
    now = clock.now()
    add("7.47", now=now)
    for base, quote, moment in (
        ("MTC", "CNY", now - timedelta(microseconds=1)), ("CNY", "MTC", now), ("MTC", "HKD", now),
    ):  # fmt: skip
        with pytest.raises(rates.NoRate, match=f"1 {base} in {quote}"):
            rates.at(base=base, quote=quote, moment=moment)


def test_one_currency_costs_one_of_itself() -> None:
    assert rates.at(base="CNY", quote="CNY", moment=clock.now()) == Decimal(1)


def test_a_rate_keeps_every_one_of_its_decimals() -> None:
    now = clock.now()
    add("7.470000000000000001", now=now)
    assert rates.at(base="MTC", quote="CNY", moment=now) == Decimal("7.470000000000000001")


def test_the_rate_is_found_by_the_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT rate FROM channels_exchangerate WHERE base_id = 'MTC' AND quote_id = 'CNY'"
            " AND valid_from <= now() ORDER BY valid_from DESC LIMIT 1"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan Backward using exchange_rate_once" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate": Decimal(0)}, "rate"),
        ({"rate": Decimal("-7")}, "rate"),
        ({"rate": Decimal("NaN")}, "rate"),
        ({"rate": Decimal("1e-19")}, "rate"),
        ({"rate": Decimal(10) ** 20}, "rate"),
        ({"base": "QQQ"}, "base"),
        ({"quote": "MTC"}, "quote"),
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
    ],
)
def test_what_is_no_rate_is_refused_and_nothing_is_written(changes: dict[str, object], field: str) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        add("7", **{"now": clock.now(), **changes})  # type: ignore[arg-type]
    assert field in refused.value.fields
    assert (ExchangeRate.objects.count(), AuditRow.objects.count()) == (0, 0)


def test_a_rate_cannot_begin_in_the_past_or_at_anothers_moment() -> None:
    now = clock.now()
    add("7.47", now=now)
    for start in (now - timedelta(seconds=61), now):
        with pytest.raises(errors.InvalidInput) as refused:
            add("8", now=now, valid_from=start)
        assert list(refused.value.fields) == ["valid_from"]
    assert ExchangeRate.objects.get().rate == Decimal("7.47")


def test_adding_one_leaves_an_audit_row_that_says_all() -> None:
    now = clock.now()
    made = add("7.470", now=now, address="203.0.113.7")
    row = AuditRow.objects.get(action="exchangerate.create")
    assert (row.object_id, row.user, row.actor, row.address, row.reason) == (
        str(made.pk), None, "tests", "203.0.113.7", "the market",
    )  # fmt: skip
    assert row.after == {"base": "MTC", "quote": "CNY", "rate": "7.47", "valid_from": now.isoformat()}


def test_the_application_may_not_rewrite_the_history() -> None:
    made = add("7.47", now=clock.now())
    rows = ExchangeRate.objects.filter(pk=made.pk)
    writes: list[Callable[[], object]] = [
        lambda: rows.update(rate=Decimal(8)), lambda: rows._raw_delete("default"),
    ]  # fmt: skip
    for write in writes:
        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            write()
        assert transactions.sqlstate(refused.value) == "42501"
    assert ExchangeRate.objects.get().rate == Decimal("7.47")


@pytest.mark.django_db(transaction=True)
def test_not_even_the_owner_rewrites_the_history(owner_connection: psycopg.Connection) -> None:
    add("7.47", now=clock.now())
    for statement in (
        b"UPDATE channels_exchangerate SET rate = 8", b"DELETE FROM channels_exchangerate",
        b"TRUNCATE channels_exchangerate",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            owner_connection.execute(statement)
    assert ExchangeRate.objects.get().rate == Decimal("7.47")


def test_the_database_refuses_what_is_no_rate() -> None:
    now = clock.now()
    row = {"base_id": "MTC", "quote_id": "CNY", "rate": Decimal(7), "created_at": now, "valid_from": now}
    for changes, constraint in (
        ({"rate": Decimal(0)}, "exchange_rate_positive"),
        ({"quote_id": "MTC"}, "exchange_rate_of_two_currencies"),
        ({"valid_from": now - timedelta(seconds=1)}, "exchange_rate_not_backdated"),
    ):
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            ExchangeRate.objects.create(**{**row, **changes})
        assert transactions.constraint_name(refused.value) == constraint
