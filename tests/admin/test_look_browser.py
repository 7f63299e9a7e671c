"""The look in a real Chromium: theme, keys, copying, the drawer, phone and paper. Source: look.md."""

from __future__ import annotations

import re
from functools import partial

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from diamondpay.lib import clock
from merchants.models import Credential
from operations import approvals
from operations.models import Act
from records.models import Payment
from tests import factories
from tests.admin import book, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

GROUND = "getComputedStyle(document.body).backgroundColor"
DARK, LIGHT = "rgb(20, 25, 30)", "rgb(255, 255, 255)"
FOCUSED = "document.activeElement.id"
WIDTH = "document.documentElement.scrollWidth"
# What can be pressed and is seen, lower than a finger is wide. Links within a text are as high as its line.
SMALL = """[...document.querySelectorAll("main a, header a, nav a, button, summary, input, select")]
    .filter((item) => item.checkVisibility({visibilityProperty: true}))
    .filter((item) => getComputedStyle(item).display !== "inline" && !item.closest(".skip, .visually-hidden"))
    .filter((item) => !["checkbox", "radio", "hidden"].includes(item.type))
    .filter((item) => item.getBoundingClientRect().height < 39.5)
    .map((item) => item.outerHTML.slice(0, 90))"""


@pytest.fixture
def order() -> Payment:
    """A superuser `boss` and a book with three deposits, of which the first is paid."""
    boss = factories.make_user("boss", is_superuser=True)
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    book.fill(acme, other, boss, start=1, count=2)
    return Payment.objects.earliest("id")


def test_the_theme_that_was_chosen_is_remembered(browser: Browser, live_server: LiveServer) -> None:
    factories.make_user("boss", is_superuser=True)
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        seen = [(visit.page.get_attribute("html", "data-theme"), visit.page.evaluate(GROUND))]
        for _press in range(3):
            visit.page.click("[data-theme-toggle]")
            visit.open("/admin/preferences/")
            seen.append((visit.page.get_attribute("html", "data-theme"), visit.page.evaluate(GROUND)))
        assert seen == [("auto", LIGHT), ("dark", DARK), ("light", LIGHT), ("auto", LIGHT)]
        visit.page.emulate_media(color_scheme="dark")
        assert visit.page.evaluate(GROUND) == DARK
        assert visit.complaints == []


def test_keys_lead_to_the_search_the_filters_and_their_own_list(
    browser: Browser, live_server: LiveServer, order: Payment
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/admin/records/payment/")
        visit.page.keyboard.press("/")
        assert visit.page.evaluate(FOCUSED) == "global-search"
        visit.page.keyboard.type("?jf/")
        assert visit.page.input_value("#global-search") == "?jf/"
        assert not visit.page.is_visible("#help")
        visit.page.keyboard.press("Escape")
        assert visit.page.evaluate(FOCUSED) == ""
        visit.page.keyboard.press("?")
        assert visit.page.is_visible("#help")
        assert visit.page.locator("#help dt").count() == 8
        visit.page.keyboard.press("Escape")
        assert not visit.page.is_visible("#help")
        visit.page.keyboard.press("f")
        assert visit.page.evaluate("Boolean(document.activeElement.closest('[data-filters], .filter-bar'))")
        assert visit.complaints == []


def test_keys_move_through_the_rows_of_a_list_and_open_one(
    browser: Browser, live_server: LiveServer, order: Payment
) -> None:
    numbers = [*Payment.objects.order_by("-created_at", "-id").values_list("payment_id", flat=True)]
    current = (
        "[...document.querySelectorAll('tr[aria-current]')].map((row) => row.textContent.match(/PM\\d+/)[0])"
    )
    with chromium.visit(browser, live_server.url) as visit:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visit.sign_in("boss")
        visit.open("/admin/records/payment/")
        seen = []
        for key in ("j", "ArrowDown", "j", "k", "ArrowUp", "ArrowUp", "j"):
            visit.page.keyboard.press(key)
            seen += visit.page.evaluate(current)
        assert seen == [numbers[at] for at in (0, 1, 2, 1, 0, 0, 1)]
        assert visit.page.evaluate("document.activeElement.matches('tr[aria-current]:focus-visible')")
        visit.page.keyboard.press("c")
        expect(visit.page.locator("#announcer")).to_have_text(f"Copied {numbers[1]}")
        assert visit.page.evaluate("navigator.clipboard.readText()") == numbers[1]
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url(re.compile(r"/admin/records/payment/\d+/change/"))
        assert numbers[1] in visit.page.inner_text("main")
        assert visit.complaints == []


def test_a_new_key_is_copied_whole_from_the_page_that_shows_it_once(
    browser: Browser, live_server: LiveServer
) -> None:
    boss = factories.make_user("boss", is_superuser=True)
    acme = book.merchant("Acme")
    act = approvals.request(
        kind=Act.Kind.ROTATE_CREDENTIAL, object_kind="merchant", object_id=acme.merchant.pk,
        evidence={"api": "gateway", "old_keys": "86400"}, reason="asked by the merchant", request_id="r1",
        user=boss, now=clock.now(),
    )  # fmt: skip
    approvals.approve(act_id=act.pk, user=factories.make_approver(), reason="seen", now=clock.now())
    with chromium.visit(browser, live_server.url) as visit:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visit.sign_in("boss")
        visit.open(f"/admin/operations/act/{act.pk}/change/")
        visit.page.click("text=Show the key now")
        visit.page.wait_for_selector("dl.secrets")
        shown = visit.page.locator("dl.secrets code").all_inner_texts()
        copied = []
        for button in visit.page.locator("dl.secrets button").all():
            button.click()
            expect(button).to_have_class(re.compile(r"\bcopied\b"))
            copied.append(visit.page.evaluate("navigator.clipboard.readText()"))
        assert copied == shown
        assert acme.merchant.pk in copied
        assert Credential.objects.count() == 2
        assert visit.page.inner_text("#announcer") == f"Copied {shown[-1]}"
        assert visit.complaints == []


def test_the_navigation_is_a_drawer_on_a_phone_and_folds_away_on_a_laptop(
    browser: Browser, live_server: LiveServer
) -> None:
    factories.make_user("boss", is_superuser=True)
    with chromium.visit(browser, live_server.url, width=390) as visit:
        visit.sign_in("boss")
        navigation = visit.page.locator("#navigation")
        assert not navigation.is_visible()
        visit.page.click("[data-navigation]")
        navigation.wait_for(state="visible")
        assert visit.page.get_attribute("[data-navigation]", "aria-expanded") == "true"
        assert visit.page.evaluate("document.activeElement.textContent") == "Home"
        visit.page.keyboard.press("Escape")
        navigation.wait_for(state="hidden")
        assert visit.page.evaluate("document.activeElement.matches('[data-navigation]')")
        visit.page.set_viewport_size({"width": 1440, "height": 900})
        expect(navigation).to_be_visible()
        visit.page.click("[data-navigation]")
        expect(navigation).to_be_hidden()
        visit.open("/admin/preferences/")
        expect(navigation).to_be_hidden()
        assert visit.page.get_attribute("[data-navigation]", "aria-expanded") == "false"
        assert visit.complaints == []


def test_a_menu_closes_on_escape_and_on_a_click_beside_it(browser: Browser, live_server: LiveServer) -> None:
    factories.make_user("boss", is_superuser=True)
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        states = []
        for is_by_key in (True, False):
            visit.page.click(".user-menu > summary")
            states.append(visit.page.is_visible("#logout-form"))
            if is_by_key:
                visit.page.keyboard.press("Escape")
            else:
                visit.page.click("h1")
            states.append(visit.page.is_visible("#logout-form"))
        assert states == [True, False, True, False]
        assert visit.complaints == []


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_every_menu_of_a_list_opens_within_the_window(
    browser: Browser, live_server: LiveServer, order: Payment, width: int
) -> None:
    inside = """(menu) => { const box = menu.lastElementChild.getBoundingClientRect();
        return box.left >= 0 && box.right <= innerWidth && box.width > 100 }"""
    with chromium.visit(browser, live_server.url, width=width) as visit:
        visit.sign_in("boss")
        visit.open("/admin/records/payment/")
        shown = []
        for menu in visit.page.locator("details.menu").all():
            menu.locator("summary").first.click()
            # The menu takes its place when its own event arrives.
            shown.append(chromium.soon(partial(menu.evaluate, inside)))
            expect(visit.page.locator("details.menu[open]")).to_have_count(1)
            visit.page.keyboard.press("Escape")
        assert len(shown) > 5
        assert all(shown)
        assert visit.page.evaluate(WIDTH) == width
        assert visit.complaints == []


def test_nothing_scrolls_sideways_on_a_phone_and_fingers_hit_what_they_mean(
    browser: Browser, live_server: LiveServer, order: Payment
) -> None:
    pages = (
        "/admin/", "/admin/records/payment/", f"/admin/records/payment/{order.pk}/change/",
        "/admin/merchants/merchant/add/", "/admin/diamondpay/user/add/", "/admin/preferences/",
        "/admin/password_change/", "/admin/diamondpay/auditrow/", "/admin/merchants/merchant/",
    )  # fmt: skip
    with chromium.visit(browser, live_server.url, width=390) as visit:
        visit.sign_in("boss")
        wide, small = {}, {}
        for path in pages:
            visit.open(path)
            wide[path] = visit.page.evaluate(WIDTH)
            small[path] = visit.page.evaluate(SMALL)
        assert wide == dict.fromkeys(pages, 390)
        assert {path: found for path, found in small.items() if found} == {}
        assert visit.complaints == []


def test_an_order_is_printed_on_one_sheet_without_what_can_be_pressed(
    browser: Browser, live_server: LiveServer, order: Payment
) -> None:
    with chromium.visit(browser, live_server.url, scheme="dark") as visit:
        visit.sign_in("boss")
        visit.open(f"/admin/records/payment/{order.pk}/change/")
        sheet = visit.page.pdf(prefer_css_page_size=True, print_background=True)
        visit.page.emulate_media(media="print")
        pressed = visit.page.locator("button, .button, input, nav, .top-bar").all()
        assert [item.evaluate("(item) => item.outerHTML") for item in pressed if item.is_visible()] == []
        assert visit.page.evaluate(GROUND) == LIGHT
        assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1
