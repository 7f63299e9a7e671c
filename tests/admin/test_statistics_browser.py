"""Statistics and home in a real Chromium: charts, figures that lead to rows, both themes, phones."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from diamondpay.lib import clock
from operations import placement
from tests import factories
from tests.admin import book, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RATES = "/admin/statistics/success-rate/"
PAGES = (
    "/admin/statistics/services/", "/admin/statistics/services/?kind=payout", f"{RATES}?by=merchant",
    f"{RATES}?by=day&created=30d", f"{RATES}?by=hour&created=today", f"{RATES}?created=someday", "/admin/",
)  # fmt: skip
# How many points of a canvas are of a colour (three numbers), give or take what smoothing does.
PAINTED = """([index, colour]) => {
    const canvas = document.querySelectorAll(".chart canvas")[index];
    const points = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let found = 0;
    for (let at = 0; at < points.length; at += 4)
        if (points[at + 3] > 200 && colour.every((part, n) => Math.abs(points[at + n] - part) < 6))
            found += 1;
    return found;
}"""


@pytest.fixture
def filled(browser: Browser) -> None:
    """A superuser `boss`, and deposits and payouts of some days."""
    factories.make_user("boss", is_superuser=True)
    acme = book.merchant("Acme")
    book.fund(acme)
    for number, amount in enumerate(("60", "120", "700", "3000")):
        book.deposit(acme, f"d{number}", amount=amount, is_paid=number != 1)
        book.payout(acme, f"p{number}", amount=amount)
    order = placement.NewPayment(
        merchant=acme.merchant, service_id="SVC0001", merchant_order_no="old", amount=Decimal(60),
        party=book.PARTY, sign_type="HMAC-SHA256", source="API_V1",
    )  # fmt: skip
    placement.place_payment(order=order, now=clock.now() - timedelta(days=2))
    book.fold()


def painted(visit: chromium.Visit, chart: int, colour: list[int], other: list[int]) -> bool:
    """Say whether a chart is drawn in one colour and not in another, now or soon."""
    return chromium.soon(
        lambda: (
            visit.page.evaluate(PAINTED, [chart, colour]) > 50
            and visit.page.evaluate(PAINTED, [chart, other]) == 0
        )
    )


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_statistics_and_home_open_without_a_complaint_of_the_browser(
    browser: Browser, live_server: LiveServer, filled: None, width: int, scheme: str
) -> None:
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        visit.sign_in("boss")
        for path in PAGES:
            assert visit.open(path) == 200
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            expected = 3 if "statistics" in path and "someday" not in path else 0
            expect(visit.page.locator(".chart canvas")).to_have_count(expected)
        assert visit.complaints == []


def test_a_figure_leads_to_a_list_of_exactly_as_many_orders(
    browser: Browser, live_server: LiveServer, filled: None
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        for heading, number in (("Orders", 5), ("Successful", 3), ("Open", 2)):
            visit.open("/admin/statistics/services/")
            figure = visit.page.locator(f'tbody td[data-label="{heading}"] a').first
            assert figure.inner_text() == str(number)
            figure.click()
            visit.page.wait_for_url("**/admin/records/payment/?**")
            assert visit.page.locator("#result_list tbody tr").count() == number
        visit.open("/admin/statistics/services/")
        row = visit.page.locator("tbody tr", has_text="500 – 999.99")
        row.locator("a").first.click()
        visit.page.wait_for_url("**amount_min=500&amount_max=999.99")
        assert visit.page.locator("#result_list tbody tr").count() == 1
        assert visit.complaints == []


def test_charts_take_the_colours_of_the_theme_and_change_with_it(
    browser: Browser, live_server: LiveServer, filled: None
) -> None:
    light, dark = [20, 97, 47], [155, 220, 174]
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open(f"{RATES}?by=day&created=7d")
        for chart in (0, 2):
            assert painted(visit, chart, light, dark)
        visit.page.evaluate("document.documentElement.dataset.theme = 'dark'")
        for chart in (0, 2):
            assert painted(visit, chart, dark, light)
        assert visit.page.locator(".chart canvas").count() == 3
        visit.page.locator(".chart").nth(2).hover(position={"x": 120, "y": 80})
        expect(visit.page.locator("figure .reading").nth(2)).to_contain_text("Successful")
        # The only complaint is about this test's own reading of the canvas.
        assert [words for words in visit.complaints if "readback" not in words] == []


def test_the_bar_asks_for_a_range_and_keeps_what_was_chosen(
    browser: Browser, live_server: LiveServer, filled: None
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open(f"{RATES}?by=day")
        visit.page.click(".presets >> text=Last 30 days")
        visit.page.wait_for_url("**created=30d**")
        assert visit.page.locator("table.figures").first.locator("tbody tr").count() == 30
        visit.page.fill("input[name=merchant]", "Acme")
        visit.page.select_option("select[name=is_test]", "in")
        visit.page.press("input[name=merchant]", "Enter")
        visit.page.wait_for_url("**merchant=Acme**")
        assert "created=30d" in visit.page.url
        assert visit.page.input_value("input[name=merchant]") == "Acme"
        assert visit.page.locator("tfoot td[data-label=Orders]").first.inner_text() == "5"
        visit.page.click("text=What the figures mean")
        assert visit.page.locator(".definitions dt").first.is_visible()
        assert visit.complaints == []


def test_without_scripts_the_tables_say_what_the_charts_would(
    browser: Browser, live_server: LiveServer, filled: None
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        signed_in = visit.page.context.storage_state()
    context = browser.new_context(java_script_enabled=False, storage_state=signed_in)
    page = context.new_page()
    page.goto(f"{live_server.url}/admin/statistics/services/")
    assert page.locator("table.figures").count() == 3
    assert not page.locator("figure").first.is_visible()
    context.close()
