"""Codes that an authenticator app and we both make from one secret and the time. Source: RFC 6238, RFC 4226.

Written here rather than taken from a package: it is a dozen lines with published test vectors, and the
packages keep the secret readable in the database, where ours is sealed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

DIGITS = 6
STEP_SECONDS = 30
# A phone's clock may be half a minute off; each further step makes guessing easier.
STEPS_BESIDE = 1
_SECRET_BYTES = 20


def new_secret() -> str:
    """Return a random secret in base32, as apps take it."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def step_of(now: datetime) -> int:
    """Return the number of the time step that a moment lies in. Units: steps of 30 s since 1970."""
    return int(now.timestamp()) // STEP_SECONDS


def code(secret: str, step: int) -> str:
    """Return the code of a time step."""
    digest = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 0x0F
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: str, given: str, now: datetime) -> int | None:
    """Return the time step whose code was given, None when it is none of the present ones.

    Every step is compared, so that the time of the answer does not tell which was near.
    """
    present = step_of(now)
    steps = range(max(present - STEPS_BESIDE, 0), present + STEPS_BESIDE + 1)
    matching = [step for step in steps if hmac.compare_digest(code(secret, step), given)]
    return matching[-1] if matching else None


def address(*, secret: str, account: str, issuer: str) -> str:
    """Return the address that an app reads from the picture."""
    query = urlencode({"secret": secret, "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS})
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{query}"
