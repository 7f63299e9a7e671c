"""Orders over a chain as the payment-detail API asks for them; placed on the one road of all orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from channels.models import Chain, Currency, Direction, PaymentMethod, Token
from channels.upstreams import base
from diamondpay.lib import errors
from merchants.models import Merchant
from operations import offers, placement
from records.models import Payment, SignType, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    currency: str
    token: str


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
    asked: dict[str, Any] = {"chain_id": chain_id, "symbol": quote_symbol, "is_legal_tender": is_legal_tender}
    try:
        found = _found(**asked)
    except errors.InvalidInput:
        # What was accepted once is the same order, also when its chain or token was closed since.
        if not offers.is_number_taken(merchant=merchant, merchant_order_no=out_trade_no):
            raise
        found = _found_again(**asked)
    order = placement.NewPayment(
        merchant=merchant,
        service_id=offers.service_for(
            merchant=merchant,
            direction=Direction.DEPOSIT,
            currency=found.currency,
            methods=[PaymentMethod.BLOCKCHAIN],
            merchant_order_no=out_trade_no,
            amount=quote_amount,
        ),
        merchant_order_no=out_trade_no,
        amount=quote_amount,
        currency=found.currency,
        party=base.Party(),
        sign_type=sign_type,
        source=source,
        dialect=dialect,
        notify_url=notify_url,
        chain_id=chain_id,
        token=found.token,
        description=description,
        redirect_url=redirect_url,
    )
    return placement.place_payment(order=order, now=now)


def _found(*, chain_id: int, symbol: str, is_legal_tender: bool, may_be_closed: bool = False) -> _Asked:
    """Return what an order is quoted in. Raises: InvalidInput."""
    chain = Chain.objects.filter(pk=chain_id).first()
    if chain is None or not (may_be_closed or chain.status == Chain.Status.OPEN):
        raise errors.InvalidInput({"chain_id": _("There is no such chain, or it is closed.")})
    if is_legal_tender:
        return _Asked(currency=_fiat(symbol), token="")
    token = Token.objects.filter(chain=chain, symbol=symbol).first()
    if token is None or not (may_be_closed or token.status == Token.Status.OPEN):
        raise errors.InvalidInput({"quote_symbol": _("The chain has no such token, or it is closed.")})
    return _Asked(currency=token.currency_id, token=token.symbol)


def _found_again(**asked: Any) -> _Asked:
    """Return what the order of a number that is taken is quoted in.

    Raises: DuplicateOrderNumber for what can be no order's content: "there is none" would be wrong.
    """
    try:
        return _found(**asked, may_be_closed=True)
    except errors.InvalidInput:
        raise errors.DuplicateOrderNumber from None


def _fiat(symbol: str) -> str:
    """Return the code of a currency that is legal tender. Raises: InvalidInput."""
    found = Currency.objects.filter(pk=symbol).first()
    if found is None:
        raise errors.InvalidInput({"quote_symbol": _("There is no such currency.")})
    if found.is_crypto:
        raise errors.InvalidInput({"is_legal_tender": _("This currency is not legal tender.")})
    return found.pk
