"""From the list to the file in a real Chromium: choose columns, watch it being made, take it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from records.exports import building
from records.models import ExportJob, ExportTemplate
from tests import factories
from tests.admin import book, chromium
from tests.lib import spreadsheets

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def filled(tmp_path: Path) -> Iterator[None]:
    """Four deposits of Acme's, and finance staff who may export them."""
    factories.make_finance()
    acme = book.merchant("Acme")
    for number in range(3):
        book.deposit(acme, f"a{number}")
    book.deposit(acme, "open", is_paid=False)
    with override_settings(EXPORT_DIR=str(tmp_path)):
        yield


def test_finance_chooses_columns_and_takes_the_file_of_what_the_list_shows(
    browser: Browser, live_server: LiveServer, tmp_path: Path
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("finance")
        visit.open("/RecordPayment?status=1&created=today")
        page.click("text=Export")
        page.wait_for_url("**/admin/exports/new/payment/**")
        page.click("[aria-label='Platform order no.: one place down']")
        page.wait_for_selector(".export-order li:nth-child(2):has-text('Platform order no.')")
        for key in ("channel_id", "completed_at"):
            page.uncheck(f"input[name=chosen][value={key}]")
        page.fill("#export-name", "for the bank")
        page.click("button[name=save]:visible")
        page.wait_for_selector(".messages .success")
        page.click("button[name=make]")
        page.wait_for_selector(".badge.success")
        with page.expect_download() as taking:
            page.click(".export-take a")
        taken = Path(taking.value.path()).read_bytes()
        rows = spreadsheets.sheets(taken)["Deposit orders"]
        assert rows[0][:3] == ["Merchant order no.", "Platform order no.", "Merchant"]
        assert sorted(row[0] for row in rows[1:]) == ["a0", "a1", "a2"]
        assert {"Channel", "Completed (Asia/Shanghai)"} & set(rows[0]) == set()
        assert ExportTemplate.objects.get().columns[:2] == ["merchant_order_no", "payment_id"]
        assert visit.complaints == []


def test_columns_are_chosen_together_moved_to_the_top_and_saved_by_enter(
    browser: Browser, live_server: LiveServer
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("finance")
        visit.open("/admin/exports/new/payment/?status=1")
        first = page.locator(".export-order li").first
        page.click("button[name=pick][value=none]")
        expect(page.locator("input[name=chosen]:checked")).to_have_count(0)
        page.click("[aria-label='Currency: to the top']")
        expect(first).to_contain_text("Currency")
        page.check("input[name=chosen][value=currency_id]")
        page.fill("#export-name", "currencies")
        page.press("#export-name", "Enter")
        expect(page.locator(".messages .success")).to_contain_text("“currencies” is saved")
        template = ExportTemplate.objects.get()
        assert template.columns == ["currency_id"]
        page.click("button[name=pick][value=all]")
        expect(page.locator("input[name=chosen]:not(:checked)")).to_have_count(0)
        page.click("button[name=pick][value=usual]")
        expect(page.locator("input[name=chosen]:checked")).to_have_count(12)
        page.click("button[name=use]")
        page.click("text=Make a file like this every day")
        expect(page.locator("#id_template")).to_have_value(str(template.pk))
        expect(page.locator("#id_query")).to_have_value("status=1")
        assert visit.complaints == []


def test_the_page_of_a_job_and_the_top_bar_tell_how_far_it_is(
    browser: Browser, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every file is too large for the request, so that it waits for a worker.
    monkeypatch.setattr(building, "SMALL_ROWS_MAX", 0)
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("finance")
        visit.open("/admin/exports/new/payment/?status=1")
        page.click("button[name=make]")
        page.wait_for_selector(".badge.progress:has-text('Queued')")
        job = ExportJob.objects.get()
        ExportJob.objects.filter(pk=job.pk).update(
            state="running", leased_until=job.requested_at, started_at=job.requested_at, rows_expected=200,
            rows_done=86,
        )  # fmt: skip
        page.wait_for_selector("text=86 of 200 rows, 43 %")
        visit.open("/admin/")
        page.wait_for_selector(".exports-indicator:has-text('1 file 43 %')")
        ExportJob.objects.filter(pk=job.pk).update(state="queued", leased_until=None)
        building.build_next(worker="test")
        page.click(".exports-indicator:has-text('File ready')")
        page.wait_for_selector(".export-take a")
        assert visit.complaints == []


def test_the_pages_of_files_fit_a_phone(browser: Browser, live_server: LiveServer) -> None:
    with chromium.visit(browser, live_server.url, width=390, scheme="dark") as visit:
        visit.sign_in("finance")
        visit.open("/admin/exports/new/payment/")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        visit.page.click("button[name=make]")
        visit.page.wait_for_selector(".badge.success")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        visit.open("/admin/records/exportjob/")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.complaints == []
