"""The sandbox's practice chain inside a test: its own server and book, and a clock that the test turns."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx

from channels.upstreams.evm.adapter import EvmAdapter
from channels.upstreams.sandbox import practice
from channels.upstreams.sandbox.practice_book import PracticeBook
from channels.upstreams.sandbox.practice_node import PracticeNode
from channels.upstreams.sandbox.practice_wallet import PracticeWallet
from channels.upstreams.sandbox.server import Answer, Call, SandboxServer
from tests.support.evm.scenes import SHARED, XPUB


@dataclass
class Chain:
    """A practice chain that can be stopped and opened again; its blocks come when the clock is turned."""

    folder: Path
    now: float
    url: str = ""
    book: PracticeBook = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Begin, or go on after a stop."""
        self.book = PracticeBook(self.folder / "chain.sqlite3", read_clock=lambda: self.now)

    def pass_blocks(self, count: int = practice.CONFIRMATIONS) -> None:
        """Let so many blocks come."""
        self.now += count * practice.BLOCK_SECONDS

    def respond(self, call: Call) -> Answer:
        """Answer as the sandbox does."""
        if call.target.startswith(practice.WALLET_PATH):
            return PracticeWallet(self.book).respond(call)
        node, wallet = PracticeNode(self.book), PracticeWallet(self.book)
        return node.respond(call) if call.method == "POST" else wallet.index()

    def settings(self, **other: str) -> dict[str, str]:
        """Return the settings of a channel on the chain: with both ways of collecting."""
        return {
            "chain": "PRACTICE", "node_url": self.url + practice.NODE_PATH, "private_node": "yes",
            "xpub": XPUB, "shared_address": SHARED, **other,
        }  # fmt: skip

    def adapter(self, **other: str) -> EvmAdapter:
        """Return the product's own adapter, reading this chain."""
        return EvmAdapter(self.settings(**other))

    def open_wallet(self, request: str) -> httpx.Response:
        """Open the wallet with a payment request."""
        return httpx.get(self.url + practice.WALLET_PATH, params={"request": request}, trust_env=False)

    def send(self, request: str, *, key: str = "", **fields: str) -> httpx.Response:
        """Send the wallet's form; without a key, with the one that its page names."""
        if not key:
            [key, *_others] = re.findall(
                r'name="key" value="(\w+)"', unescape(self.open_wallet(request).text)
            )
        form = {"request": request, "key": key, **fields}
        return httpx.post(self.url + practice.WALLET_PATH, data=form, trust_env=False)


@contextmanager
def running(folder: Path, *, now: float) -> Iterator[Chain]:
    """Run a practice chain on a port of its own."""
    chain = Chain(folder=folder, now=now)
    server = SandboxServer(("127.0.0.1", 0), chain.respond)
    chain.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield chain
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        chain.book.close()
