"""Lists of the back office: every model has one, none counts, none grows, bad input gets words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from diamondpay.models import Preference, RecoveryCode, RoleRule, SecondFactor, Tries, User
from merchants.models import SignedCall
from operations.models import BatchPayout, BatchPayoutRow, ReturnedFile
from records.models import (
    ChainCursor,
    ChainKey,
    ChainPayment,
    ChainQuote,
    Payment,
    Payout,
)
from tests import factories
from tests.admin import book

pytestmark = pytest.mark.django_db

OURS = ("diamondpay", "channels", "merchants", "records", "operations")
# What proves who somebody is has no page of its own: the pages of people show what there is to see.
# Batches have pages of their own, and signed calls are what a repeat is told from. What a chain knows of an
# order is shown on the order's page.
_OF_CHAINS = (ChainCursor, ChainKey, ChainPayment, ChainQuote)
_WITHOUT_PAGE = (
    BatchPayout, BatchPayoutRow, RecoveryCode, ReturnedFile, RoleRule, SecondFactor, SignedCall, Tries,
    *_OF_CHAINS,
)  # fmt: skip
MODELS = [
    model for label in OURS for model in apps.get_app_config(label).get_models() if model not in _WITHOUT_PAGE
]
PAYMENTS = "/admin/records/payment/"


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def url_of(model: Any, page: str = "changelist", *args: object) -> str:
    """Return the address of a model's page."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def rows(response: Any) -> list[Any]:
    """Return the rows a list shows."""
    return list(response.context["cl"].result_list)


def test_every_model_of_every_app_has_its_page_in_the_menu(client: Client, boss: User) -> None:
    listed = {
        entry["model"] for group in client.get("/admin/").context["app_list"] for entry in group["models"]
    }
    assert [model._meta.label for model in MODELS if model not in listed] == []


def test_the_menu_is_grouped_and_titled_as_the_seeds_do(client: Client, boss: User) -> None:
    menu = client.get("/admin/").context["app_list"]
    assert [str(group["name"]) for group in menu] == [
        "Records", "Operations", "Statistics", "Merchants", "Channels", "Administration",
    ]  # fmt: skip
    assert [str(entry["name"]) for entry in menu[0]["models"][:5]] == [
        "Deposit Order Records", "Payout Order Records", "Balance Records", "Balance Transfer",
        "Notification Details",
    ]  # fmt: skip


# What a superuser's page of each record list asks of the database: who and whose (5), views and roles (2),
# the bound on statements (4; 1 where no test's transaction is around it), sums, keys and rows (3); the rest
# are the choices of its filters and the decimals of its sums.
STATEMENTS = {
    "payment": 17, "payout": 17, "balancerecord": 16, "balancetransfer": 16, "notification": 14,
    "upstreamcallback": 15, "chaintransfer": 17, "case": 15, "account": 17,
}  # fmt: skip


def test_each_list_takes_the_same_number_of_queries_for_few_and_many_rows_and_counts_up_to_a_bound(
    client: Client, boss: User
) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    counts: list[dict[str, int]] = []
    # The first round fills Django's caches; no list is longer than a page, so each says its sums at once.
    for start, count in ((1, 1), (10, 1), (20, 3)):
        book.fill(acme, other, boss, start=start, count=count)
        Preference.objects.create(user=boss, key=f"k{start}", value=1)
        counts.append({})
        for model in MODELS:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(url_of(model)).status_code == 200
            counted = [query["sql"] for query in captured if "COUNT(" in query["sql"].upper()]
            assert [sql for sql in counted if "LIMIT 10001" not in sql] == []
            counts[-1][model._meta.label_lower] = len(captured)
    assert counts[1] == counts[2]
    assert {kind: counts[2][f"records.{kind}"] for kind in STATEMENTS} == STATEMENTS
    assert max(counts[2].values()) == max(STATEMENTS.values())


def test_order_pages_take_the_same_number_of_queries_for_few_and_many_rows_beside_them(
    client: Client, boss: User
) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    counts = []
    # The first round fills Django's cache of content types.
    for start, count in ((1, 1), (10, 1), (20, 5)):
        book.fill(acme, other, boss, start=start, count=count)
        with CaptureQueriesContext(connection) as captured:
            for order in (Payment.objects.earliest("id"), Payout.objects.earliest("id")):
                assert client.get(url_of(type(order), "change", order.pk)).status_code == 200
        counts.append(len(captured))
    assert counts[1] == counts[2]


def test_the_combined_filter_of_the_seed_finds_exactly_the_orders_that_match(
    client: Client, boss: User
) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    paid = book.deposit(acme, "a1")
    book.deposit(acme, "a2", is_paid=False)
    book.deposit(other, "b1")
    today = timezone.localdate(timezone=None).isoformat()
    days = f"created_from={today[:4]}-01-01&created_to={today[:4]}-12-31"
    query = f"{days}&merchant={acme.merchant.pk}&status=1&service=SVC0001"
    response = client.get(f"/RecordPayment?{query}", follow=True)
    assert response.redirect_chain == [(f"{PAYMENTS}?{query}", 302)]
    assert [row.pk for row in rows(response)] == [paid.pk]
    assert f"{acme.merchant.pk}" in response.content.decode()


@pytest.mark.parametrize(
    "query", ["amount_min=300.01", "amount_max=299.99", "is_test=1", "status=2", "channel=none"]
)
def test_a_filter_that_does_not_fit_hides_the_order(client: Client, boss: User, query: str) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    assert rows(client.get(f"{PAYMENTS}?{query}")) == []


@pytest.mark.parametrize(
    "query", ["amount_min=300&amount_max=300", "is_test=0", "status=1", "channel=sandbox"]
)
def test_a_filter_that_fits_shows_the_order(client: Client, boss: User, query: str) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    assert len(rows(client.get(f"{PAYMENTS}?{query}"))) == 1


def test_an_end_date_includes_its_whole_day_in_the_viewers_zone(client: Client, boss: User) -> None:
    Preference.objects.create(user=boss, key="time_zone", value="Pacific/Kiritimati")
    payment = book.deposit(book.merchant("Acme"), "a1", is_paid=False)
    day = (payment.created_at + timedelta(hours=14)).date()
    assert len(rows(client.get(f"{PAYMENTS}?created_from={day}&created_to={day}"))) == 1
    eve = day - timedelta(days=1)
    assert rows(client.get(f"{PAYMENTS}?created_from={eve}&created_to={eve}")) == []


@pytest.mark.parametrize("key", ["payment_id", "merchant_order_no", "channel_order_no", "account_tail"])
def test_search_finds_a_deposit_by_each_exact_number_whenever_it_was(
    client: Client, boss: User, key: str
) -> None:
    acme = book.merchant("Acme")
    payment = book.deposit(acme, "a1")
    text = f"  {getattr(payment, key)} "
    found = client.get(PAYMENTS, {"q": text, "created": "yesterday"})
    assert [row.pk for row in rows(found)] == [payment.pk]


@pytest.mark.parametrize("text", ["PM", "%", "0000", "A", "*", "ｐｍ", "x" * 5000])
def test_search_never_matches_a_part_of_a_number(client: Client, boss: User, text: str) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    with CaptureQueriesContext(connection) as captured:
        response = client.get(PAYMENTS, {"q": text})
    assert (response.status_code, rows(response)) == (200, [])
    assert [query["sql"] for query in captured if "LIKE" in query["sql"].upper()] == []


def test_search_forgives_full_width_digits_and_lower_case(client: Client, boss: User) -> None:
    payment = book.deposit(book.merchant("Acme"), "a1")
    wide = payment.payment_id.lower().translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
    assert [row.pk for row in rows(client.get(PAYMENTS, {"q": wide}))] == [payment.pk]


@pytest.mark.parametrize(
    "query",
    [
        "p=-1", "p=abc", "p=100000000000", "p=1&p=2", "after=x", "before=%00", "after=" + "x" * 10_000,
        "q=%25", "q=" + "x" * 10_000, "created_from=2016-01-01&created_to=2026-01-01", "status=1&status=x",
        "is_test=2", "created=today&created=7d", "columns=nonsense", "columns=" + "x" * 10_000, "view=abc",
        "service=none", "created_from=2026-01-31T25:61", "completed_to=%EF%BC%92026-01-01",
        "notification=lost", "q=%00", "created=someday", "created_from=2026-02-30",
        "created_from=2026-02-02&created_to=2026-01-01", "status=99", "status=abc", "amount_min=1e3",
        "amount_max=%EF%BC%91", "merchant=%00", "o=1.2.3", "o=-99", "e=1", "all=1", "created_to=9999-12-31",
        "created_from=0001-01-01", "merchant=" + "x" * 300, "_facets=1", "party_encrypted__startswith=x",
        "merchant__name__icontains=a", "account_hash__isnull=0", "nonsense=1", "_to_field=id",
    ],
)  # fmt: skip
def test_bad_input_to_a_list_gets_words_and_never_an_error(client: Client, boss: User, query: str) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    response = client.get(f"{PAYMENTS}?{query}", follow=True)
    assert response.status_code == 200
    assert "Deposit Order Records" in response.content.decode()


def test_an_unknown_filter_is_named_and_dropped(client: Client, boss: User) -> None:
    response = client.get(f"{PAYMENTS}?memo__icontains=x&status=1&channel=", follow=True)
    assert response.redirect_chain == [(f"{PAYMENTS}?status=1", 302)]
    assert [str(message) for message in response.context["messages"]] == [
        "This list has no filter “memo__icontains”; it was ignored."
    ]


@pytest.mark.parametrize(
    ("short", "model"),
    [
        ("RecordPayment", "payment"), ("RecordPayout", "payout"), ("RecordBalanceRecord", "balancerecord"),
        ("RecordBalanceTransfer", "balancetransfer"), ("RecordNotificationDetail", "notification"),
    ],
)  # fmt: skip
def test_short_paths_lead_to_the_lists_with_their_query(
    client: Client, boss: User, short: str, model: str
) -> None:
    response = client.get(f"/{short}?merchant=PF0001")
    assert (response.status_code, response["Location"]) == (302, f"/admin/records/{model}/?merchant=PF0001")
    assert client.get(response["Location"]).status_code == 200


def test_the_root_leads_to_the_back_office(client: Client) -> None:
    assert client.get("/")["Location"] == "/admin/"


def test_amounts_carry_their_currencys_decimals_and_times_the_viewers_zone(
    client: Client, boss: User
) -> None:
    Preference.objects.create(user=boss, key="time_zone", value="America/Sao_Paulo")
    payment = book.deposit(book.merchant("Acme"), "a1", amount="1234.5")
    page = client.get(PAYMENTS).content.decode()
    assert '<th scope="col" class="number">Requested (CNY)</th>' in page
    assert '<span class="amount">1,234.50 <small class="unit">CNY</small></span>' in page
    assert f"{payment.created_at - timedelta(hours=3):%m-%d %H:%M:%S}</time>" in page
    assert "-0300" in page
