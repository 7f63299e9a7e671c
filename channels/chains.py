"""Questions about chains and what is paid with on them. Source: payment-detail-api.md, Endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from channels.models import Chain, ExchangeRate, Token
from channels.upstreams.sandbox import practice
from diamondpay.lib import errors

# What a token is worth is told in this currency.
RATE_CURRENCY = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A token that may be paid with. Units: `rate` in RATE_CURRENCY; None while nobody has set one."""

    token: Token
    rate: Decimal | None


def open_chains() -> list[Chain]:
    """Return the chains over which orders may be placed."""
    return list(Chain.objects.filter(status=Chain.Status.OPEN).order_by("pk"))


def open_tokens(*, now: datetime, chain_id: int | None = None) -> list[Offered]:
    """Return what may be paid with, on one chain or on all, with the rates that are in force.

    Raises: InvalidInput naming chain_id when there is no such chain, or it is closed.
    """
    tokens = Token.objects.filter(status=Token.Status.OPEN, chain__status=Chain.Status.OPEN)
    if chain_id is not None:
        if not Chain.objects.filter(pk=chain_id, status=Chain.Status.OPEN).exists():
            raise errors.InvalidInput({"chain_id": _("There is no such chain, or it is closed.")})
        tokens = tokens.filter(chain=chain_id)
    found = list(tokens.order_by("chain", "symbol"))
    rates = _rates({token.currency_id for token in found}, now)
    return [Offered(token=token, rate=rates.get(token.currency_id)) for token in found]


def practice_wallet(chain: Chain, request: str) -> str:
    """Return where a payment request of the sandbox's practice chain is paid; "" for every other chain.

    In production there is no such wallet, whatever chains are listed.
    """
    if not settings.PRACTICE_WALLET_URL or chain.network_id != practice.NETWORK:
        return ""
    return f"{settings.PRACTICE_WALLET_URL}?{urlencode({'request': request})}"


def _rates(currencies: set[str], now: datetime) -> dict[str, Decimal]:
    begun = ExchangeRate.objects.filter(base__in=currencies, quote=RATE_CURRENCY, valid_from__lte=now)
    newest = begun.order_by("base", "-valid_from").distinct("base")
    return dict(newest.values_list("base", "rate"))
