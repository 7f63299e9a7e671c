"""Who calls the gateway API: a signature on POSTs, a bare token on GETs, then the address.

Source: gateway-api.md, sections 1 and 2.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors, signing, sql
from merchants import credentials, revoked
from merchants.api import guard, strict_json
from merchants.api.gateway.errors import ApiError, MalformedFields
from merchants.models import Credential, Merchant
from records.models import SignType

# Verified against when there is no merchant, so that an unknown one takes as long as a wrong signature.
_NOBODY = "0" * credentials.KEY_LENGTH
_MILLISECONDS = 10**11
# What a GET may call itself: long enough to be named once, and nothing that would be ambiguous when signed.
_CALL = re.compile(r"[A-Za-z0-9-]{16,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCall:
    """A POST whose signature was right, and when it came. `params` are the values as sent."""

    now: datetime
    merchant: Merchant
    params: Mapping[str, object]
    sign_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCall:
    """A GET whose token was right, and when it came. `beside` is what was read beside the caller."""

    now: datetime
    merchant: Merchant
    credential: Credential
    beside: sql.Row = ()


def signed_call(
    request: HttpRequest,
    *,
    known_names: Collection[str],
    required_names: Collection[str],
    scope: Credential.Scope,
) -> SignedCall:
    """Read a POST and find out who signed it; from then on its answer is signed, a refusal too.

    Raises: ApiError; BadJson; BodyTooLarge; TooManyRequests; AddressNotAllowed; MerchantDisabled;
    ScopeMissing.
    """
    params = strict_json.parse(_body(request))
    if params.get("platform_id") in (None, ""):
        missing = [name for name in required_names if params.get(name) in (None, "")]
        raise errors.InvalidInput(dict.fromkeys(missing, _("required")))
    sign_type = params.get("sign_type")
    sign_type = SignType.MD5 if sign_type in (None, "") else sign_type
    if sign_type not in SignType.values:
        raise ApiError("0002", _("sign_type: must be MD5 or HMAC-SHA256"))
    _refuse_ambiguity(params, known_names)
    caller = credentials.caller_by_id(_platform_id(params), api=Credential.Api.GATEWAY)
    credential = _signer(caller, params, str(sign_type))
    if credential is None:
        merchant_id = caller.merchant.pk if caller.merchant is not None else ""
        guard.failed(request, named=_platform_id(params), merchant_id=merchant_id)
        revoked.note_signature(
            merchant_id=_platform_id(params),
            api=Credential.Api.GATEWAY,
            is_signer=lambda secret: signing.verify(params, secret, str(sign_type), params.get("sign")),
            address=guard.of(request).address,
            now=caller.now,
        )
        raise ApiError("0004")
    guard.proved(request, credential)
    guard.sign_answer(request, credential, call=str(params["sign"]))
    merchant = credential.merchant
    if sign_type == SignType.MD5 and not merchant.is_md5_allowed:
        raise ApiError("0004", _("MD5 is not switched on for this merchant; sign with HMAC-SHA256."))
    guard.admitted(request, caller=caller, credential=credential, scope=scope)
    _check_request_time(params.get("request_time"), caller.now)
    return SignedCall(now=caller.now, merchant=merchant, params=params, sign_type=str(sign_type))


def token_call(request: HttpRequest, *, beside: sql.Beside | None = None) -> TokenCall:
    """Find out whose token a GET carries; its answer is signed if the call has a name.

    What the call asks for may be read `beside`; it is told to nobody who is not let in.
    Raises: ApiError; TooManyRequests; AddressNotAllowed; MerchantDisabled; ScopeMissing.
    """
    token = request.META.get("HTTP_AUTHORIZATION", "")
    if not token:
        raise ApiError("0005")
    caller = credentials.caller_by_token(token, beside=beside)
    if not caller.credentials:
        guard.failed(request, named="")
        revoked.note_token(token, address=guard.of(request).address, now=caller.now)
        raise ApiError("0006")
    credential = caller.credentials[0]
    call = request.META.get("HTTP_X_CALL_ID", "")
    if _CALL.fullmatch(call):
        guard.sign_answer(request, credential, call=call)
    guard.admitted(request, caller=caller, credential=credential, scope=Credential.Scope.READ)
    return TokenCall(
        now=caller.now, merchant=credential.merchant, credential=credential, beside=caller.beside
    )


def _body(request: HttpRequest) -> bytes:
    media_type = request.content_type or ""
    charset = (request.content_params or {}).get("charset", "utf-8")
    if media_type.lower() != "application/json" or charset.strip("\"'").lower() not in ("utf-8", "utf8"):
        raise ApiError("0022")
    return guard.body(request)


def _platform_id(params: Mapping[str, object]) -> str:
    """Return the id that the caller gives itself, "" for what cannot be one."""
    given = params.get("platform_id")
    return given if type(given) is str and given.isascii() and len(given) <= 16 else ""


def _signer(caller: credentials.Caller, params: Mapping[str, object], sign_type: str) -> Credential | None:
    """Return the live credential that made the signature; every live one is tried."""
    signature = params.get("sign")
    if caller.merchant is None:
        signing.verify(params, _NOBODY, sign_type, signature)
        return None
    found: Credential | None = None
    for credential in caller.credentials:
        if signing.verify(params, credentials.secret_of(credential), sign_type, signature):
            found = credential
    return found


def _refuse_ambiguity(params: Mapping[str, object], known_names: Collection[str]) -> None:
    """Refuse values that let the signed string be read in two ways, naming the character or the parameter."""
    name = signing.ambiguous_parameter(params, known_names)
    if name is None:
        return
    shown = name[:64] if name.isprintable() else name[:64].encode("ascii", "backslashreplace").decode()
    texts = "".join(signing.texts(params[name]))
    control = next((c for c in texts if unicodedata.category(c) == "Cc"), None)
    if control is not None:
        reason = format_lazy(_("contains the character U+{code}"), code=f"{ord(control):04X}")
    else:
        reason = format_lazy(
            _("contains “&”, the name of a parameter and “=”, so its signature is ambiguous")
        )
    raise MalformedFields({shown: reason})


def _check_request_time(value: object, now: datetime) -> None:
    """Refuse a call whose time is another than ours: what was signed long ago proves nothing today.

    A missing or malformed time is left to the reading of the fields, which names it beside the others.
    """
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        return
    seconds = int(text)
    if seconds >= _MILLISECONDS:
        raise errors.InvalidInput({"request_time": _("looks like milliseconds; send Unix seconds")})
    difference = seconds - int(now.timestamp())
    if abs(difference) > settings.REQUEST_TIME_SECONDS:
        words = _("Signature verification failed: request_time differs by {difference} s from our clock.")
        raise ApiError("0004", format_lazy(words, difference=difference))
