"""What every operation of the gateway API has, and the answer where there is none.

Source: gateway-api.md, section 3.
"""

from __future__ import annotations

import re
from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from channels.upstreams import base
from merchants import credentials
from merchants.api import guard
from merchants.api.gateway import fields
from merchants.api.gateway.errors import ApiError, translate
from merchants.models import Credential
from records import queries
from records.dialects import gateway
from records.models import Payment, Payout

# Names that every signed call may carry beside its own.
SIGNING_NAMES = ("platform_id", "request_time", "sign", "sign_type")
BANK_NAMES = ("bank_id", "bank_code", "bank_name")


class GatewayView(guard.Guarded):
    """What every operation has: the envelope for whatever goes wrong, and a proof of whatever is answered."""

    api = Credential.Api.GATEWAY
    http_method_names = ["get", "post"]
    creation_code: ClassVar[str] = "0002"

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """Answer in the API's envelope, never as HTML."""
        return translate(exc, creation_code=self.creation_code)


@guard.guarded(api=Credential.Api.GATEWAY, refuse=translate)
def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer in the envelope for every address that is none, and tell a wrong version from a wrong path."""
    version, _slash, path = rest.partition("/")
    is_version = re.fullmatch(r"v[0-9]+", version) is not None
    is_elsewhere = re.fullmatch(r"(payments|payouts)(/.+)?|platforms/balance", path) is not None
    if is_version and (version not in ("v1", "v2") or is_elsewhere):
        return translate(ApiError("0020"))
    return translate(ApiError("0002", _("There is no such address.")))


def refused_by_upstream(order: Payment | Payout, *, creation_code: str) -> ApiError:
    """Return the refusal of an order that its upstream did not take, the same on every repeat."""
    is_account_unknown = queries.refusal_cause(order) == base.RefusalCause.ACCOUNT_UNKNOWN
    return ApiError("0008" if is_account_unknown else creation_code, order.error_message)


def party(read: fields.Reader, *, is_recipient: bool = False) -> base.Party:
    return base.Party(
        name=read.text("name", length_max=64, required=is_recipient),
        account=read.text("number", length_max=128, required=is_recipient),
        bank_name=read.text("bank_name", length_max=128),
        phone=read.text("phone", length_max=32),
        id_number=read.text("id_number", length_max=64),
        ifsc_code=read.text("ifsc_code", length_max=16),
    )


def bank(read: fields.Reader) -> str:
    """Return the bank by whichever of its three names was given, the most exact first."""
    given = [read.text(name, length_max=128) for name in BANK_NAMES]
    return next(filter(None, given), "")


def signature(credential: Credential) -> dict[str, str]:
    """Return with what an answer to this caller is signed: the key that belongs to the token it used."""
    return {
        "sign_type": gateway.answer_sign_type(is_md5_allowed=credential.merchant.is_md5_allowed),
        "secret": credentials.secret_of(credential),
    }
