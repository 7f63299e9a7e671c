"""Signatures of the transaction-request API as its client makes and checks them.

A call is signed by its access key and moment alone. What comes back is proven by more than that: answers by
`X-Answer-Signature`, which covers status, body and the call; callbacks by the Standard Webhooks headers,
which cover the body.
Source: transaction-request-api.md, Authentication and Webhooks.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time

from channels.upstreams.proofs import ANSWER_HEADER, SignatureRefused, check_answer, check_webhook

__all__ = [
    "ANSWER_HEADER",
    "SignatureRefused",
    "call_signature",
    "check_answer",
    "check_webhook",
    "next_timestamp",
]


class _Ticks:
    """Unix milliseconds, each given once by this process: a signature carries one body only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        """Return the present millisecond, or the first one after it that nobody had yet."""
        with self._lock:
            self._last = max(self._last + 1, int(time.time() * 1000))
            return self._last


_ticks = _Ticks()
next_timestamp = _ticks.next


def call_signature(*, access_key: str, secret_key: str, timestamp: str) -> str:
    """Return the signature of a call, upper-case hex. Units: timestamp in Unix milliseconds."""
    return _hex(secret_key, f"{access_key}_{timestamp}".encode())


def _hex(secret_key: str, message: bytes) -> str:
    return hmac.new(secret_key.encode(), message, hashlib.sha256).hexdigest().upper()
