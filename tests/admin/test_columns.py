"""Columns of the record lists: chosen and ordered by each person, of what their role may see."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from channels.models import Currency
from diamondpay.lib import columns
from diamondpay.lib.columns import FileType
from diamondpay.models import Preference, User
from records import columns as record_columns
from records import filters
from records.models import Payment
from tests import factories
from tests.admin import book
from tests.admin.test_lists import PAYMENTS

pytestmark = pytest.mark.django_db

CHOICE = "/admin/lists/payment/columns/"


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def shown(client: Client, query: str = "") -> list[str]:
    """Return the keys of the columns that the list shows."""
    return [column.key for column in client.get(f"{PAYMENTS}{query}").context["cl"].chosen]


def test_a_list_shows_the_fields_of_the_seed(client: Client, boss: User) -> None:
    assert shown(client) == [
        "payment_id", "merchant_order_no", "merchant_id", "service_id", "channel_id", "requested_amount",
        "actual_amount", "fee", "credited_amount", "status", "created_at", "completed_at",
    ]  # fmt: skip
    by_default = {
        kind: [column.key for column in record_columns.of(kind) if column.is_default]
        for kind in filters.KINDS
    }
    assert by_default["payout"][-5:] == [
        "created_at",
        "completed_at",
        "party_name",
        "account_masked",
        "bank_id",
    ]
    assert by_default["balancerecord"] == [
        "id", "created_at", "merchant_id", "channel_id", "merchant_channel_id", "account_kind", "change_type",
        "amount", "balance_before", "balance_after", "order_no", "posting_remark",
    ]  # fmt: skip
    assert by_default["balancetransfer"] == [
        "request_id", "created_at", "source_merchant_id", "source_id", "destination_merchant_id",
        "destination_id", "amount", "currency_id", "operator_username", "reason",
    ]  # fmt: skip
    assert by_default["notification"][:8] == [
        "order_no", "merchant_id", "created_at", "state", "attempt_count", "last_reason", "answer", "facts",
    ]  # fmt: skip
    assert by_default["account"] == [
        "merchant_channel_id", "merchant_id", "merchant_name", "channel_id", "balance", "frozen",
        "wallet_total", "currency_id",
    ]  # fmt: skip


def test_a_choice_is_remembered_in_its_order_for_its_person_and_can_be_undone(
    client: Client, boss: User
) -> None:
    chosen = ["status", "payment_id", "merchant_name", "nonsense", "status"]
    answer = client.post(CHOICE, {"column": chosen, "query": "status=1&columns=fee&p=2"})
    assert (answer.status_code, answer["Location"]) == (302, f"{PAYMENTS}?status=1&p=2")
    assert shown(client) == ["status", "payment_id", "merchant_name"]
    assert Preference.objects.get(user=boss).key == "columns:payment"
    client.force_login(factories.make_operator())
    assert len(shown(client)) == 12
    client.force_login(boss)
    client.post(CHOICE, {"reset": "1", "column": ["fee"]})
    assert len(shown(client)) == 12
    assert not Preference.objects.exists()


def test_the_number_that_opens_an_order_is_always_shown(client: Client, boss: User) -> None:
    client.post(CHOICE, {"column": ["fee"]})
    assert shown(client) == ["payment_id", "fee"]
    client.post(CHOICE, {})
    assert len(shown(client)) == 12


def test_the_address_may_say_the_columns_and_wrong_ones_get_words(client: Client, boss: User) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    assert shown(client, "?columns=fee,payment_id") == ["fee", "payment_id"]
    page = client.get(f"{PAYMENTS}?columns=fee,party_encrypted")
    assert "This list has no column “party_encrypted”." in page.content.decode()
    assert list(page.context["cl"].result_list) == []


def test_a_merchants_user_sees_no_column_of_ours(client: Client) -> None:
    acme = book.merchant("Acme")
    payment = book.deposit(acme, "a1")
    clerk = factories.make_merchant_user(acme.merchant)
    client.force_login(clerk)
    keys = {column.key for column in record_columns.of("payment", clerk)}
    assert {"channel_id", "channel_order_no"} & keys == set()
    client.post(CHOICE, {"column": ["payment_id", "channel_order_no", "channel_id"]})
    assert shown(client) == ["payment_id"]
    page = client.get(f"{PAYMENTS}?columns=payment_id,channel_order_no")
    assert payment.channel_order_no not in page.content.decode()
    assert "no column “channel_order_no”" in page.content.decode()


def test_every_column_of_every_kind_is_read_in_one_statement(boss: User) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    book.fill(acme, other, boss, start=1, count=2)
    types: dict[FileType, Any] = {
        FileType.TEXT: str, FileType.AMOUNT: Decimal, FileType.MOMENT: datetime, FileType.NUMBER: int,
    }  # fmt: skip
    for kind in filters.KINDS:
        table = record_columns.of(kind)
        with CaptureQueriesContext(connection) as captured:
            rows = list(columns.rows(filters._LISTS[kind].rows.order_by("-id"), table))
            html = columns.body(rows, table, unit="CNY")
            values = [(column, column.read(row)) for row in rows for column in table]
        assert (len(captured), len(rows) > 1) == (1, True), kind
        assert html.count("<tr ") == len(rows)
        for column, value in values:
            expected = str if column.key == "id" and value is not None else types[column.file_type]
            assert value is None or isinstance(value, expected), (kind, column.key, value)


def test_nothing_that_is_sealed_or_hashed_is_loaded(boss: User) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    with CaptureQueriesContext(connection) as captured:
        list(columns.rows(Payment.objects.all(), record_columns.of("payment")))
    (sql,) = [query["sql"] for query in captured]
    assert [word for word in ("_encrypted", "_hash", "routing") if word in sql] == []


def test_long_numbers_are_cut_in_the_middle_and_copied_whole(client: Client, boss: User) -> None:
    long = "xin_1597534628_10_abcdef"
    book.deposit(book.merchant("Acme"), long)
    page = client.get(PAYMENTS).content.decode()
    assert f'<span title="{long}">xin_15975…abcdef</span>' in page
    assert f'data-copy="{long}"' in page


def test_rows_carry_the_filter_to_the_orders_own_page(client: Client, boss: User) -> None:
    payment = book.deposit(book.merchant("Acme"), "a1")
    page = client.get(f"{PAYMENTS}?status=1&created=7d").content.decode()
    url = f"/admin/records/payment/{payment.pk}/change/?list=created%3D7d%26status%3D1"
    assert f'<tr data-href="{url}"><td data-label="Platform order no." class="card-main">' in page
    assert f'<a href="{url}" data-open>{payment.payment_id}</a>' in page


def test_a_choice_is_refused_without_the_right_to_the_list(client: Client) -> None:
    client.force_login(factories.make_customer_service())
    assert client.post("/admin/lists/balancerecord/columns/", {"column": ["id"]}).status_code == 403
    assert client.post("/admin/lists/nonsense/columns/", {"column": ["id"]}).status_code == 404
    assert client.get(CHOICE).status_code == 405
    assert not Preference.objects.exists()


def test_a_row_names_its_currency_once_and_again_where_it_changes(boss: User) -> None:
    amounts = columns.chosen(
        record_columns.of("payment"), ("requested_amount", "actual_amount", "fee", "credited_amount")
    )
    cny, mtc = Currency(pk="CNY", exponent=2), Currency(pk="MTC", exponent=2)
    hundred, nothing = Decimal(100), None
    rows = [
        Payment(currency=cny, settlement_currency=own, requested_amount=hundred, actual_amount=actual,
                fee=fee, credited_amount=fee)
        for own, actual, fee in ((cny, hundred, hundred), (mtc, hundred, hundred), (mtc, nothing, hundred))
    ]  # fmt: skip
    html = columns.body(rows, amounts)
    named = [re.findall(r"<small( class=\"unit\")?>(\w+)</small>", row) for row in html.split("</tr>")]
    bare = ' class="unit"'
    assert named == [
        [("", "CNY"), (bare, "CNY"), (bare, "CNY"), (bare, "CNY")],
        [("", "CNY"), (bare, "CNY"), ("", "MTC"), (bare, "MTC")],
        [("", "CNY"), ("", "MTC"), (bare, "MTC")],
        [],
    ]


@pytest.mark.parametrize(
    "address", [f"{PAYMENTS}?columns=payment_id,merchant_order_no,merchant_name", "search"]
)
def test_what_people_wrote_is_escaped_in_every_cell(client: Client, boss: User, address: str) -> None:
    hostile = "<i>\"'&amp;{0}%s</i>"
    acme = book.merchant("Acme")
    type(acme.merchant).objects.filter(pk=acme.merchant.pk).update(name=hostile)
    first, second = book.deposit(acme, f"{hostile}1"), book.deposit(acme, f"{hostile}2")
    page = (
        client.get("/admin/search/", {"q": first.account_tail})
        if address == "search"
        else client.get(address)
    )
    html = page.content.decode()
    assert first.payment_id in html
    assert second.payment_id in html
    assert "<i>" not in html
    # Each number once as a text and once as what a pointer or the copying button says; each name once.
    assert html.count(escape(hostile)) == (6 if address == "search" else 10)
