"""Hand-written statements: seen by whoever watches, typed by their places, and models made of their rows."""

from __future__ import annotations

import dataclasses
from datetime import UTC, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from channels.models import Currency
from diamondpay.lib import clock, sql
from merchants.models import Credential, Merchant
from merchants.registration import Registered
from records.models import Payment
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

_ECHO = "SELECT %(text)s::text, %(number)s::bigint, %(moment)s::timestamptz, %(nothing)s::text"


def test_whoever_watches_sees_the_values_and_everybody_gets_the_same_rows() -> None:
    asked = {"text": "a%b'c", "number": 7, "moment": clock.now(), "nothing": None}
    unwatched = sql.rows(_ECHO, asked)
    with CaptureQueriesContext(connection) as captured:
        watched = sql.rows(_ECHO, asked)
    assert list(unwatched) == list(watched) == [tuple(asked.values())]
    assert "'a%b''c'::text, 7::bigint" in captured.captured_queries[0]["sql"]


def test_times_are_aware_and_in_utc() -> None:
    ((moment,),) = sql.rows("SELECT %(moment)s::timestamptz", {"moment": clock.now()})
    assert moment.utcoffset() == timedelta(0)
    assert moment.astimezone(UTC) == moment


def test_a_refusal_is_djangos_own_with_the_constraint(acme: Registered) -> None:
    statement = "UPDATE merchants_merchant SET payout_audit_amount = -1 WHERE id = %(id)s RETURNING id"
    with pytest.raises(IntegrityError, match="merchant_audit_amount_not_negative"), transaction.atomic():
        sql.rows(statement, {"id": acme.merchant.pk})


def test_nothing_runs_in_a_transaction_that_has_failed() -> None:
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        connection.needs_rollback = True
        try:
            sql.rows("SELECT 1", {})
        finally:
            connection.needs_rollback = False


def test_a_row_becomes_its_models_and_an_outer_join_none(acme: Registered) -> None:
    merchant = sql.Columns(Merchant, table="merchant")
    credential = sql.Columns(Credential, table="credential", at=merchant.end)
    statement = f"""
        SELECT {merchant}, {credential} FROM merchants_merchant AS merchant
        LEFT JOIN merchants_credential AS credential
            ON credential.merchant_id = merchant.id AND credential.api = %(api)s
        WHERE merchant.id = %(id)s
    """
    for api, found in (("gateway", acme.credential), ("payment_detail", None)):
        (row,) = sql.rows(statement, {"id": acme.merchant.pk, "api": api})
        assert (merchant.take(row), credential.read(row)) == (acme.merchant, found)
    assert merchant.take(row).created_at == Merchant.objects.get(pk=acme.merchant.pk).created_at


def test_a_model_made_of_a_row_is_as_django_makes_it(acme: Registered) -> None:
    left_out = ["name", "created_at"]
    merchant = sql.Columns(Merchant, table="merchant", left_out=left_out)
    (row,) = sql.rows(f"SELECT {merchant} FROM merchants_merchant AS merchant", {})
    taken, read = merchant.take(row), Merchant.objects.defer(*left_out).get()
    assert taken.get_deferred_fields() == read.get_deferred_fields() == {"name", "created_at"}
    assert (taken._state.db, taken._state.adding) == (read._state.db, read._state.adding)
    assert {name: value for name, value in vars(taken).items() if name != "_state"} == {
        name: value for name, value in vars(read).items() if name != "_state"
    }
    taken.status = Merchant.Status.DISABLED
    taken.save(update_fields=["status"])
    assert Merchant.objects.get().status == Merchant.Status.DISABLED


@pytest.mark.parametrize(
    ("name", "own"), [("from_db", classmethod(lambda cls, *row: cls())), ("__init__", lambda self: None)]
)
def test_a_model_that_is_made_in_a_way_of_its_own_is_refused(
    name: str, own: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Merchant, name, own)
    with pytest.raises(ValueError, match="Merchant is made in a way of its own"):
        sql.Columns(Merchant, table="merchant")


def test_what_one_statement_left_in_the_cursor_is_nothing_to_the_next(acme: Registered) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        sql.rows("UPDATE merchants_merchant SET payout_audit_amount = -1 RETURNING id", {})
    first = sql.rows("SELECT generate_series(1, 3)", {})
    second = sql.rows("SELECT id FROM merchants_merchant WHERE false", {})
    assert (list(first), list(second)) == ([(1,), (2,), (3,)], [])


def test_a_model_with_a_column_that_django_reads_its_own_way_is_refused() -> None:
    with pytest.raises(ValueError, match="Payment has a column"):
        sql.Columns(Payment, table="payment")


def test_a_field_that_was_left_out_is_asked_for_when_it_is_read(desk: Desk) -> None:
    payment = sql.Columns(Payment, table="payment", left_out=["routing"])
    order = desk.deposit()
    (row,) = sql.rows(f"SELECT {payment} FROM records_payment AS payment", {})
    found = payment.take(row)
    assert found.get_deferred_fields() == {"routing"}
    assert (found.merchant_order_no, found.created_at) == (order.merchant_order_no, order.created_at)
    with CaptureQueriesContext(connection) as captured:
        assert found.routing == Payment.objects.get(pk=order.pk).routing
    assert len(captured) == 2


def test_a_row_is_inserted_once_with_all_that_the_model_holds(db: None) -> None:
    made = Currency(code="XTS", name="For tests", exponent=3, is_crypto=True)
    assert sql.insert_once(made, key=("code",))
    assert not made._state.adding
    assert not sql.insert_once(Currency(code="XTS", name="Other", exponent=1), key=("code",))
    assert Currency.objects.filter(code="XTS").values_list("name", "exponent", "is_crypto").get() == (
        "For tests",
        3,
        True,
    )


def test_a_placed_deposit_reads_back_as_it_was_written(desk: Desk) -> None:
    party = dataclasses.replace(
        desk.new_payment().party,
        account="6222020200011112222",
        phone="13800138000",
        id_number="110101199003071234",
    )
    placed = desk.deposit(party=party, last_numbers=("2222",), remark_code="AB12CD")
    stored = Payment.objects.get(pk=placed.pk)
    names = [field.attname for field in Payment._meta.concrete_fields if field.attname != "recorded_at"]
    assert {name: getattr(placed, name) for name in names} == {name: getattr(stored, name) for name in names}
