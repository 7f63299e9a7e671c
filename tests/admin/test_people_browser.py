"""People in a real Chromium: the second factor, locks, the idle warning, the user form, the audit filters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from diamondpay import audit
from diamondpay.lib import clock
from diamondpay.models import AuditRow, SignIn, User
from tests import factories
from tests.admin import chromium, signing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_second_factor_is_set_up_from_the_picture_and_asked_for_at_the_next_sign_in(
    browser: Browser, live_server: LiveServer
) -> None:
    factories.make_operator()
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("operator")
        page.click(".user-menu summary")
        page.click("text=Security")
        page.click("text=Set up a second factor")
        box = page.locator(".qr-frame svg").bounding_box()
        assert box is not None
        assert (box["width"] > 150, box["height"] > 150) == (True, True)
        secret = page.inner_text(".secret-key").replace(" ", "")
        page.fill("#id_code", "000000")
        page.click("text=Set up the second factor")
        expect(page.locator(".errorlist")).to_contain_text("This code is not right")
        page.fill("#id_code", signing.code_now(secret))
        page.click("input[type=submit]")
        expect(page.locator(".recovery-codes code")).to_have_count(10)
        codes = page.locator(".recovery-codes code").all_inner_texts()
        page.click("text=I have kept them")
        page.click(".user-menu summary")
        page.click("#logout-form button")
        visit.sign_in("operator", lands="/admin/second-factor/")
        assert page.url.endswith("/admin/second-factor/")
        page.fill("#id_code", codes[0])
        page.click("input[type=submit]")
        expect(page.locator(".messages")).to_contain_text("9 are left")
        assert visit.complaints == []
    assert list(AuditRow.objects.order_by("id").values_list("action", flat=True)) == [
        "user.sign_in", "user.second_factor_set_up", "user.sign_out", "user.sign_in",
        "user.recovery_code_used", "user.second_factor_given",
    ]  # fmt: skip


def test_ten_wrong_passwords_lock_and_an_administrator_unlocks(
    browser: Browser, live_server: LiveServer
) -> None:
    user = factories.make_operator("forgetful")
    factories.make_approver("boss")
    with (
        chromium.visit(browser, live_server.url) as theirs,
        chromium.visit(browser, live_server.url) as visit,
    ):
        for _each in range(10):
            theirs.open("/admin/login/")
            theirs.page.fill("#id_username", "forgetful")
            theirs.page.fill("#id_password", "no")
            theirs.page.click("input[type=submit]")
            expect(theirs.page.locator(".errornote")).to_contain_text("Please enter the correct username")
        theirs.sign_in("forgetful", lands="/admin/login/?next=/admin/")
        expect(theirs.page.locator(".errornote")).to_contain_text("Too many tries")
        # The same address is not locked for everybody else.
        visit.sign_in("boss")
        visit.open(f"/admin/diamondpay/user/{user.pk}/change/")
        expect(visit.page.locator(".note.failed")).to_contain_text("Locked until")
        visit.page.click("text=Unlock")
        visit.page.fill("#id_reason", "Called, and it was them")
        visit.page.click("text=Unlock the account")
        expect(visit.page.locator(".messages")).to_contain_text("Forgetful is unlocked; 21 wrong tries")
        theirs.sign_in("forgetful")
        expect(theirs.page.locator("h1")).to_have_text("Home")
        assert (theirs.complaints, visit.complaints) == ([], [])


def test_the_idle_are_warned_then_signed_out_and_the_busy_are_not(
    browser: Browser, live_server: LiveServer, settings: Any
) -> None:
    settings.IDLE_SECONDS = 15
    factories.make_operator()
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("operator")
        visit.open("/admin/records/payment/")
        dialog = page.locator("#idle")
        expect(dialog).to_be_hidden()
        # Some seconds before the end; pressing stays.
        expect(dialog).to_be_visible(timeout=40_000)
        page.click("#idle-stay")
        expect(dialog).to_be_hidden()
        before = SignIn.objects.get().active_at
        # Somebody who types is here, though no page is opened.
        page.wait_for_timeout(3_000)
        page.focus("#global-search")
        page.keyboard.type("abc")
        page.wait_for_timeout(500)
        assert SignIn.objects.get().active_at >= before
        expect(dialog).to_be_visible(timeout=40_000)
        expect(page.locator(".note.review")).to_contain_text(
            "You were signed out: Nothing was done for too long.", timeout=40_000
        )
        assert "next=%2Fadmin%2Frecords%2Fpayment%2F" in page.url
        assert visit.complaints == []
    assert SignIn.objects.get().ending == SignIn.Ending.IDLE


def test_an_administrator_binds_a_user_and_is_told_what_does_not_go_together(
    browser: Browser, live_server: LiveServer
) -> None:
    acme = factories.make_merchant("Acme")
    factories.make_approver("boss")
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("boss")
        visit.open("/admin/diamondpay/user/add/")
        page.fill("#id_username", "clerk")
        page.fill("#id_password1", "a quite long password 77")
        page.fill("#id_password2", "a quite long password 77")
        page.check(".choice-list >> text=Operations Staff")
        page.click("text=Add another")
        page.select_option("#id_memberships-0-merchant", acme.merchant.pk)
        page.click("input[name=_save]")
        expect(page.locator(".inline-group .errorlist").first).to_contain_text(
            "Whoever belongs to a merchant cannot hold the role “Operations Staff”"
        )
        assert page.input_value("#id_username") == "clerk"
        page.fill("#id_password1", "a quite long password 77")
        page.fill("#id_password2", "a quite long password 77")
        page.uncheck(".choice-list >> text=Operations Staff")
        page.check(".choice-list >> text=Merchant user")
        page.click("input[name=_save]")
        expect(page.locator(".messages")).to_contain_text("was added successfully")
        assert visit.complaints == []
    clerk = User.objects.get(username="clerk")
    assert [member.merchant for member in clerk.memberships.all()] == [acme.merchant]


def test_the_audit_trail_is_filtered_and_a_row_read(browser: Browser, live_server: LiveServer) -> None:
    boss = factories.make_approver("boss")
    now = clock.now()
    for number in range(3):
        audit.write(
            action="merchant.change", object_kind="merchant", object_id=f"PF{number}", user=boss,
            now=now - timedelta(days=number), before={"name": "A"}, after={"name": f"B{number}"},
            is_refused=number == 2,
        )  # fmt: skip
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("boss")
        visit.open("/admin/diamondpay/auditrow/")
        # Three rows and the sign-in.
        expect(page.locator("#result_list tbody tr")).to_have_count(4)
        visit.open("/admin/diamondpay/auditrow/?is_refused=1")
        expect(page.locator("#result_list tbody tr")).to_have_count(1)
        page.click("#result_list tbody tr a >> nth=0")
        expect(page.locator(".changes")).to_contain_text("B2")
        expect(page.locator(".badge.failed")).to_have_text("Refused")
        page.click("text=All by this person")
        expect(page.locator("#result_list tbody tr")).to_have_count(4)
        assert visit.complaints == []
