"""The one writer of chain payments: where an order over a chain is paid, in which token, and how much of it.

A dedicated address is derived from the channel's extended public key with an index that is given once. A
fixed amount is one that no other open order waits for at the shared address. PostgreSQL decides both.
"""

from __future__ import annotations

import operator
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from channels import secrets
from channels.models import Chain, Channel, Token
from channels.upstreams import base
from channels.upstreams.chain import ChainUpstream
from diamondpay.lib import errors, money, sql, transactions
from records.models import ChainPayment, ChainQuote, Payment, PaymentStatus

# Whoever pays long after the end still reaches an address that is looked at.
WATCHED_AFTER_END = timedelta(days=30)
# Wallets let people type so many decimals; what tells amounts apart must stand in them.
_TYPED_DECIMALS = 6
# An amount rests so long before it is given again, while there are others: who pays late must not pay for
# somebody else.
_RESTS = timedelta(days=1)
_TRIES_AT_ONCE = 24
_ROUNDS_MAX = 4
_WIDE = Context(prec=120)

_NEXT_INDEX = """
    INSERT INTO records_chainkey AS given (fingerprint, next_index) VALUES (%(fingerprint)s, 1)
    ON CONFLICT (fingerprint) DO UPDATE SET next_index = given.next_index + 1
    RETURNING next_index - 1
"""
_FREE_AMOUNTS = """
    SELECT amount, coalesce(latest.is_recent, false) AS is_recent FROM (
        SELECT %(lowest)s::numeric + %(step)s::numeric * place AS amount
        FROM generate_series(0, %(steps)s::integer - 1) AS place
    ) AS offered
    LEFT JOIN LATERAL (
        SELECT other.is_open, other.watched_until > %(rested)s AS is_recent FROM records_chainpayment AS other
        WHERE other.chain_id = %(chain)s AND other.address = %(address)s AND other.token_id = %(token)s
            AND other.expected_units = offered.amount AND other.mode = 'fixed'
        ORDER BY other.is_open DESC, other.watched_until DESC LIMIT 1
    ) AS latest ON true
    WHERE latest.is_open IS NOT TRUE
    ORDER BY is_recent, amount LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What an order costs in a token. Units: of the token's smallest; unit_price in the order's currency."""

    token: Token
    units: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an order will be paid, decided before it is written. With one quote the token is decided too."""

    channel: Channel
    upstream: ChainUpstream
    chain: Chain
    mode: ChainPayment.Mode
    quotes: tuple[Quote, ...]
    description: str = ""
    redirect_url: str = ""


def units_of(amount: Decimal, *, unit_price: Decimal, decimals: int) -> int:
    """Return what an amount costs in smallest units, exact, and rounded up to a unit where it comes out odd.

    Units: amount and unit_price in the order's currency.
    """
    exact = _WIDE.divide(amount.scaleb(decimals, context=_WIDE), unit_price)
    return int(exact.to_integral_value(rounding=ROUND_CEILING, context=_WIDE))


def worth(*, payment: Payment, token: Token, units: int, unit_price: Decimal) -> Decimal:
    """Return what units of a token are worth in the order's currency, at the order's own rate.

    Rounded once, half up: to the book's decimals where the wallet is in another currency, so that nothing is
    lost on the way through it, else to the currency's.
    Raises: money.AmountTooLarge.
    """
    is_converted = payment.settlement_currency_id != payment.currency_id
    exponent = money.DECIMALS_MAX if is_converted else payment.currency.exponent
    amount = _WIDE.multiply(Decimal(units).scaleb(-token.decimals, context=_WIDE), unit_price)
    return money.quantise(amount, exponent)


def begin(*, payment: Payment, plan: Plan, now: datetime) -> ChainPayment:
    """Insert the chain's side of an order, in the order's own transaction.

    Raises: NoChannelAvailable when every amount near the wanted one is waited for by another order.
    Locks: the key's counter until the commit.
    """
    is_dedicated = plan.mode == ChainPayment.Mode.DEDICATED
    index, address = _next_address(plan.upstream) if is_dedicated else (None, plan.upstream.shared_address)
    only = plan.quotes[0] if len(plan.quotes) == 1 else None
    made = ChainPayment(
        payment=payment,
        channel=plan.channel,
        chain=plan.chain,
        token=only.token if only and is_dedicated else None,
        mode=plan.mode,
        address=address,
        derivation_index=index,
        expected_units=only.units if only and is_dedicated else None,
        description=plan.description[:500],
        redirect_url=plan.redirect_url[:500],
        watched_until=payment.expires_at + WATCHED_AFTER_END,
    )
    made.save(force_insert=True)
    quotes = [
        ChainQuote(
            chain_payment=made, token=quote.token, units=Decimal(quote.units), unit_price=quote.unit_price
        )
        for quote in plan.quotes
    ]
    ChainQuote.objects.bulk_create(quotes)
    if only and not is_dedicated:
        _expect(made, token=only.token, units=only.units, steps=plan.upstream.amount_steps, now=now)
    return made


def _next_address(upstream: ChainUpstream) -> tuple[int, str]:
    """Return an index that was never given before, and its address."""
    while True:
        index = int(sql.rows(_NEXT_INDEX, {"fingerprint": upstream.key_fingerprint})[0][0])
        try:
            return index, upstream.address_at(index)
        except ValueError:
            # One index in 2^127 has no address; past the last one there is none at all.
            if index >= 2**31 - 1:
                raise errors.NoChannelAvailable(_("The channel has no address left.")) from None


def _expect(found: ChainPayment, *, token: Token, units: int, steps: int, now: datetime) -> None:
    """Set token and amount, once; a fixed amount is the lowest few that nobody else waits for.

    Raises: NoChannelAvailable when there is none.
    """
    if found.mode == ChainPayment.Mode.DEDICATED:
        _set(found, token=token, units=units)
        return
    step = 10 ** max(0, token.decimals - _TYPED_DECIMALS)
    wanted = {
        "lowest": str(-(-units // step) * step),
        "step": str(step),
        "steps": steps,
        "chain": found.chain_id,
        "address": found.address,
        "token": token.pk,
        "limit": _TRIES_AT_ONCE,
        "rested": now - _RESTS + WATCHED_AFTER_END,
    }
    for _round in range(_ROUNDS_MAX):
        free = [(bool(row[1]), int(row[0])) for row in sql.rows(_FREE_AMOUNTS, wanted)]
        # Shuffled, so that orders which are placed together seldom want the same one; the rested ones first.
        for _is_recent, amount in sorted(random.sample(free, len(free)), key=operator.itemgetter(0)):
            try:
                with transaction.atomic():
                    _set(found, token=token, units=amount)
            except IntegrityError as refusal:
                if transactions.constraint_name(refusal) != "chain_payment_amount_once":
                    raise
                continue
            return
        if not free:
            break
    raise errors.NoChannelAvailable(
        _("Too many payments of this amount are open at this address. Please try again in a few minutes.")
    )


def _set(found: ChainPayment, *, token: Token, units: int) -> None:
    ChainPayment.objects.filter(pk=found.pk, token__isnull=True).update(
        token=token, expected_units=Decimal(units)
    )
    found.token, found.expected_units = token, Decimal(units)


@transactions.atomic_with_retries
def pick_token(*, payment_pk: int, token_pk: int, now: datetime) -> ChainPayment:
    """Set the token that the payer picked on the payment page. The same again changes nothing.

    Raises: InvalidInput when it was not offered; StatusConflict when another one was picked before or the
    order waits for nothing any more; NoChannelAvailable as `begin` does.
    Locks: the chain payment.
    """
    found = (
        ChainPayment.objects.select_for_update(of=("self",))
        .select_related("payment", "channel", "token")
        .get(pk=payment_pk)
    )
    if found.token_id == token_pk:
        return found
    quote = ChainQuote.objects.filter(chain_payment=found, token=token_pk).select_related("token").first()
    if quote is None:
        raise errors.InvalidInput({"token": _("This order cannot be paid in that token.")})
    order = found.payment
    is_waiting = order.status == PaymentStatus.IN_PROGRESS and now < order.expires_at
    if found.token is not None or not is_waiting:
        current = found.token.symbol if found.token is not None else PaymentStatus(order.status).label
        raise errors.StatusConflict(order=order.payment_id, current=current, wanted=quote.token.symbol)
    upstream = secrets.chain_of(found.channel)
    steps = upstream.amount_steps if upstream is not None else 1
    _expect(found, token=quote.token, units=int(quote.units), steps=steps, now=now)
    return found


def adopt_token(*, found: ChainPayment, token: Token) -> bool:
    """Take what arrives for the payer's choice, where none was made yet; say whether it is the order's token.

    Only for dedicated addresses: a shared one tells orders apart by the amount.
    """
    if found.token_id is None and found.mode == ChainPayment.Mode.DEDICATED:
        quote = ChainQuote.objects.filter(chain_payment=found, token=token).first()
        if quote is not None:
            _set(found, token=token, units=int(quote.units))
    return found.token_id == token.pk


def receiving_of(payment: Payment, *, rest: int | None = None) -> base.Receiving | None:
    """Return where the payer sends what, for an order over a chain; None for every other.

    Units: `rest` in the token's smallest: what the request asks for in place of the whole amount.
    """
    found = (
        ChainPayment.objects.select_related("chain", "token", "channel").filter(payment=payment.pk).first()
    )
    upstream = None if found is None else secrets.chain_of(found.channel)
    if found is None or upstream is None:
        return None
    if found.token is None or found.expected_units is None:
        return base.Receiving(address=found.address, network=found.chain.name, qr_text=found.address)
    units = int(found.expected_units) if rest is None else rest
    # Quoted in fiat, the order's own amount stays what was asked for, whatever token it is paid in.
    is_in_token = found.token.currency_id == payment.currency_id
    return base.Receiving(
        address=found.address,
        network=found.chain.name,
        qr_text=upstream.payment_text(
            address=found.address, asset=found.token.address, units=units, network_id=found.chain.network_id
        ),
        amount=amount_of(units, found.token) if is_in_token else None,
    )


def amount_of(units: int | Decimal, token: Token) -> Decimal:
    """Return a count of smallest units as an amount of the token."""
    return money.from_units(int(units), token.decimals)
