"""Asking and deciding in a real browser, by two people, with a double click on the button."""

from __future__ import annotations

from decimal import Decimal

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from merchants.models import MerchantService
from operations.models import Act
from tests import factories
from tests.admin import chromium
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_two_people_freeze_part_of_a_balance(browser: Browser, live_server: LiveServer, desk: Desk) -> None:
    desk.fund("100")
    factories.make_operator()
    factories.make_finance()
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("operator")
        visit.open(f"/admin/balance-operations/?q={desk.wallet.pk}")
        visit.page.locator(".row-acts").get_by_text("Freeze", exact=True).click()
        visit.page.fill("#id_amount", "1000")
        visit.page.fill("#id_reason", "Court order 12/7")
        visit.page.click("text=Go on to before and after")
        expect(visit.page.locator(".field-amount .errorlist")).to_have_text(
            "The available balance is 100.00 CNY."
        )
        visit.page.fill("#id_amount", "30")
        visit.page.click("text=Go on to before and after")
        expect(visit.page.locator(".before-after tbody")).to_contain_text("70.00")
        visit.page.get_by_role("button", name="Ask to freeze 30.00 CNY").dblclick()
        expect(visit.page.locator("main")).to_contain_text("This is your own request.")
        assert visit.complaints == []
    assert (Act.objects.count(), desk.balances()) == (1, (Decimal(100), Decimal(0)))
    with chromium.visit(browser, live_server.url, width=390, scheme="dark") as visit:
        visit.sign_in("finance")
        visit.open("/admin/acts-waiting/")
        visit.page.click("main td a")
        visit.page.get_by_role("link", name="Approve", exact=True).click()
        visit.page.fill("#id_reason", "The order is genuine")
        visit.page.get_by_role("button", name="Approve: Freeze 30.00 CNY").dblclick()
        expect(visit.page.locator(".messages")).to_contain_text("Approved and executed: Freeze 30.00 CNY.")
        assert visit.complaints == []
    assert (Act.objects.get().state, desk.balances()) == ("executed", (Decimal(70), Decimal(30)))


def test_two_people_put_a_new_service_in_force(browser: Browser, live_server: LiveServer, desk: Desk) -> None:
    factories.make_approver("asker")
    factories.make_approver("decider")
    with chromium.visit(browser, live_server.url) as visit:
        visit.sign_in("asker")
        visit.open("/admin/merchants/merchantservice/add/")
        expect(visit.page.locator(".note.review")).to_contain_text("This is not in force")
        expect(visit.page.locator("#id_status option")).to_have_text(["Disabled"])
        visit.page.select_option("#id_merchant", desk.registered.merchant.pk)
        visit.page.select_option("#id_service", "SVC0005")
        visit.page.fill("#id_fee_permillage", "6")
        visit.page.locator("form.record-form [name=_continue]").click()
        visit.page.get_by_role("link", name="Ask for activation", exact=True).click()
        expect(visit.page.locator(".before-after tbody")).to_contain_text("6 ‰")
        visit.page.fill("#id_reason", "Contract of June")
        visit.page.get_by_role("button", name="Ask for the activation of").dblclick()
        expect(visit.page.locator("main")).to_contain_text("This is your own request.")
        assert visit.complaints == []
    service = MerchantService.objects.get(service="SVC0005")
    assert (service.status, service.terms_since, Act.objects.count()) == ("disabled", None, 1)
    with chromium.visit(browser, live_server.url, width=390, scheme="dark") as visit:
        visit.sign_in("decider")
        visit.open("/admin/acts-waiting/")
        visit.page.click("main td a")
        visit.page.get_by_role("link", name="Approve", exact=True).click()
        visit.page.fill("#id_reason", "As in the contract")
        visit.page.get_by_role("button", name="Approve: First activation").dblclick()
        expect(visit.page.locator(".messages")).to_contain_text("Approved and executed")
        assert visit.complaints == []
    service.refresh_from_db()
    assert (service.status, service.terms_since) == ("enabled", Act.objects.get().decided_at)
