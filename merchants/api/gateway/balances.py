"""Balances over the gateway API.

Source: gateway-api.md, section 3.
"""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from diamondpay.lib import errors
from merchants.api.gateway import authentication, outputs, parameters, schema, views
from merchants.api.gateway.errors import SUCCESS, answer
from records import queries


class BalanceV1(views.GatewayView):
    """Available balances of all wallets of one currency, signed."""

    http_method_names = ["get"]

    @schema.balance_v1
    def get(self, request: Request) -> HttpResponse:
        """Read balances."""
        call = authentication.token_call(request)
        wallets = _wallets(call, request)
        found = outputs.balance_v1(
            wallets, merchant_id=call.merchant.pk, now=call.now, **views.signature(call.credential)
        )
        return answer({"error_code": SUCCESS, "data": found})


class BalanceV2(views.GatewayView):
    """Available and frozen sums of one currency."""

    http_method_names = ["get"]

    @schema.balance_v2
    def get(self, request: Request) -> HttpResponse:
        """Read balances."""
        call = authentication.token_call(request)
        found = outputs.balance_v2(_wallets(call, request), merchant_id=call.merchant.pk)
        return answer({"error_code": SUCCESS, "data": found})


def _wallets(call: authentication.TokenCall, request: Request) -> list[queries.WalletRow]:
    currency = parameters.single(request.query_params).get("currency", "")
    if not (currency.isascii() and len(currency) <= 8):
        raise errors.InvalidInput({"currency": _("must be a currency code such as CNY")})
    wallets = queries.merchant_wallets(merchant_id=call.merchant.pk)
    return outputs.one_currency(wallets, currency=currency.upper())
