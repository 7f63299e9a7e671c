"""A merchant's user replaces a key and sends a test callback in a real Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from diamondpay.lib import clock
from merchants import credentials
from merchants.models import AllowedAddress
from tests import factories
from tests.admin import chromium
from tests.support.receiver import listening

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_merchants_user_replaces_a_key_and_is_shown_the_new_one(
    browser: Browser, live_server: LiveServer, width: int, scheme: str
) -> None:
    owner = factories.make_merchant("Acme")
    AllowedAddress.objects.create(merchant=owner.merchant, network="203.0.113.0/24", note="office")
    factories.make_merchant_user(owner.merchant)
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        page = visit.page
        visit.sign_in("clerk")
        visit.open("/admin/own-keys/")
        assert page.evaluate(FITS)
        page.click("text=Replace")
        page.select_option("#id_old_key", "3600")
        page.click("form[method=post] input[value='Make the new key']")
        expect(page.locator(".secrets code")).to_have_count(3)
        shown = page.locator(".secrets code").last.inner_text()
        assert page.evaluate(FITS)
        page.click("text=I have kept it")
        expect(page.locator("tbody tr")).to_have_count(3)
        assert visit.complaints == []
    newest = credentials.live(owner.merchant.pk, "gateway", clock.now())[0]
    assert credentials.secret_of(newest) == shown


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_a_test_callback_shows_what_came_back(
    browser: Browser, live_server: LiveServer, settings: Settings, width: int, scheme: str
) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    owner = factories.make_merchant("Acme")
    factories.make_merchant_user(owner.merchant)
    with (
        listening() as receiver,
        chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit,
    ):
        page = visit.page
        visit.sign_in("clerk")
        visit.open("/admin/own-callback-test/")
        page.fill("#id_url", receiver.url)
        page.click("form[method=post] button.main")
        expect(page.locator("main .badge.success")).to_have_text("Taken")
        expect(page.locator("main pre").last).to_contain_text("TEST-CALLBACK-")
        assert page.evaluate(FITS)
        assert visit.complaints == []
    assert len(receiver.received) == 1
