"""The pages in a real Chromium: no CSP violation, no console error, readable wide, narrow, light and dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from diamondpay.lib import clock
from merchants.models import Credential, Merchant
from operations import approvals
from operations.models import Act
from records.models import Payment, Payout
from tests import factories
from tests.admin import book, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def paths(browser: Browser) -> list[str]:
    """A book with a row of everything, a superuser `boss`, and the pages to visit."""
    boss = factories.make_user("boss", is_superuser=True)
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    book.fill(acme, other, boss, start=1, count=2)
    return [
        "/admin/", "/RecordPayment", "/RecordPayment?status=1&amount_min=1", "/RecordPayment?q=nothing",
        "/RecordPayout",
        "/RecordBalanceRecord", "/RecordBalanceTransfer", "/RecordNotificationDetail",
        f"/admin/records/payment/{Payment.objects.earliest('id').pk}/change/",
        f"/admin/records/payout/{Payout.objects.earliest('id').pk}/change/",
        "/admin/merchants/merchant/", "/admin/merchants/merchant/add/",
        f"/admin/merchants/merchant/{acme.merchant.pk}/change/",
        f"/admin/merchants/credential/{acme.credential.pk}/end/",
        f"/admin/acts/rotate_credential/{acme.merchant.pk}/",
        f"/admin/acts/adjust_balance/{acme.wallets[0].pk}/", "/admin/acts-waiting/",
        f"/admin/operations/act/{Act.objects.earliest('id').pk}/change/", "/admin/operations/approvalrule/",
        "/admin/channels/channel/add/", "/admin/channels/channel/sandbox/change/", "/admin/channels/bank/",
        "/admin/diamondpay/user/add/", f"/admin/diamondpay/user/{boss.pk}/change/",
        "/admin/auth/group/1/change/",
        "/admin/diamondpay/auditrow/", "/admin/password_change/",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_pages_open_without_a_complaint_of_the_browser(
    browser: Browser, live_server: LiveServer, paths: list[str], width: int, scheme: str
) -> None:
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        visit.sign_in("boss")
        assert [path for path in paths if visit.open(path) != 200] == []
        # Nothing but tables, which scroll by themselves, is wider than the window.
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.complaints == []


def test_the_filter_bar_leads_to_a_clean_address_and_its_chips_take_filters_away(
    browser: Browser, live_server: LiveServer, paths: list[str]
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/RecordPayment")
        visit.page.click("#filters summary >> text=Status")
        visit.page.check("#filters input[name=status][value='0']")
        visit.page.press("#searchbar", "Enter")
        visit.page.wait_for_url("**/admin/records/payment/?status=0")
        assert visit.page.locator("#result_list tbody tr").count() == 1
        visit.page.click("ul.chips a >> text=Status: In Progress")
        visit.page.wait_for_url("**/admin/records/payment/?view=none")
        assert visit.page.locator("#result_list tbody tr").count() == 3
        assert visit.complaints == []


def test_a_merchant_is_taken_on_by_hand_and_given_a_key(
    browser: Browser, live_server: LiveServer, paths: list[str]
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("boss")
        visit.open("/admin/merchants/merchant/add/")
        visit.page.fill("#id_name", "By hand")
        visit.page.click("text=Add another Merchant service")
        visit.page.select_option("#id_merchant_services-0-service", "SVC0001")
        visit.page.fill("#id_merchant_services-0-fee_permillage", "2.5")
        visit.page.click("text=Add another Merchant channel")
        visit.page.select_option("#id_merchant_channels-0-channel", "sandbox")
        visit.page.click("text=Save and continue editing")
        visit.page.wait_for_selector(".messages .success")
        visit.page.click("text=New key")
        visit.page.fill("#id_reason", "first key")
        visit.page.click("text=Go on to before and after")
        visit.page.get_by_role("button", name="Ask for a new key").click()
        visit.page.wait_for_selector(".messages .success")
        act, merchant = Act.objects.latest("id"), Merchant.objects.get(name="By hand")
        approvals.approve(act_id=act.pk, user=factories.make_approver(), reason="known", now=clock.now())
        assert Credential.objects.filter(merchant=merchant).count() == 1
        visit.page.reload()
        visit.page.click("text=Show the key now")
        visit.page.wait_for_selector("dl.secrets")
        assert merchant.pk in visit.page.inner_text("dl.secrets")
        assert visit.complaints == []
