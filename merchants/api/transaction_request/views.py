"""The operations of the transaction-request API: read one order, place a deposit, place a withdrawal.

Source: transaction-request-api.md, Endpoints.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from channels.models import Direction, PaymentMethod
from channels.upstreams import base
from diamondpay.lib import errors, sql
from merchants import signed_calls
from merchants.api import characters, guard, reading, strict_json
from merchants.api.transaction_request import authentication, fields, schema
from merchants.api.transaction_request.errors import ApiError, answer, envelope, translate
from merchants.models import Credential
from operations import offers, placement
from records import payer_links, requests
from records.dialects import transaction_request as dialect
from records.models import Payment, PaymentStatus, Payout, SignType, Source

logger = logging.getLogger(__name__)

EXPIRY_SECONDS = 2 * 3600
LANGUAGES = ("en", "zh_CN", "zh_TW")


class MerchantView(guard.Guarded):
    """What every operation has: who calls, and the envelope for whatever goes wrong."""

    api = Credential.Api.TRANSACTION_REQUEST
    scope: ClassVar[Credential.Scope]
    # The operation's own names for the domain's fields.
    names: ClassVar[Mapping[str, str]] = {}
    taken: signed_calls.Taken | None = None

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """Answer in the API's envelope, never as HTML."""
        return translate(exc, names=self.names)

    def finalize_response(  # type: ignore[override]
        self, request: Request, response: HttpResponse, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Keep the first answer to a signed body; every answer names the methods that its address takes."""
        if self.taken is not None and self.taken.answer_status is None and _is_worth_keeping(response):
            self._keep(self.taken, response)
        super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        return response

    def _keep(self, taken: signed_calls.Taken, response: HttpResponse) -> None:
        try:
            signed_calls.keep(taken=taken, status=response.status_code, answer=response.content)
        except DatabaseError:
            # What was done is done and must be answered; the same call again is carried out as a repeat.
            logger.exception("The answer to a signed call could not be kept.")

    def begin(self, request: Request, *, beside: sql.Beside | None = None) -> authentication.Call:
        """Find out who calls. Raises: as `authentication.identified`."""
        return authentication.identified(
            request._request,  # noqa: SLF001 - before any parser
            scope=self.scope,
            beside=beside,
        )

    def take(self, request: Request, call: authentication.Call) -> bytes:
        """Return the body of a POST, taken with its signature. Raises: ApiError; BodyTooLarge; Replayed."""
        plain = request._request  # noqa: SLF001 - the body as it came, before any parser
        media_type = (plain.content_type or "").lower()
        charset = (plain.content_params or {}).get("charset", "utf-8").strip("\"'").lower()
        if media_type != "application/json" or charset not in ("utf-8", "utf8"):
            raise ApiError(
                "INVALID_PARAMETER", _("Unsupported content type; send application/json."), status=415
            )
        body = guard.body(plain)
        if len(body) > strict_json.BYTES_MAX:
            raise strict_json.BodyTooLarge(strict_json.BYTES_MAX)
        self.taken = signed_calls.take(
            credential=call.credential,
            timestamp_ms=call.timestamp_ms,
            path=plain.path,
            body=body,
            now=call.now,
        )
        return body


def _is_worth_keeping(response: HttpResponse) -> bool:
    # "Try again" is no answer to repeat.
    return response.status_code < 500 and response.status_code != 429


class ReadTransactionRequest(MerchantView):
    """One deposit or withdrawal; another merchant's is unknown."""

    scope = Credential.Scope.READ
    http_method_names = ["get"]

    @schema.read
    def get(self, request: Request) -> HttpResponse:
        """Read one order."""
        asked = reading.Asked.by(_numbers, request)
        number = asked.given.get("merchant_order_no", "")
        call = self.begin(request, beside=requests.beside(merchant_order_no=number) if number else None)
        asked.check()
        order = requests.find(call.beside, merchant_id=call.merchant.pk, **asked.given)
        return answer(dialect.wire(_facts(order)))


def _numbers(request: Request) -> dict[str, str]:
    """Return the numbers that were asked for. Raises: InvalidInput; SuspiciousOperation."""
    given: dict[str, str] = {}
    faults: dict[str, errors.Words] = {}
    for name, target in (("requestCode", "request_code"), ("merchantOrderNo", "merchant_order_no")):
        values = request.query_params.getlist(name)
        if len(values) > 1:
            faults[name] = _("given more than once")
        elif values and values[0]:
            given[target] = values[0]
            if characters.bad_character(values[0]) is not None:
                faults[name] = _("contains a character that no number has")
    if not given and not faults:
        faults["requestCode"] = _("give it or merchantOrderNo")
    if faults:
        raise errors.InvalidInput(faults)
    return given


def _facts(order: Payment | Payout) -> dict[str, object]:
    if isinstance(order, Payment):
        return dialect.V2.payment_facts(order)
    return dialect.V2.payout_facts(order)


class Deposit(MerchantView):
    """Create a deposit. A repeat with the same content answers with the first order."""

    scope = Credential.Scope.DEPOSIT
    http_method_names = ["post"]
    names = {"amount": "depositAmount", "currency": "depositCurrency", "name": "client.realName"}

    @schema.deposit
    def post(self, request: Request) -> HttpResponse:
        """Verify, read, place."""
        call = self.begin(request)
        body = self.take(request, call)
        if self.taken is not None and self.taken.answer_status is not None:
            return envelope(self.taken.answer, status=self.taken.answer_status)
        payment = placement.place_payment(order=self._order(call, body), now=call.now)
        link = None
        if payment.status != PaymentStatus.FAILED:
            link = payer_links.payment_page(payment, seconds=EXPIRY_SECONDS)
        return answer({**dialect.wire(_facts(payment)), "paymentUrl": link})

    def _order(self, call: authentication.Call, body: bytes) -> placement.NewPayment:
        read = fields.Reader(strict_json.parse(body))
        asked, fiat = read.currencies(
            "depositCurrency",
            "fiatCurrency",
            settlement=dialect.SETTLEMENT_CURRENCY,
            fiat=dialect.FIAT_CURRENCIES,
        )
        amount = read.amount("depositAmount")
        number = read.order_number("merchantOrderNo")
        methods = read.methods("paymentMethod.method")
        party = base.Party(
            name=read.text("client.realName", length_max=fields.NAME_LENGTH_MAX, required=True)
        )
        read.milliseconds("client.registeredAt")
        url = read.url("webhookUrl", required=True)
        read.one_of("language", LANGUAGES, default="en")
        read.pardon_known_url("webhookUrl", merchant=call.merchant, merchant_order_no=number)
        read.check()
        return placement.NewPayment(
            **_terms(call, Direction.DEPOSIT, asked, fiat, amount, methods, number),
            party=party,
            notify_url=url,
            expiry_seconds=EXPIRY_SECONDS,
        )


class WithdrawBankCard(MerchantView):
    """Create a withdrawal to a bank card. SUCCESS means accepted, not paid."""

    scope = Credential.Scope.PAYOUT
    http_method_names = ["post"]
    names = {
        "amount": "withdrawAmount",
        "currency": "withdrawCurrency",
        "name": "client.realName",
        "number": "bankCard.cardNumber",
    }

    @schema.withdraw
    def post(self, request: Request) -> HttpResponse:
        """Verify, read, place."""
        call = self.begin(request)
        body = self.take(request, call)
        if self.taken is not None and self.taken.answer_status is not None:
            return envelope(self.taken.answer, status=self.taken.answer_status)
        payout = placement.place_payout(order=self._order(call, body), now=call.now)
        return answer(dialect.wire(_facts(payout)))

    def _order(self, call: authentication.Call, body: bytes) -> placement.NewPayout:
        read = fields.Reader(strict_json.parse(body))
        asked, fiat = read.currencies(
            "withdrawCurrency",
            "fiatCurrency",
            settlement=dialect.SETTLEMENT_CURRENCY,
            fiat=dialect.FIAT_CURRENCIES,
        )
        amount = read.amount("withdrawAmount")
        number = read.order_number("merchantOrderNo")
        party = base.Party(
            name=read.text("client.realName", length_max=fields.NAME_LENGTH_MAX, required=True),
            account=read.text("bankCard.cardNumber", length_max=fields.CARD_LENGTH_MAX, required=True),
            bank_name=read.text("bankCard.bankName", length_max=fields.BANK_LENGTH_MAX, required=True),
        )
        branch = read.text("bankCard.bankBranchName", length_max=fields.BANK_LENGTH_MAX)
        read.milliseconds("client.registeredAt")
        requires_review = read.switch("requiresReview")
        url = read.url("webhookUrl", required=True)
        read.pardon_known_url("webhookUrl", merchant=call.merchant, merchant_order_no=number)
        read.check()
        methods = [PaymentMethod.BANK_CARD]
        return placement.NewPayout(
            **_terms(call, Direction.PAYOUT, asked, fiat, amount, methods, number),
            party=party,
            bank_branch=branch,
            requires_review=requires_review,
            notify_url=url,
        )


def _terms(
    call: authentication.Call,
    direction: Direction,
    asked: str,
    fiat: str,
    amount: Any,
    methods: list[PaymentMethod],
    merchant_order_no: str,
) -> dict[str, Any]:
    """Return what both kinds of order have in common. Raises: DuplicateOrderNumber; ServiceNotActivated."""
    is_quoted = asked == dialect.SETTLEMENT_CURRENCY
    offers.refuse_number_of_the_other_kind(
        merchant=call.merchant, direction=direction, merchant_order_no=merchant_order_no
    )
    service_id = offers.service_for(
        merchant=call.merchant,
        direction=direction,
        currency=fiat,
        methods=methods,
        merchant_order_no=merchant_order_no,
        amount=None if is_quoted else amount,
    )
    return {
        "merchant": call.merchant,
        "service_id": service_id,
        "merchant_order_no": merchant_order_no,
        "amount": amount,
        "quoted_in": asked if is_quoted else "",
        "sign_type": SignType.HMAC_SHA256.value,
        "source": Source.API_V2,
        "dialect": dialect.V2.name,
    }


@guard.guarded(api=Credential.Api.TRANSACTION_REQUEST, refuse=functools.partial(translate, names={}))
def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer in the envelope for every address that is none."""
    return translate(ApiError("NOT_FOUND", _("There is no such address.")), names={})
