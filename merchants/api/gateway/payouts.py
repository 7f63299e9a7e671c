"""Payouts over the gateway API: create, list, read one.

Source: gateway-api.md, section 3.
"""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from channels.models import Direction
from merchants.api import characters
from merchants.api.gateway import authentication, fields, outputs, parameters, schema, views
from merchants.api.gateway.errors import SUCCESS, ApiError, answer
from merchants.models import Credential
from operations import placement
from records import queries
from records.dialects import gateway
from records.models import PayoutStatus, Source

REQUIRED = ("platform_id", "service_id", "payout_cl_id", "amount", "name", "number", "request_time", "sign")
OPTIONAL = ("notify_url", "ifsc_code", "currency", "platform_channel_id", "phone", "id_number", "bank_branch")
NAMES = frozenset((*REQUIRED, *OPTIONAL, *views.SIGNING_NAMES, *views.BANK_NAMES))


class CreatePayout(views.GatewayView):
    """Create a payout. 0000 means accepted, not paid."""

    creation_code = "0017"
    dialect: ClassVar[str]

    def post(self, request: Request) -> HttpResponse:
        """Verify, read, place."""
        call = authentication.signed_call(
            request._request,  # noqa: SLF001 - the body as it came, before any parser
            known_names=NAMES,
            required_names=REQUIRED,
            scope=Credential.Scope.PAYOUT,
        )
        payout = placement.place_payout(order=self._order(call), now=call.now)
        if payout.status == PayoutStatus.FAILED:
            raise views.refused_by_upstream(payout, creation_code=self.creation_code)
        return answer({"error_code": SUCCESS, "data": {"payout_id": payout.payout_id}})

    def _order(self, call: authentication.SignedCall) -> placement.NewPayout:
        read = fields.Reader(call.params)
        read.unix_seconds("request_time")
        order = placement.NewPayout(
            merchant=call.merchant,
            service_id=read.text("service_id", length_max=16, required=True),
            merchant_order_no=read.order_number("payout_cl_id"),
            amount=read.hundredths("amount"),
            party=views.party(read, is_recipient=True),
            notify_url=read.url("notify_url"),
            bank=views.bank(read),
            bank_branch=read.text("bank_branch", length_max=128),
            currency=read.currency("currency"),
            merchant_channel_id=read.text("platform_channel_id", length_max=20),
            dialect=self.dialect,
            sign_type=call.sign_type,
            source=Source.API_V1,
        )
        read.check_for(direction=Direction.PAYOUT)
        return order


class CreatePayoutV1(CreatePayout):
    """Create a payout over v1."""

    dialect = gateway.V1.name

    @schema.create_payout_v1
    def post(self, request: Request) -> HttpResponse:
        """Create a payout."""
        return super().post(request)


class CreatePayoutV2(CreatePayout):
    """Create a payout over v2."""

    dialect = gateway.V2.name

    @schema.create_payout_v2
    def post(self, request: Request) -> HttpResponse:
        """Create a payout."""
        return super().post(request)


class ListPayouts(views.GatewayView):
    """List payouts, newest first; v1 signs each."""

    is_signed: ClassVar[bool]

    def get(self, request: Request) -> HttpResponse:
        """List payouts."""
        call = authentication.token_call(request)
        page = parameters.page(
            request.query_params, order_id_name="payout_id", merchant_order_no_name="payout_cl_id"
        )
        rows, total = queries.payout_page(page.of(call.merchant.pk))
        items = [outputs.payout_item(row, merchant_id=call.merchant.pk) for row in rows]
        if self.is_signed:
            signature = views.signature(call.credential)
            items = [gateway.signed(item, **signature) for item in items]
        return answer({"error_code": SUCCESS, "data": items, "total": total})


class PayoutsV1(ListPayouts, CreatePayoutV1):
    """/v1/payouts: list and create."""

    is_signed = True

    @schema.list_payouts_v1
    def get(self, request: Request) -> HttpResponse:
        """List payouts."""
        return super().get(request)


class PayoutsV2(ListPayouts, CreatePayoutV2):
    """/v2/payouts: list and create."""

    is_signed = False

    @schema.list_payouts_v2
    def get(self, request: Request) -> HttpResponse:
        """List payouts."""
        return super().get(request)


class PayoutDetail(views.GatewayView):
    """One payout by the merchant's number; another merchant's is unknown."""

    http_method_names = ["get"]

    @schema.one_payout
    def get(self, request: Request, payout_cl_id: str) -> HttpResponse:
        """Read one payout."""
        is_number = characters.bad_order_character(payout_cl_id) is None
        beside = queries.payout_beside(merchant_order_no=payout_cl_id) if is_number else None
        row = queries.one_payout(authentication.token_call(request, beside=beside).beside)
        if row is None:
            raise ApiError("0050")
        return answer({"error_code": SUCCESS, "data": outputs.payout_detail(row)})
