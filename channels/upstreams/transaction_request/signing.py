"""Signatures of the transaction-request API as its client makes and checks them.

A call is signed by its access key and moment alone. What comes back is proven by more than that: answers by
`X-Answer-Signature`, which covers status, body and the call; callbacks by the Standard Webhooks headers,
which cover the body.
Source: transaction-request-api.md, Authentication and Webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
import time
from collections.abc import Mapping

STALE_SECONDS = 300
ANSWER_HEADER = "x-answer-signature"
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class SignatureRefused(Exception):
    """The signature is missing, stale or wrong; the text says which, in words."""


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


def check_answer(headers: Mapping[str, str], *, secret_key: str, call: str, status: int, body: bytes) -> None:
    """Compare an answer's signature with what it must be for this call.

    Raises: SignatureRefused.
    """
    given = headers.get(ANSWER_HEADER, "")
    if not given:
        raise SignatureRefused(f"the header {ANSWER_HEADER} is missing")
    wanted = _hex(secret_key, f"{call}_{status}_".encode() + body)
    if not _equal(given, wanted):
        raise SignatureRefused("the signature is wrong")


def check_webhook(headers: Mapping[str, str], *, secret_key: str, body: bytes, now: float) -> None:
    """Prove a callback's body and age by its Standard Webhooks headers.

    Units: now in Unix seconds. headers: names lower case.
    Raises: SignatureRefused.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or "." in message_id:
        raise SignatureRefused("the header webhook-id is missing or holds a point")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureRefused("the header webhook-timestamp is missing or not a number of seconds")
    if abs(now - int(timestamp)) > STALE_SECONDS:
        raise SignatureRefused(f"the timestamp is more than {STALE_SECONDS} seconds from our clock")
    signed = f"{message_id}.{timestamp}.".encode(errors="replace") + body
    mac = hmac.new(secret_key.encode(), signed, hashlib.sha256).digest()
    wanted = f"v1,{base64.b64encode(mac).decode()}"
    given = headers.get("webhook-signature", "")
    if not any(_equal(one, wanted) for one in given.split(" ")):
        raise SignatureRefused("the signature is wrong, or of another account")


def _hex(secret_key: str, message: bytes) -> str:
    return hmac.new(secret_key.encode(), message, hashlib.sha256).hexdigest().upper()


def _equal(given: str, wanted: str) -> bool:
    # Bytes, because compare_digest refuses text that is not ASCII, and headers may hold any.
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
