"""A batch in a real Chromium: template, wrong file, mended file, confirmation, progress, result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from merchants import queries
from merchants.registration import Registered
from operations.batches import placing
from operations.batches.models import BatchPayout
from records.models import Payout
from tests import factories
from tests.admin import book, chromium
from tests.lib import spreadsheets
from tests.operations.batching import good

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def acme(db: None) -> Registered:
    """Acme with money, another merchant to choose from, and one of the Operations Staff."""
    factories.make_operator("maker")
    book.merchant("Other")
    acme = book.merchant("Acme")
    book.fund(acme)
    return acme


def filled(template: Path, rows: list[Any], target: Path) -> Path:
    """Fill the template as a person does, and save it under a name."""
    made: Any = openpyxl.load_workbook(template)
    for row in rows:
        number, amount, name, account = row
        made.worksheets[0].append([number, amount, "", name, account])
    made.save(target)
    return target


def test_of_very_many_merchants_one_is_found_by_typing(
    browser: Browser, live_server: LiveServer, acme: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.merchant("Rival")
    monkeypatch.setattr(queries, "CHOICE_MAX", 1)
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("maker")
        visit.open("/OperationBatchPayout")
        page.focus("#batch-merchant")
        page.keyboard.type("acm")
        expect(page.locator("#batch-merchants option")).to_have_count(1)
        assert page.get_attribute("#batch-merchants option", "value") == acme.merchant.pk
        page.fill("#batch-merchant", "PF9999")
        page.keyboard.press("Tab")
        expect(page.locator("#batch-form")).to_contain_text("Choose a merchant of the list.")
        page.fill("#batch-merchant", acme.merchant.pk)
        page.keyboard.press("Tab")
        expect(page.locator("#batch-wallet")).to_contain_text("100,000.00 CNY")
        expect(page.locator("#batch-form")).to_contain_text("Acme")
        assert visit.complaints == []


def test_a_person_takes_the_template_mends_the_file_confirms_and_takes_the_result(
    browser: Browser, live_server: LiveServer, acme: Registered, tmp_path: Path
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("maker")
        visit.open("/OperationBatchPayout")
        page.select_option("#batch-merchant", acme.merchant.pk)
        expect(page.locator("#batch-wallet")).to_contain_text("100,000.00 CNY")
        with page.expect_download() as taking:
            page.click("text=Download the template")
        template = tmp_path / "template.xlsx"
        taking.value.save_as(template)
        wrong = [*good(2), ("N3", "1,000", "Li", "6222021234567890003")]
        page.set_input_files("#batch-file", filled(template, wrong, tmp_path / "salaries.xlsx"))
        page.click("text=Upload and check")
        expect(page.locator(".batch-faults tbody tr")).to_have_count(1)
        expect(page.locator(".batch-faults")).to_contain_text("Write a plain decimal number such as 1250.50.")
        # The browser itself notes the answer 422 to the file; there is nothing else to complain of.
        assert [told.partition(": ")[2][:60] for told in visit.complaints] == _refused(visit)
        visit.complaints.clear()
        page.set_input_files("#batch-file", filled(template, good(3), tmp_path / "mended.xlsx"))
        page.click("text=Upload and check")
        expect(page.locator(".batch-preview")).to_contain_text("99,699.10")
        page.click("text=Freeze 300.90 CNY and create 3 payouts")
        expect(page.locator("#batch-progress")).to_contain_text("0 of 3 payouts, 0 %")
        placing.place_next()
        expect(page.locator("#batch-progress")).to_contain_text("1 of 3 payouts, 33 %")
        placing.place_waiting(threads=1)
        expect(page.locator("#batch-progress")).to_contain_text("created 3")
        with page.expect_download() as taking:
            page.click("text=Download the result")
        rows = spreadsheets.sheets(Path(taking.value.path()).read_bytes())["Payouts"]
        assert [row[1:4] for row in rows[1:]] == [
            [f"N{n}", Payout.objects.get(merchant_order_no=f"N{n}").payout_id, "Created"] for n in (1, 2, 3)
        ]
        assert (BatchPayout.objects.get().state, visit.complaints) == ("done", [])


def _refused(visit: chromium.Visit) -> list[str]:
    """Return what Chromium notes of a form that was answered with 422."""
    return [told.partition(": ")[2][:60] for told in visit.complaints if "422" in told]


def test_a_person_pastes_numbers_and_reads_what_they_are(
    browser: Browser, live_server: LiveServer, acme: Registered
) -> None:
    paid, sent = book.deposit(acme, "D-1"), book.payout(acme, "P-1")
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("maker")
        visit.open("/OperationOrderQuery")
        page.fill("#query-numbers", f"p-1\nnobody\n{paid.payment_id.lower()}")
        page.click("text=Look up")
        expect(page.locator(".query-rows h2")).to_have_text("2 of 3 numbers found")
        expect(page.locator(".query-rows tbody tr").nth(0)).to_contain_text(sent.payout_id)
        expect(page.locator(".query-rows tbody tr").nth(1)).to_contain_text("not found")
        with page.expect_download() as taking:
            page.click("text=CSV file")
        lines = spreadsheets.lines(Path(taking.value.path()).read_bytes())
        assert [line[3] for line in lines[1:]] == [sent.payout_id, "", paid.payment_id]
        page.click(f"a:has-text('{paid.payment_id}')")
        expect(page.locator("h1")).to_contain_text(paid.payment_id)
        assert visit.complaints == []


def test_the_pages_fit_a_phone(browser: Browser, live_server: LiveServer, acme: Registered) -> None:
    with chromium.visit(browser, live_server.url, width=390, scheme="dark") as visit:
        page = visit.page
        visit.sign_in("maker")
        for path in (f"/admin/operations/batch-payout/?merchant={acme.merchant.pk}", "/OperationOrderQuery"):
            visit.open(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.complaints == []
