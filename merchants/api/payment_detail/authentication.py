"""Who calls the payment-detail API: a key, a second, and a signature over method, path and body.

Source: payment-detail-api.md, Authentication.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import signing, sql
from merchants import credentials
from merchants.api import guard
from merchants.api.payment_detail.errors import ApiError
from merchants.models import Credential, Merchant

HEADERS = {
    "X-PAY-KEY": "HTTP_X_PAY_KEY",
    "X-PAY-TIMESTAMP": "HTTP_X_PAY_TIMESTAMP",
    "X-PAY-SIGN": "HTTP_X_PAY_SIGN",
}
TIME_SECONDS = 60
# Signed against when there is no such key, so that an unknown one takes as long as a wrong signature.
_NOBODY = "0" * credentials.KEY_LENGTH
_TIMESTAMP = re.compile(r"[0-9]{1,15}", re.ASCII)
_MILLISECONDS = 10**11


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call whose signature was right, and when it came. `beside` is what was read beside the caller."""

    now: datetime
    merchant: Merchant
    credential: Credential
    beside: sql.Row = ()

    def __repr__(self) -> str:
        return f"Call({self.credential.public_id!r})"


def identified(
    request: HttpRequest, *, body: bytes, scope: Credential.Scope, beside: sql.Beside | None = None
) -> Call:
    """Find out who calls, and whether the key may do this. `body` is what was sent; empty for a GET.

    What the call asks for may be read `beside`; it is told to nobody who is not let in.
    Raises: ApiError; TooManyRequests; AddressNotAllowed; MerchantDisabled; ScopeMissing.
    """
    sent = {name: str(request.META.get(key, "")) for name, key in HEADERS.items()}
    missing = [name for name, value in sent.items() if not value]
    if missing:
        raise ApiError(401, format_lazy(_("The header is missing: {names}."), names=", ".join(missing)))
    caller = credentials.caller_by_key(sent["X-PAY-KEY"], api=Credential.Api.PAYMENT_DETAIL, beside=beside)
    credential = caller.credentials[0] if caller.credentials else None
    secret = _NOBODY if credential is None else credentials.secret_of(credential)
    is_right = signing.verify_detail(
        secret=secret,
        timestamp=sent["X-PAY-TIMESTAMP"],
        method=str(request.method),
        paths=_paths(request),
        body=body,
        signature=sent["X-PAY-SIGN"],
    )
    if credential is None or not is_right or _TIMESTAMP.fullmatch(sent["X-PAY-TIMESTAMP"]) is None:
        merchant_id = caller.merchant.pk if caller.merchant is not None else ""
        guard.failed(request, named=sent["X-PAY-KEY"], merchant_id=merchant_id)
        raise ApiError(401)
    guard.proved(request, credential)
    _check_moment(int(sent["X-PAY-TIMESTAMP"]), caller.now)
    guard.admitted(request, caller=caller, credential=credential, scope=scope)
    guard.sign_answer(request, credential, call=sent["X-PAY-SIGN"])
    return Call(
        now=caller.now,
        merchant=credential.merchant,
        credential=credential,
        beside=caller.beside,
    )


def _paths(request: HttpRequest) -> list[str]:
    """Return what may have been signed as the path: with the query as it was sent, of a GET also without."""
    query = str(request.META.get("QUERY_STRING", ""))
    whole = f"{request.path}?{query}" if query else request.path
    return [whole, request.path] if request.method == "GET" else [whole]


def _check_moment(seconds: int, now: datetime) -> None:
    """Refuse a call whose second is another than ours: what was signed long ago proves nothing today."""
    if seconds >= _MILLISECONDS:
        raise ApiError(401, _("X-PAY-TIMESTAMP looks like milliseconds; send Unix seconds."))
    difference = seconds - int(now.timestamp())
    if abs(difference) > TIME_SECONDS:
        words = _("X-PAY-TIMESTAMP differs by {difference} s from our clock; at most {most} are allowed.")
        raise ApiError(401, format_lazy(words, difference=difference, most=TIME_SECONDS))
