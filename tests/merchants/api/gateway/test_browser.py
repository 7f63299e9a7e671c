"""The payer's page and the documentation in a real browser: no complaints, readable on a phone, live."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import transaction
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from diamondpay.lib import clock
from records import payments
from records.models import Actor, Payment
from tests.admin import chromium
from tests.merchants.api.gateway.conftest import Caller

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def page_path(browser: Browser, live_server: LiveServer, caller: Caller) -> str:
    """The path of a waiting deposit's page."""
    params = caller.payment(amount=123456, remark_code="K7MQ2X")
    link: str = caller.post("/v1/payments", params)["data"]["link"]
    return link.removeprefix("http://127.0.0.1:8000")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_payment_page_fits_and_has_no_complaints(
    browser: Browser, live_server: LiveServer, page_path: str, width: int, scheme: str
) -> None:
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        assert visit.open(page_path) == 200
        assert not visit.page.evaluate(WIDE)
        assert visit.page.locator("button.copy:visible").count() == 6
        assert visit.page.locator("#countdown").inner_text().count(":") == 1
        assert visit.complaints == []


def test_the_open_page_turns_to_paid_by_itself(
    browser: Browser, live_server: LiveServer, page_path: str
) -> None:
    with chromium.visit(browser, live_server.url, width=390) as visit:
        visit.open(page_path)
        with transaction.atomic():
            payments.settle(
                payment=payments.locked(Payment.objects.get().pk),
                actual_amount=Decimal("1234.56"),
                now=clock.now(),
                changed_by=Actor.CALLBACK,
            )
        visit.page.wait_for_selector("[data-state=paid]", timeout=10_000)
        assert visit.page.locator("h1").inner_text() == "Paid"
        assert visit.complaints == []


def test_the_documentation_opens_without_complaints(browser: Browser, live_server: LiveServer) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        assert visit.open("/docs/api/") == 200
        visit.page.wait_for_selector("#operations-Deposits-createPaymentV1", timeout=15_000)
        visit.page.click("#operations-Deposits-createPaymentV1 .opblock-summary-control")
        visit.page.wait_for_selector("#operations-Deposits-createPaymentV1 .opblock-body")
        assert visit.complaints == []
