"""The balances of channels and of the platform: totals of their records, and of nobody's but ours."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from diamondpay.models import User
from records import ledger
from records.models import Account
from tests import factories
from tests.admin import book

pytestmark = pytest.mark.django_db

PAGE = "/admin/channel-balances/"


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def shown(client: Client) -> dict[tuple[str, str], list[str]]:
    """Return the amounts of every line, by channel and currency."""
    context = client.get(PAGE).context
    lines = [*context["channels"], *context["platform"]]
    return {(line.name, line.currency): [each.amount for each in line.balances] for line in lines}


def test_channels_and_platform_show_the_sums_of_their_records(client: Client, boss: User) -> None:
    acme = book.merchant("Acme")
    book.deposit(acme, "a1", amount="300")
    book.fold()
    book.deposit(acme, "a2", amount="1000")
    book.fund(acme, "50")
    assert shown(client) == {
        ("sandbox Sandbox", "CNY"): ["-1,300.00", "0.00"], ("", "CNY"): ["3.90", "-50.00", "0.00"],
    }  # fmt: skip
    clearing = Account.objects.get(kind=Account.Kind.CLEARING, channel="sandbox")
    assert ledger.system_balances([clearing.pk]) == {clearing.pk: Decimal(-1300)}
    page = client.get(f"/admin/records/account/{clearing.pk}/change/").content.decode()
    assert '<span class="amount">-1,300.00 <small>CNY</small></span>' in page


def test_the_records_of_a_channels_balance_go_on_to_the_oldest(client: Client, boss: User) -> None:
    acme = book.merchant("Acme")
    for number in range(103):
        book.deposit(acme, f"a{number}", amount=str(1 + number))
    clearing = Account.objects.get(kind=Account.Kind.CLEARING, channel="sandbox")
    page = f"/admin/records/account/{clearing.pk}/change/"
    seen, query, lengths = [], "?", []
    while query:
        (panel,) = client.get(f"{page}{query}").context["panels"]
        seen += [re.findall(r"-[0-9.]+", str(row[5][0]))[0] for row in panel["rows"]]
        lengths.append(len(panel["rows"]))
        query = panel["older_url"]
    assert lengths == [100, 3]
    assert seen == [f"-{amount}.00" for amount in range(103, 0, -1)]
    for nonsense in ("x", "-1", "9" * 40, "%00", "１"):
        assert len(client.get(f"{page}?before={nonsense}").context["panels"][0]["rows"]) == 100


def test_the_page_takes_the_same_number_of_statements_for_more_channels(client: Client, boss: User) -> None:
    counts = []
    for round_ in range(3):
        factories.make_channel(f"channel{round_}")
        with CaptureQueriesContext(connection) as captured:
            client.get(PAGE)
        counts.append(len(captured))
    assert counts[1] == counts[2]


def test_nobody_but_those_who_see_all_balances_sees_them(client: Client) -> None:
    acme = book.merchant("Acme")
    book.deposit(acme, "a1")
    for user, status in (
        (factories.make_finance(), 200), (factories.make_customer_service(), 403),
        (factories.make_merchant_user(acme.merchant), 403),
    ):  # fmt: skip
        client.force_login(user)
        assert client.get(PAGE).status_code == status
    client.force_login(factories.make_user("bound", is_superuser=True, merchants=[acme.merchant]))
    assert shown(client) == {}
    client.force_login(factories.make_user("root", is_superuser=True))
    assert client.post(PAGE).status_code == 405
