"""The operations of the payment-detail API: read one order, and send one notification of it now.

Source: payment-detail-api.md, Endpoints.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from diamondpay.lib import errors, signing
from merchants.api import characters, guard, strict_json
from merchants.api.negotiation import AlwaysJson
from merchants.api.payment_detail import authentication, schema
from merchants.api.payment_detail.errors import ApiError, answer, translate
from merchants.models import Credential
from records import details, telling
from records.dialects import payment_detail as dialect
from records.models import Payment

ANSWER_SIGNATURE = "X-Answer-Signature"
NUMBER_LENGTH_MAX = 100


class MerchantView(guard.Guarded):
    """What every operation has: who calls, the envelope for whatever goes wrong, and a signed answer."""

    api = Credential.Api.PAYMENT_DETAIL
    scope: ClassVar[Credential.Scope]
    content_negotiation_class = AlwaysJson
    # The operation's own names for the domain's fields.
    names: ClassVar[Mapping[str, str]] = {}
    call: authentication.Call | None = None

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """Answer in the API's envelope, never as HTML."""
        return translate(exc, names=self.names)

    def finalize_response(  # type: ignore[override]
        self, request: Request, response: HttpResponse, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Sign whatever is said to a caller who is known.

        A header of ours, which a client may ignore: a "no" that is not signed proves nothing.
        """
        if self.call is not None:
            response[ANSWER_SIGNATURE] = signing.answer_signature(
                secret=self.call.secret,
                call=self.call.signature,
                status=response.status_code,
                body=response.content,
            )
        return response

    def begin(self, request: Request, *, body: bytes = b"") -> authentication.Call:
        """Find out who calls. Raises: as `authentication.identified`."""
        self.call = authentication.identified(
            request._request,  # noqa: SLF001 - before any parser
            body=body,
            scope=self.scope,
        )
        return self.call


def body_of(request: Request) -> bytes:
    """Return the body of a POST as it came. Raises: ApiError; BodyTooLarge."""
    plain = request._request  # noqa: SLF001 - the body as it came, before any parser
    media_type = (plain.content_type or "").lower()
    charset = (plain.content_params or {}).get("charset", "utf-8").strip("\"'").lower()
    if media_type != "application/json" or charset not in ("utf-8", "utf8"):
        raise ApiError(415, _("Unsupported content type; send application/json."))
    body = guard.body(plain)
    if len(body) > strict_json.BYTES_MAX:
        raise strict_json.BodyTooLarge(strict_json.BYTES_MAX)
    return body


class PaymentDetail(MerchantView):
    """One deposit; another merchant's is unknown."""

    scope = Credential.Scope.READ
    http_method_names = ["get"]

    @schema.detail
    def get(self, request: Request) -> HttpResponse:
        """Read one order."""
        return answer(dialect.V1.payment_facts(_asked_for(request, self.begin(request))))


class PaymentNotify(MerchantView):
    """Send one notification of a deposit now, as it is now: it tells what the key may read anyway."""

    scope = Credential.Scope.READ
    http_method_names = ["get"]

    @schema.notify
    def get(self, request: Request) -> HttpResponse:
        """Leave the notification, due at once."""
        call = self.begin(request)
        telling.tell_now(payment=_asked_for(request, call), now=call.now)
        return answer({})


def _asked_for(request: Request, call: authentication.Call) -> Payment:
    """Return the order of a question. Raises: InvalidInput; OrderUnknown."""
    given: dict[str, str] = {}
    faults: dict[str, errors.Words] = {}
    for name, target in (("outTradeNo", "merchant_order_no"), ("outPaymentNo", "payment_id")):
        values = request.query_params.getlist(name)
        if len(values) > 1:
            faults[name] = _("given more than once")
        elif values and values[0]:
            given[target] = values[0]
            if characters.bad_character(values[0]) is not None:
                faults[name] = _("contains a character that no number has")
            elif len(values[0]) > NUMBER_LENGTH_MAX:
                faults[name] = _("longer than any number")
    if not given and not faults:
        faults["outTradeNo"] = _("give it or outPaymentNo")
    if faults:
        raise errors.InvalidInput(faults)
    return details.find(merchant_id=call.merchant.pk, **given)


@guard.guarded(api=Credential.Api.PAYMENT_DETAIL, refuse=functools.partial(translate, names={}))
def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer in the envelope for every address that is none."""
    return translate(ApiError(404, _("There is no such address.")), names={})
