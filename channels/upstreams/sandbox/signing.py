"""Signatures of the sandbox: requests, answers and callbacks, each in words of its own.

HMAC-SHA256 with the account's secret, in hex. The first line names what is signed, so that a signature of one
kind is never valid as another. An answer's signature covers its request's, so that an old answer cannot be
played again. A callback's does not cover the path: who receives it is given headers and body alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

HEADER_KEY = "x-sandbox-key"
HEADER_TIMESTAMP = "x-sandbox-timestamp"
HEADER_SIGNATURE = "x-sandbox-signature"

STALE_SECONDS = 300

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class SignatureRefused(Exception):
    """The signature is missing, stale or wrong; the text says which, in words."""


def _sign(*, secret: str, lines: tuple[str, ...], body: bytes) -> str:
    message = "\n".join(lines).encode() + b"\n" + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def request_signature(*, secret: str, method: str, path: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a request. path is as sent, with its query string."""
    return _sign(secret=secret, lines=("request", method, path, timestamp), body=body)


def answer_signature(*, secret: str, status: int, timestamp: str, request: str, body: bytes) -> str:
    """Return the signature of an answer to the request that was signed with `request`."""
    return _sign(secret=secret, lines=("answer", str(status), timestamp, request), body=body)


def callback_signature(*, secret: str, account: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a callback to the owner of an account."""
    return _sign(secret=secret, lines=("callback", account, timestamp), body=body)


def headers(*, account: str, timestamp: str, signature: str) -> dict[str, str]:
    """Return the three headers that carry a signature."""
    return {HEADER_KEY: account, HEADER_TIMESTAMP: timestamp, HEADER_SIGNATURE: signature}


def fresh_timestamp(received: Mapping[str, str], *, now: float) -> str:
    """Return the timestamp of a message as it was sent, if it is at most 300 s from now.

    Units: Unix seconds. received: header names lower case.
    Raises: SignatureRefused.
    """
    timestamp = received.get(HEADER_TIMESTAMP, "")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureRefused(f"the header {HEADER_TIMESTAMP} is missing or not a number of seconds")
    if abs(now - int(timestamp)) > STALE_SECONDS:
        raise SignatureRefused(f"the timestamp is more than {STALE_SECONDS} seconds from our clock")
    return timestamp


def check(received: Mapping[str, str], *, expected: str) -> None:
    """Compare the signature in the headers with the expected one, in constant time.

    Raises: SignatureRefused.
    """
    signature = received.get(HEADER_SIGNATURE, "")
    if not signature:
        raise SignatureRefused(f"the header {HEADER_SIGNATURE} is missing")
    # Bytes, because compare_digest refuses text that is not ASCII, and headers may hold any.
    if not hmac.compare_digest(signature.encode(errors="replace"), expected.encode()):
        raise SignatureRefused("the signature is wrong")
