"""Deposits over the gateway API: create, list, read one.

Source: gateway-api.md, section 3.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from channels.models import Direction
from merchants.api import characters
from merchants.api.gateway import authentication, fields, outputs, parameters, schema, views
from merchants.api.gateway.errors import SUCCESS, ApiError, answer
from merchants.models import Credential
from operations import placement
from records import payments, queries
from records.dialects import gateway
from records.models import Payment, PaymentStatus, Source

REQUIRED = ("platform_id", "service_id", "payment_cl_id", "amount", "notify_url", "request_time", "sign")
OPTIONAL = ("name", "number", "last_number", "last_numbers", "phone", "id_number", "remark_code", "currency")
NAMES = frozenset((*REQUIRED, *OPTIONAL, *views.SIGNING_NAMES, *views.BANK_NAMES))


class CreatePayment(views.GatewayView):
    """Create a deposit. A repeat with the same content answers with the first order."""

    creation_code = "0013"
    dialect: ClassVar[str]

    @abstractmethod
    def created(self, payment: Payment) -> dict[str, object]:
        """Return the version's answer."""

    def post(self, request: Request) -> HttpResponse:
        """Verify, read, place."""
        call = authentication.signed_call(
            request._request,  # noqa: SLF001 - the body as it came, before any parser
            known_names=NAMES,
            required_names=REQUIRED,
            scope=Credential.Scope.DEPOSIT,
        )
        payment = placement.place_payment(order=self._order(call), now=call.now)
        if payment.status == PaymentStatus.FAILED:
            raise views.refused_by_upstream(payment, creation_code=self.creation_code)
        if payments.has_taken_number(payment):
            words = _("The upstream took it for another order. Do not send the payer there; query the order.")
            raise ApiError("0024", words)
        return answer({"error_code": SUCCESS, "data": self.created(payment)})

    def _order(self, call: authentication.SignedCall) -> placement.NewPayment:
        read = fields.Reader(call.params)
        read.unix_seconds("request_time")
        order = placement.NewPayment(
            merchant=call.merchant,
            service_id=read.text("service_id", length_max=16, required=True),
            merchant_order_no=read.order_number("payment_cl_id"),
            amount=read.hundredths("amount"),
            party=views.party(read),
            notify_url=read.url("notify_url", required=True),
            bank=views.bank(read),
            remark_code=read.text("remark_code", length_max=32),
            last_numbers=read.last_numbers(),
            currency=read.currency("currency"),
            dialect=self.dialect,
            sign_type=call.sign_type,
            source=Source.API_V1,
        )
        read.check_for(direction=Direction.DEPOSIT)
        return order


class CreatePaymentV1(CreatePayment):
    """Create a deposit, answering with both sides' accounts where the service names a receiver."""

    dialect = gateway.V1.name

    def created(self, payment: Payment) -> dict[str, object]:
        """Return link and payment_info."""
        return outputs.created_payment_v1(payment)

    @schema.create_payment_v1
    def post(self, request: Request) -> HttpResponse:
        """Create a deposit."""
        return super().post(request)


class CreatePaymentV2(CreatePayment):
    """Create a deposit, answering with the link and the numbers."""

    http_method_names = ["post"]
    dialect = gateway.V2.name

    def created(self, payment: Payment) -> dict[str, object]:
        """Return link and numbers."""
        return outputs.created_payment_v2(payment)

    @schema.create_payment_v2
    def post(self, request: Request) -> HttpResponse:
        """Create a deposit."""
        return super().post(request)


class ListPayments(views.GatewayView):
    """List deposits, newest first, each signed."""

    @schema.list_payments
    def get(self, request: Request) -> HttpResponse:
        """List deposits."""
        call = authentication.token_call(request)
        page = parameters.page(
            request.query_params, order_id_name="payment_id", merchant_order_no_name="payment_cl_id"
        )
        rows, total = queries.payment_page(page.of(call.merchant.pk))
        items = (outputs.payment_item(row, merchant_id=call.merchant.pk) for row in rows)
        signature = views.signature(call.credential)
        return answer(
            {
                "error_code": SUCCESS,
                "data": [gateway.signed(item, **signature) for item in items],
                "total": total,
            }
        )


class PaymentsV1(ListPayments, CreatePaymentV1):
    """/v1/payments: list and create."""


class PaymentDetail(views.GatewayView):
    """One deposit by the merchant's number; another merchant's is unknown."""

    http_method_names = ["get"]

    @schema.one_payment
    def get(self, request: Request, payment_cl_id: str) -> HttpResponse:
        """Read one deposit."""
        is_number = characters.bad_order_character(payment_cl_id) is None
        beside = queries.payment_beside(merchant_order_no=payment_cl_id) if is_number else None
        row = queries.one_payment(authentication.token_call(request, beside=beside).beside)
        if row is None:
            raise ApiError("0050")
        return answer({"error_code": SUCCESS, "data": outputs.payment_detail(row)})
