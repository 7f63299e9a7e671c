"""One box finds whatever number somebody was given, says by which key, and nothing of another merchant."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from diamondpay.lib import clock
from diamondpay.models import User
from merchants.registration import Registered
from records import search, search_keys
from records.models import Notification, Payment, Payout
from tests import factories
from tests.admin import book
from tests.admin.test_lists import url_of

pytestmark = pytest.mark.django_db

SEARCH = "/admin/search/"


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def owner(db: None) -> Registered:
    """A merchant with money whose upstream cannot be reached."""
    owner = book.merchant("Acme")
    book.fund(owner)
    return owner


def asked(client: Client, text: str, **further: str) -> Any:
    """Search without following where it leads."""
    return client.get(SEARCH, {"q": text, **further})


def keys(response: Any) -> list[tuple[str, list[str]]]:
    """Return the numbers a result page shows, each with the keys that matched."""
    groups = response.context["groups"]
    rows = [row for group in groups for row in [*group.get("orders", []), *group.get("others", [])]]
    return [(str(row.get("number") or row["name"]), [str(key) for key in row["keys"]]) for row in rows]


def wide(text: str) -> str:
    """Return a text in full-width characters."""
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


@pytest.mark.parametrize(
    "spelt",
    [str, str.lower, wide, lambda text: f"  {text[:4]} {text[4:]}\t", lambda text: f"\u200f{text}\x00"],
)
@pytest.mark.parametrize("key", ["payment_id", "merchant_order_no", "channel_order_no"])
def test_a_deposit_is_opened_by_each_of_its_numbers_however_it_is_typed(
    client: Client, boss: User, owner: Registered, key: str, spelt: Any
) -> None:
    payment = book.deposit(owner, "Xin_159A-10")
    response = asked(client, spelt(getattr(payment, key)))
    if key == "channel_order_no" and spelt is str.lower:
        # An upstream's number is looked for as it was typed, in capitals and in small letters.
        assert response.status_code == 302
    assert (response.status_code, response.headers.get("Location")) == (
        302,
        url_of(Payment, "change", payment.pk),
    )


def test_a_payout_is_opened_by_each_of_its_numbers(client: Client, boss: User, owner: Registered) -> None:
    payout = book.payout(owner, "Out-1")
    reference = f"{payout.payout_id}-1"
    for text in (payout.payout_id, "OUT-1", payout.channel_order_no, reference, reference.lower()):
        response = asked(client, text)
        assert (response.status_code, response.headers.get("Location")) == (
            302,
            url_of(Payout, "change", payout.pk),
        )


def test_what_is_opened_says_by_which_key_it_was_found(client: Client, boss: User, owner: Registered) -> None:
    payment, payout = book.deposit(owner, "a1"), book.payout(owner, "p1")
    for text, words in (
        (payment.payment_id, "Found by its platform order no."), ("A1", "Found by its merchant order no."),
        (str(payment.channel_order_no), "Found by its channel order no."),
        (payout.payout_id, "Found by its platform order no."),
        (owner.wallets[0].pk, "Found by its wallet id"),
    ):  # fmt: skip
        response = client.get(SEARCH, {"q": text}, follow=True)
        assert [str(message) for message in response.context["messages"]] == [words]


def test_zeros_in_front_of_our_own_number_may_be_left_out(
    client: Client, boss: User, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1")
    short = f"pm{payment.pk}"
    assert asked(client, short).headers["Location"] == url_of(Payment, "change", payment.pk)


def test_wallets_merchants_and_notifications_are_opened_by_their_ids(
    client: Client, boss: User, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1")
    notification = Notification.objects.get(payment=payment)
    for text, row in (
        (owner.wallets[0].pk.lower(), owner.wallets[0]), (owner.merchant.pk, owner.merchant),
        (notification.webhook_id, notification),
    ):  # fmt: skip
        assert asked(client, text).headers["Location"] == url_of(type(row), "change", row.pk)


def test_a_merchant_is_found_by_the_beginning_of_its_name(
    client: Client, boss: User, owner: Registered
) -> None:
    response = asked(client, "acM")
    assert keys(response) == [(owner.merchant.pk, ["merchant name"])]
    assert f"/admin/records/payment/?merchant={owner.merchant.pk}" in response.content.decode()


def test_each_order_that_is_found_tells_its_own_state(client: Client, boss: User, owner: Registered) -> None:
    book.deposits_of_every_state(owner)
    book.payouts_of_every_state(owner, boss)
    page = asked(client, "0123").content.decode()
    rows = re.findall(r'title="([dp]-[a-z0-9-]+)">.*?<span class="badge (\w+)">([^<]+)</span>', page)
    assert {number: (tone, word) for number, tone, word in rows} == {
        "d-0": ("progress", "In Progress"), "d-1": ("failed", "Failed"), "d-2": ("closed", "Closed"),
        "d-late": ("success", "Success"), "d-paid": ("success", "Success"),
        "p-paid": ("success", "Success"), "p-unknown": ("progress", "In Progress"),
        "p-failed": ("failed", "Failed"), "p-held": ("progress", "In Progress"),
        "p-review": ("review", "Under Review"), "p-rejected": ("closed", "Review Rejected"),
    }  # fmt: skip


def test_an_account_is_found_by_its_tail_and_whole_and_each_key_is_named(
    client: Client, boss: User, owner: Registered
) -> None:
    payment, payout = book.deposit(owner, "a1"), book.payout(owner, "p1")
    both = [payment.payment_id, payout.payout_id]
    for text, key in (
        ("0123", "account ends with"), ("90123", "account ends with"), ("567 890123", "account ends with"),
        (book.CARD, "account number"), (wide(book.CARD), "account number"),
        ("6222 0212 3456 7890 123", "account number"),
        (book.PARTY.phone, "phone"), (f"+{book.PARTY.phone}", "phone"), (book.PARTY.id_number, "ID number"),
    ):  # fmt: skip
        assert keys(asked(client, text)) == [(number, [key]) for number in both], text
    for text in ("80123", "2222", book.CARD[:-1], book.PARTY.phone[1:]):
        assert keys(asked(client, text)) == [], text


def test_amounts_and_remark_codes_are_found_newest_first(
    client: Client, boss: User, owner: Registered
) -> None:
    first, second = book.deposit(owner, "a1", amount="1234.5"), book.deposit(owner, "a2", amount="1234.5")
    for text in ("1234.5", "1,234.50", "１２３４．５", "01234.5"):
        assert [number for number, _keys in keys(asked(client, text))] == [
            second.payment_id,
            first.payment_id,
        ]
    assert keys(asked(client, "1234.5"))[0][1] == ["requested amount"]
    assert keys(asked(client, "1234.51")) == []
    receiving = book.deposit(owner, "a3")
    assert receiving.remark_code
    assert keys(asked(client, receiving.remark_code.lower()))[0] == (receiving.payment_id, ["remark code"])


def test_another_amount_that_arrived_is_found_too(client: Client, boss: User, owner: Registered) -> None:
    payment = book.deposit(owner, "a1", is_paid=False)
    other = book.settled(payment, "288.88")
    assert keys(asked(client, "288.88")) == [(other.payment_id, ["actual amount"])]


def test_amounts_are_looked_for_among_the_last_thirty_days_and_numbers_for_ever(
    owner: Registered, boss: User
) -> None:
    payment = book.deposit(owner, "a1", amount="77.7")
    later = clock.now() + timedelta(days=31)
    assert len(search.find(text="77.7", user=boss, now=later).payments) == 0
    assert len(search.find(text="77.7", user=boss, now=later - timedelta(days=2)).payments) == 1
    assert search.find(text=payment.payment_id, user=boss, now=later).exact is not None


def test_a_number_of_two_merchants_is_listed_and_not_opened(
    client: Client, boss: User, owner: Registered
) -> None:
    mine, theirs = book.deposit(owner, "same-1"), book.deposit(book.merchant("Rival"), "same-1")
    response = asked(client, "SAME-1")
    assert keys(response) == [(order.payment_id, ["merchant order no."]) for order in (theirs, mine)]


def test_a_number_that_could_mean_more_is_opened_and_says_so(
    client: Client, boss: User, owner: Registered
) -> None:
    named, tailed = book.deposit(owner, "0123"), book.deposit(owner, "a2")
    response = client.get(SEARCH, {"q": "0123"}, follow=True)
    assert response.redirect_chain == [(url_of(Payment, "change", named.pk), 302)]
    words = str(next(iter(response.context["messages"])))
    assert words == (
        "Found by merchant order no.: “0123”, which may mean 1 other thing as well: "
        '<a href="/admin/search/?q=0123&amp;all=1">see all</a>'
    )
    everything = asked(client, "0123", all="1")
    assert keys(everything) == [
        (tailed.payment_id, ["account ends with"]),
        (named.payment_id, ["merchant order no.", "account ends with"]),
    ]


def test_a_merchants_user_finds_nothing_of_another_merchant_by_any_key(
    client: Client, owner: Registered
) -> None:
    rival = book.merchant("Rival")
    book.fund(rival)
    theirs, out = book.deposit(rival, "secret-1", amount="55.5"), book.payout(rival, "secret-2")
    notification = Notification.objects.get(payment=theirs)
    client.force_login(factories.make_merchant_user(owner.merchant, "clerk-of-acme"))
    for text in (
        theirs.payment_id, "secret-1", theirs.channel_order_no,
        out.payout_id, "secret-2", out.channel_order_no,
        f"{out.payout_id}-1", "0123", "90123", book.CARD, book.PARTY.phone, book.PARTY.id_number,
        "55.5", theirs.remark_code or "none", notification.webhook_id, rival.merchant.pk, "Rival",
        rival.wallets[0].pk,
    ):  # fmt: skip
        response = asked(client, text)
        assert (response.status_code, keys(response)) == (200, []), text
        assert "Rival" not in response.content.decode().replace("“Rival”", "").replace('"Rival"', "").replace(
            "Search: Rival", ""
        )


def test_only_what_the_role_may_open_is_searched(client: Client, owner: Registered) -> None:
    payment = book.deposit(owner, "a1")
    client.force_login(factories.make_user("payouts-only", permissions=["records.view_payout"]))
    response = asked(client, payment.payment_id)
    assert (response.status_code, keys(response)) == (200, [])
    client.force_login(factories.make_user("nothing", permissions=["channels.view_bank"]))
    assert asked(client, payment.payment_id).status_code == 403
    client.logout()
    assert asked(client, payment.payment_id).status_code == 302


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\x00", "\u200b", "　"])
def test_blanks_say_what_can_be_typed(client: Client, boss: User, text: str) -> None:
    response = asked(client, text)
    assert response.status_code == 200
    assert "Type any number you were given" in response.content.decode()


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "_",
        "'",
        "\\",
        "PM%",
        "*",
        "9" * 40,
        "1e5",
        "-1",
        "NaN",
        "0",
        "0.00",
        "١٢٣٤",
        "\ud83d",
        "😀",
        "<script>",
    ],
)
def test_what_is_no_number_gets_words_that_say_what_was_tried(
    client: Client, boss: User, owner: Registered, text: str
) -> None:
    book.deposit(owner, "a1")
    with CaptureQueriesContext(connection) as captured:
        response = client.get(
            f"{SEARCH}?{'q=%D8%01' if text == chr(0xD83D) else ''}",
            {} if text == chr(0xD83D) else {"q": text},
        )
    page = response.content.decode()
    assert response.status_code == 200
    assert "Nothing is called" in page or "Type any number" in page
    assert "<script>" not in page.partition("<main")[2]
    names = [
        query["sql"] for query in captured if " LIKE " in query["sql"].upper() and "records_" in query["sql"]
    ]
    assert names == []


@pytest.mark.parametrize("length", [129, 1024, 10_240])
def test_a_text_that_is_too_long_costs_no_search(client: Client, boss: User, length: int) -> None:
    with CaptureQueriesContext(connection) as captured:
        response = asked(client, "x" * length)
    assert response.status_code == 200
    assert "at most 128 characters" in response.content.decode()
    assert [query for query in captured if "records_payment" in query["sql"]] == []


def test_a_whole_account_number_is_not_repeated_in_the_words(
    client: Client, boss: User, owner: Registered
) -> None:
    page = asked(client, "6222021234567890999").content.decode().partition("<main")[2]
    assert "6222021234567890999" not in page
    assert "Nothing is called “***************0999”" in page


def test_a_search_is_a_handful_of_statements_each_key_by_its_index(
    client: Client, boss: User, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1")
    book.payout(owner, "p1")
    boss.get_all_permissions()
    for text in ("0123", "90123", "300", payment.payment_id, book.CARD, "nothing"):
        with CaptureQueriesContext(connection) as captured:
            search.find(text=text, user=boss, now=clock.now())
        assert len(captured) <= 8, text
    arms = search_keys.payment_arms(Payment.objects.all(), search_keys.wanted("1234"), clock.now())
    with connection.cursor() as cursor:
        # On few rows the planner would rather read the whole table.
        cursor.execute("SET LOCAL enable_seqscan = off")
        plans = {str(arm.label): arm.rows.explain() for arm in arms}
    assert len(plans) == 7
    assert [label for label, plan in plans.items() if "Seq Scan on records_payment" in plan] == []


def test_a_payout_number_typed_into_the_deposit_list_is_recognised(
    client: Client, boss: User, owner: Registered
) -> None:
    payment, payout = book.deposit(owner, "a1"), book.payout(owner, "p1")
    for model, other, number, kind in (
        (Payment, payout, payout.payout_id, "payout"), (Payment, payout, "P1", "payout"),
        (Payout, payment, payment.payment_id.lower(), "deposit"),
    ):  # fmt: skip
        response = client.get(url_of(model), {"q": number}, follow=True)
        words = [str(message) for message in response.context["messages"]]
        assert [
            f"is a {kind}" in text and url_of(type(other), "change", other.pk) in text for text in words
        ] == [True]
    assert list(client.get(url_of(Payment), {"q": "a1"}, follow=True).context["messages"]) == []
    assert list(client.get(url_of(Payment), {"q": "nothing"}, follow=True).context["messages"]) == []
