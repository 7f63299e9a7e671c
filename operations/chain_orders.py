"""Orders over a chain as the payment-detail API asks for them; placed on the one road of all orders."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from channels.models import Chain, Currency, Direction, PaymentMethod, Service, Token
from channels.upstreams import base
from diamondpay.lib import errors
from merchants.models import Merchant, MerchantService
from operations import placement
from records.models import Payment, SignType, Source


def place(
    *,
    merchant: Merchant,
    chain_id: int,
    quote_symbol: str,
    is_legal_tender: bool,
    quote_amount: Decimal,
    out_trade_no: str,
    description: str = "",
    notify_url: str = "",
    redirect_url: str = "",
    dialect: str = "payment_detail.v1",
    source: str = Source.API_V2,
    sign_type: str = SignType.HMAC_SHA256,
    now: datetime | None = None,
) -> Payment:
    """Place a crypto payment and return it; its `chain_payment` says where it is paid and for how much.

    Quoted in a token (`is_legal_tender` False), it is paid in that token. Quoted in fiat, the payer picks a
    token on the payment page, at the rates of this moment; with a single one to pick it is picked already.
    A repeat with the same content returns the first order (D1).

    Units: quote_amount in major units of the quoted currency.
    Raises: InvalidInput naming chain_id, quote_symbol, is_legal_tender or quote_amount (as `amount`);
    ServiceNotActivated; NoChannelAvailable; NoRate; as `placement.place_payment`. Nothing is written then.
    Source: payment-detail-api.md, Endpoints.
    """
    chain = Chain.objects.filter(pk=chain_id, status=Chain.Status.OPEN).first()
    if chain is None:
        raise errors.InvalidInput({"chain_id": _("There is no such chain, or it is closed.")})
    token = None
    if is_legal_tender:
        currency = _fiat(quote_symbol)
    else:
        token = Token.objects.filter(chain=chain, symbol=quote_symbol, status=Token.Status.OPEN).first()
        if token is None:
            raise errors.InvalidInput({"quote_symbol": _("The chain has no such token, or it is closed.")})
        currency = token.currency_id
    order = placement.NewPayment(
        merchant=merchant,
        service_id=_service_of(merchant, currency),
        merchant_order_no=out_trade_no,
        amount=quote_amount,
        currency=currency,
        party=base.Party(),
        sign_type=sign_type,
        source=source,
        dialect=dialect,
        notify_url=notify_url,
        chain_id=chain.pk,
        token=token.symbol if token else "",
        description=description,
        redirect_url=redirect_url,
    )
    return placement.place_payment(order=order, now=now)


def _fiat(symbol: str) -> str:
    """Return the code of a currency that is legal tender. Raises: InvalidInput."""
    found = Currency.objects.filter(pk=symbol).first()
    if found is None:
        raise errors.InvalidInput({"quote_symbol": _("There is no such currency.")})
    if found.is_crypto:
        raise errors.InvalidInput({"is_legal_tender": _("This currency is not legal tender.")})
    return found.pk


def _service_of(merchant: Merchant, currency: str) -> str:
    """Return the merchant's service for payments over chains in a currency.

    Raises: ServiceNotActivated when there is none.
    """
    services = MerchantService.objects.filter(
        merchant=merchant,
        status=MerchantService.Status.ENABLED,
        service__direction=Direction.DEPOSIT,
        service__payment_method=PaymentMethod.BLOCKCHAIN,
        service__currency=currency,
        service__status=Service.Status.OPEN,
    )
    found = services.order_by("service_id").values_list("service_id", flat=True).first()
    if found is None:
        raise errors.ServiceNotActivated
    return found
