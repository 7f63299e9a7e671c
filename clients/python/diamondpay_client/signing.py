"""The signatures of the gateway API and of its notifications."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Final

HMAC_SHA256: Final = "HMAC-SHA256"
MD5: Final = "MD5"
_UNSIGNED: Final = ("sign", "sign_type")
_MD5_LENGTH: Final = 32


def canonical(params: Mapping[str, object]) -> str:
    """Return the string that is signed: `name=value` of what is not empty, sorted by name."""
    kept = {k: v for k, v in params.items() if k not in _UNSIGNED and v is not None and v != ""}
    return "&".join(f"{name}={_text(kept[name])}" for name in sorted(kept))


def sign(params: Mapping[str, object], key: str, sign_type: str = HMAC_SHA256) -> str:
    """Return the signature in lower-case hex.

    Raises: ValueError for an empty key or another sign_type.
    """
    if not key:
        raise ValueError("a signing key must not be empty")
    text = canonical(params)
    if sign_type == HMAC_SHA256:
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    if sign_type == MD5:
        return hashlib.md5(f"{text}&{key}".encode(), usedforsecurity=False).hexdigest()
    raise ValueError(f"unknown sign_type {sign_type!r}")


def is_signed(params: Mapping[str, object], key: str) -> bool:
    """Say whether `sign` of an answer is right; its length tells which kind it is."""
    given = params.get("sign")
    if not isinstance(given, str) or not given.isascii():
        return False
    wanted = sign(params, key, MD5 if len(given) == _MD5_LENGTH else HMAC_SHA256)
    return hmac.compare_digest(wanted, given)


def is_webhook(*, webhook_id: str, timestamp: str, signatures: str, body: bytes, keys: Iterable[str]) -> bool:
    """Say whether one of the signatures, separated by blanks, was made with one of the keys."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    found = False
    for key in keys:
        if not key:
            raise ValueError("a signing key must not be empty")
        mac = hmac.new(key.encode(), signed, hashlib.sha256).digest()
        wanted = b"v1," + base64.b64encode(mac)
        for given in signatures.split(" "):
            found |= hmac.compare_digest(wanted, given.encode())
    return found


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        raise TypeError("a float has no text of its own; send the digits as text")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
