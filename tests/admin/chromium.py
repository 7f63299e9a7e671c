"""A page of the back office in a real Chromium that notes every console error and CSP violation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests import factories
from tests.support import browser

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Visit:
    """A page, the address of the site, and the complaints of the browser so far."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, username: str, *, lands: str = "/admin/") -> None:
        """Sign in through the login page; where that leads elsewhere than home, `lands` says so."""
        self.page.goto(f"{self.url}/admin/login/?next=/admin/")
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", factories.PASSWORD)
        self.page.click("input[type=submit]")
        # No pattern: **/admin/ fits the login page as well, whose address ends with where to go on.
        self.page.wait_for_url(f"{self.url}{lands}")

    def open(self, path: str) -> int:
        """Open a page of the site and return its HTTP status."""
        response = self.page.goto(f"{self.url}{path}")
        self.page.wait_for_load_state("load")
        return response.status if response else 0


def soon(is_so: Callable[[], object], *, seconds: float = 10) -> bool:
    """Say whether something is so, now or within some seconds; asked again and again."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def running() -> Iterator[Browser]:
    """Run a Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser.find(), args=FLAGS)
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def visit(chromium: Browser, url: str, *, width: int = 1440, scheme: str = "light") -> Iterator[Visit]:
    """Open a window of a width, in a colour scheme, that listens for complaints."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    visited = Visit(page=context.new_page(), url=url)

    def on_console(message: ConsoleMessage) -> None:
        # A request that a newer one made needless is given up; what fails says "htmx:sendError" besides.
        is_given_up = message.text.startswith(("htmx:sendAbort", "htmx:afterRequest"))
        if message.type in ("error", "warning") and not is_given_up:
            visited.complaints.append(f"{visited.page.url}: {message.text}")

    visited.page.on("console", on_console)
    visited.page.on("pageerror", lambda error: visited.complaints.append(f"{visited.page.url}: {error}"))
    # A picture that is still on its way when the next page is opened is given up, and that is no fault.
    visited.page.on(
        "requestfailed",
        lambda request: (
            visited.complaints.append(f"{request.failure}: {request.url}")
            if request.failure != "net::ERR_ABORTED"
            else None
        ),
    )
    visited.page.on(
        "response",
        lambda response: (
            visited.complaints.append(f"{response.status}: {response.url}")
            if response.status >= 400
            else None
        ),
    )
    try:
        yield visited
    finally:
        context.close()
