"""The operations of the payment-detail API: place an order, read one, have it told, and list what it may be
paid with.

Source: payment-detail-api.md, Endpoints.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from channels import chains
from diamondpay.lib import errors, money, sql
from merchants.api import characters, guard, reading, strict_json
from merchants.api.payment_detail import authentication, fields, schema
from merchants.api.payment_detail.errors import ApiError, answer, translate
from merchants.models import Credential
from operations import chain_orders
from records import details, payer_links, telling
from records.dialects import payment_detail as dialect
from records.models import Payment, PaymentStatus

NUMBER_LENGTH_MAX = 100
_CHAIN = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


class MerchantView(guard.Guarded):
    """What every operation has: who calls, and the envelope for whatever goes wrong."""

    api = Credential.Api.PAYMENT_DETAIL
    scope: ClassVar[Credential.Scope]
    # The operation's own names for the domain's fields.
    names: ClassVar[Mapping[str, str]] = {}

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """Answer in the API's envelope, never as HTML."""
        return translate(exc, names=self.names)

    def begin(
        self, request: Request, *, body: bytes = b"", beside: sql.Beside | None = None
    ) -> authentication.Call:
        """Find out who calls. Raises: as `authentication.identified`."""
        return authentication.identified(
            request._request,  # noqa: SLF001 - before any parser
            body=body,
            scope=self.scope,
            beside=beside,
        )

    def begin_with_order(self, request: Request) -> tuple[authentication.Call, Payment]:
        """Find out who calls, and read the order. Raises: as `begin`; InvalidInput; OrderUnknown."""
        asked = reading.Asked.by(_numbers, request)
        call = self.begin(request, beside=details.beside(**asked.given) if asked.given else None)
        asked.check()
        return call, details.find(call.beside, merchant=call.merchant)


def body_of(request: Request) -> bytes:
    """Return the body of a POST as it came: it is signed. Raises: BodyTooLarge."""
    body = guard.body(request._request)  # noqa: SLF001 - before any parser
    if len(body) > strict_json.BYTES_MAX:
        raise strict_json.BodyTooLarge(strict_json.BYTES_MAX)
    return body


def check_content_type(request: Request) -> None:
    """Refuse a POST that is not JSON in UTF-8. Raises: ApiError."""
    plain = request._request  # noqa: SLF001 - before any parser
    media_type = (plain.content_type or "").lower()
    charset = (plain.content_params or {}).get("charset", "utf-8").strip("\"'").lower()
    if media_type != "application/json" or charset not in ("utf-8", "utf8"):
        raise ApiError(415, _("Unsupported content type; send application/json."))


class PaymentDetail(MerchantView):
    """One deposit; another merchant's is unknown."""

    scope = Credential.Scope.READ
    http_method_names = ["get"]

    @schema.detail
    def get(self, request: Request) -> HttpResponse:
        """Read one order."""
        _call, payment = self.begin_with_order(request)
        return answer(dialect.V1.payment_facts(payment))


class PaymentNotify(MerchantView):
    """Send one notification of a deposit now, as it is now: it tells what the key may read anyway."""

    scope = Credential.Scope.READ
    http_method_names = ["get"]

    @schema.notify
    def get(self, request: Request) -> HttpResponse:
        """Leave the notification, due at once."""
        call, payment = self.begin_with_order(request)
        # A notification speaks the language in which the order was made, and may tell more.
        payment.refresh_from_db(fields=list(payment.get_deferred_fields()))
        telling.tell_now(payment=payment, now=call.now)
        return answer({})


class CreatePaymentOrder(MerchantView):
    """Place an order over a chain. A repeat with the same content answers with the first order."""

    scope = Credential.Scope.DEPOSIT
    http_method_names = ["post"]
    names = {
        "chain_id": "chainId",
        "is_legal_tender": "isLegalTender",
        "quote_symbol": "quoteCurrencySymbol",
        "currency": "quoteCurrencySymbol",
        "amount": "quoteAmount",
    }

    @schema.create
    def post(self, request: Request) -> HttpResponse:
        """Verify, read, place."""
        body = body_of(request)
        call = self.begin(request, body=body)
        check_content_type(request)
        payment = chain_orders.place(merchant=call.merchant, now=call.now, **_asked_order(call, body))
        return answer(
            {
                "outPaymentNo": payment.payment_id,
                "paymentUrl": None if payment.status == PaymentStatus.FAILED else _page_path(payment),
                "userWalletAddress": dialect.receiving_address(payment),
            }
        )


def _asked_order(call: authentication.Call, body: bytes) -> dict[str, Any]:
    """Return what is asked to be placed. Raises: BadJson; InvalidInput with every fault."""
    read = fields.Reader(strict_json.parse(body))
    asked = {
        "chain_id": read.whole("chainId"),
        "description": read.text("description", length_max=fields.DESCRIPTION_LENGTH_MAX, required=True),
        "out_trade_no": read.order_number("outTradeNo"),
        "is_legal_tender": read.switch("isLegalTender"),
        "quote_symbol": read.symbol("quoteCurrencySymbol"),
        "quote_amount": read.amount("quoteAmount"),
        "notify_url": read.secure_url("notifyUrl"),
        "redirect_url": read.page("redirectionUrl"),
    }
    read.pardon_known_url("notifyUrl", merchant=call.merchant, merchant_order_no=str(asked["out_trade_no"]))
    read.check()
    return asked


def _page_path(payment: Payment) -> str:
    """Return the payer's page, without the host: the one that the call was made to."""
    parts = urlsplit(payer_links.payment_page(payment))
    return parts.path + (f"?{parts.query}" if parts.query else "")


class ChainList(MerchantView):
    """The chains over which orders may be placed."""

    scope = Credential.Scope.READ
    http_method_names = ["get"]

    @schema.chain_list
    def get(self, request: Request) -> HttpResponse:
        """List them."""
        self.begin(request)
        return answer([
            {
                "chainId": chain.pk, "name": chain.name, "symbol": chain.symbol,
                "confirmations": chain.confirmations,
            }
            for chain in chains.open_chains()
        ])  # fmt: skip


class CurrencyList(MerchantView):
    """What may be paid with, on one chain or on all."""

    scope = Credential.Scope.READ
    http_method_names = ["get"]
    names = {"chain_id": "chainId"}

    @schema.currency_list
    def get(self, request: Request) -> HttpResponse:
        """List it."""
        call = self.begin(request)
        offered = chains.open_tokens(chain_id=_asked_chain(request), now=call.now)
        return answer([
            {
                "currencyId": one.token.pk, "chainId": one.token.chain_id, "name": one.token.name,
                "symbol": one.token.symbol, "address": one.token.address or None,
                "decimals": one.token.decimals,
                "exchangeRate": None if one.rate is None else money.plain(one.rate),
            }
            for one in offered
        ])  # fmt: skip


def _asked_chain(request: Request) -> int | None:
    """Return the chain of a question, None where it names none. Raises: InvalidInput."""
    given = request.query_params.getlist("chainId")
    if not given:
        return None
    if len(given) > 1:
        raise errors.InvalidInput({"chainId": _("given more than once")})
    if _CHAIN.fullmatch(given[0]) is None or int(given[0]) > fields.WHOLE_MAX:
        raise errors.InvalidInput({"chainId": _("must be a whole number above 0")})
    return int(given[0])


def _numbers(request: Request) -> dict[str, str]:
    """Return the numbers that were asked for. Raises: InvalidInput; SuspiciousOperation."""
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
    return given


@guard.guarded(api=Credential.Api.PAYMENT_DETAIL, refuse=functools.partial(translate, names={}))
def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer in the envelope for every address that is none."""
    return translate(ApiError(404, _("There is no such address.")), names={})
