"""Every page of the menu, and a row of everything, in a real Chromium: wide and dark, narrow and light."""

from __future__ import annotations

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from diamondpay.models import User
from diamondpay.navigation import Link
from diamondpay.site import MENU
from tests import factories
from tests.admin import book, chromium
from tests.admin.test_lists import MODELS, url_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Cells of cards that are seen and say nothing of what they are: no name before them, and not one of the
# two lines that every order's card has.
NAMELESS = """[...document.querySelectorAll("#result_list td, #result_list th, .panel .dense tbody td")]
    .filter((cell) => cell.checkVisibility() && cell.textContent.trim())
    .filter((cell) => !cell.dataset.label && !cell.closest("thead"))
    .map((cell) => cell.outerHTML.slice(0, 90))"""
# Text whose box is wider than what holds it, without a way to reach the rest.
CLIPPED = """[...document.querySelectorAll("dd, .dense td > *")]
    .filter((item) => item.checkVisibility() && item.getBoundingClientRect().right > innerWidth + 1)
    .map((item) => item.outerHTML.slice(0, 90))"""


@pytest.fixture
def boss() -> User:
    """A superuser, and a book with a row of everything."""
    boss = factories.make_user("boss", is_superuser=True)
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    book.fill(acme, other, boss, start=1, count=2)
    factories.bound_service(acme.wallets[0], "SVC0001", 1, 9)
    book.files(boss)
    return boss


def pages() -> list[str]:
    """Return every page of the menu, and the page of one row of every model that has one."""
    menu = [entry for _title, entries in MENU for entry in entries]
    found = ["/admin/", *(reverse(entry.url_name) for entry in menu if isinstance(entry, Link))]
    for model in MODELS:
        found.append(url_of(model))
        row = model._default_manager.order_by("pk").last()
        if row is not None:
            found.append(url_of(model, "change", quote(row.pk)))
    return found


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_every_page_opens_without_a_complaint_and_says_what_its_figures_are(
    browser: Browser, live_server: LiveServer, boss: User, width: int, scheme: str
) -> None:
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        visit.sign_in("boss")
        wrong: dict[str, object] = {}
        for path in pages():
            status = visit.open(path)
            seen = visit.page.evaluate("document.documentElement.scrollWidth")
            clipped = visit.page.evaluate(CLIPPED) if width == 390 else []
            nameless = visit.page.evaluate(NAMELESS) if width == 390 else []
            if (status, seen, clipped, nameless) != (200, width, [], []):
                wrong[path] = (status, seen, clipped[:2], nameless[:2])
        assert wrong == {}
        assert visit.complaints == []
