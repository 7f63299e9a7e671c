"""Who calls the transaction-request API: an access key, a moment, and the signature of both.

The header names are documented with an underscore; servers in front often drop those, so `access-key` is
taken too. The two reach us under one name.
Source: transaction-request-api.md, Authentication.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import signing, sql
from merchants import credentials
from merchants.api import guard
from merchants.api.transaction_request.errors import ApiError
from merchants.models import Credential, Merchant

HEADERS = {"access_key": "HTTP_ACCESS_KEY", "timestamp": "HTTP_TIMESTAMP", "signature": "HTTP_SIGNATURE"}
# Signed against when there is no such key, so that an unknown one takes as long as a wrong signature.
_NOBODY = "0" * credentials.KEY_LENGTH
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_MILLISECONDS = 10**11


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call whose signature was right, and when it came. `beside` is what was read beside the caller."""

    now: datetime
    merchant: Merchant
    credential: Credential
    timestamp_ms: int
    beside: sql.Row = ()

    def __repr__(self) -> str:
        return f"Call({self.credential.public_id!r})"


def identified(request: HttpRequest, *, scope: Credential.Scope, beside: sql.Beside | None = None) -> Call:
    """Find out who calls, and whether the key may do this.

    What the call asks for may be read `beside`; it is told to nobody who is not let in.
    Raises: ApiError; TooManyRequests; AddressNotAllowed; MerchantDisabled; ScopeMissing.
    """
    sent = {name: str(request.META.get(key, "")) for name, key in HEADERS.items()}
    missing = [name for name, value in sent.items() if not value]
    if missing:
        words = _("The header is missing: {names}.")
        raise ApiError("UNAUTHORIZED", format_lazy(words, names=", ".join(missing)))
    caller = credentials.caller_by_key(
        sent["access_key"], api=Credential.Api.TRANSACTION_REQUEST, beside=beside
    )
    credential = caller.credentials[0] if caller.credentials else None
    secret = _NOBODY if credential is None else credentials.secret_of(credential)
    is_right = signing.verify_access(
        access_key=sent["access_key"],
        secret_key=secret,
        timestamp=sent["timestamp"],
        signature=sent["signature"],
    )
    if credential is None or not is_right or _TIMESTAMP.fullmatch(sent["timestamp"]) is None:
        merchant_id = caller.merchant.pk if caller.merchant is not None else ""
        guard.failed(request, named=sent["access_key"], merchant_id=merchant_id)
        raise ApiError("UNAUTHORIZED")
    guard.proved(request, credential)
    timestamp_ms = int(sent["timestamp"])
    _check_moment(timestamp_ms, caller.now)
    guard.admitted(request, caller=caller, credential=credential, scope=scope)
    guard.sign_answer(request, credential, call=sent["signature"])
    return Call(
        now=caller.now,
        merchant=credential.merchant,
        credential=credential,
        timestamp_ms=timestamp_ms,
        beside=caller.beside,
    )


def _check_moment(timestamp_ms: int, now: datetime) -> None:
    """Refuse a call whose moment is another than ours: what was signed long ago proves nothing today."""
    if timestamp_ms < _MILLISECONDS:
        raise ApiError("TIMESTAMP_EXPIRED", _("timestamp: looks like seconds; send UTC milliseconds"))
    difference = timestamp_ms - int(now.timestamp() * 1000)
    if abs(difference) > settings.REQUEST_TIME_SECONDS * 1000:
        words = _("timestamp: differs by {difference} ms from our clock")
        raise ApiError("TIMESTAMP_EXPIRED", format_lazy(words, difference=difference))
