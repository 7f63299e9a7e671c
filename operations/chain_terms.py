"""What an order over a chain costs in which tokens, and how it is collected: decided before it is written.

The rate of every token that may be picked is read once, when the order is made, and stays with it.
Source: payment-detail-api.md, Decisions; issue "Crypto payment orders".
"""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from channels import rates, secrets
from channels.models import Chain, Channel, PaymentMethod, Service, Token
from channels.upstreams import registry
from channels.upstreams.chain import ChainUpstream
from diamondpay.lib import crypto, errors
from merchants.models import Merchant
from operations.new_orders import NewPayment
from records import chain_payments
from records.models import ChainPayment

Mode = ChainPayment.Mode
logger = logging.getLogger(__name__)


def channels_of(order: NewPayment) -> frozenset[str] | None:
    """Return the channels on the chain that the order names; None where it names none."""
    if not order.chain_id:
        return None
    code = Chain.objects.filter(pk=order.chain_id).values_list("code", flat=True).first()
    found = set()
    for channel in Channel.objects.filter(upstream__in=registry.CHAINS):
        try:
            upstream = secrets.chain_of(channel)
        except (crypto.CannotDecrypt, ValueError):
            logger.exception("Channel %s cannot be used.", channel.pk)
            continue
        if upstream is not None and upstream.chain_code == code:
            found.add(channel.pk)
    return frozenset(found)


def plan(
    *, order: NewPayment, service: Service, channel: Channel, amount: Decimal, now: datetime
) -> chain_payments.Plan | None:
    """Return how an order over this channel will be paid; None where the channel is no chain.

    Units: amount in the service's currency.
    Raises: NoChannelAvailable; NoRate when no token of the chain has a rate; InvalidInput for a token that is
    not there.
    """
    upstream = secrets.chain_of(channel)
    if upstream is None:
        return None
    chain = Chain.objects.filter(code=upstream.chain_code, status=Chain.Status.OPEN).first()
    if chain is None or service.payment_method != PaymentMethod.BLOCKCHAIN:
        logger.error("Channel %s cannot carry the service %s: see its chain.", channel.pk, service.pk)
        raise errors.NoChannelAvailable
    return chain_payments.Plan(
        channel=channel,
        upstream=upstream,
        chain=chain,
        mode=_mode(order.merchant, upstream),
        quotes=_quotes(chain=chain, order=order, service=service, amount=amount, now=now),
        description=order.description,
        redirect_url=order.redirect_url,
    )


def _mode(merchant: Merchant, upstream: ChainUpstream) -> ChainPayment.Mode:
    """Return the merchant's way of collecting, where the channel can do both; else the channel's."""
    if not upstream.shared_address:
        return Mode.DEDICATED
    if not upstream.key_fingerprint:
        return Mode.FIXED
    wants_address = merchant.usdt_collection == Merchant.UsdtCollection.ADDRESS
    return Mode.DEDICATED if wants_address else Mode.FIXED


def _quotes(
    *, chain: Chain, order: NewPayment, service: Service, amount: Decimal, now: datetime
) -> tuple[chain_payments.Quote, ...]:
    """Return what the order costs in each token that it may be paid in."""
    offered = Token.objects.filter(chain=chain, status=Token.Status.OPEN).order_by("symbol")
    if service.currency.is_crypto:
        # Quoted in a token, it is paid in that token and in nothing else.
        offered = offered.filter(currency=service.currency_id)
    if order.token:
        offered = offered.filter(symbol=order.token)
    found, missing = [], rates.NoRate()
    for token in offered:
        try:
            price = rates.at(base=token.currency_id, quote=service.currency_id, moment=now)
        except rates.NoRate as fault:
            missing = fault
            continue
        units = chain_payments.units_of(amount, unit_price=price, decimals=token.decimals)
        found.append(chain_payments.Quote(token=token, units=units, unit_price=price))
    if not found and not offered:
        raise errors.InvalidInput({"currency": _("No token of this chain is in this currency.")})
    if not found:
        raise missing
    return tuple(found)
