"""What an order is worth in the currency of each wallet that might carry it: price, amount and fee.

An order is in its service's currency; the wallet may be in another, the settlement currency. The price of one
unit of it is read once, when the order is placed, and stays on the order.
Source: transaction-request-api.md, Decision on rates; promises L9.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels import rates
from channels.models import Currency, Direction, Service
from diamondpay.lib import errors, money
from merchants import pricing
from merchants.models import MerchantService


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """An order in one settlement currency. Units: unit_price in the order's currency, the rest settled."""

    unit_price: Decimal
    amount: Decimal
    fee: Decimal

    @property
    def debited(self) -> Decimal:
        """Return what a payout takes from the wallet."""
        return self.amount + self.fee


@dataclass(slots=True, kw_only=True)
class Settlement:
    """The worth of one order in every currency that is asked for, each worked out once.

    Units: amount in major units of the service's currency.
    """

    service: Service
    terms: MerchantService
    amount: Decimal
    now: datetime
    _found: dict[str, Worth] = field(default_factory=dict)

    def worth(self, currency: str) -> Worth:
        """Return what the order is worth in a wallet's currency.

        Raises: NoRate; AmountBelowMinimum when it is worth nothing there, or the fee would use it all up.
        """
        if currency not in self._found:
            self._found[currency] = self._worked_out(currency)
        return self._found[currency]

    def debited(self, currency: str) -> Decimal:
        """Return what a payout takes from a wallet in the currency. Raises: as `worth`."""
        return self.worth(currency).debited

    def _worked_out(self, currency: str) -> Worth:
        exponent, unit_price, amount = self.service.currency.exponent, Decimal(1), self.amount
        if currency != self.service.currency_id:
            exponent = exponent_of(currency)
            unit_price = rates.at(base=currency, quote=self.service.currency_id, moment=self.now)
            amount = money.converted(self.amount, unit_price=unit_price, exponent=exponent)
            if amount <= 0:
                words = _("The amount is worth nothing in {currency}.")
                raise errors.AmountBelowMinimum(format_lazy(words, currency=currency))
        rule = {
            "fee_type": self.terms.fee_type,
            "fee_permillage": self.terms.fee_permillage,
            "fee_fixed": self.terms.fee_fixed,
        }
        if self.service.direction == Direction.PAYOUT:
            fee = pricing.fee_of(amount=amount, exponent=exponent, **rule)
        else:
            fee = pricing.quote(amount=amount, exponent=exponent, **rule).fee
        return Worth(unit_price=unit_price, amount=amount, fee=fee)


def in_order_currency(*, amount: Decimal, currency: str, service: Service, now: datetime) -> Decimal:
    """Return what an amount of settlement units costs in the service's currency, rounded half up, once.

    Units: amount in major units of `currency`.
    Raises: NoRate; InvalidInput for more decimals than the currency has; AmountBelowMinimum when it costs
    nothing.
    """
    if money.decimals_used(amount) > exponent_of(currency):
        raise errors.InvalidInput({"amount": _("The amount has more decimals than the currency.")})
    unit_price = rates.at(base=currency, quote=service.currency_id, moment=now)
    try:
        cost = money.priced(amount, unit_price=unit_price, exponent=service.currency.exponent)
    except money.AmountTooLarge as fault:
        raise errors.InvalidInput({"amount": fault.reason}) from fault
    if cost <= 0:
        words = _("The amount is worth nothing in {currency}.")
        raise errors.AmountBelowMinimum(format_lazy(words, currency=service.currency_id))
    return cost


def exponent_of(currency: str) -> int:
    """Return how many decimals a currency has. Raises: InvalidInput for one that is not known."""
    found = Currency.objects.filter(pk=currency).values_list("exponent", flat=True).first()
    if found is None:
        raise errors.InvalidInput({"currency": _("There is no such currency.")})
    return found
