"""A2, L9: sums of orders that settle in another currency stand under the currency that they are in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client, override_settings

from channels.upstreams import base
from diamondpay.lib import clock
from diamondpay.models import Preference, User
from merchants import registration
from operations import placement
from records import checks, filters, list_sums, low_balances, statistics, statistics_filters, totals
from records.models import Account, Payout, PayoutAttempt
from tests import factories
from tests.admin import book
from tests.admin.test_statistics import cells, follow
from tests.lib import spreadsheets
from tests.records import exporting
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
ZONE = ZoneInfo("Asia/Shanghai")
OF_PAYMENTS = {
    ("CNY", "CNY", 0): ("1", "50", "0", "0", "0"),
    ("CNY", "CNY", 1): ("1", "100", "100", "0.8", "99.2"),
    ("CNY", "MTC", 0): ("1", "747", "0", "0", "0"),
    ("CNY", "MTC", 1): ("1", "1234.56", "1234.56", "1.32", "163.95"),
}
OF_PAYOUTS = {
    ("CNY", "CNY", 1): ("1", "200", "200", "1.6", "201.6"),
    ("CNY", "MTC", 1): ("1", "747", "747", "0.8", "100.8"),
    ("CNY", "MTC", 2): ("1", "74.7", "0", "0.08", "0"),
}


@pytest.fixture
def boss(db: None) -> User:
    """A superuser."""
    return factories.make_user("boss", is_superuser=True)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> Iterator[None]:
    with override_settings(EXPORT_DIR=str(tmp_path / "exports")):
        yield


@pytest.fixture
def mixed(desk: Desk) -> Desk:
    """One merchant in CNY and one in MTC at 7.47, half of whose orders are folded into the totals."""
    factories.make_rate("7.47", hours_ago=2)
    terms = registration.Terms(fee_permillage=Decimal(8))
    made = factories.make_merchant("Abroad", channels=["scripted"], terms=terms, settlement_currency="MTC")
    abroad = Desk(made, desk.upstream)
    for owner, paid, unpaid in ((desk, "100", "50"), (abroad, "1234.56", "747")):
        owner.fund("1000")
        owner.paid(owner.deposit(paid), paid)
        owner.deposit(unpaid)
    with connection.cursor() as cursor:
        cursor.execute("SELECT records_fold_order_totals(3)")
    desk.paid(attempt_of(desk.payout("200")), "200")
    abroad.paid(attempt_of(abroad.payout("747")), "747")
    abroad.failed(attempt_of(abroad.payout("74.7")))
    return abroad


def attempt_of(payout: Payout) -> PayoutAttempt:
    return PayoutAttempt.objects.select_related("payout", "channel").get(payout=payout)


def plain(amount: Decimal | int) -> str:
    return f"{Decimal(amount).normalize():f}"


def figures(kind: int, **wanted: Any) -> dict[tuple[str, str, int], tuple[str, ...]]:
    rows = totals.figures(kind=kind, **{"start": None, "end": None, **wanted})
    return {
        (row.currency, row.settlement_currency, row.status): (
            plain(row.order_count), plain(row.requested_sum), plain(row.actual_sum), plain(row.fee_sum),
            plain(row.credited_sum),
        )
        for row in rows
    }  # fmt: skip


def asked(boss: User, kind: str, query: str = "created=today") -> statistics.Asked:
    now = clock.now()
    found = statistics_filters.read(kind, QueryDict(query), user=boss, zone=ZONE, now=now).asked
    assert found is not None
    return found


def test_figures_are_kept_under_both_currencies_folded_or_not_a2(mixed: Desk) -> None:
    whole = {"start": clock.now().replace(year=2001), "end": clock.now().replace(year=2101)}
    for wanted in ({}, whole, {**whole, "group_by": ["merchant"]}):
        assert figures(totals.PAYMENTS, **wanted) == OF_PAYMENTS
        assert figures(totals.PAYOUTS, **wanted) == OF_PAYOUTS
    with connection.cursor() as cursor:
        cursor.execute("SELECT records_fold_order_totals(1000)")
    assert (figures(totals.PAYMENTS), figures(totals.PAYOUTS, **whole)) == (OF_PAYMENTS, OF_PAYOUTS)
    assert checks.violations() == []


@pytest.mark.parametrize(("settled", "names"), [("OWN", "CNY"), ("MTC", "MTC"), ("USDT", "")])
def test_the_filter_of_the_lists_and_the_totals_mean_the_same_orders_a2(
    mixed: Desk, boss: User, settled: str, names: str
) -> None:
    expected = {key: value for key, value in OF_PAYMENTS.items() if key[1] == names}
    assert figures(totals.PAYMENTS, settled=settled) == expected
    query = QueryDict(f"created=any&settled={settled.lower()}")
    reading = filters.read("payment", query, user=boss, zone=ZONE, now=clock.now())
    assert reading.errors == ()
    assert reading.queryset.count() == len(expected)
    known = list_sums.known(reading)
    assert known == list_sums.counted("payment", reading.queryset)


def test_a_word_that_is_no_currency_is_told_and_shows_nothing(mixed: Desk, boss: User) -> None:
    query = QueryDict("settled=FOO")
    reading = filters.read("payment", query, user=boss, zone=ZONE, now=clock.now())
    assert "“FOO” is no currency" in reading.errors[0]
    assert reading.queryset.count() == 0


def test_the_sums_under_a_list_have_a_line_for_each_pair_of_currencies_a2(
    mixed: Desk, boss: User, client: Client
) -> None:
    for kind, last in (("payment", "credited"), ("payout", "debited")):
        reading = filters.read(kind, QueryDict("created=any"), user=boss, zone=ZONE, now=clock.now())
        known = list_sums.known(reading)
        assert known is not None
        parts = {(part.currency, part.settlement_currency): part for part in known.parts}
        assert known == list_sums.counted(kind, reading.queryset)
        assert [str(label) for label in known.labels][-1] == last
    of_mtc = parts["CNY", "MTC"]
    assert of_mtc.units == ("CNY", "CNY", "MTC", "MTC")
    assert [plain(amount) for amount in of_mtc.sums] == ["821.7", "747", "0.88", "100.8"]
    client.force_login(boss)
    page = client.get("/admin/records/payment/?created=any").content.decode()
    for words in ("CNY → MTC", "1,981.56", "163.95 MTC", "1.32 MTC", "99.20"):
        assert words in page
    # What a single sum over both would be.
    for words in ("263.15", "2.12"):
        assert words not in page


@pytest.mark.parametrize("by", ["service", "channel", "merchant"])
def test_a_table_has_a_row_for_each_pair_and_leads_to_its_orders_a2(mixed: Desk, boss: User, by: str) -> None:
    question = asked(boss, "payment")
    links = statistics.Links(question)
    rows = statistics.table(question, by=by, links=links)
    told = {
        (row.currency, row.settlement_currency): (plain(row.actual), plain(row.fee), plain(row.credited))
        for row in rows
    }
    assert told == {
        ("CNY", "CNY"): ("100", "0.8", "99.2"), ("CNY", "MTC"): ("1234.56", "1.32", "163.95"),
    }  # fmt: skip
    assert statistics.summed(rows, links)[0].order_count == 2
    for row in rows:
        for name, query in row.queries.items():
            reading = filters.read("payment", QueryDict(query), user=boss, zone=ZONE, now=clock.now())
            counts = {"all": 2, "success": 1, "ended": 1, "open": 1}
            assert (reading.errors, reading.queryset.count()) == ((), counts[name]), query
            currencies = set(reading.queryset.values_list("settlement_currency", flat=True))
            assert currencies == {row.settlement_currency}


def test_the_settlement_currencies_of_one_currency_stand_together_without_fees(
    mixed: Desk, boss: User
) -> None:
    question = asked(boss, "payment")
    links = statistics.Links(question)
    (both,) = statistics.by_currency(statistics.whole(question, links=links), links)
    assert (both.currency, both.settlement_currency, both.order_count) == ("CNY", "", 4)
    assert (both.requested, both.actual) == (Decimal("2131.56"), Decimal("1334.56"))
    assert (both.fee, both.credited) == (Decimal(0), Decimal(0))
    assert "settled" not in both.queries["all"]


@pytest.mark.parametrize("kind", ["payment", "payout"])
@pytest.mark.parametrize("page", ["services/?", "success-rate/?by=merchant&", "success-rate/?by=day&"])
def test_every_figure_of_a_page_is_that_of_its_list_also_of_converted_orders_a2(
    mixed: Desk, boss: User, client: Client, page: str, kind: str
) -> None:
    client.force_login(boss)
    response = client.get(f"/admin/statistics/{page}kind={kind}&created=today")
    assert response.context["complaints"] == []
    found = cells(response)
    written = [text for name, _url, text in found if name in ("Fee", "Credited", "Debited")]
    assert {"payment": "163.95 MTC", "payout": "100.80 MTC"}[kind] in written
    assert follow([(name, url, text.removesuffix(" MTC")) for name, url, text in found], boss) >= 10
    # One chart of the order's currency, in which both are.
    assert response.context["charts"]["volume"]["unit"] == "CNY"


def test_the_home_page_shows_one_line_for_a_currency_however_it_settles_a2(
    mixed: Desk, desk: Desk, boss: User, client: Client
) -> None:
    Preference.objects.create(user=boss, key="time_zone", value=book.daytime())
    for owner in (mixed, desk):
        placement.place_payment(order=owner.new_payment("747"), now=clock.now() - timedelta(hours=1))
    client.force_login(boss)
    panels = {each["name"]: each["context"] for each in client.get("/admin/").context["home_panels"]}
    row = next(row for row in panels["today"]["rows"] if str(row["kind"]) == "Deposits")
    # Those of this very minute are counted from the next one on.
    assert (row["currency"], int(row["today"]["orders"]) in (2, 6)) == ("CNY", True)
    assert len([row for row in panels["today"]["rows"] if str(row["kind"]) == "Deposits"]) == 1
    zone = book.daytime()
    reading = filters.read(
        "payment", QueryDict(row["today"]["urls"]["all"].partition("?")[2]), user=boss, zone=ZoneInfo(zone),
        now=clock.now(),
    )  # fmt: skip
    assert reading.queryset.count() == int(row["today"]["orders"])


def test_files_name_the_currency_of_every_sum_a3(mixed: Desk, boss: User) -> None:
    job = exporting.made(boss, "statistics", "kind=payment&by=service&created=today")
    sheet = spreadsheets.sheets(exporting.content(job, boss))
    header, *lines = sheet["Data"] if "Data" in sheet else next(
        rows for name, rows in sheet.items() if name != "Summary"
    )  # fmt: skip
    at = {name: header.index(name) for name in ("Currency", "Settled in", "Actual", "Fee", "Credited")}
    told = {(line[at["Currency"]], line[at["Settled in"]]): line for line in lines}
    assert [str(told["CNY", "MTC"][at[name]]) for name in ("Actual", "Fee", "Credited")] == [
        "1234.56", "1.32", "163.95",
    ]  # fmt: skip
    assert [str(told["CNY", "CNY"][at[name]]) for name in ("Actual", "Fee")] == ["100", "0.8"]
    summary = [row for row in sheet["Summary"] if row[:2] == ["CNY", "MTC"]]
    assert [str(cell) for cell in summary[0][2:8]] == ["2", "1", "1981.56", "1234.56", "1.32", "163.95"]


def test_what_payouts_took_is_compared_with_wallets_in_their_own_currency(mixed: Desk) -> None:
    mixed.paid(attempt_of(mixed.payout("5976")), "5976")
    mixed.says(mixed.deposit("1"), base.UpstreamState.FAILED)
    accounts = Account.objects.filter(merchant_channel=mixed.wallet)
    found = low_balances.lowest(
        wallets=accounts, channels=Account.objects.none(), now=clock.now(), row_count=5
    )
    (low,) = found.rows
    assert (low.currency_id, plain(low.balance), plain(low.taken)) == ("MTC", "256.75", "907.2")


@pytest.mark.tampers
@pytest.mark.django_db(transaction=True)
def test_counting_anew_mends_totals_and_the_audit_finds_what_needs_it_a2(
    mixed: Desk, owner_connection: psycopg.Connection
) -> None:
    owner_connection.execute(b"SELECT records_fold_order_totals(1000)")
    owner_connection.execute(b"UPDATE records_orderhourtotal SET settlement_currency = 'THB'")
    found = dict(checks.violations())
    assert found["check_totals_of_orders"] > 0
    assert found["check_totals_of_platform"] > 0
    assert found["check_totals_of_summaries"] > 0
    owner_connection.execute(b"UPDATE records_orderdaytotal SET fee_sum = fee_sum + 1")
    owner_connection.execute(b"SELECT records_recount_totals()")
    assert checks.violations() == []
    assert (figures(totals.PAYMENTS), figures(totals.PAYOUTS)) == (OF_PAYMENTS, OF_PAYOUTS)
