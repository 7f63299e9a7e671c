"""Creating test orders in a real Chromium: the seed's limits, fields by service, both windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from channels.models import Channel, ChannelService, Service
from merchants import queries
from merchants.models import MerchantService
from merchants.registration import Registered
from records import ledger, parties, payer_links
from records.models import Payment, Payout
from tests import factories
from tests.admin import book, chromium
from tests.operations import creating
from tests.operations.creating import CARD
from tests.support.scripted_upstream import NAME, ScriptedUpstream, upstream

__all__ = ["upstream"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def acme(browser: Browser, live_server: LiveServer, upstream: ScriptedUpstream) -> Iterator[Registered]:
    """Acme and a rival on `scripted`, Acme with 5,000, and operations staff; payers are sent to this site."""
    factories.make_operator()
    factories.make_channel(NAME, upstream=NAME)
    found = creating.make_owner()
    creating.make_owner("Rival")
    book.fund(found, "5000")
    with override_settings(PUBLIC_URL=live_server.url):
        yield found


def opened(visit: chromium.Visit, path: str, owner: Registered, service: str) -> Page:
    """Sign in, open the page, and choose merchant and service as a person does."""
    visit.sign_in("operator")
    visit.page.wait_for_url("**/admin/")
    visit.open(path)
    visit.page.select_option("#create-merchant", owner.merchant.pk)
    visit.page.select_option("#create-service", service)
    expect(visit.page.locator("#create-amount")).to_be_visible()
    return visit.page


def fill(page: Page, **typed: str) -> None:
    for name, value in typed.items():
        page.fill(f"#create-{name}", value)


# Source: seed 002, Limit Examples and Special Cases: limits of the channel, of the service, the range.
SEED_LIMITS: list[tuple[tuple[int, int], tuple[int, int], str]] = [
    ((100, 50000), (500, 20000), "500 – 20,000 CNY (both bounds: service)"),
    ((100, 0), (500, 20000), "500 – 20,000 CNY (both bounds: service)"),
    ((0, 0), (0, 0), "any amount"),
    ((600, 0), (0, 20000), "600 – 20,000 CNY (lower bound: channel, upper bound: service)"),
    ((600, 0), (0, 0), "from 600 CNY (lower bound: channel)"),
    ((0, 900), (0, 0), "up to 900 CNY (upper bound: channel)"),
]


@pytest.mark.parametrize(("channel", "service", "words"), SEED_LIMITS)
def test_the_available_range_stands_beside_the_amount_and_on_hover(
    browser: Browser, live_server: LiveServer, acme: Registered, channel: tuple[int, int],
    service: tuple[int, int], words: str,
) -> None:  # fmt: skip
    factories.set_terms(Channel.objects, payment_lower_bound=channel[0], payment_upper_bound=channel[1])
    factories.set_terms(
        MerchantService.objects, single_limit_lower_bound=service[0], single_limit_upper_bound=service[1]
    )
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", acme, "SVC0001")
        expect(page.locator("#create-range")).to_have_text(f"Available: {words}")
        expect(page.locator("#create-amount")).to_have_attribute("title", words)
        expect(page.locator(".create-channels tbody")).to_contain_text(words)
        assert visit.complaints == []


def test_limits_that_exclude_each_other_leave_the_channel_out_with_that_reason(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    """Source: seed 002, Limit Example 3; a second channel keeps the service on offer."""
    factories.make_channel("second", upstream=NAME, payment_lower_bound=10000, payment_upper_bound=50000)
    both = factories.make_merchant("Both", channels=[NAME, "second"])
    factories.set_terms(
        MerchantService.objects.filter(merchant=both.merchant),
        single_limit_lower_bound=100,
        single_limit_upper_bound=5000,
    )
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", both, "SVC0001")
        expect(page.locator(".create-channels input[type=radio]")).to_have_count(1)
        expect(page.locator("#why-channel")).to_contain_text(
            "No amount possible: at least 10,000 CNY and at most 5,000 CNY"
            " (lower bound: channel, upper bound: service)"
        )
        expect(page.locator("#create-range")).to_contain_text("100 – 5,000 CNY")
        assert visit.complaints == []


def test_the_service_boundary_is_named_and_both_ends_are_inclusive(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    factories.bound_service(acme.wallets[0], "SVC0001", 500, 700)
    words = "500 – 700 CNY (both bounds: service boundary)"
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", acme, "SVC0001")
        fill(page, name="Wang Wei", number=CARD, remark_code="AB12")
        for amount in ("499.99", "700.01"):
            fill(page, amount=amount)
            page.click("form[method=post] .save-bar .main")
            expect(page.locator("#error-amount")).to_contain_text(
                f"The amount {amount} is outside what is allowed: {words}."
            )
            expect(page.locator("#create-amount")).to_be_focused()
            expect(page.locator("#create-name")).to_have_value("Wang Wei")
        assert Payment.objects.count() == 0
        fill(page, amount="700")
        page.click("form[method=post] .save-bar .main")
        page.wait_for_url("**/admin/records/payment/**")
        assert Payment.objects.get().requested_amount == 700
        assert visit.complaints == []


def test_fields_follow_the_service_by_keyboard_and_nothing_typed_is_lost(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    for service in Service.objects.filter(pk__in=("SVC0044", "SVC0085", "SVC0010")):
        code = f"c-{service.pk.lower()}"
        factories.make_channel(code, service.currency_id, NAME, [service.pk])
    wide = factories.make_merchant(
        "Wide", services=["SVC0001", "SVC0010", "SVC0044", "SVC0085"],
        channels=[NAME, "c-svc0010", "c-svc0044", "c-svc0085"],
    )  # fmt: skip
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", wide, "SVC0001")
        fill(page, name="Wang Wei", number=CARD)
        page.focus("#create-service")
        for letters, asked in (
            ("SVC0010", ["name"]), ("SVC0044", ["name", "number", "bank"]), ("SVC0085", []),
            ("SVC0001", ["name", "number", "remark_code"]),
        ):  # fmt: skip
            page.keyboard.type(letters)
            expect(page.locator("#create-service")).to_be_focused()
            expect(page.locator("#create-after-channel [aria-required]")).to_have_count(len(asked))
            fields = page.locator("#create-after-channel [aria-required]")
            assert [field.get_attribute("name") for field in fields.all()] == asked
            page.wait_for_timeout(1200)  # The browser takes letters that follow at once for one word.
        expect(page.locator("#create-name")).to_have_value("Wang Wei")
        expect(page.locator("#create-number")).to_have_value(CARD)
        assert CARD not in page.url
        assert visit.complaints == []


def test_a_channel_is_chosen_by_arrow_keys_and_brings_its_range(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    factories.make_channel("second", upstream=NAME, payment_upper_bound=900, weight=50)
    both = factories.make_merchant("Both", channels=[NAME, "second"])
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", both, "SVC0001")
        expect(page.locator("#create-range")).to_contain_text("Choose a channel for the whole range.")
        page.focus(".create-channels input[type=radio] >> nth=0")
        page.keyboard.press("Space")
        expect(page.locator("#create-range")).to_have_text("Available: any amount")
        page.keyboard.press("ArrowDown")
        expect(page.locator("#create-range")).to_have_text("Available: up to 900 CNY (upper bound: channel)")
        expect(page.locator("#why-amount tbody")).to_contain_text("900 ●")
        expect(page.locator(".create-channels input >> nth=1")).to_be_focused()
        assert visit.complaints == []


def test_a_deposit_opens_the_payment_page_in_a_new_window_and_the_order_in_this_one(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", acme, "SVC0001")
        fill(page, amount="1250.50", name="Wang Wei", number=CARD, remark_code="AB12")
        expect(page.locator("#create-sum")).to_have_text(
            "Fee 2.50; 1,248.00 CNY are credited when exactly this amount is paid."
        )
        with page.context.expect_page() as opening:
            page.click("form[method=post] .save-bar .main")
        page.wait_for_url("**/admin/records/payment/**")
        payment = Payment.objects.get()
        window = opening.value
        window.wait_for_load_state("load")
        assert window.url == payer_links.payment_page(payment)
        assert "1,250.50" in window.inner_text(".figure")
        expect(page.locator(".messages")).to_contain_text(f"The test deposit {payment.payment_id}")
        assert page.get_attribute(".messages .payer-page", "href") == window.url
        page.click("text=Create another with the same parameters")
        expect(page.locator("h1")).to_have_text(f"Reproduce {payment.payment_id}")
        expect(page.locator("#create-amount")).to_have_value("1250.50")
        expect(page.locator("#create-number")).to_have_attribute("placeholder", "************4374")
        fill(page, remark_code="AB13")
        page.click("form[method=post] .save-bar .main")
        page.wait_for_url("**/admin/records/payment/**")
        assert [parties.party_of(each).account for each in Payment.objects.all()] == [CARD, CARD]
        assert visit.complaints == []


def test_a_payout_is_sent_only_from_its_before_and_after_page(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    wallet = acme.wallets[0].pk
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayout", acme, "SVC0004")
        expect(page.locator(".note.review")).to_contain_text("really freezes the merchant’s balance")
        fill(page, amount="1000", name="Wang Wei", number=CARD)
        expect(page.locator("#create-sum")).to_have_text("Fee 2.00; 1,002.00 CNY will be frozen.")
        page.click("form[method=post] .save-bar .main")
        expect(page.locator("form[method=post] button.main")).to_have_text("Freeze 1,002.00 CNY and send")
        assert CARD not in page.content()
        page.click("text=Change something")
        expect(page.locator("#create-number")).to_have_value(CARD)
        assert (Payout.objects.count(), ledger.balances([wallet])[wallet]) == (
            0,
            (Decimal(5000), Decimal(0)),
        )
        page.click("form[method=post] .save-bar .main")
        page.dblclick("form[method=post] button.main")
        page.wait_for_url("**/admin/records/payout/**")
        assert (Payout.objects.count(), ledger.balances([wallet])[wallet]) == (
            1, (Decimal(3998), Decimal(1002)),
        )  # fmt: skip
        expect(page.locator(".messages")).to_contain_text("1,002.00 CNY are frozen")
        assert visit.complaints == []


def test_the_three_questions_are_answered_for_what_is_chosen(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    """Source: seed 002, FAQ."""
    factories.make_channel("off", upstream=NAME)
    two = factories.make_merchant("Two", services=["SVC0001", "SVC0004", "SVC0010"], channels=[NAME, "off"])
    Channel.objects.filter(pk="off").update(status="disabled")
    factories.remove_terms(ChannelService.objects.filter(service="SVC0010"))
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", two, "SVC0001")
        expect(page.locator("#why-service")).to_contain_text("No channel is bound to it")
        page.click("#why-service summary")
        expect(page.locator("#why-service")).to_contain_text("SVC0011 Alipay H5")
        expect(page.locator("#why-channel")).to_contain_text("The channel is disabled.")
        expect(page.locator("#why-amount")).to_contain_text("Try another amount or another channel.")
        page.click("text=Why is a channel not here? >> nth=0")
        assert page.url.endswith("#why-channel")
        visit.open("/OperationCreatePayout")
        page.select_option("#create-merchant", two.merchant.pk)
        expect(page.locator("#why-service")).to_contain_text("None of its 2 channels can be used")
        expect(page.locator("#why-service")).to_contain_text("The wallet has no available balance.")
        assert visit.complaints == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_the_pages_fit_a_phone_and_a_desk(
    browser: Browser, live_server: LiveServer, acme: Registered, width: int, scheme: str
) -> None:
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        page = opened(visit, "/OperationCreatePayout", acme, "SVC0004")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        fill(page, amount="1000", name="Wang Wei", number=CARD)
        page.click("form[method=post] .save-bar .main")
        expect(page.locator("form[method=post] button.main")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        visit.open(f"/OperationCreatePayment?merchant={acme.merchant.pk}&service=SVC0001")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.complaints == []


def test_whoever_was_signed_out_is_told_and_keeps_what_was_typed(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", acme, "SVC0001")
        fill(page, amount="1000", name="Wang Wei", number=CARD, remark_code="AB12")
        page.context.clear_cookies(name=re.compile("^sessionid"))
        page.click("form[method=post] .save-bar .main")
        expect(page.locator("#create-signed-out")).to_be_visible()
        expect(page.locator("#create-number")).to_have_value(CARD)
        assert Payment.objects.count() == 0
        page.click("text=Sign in again")
        page.wait_for_url("**/admin/login/?next=/admin/operations/create/payment/")
        assert visit.complaints == []


def test_after_a_lost_answer_pressing_again_finds_the_same_order(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        page = opened(visit, "/OperationCreatePayment", acme, "SVC0001")
        fill(page, amount="1000", name="Wang Wei", number=CARD, remark_code="AB12")

        lost: list[int] = []

        def lose(route: Route) -> None:
            """Let the server do the first order's work and its answer get lost; the sum's answers arrive."""
            if lost or route.request.headers["hx-trigger"] != "create-form":
                route.continue_()
                return
            lost.append(route.fetch(max_redirects=0).status)
            route.abort()

        page.route("**/create/payment/", lose)
        page.click("form[method=post] .save-bar .main")
        expect(page.locator("#create-no-answer")).to_be_visible()
        page.click("form[method=post] .save-bar .main")
        page.wait_for_url("**/admin/records/payment/**")
        assert (lost, Payment.objects.count()) == ([200], 1)


def test_of_very_many_merchants_one_is_found_by_typing(
    browser: Browser, live_server: LiveServer, acme: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "CHOICE_MAX", 1)
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("operator")
        page = visit.page
        page.wait_for_url("**/admin/")
        visit.open("/OperationCreatePayment")
        page.focus("#create-merchant")
        page.keyboard.type("acm")
        expect(page.locator("#create-merchants option")).to_have_count(1)
        assert page.get_attribute("#create-merchants option", "value") == acme.merchant.pk
        page.fill("#create-merchant", acme.merchant.pk)
        page.keyboard.press("Tab")
        expect(page.locator("#create-service")).to_be_visible()
        expect(page.locator("#create-merchant-name")).to_have_text("Acme")
        page.fill("#create-merchant", "PF9999")
        page.keyboard.press("Tab")
        expect(page.locator("#create-service")).to_have_count(0)
        expect(page.locator("#error-merchant")).to_contain_text("There is no such merchant")
        assert visit.complaints == []


def test_everything_works_without_scripts(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    context: Any = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    visit = chromium.Visit(page=page, url=live_server.url)
    try:
        visit.sign_in("operator")
        visit.open("/OperationCreatePayment")
        page.select_option("#create-merchant", acme.merchant.pk)
        page.click("button[value=refresh]")
        page.select_option("#create-service", "SVC0001")
        page.click("button[value=refresh]")
        fill(page, amount="499", name="Wang Wei", number=CARD, remark_code="AB12")
        page.click("form[method=post] .save-bar .main")
        assert "outside what is allowed" in page.inner_text("#error-amount")
        fill(page, amount="500")
        page.click("form[method=post] .save-bar .main")
        page.wait_for_url("**/admin/records/payment/**")
        assert page.get_attribute(".payer-page", "href") == payer_links.payment_page(Payment.objects.get())
    finally:
        context.close()
