"""Direct acts in a real Chromium: close, payment page, QR code, approve, reject, proof, resend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from records.models import Case, Notification, Payment, Payout, Proof
from tests import factories
from tests.admin import chromium
from tests.admin.test_lists import url_of
from tests.records.test_resending import failed
from tests.support.desk import Desk, desk, upstream
from tests.support.hostile_files import SVG, pdf, picture

__all__ = ["desk", "upstream"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer, desk: Desk) -> Iterator[chromium.Visit]:
    """An administrator who is signed in; nothing that the browser complains of."""
    factories.make_approver("boss")
    desk.fund("10000")
    with chromium.visit(browser, live_server.url) as visited:
        visited.sign_in("boss")
        visited.page.wait_for_url("**/admin/")
        yield visited
        assert visited.complaints == []


def page_of(order: Payment | Payout | Notification | Case) -> str:
    return url_of(type(order), "change", order.pk)


def file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def press(page: Page, act: str, button: str, *, reason: str = "asked by the merchant") -> None:
    """Follow the act's link on the order's page, give the reason, press the button that names the deed."""
    page.get_by_role("link", name=act, exact=True).click()
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name=button).click()


def test_a_deposit_is_closed_from_its_page(visit: chromium.Visit, desk: Desk) -> None:
    payment = desk.deposit()
    visit.open(page_of(payment))
    press(visit.page, "Close order", "Close the order of 100.00 CNY")
    expect(visit.page.locator(".messages")).to_contain_text(f"{payment.payment_id} is closed.")
    expect(visit.page.locator("h1 .badge").first).to_have_text("Closed")
    expect(visit.page.get_by_role("link", name="Close order", exact=True)).to_have_count(0)
    payment.refresh_from_db()
    assert (payment.status, payment.change_reason) == (3, "asked by the merchant")


def test_a_reason_that_is_missing_is_said_beside_the_field(visit: chromium.Visit, desk: Desk) -> None:
    payment = desk.deposit()
    visit.open(page_of(payment))
    press(visit.page, "Close order", "Close the order", reason="")
    expect(visit.page.locator(".field-reason .errorlist")).to_have_text("This field is required.")
    payment.refresh_from_db()
    assert payment.status == 0


def test_the_upstream_is_asked_and_its_answer_is_said(visit: chromium.Visit, desk: Desk) -> None:
    visit.open(page_of(desk.deposit()))
    press(visit.page, "Ask the upstream", "Ask about")
    expect(visit.page.locator(".messages")).to_have_text(
        "The upstream answered: in progress. The order is In Progress."
    )
    expect(visit.page.get_by_role("link", name="Ask the upstream")).to_have_count(0)
    assert len(desk.upstream.queries) == 1


def test_the_payment_page_opens_in_a_window_of_its_own(
    visit: chromium.Visit, desk: Desk, live_server: LiveServer, settings: Settings
) -> None:
    settings.PUBLIC_URL = live_server.url
    payment = desk.deposit()
    visit.open(page_of(payment))
    with visit.page.expect_popup() as opened:
        visit.page.get_by_role("link", name="View payment page").click()
    expect(opened.value.locator("h1")).to_have_text("Waiting for your payment")
    expect(opened.value.locator(".figure").first).to_contain_text("100.00")
    assert visit.page.url.endswith(page_of(payment))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_qr_code_is_drawn_black_on_white(
    browser: Browser, live_server: LiveServer, desk: Desk, scheme: str
) -> None:
    factories.make_approver("boss")
    payment = desk.deposit()
    Payment.objects.filter(pk=payment.pk).update(qr_text="https://upstream.example/pay/1")
    with chromium.visit(browser, live_server.url, width=390, scheme=scheme) as visit:
        visit.sign_in("boss")
        visit.page.wait_for_url("**/admin/")
        visit.open(page_of(payment))
        visit.page.get_by_role("link", name="View QR code").click()
        codes = visit.page.locator(".paper svg.qr")
        expect(codes).to_have_count(2)
        for number in range(2):
            box = codes.nth(number).bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) > 200
            expect(visit.page.locator(".paper").nth(number)).to_have_css(
                "background-color", "rgb(255, 255, 255)"
            )
        assert visit.complaints == []


def test_payouts_are_approved_and_rejected(visit: chromium.Visit, desk: Desk) -> None:
    desk.audit("manual")
    approved, rejected = desk.payout(), desk.payout("250")
    visit.open(page_of(approved))
    press(visit.page, "Approve", "Approve and send 100.00 CNY")
    expect(visit.page.locator(".messages")).to_contain_text("the upstream has accepted it.")
    visit.open(page_of(rejected))
    press(visit.page, "Reject", "Reject and release 252.00 CNY")
    expect(visit.page.locator(".messages")).to_contain_text("its money is available again.")
    statuses = [Payout.objects.get(pk=payout.pk).status for payout in (approved, rejected)]
    assert (statuses, desk.upstream.references()) == ([0, 4], [f"{approved.payout_id}-1"])


def test_a_proof_is_uploaded_seen_and_taken_out(visit: chromium.Visit, desk: Desk) -> None:
    payout, page = desk.payout(), visit.page
    visit.open(page_of(payout))
    page.get_by_role("link", name="Upload proof").click()
    page.get_by_label("What it shows").fill("bank slip")
    page.get_by_label("File").set_input_files(file("proof.png", SVG))
    page.get_by_role("button", name="Keep this proof").click()
    expect(page.locator(".field-file .errorlist")).to_contain_text("This is no JPEG or PNG picture")
    expect(page.get_by_label("What it shows")).to_have_value("bank slip")
    assert Proof.objects.count() == 0
    page.get_by_label("File").set_input_files(file("proof.png", picture(size=(400, 300))))
    page.get_by_role("button", name="Keep this proof").click()
    expect(page.locator(".proofs li")).to_contain_text("bank slip")
    page.locator(".proofs li a").first.click()
    # The policy that lets nothing run on the file still lets our own page show the picture.
    expect(page.locator(".proof-picture")).to_have_js_property("naturalWidth", 400)
    with page.expect_download() as taken:
        page.locator(".facts a[download]").click()
    assert taken.value.suggested_filename == f"proof-{Proof.objects.get().proof_id}.png"


def test_a_pdf_file_is_saved_and_never_shown_in_place(visit: chromium.Visit, desk: Desk) -> None:
    payout, page = desk.payout(), visit.page
    visit.open(f"/admin/acts/upload_proof/{payout.payout_id}/")
    page.get_by_label("What it shows").fill("statement")
    page.get_by_label("File").set_input_files(file("statement.pdf", pdf()))
    page.get_by_role("button", name="Keep this proof").click()
    with page.expect_download() as taken:
        page.locator(".proofs a", has_text="Download").click()
    assert taken.value.path().read_bytes() == pdf()


def test_notifications_are_resent_one_and_all(visit: chromium.Visit, desk: Desk) -> None:
    one, _other, _third = failed(desk), failed(desk), failed(desk)
    page = visit.page
    visit.open(url_of(Payment, "change", one.payment_id))
    press(page, "Resend notification", f"Tell {one.merchant_id} again of {one.order_no}")
    expect(page.locator(".messages")).to_contain_text("is sent again.")
    visit.open("/admin/")
    page.get_by_role("navigation", name="Pages").get_by_text("Resend Failed Notifications").click()
    page.get_by_role("combobox", name="Merchant").fill(one.merchant_id)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Reason").fill("receiver mended")
    page.get_by_role("button", name="Go on to before and after").click()
    expect(page.locator(".before-after tbody tr").first).to_contain_text("all are due again")
    page.get_by_role("button", name="Send 2 notifications again").click()
    expect(page.locator(".messages")).to_contain_text("2 notifications are sent again.")
    assert set(Notification.objects.values_list("state", flat=True)) == {"retrying"}


def test_a_case_is_closed_from_its_page(visit: chromium.Visit, desk: Desk) -> None:
    desk.paid(desk.deposit(), "60")
    visit.open(page_of(Case.objects.get()))
    visit.page.get_by_role("link", name="Close case").click()
    visit.page.get_by_label("What became of it").fill("sent back by hand")
    visit.page.get_by_role("button", name="Close the case").click()
    expect(visit.page.locator(".messages")).to_contain_text("The case is closed.")
    assert Case.objects.get().resolution == "sent back by hand"
