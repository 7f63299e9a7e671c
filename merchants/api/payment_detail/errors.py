"""The payment-detail API's envelope, and every refusal of ours in it: the code is the HTTP status.

`msg` says what kind of refusal it is, always in the same words; `description` what exactly was wrong.
Source: payment-detail-api.md, Envelope.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import orjson
from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions

from diamondpay.lib import errors
from merchants.api import guard, strict_json, throttles
from records import telling
from records.dialects import payment_detail as dialect

logger = logging.getLogger(__name__)

SUCCESS = 200
WORDS: Mapping[int, errors.Words] = {
    400: _("A parameter is missing or malformed."),
    401: _("The key, the signature or the time is wrong."),
    403: _("This is not allowed."),
    404: _("There is no such order."),
    405: _("This address does not take this method."),
    409: _("The order number is taken."),
    413: _("The body is too large."),
    415: _("The content type is not supported."),
    429: _("Too many requests. Please wait."),
    503: _("The service cannot take this now."),
}
# What the domain refuses → the code; what is not here cannot be served now.
CODES: Mapping[str, int] = {
    "invalid_input": 400,
    "amount_below_minimum": 400,
    "amount_above_maximum": 400,
    "merchant_disabled": 403,
    "address_not_allowed": 403,
    "scope_missing": 403,
    "order_unknown": 404,
    "duplicate_order_number": 409,
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class ApiError(Exception):
    """A refusal with its code; without `description` the code's own words say it all."""

    def __init__(self, code: int, description: errors.Words = "") -> None:
        self.code = code
        self.description = description or WORDS[code]
        super().__init__(code, self.description)


def answer(data: object) -> HttpResponse:
    """Return a success."""
    return _response({"code": SUCCESS, "msg": "success", "data": data}, status=SUCCESS)


def refusal(code: int, description: errors.Words) -> HttpResponse:
    """Return the envelope of a failure."""
    content = {"code": code, "msg": str(WORDS[code]), "description": str(description)}
    return _response(content, status=code)


def _response(content: Mapping[str, object], *, status: int) -> HttpResponse:
    body = orjson.dumps(content)
    response = HttpResponse(body, status=status, content_type=dialect.CONTENT_TYPE, headers=_HEADERS)
    return guard.told(response, str(status))


def translate(fault: Exception, *, names: Mapping[str, str]) -> HttpResponse:
    """Return the answer to whatever went wrong; what nobody foresaw is logged and answered as "try again".

    `names` are the operation's own names for the domain's fields.
    """
    match fault:
        case ApiError():
            return refusal(fault.code, fault.description)
        case strict_json.BadJson():
            return refusal(400, fault.reason)
        case strict_json.BodyTooLarge():
            return refusal(413, fault.reason)
        case throttles.TooManyRequests():
            return _waiting(WORDS[429], fault.retry_after)
        case telling.ToldJustNow():
            return _waiting(fault.message, fault.retry_after)
        case errors.InvalidInput():
            told = {names.get(name, name): reason for name, reason in fault.fields.items()}
            return refusal(400, errors.InvalidInput(told).message)
        case errors.DomainError():
            return refusal(CODES.get(fault.code, 503), fault.message)
        case exceptions.MethodNotAllowed():
            return refusal(405, WORDS[405])
        case SuspiciousOperation():
            return refusal(400, WORDS[400])
        case _:
            logger.error("A payment-detail call failed.", exc_info=fault)
            return refusal(503, WORDS[503])


def _waiting(description: errors.Words, retry_after: int) -> HttpResponse:
    response = refusal(429, description)
    response["Retry-After"] = str(retry_after)
    return response
