"""The lists in a real Chromium: filters by mouse and keys, saved views, columns, pages, on a phone too."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from diamondpay.models import Preference, SavedView
from merchants.registration import Registered
from records.models import Payment
from tests import factories
from tests.admin import book, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ROWS = "#result_list tbody tr"


@pytest.fixture
def acme() -> Registered:
    """Deposits of two merchants, and a superuser `boss`."""
    factories.make_user("boss", is_superuser=True)
    acme, other = book.merchant("Acme"), book.merchant("Other")
    for number in range(2):
        book.deposit(acme, f"a{number}", amount=str(100 + number))
        book.deposit(other, f"b{number}", is_paid=False)
    book.deposit(acme, "a9", amount="900", is_paid=False)
    return acme


def numbers(visit: chromium.Visit) -> list[str]:
    """Return the merchants' numbers of the rows that the list shows."""
    cells = visit.page.locator(f"{ROWS} td[data-label='Merchant order no.'] .id > :first-child")
    return [text.strip() for text in cells.all_inner_texts()]


def test_the_combined_filter_of_the_seed_is_set_by_mouse_and_keys(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/RecordPayment")
        page = visit.page
        page.click("#filters summary >> text=Created")
        page.check("#filters input[name=created][value=month]")
        page.click("#filters summary >> text=Merchant")
        # All at once: letters that come slowly are asked for twice, and the second answer takes the place of
        # the first under the keys.
        page.locator("#filters [data-lookup]").fill("ac")
        expect(page.locator("#filters .found input")).to_have_count(1)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.wait_for_selector("#filters .chosen input:checked")
        page.click("#filters summary >> text=Status")
        page.check("#filters input[name=status][value='1']")
        page.click("#filters summary >> text=Service")
        page.check("#filters input[name=service][value=SVC0001]")
        page.keyboard.press("Enter")
        query = f"created=month&merchant={acme.merchant.pk}&status=1&service=SVC0001"
        page.wait_for_url(f"**/admin/records/payment/?{query}")
        assert numbers(visit) == ["a1", "a0"]
        chips = page.locator("ul.chips li a[href*='=']").all_inner_texts()
        said = [" ".join(text.strip("✕").split()) for text in chips[:4]]
        assert [words.removesuffix(" – remove this filter") for words in said] == [
            "Created: This month", f"Merchant: {acme.merchant.pk} Acme", "Status: Success",
            "Service: SVC0001 Bank-card deposit",
        ]  # fmt: skip
        assert "201.00" in page.inner_text(".sums")
        assert visit.complaints == []


def test_typing_the_beginning_of_a_name_and_enter_applies_it(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/RecordPayment")
        visit.page.click("#filters summary >> text=Merchant")
        visit.page.locator("#filters [data-lookup]").fill("oth")
        expect(visit.page.locator("#filters .found input")).to_have_count(1)
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_selector("ul.chips >> text=Other")
        assert numbers(visit) == ["b1", "b0"]
        visit.page.click("ul.chips >> text=Other")
        expect(visit.page.locator("#result_list tbody tr")).to_have_count(5)
        assert visit.complaints == []


def test_a_range_typed_with_minutes_goes_before_the_preset(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/RecordPayment")
        visit.page.click("#filters summary >> text=Created")
        visit.page.check("#filters [data-minutes]")
        visit.page.fill("#filters input[name=created_from]", "2026-01-31T14:05")
        visit.page.fill("#filters input[name=created_to]", "2026-01-31T15:00")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url("**created_from=2026-01-31T14*")
        assert "created=" not in visit.page.url
        assert visit.page.locator(ROWS).count() == 0
        chip = visit.page.inner_text("ul.chips li:first-child")
        assert "Created: 2026-01-31 14:05 – 2026-01-31 15:00" in chip
        visit.page.click("#filters summary >> text=Created")
        assert visit.page.input_value("#filters input[name=created_from]") == "2026-01-31T14:05"
        visit.page.check("#filters input[name=created][value=today]")
        visit.page.click("#filters details[open] button[type=submit]")
        visit.page.wait_for_url("**/?created=today")
        assert visit.page.locator(ROWS).count() == 5
        assert visit.complaints == []


def test_columns_are_chosen_and_moved_and_stay(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/RecordPayment?status=1")
        page = visit.page
        page.click(".columns-menu > summary")
        for label in ("Fee", "Channel", "Completed"):
            page.locator(".columns-menu li", has_text=label).first.locator("input").uncheck()
        page.locator(".columns-menu li", has_text="Merchant name").locator("input").check()
        line = page.locator(".columns-menu li", has_text="Status").first
        line.hover()
        for _press in range(9):
            line.locator("[data-move='-1']").click()
        page.click(".columns-menu >> text=Show these")
        headings = [
            "Status", "Order no.", "Merchant order no.", "Merchant", "Service", "Requested (CNY)",
            "Actual (CNY)", "Credited (CNY)", "Created", "Merchant name",
        ]  # fmt: skip
        # The address stays the same, so only the table tells that the page is the new one.
        expect(page.locator("#result_list th")).to_have_text(headings)
        assert page.url.endswith("/admin/records/payment/?status=1")
        visit.open("/RecordPayment")
        expect(page.locator("#result_list th")).to_have_text(headings)
        page.click(".columns-menu > summary")
        page.click(".columns-menu >> text=Usual columns")
        expect(page.locator("#result_list th")).to_have_count(12)
        assert not Preference.objects.filter(key="columns:payment").exists()
        assert visit.complaints == []


def test_a_view_is_saved_opened_renamed_and_deleted(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/RecordPayment?status=0")
        page = visit.page
        page.click(".views-menu > summary")
        page.fill(".save-view input[name=name]", "Waiting")
        page.keyboard.press("Enter")
        page.wait_for_selector(".messages >> text=The view “Waiting” is saved.")
        assert page.inner_text(".views-menu > summary").strip() == "Waiting"
        visit.open("/RecordPayment")
        page.click(".views-menu > summary")
        page.click(".views a >> text=Waiting")
        page.wait_for_url("**/?status=0&view=*")
        assert numbers(visit) == ["a9", "b1", "b0"]
        page.click(".views-menu > summary")
        page.click(".view-acts > summary")
        page.fill(".view-acts input[name=name]", "Open ones")
        page.click(".view-acts >> text=Rename")
        page.wait_for_selector(".messages >> text=is now called “Open ones”")
        page.click(".views-menu > summary")
        page.click(".view-acts > summary")
        page.click(".view-acts >> text=Delete")
        page.wait_for_selector(".messages >> text=The view “Open ones” is deleted.")
        assert not SavedView.objects.exists()
        assert visit.complaints == []


def test_a_late_count_arrives_and_pages_are_turned(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    for number in range(24):
        book.deposit(acme, f"more{number:02}", is_paid=False)
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/RecordPayment")
        visit.page.click(".rows-choice button[value='25']")
        expect(visit.page.locator("#result_list tbody tr")).to_have_count(25)
        visit.open("/RecordPayment?amount_min=1")
        visit.page.wait_for_selector(".sums .count >> text=29")
        visit.page.click("a[rel=next]")
        expect(visit.page.locator("#result_list tbody tr")).to_have_count(4)
        assert visit.page.inner_text(".pages .where").startswith("26–29")
        visit.page.click("a[rel=prev]")
        expect(visit.page.locator("#result_list tbody tr")).to_have_count(25)
        assert visit.page.locator("a[rel=prev]").count() == 0
        assert visit.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_orders_as_cards_and_every_menu_within_the_window(
    browser: Browser, live_server: LiveServer, acme: Registered, scheme: str
) -> None:
    with chromium.visit(browser, live_server.url, width=390, scheme=scheme) as visit:
        visit.sign_in("boss")
        visit.open(f"/RecordPayment?merchant={acme.merchant.pk}")
        card = visit.page.locator(ROWS).first
        # A test that was rolled back before this one has used up numbers all the same.
        newest = Payment.objects.filter(merchant=acme.merchant).latest("created_at")
        assert card.inner_text().split() == [
            newest.payment_id,
            "900.00",
            "CNY",
            "In",
            "Progress",
            *card.inner_text().split()[5:],
        ]
        for menu in visit.page.locator("#filters > details, .page-actions > details").all():
            menu.locator("> summary").click()
            expect(menu.locator("> summary + *")).to_be_visible()
            box = menu.locator("> summary + *").bounding_box()
            assert box is not None
            assert (box["x"] >= 0, box["x"] + box["width"] <= 390) == (True, True)
            assert (box["y"] >= 0, box["y"] + box["height"] <= 900, box["height"] > 60) == (True, True, True)
            visit.page.keyboard.press("Escape")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.complaints == []
