"""The transaction-request API's envelope, its status codes, and every refusal of ours in them.

Source: transaction-request-api.md, Envelope.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions

from diamondpay.lib import errors
from merchants.api import guard, strict_json, throttles
from records.dialects import transaction_request as dialect

logger = logging.getLogger(__name__)

VERSION = "2.0"
SUCCESS = "SUCCESS"
STATUSES: Mapping[str, int] = {
    "INVALID_PARAMETER": 400,
    "UNAUTHORIZED": 401,
    "TIMESTAMP_EXPIRED": 401,
    "IP_NOT_ALLOWED": 403,
    "NOT_FOUND": 404,
    "DUPLICATE_ORDER_NO": 409,
    "REPLAYED": 409,
    "CONFLICTING_IDENTIFIERS": 409,
    "INSUFFICIENT_BALANCE": 422,
    "AMOUNT_OUT_OF_RANGE": 422,
    "SERVICE_UNAVAILABLE": 503,
    "TOO_MANY_REQUESTS": 429,
}
WORDS: Mapping[str, errors.Words] = {
    "INVALID_PARAMETER": _("A parameter is missing or malformed."),
    "UNAUTHORIZED": _("The access key or the signature is wrong."),
    "TIMESTAMP_EXPIRED": _("The timestamp is too far from our clock."),
    "IP_NOT_ALLOWED": _("This address may not call."),
    "NOT_FOUND": _("There is no such order."),
    "DUPLICATE_ORDER_NO": _("The order number is taken."),
    "REPLAYED": _("The signature came before with another body."),
    "CONFLICTING_IDENTIFIERS": _("The numbers name different orders."),
    "INSUFFICIENT_BALANCE": _("The available balance is not sufficient."),
    "AMOUNT_OUT_OF_RANGE": _("The amount is outside what is allowed."),
    "SERVICE_UNAVAILABLE": _("The service cannot take this now."),
    "TOO_MANY_REQUESTS": _("Too many requests. Please wait."),
}
# What the domain refuses → the code that integrations know; what is not here cannot be served.
CODES: Mapping[str, str] = {
    "address_not_allowed": "IP_NOT_ALLOWED",
    "invalid_input": "INVALID_PARAMETER",
    "bank_unknown": "INVALID_PARAMETER",
    "bank_card_unknown": "INVALID_PARAMETER",
    "order_unknown": "NOT_FOUND",
    "duplicate_order_number": "DUPLICATE_ORDER_NO",
    "replayed": "REPLAYED",
    "conflicting_identifiers": "CONFLICTING_IDENTIFIERS",
    "insufficient_balance": "INSUFFICIENT_BALANCE",
    "amount_below_minimum": "AMOUNT_OUT_OF_RANGE",
    "amount_above_maximum": "AMOUNT_OUT_OF_RANGE",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class ApiError(Exception):
    """An answer with a status code; without `message` the code's own words."""

    def __init__(self, code: str, message: errors.Words = "", *, status: int = 0) -> None:
        self.code = code
        self.message = message or WORDS[code]
        self.status = status or STATUSES[code]
        super().__init__(code, self.message)


def envelope(body: bytes, *, status: int) -> HttpResponse:
    """Return a whole envelope, as it is, as the API's answer."""
    return HttpResponse(body, status=status, content_type=dialect.CONTENT_TYPE, headers=_HEADERS)


def answer(data: Mapping[str, object]) -> HttpResponse:
    """Return a success. Shapes: amounts in `data` are those of `dialect.wire`."""
    content = {"data": data, "isSuccess": True, "statusCode": SUCCESS, "message": "", "version": VERSION}
    return guard.told(envelope(dialect.dumped(content), status=200), SUCCESS)


def refusal(code: str, message: errors.Words, *, status: int = 0) -> HttpResponse:
    """Return the envelope of a failure."""
    content = {
        "data": None,
        "isSuccess": False,
        "statusCode": code,
        "message": str(message),
        "version": VERSION,
    }
    return guard.told(envelope(dialect.dumped(content), status=status or STATUSES[code]), code)


def translate(fault: Exception, *, names: Mapping[str, str]) -> HttpResponse:
    """Return the answer to whatever went wrong; what nobody foresaw is logged and answered as "try again".

    `names` are the operation's own names for the domain's fields.
    """
    match fault:
        case ApiError():
            return refusal(fault.code, fault.message, status=fault.status)
        case strict_json.BadJson():
            return refusal("INVALID_PARAMETER", fault.reason)
        case strict_json.BodyTooLarge():
            return refusal("INVALID_PARAMETER", fault.reason, status=413)
        case throttles.TooManyRequests():
            response = refusal("TOO_MANY_REQUESTS", WORDS["TOO_MANY_REQUESTS"])
            response["Retry-After"] = str(fault.retry_after)
            return response
        case guard.ScopeMissing():
            # No code of its own: programs that were built against the published list know this one.
            return refusal("UNAUTHORIZED", fault.message, status=403)
        case errors.InvalidInput():
            told = {names.get(name, name): reason for name, reason in fault.fields.items()}
            return refusal("INVALID_PARAMETER", errors.InvalidInput(told).message)
        case errors.DomainError():
            return refusal(CODES.get(fault.code, "SERVICE_UNAVAILABLE"), fault.message)
        case exceptions.MethodNotAllowed():
            return refusal("INVALID_PARAMETER", _("This address does not take this method."), status=405)
        case SuspiciousOperation():
            return refusal("INVALID_PARAMETER", WORDS["INVALID_PARAMETER"])
        case _:
            logger.error("A transaction-request call failed.", exc_info=fault)
            return refusal("SERVICE_UNAVAILABLE", WORDS["SERVICE_UNAVAILABLE"])
