"""Pages of a list: newer and older by keyset, numbers up to 200, counts and sums that are never a guess."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from diamondpay.lib import admin_list, clock, paging
from diamondpay.models import Preference, User
from records import filters, list_sums, totals
from records.admin import lists
from records.models import Payment
from tests import factories
from tests.admin import book
from tests.admin.test_filters import SHANGHAI
from tests.admin.test_lists import PAYMENTS, rows

pytestmark = pytest.mark.django_db

AT = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch, boss: User) -> None:
    """Let a page have two rows."""
    monkeypatch.setattr(lists, "ROWS_CHOICES", (2, 5))
    Preference.objects.create(user=boss, key=lists.ROWS_KEY, value=2)


def shown(client: Client, query: str) -> tuple[list[str], Any]:
    """Return the merchants' numbers that a page of the list shows, and the list."""
    response = client.get(f"{PAYMENTS}{query}")
    assert response.status_code == 200
    return [row.merchant_order_no for row in rows(response)], response.context["cl"]


def test_a_cursor_survives_the_address_and_nothing_else_is_one() -> None:
    for cursor in (paging.Cursor(key=7, at=AT), paging.Cursor(key=2**63 - 1), paging.Cursor(key=1, at=AT)):
        assert paging.place_of({"after": str(cursor)}).after == paging.Cursor(
            key=cursor.key, at=cursor.at or datetime(1970, 1, 1, tzinfo=UTC)
        )
    for text in ("x", "%", "MA", "MC4t", "9" * 65, "ＭＳ４ｘ"):
        with pytest.raises(paging.Unreadable, match="begin at its first page"):
            paging.place_of({"after": text})


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"p": "-1"}, "“-1” is not a page number."), ({"p": "abc"}, "“abc” is not a page number."),
        ({"p": "0"}, "“0” is not a page number."), ({"p": "１"}, "“１” is not a page number."),
        ({"p": "201"}, "Page numbers end at 200."), ({"p": "9" * 40}, "is not a page number."),
        ({"after": "MS4x", "before": "MS4x"}, "either after a row or before one"),
    ],
)  # fmt: skip
def test_a_place_that_is_none_says_why(params: dict[str, str], words: str) -> None:
    with pytest.raises(paging.Unreadable, match=words):
        paging.place_of(params)


@pytest.mark.usefixtures("small_pages")
def test_older_and_newer_walk_the_whole_list_and_back(client: Client) -> None:
    acme = book.merchant("Acme")
    for number in range(5):
        book.deposit(acme, f"n{number}", is_paid=False)
    first, page1 = shown(client, "")
    second, page2 = shown(client, page1.older_url)
    third, page3 = shown(client, page2.older_url)
    assert [first, second, third] == [["n4", "n3"], ["n2", "n1"], ["n0"]]
    assert [page.place.number for page in (page1, page2, page3)] == [1, 2, 3]
    assert [page.can_go_older for page in (page1, page2, page3)] == [True, True, False]
    assert [page.page.has_newer for page in (page1, page2, page3)] == [False, True, True]
    back, page = shown(client, page3.newer_url)
    assert (back, page.place.number) == (second, 2)
    assert page.newer_url == "?"
    assert shown(client, "?p=2")[0] == second
    assert shown(client, "?p=3")[0] == third
    assert "There is no such page" in client.get(f"{PAYMENTS}?p=4").content.decode()


@pytest.mark.usefixtures("small_pages")
def test_what_comes_in_between_moves_no_row_of_an_older_page(client: Client) -> None:
    acme = book.merchant("Acme")
    for number in range(4):
        book.deposit(acme, f"n{number}", is_paid=False)
    _first, page = shown(client, "")
    book.deposit(acme, "late", is_paid=False)
    assert shown(client, page.older_url)[0] == ["n1", "n0"]


@pytest.mark.usefixtures("small_pages")
def test_filters_and_columns_stay_in_the_addresses_of_the_pages(client: Client) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    for number in range(3):
        book.deposit(acme, f"a{number}", is_paid=False)
        book.deposit(other, f"b{number}", is_paid=False)
    query = f"?status=0&status=1&merchant={acme.merchant.pk}&columns=payment_id,status"
    first, page = shown(client, query)
    assert first == ["a2", "a1"]
    older, page = shown(client, page.older_url)
    assert (older, [column.key for column in page.chosen]) == (["a0"], ["payment_id", "status"])


@pytest.mark.usefixtures("small_pages")
def test_branches_are_merged_in_the_order_of_the_list(client: Client) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    for number in range(3):
        book.deposit(acme, f"a{number}", is_paid=number % 2 == 0)
        book.deposit(other, f"b{number}", is_paid=number % 2 == 1)
    query = f"?merchant={acme.merchant.pk}&merchant={other.merchant.pk}&status=0&status=1"
    first, page1 = shown(client, query)
    second, page2 = shown(client, page1.older_url)
    third, page3 = shown(client, page2.older_url)
    assert len(page1.reading.branches) == 4
    assert first + second + third == ["b2", "a2", "b1", "a1", "b0", "a0"]
    assert shown(client, page3.newer_url)[0] == second


def test_the_count_and_the_sums_are_those_of_the_filter(client: Client, boss: User) -> None:
    acme = book.merchant("Acme")
    book.deposit(acme, "a1", amount="1234.5")
    book.fold()
    book.deposit(acme, "a2", amount="300")
    book.deposit(acme, "a3", amount="50", is_paid=False)
    _numbers, page = shown(client, "?status=1&created=today")
    (part,) = page.sums.parts
    assert (page.sums.row_count, part.currency) == (2, "CNY")
    assert part.sums == (Decimal("1534.5"), Decimal("1534.5"), Decimal("4.6"), Decimal("1529.9"))
    text = client.get(f"{PAYMENTS}?status=1&created=today").content.decode()
    assert 'requested <span class="amount">1,534.50</span>' in text
    assert 'credited <span class="amount">1,529.90</span>' in text
    assert shown(client, "?amount_min=100")[1].sums == page.sums


def test_counted_sums_equal_the_totals_for_both_kinds(boss: User) -> None:
    acme = book.merchant("Acme")
    book.fund(acme)
    for number in range(2):
        book.deposit(acme, f"d{number}", is_paid=number == 0)
        book.payout(acme, f"p{number}", is_paid=number == 0)
    for kind in ("payment", "payout"):
        reading = filters.read(kind, QueryDict("created=today"), user=boss, zone=SHANGHAI, now=clock.now())
        known = list_sums.known(reading)
        assert known == list_sums.counted(kind, reading.queryset)
        assert known is not None
        assert known.row_count == 2


def test_beyond_what_is_counted_there_is_no_guess(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_sums, "COUNT_MAX", 2)
    acme = book.merchant("Acme")
    book.fund(acme)
    for number in range(3):
        book.deposit(acme, f"d{number}")
    everything = Payment.objects.all()
    assert list_sums.counted("payment", everything) == list_sums.Sums(row_count=None)
    assert list_sums.counted("payment", everything.filter(merchant_order_no="d1")).row_count == 1
    with CaptureQueriesContext(connection) as captured:
        list_sums.counted("payment", everything)
    assert ["LIMIT 3" in query["sql"] for query in captured] == [True]


def test_wallets_sum_up_both_balances(client: Client, boss: User) -> None:
    acme = book.merchant("Acme")
    book.fund(acme, "1000")
    book.payout(acme, "p1", amount="100", is_paid=False)
    page = client.get("/admin/records/account/").context["cl"]
    frozen = Decimal("100.3")
    assert [(row.balance, row.frozen, row.wallet_total) for row in page.result_list] == [
        (1000 - frozen, frozen, Decimal(1000))
    ]
    assert page.sums.parts[0].sums == (1000 - frozen, frozen)


@pytest.mark.usefixtures("small_pages")
def test_a_count_that_cannot_come_with_the_page_is_asked_for_after_it(client: Client) -> None:
    acme = book.merchant("Acme")
    for number in range(3):
        book.deposit(acme, f"n{number}", amount="300")
    _numbers, page = shown(client, "?amount_min=1")
    assert (page.sums, page.count_url) == (None, "/admin/lists/payment/count/?amount_min=1")
    text = client.get(page.count_url).content.decode()
    assert '<strong class="count">3</strong> rows' in text
    assert 'requested <span class="amount">900.00</span>' in text
    assert (
        'hx-get="/admin/lists/payment/count/?amount_min=1"'
        in client.get(f"{PAYMENTS}?amount_min=1").content.decode()
    )


def test_a_filter_that_the_totals_know_to_match_nothing_reads_no_order(client: Client, boss: User) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    with CaptureQueriesContext(connection) as captured:
        numbers, page = shown(client, "?status=2&created=any")
    assert (numbers, page.sums.row_count) == ([], 0)
    assert [query["sql"] for query in captured if 'FROM "records_payment"' in query["sql"]] == []


def test_a_merchants_user_counts_and_sums_up_their_own_rows_alone(client: Client, boss: User) -> None:
    acme, rival = book.merchant("Acme"), book.merchant("Rival")
    book.deposit(acme, "a1", amount="10")
    book.deposit(rival, "r1", amount="7000")
    client.force_login(factories.make_merchant_user(acme.merchant))
    _numbers, page = shown(client, "")
    assert (page.sums.row_count, page.sums.parts[0].sums[0]) == (1, Decimal(10))
    text = client.get("/admin/lists/payment/count/?amount_min=1").content.decode()
    assert '<strong class="count">1</strong> row' in text
    assert "7,000" not in text
    refused = client.get(f"/admin/lists/payment/count/?merchant={rival.merchant.pk}").content.decode()
    assert "count" in refused
    assert "7,000" not in refused


def test_rows_per_page_are_remembered_for_every_list(client: Client, boss: User) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    answer = client.post("/admin/lists/payment/rows/", {"rows": "100", "query": "status=1&p=7&after=x"})
    assert (answer.status_code, answer["Location"]) == (302, f"{PAYMENTS}?status=1")
    assert Preference.objects.get(user=boss, key="rows").value == 100
    assert client.get("/admin/records/payout/").context["cl"].list_per_page == 100
    for wrong in ("7", "", "x" * 9000, "１００"):
        assert client.post("/admin/lists/payment/rows/", {"rows": wrong}).status_code == 302
    assert Preference.objects.get(user=boss, key="rows").value == 100
    assert client.get("/admin/lists/payment/rows/").status_code == 405
    assert client.post("/admin/lists/nonsense/rows/", {"rows": "100"}).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_list_that_takes_too_long_says_how_to_narrow_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(factories.make_user("boss", is_superuser=True))
    book.deposit(book.merchant("Acme"), "a1")
    monkeypatch.setattr(admin_list, "PAGE_MS_MAX", 50)

    def slow(**_arguments: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        return []

    monkeypatch.setattr(totals, "figures", slow)
    response = client.get(f"{PAYMENTS}?status=1")
    page = response.content.decode()
    assert response.status_code == 503
    assert "The search took longer than two seconds and was stopped." in page
    assert "a merchant, a status, a service or a channel" in page
    assert 'name="status" value="1" checked' in page
