"""Order pages and the search box in a real Chromium: every state, the keys, paper; no complaint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from merchants.registration import Registered
from records.models import Payment, Payout
from tests import factories
from tests.admin import book, chromium
from tests.admin.test_lists import url_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@dataclass
class Desk:
    """An order in every state, by name, and the merchant whose they are."""

    owner: Registered
    orders: dict[str, Payment | Payout]

    def path(self, name: str) -> str:
        """Return the address of an order's page."""
        order = self.orders[name]
        return url_of(type(order), "change", order.pk)


@pytest.fixture
def desk(browser: Browser) -> Desk:
    """Every state of a deposit and of a payout, reached by the real functions; a superuser `boss`."""
    boss = factories.make_user("boss", is_superuser=True)
    owner = book.merchant("Acme")
    book.fund(owner)
    return Desk(
        owner=owner,
        orders={**book.deposits_of_every_state(owner), **book.payouts_of_every_state(owner, boss)},
    )


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_orders_of_every_state_open_without_a_complaint(
    browser: Browser, live_server: LiveServer, desk: Desk, width: int, scheme: str
) -> None:
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        visit.sign_in("boss")
        shown = {}
        for name in desk.orders:
            assert visit.open(desk.path(name)) == 200
            shown[name] = visit.page.inner_text(".order-state .badge:first-child")
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            assert visit.page.locator(".event").count() >= 2
        assert shown == {
            "deposit open": "In Progress", "deposit failed": "Failed", "deposit closed": "Closed",
            "deposit late": "Success", "deposit paid": "Success", "payout paid": "Success",
            "payout unknown": "In Progress", "payout failed": "Failed", "payout held": "In Progress",
            "payout in review": "Under Review", "payout rejected": "Review Rejected",
        }  # fmt: skip
        assert visit.complaints == []


def test_flags_and_what_is_known_stand_at_the_top(
    browser: Browser, live_server: LiveServer, desk: Desk
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        for name, flag, words in (
            ("deposit late", "late", "The money came after the order had ended"),
            ("payout held", "held", "Held: the last attempt failed (no such account)"),
            ("payout unknown", "", "it may have paid, so the money stays frozen"),
            ("payout in review", "", "Waits for a review"),
        ):
            visit.open(desk.path(name))
            marks = visit.page.locator(".order-state .badge.outline")
            assert (marks.inner_text() if marks.count() else "") == flag
            assert words in visit.page.inner_text(".known")
        assert visit.complaints == []


def test_bodies_are_folded_and_open_by_a_press(browser: Browser, live_server: LiveServer, desk: Desk) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open(desk.path("deposit paid"))
        assert visit.page.locator(".event pre").first.is_visible() is False
        visit.page.click(".event summary >> text=Request")
        body = visit.page.locator(".event pre").first
        assert body.is_visible()
        assert "/v1/payments" in body.inner_text()
        assert book.CARD not in visit.page.content()
        assert visit.complaints == []


def test_brackets_and_arrows_walk_the_list_one_came_from(
    browser: Browser, live_server: LiveServer, desk: Desk
) -> None:
    middle = f"{desk.path('deposit closed')}?list=created%3Dany"
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open(middle)
        for key, there in (("[", "deposit late"), ("]", "deposit closed"), ("ArrowRight", "deposit failed"),
                           ("ArrowLeft", "deposit closed")):  # fmt: skip
            visit.page.keyboard.press(key)
            visit.page.wait_for_url(f"**{desk.path(there)}?list=created%3Dany")
        visit.page.click("a[rel=next]")
        visit.page.wait_for_url(f"**{desk.path('deposit failed')}?**")
        # In a field a bracket is a bracket.
        visit.page.keyboard.press("/")
        visit.page.keyboard.type("[")
        assert visit.page.input_value("#global-search") == "["
        assert visit.complaints == []


def test_the_search_box_opens_an_order_by_each_number_and_lists_what_may_be_meant(
    browser: Browser, live_server: LiveServer, desk: Desk
) -> None:
    deposit, payout = desk.orders["deposit paid"], desk.orders["payout paid"]
    assert isinstance(deposit, Payment)
    assert isinstance(payout, Payout)
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        for text, there in (
            (deposit.payment_id.lower(), "deposit paid"), ("D-PAID", "deposit paid"),
            (f" {deposit.channel_order_no} ", "deposit paid"), (payout.payout_id, "payout paid"),
            (f"{payout.payout_id}-1", "payout paid"), ("p-paid", "payout paid"),
        ):  # fmt: skip
            # From a page that is none of the orders', so that the address tells where it has led.
            visit.open("/admin/preferences/")
            visit.page.keyboard.press("/")
            visit.page.keyboard.type(text)
            visit.page.keyboard.press("Enter")
            visit.page.wait_for_url(f"**{desk.path(there)}")
        visit.open("/admin/search/?q=0123")
        assert visit.page.locator("main tbody tr").count() == len(desk.orders)
        assert visit.page.inner_text("main tbody td >> nth=0") == "account ends with"
        visit.open("/admin/search/?q=%25")
        assert "Nothing is called" in visit.page.inner_text("main")
        visit.open("/admin/search/?q=PF0001&all=1")
        assert visit.complaints == []


def test_an_order_fits_one_sheet_of_paper(
    browser: Browser, live_server: LiveServer, desk: Desk, tmp_path: Path
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        for name in ("deposit paid", "payout paid", "payout held"):
            visit.open(desk.path(name))
            sheet = tmp_path / "order.pdf"
            visit.page.pdf(path=str(sheet), format="A4")
            assert re.findall(rb"/Type\s*/Pages[^>]*/Count\s+(\d+)", sheet.read_bytes()) == [b"1"], name


def test_a_number_is_copied_by_its_button(browser: Browser, live_server: LiveServer, desk: Desk) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open(desk.path("deposit paid"))
        visit.page.click(".order-number .copy")
        visit.page.wait_for_selector(".order-number .copy.copied")
        order = desk.orders["deposit paid"]
        assert isinstance(order, Payment)
        assert order.payment_id in visit.page.inner_text("#announcer")
        assert visit.complaints == []
