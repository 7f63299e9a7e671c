"""Statistics pages: figures equal the lists they lead to, people see their own, bad input gets words."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import connection
from django.db.models import Sum
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diamondpay.lib import clock
from diamondpay.models import User
from merchants.registration import Registered
from records import filters
from records.admin import statistics
from tests import factories
from tests.admin import book

pytestmark = pytest.mark.django_db

SERVICES = "/admin/statistics/services/"
RATES = "/admin/statistics/success-rate/"
_CELL = re.compile(r'data-label="([^"]+)"><a(?: class="quiet")? href="([^"]+)">([^<]+)</a>')
_SUMMED = {
    "Requested": "requested_amount", "Actual": "actual_amount", "Fee": "fee", "Credited": "credited_amount",
    "Debited": "debited_amount",
}  # fmt: skip


@pytest.fixture
def both() -> tuple[Registered, Registered]:
    """Two merchants with deposits and payouts of every end; half of them folded into the totals."""
    acme, rival = book.merchant("Acme"), book.merchant("Rival")
    for owner in (acme, rival):
        book.fund(owner)
        for number, amount in enumerate(("99.99", "100", "199.99", "5000", "7")):
            book.deposit(owner, f"d{number}", amount=amount, is_paid=number % 2 == 0)
        book.payout(owner, "p1", amount="150")
        book.payout(owner, "p2", amount="40", is_paid=False)
        book.fold()
    return acme, rival


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def cells(response: Any) -> list[tuple[str, str, str]]:
    """Return the figures of a page that are links: name, address, text."""
    found = _CELL.findall(response.content.decode())
    return [(name, html.unescape(url), text) for name, url, text in found]


def listed(url: str, user: User, zone: str = "Asia/Shanghai") -> Any:
    """Return the rows of the list at an address, as the user sees them."""
    address = urlsplit(url)
    kind = address.path.strip("/").rpartition("/")[2]
    query = QueryDict(address.query)
    reading = filters.read(kind, query, user=user, zone=ZoneInfo(zone), now=clock.now())
    assert (reading.errors, reading.unknown) == ((), ())
    return reading.queryset


def follow(found: list[tuple[str, str, str]], user: User, zone: str = "Asia/Shanghai") -> int:
    """Compare every figure with the rows behind it; return how many were compared."""
    compared = 0
    for name, url, text in found:
        number = Decimal(text.replace(",", "").removesuffix(" %"))
        rows = listed(url, user, zone)
        if name in ("Orders", "Successful", "Open"):
            assert rows.count() == number, (name, url)
        elif name in _SUMMED:
            field = _SUMMED[name]
            assert (rows.aggregate(total=Sum(field))["total"] or 0) == number, (name, url)
        else:
            assert name in ("Success rate", "Of the ended")
            continue
        compared += 1
    return compared


@pytest.mark.parametrize(
    ("page", "kind"),
    [(SERVICES, "payment"), (SERVICES, "payout"), (f"{RATES}?by=channel", "payment"),
     (f"{RATES}?by=merchant", "payout"), (f"{RATES}?by=hour&created=today", "payment"),
     (f"{RATES}?by=day&is_test=in", "payment")],
)  # fmt: skip
def test_every_figure_equals_the_rows_it_leads_to_a2(
    client: Client, both: tuple[Registered, Registered], boss: User, page: str, kind: str
) -> None:
    book.deposit(both[0], "after the fold", amount="33")
    response = client.get(f"{page}{'&' if '?' in page else '?'}kind={kind}")
    assert response.context["complaints"] == []
    found = cells(response)
    assert follow(found, boss) >= 20
    for _name, url, _text in found[:12]:
        opened = client.get(url)
        assert (opened.status_code, [str(each) for each in opened.context["messages"]]) == (200, [])


def test_every_figure_equals_its_rows_for_any_filter_a2(
    client: Client, both: tuple[Registered, Registered], boss: User
) -> None:
    book.deposit(both[1], "after the fold", amount="33")
    merchants = [owner.merchant.pk for owner in both]
    choices: dict[str, st.SearchStrategy[Any]] = {
        "merchant": st.lists(st.sampled_from(merchants), unique=True, max_size=2),
        "service": st.lists(st.sampled_from(["SVC0001", "SVC0004"]), unique=True, max_size=2),
        "channel": st.lists(st.just("sandbox"), max_size=1),
        "currency": st.lists(st.just("CNY"), max_size=1),
        "kind": st.sampled_from(["payment", "payout"]),
        "created": st.sampled_from(["today", "7d", "30d", "month"]),
        "is_test": st.sampled_from(["", "in", "only"]),
    }
    compared = 0

    pages = [SERVICES, *(f"{RATES}?by={by}" for by in ("service", "channel", "merchant", "day"))]

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(page=st.sampled_from(pages), asked=st.fixed_dictionaries(choices))
    def compare(page: str, asked: dict[str, Any]) -> None:
        nonlocal compared
        joint = "&" if "?" in page else "?"
        response = client.get(f"{page}{joint}{urlencode(asked, doseq=True)}")
        assert (response.status_code, response.context["complaints"]) == (200, [])
        compared += follow(cells(response), boss)

    compare()
    assert compared > 30


def test_the_service_page_tells_each_sum_and_rate(
    client: Client, both: tuple[Registered, Registered], boss: User
) -> None:
    context = client.get(SERVICES).context
    (row,), (together,) = context["rows"], context["sums"]
    assert (row["label"], row["name"], row["currency"]) == ("SVC0001", "Bank-card deposit", "CNY")
    shown = {name: row[name] for name in ("orders", "success", "open", "rate", "ended_rate", "requested")}
    assert shown == {
        "orders": "10", "success": "6", "open": "4", "rate": Decimal("60.00"),
        "ended_rate": Decimal("100.00"), "requested": "10,813.96",
    }  # fmt: skip
    assert (row["actual"], row["fee"], row["credited"]) == ("613.96", "1.84", "612.12")
    assert together["requested"] == row["requested"]
    assert [(row["label"], row["orders"]) for row in context["buckets"]] == [
        ("5 – 9.99", "2"), ("10 – 19.99", ""), ("20 – 49.99", ""), ("50 – 99.99", "2"),
        ("100 – 199.99", "4"), ("200 – 499.99", ""), ("500 – 999.99", ""), ("1,000 – 1,999.99", ""),
        ("2,000 – 4,999.99", ""), ("5,000 – 9,999.99", "2"),
    ]  # fmt: skip


def test_test_orders_are_out_until_the_switch_lets_them_in(
    client: Client, both: tuple[Registered, Registered], boss: User
) -> None:
    acme = both[0].merchant
    acme.debug_mode, acme.debug_ends_at = True, clock.now() + timedelta(hours=1)
    acme.save()
    book.deposit(both[0], "tested", amount="77")

    def orders(query: str) -> list[str]:
        return [row["orders"] for row in client.get(f"{SERVICES}?{query}").context["sums"]]

    assert (orders(""), orders("is_test=in"), orders("is_test=only")) == (["10"], ["11"], ["1"])
    assert orders(f"merchant={acme.pk}&is_test=in") == ["6"]


def test_a_merchants_user_sees_figures_of_its_own_and_no_channels(
    client: Client, both: tuple[Registered, Registered]
) -> None:
    clerk = factories.make_merchant_user(both[0].merchant)
    client.force_login(clerk)
    for page in (SERVICES, f"{RATES}?by=day", f"{RATES}?by=hour&created=today"):
        response = client.get(page)
        assert [row["orders"] for row in response.context["sums"]] == ["5"]
        assert follow(cells(response), clerk) > 5
        text = response.content.decode()
        assert both[1].merchant.pk not in text
        assert "sandbox" not in text
    offered = [name for name, _word, _url in client.get(RATES).context["dimensions"]]
    assert offered == ["service", "hour", "day"]
    for query in (f"merchant={both[1].merchant.pk}", "merchant=Rival"):
        refused = client.get(f"{SERVICES}?{query}")
        assert "there is no merchant" in " ".join(refused.context["complaints"])
        assert "sums" not in refused.context
    refused = client.get(f"{RATES}?by=channel&channel=sandbox")
    assert len(refused.context["complaints"]) == 2
    assert refused.context["shown_by"] == "service"


def test_the_pages_open_with_the_permission_of_either_kind_of_orders(client: Client) -> None:
    client.force_login(factories.make_user("nobody"))
    assert (client.get(SERVICES).status_code, client.get(RATES).status_code) == (403, 403)
    client.force_login(factories.make_user("half", permissions=["records.view_payout"]))
    response = client.get(SERVICES)
    assert [kind for kind, _word, _url in response.context["kinds"]] == ["payout"]
    refused = client.get(f"{SERVICES}?kind=payment").context
    assert (refused["kind"], len(refused["complaints"])) == ("payout", 1)
    client.logout()
    assert client.get(SERVICES).status_code == 302


@pytest.mark.parametrize(
    "query",
    ["kind=x", "by=payer", "unit=QQQ", "created=someday", "created=any", "created_from=2026-13-01",
     "created_from=2016-01-01&created_to=2026-01-01", "created_from=2026-02-02&created_to=2026-01-01",
     "created_to=2026-01-01", "created_from=2099-01-01", "merchant=%00", "merchant=nobody", "is_test=maybe",
     "service=SVC9999", "service=" + "x" * 300, "channel=%27", "currency=ABC", "q=%25", "p=-1",
     "by=hour&created=30d", "created_from=2026-11-22T25:00"],
)  # fmt: skip
def test_bad_input_gets_words_and_never_an_error(
    client: Client, both: tuple[Registered, Registered], boss: User, query: str
) -> None:
    for page in (SERVICES, RATES):
        response = client.get(f"{page}?{query}")
        assert response.status_code == 200
        if page == RATES or not query.startswith("by=hour"):
            assert response.context["complaints"]
        assert response.context["title"] in ("Service Statistics", "Success Rate Statistics")


def test_an_empty_range_says_so_and_what_to_do(client: Client, boss: User) -> None:
    text = client.get(f"{RATES}?created=yesterday").content.decode()
    assert "No orders were created in this range." in text
    assert "Choose a longer range" in text


@pytest.mark.django_db(transaction=True)
def test_a_count_that_takes_too_long_says_how_to_ask_for_less(
    client: Client, boss: User, monkeypatch: pytest.MonkeyPatch, owner_connection: psycopg.Connection
) -> None:
    monkeypatch.setattr(statistics, "SECONDS_MAX", 1)
    with owner_connection.transaction():
        owner_connection.execute("LOCK TABLE records_summarytotal IN ACCESS EXCLUSIVE MODE")
        response = client.get(SERVICES)
    assert response.status_code == 200
    assert response.context["complaints"] == [
        "Counting took longer than 1 s. Choose a shorter range or a merchant."
    ]
    assert client.get(SERVICES).context["complaints"] == []


@pytest.mark.parametrize("page", [SERVICES, f"{RATES}?by=merchant", f"{RATES}?by=hour&created=today"])
def test_a_page_takes_the_same_queries_for_few_and_many_orders(client: Client, boss: User, page: str) -> None:
    counts = []
    for turn in range(3):
        owner = book.merchant(f"Merchant {turn}")
        for number in range(1 + 4 * turn):
            book.deposit(owner, f"d{number}", amount=str(10 * 3**number))
        if turn == 1:
            book.fold()
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page).status_code == 200
        counts.append(len(captured))
        assert [query["sql"] for query in captured if "COUNT(" in query["sql"].upper()] == []
    # The first page of a process also fills caches of Django's.
    assert counts[1] == counts[2] <= 24
