"""Amounts: Decimal in major units, rounded once, never through a float.

Every calculation that could lose a digit uses a context of its own: the interpreter's default keeps 28
digits, the book's columns 38.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, localcontext

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

DIGITS_MAX = 38
DECIMALS_MAX = 18
# What a page writes of a currency with more decimals, unless the amount has more: ether has eighteen.
DECIMALS_SHOWN = 8
_INTEGER_LIMIT = Decimal(10) ** (DIGITS_MAX - DECIMALS_MAX)
# Wide enough for a 38-digit number shifted by 38 places.
_WIDE = Context(prec=2 * DIGITS_MAX + 2, rounding=ROUND_HALF_UP, traps=[InvalidOperation])
_EXACT = Context(prec=2 * DIGITS_MAX + 2, traps=[InvalidOperation, Inexact])
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


class MoneyError(ValueError):
    """An amount cannot be read or converted; `reason` says why in words."""

    def __init__(self, reason: str | Promise) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return str(self.reason)


class NotPlain(MoneyError):
    """The text is not a plain decimal number."""


class DigitsLost(MoneyError):
    """The conversion would drop digits that are not zero."""


class AmountTooLarge(MoneyError):
    """The amount does not fit the book's columns (20 digits before the point, 18 after)."""


def quantise(amount: Decimal, exponent: int) -> Decimal:
    """Round half up (away from zero) to `exponent` decimals.

    Raises: AmountTooLarge when the result does not fit the book, also for NaN and infinity.
    """
    if not amount.is_finite() or amount.copy_abs() >= _INTEGER_LIMIT:
        raise AmountTooLarge(_("The amount is too large."))
    rounded = amount.quantize(Decimal(1).scaleb(-exponent), context=_WIDE)
    if rounded.copy_abs() >= _INTEGER_LIMIT:
        raise AmountTooLarge(_("The amount is too large."))
    return rounded


def converted(amount: Decimal, *, unit_price: Decimal, exponent: int) -> Decimal:
    """Return what an amount is worth in units that cost `unit_price` each, rounded once, half up.

    Raises: AmountTooLarge when the result does not fit the book.
    """
    return quantise(_WIDE.divide(amount, unit_price), exponent)


def priced(units: Decimal, *, unit_price: Decimal, exponent: int) -> Decimal:
    """Return what so many units cost at `unit_price` each, rounded once, half up.

    Raises: AmountTooLarge when the result does not fit the book.
    """
    return quantise(_WIDE.multiply(units, unit_price), exponent)


def is_within(amount: Decimal, *, expected: Decimal, below_percent: Decimal, above_percent: Decimal) -> bool:
    """Say whether the amount is at most so many percent under or over what was expected, ends included."""
    share = _WIDE.multiply(_WIDE.divide(amount, expected), Decimal(100))
    return _WIDE.subtract(Decimal(100), below_percent) <= share <= _WIDE.add(Decimal(100), above_percent)


def plain(amount: Decimal) -> str:
    """Return the amount as a plain decimal without trailing zeros, such as `1250.5`; every digit is kept."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_units(amount: Decimal, exponent: int) -> int:
    """Return the amount as a count of its smallest units, amount × 10^exponent.

    Raises: DigitsLost when the amount has more decimals than that.
    """
    if not amount.is_finite():
        raise DigitsLost(_("The amount is not a number."))
    with localcontext(_WIDE):
        units = amount.scaleb(exponent)
        whole = units.to_integral_value()
    if whole != units:
        raise DigitsLost(_("The amount has more decimals than can be written."))
    return int(whole)


def from_units(units: int, exponent: int) -> Decimal:
    """Return a count of smallest units as an amount, units ÷ 10^exponent, with exactly `exponent` decimals.

    Raises: AmountTooLarge when the amount does not fit the book.
    """
    # A number of this length is refused before it is converted, which would take quadratic time.
    if abs(units).bit_length() > 140:
        raise AmountTooLarge(_("The amount is too large."))
    with localcontext(_EXACT):
        amount = Decimal(units).scaleb(-exponent)
    if not fits_book(amount):
        raise AmountTooLarge(_("The amount is too large."))
    return amount


def to_hundredths(amount: Decimal) -> int:
    """Return the gateway API's integer: the amount × 100, for every currency.

    Raises: DigitsLost when the amount has more than two decimals.
    Source: gateway-api.md, 1. Conventions.
    """
    return to_units(amount, 2)


def from_hundredths(hundredths: int) -> Decimal:
    """Return the amount of a gateway API integer (× 100).

    Raises: AmountTooLarge when the amount does not fit the book.
    Source: gateway-api.md, 1. Conventions.
    """
    return from_units(hundredths, 2)


def fits_book(amount: Decimal) -> bool:
    """Say whether the amount can be stored without losing a digit: 20 digits before the point, 18 after."""
    if not amount.is_finite() or amount.copy_abs() >= _INTEGER_LIMIT:
        return False
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= -DECIMALS_MAX:
        return True
    return decimals_used(amount) <= DECIMALS_MAX


def decimals_used(amount: Decimal) -> int:
    """Return how many decimals the amount has, trailing zeros not counted."""
    parts = amount.as_tuple()
    if not isinstance(parts.exponent, int):
        raise AmountTooLarge(_("The amount is not a number."))
    decimals, digits = -parts.exponent, list(parts.digits)
    while decimals > 0 and digits and digits[-1] == 0:
        digits.pop()
        decimals -= 1
    return max(decimals, 0) if digits else 0


def parse_plain(text: str) -> Decimal:
    """Read a plain decimal: ASCII digits, perhaps a minus in front, perhaps a point with digits behind.

    Full-width digits, underscores, blanks, a plus, an exponent, leading zeros, minus zero, NaN and more
    than 38 digits are refused; `Decimal()` itself would take most of them.
    Raises: NotPlain.
    """
    # The length first, so that a megabyte of digits costs nothing.
    if len(text) > DIGITS_MAX + 2 or sum(character.isdigit() for character in text) > DIGITS_MAX:
        raise NotPlain(_("The number has more than 38 digits."))
    if _PLAIN.fullmatch(text) is None:
        raise NotPlain(_("Write a plain decimal number such as 1250.50."))
    number = Decimal(text)
    if number.is_zero() and number.is_signed():
        raise NotPlain(_("Minus zero is not a number to write."))
    return number


def render(amount: Decimal, exponent: int) -> str:
    """Return the amount for reading, such as `1,250.50`.

    Shows `exponent` decimals, of a currency with more than eight eight of them, and more when the amount has
    more: a page must never hide a digit.
    """
    if not amount.is_finite():
        raise AmountTooLarge(_("The amount is not a number."))
    # A column's value comes with all its 18 decimals; a list writes a hundred of them.
    whole, _point, decimals = f"{amount:,f}".partition(".")
    decimals = decimals.rstrip("0").ljust(min(exponent, DECIMALS_SHOWN), "0")
    return f"{whole}.{decimals}" if decimals else whole
