"""Filters of the record lists: each finds exactly its rows, bad values get words and no rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.test import Client

from diamondpay.lib import clock
from diamondpay.lib.filters import Reading
from diamondpay.models import User
from records import filters
from records.models import Notification, Payment
from tests import factories
from tests.admin import book
from tests.admin.test_lists import PAYMENTS, rows

pytestmark = pytest.mark.django_db

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)


@pytest.fixture
def boss(db: None) -> User:
    """A superuser."""
    return factories.make_user("boss", is_superuser=True)


def read(
    query: str, user: User, *, kind: str = "payment", zone: ZoneInfo = SHANGHAI, now: Any = None
) -> Reading:
    """Read a list's address."""
    return filters.read(kind, QueryDict(query), user=user, zone=zone, now=now or clock.now())


def window(query: str, user: User, zone: ZoneInfo = SHANGHAI) -> tuple[Any, Any]:
    """Return the ends of the time of creation that an address asks for, on 15 March 2026 at noon."""
    found = read(query, user, zone=zone, now=NOON).values["created"]
    return found.start, found.end


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("created=today", "2026-03-15", "2026-03-16"), ("created=yesterday", "2026-03-14", "2026-03-15"),
        ("created=7d", "2026-03-09", "2026-03-16"), ("", "2026-02-14", "2026-03-16"),
        ("created=month", "2026-03-01", "2026-03-16"), ("created=last_month", "2026-02-01", "2026-03-01"),
        ("created_from=2026-01-01&created_to=2026-01-31", "2026-01-01", "2026-02-01"),
        ("created_from=2024-02-28&created_to=2025-02-27", "2024-02-28", "2025-02-28"),
    ],
)  # fmt: skip
def test_presets_and_days_are_whole_days_of_the_viewers_zone(
    boss: User, query: str, first: str, last: str
) -> None:
    ends = tuple(datetime.fromisoformat(day).replace(tzinfo=SHANGHAI) for day in (first, last))
    assert window(query, boss) == ends


def test_a_minute_is_where_a_range_begins_and_stops(boss: User) -> None:
    found = window("created_from=2026-01-31T14:05&created_to=2026-01-31 15:00", boss)
    assert found == (datetime(2026, 1, 31, 6, 5, tzinfo=UTC), datetime(2026, 1, 31, 7, 0, tzinfo=UTC))


def test_an_offset_tells_the_two_hours_of_one_name_apart(boss: User) -> None:
    query = "created_from=2025-10-26T02:30%2B02:00&created_to=2025-10-26T02:30%2B01:00"
    start, end = window(query, boss, ZoneInfo("Europe/Berlin"))
    assert end - start == timedelta(hours=1)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("created_from=2016-01-01&created_to=2026-01-01", "longer than 366 days. Choose a shorter one"),
        ("created_from=2024-01-01", "longer than 366 days"),
        ("created_from=2026-02-30", "“2026-02-30” is not a day or minute; write it like 2026-01-31"),
        ("created_from=２０２６-01-01", "is not a day or minute"),
        ("created_from=2026-02-02&created_to=2026-01-01", "ends before it begins"),
        ("created_from=0001-01-01", "is not a day or minute"), ("created=someday", "“someday” is not one of"),
        ("status=9", "Status: “9” is not one of its values."), ("status=1&status=x", "“x” is not one of"),
        ("merchant=PF9999", "Merchant: there is no merchant “PF9999”."),
        ("service=none", "Service: there is no service “none”."),
        ("amount_min=1e3", "Amount: “1e3”: Write a plain decimal number such as 1250.50."),
        ("amount_min=5&amount_max=4", "The lower end is above the upper"),
        ("is_test=2", "Test orders: “2” is not one of"),
        ("is_test=0&is_test=1", "one value, and the address has 2"),
        ("q=a%00b", "no NUL character"), ("q=" + "x" * 129, "at most 128 characters; this one has 129"),
        ("notification=lost", "Notification: “lost” is not one of"),
        ("&".join(f"merchant=PF{n}" for n in range(51)), "at most 50 values"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_gets_words_and_no_rows(boss: User, query: str, words: str) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    found = read(query, boss, now=NOON)
    assert any(words in error for error in found.errors), found.errors
    assert (list(found.queryset), found.branches, found.totals_key) == ([], (), None)


def test_the_canonical_address_and_the_chips_say_what_is_asked(boss: User) -> None:
    acme = book.merchant("Acme").merchant
    query = f"status=3&status=1&merchant={acme.pk.lower()}&amount_min=10.50&created=7d"
    found = read(query, boss)
    assert found.query == f"created=7d&merchant={acme.pk}&status=1&status=3&amount_min=10.5"
    assert [(chip.label, chip.value) for chip in found.chips] == [
        ("Created", "Last 7 days"), ("Merchant", f"{acme.pk} Acme"), ("Status", "Success"),
        ("Status", "Closed"), ("Amount", "10.5 – …"),
    ]  # fmt: skip
    assert found.chips[0].query == f"created=any&merchant={acme.pk}&status=1&status=3&amount_min=10.5"
    assert found.chips[2].query == f"created=7d&merchant={acme.pk}&status=3&amount_min=10.5"
    assert read(found.query, boss).query == found.query


def test_filters_together_find_the_orders_that_match_all(boss: User) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    paid, waiting = book.deposit(acme, "a1"), book.deposit(acme, "a2", amount="500", is_paid=False)
    foreign = book.deposit(other, "b1")
    asked = {
        f"merchant={acme.merchant.pk}": {paid, waiting}, "status=1": {paid, foreign}, "status=0": {waiting},
        "status=0&status=1&status=2": {paid, waiting, foreign}, "status=2": set(),
        f"merchant={acme.merchant.pk}&merchant={other.merchant.pk}": {paid, waiting, foreign},
        "merchant=acm": {paid, waiting}, "amount_min=300.01": {waiting}, "amount_max=300": {paid, foreign},
        "is_test=0": {paid, waiting, foreign}, "is_test=1": set(),
        "service=SVC0001&channel=sandbox&status=0": {waiting}, "completed=today": {paid, foreign},
        "completed=yesterday": set(), "created=yesterday": set(),
        f"q={waiting.payment_id}&status=1": set(), "q=A2": {waiting},
    }  # fmt: skip
    for query, expected in asked.items():
        found = read(query, boss)
        assert found.errors == (), query
        assert set(found.queryset) == expected, query
        assert {row for branch in found.branches for row in branch} == expected, query
        assert sum(len(branch) for branch in found.branches) == len(expected), query


def test_orders_are_found_by_the_state_of_their_notifications(boss: User) -> None:
    acme = book.merchant("Acme")
    told, untold = book.deposit(acme, "a1"), book.deposit(acme, "a2")
    waiting = book.deposit(acme, "a3", is_paid=False)
    notification = Notification.objects.get(payment=told)
    Notification.objects.filter(pk=notification.pk).update(
        state="success", due_at=None, finished_at=clock.now()
    )
    found = {
        query: list(read(query, boss).queryset)
        for query in (
            "notification=success", "notification=retrying", "notification=failed",
            "notification=success&notification=retrying&notification=failed",
        )
    }  # fmt: skip
    assert list(found.values()) == [[told], [untold], [], [untold, told]]
    assert waiting not in found["notification=retrying"]


def test_an_exact_number_ignores_the_time_and_keeps_the_other_filters(boss: User) -> None:
    payment = book.deposit(book.merchant("Acme"), "Order 7")
    query = QueryDict(mutable=True)
    query.update({"q": " ｏｒｄｅｒ 7 ", "created": "yesterday"})
    found = read(query.urlencode(), boss)
    assert list(found.queryset) == [payment]
    assert found.query == "q=%EF%BD%8F%EF%BD%92%EF%BD%84%EF%BD%85%EF%BD%92+7"
    assert list(read("q=Order+7&status=2", boss).queryset) == []
    assert found.totals_key is None


def test_the_totals_know_the_dimensions_they_keep_and_no_other_filter(boss: User) -> None:
    acme = book.merchant("Acme").merchant
    key = read(
        f"merchant={acme.pk}&status=1&service=SVC0001&is_test=0&created=today", boss, now=NOON
    ).totals_key
    assert key == filters.TotalsKey(
        kind=1, start=datetime(2026, 3, 14, 16, tzinfo=UTC), end=datetime(2026, 3, 15, 16, tzinfo=UTC),
        merchants=(acme.pk,), services=("SVC0001",), statuses=(1,), is_test=False,
    )  # fmt: skip
    for query in ("amount_min=1", "notification=failed", "completed=today", "q=1"):
        assert read(query, boss).totals_key is None
    assert read("", boss, kind="payout").totals_key.kind == 2
    assert read("", boss, kind="case").totals_key is None


def test_balance_records_and_transfers_are_found_by_their_own_filters(boss: User) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    book.fill(acme, other, boss, start=1, count=1)
    wallet = acme.wallets[0].pk

    def types(query: str) -> list[str]:
        return [row.change_type for row in read(query, boss, kind="balancerecord").queryset]

    assert types("change_type=transfer_out") == ["transfer_out"]
    assert types(f"change_type=transfer_out&change_type=transfer_in&merchant={other.merchant.pk}") == [
        "transfer_in"
    ]
    assert set(types(f"wallet={wallet}")) == {
        "manual_adjustment", "deposit_credit", "balance_freeze", "payout_debit", "transfer_out",
    }  # fmt: skip
    assert types("amount_max=-1.99&amount_min=-2") == ["transfer_out"]
    a, b = acme.merchant.pk, other.merchant.pk
    for query, count in {
        f"source_merchant={a}": 1, f"source_merchant={b}": 0, f"destination_merchant={b}": 1,
        f"merchant={a}": 1, f"merchant={b}": 1, "currency=CNY": 1, "currency=USDT": 0, "operator=boss": 1,
        "operator=nobody": 0, f"q=tr-{a}-1": 1, f"q={wallet}": 1, "created=yesterday": 0, "created=today": 1,
    }.items():  # fmt: skip
        assert read(query, boss, kind="balancetransfer").queryset.count() == count, query


def test_wallets_are_found_by_the_channel_they_are_on_and_show_it(client: Client, boss: User) -> None:
    client.force_login(boss)
    book.merchant("Acme")
    factories.make_merchant("Other", channels=["second"])
    for channel in ("sandbox", "second"):
        found = client.get("/admin/records/account/", {"channel": channel})
        (row,) = found.context["cl"].result_list
        assert row.merchant_channel.channel_id == channel
        assert f'<td data-label="Channel">{channel}</td>' in found.content.decode()
        page = client.get(f"/admin/records/account/{row.pk}/change/").content.decode()
        assert f"<dt>Channel</dt><dd>{channel}</dd>" in page
        assert f"?created=any&amp;wallet={row.merchant_channel_id}&amp;account_kind=available" in page


def test_a_merchants_user_reads_nothing_of_another_merchant(boss: User) -> None:
    acme, rival = book.merchant("Acme"), book.merchant("Rival")
    own, foreign = book.deposit(acme, "a1"), book.deposit(rival, "r1")
    clerk = factories.make_merchant_user(acme.merchant)
    assert list(read("created=any", clerk).queryset) == [own]
    assert read("", clerk).totals_key.merchants == (acme.merchant.pk,)
    for query in (f"merchant={rival.merchant.pk}", "merchant=riv", "merchant=PF9999"):
        (words,) = read(query, clerk).errors
        assert words.startswith("Merchant: there is no merchant “")
        assert "Rival" not in words
    for number in (foreign.payment_id, "r1", foreign.channel_order_no):
        assert list(read(f"q={number}", clerk).queryset) == []
    assert read("channel=sandbox", clerk).unknown == ("channel",)
    assert read(f"wallet={rival.wallets[0].pk}", clerk, kind="balancerecord").errors == (
        f"Wallet: there is no wallet “{rival.wallets[0].pk}”.",
    )


def test_the_lookup_offers_only_merchants_the_person_may_see(client: Client, boss: User) -> None:
    acme, rival = book.merchant("Acme"), book.merchant("Rival")
    clerk = factories.make_merchant_user(acme.merchant)
    url = "/admin/lists/choices/merchant/"
    offered = {}
    for user in (boss, clerk):
        client.force_login(user)
        offered[user] = [
            client.get(url, {"merchant": text}).content.decode() for text in ("", "ri", "pf", "%", "x" * 9000)
        ]
    assert [rival.merchant.pk in page for page in offered[boss]] == [False, True, True, False, False]
    assert [rival.merchant.pk in page for page in offered[clerk]] == [False] * 5
    assert acme.merchant.pk in offered[clerk][2]


def test_a_page_with_bad_values_keeps_what_was_typed_and_offers_a_way_out(client: Client, boss: User) -> None:
    book.deposit(book.merchant("Acme"), "a1")
    client.force_login(boss)
    response = client.get(f"{PAYMENTS}?created_from=2016-01-01&created_to=2026-01-01&amount_min=1e3")
    page = response.content.decode()
    assert (response.status_code, rows(response)) == (200, [])
    assert "The range is longer than 366 days." in page
    assert 'name="amount_min" value="1e3"' in page
    assert 'href="?view=none"' in page


def test_every_kind_is_read_newest_first(boss: User) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    book.fill(acme, other, boss, start=1, count=2)
    for kind in filters.KINDS:
        found = list(read("", boss, kind=kind).queryset)
        order = [name.lstrip("-") for name in filters.order_of(kind)]
        places = [tuple(getattr(row, name) for name in order) for row in found]
        assert len(found) > 1, kind
        assert places == sorted(places, reverse=True), kind
    assert Payment.objects.count() == 3
