"""What an order costs. Rounded half up to the currency's exponent, once.

Source: backoffice.md, Fees: permillage (3 ‰), fixed (2), mixed (2 ‰ + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal

from django.utils.translation import gettext_lazy as _

from channels.models import FeeType
from diamondpay.lib import errors, money

# 38 digits of an amount times 9 of a rate, without losing one before the rounding.
_EXACT = Context(prec=80)
_PER_MILLE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The fee of a deposit and what the merchant is credited. Units: major units, rounded."""

    fee: Decimal
    credited: Decimal


def fee_of(
    *, amount: Decimal, fee_type: str, fee_permillage: Decimal, fee_fixed: Decimal, exponent: int
) -> Decimal:
    """Return the fee by its rule, whatever the amount; a payout debits amount + fee.

    Units: major units of a currency with `exponent` decimals.
    Raises: FeeTypeUnknown; money.AmountTooLarge.
    """
    share = _EXACT.multiply(amount, fee_permillage).scaleb(-_PER_MILLE, context=_EXACT)
    match fee_type:
        case FeeType.PERMILLAGE:
            fee = share
        case FeeType.FIXED:
            fee = fee_fixed
        case FeeType.MIXED:
            fee = _EXACT.add(share, fee_fixed)
        case _:
            raise errors.FeeTypeUnknown(details={"fee_type": fee_type})
    return money.quantise(fee, exponent)


def quote(
    *, amount: Decimal, fee_type: str, fee_permillage: Decimal, fee_fixed: Decimal, exponent: int
) -> Quote:
    """Return the fee and the credited amount that a deposit of this amount would have.

    Units: major units of a currency with `exponent` decimals.
    Raises: AmountBelowMinimum when the fee would reach the amount, so that nothing would be credited;
    FeeTypeUnknown; money.AmountTooLarge.
    """
    fee = fee_of(
        amount=amount,
        fee_type=fee_type,
        fee_permillage=fee_permillage,
        fee_fixed=fee_fixed,
        exponent=exponent,
    )
    if fee >= amount:
        raise errors.AmountBelowMinimum(
            _("The fee of %(fee)s would use up the whole amount.") % {"fee": money.render(fee, exponent)},
            details={"fee": str(fee), "amount": str(amount)},
        )
    return Quote(fee=fee, credited=_EXACT.subtract(amount, fee))


def quote_settled(
    *, settled: Decimal, fee_type: str, fee_permillage: Decimal, fee_fixed: Decimal, exponent: int
) -> Quote:
    """Return the fee and the credited amount of what really arrived; the fee never exceeds it (L9).

    Less than was asked for may have arrived: it is booked whatever the fee leaves of it.
    Units: major units of a currency with `exponent` decimals.
    Raises: FeeTypeUnknown; money.AmountTooLarge.
    """
    by_rule = fee_of(
        amount=settled,
        fee_type=fee_type,
        fee_permillage=fee_permillage,
        fee_fixed=fee_fixed,
        exponent=exponent,
    )
    fee = min(by_rule, settled)
    return Quote(fee=fee, credited=_EXACT.subtract(settled, fee))
