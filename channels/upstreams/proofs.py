"""How an upstream proves what it says: `X-Answer-Signature` on answers, Standard Webhooks on callbacks.

An answer's signature covers status, body and the call, so that an old answer cannot be played again; a
callback's covers its body and its moment.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

STALE_SECONDS = 300
ANSWER_HEADER = "x-answer-signature"
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class SignatureRefused(Exception):
    """The signature is missing, stale or wrong; the text says which, in words."""


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
