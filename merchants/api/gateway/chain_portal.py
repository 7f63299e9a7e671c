"""The payer's page of an order over a chain: where to send how much of what, and how far it has come.

Its state is told as one word that changes with every step, so that the open page knows when to look again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels import chains
from channels.models import Token
from diamondpay.lib import money, qr
from records import chain_payments
from records.models import ChainCursor, ChainPayment, Payment, PaymentStatus

Words = str | Promise
Detail = ChainPayment.Detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an order has come. `step` names it for programs, `tone` is its colour on the page."""

    step: str
    tone: str
    title: Words
    words: Words

    @property
    def is_awaited(self) -> bool:
        """Say whether the payer still has something to do."""
        return self.step in ("choosing", "waiting", "partial")

    @property
    def is_final(self) -> bool:
        """Say whether nothing will change by itself any more."""
        return self.tone in ("paid", "failed", "expired")


def found_for(payment: Payment) -> ChainPayment | None:
    """Return the chain's side of an order, None where it is paid in another way."""
    return ChainPayment.objects.select_related("chain", "token").filter(pk=payment.pk).first()


def progress(payment: Payment, found: ChainPayment, now: datetime) -> Progress:
    """Return how far the order has come."""
    match payment.status:
        case PaymentStatus.SUCCESS:
            return Progress(
                step="paid", tone="paid", title=_("Paid"),
                words=_("Your payment has arrived. You can close this page."),
            )  # fmt: skip
        case PaymentStatus.FAILED:
            return Progress(
                step="failed", tone="failed", title=_("This payment did not work"),
                words=_("Please do not send any money. Go back to the shop and start again."),
            )  # fmt: skip
    if found.detail == Detail.CONFIRMING:
        count = confirmations(found)
        words = format_lazy(
            _("{count} of {needed} confirmations. You need not do anything more."),
            count=count,
            needed=found.chain.confirmations,
        )
        return Progress(
            step=f"confirming-{count}-{found.seen_units}",
            tone="waiting",
            title=_("Payment seen"),
            words=words,
        )
    if payment.status == PaymentStatus.CLOSED or now >= payment.expires_at:
        return Progress(
            step="expired", tone="expired", title=_("The time is over"),
            words=_(
                "Please do not send any money now. "
                "If you have paid already, your payment is still looked for."
            ),
        )  # fmt: skip
    return _awaited(found)


def _awaited(found: ChainPayment) -> Progress:
    if found.token is None:
        words = _("The amount of each is fixed until the time is over.")
        return Progress(step="choosing", tone="waiting", title=_("Choose what to pay with"), words=words)
    if found.detail == Detail.PARTIAL:
        words = format_lazy(
            _("{arrived} {symbol} have arrived. Send the rest to the same address."),
            arrived=_read(found.confirmed_units, found.token),
            symbol=found.token.symbol,
        )
        return Progress(step="partial", tone="waiting", title=_("Part of it has arrived"), words=words)
    words = _("Send exactly this amount before the time is over.")
    return Progress(step="waiting", tone="waiting", title=_("Waiting for your payment"), words=words)


def confirmations(found: ChainPayment) -> int:
    """Return how many blocks hold the newest transfer, as far as the chain was read."""
    newest = ChainCursor.objects.filter(pk=found.channel_id).values_list("block_number", flat=True).first()
    if newest is None or found.block_number is None:
        return 0
    return min(max(newest - found.block_number + 1, 0), found.chain.confirmations)


def context(*, payment: Payment, found: ChainPayment, now: datetime) -> dict[str, object]:
    """Return what the page shows."""
    state = progress(payment, found, now)
    shown: dict[str, object] = {
        "title": state.title,
        "words": state.words,
        "state": state.step,
        "tone": state.tone,
        "is_final": state.is_final,
        "payment_id": payment.payment_id,
        "description": found.description,
        "asked": f"{money.render(payment.requested_amount, payment.currency.exponent)} {payment.currency_id}",
        "network": found.chain.name,
        "back": found.redirect_url if found.redirect_url.startswith(("https://", "http://")) else "",
    }
    if state.step == "paid" and found.token is not None:
        shown |= {"amount": _read(found.confirmed_units, found.token), "symbol": found.token.symbol}
    if not state.is_awaited:
        return shown
    shown |= {
        "seconds_left": max(0, int((payment.expires_at - now).total_seconds())),
        "expires_at": payment.expires_at,
    }
    if found.token is None:
        return shown | {"offers": _offers(found)}
    return shown | _wanted(payment, found, found.token)


def _offers(found: ChainPayment) -> list[dict[str, object]]:
    quotes = found.quotes.select_related("token").order_by("token__symbol")
    return [
        {
            "token": quote.token_id,
            "symbol": quote.token.symbol,
            "name": quote.token.name,
            "amount": _read(quote.units, quote.token),
        }
        for quote in quotes
    ]


def _wanted(payment: Payment, found: ChainPayment, token: Token) -> dict[str, object]:
    """Return what is to be sent where: all of it, or what is missing."""
    missing = max(Decimal(0), (found.expected_units or Decimal(0)) - found.confirmed_units)
    receiving = chain_payments.receiving_of(payment, rest=int(missing))
    is_whole = found.confirmed_units == 0
    request = receiving.qr_text if receiving is not None else found.address
    return {
        "amount": _read(missing, token),
        "amount_plain": money.plain(chain_payments.amount_of(missing, token)),
        "symbol": token.symbol,
        "address": found.address,
        "is_native": token.is_native,
        # The drawn request asks for the whole amount; for a rest only the address is drawn.
        "qr": qr.drawn(request if is_whole else found.address),
        "practice_wallet": chains.practice_wallet(found.chain, request),
    }


def _read(units: Decimal | int, token: Token) -> str:
    """Return a count of units as an amount for reading; two decimals at least, and no zeros behind them."""
    amount = chain_payments.amount_of(units, token)
    return f"{amount.normalize():,.{max(2, money.decimals_used(amount))}f}"
