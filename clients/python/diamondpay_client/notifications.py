"""Is a notification ours, and what does it say?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Final

from diamondpay_client import reading, signing
from diamondpay_client.connection import json_object
from diamondpay_client.errors import OutcomeUnknown, SignatureInvalid
from diamondpay_client.models import Notification

TOLERANCE_SECONDS: Final = 300


def notification(
    *, headers: Mapping[str, str], body: bytes, keys: Iterable[str], now: float | None = None
) -> Notification:
    """Verify a notification of the gateway API and return what it says.

    `body` is the bytes that came, `keys` are the merchant's live signing keys.
    Raises: SignatureInvalid when it is not ours, is older than five minutes, or cannot be read.
    """
    webhook_id = check(headers=headers, body=body, keys=keys, now=now)
    try:
        return reading.notification(json_object(body), webhook_id=webhook_id)
    except OutcomeUnknown as fault:
        raise SignatureInvalid("the notification cannot be read") from fault


def check(*, headers: Mapping[str, str], body: bytes, keys: Iterable[str], now: float | None = None) -> str:
    """Verify the Standard Webhooks headers of a message and return its id.

    Raises: SignatureInvalid when it is not ours or is older than five minutes.
    """
    given = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not (webhook_id and timestamp.isascii() and timestamp.isdigit()):
        raise SignatureInvalid("the headers webhook-id and webhook-timestamp are missing or malformed")
    if not signing.is_webhook(
        webhook_id=webhook_id,
        timestamp=timestamp,
        signatures=given.get("webhook-signature", ""),
        body=body,
        keys=keys,
    ):
        raise SignatureInvalid("the signature is none of ours")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        raise SignatureInvalid("the notification is older than five minutes, or from the future")
    return webhook_id
