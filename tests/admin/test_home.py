"""The home page: what each role sees of today, of what is stuck, and of what waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from diamondpay.lib import clock
from diamondpay.models import Heartbeat, Preference, User
from merchants.registration import Registered
from operations import approvals, placement
from operations.models import Act
from records import cases, low_balances, payouts
from records.models import Account, Actor, Case, Notification, Payout
from tests import factories
from tests.admin import book
from tests.admin.test_statistics import cells, follow, listed

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def panels(client: Client) -> dict[str, dict[str, Any]]:
    """Return the panels of the signed-in person's home page."""
    response = client.get("/admin/")
    assert response.status_code == 200
    return {panel["name"]: panel["context"] for panel in response.context["home_panels"]}


def first(panel: dict[str, Any]) -> list[str]:
    """Return the first cell of each row."""
    return [str(row[0][0]) for row in panel["rows"]]


def test_an_empty_platform_has_a_calm_home(client: Client, boss: User) -> None:
    text = client.get("/admin/").content.decode()
    for words in (
        "No orders yet, today or yesterday until now.", "Nothing is stuck.", "No payout waits for a review.",
        "No act waits for a decision.", "No case is open.", "Every notification arrived or is being retried.",
        "Every wallet and channel holds more than its payouts of the last 24 hours took.",
    ):  # fmt: skip
        assert words in text


def test_today_stands_against_yesterday_until_the_same_minute(client: Client, boss: User) -> None:
    now = clock.now()
    Preference.objects.create(user=boss, key="time_zone", value=book.daytime())
    acme = book.merchant("Acme")
    for number, hours in enumerate((1, 2, 3, 25, 26, 20)):
        order = placement.NewPayment(
            merchant=acme.merchant, service_id="SVC0001", merchant_order_no=f"n{number}",
            amount=Decimal(100), party=book.PARTY, sign_type="HMAC-SHA256", source="API_V1",
        )  # fmt: skip
        placement.place_payment(order=order, now=now - timedelta(hours=hours))
    (row,) = panels(client)["today"]["rows"]
    # The one of twenty hours ago was made yesterday, after this minute of the clock.
    assert (row["today"]["orders"], row["yesterday"]["orders"]) == ("3", "2")
    assert (row["today"]["rate"], row["today"]["actual"]) == (Decimal("0.00"), "0.00")


def test_the_figures_of_today_equal_the_lists_they_lead_to_a2(client: Client, boss: User) -> None:
    zone = book.daytime()
    Preference.objects.create(user=boss, key="time_zone", value=zone)
    acme, now = book.merchant("Acme"), clock.now()
    book.fund(acme)
    for number, hours in enumerate((1, 2, 3, 25)):
        book.deposit(acme, f"d{number}", is_paid=number > 0, now=now - timedelta(hours=hours))
    book.payout(acme, "p", now=now - timedelta(hours=1))
    response = client.get("/admin/")
    names = {"Orders": "Orders", "Actual amount": "Actual"}
    found = [(names[name], url, text) for name, url, text in cells(response) if name in names]
    # Deposits and payouts, each with its number and its amount; of the day before, deposits alone.
    assert follow(found, boss, zone) == len(found) == 4
    before = [(url, text) for name, url, text in cells(response) if name == "Yesterday" and "%" not in text]
    assert [text for _url, text in before] == ["1", "300.00"]
    assert {listed(url, boss, zone).count() for url, _text in before} == {1}


def test_stuck_orders_are_shown_longest_first_and_say_of_which_nobody_knows(
    client: Client, boss: User
) -> None:
    acme = book.merchant("Acme")
    book.fund(acme)
    now = clock.now()
    placed = []
    for number in range(7):
        order = placement.NewPayment(
            merchant=acme.merchant, service_id="SVC0001", merchant_order_no=f"n{number}",
            amount=Decimal(100), party=book.PARTY, sign_type="HMAC-SHA256", source="API_V1",
        )  # fmt: skip
        placed.append(placement.place_payment(order=order, now=now - timedelta(minutes=15 + number)))
    book.deposit(acme, "fresh", is_paid=False)
    payout = placement.place_payout(
        order=placement.NewPayout(
            merchant=acme.merchant, service_id="SVC0004", merchant_order_no="slow", amount=Decimal(50),
            party=book.PARTY, sign_type="HMAC-SHA256", source="API_V1",
            merchant_channel_id=acme.wallets[0].pk,
        ),
        now=now - timedelta(hours=2),
    )  # fmt: skip
    book.payout(acme, "quick", is_paid=False)
    shown = panels(client)
    stuck = shown["stuck-deposits"]
    assert [row.split(">")[1].split("<")[0] for row in first(stuck)] == [
        order.payment_id for order in placed[:1:-1]
    ]
    assert stuck["count"] == "7"
    (row,) = shown["stuck-payouts"]["rows"]
    assert payout.payout_id in str(row[0][0])
    assert "Unknown" in str(row[3][0])
    assert client.get(shown["stuck-payouts"]["url"]).context["messages"]._loaded_messages == []


def test_reviews_acts_and_cases_wait_in_their_panels(client: Client, boss: User) -> None:
    acme = book.merchant("Acme")
    book.fund(acme)
    acme.merchant.payout_audit = "manual"
    acme.merchant.save()
    waiting = book.payout(acme, "p", is_paid=False)
    assert waiting.status == 3
    sent = book.deposit(acme, "d")
    approvals.request(
        kind=Act.Kind.ADJUST_BALANCE, object_kind="merchant_channel", object_id=acme.wallets[0].pk,
        evidence={"amount": "5"}, reason="why", request_id="act-1", user=boss, now=clock.now(),
    )  # fmt: skip
    cases.open_once(
        key="case-1", kind=Case.Kind.PAID_AGAIN, summary="paid twice", now=clock.now(),
        channel_id=sent.channel_id, payment=sent, amount=Decimal(300), currency_id="CNY",
    )  # fmt: skip
    shown = panels(client)
    assert waiting.payout_id in first(shown["reviews"])[0]
    assert acme.wallets[0].pk in str(shown["acts"]["rows"][0][1][0])
    assert "paid again" in first(shown["cases"])[0]
    for name in ("reviews", "acts", "cases"):
        opened = client.get(shown[name]["url"])
        listed = opened.context["rows"] if name == "acts" else opened.context["cl"].result_list
        assert (opened.status_code, len(listed)) == (200, 1)
    factories.make_customer_service()
    client.force_login(User.objects.get(username="service"))
    assert not {"acts", "low-balances", "parts"} & set(panels(client))


@pytest.mark.tampers
def test_notifications_given_up_are_told_with_their_reason_to_their_merchant_alone(client: Client) -> None:
    acme, rival = book.merchant("Acme"), book.merchant("Rival")
    for owner in (acme, rival):
        payment = book.deposit(owner, "d")
        Notification.objects.filter(payment=payment).update(
            state="failed", attempt_count=6, due_at=None, finished_at=clock.now(),
            last_reason=f"HTTP 503 from {owner.merchant.name}",
        )  # fmt: skip
    client.force_login(factories.make_merchant_user(acme.merchant))
    shown = panels(client)
    (row,) = shown["failed-notifications"]["rows"]
    assert str(row[2][0]) == "HTTP 503 from Acme"
    text = client.get("/admin/").content.decode()
    assert "Rival" not in text
    assert rival.merchant.pk not in text
    assert rival.wallets[0].pk not in text
    opened = client.get(shown["failed-notifications"]["url"])
    assert len(opened.context["cl"].result_list) == 1


def test_a_merchants_user_sees_its_balances_and_its_day_and_nothing_of_the_house(client: Client) -> None:
    acme, rival = book.merchant("Acme"), book.merchant("Rival")
    book.fund(acme, "700")
    book.fund(rival, "900")
    book.payout(acme, "p", amount="100", is_paid=False)
    client.force_login(factories.make_merchant_user(acme.merchant))
    shown = panels(client)
    assert set(shown) == {"today", "wallets", "stuck-deposits", "stuck-payouts", "failed-notifications"}
    (wallet,) = shown["wallets"]["rows"]
    # 100 and the fee of three permille are frozen.
    assert (wallet["id"], wallet["available"], wallet["frozen"]) == (acme.wallets[0].pk, "599.70", "100.30")
    assert client.get(wallet["url"]).status_code == 200


def test_a_balance_is_low_when_payouts_of_a_day_took_more(client: Client, boss: User) -> None:
    acme, rival = book.merchant("Acme"), book.merchant("Rival")
    book.fund(acme, "1000")
    book.fund(rival, "1000")
    book.payout(acme, "p1", amount="600")
    book.payout(rival, "p2", amount="600", is_paid=False)
    book.payout(rival, "p3", amount="10")
    # Fees of three permille went with them; what a payout under way has frozen is no longer available.
    # Nothing ever came in through the channel, so what has gone out is missing there.
    found = lowest()
    assert [(each.name, each.balance, each.taken) for each in found.rows] == [
        (rival.wallets[0].pk, Decimal("388.17"), Decimal(610)),
        (acme.wallets[0].pk, Decimal("398.20"), Decimal(600)),
        ("sandbox", Decimal(-610), Decimal(1210)),
    ]
    assert [each.is_channel for each in found.rows] == [False, False, True]
    panel = panels(client)["low-balances"]
    assert [row["name"] for row in panel["rows"]] == [rival.wallets[0].pk, acme.wallets[0].pk, "sandbox"]
    assert (panel["count"], panel["left_out"]) == (3, 0)
    book.fold()
    assert lowest() == found
    book.fund(acme, "5000", request_id="more")
    assert [each.name for each in lowest().rows] == [rival.wallets[0].pk, "sandbox"]


def lowest(*, row_count: int = 5, wallets: Any = None, channels: Any = None) -> low_balances.Lowest:
    """Return the lowest balances of now."""
    accounts = Account.objects.all()
    return low_balances.lowest(
        wallets=accounts if wallets is None else wallets,
        channels=accounts if channels is None else channels,
        now=clock.now(), row_count=row_count,
    )  # fmt: skip


def indian(amount: str) -> Registered:
    """A merchant with 10,000 rupees, of which a payout that waits takes the amount."""
    owner = factories.make_merchant("Mumbai", services=["SVC0084"], channels=["rupees"])
    book.fund(owner, "10000")
    party = replace(book.PARTY, ifsc_code="HDFC0001234")
    order = placement.NewPayout(
        merchant=owner.merchant, service_id="SVC0084", merchant_order_no="r", amount=Decimal(amount),
        party=party, sign_type="HMAC-SHA256", source="API_V1", merchant_channel_id=owner.wallets[0].pk,
    )  # fmt: skip
    placement.place_payout(order=order)
    return owner


@pytest.fixture
def many_low() -> list[Registered]:
    """Six wallets that have a little more than two thirds of what was taken, and one of rupees between."""
    factories.make_channel("rupees", "INR", services=["SVC0084"], base_url=book.NOWHERE)
    owners = [book.merchant(f"Merchant {number}") for number in range(6)]
    for number, owner in enumerate(owners):
        book.fund(owner, str(1000 + number))
        book.payout(owner, "p", amount="600")
    return [*owners, indian("6000")]


def test_low_balances_are_the_lowest_shares_of_all_currencies_and_the_rest_is_counted(
    client: Client, boss: User, many_low: list[Registered]
) -> None:
    wallets = [owner.wallets[0].pk for owner in many_low]
    panel = panels(client)["low-balances"]
    shown = [(row["name"], row["owner"], row["balance"], row["taken"]) for row in panel["rows"]]
    owners = [owner.merchant.pk for owner in many_low]
    # 4,000 of 6,000 rupees are less than 400.20 of 600 yuan; of the two channels one is in rupees.
    assert shown == [
        (wallets[0], owners[0], "398.20", "600.00"), (wallets[1], owners[1], "399.20", "600.00"),
        (wallets[6], owners[6], "4,000.00", "6,000.00"), (wallets[2], owners[2], "400.20", "600.00"),
        (wallets[3], owners[3], "401.20", "600.00"), ("sandbox", "channel", "-3,600.00", "3,600.00"),
        ("rupees", "channel", "0.00", "6,000.00"),
    ]  # fmt: skip
    assert (panel["count"], panel["left_out"]) == (9, 2)
    assert "2 more." in client.get("/admin/").content.decode()


def test_low_balances_are_only_of_accounts_that_the_person_may_see(
    client: Client, many_low: list[Registered]
) -> None:
    mine = Account.objects.filter(merchant=many_low[4].merchant)
    found = lowest(wallets=mine, channels=Account.objects.none())
    assert [(low.name, low.balance) for low in found.rows] == [(many_low[4].wallets[0].pk, Decimal("402.20"))]
    assert found.count == 1
    assert lowest(row_count=1).count == 9
    assert [low.name for low in lowest(row_count=1).rows] == [many_low[0].wallets[0].pk, "sandbox"]
    client.force_login(factories.make_merchant_user(many_low[4].merchant))
    assert "low-balances" not in panels(client)


def test_a_payout_of_a_day_ago_or_one_that_failed_takes_nothing_from_a_balance(boss: User) -> None:
    acme, now = book.merchant("Acme"), clock.now()
    book.fund(acme, "1000")
    book.payout(acme, "old", amount="900", is_paid=False, now=now - timedelta(hours=25))
    assert lowest().rows == ()
    sent = book.payout(acme, "new", amount="60", is_paid=False, now=now - timedelta(hours=22))
    assert [(low.name, low.taken) for low in lowest().rows] == [
        (acme.wallets[0].pk, Decimal(60)), ("sandbox", Decimal(60)),
    ]  # fmt: skip
    with transaction.atomic():
        attempt, locked = payouts.locked_attempt(sent.attempts.get().pk)
        payouts.attempt_failed(
            payout=locked, attempt=attempt, reason="refused", now=now, changed_by=Actor.CALLBACK
        )
    assert lowest() == low_balances.Lowest(rows=(), count=0)


@pytest.mark.parametrize(("seconds", "word"), [(1, "All parts are alive"), (300, "Late")])
def test_a_background_part_is_late_after_twenty_seconds(
    client: Client, boss: User, seconds: int, word: str
) -> None:
    Heartbeat.objects.create(name="worker", beat_at=clock.now() - timedelta(seconds=seconds))
    assert word in client.get("/admin/").content.decode()


def test_the_home_page_takes_the_same_queries_for_few_and_many_rows(client: Client, boss: User) -> None:
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    counts = []
    for start, count in ((1, 6), (10, 1), (20, 4)):
        book.fill(acme, other, boss, start=start, count=count)
        with CaptureQueriesContext(connection) as captured:
            client.get("/admin/")
        counts.append(len(captured))
    assert counts[1] == counts[2] <= 30
    assert Payout.objects.count() == 11
