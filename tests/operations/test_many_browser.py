"""Choosing rows in a list, asking for them at once and deciding them together, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from merchants.models import MerchantService
from operations.models import Act
from tests import factories
from tests.admin import chromium
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def not_in_force(desk: Desk) -> list[MerchantService]:
    return [
        MerchantService.objects.create(
            merchant=desk.registered.merchant, service_id=service, fee_permillage=place
        )
        for place, service in enumerate(("SVC0005", "SVC0006", "SVC0008", "SVC0010"), start=5)
    ]


def ask_for_three(visit: chromium.Visit, other: MerchantService) -> None:
    """Choose all rows of the list but one, ask for them, and find that none is one's own to decide."""
    page = visit.page
    visit.sign_in("asker")
    visit.open("/admin/merchants/merchantservice/?in_force=0")
    page.check("[data-all]")
    expect(page.locator("[data-count]")).to_have_text("(4)")
    page.uncheck(f"input[name=row][value='{other.pk}']")
    page.get_by_role("button", name="Ask to activate the chosen (3)").click()
    expect(page.locator(".many tbody tr")).to_have_count(3)
    expect(page.locator(".many tbody tr").nth(1)).to_contain_text("6 ‰")
    page.fill("#id_reason", "Contract 7/2026")
    page.get_by_role("button", name="Ask for 3 activations").dblclick()
    expect(page.locator(".messages")).to_contain_text("Asked for 3 first activations.")
    page.check("[data-all]")
    page.get_by_role("button", name="Decide the chosen").click()
    expect(page.locator("main")).to_contain_text("None of the chosen acts is yours to decide here.")


def decide_three(visit: chromium.Visit) -> None:
    """Choose all acts that wait and approve them on one page."""
    page = visit.page
    visit.sign_in("decider")
    visit.open("/admin/acts-waiting/")
    page.check("[data-all]")
    page.get_by_role("button", name="Decide the chosen (3)").click()
    expect(page.locator(".many tbody tr")).to_have_count(3)
    expect(page.locator(".many tbody tr").first).to_contain_text("its approval")
    page.fill("#id_reason", "As in the contract")
    page.get_by_role("button", name="Approve the chosen").dblclick()
    expect(page.locator(".messages")).to_contain_text("Approved and executed: 3.")


def test_three_rows_are_asked_for_by_one_and_decided_together_by_another(
    browser: Browser, live_server: LiveServer, desk: Desk
) -> None:
    *chosen, other = not_in_force(desk)
    factories.make_approver("asker")
    factories.make_approver("decider")
    with chromium.visit(browser, live_server.url) as visit:
        ask_for_three(visit, other)
        assert visit.complaints == []
    assert (Act.objects.count(), MerchantService.objects.filter(terms_since=None).count()) == (3, 4)
    with chromium.visit(browser, live_server.url, width=390, scheme="dark") as visit:
        decide_three(visit)
        assert visit.complaints == []
    in_force = MerchantService.objects.filter(pk__in=[row.pk for row in chosen], status="enabled")
    assert (in_force.exclude(terms_since=None).count(), Act.objects.filter(state="executed").count()) == (
        3,
        3,
    )
    other.refresh_from_db()
    assert (other.terms_since, other.status) == (None, "disabled")
