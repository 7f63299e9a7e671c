"""Sends callbacks until they are received, and ends payouts when their time comes. Its queue is the book."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from channels.upstreams import transport
from channels.upstreams.sandbox import signing, wire
from channels.upstreams.sandbox.book import Book, Callback
from channels.upstreams.sandbox.upstream import Upstream

SENDERS = 32
TIMEOUT_SECONDS = 8.0
IDLE_SECONDS = 30.0

# Of an account that is no longer configured: nobody accepts what is signed with it.
_UNKNOWN = "-"

logger = logging.getLogger(__name__)


class Courier:
    """One loop that looks at the book when woken or when something is due, and a pool that sends."""

    def __init__(self, *, book: Book, accounts: Mapping[str, str], retry_seconds: Sequence[float]) -> None:
        self._book = book
        self._accounts = accounts
        self._retry_seconds = tuple(retry_seconds)
        self._woken = threading.Event()
        self._is_stopping = False
        self._sending: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="courier")

    def wake(self) -> None:
        """Have the loop look at the book now. May be called from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """End the loop. May be called from a signal handler."""
        self._is_stopping = True
        self._woken.set()

    def run(self, upstream: Upstream) -> None:
        """Work until stopped. A fault of our own ends the loop and the process, rather than going unseen."""
        while not self._is_stopping:
            self._woken.clear()
            now = time.time()
            for order in upstream.book.payouts_due(now=now):
                upstream.end_by_itself(order, now=now)
            for callback in self._book.take_callbacks(now=now, count=SENDERS):
                self._sending.append(self._pool.submit(self._send, callback))
            self._sending = [sending for sending in self._sending if not self._is_over(sending)]
            next_at = self._book.next_at()
            seconds = IDLE_SECONDS if next_at is None else min(IDLE_SECONDS, next_at - time.time())
            if seconds > 0:
                self._woken.wait(seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_over(self, sending: Future[None]) -> bool:
        if not sending.done():
            return False
        # Raises here what went wrong there.
        sending.result()
        return True

    def _send(self, callback: Callback) -> None:
        order = self._book.known_order(callback.channel_order_no)
        timestamp = str(int(time.time()))
        secret = self._accounts.get(order.account, _UNKNOWN)
        signature = signing.callback_signature(
            secret=secret + "-forged" if callback.is_forged else secret,
            account=order.account,
            timestamp=timestamp,
            body=callback.body,
        )
        headers = signing.headers(account=order.account, timestamp=timestamp, signature=signature)
        try:
            answer = transport.exchange(
                method="POST",
                url=order.callback_url,
                headers={**headers, "content-type": "application/json"},
                body=callback.body,
                timeout_seconds=TIMEOUT_SECONDS,
            )
            is_received, told = _is_yes(answer), f"HTTP {answer.status}"
        except transport.NoAnswer as fault:
            is_received, told = False, str(fault)
        next_at = None
        if not is_received and callback.attempt_count <= len(self._retry_seconds):
            next_at = time.time() + self._retry_seconds[callback.attempt_count - 1]
        if not self._is_stopping:
            self._book.note_answer(callback.id, is_received=is_received, answer=told, next_at=next_at)
        logger.info("callback %s attempt %s: %s", callback.event_id, callback.attempt_count, told)
        self.wake()


def _is_yes(answer: transport.HttpAnswer) -> bool:
    if answer.status != 200:
        return False
    try:
        return wire.load(answer.body) == {"received": True}
    except wire.Unreadable:
        return False
