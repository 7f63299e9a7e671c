"""Signatures of the payment-detail API as its client makes and checks them.

Both ways the same: Base64 of HMAC-SHA256 over timestamp, method, path and body. Answers carry none of their
own; those of a DiamondPay are proven by `X-Answer-Signature`, which covers status, body and the call.
Source: payment-detail-api.md, Authentication and Callbacks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping

from channels.upstreams.proofs import STALE_SECONDS, SignatureRefused

__all__ = ["SignatureRefused", "call_headers", "check_callback", "signature_of"]

KEY_HEADER, TIMESTAMP_HEADER, SIGN_HEADER = "x-pay-key", "x-pay-timestamp", "x-pay-sign"
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def signature_of(*, secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Return the signature. Units: timestamp in Unix seconds, as in its header."""
    message = f"{timestamp}{method}{path}".encode(errors="replace") + body
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def call_headers(*, key: str, secret: str, method: str, path: str, body: bytes) -> dict[str, str]:
    """Return the headers of a call that is made now."""
    timestamp = str(int(time.time()))
    signature = signature_of(secret=secret, timestamp=timestamp, method=method, path=path, body=body)
    return {KEY_HEADER: key, TIMESTAMP_HEADER: timestamp, SIGN_HEADER: signature}


def check_callback(
    headers: Mapping[str, str], *, key: str, secret: str, path: str, body: bytes, now: float
) -> None:
    """Prove whose a callback is, its body and its age.

    Units: now in Unix seconds. headers: names lower case.
    Raises: SignatureRefused.
    """
    timestamp = headers.get(TIMESTAMP_HEADER, "")
    if not headers.get(SIGN_HEADER):
        raise SignatureRefused(f"the header {SIGN_HEADER} is missing")
    if not _equal(headers.get(KEY_HEADER, ""), key):
        raise SignatureRefused("the key is missing, or of another account")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureRefused(f"the header {TIMESTAMP_HEADER} is missing or not a number of seconds")
    if abs(now - int(timestamp)) > STALE_SECONDS:
        raise SignatureRefused(f"the timestamp is more than {STALE_SECONDS} seconds from our clock")
    wanted = signature_of(secret=secret, timestamp=timestamp, method="POST", path=path, body=body)
    if not _equal(headers[SIGN_HEADER], wanted):
        raise SignatureRefused("the signature is wrong")


def _equal(given: str, wanted: str) -> bool:
    # Bytes, because compare_digest refuses text that is not ASCII, and headers may hold any.
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
