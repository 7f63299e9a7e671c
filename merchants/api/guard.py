"""What every API has around its operations: limits, scopes, and the request log.

A dialect uses it in five places, a line each:

- its views inherit `Guarded` and name their `api`; a plain function is wrapped with `guarded`;
- it reads bodies with `guard.body(request)`;
- its authentication calls `guard.failed(request, named=…)` when a proof is wrong, and `guard.admitted(…)`
  once it is right;
- its answers say which code of its own they carry: `guard.told(response, code)`;
- and they are signed from `guard.sign_answer(…)` on.

What is raised here are `throttles.TooManyRequests` and refusals of the domain (`AddressNotAllowed`,
`ScopeMissing`, `errors.MerchantDisabled`), which the dialect words in its own codes.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.views import APIView

from diamondpay.lib import addresses, errors, signing
from merchants import credentials
from merchants.api import strict_json, throttles
from merchants.api.throttles import Allowance, Kind
from merchants.calls import journal
from merchants.models import Credential, Merchant

Scope = Credential.Scope
ANSWER_SIGNATURE = "X-Answer-Signature"
_ATTRIBUTE = "api_call"
_CODE = "api_code"
# What a failed proof may call itself is counted by; keys are shorter.
_NAMED_LENGTH_MAX = 64


class AddressNotAllowed(errors.DomainError):
    """The merchant has a list of whence it calls, and this is another place."""

    code = "address_not_allowed"
    words = _("Host not allowed.")


class ScopeMissing(errors.DomainError):
    """The key is right and may not do this; nothing was done. The merchant needs another key."""

    code = "scope_missing"
    words = _("This key may not do this.")


@dataclass(slots=True)
class Call:
    """A call while it is answered: when it came, from where, and what is known of it so far."""

    address: str | None
    kind: Kind
    started: float = field(default_factory=time.monotonic)
    allowance: Allowance | None = None
    credential: Credential | None = None
    named: str = ""
    body: bytes = b""
    # What was unique in the call, once its answer is to be signed for `credential`.
    signed_for: str = ""


class Guarded(APIView):
    """A view of an API: counted before it is looked at, and logged once it is answered."""

    api: ClassVar[str]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer a call, with what is left of its limits in the headers."""
        call = of(request)
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[assignment]
        return _ended(request, response, call, api=self.api)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the call for its address. Raises: TooManyRequests.

        Nothing that the framework does here is wanted: each API finds out by itself who calls and what they
        may, and answers JSON whatever the caller says it accepts.
        """
        _count(of(request._request))  # noqa: SLF001 - the guard knows the plain request alone


def guarded(
    *, api: str, refuse: Callable[[Exception], HttpResponse]
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Do for a plain function what `Guarded` does for views; `refuse` answers in the dialect's envelope."""

    def wrap(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def watched(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            call = of(request)
            try:
                _count(call)
                response = view(request, *args, **kwargs)
            except throttles.TooManyRequests as fault:
                response = refuse(fault)
            return _ended(request, response, call, api=api)

        watched.csrf_exempt = watched.is_guarded = True  # type: ignore[attr-defined]
        return watched

    return wrap


def of(request: HttpRequest) -> Call:
    """Return what is known of a call."""
    call: Call | None = getattr(request, _ATTRIBUTE, None)
    if call is None:
        call = Call(
            address=addresses.client_address(request.META, settings.TRUSTED_PROXY_COUNT),
            kind=Kind.CREATE if request.method == "POST" else Kind.QUERY,
        )
        setattr(request, _ATTRIBUTE, call)
    return call


def body(request: HttpRequest) -> bytes:
    """Return the body as it came, before any parser: at most a byte more than an API takes.

    That byte tells that it is too large without reading a flood.
    """
    call = of(request)
    call.body = request.read(strict_json.BYTES_MAX + 1)
    return call.body


def failed(request: HttpRequest, *, named: str, merchant_id: str = "") -> None:
    """Note that a proof is wrong. `named` is the key or merchant that the call said it was.

    `merchant_id` is that merchant where there is one: it finds the call in its log, without the bodies.
    Raises: TooManyRequests when that happens too often.
    """
    call = of(request)
    call.named = merchant_id
    _take(call, lambda: throttles.count_failure(address=call.address, named=named[:_NAMED_LENGTH_MAX]))


def admitted(
    request: HttpRequest, *, caller: credentials.Caller, credential: Credential, scope: Credential.Scope
) -> None:
    """Let a call pass whose proof is right: how often, from where, for whom, and for what.

    Raises: TooManyRequests; AddressNotAllowed; MerchantDisabled; ScopeMissing.
    """
    call = of(request)
    proved(request, credential)
    _take(call, lambda: throttles.count_key(credential_pk=credential.pk, kind=call.kind))
    if not caller.may_call_from(call.address):
        words = _("Host not allowed: {address}")
        raise AddressNotAllowed(format_lazy(words, address=call.address or "?"))
    if credential.merchant.status != Merchant.Status.ACTIVE:
        raise errors.MerchantDisabled
    credentials.note_use(credential, caller.now)
    if scope not in credential.scopes:
        words = _("This key lacks the scope “{missing}”; it has: {held}. Use another key.")
        raise ScopeMissing(format_lazy(words, missing=scope.value, held=", ".join(credential.scopes)))


def proved(request: HttpRequest, credential: Credential) -> None:
    """Note whose call it is, for the log: also of one that is refused for another reason than its proof."""
    of(request).credential = credential


def sign_answer(request: HttpRequest, credential: Credential, *, call: str) -> None:
    """Have whatever is answered signed for a key, a refusal too. `call` is what was unique in the call.

    In a header of ours, which a client may ignore: a "no" that is not signed proves nothing.
    """
    found = of(request)
    found.credential, found.signed_for = credential, call


def told(response: HttpResponse, code: str) -> HttpResponse:
    """Note which code of its API an answer carries, for the log."""
    setattr(response, _CODE, code)
    return response


def _count(call: Call) -> None:
    _take(call, lambda: throttles.count_address(address=call.address, kind=call.kind))


def _take(call: Call, count: Callable[[], Allowance]) -> None:
    """Count, and remember the limit of which the least is left: also of a call that is one too many."""
    try:
        counted = count()
    except throttles.TooManyRequests as fault:
        call.allowance = fault.allowance
        raise
    call.allowance = counted if call.allowance is None else throttles.tightest(counted, call.allowance)


def _ended(request: HttpRequest, response: HttpResponse, call: Call, *, api: str) -> HttpResponse:
    if call.allowance is not None:
        for name, value in call.allowance.headers().items():
            response[name] = value
    if call.credential is not None and call.signed_for:
        response[ANSWER_SIGNATURE] = signing.answer_signature(
            secret=credentials.secret_of(call.credential), call=call.signed_for,
            status=response.status_code, body=response.content,
        )  # fmt: skip
    if settings.REQUEST_LOG:
        credential = call.credential
        journal.note(
            journal.Entry(
                merchant_id=call.named if credential is None else credential.merchant_id,
                credential_pk=None if credential is None else credential.pk,
                api=api,
                method=request.method or "",
                path=request.path,
                query=request.META.get("QUERY_STRING", ""),
                address=call.address,
                status=response.status_code,
                code=getattr(response, _CODE, ""),
                started=call.started,
                ended=time.monotonic(),
                request=call.body,
                answer=response.content,
            )
        )
    return response
