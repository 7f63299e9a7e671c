"""A page gives up a statement that takes too long, and says how to ask for less."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection
from django.test import Client

from diamondpay.lib import deadlines
from records.models import Account, Payment, Posting
from tests import factories
from tests.admin import book
from tests.admin.test_lists import url_of

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "This page took the database too long and was stopped"


@pytest.fixture
def paths(client: Client) -> dict[str, str]:
    """Pages by a table that each of them reads; a superuser is signed in."""
    client.force_login(factories.make_user("boss", is_superuser=True))
    acme = book.merchant("Acme")
    payment = book.deposit(acme, "a1")
    posting = Posting.objects.get(payment=payment)
    wallet = Account.objects.get(merchant_channel=acme.wallets[0], kind=Account.Kind.AVAILABLE)
    return {
        "records_statuschange": url_of(Payment, "change", payment.pk),
        "records_balancerecord": url_of(Posting, "change", posting.pk),
        "records_account": url_of(Account, "change", wallet.pk),
        "records_accounttotal": "/admin/channel-balances/",
    }


def _limit() -> str:
    """Return the limit of this connection's statements."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        return str(cursor.fetchone()[0])


def test_a_page_whose_statement_takes_too_long_says_how_to_ask_for_less(
    client: Client, paths: dict[str, str], owner_connection: psycopg.Connection
) -> None:
    for table, path in paths.items():
        with owner_connection.transaction():
            owner_connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            response = client.get(path)
        assert (response.status_code, WORDS in response.content.decode()) == (503, True), path
        assert "an exact number in the search box" in response.content.decode()
        opened = client.get(path)
        assert (opened.status_code, WORDS in opened.content.decode()) == (200, False)


def test_the_limit_of_a_page_ends_with_it(db: None) -> None:
    limit = deadlines.bounded(milliseconds=1234)(_limit)
    assert (_limit(), limit(), _limit()) == ("0", "1234ms", "0")


def _setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


def test_a_snapshot_sees_one_moment_of_the_book_writes_nothing_and_ends_with_its_block(db: None) -> None:
    names = ("transaction_isolation", "transaction_read_only", "statement_timeout")
    with deadlines.within(milliseconds=1234, is_snapshot=True):
        inside = [_setting(name) for name in names]
    assert inside == ["repeatable read", "on", "1234ms"]
    assert [_setting(name) for name in names] == ["read committed", "off", "0"]


def test_a_bound_without_a_snapshot_is_an_ordinary_transaction(db: None) -> None:
    with deadlines.within(milliseconds=1234):
        inside = [_setting(name) for name in ("transaction_isolation", "transaction_read_only")]
        assert _limit() == "1234ms"
    assert (inside, _limit()) == (["read committed", "off"], "0")


@pytest.mark.parametrize("is_snapshot", [True, False])
def test_a_statement_past_its_bound_is_told_and_the_connection_goes_on(db: None, is_snapshot: bool) -> None:
    with (
        pytest.raises(deadlines.TookTooLong),
        deadlines.within(milliseconds=20, is_snapshot=is_snapshot),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(5)")
    assert _limit() == "0"


def test_a_list_reads_its_rows_and_sums_in_a_snapshot(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    client.force_login(factories.make_user("boss", is_superuser=True))
    book.deposit(book.merchant("Acme"), "a1")
    with django_assert_max_num_queries(40) as captured:
        assert client.get("/admin/records/payment/").status_code == 200
    said = [query["sql"] for query in captured.captured_queries]
    opened = next(place for place, sql in enumerate(said) if "REPEATABLE READ READ ONLY" in sql)
    assert "SET LOCAL statement_timeout = 2000" in said[opened]
    read = [
        place for place, sql in enumerate(said) if 'FROM "records_payment"' in sql or "order_count" in sql
    ]
    assert (min(read) > opened, len(read)) == (True, 3)


def test_another_fault_of_the_database_is_not_taken_for_one_that_took_long() -> None:
    assert deadlines.is_given_up(deadlines.TookTooLong())
    assert not deadlines.is_given_up(DatabaseError("syntax error"))
