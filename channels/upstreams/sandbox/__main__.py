"""`python -m channels.upstreams.sandbox`: the sandbox upstream as a process of its own.

Environment: DIAMONDPAY_SANDBOX_PORT (8100), DIAMONDPAY_SANDBOX_HOST (127.0.0.1), DIAMONDPAY_HOME (.run; its
folder `sandbox` keeps the orders), DIAMONDPAY_SANDBOX_ACCOUNTS (account:secret,…),
DIAMONDPAY_SANDBOX_PAYOUT_DELAY (2 seconds), DIAMONDPAY_SANDBOX_RETRY_SECONDS (2,4,8,16,32).
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from channels.upstreams.sandbox import configuration, pages, practice, wire
from channels.upstreams.sandbox.book import Book
from channels.upstreams.sandbox.control import ControlApi
from channels.upstreams.sandbox.courier import Courier
from channels.upstreams.sandbox.practice_book import PracticeBook
from channels.upstreams.sandbox.practice_node import PracticeNode
from channels.upstreams.sandbox.practice_wallet import PracticeWallet
from channels.upstreams.sandbox.server import Answer, Call, SandboxServer
from channels.upstreams.sandbox.signed_api import SignedApi
from channels.upstreams.sandbox.upstream import Upstream

logger = logging.getLogger("sandbox")


class Site:
    """Which part answers which path, and to whom."""

    def __init__(self, *, upstream: Upstream, chain: PracticeBook, stopping: threading.Event) -> None:
        self._signed = SignedApi(upstream=upstream, stopping=stopping)
        self._control = ControlApi(upstream)
        self._pages = pages.Pages(upstream)
        self._node = PracticeNode(chain)
        self._wallet = PracticeWallet(chain)

    def respond(self, call: Call) -> Answer:
        """Answer one call."""
        path = urlsplit(call.target).path
        if path.startswith("/v1/"):
            return self._signed.respond(call)
        if path == "/healthz":
            return Answer(200, wire.dump({"status": "ok"}))
        if path == "/style.css":
            return pages.style()
        if call.method == "POST" and not _is_own_form(call):
            return Answer(403, wire.dump({"reason": "posts from the pages of another site are not taken"}))
        if path.startswith("/pay/"):
            return self._pages.respond(call)
        if path == practice.WALLET_PATH:
            return self._wallet.respond(call)
        if path == practice.NODE_PATH:
            return self._node.respond(call) if call.method == "POST" else self._wallet.index()
        is_control = path == "/behaviour" or path.startswith("/orders/")
        if (is_control or path == "/") and not configuration.is_loopback(call.client):
            return Answer(403, wire.dump({"reason": "the control API answers this machine alone"}))
        if is_control:
            return self._control.respond(call)
        return self._pages.index() if path == "/" and call.method == "GET" else pages.not_found()


def _is_own_form(call: Call) -> bool:
    """Tell a post of our own pages, or of no page at all, from one that another site made a browser send."""
    origin = call.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == call.headers.get("host", "")


def _claim(folder: Path) -> IO[str]:
    """Return the open lock file that makes this process the only one on its folder."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise configuration.ConfigurationRefused(f"Another sandbox is running on {folder}") from None
    return lock


def run(settings: configuration.Configuration) -> None:
    """Serve until SIGTERM or SIGINT."""
    lock = _claim(settings.folder)
    book = Book(settings.folder / "orders.sqlite3")
    chain = PracticeBook(settings.folder / "chain.sqlite3")
    courier = Courier(book=book, accounts=settings.accounts, retry_seconds=settings.retry_seconds)
    upstream = Upstream(
        book=book,
        accounts=settings.accounts,
        payout_delay_seconds=settings.payout_delay_seconds,
        wake_courier=courier.wake,
    )
    stopping = threading.Event()
    site = Site(upstream=upstream, chain=chain, stopping=stopping)
    try:
        server = SandboxServer((settings.host, settings.port), site.respond)
    except OSError as fault:
        raise configuration.ConfigurationRefused(
            f"Cannot listen on {settings.host}:{settings.port}: {fault.strerror}"
        ) from fault

    def stop(*_: object) -> None:
        stopping.set()
        courier.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    logger.info(
        "sandbox upstream on http://%s:%s, orders in %s", settings.host, settings.port, settings.folder
    )
    courier.run(upstream)
    server.shutdown()
    server.server_close()
    book.close()
    chain.close()
    lock.close()


def main() -> None:
    """Read the environment and run; exit with status 2 and a sentence where it makes no sense."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        run(configuration.read(os.environ))
    except configuration.ConfigurationRefused as refusal:
        sys.exit(f"sandbox: {refusal}")
    # The book has every callback still being sent: their threads need not be waited for.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
