"""A file is handed in, looked at and applied in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from channels.models import Bank
from tests import factories
from tests.admin import chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_administrator_hands_in_banks_sees_each_row_and_applies_them(
    browser: Browser, live_server: LiveServer, tmp_path: Path
) -> None:
    factories.make_approver()
    file = tmp_path / "banks.csv"
    file.write_text("id,code,name,currency\nBK0401,KBZ,Kanbawza,CNY\nBK0001,,CCB of China,\nBK0002,,,\n")
    with chromium.visit(browser, live_server.url) as visit:
        page = visit.page
        visit.sign_in("approver")
        visit.open("/admin/channels/bank/")
        page.click("text=Import")
        page.set_input_files("#id_file", file)
        page.click("text=Try the file")
        rows = page.locator(".import-outcomes tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text("Name: China Construction Bank → CCB of China")
        assert not Bank.objects.filter(pk="BK0401").exists()
        page.click("text=Apply: 1 new, 1 changed")
        expect(page.locator(".messages")).to_contain_text(
            "The file is applied: 1 new, 1 changed, 1 unchanged."
        )
        assert Bank.objects.get(pk="BK0401").name == "Kanbawza"
        assert Bank.objects.get(pk="BK0001").name == "CCB of China"
        assert visit.complaints == []


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_mistakes_stand_in_a_table_that_fits_the_screen(
    width: int, scheme: str, browser: Browser, live_server: LiveServer, tmp_path: Path
) -> None:
    factories.make_approver()
    file = tmp_path / "banks.csv"
    file.write_text(f"id,code,name,currency\nBK0401,KBZ,{'x' * 900},QQQ\nBK0001,,,THB\n")
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        page = visit.page
        visit.sign_in("approver")
        visit.open("/admin/import/bank/")
        page.set_input_files("#id_file", file)
        page.click("text=Try the file")
        expect(page.locator(".import-faults tbody tr")).to_have_count(3)
        expect(page.locator(".import-trial .badge")).to_have_text("3 mistakes")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # The browser itself notes that the answer says "unprocessable"; nothing else.
        assert {each.partition(":")[0] for each in visit.complaints if "422" not in each} == set()
