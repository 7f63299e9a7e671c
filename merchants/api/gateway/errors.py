"""The gateway API's error codes, and every refusal of ours in them.

HTTP 200 for each listed code, because integrations take any other status for a transport failure; 413, 429
and 503 only for what is not the API's, in the same envelope and never as HTML.
Source: gateway-api.md, sections 1 and 6.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import orjson
from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions

from diamondpay.lib import errors
from merchants.api import guard, strict_json, throttles

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/json;charset=utf-8"
SUCCESS = "0000"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

WORDS: Mapping[str, errors.Words] = {
    "0000": _("Success."),
    "0001": _("Network delay. Please try again."),
    "0002": _("Invalid request parameters."),
    "0003": _("The service is closed."),
    "0004": _("Signature verification failed!"),
    "0005": _("Authorization header missing!"),
    "0006": _("Invalid Authorization!"),
    "0007": _("The deposit record does not exist."),
    "0008": _("The bank card does not exist."),
    "0009": _("Wrong service_id."),
    "0010": _("The merchant has not activated this service."),
    "0011": _("No channel is available."),
    "0012": _("The bank does not exist."),
    "0013": _("Failed to create the deposit record."),
    "0014": _("Duplicate order number."),
    "0015": _("The channel does not exist."),
    "0016": _("Unknown service fee type."),
    "0017": _("Failed to create the payout record."),
    "0018": _("Insufficient merchant balance."),
    "0019": _("platform_channel_id is required."),
    "0020": _("Wrong API version."),
    "0021": _("The body is not valid JSON."),
    "0022": _("Unsupported content type; send application/json."),
    "0023": _("Unsupported HTTP method."),
    "0024": _("Failed to update the deposit record."),
    "0025": _("Failed to update the merchant channel."),
    "0026": _("last_number is required."),
    "0027": _("Host not allowed."),
    "0028": _("The amount is below the minimum."),
    "0029": _("The amount is above the maximum."),
    "0050": _("Order not found!"),
}

# What the domain refuses → the code that integrations know. What is not here failed to be created (0013,
# 0017).
#
# A key that may not do what was asked is 0006, for POSTs as well: it is the code by which a merchant looks at
# the key that it uses. 0004 would send it to a signature that is right, 0010 to us for a service that it has.
CODES: Mapping[str, str] = {
    "invalid_input": "0002",
    "scope_missing": "0006",
    "address_not_allowed": "0027",
    "merchant_disabled": "0003",
    "service_closed": "0003",
    "service_unknown": "0009",
    "service_not_activated": "0010",
    "no_channel_available": "0011",
    "no_amount_possible": "0011",
    "no_rate": "0011",
    "bank_unknown": "0012",
    "bank_card_unknown": "0008",
    "duplicate_order_number": "0014",
    "channel_unknown": "0015",
    "fee_type_unknown": "0016",
    "insufficient_balance": "0018",
    "channel_required": "0019",
    "status_conflict": "0024",
    "ledger_refused": "0025",
    "amount_below_minimum": "0028",
    "amount_above_maximum": "0029",
    "order_unknown": "0050",
}
# The domain's word for a field → the parameters that a merchant knows.
_PARAMETERS = {"bank": "bank_id, bank_code or bank_name"}


class ApiError(Exception):
    """An answer with an error code; without `message` the code's own words."""

    def __init__(self, code: str, message: errors.Words = "") -> None:
        self.code = code
        self.message = message or WORDS[code]
        super().__init__(code, self.message)


class MalformedFields(errors.InvalidInput):
    """Fields that were given and cannot be read; never the 0026 of a `last_number` that is missing."""


def answer(content: Mapping[str, object], *, status: int = 200) -> HttpResponse:
    """Return the content as the API's JSON."""
    response = HttpResponse(_json(content), status=status, content_type=CONTENT_TYPE, headers=_HEADERS)
    return guard.told(response, str(content.get("error_code", "")))


def _json(content: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(content)
    except TypeError:
        # An amount of more than 64 bits, which is a number to JSON and to the merchant but not to orjson.
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def refusal(code: str, message: errors.Words, *, status: int = 200) -> HttpResponse:
    """Return the envelope of a failure."""
    return answer({"error_code": code, "error_msg": str(message)}, status=status)


def translate(fault: Exception, *, creation_code: str = "0002") -> HttpResponse:
    """Return the answer to whatever went wrong; what nobody foresaw is logged and answered as "try again".

    `creation_code` is 0013 or 0017, for refusals that have no code of their own.
    """
    match fault:
        case ApiError():
            return refusal(fault.code, fault.message)
        case strict_json.BadJson():
            return refusal("0021", fault.reason)
        case strict_json.BodyTooLarge():
            return refusal("0002", fault.reason, status=413)
        case throttles.TooManyRequests():
            response = refusal("0001", _("Too many requests. Please wait."), status=429)
            response["Retry-After"] = str(fault.retry_after)
            return response
        case errors.Busy():
            return refusal("0001", fault.message, status=503)
        case errors.DomainError():
            return _domain_refusal(fault, creation_code)
        case exceptions.MethodNotAllowed():
            return refusal("0023", WORDS["0023"])
        case SuspiciousOperation():
            return refusal("0002", WORDS["0002"])
        case _:
            logger.error("A gateway call failed.", exc_info=fault)
            return refusal("0001", WORDS["0001"], status=503)


def _domain_refusal(fault: errors.DomainError, creation_code: str) -> HttpResponse:
    if isinstance(fault, errors.InvalidInput):
        if set(fault.fields) == {"last_number"} and not isinstance(fault, MalformedFields):
            return refusal("0026", WORDS["0026"])
        faults = {_PARAMETERS.get(name, name): reason for name, reason in fault.fields.items()}
        return refusal("0002", errors.InvalidInput(faults).message)
    return refusal(CODES.get(fault.code, creation_code), fault.message)
