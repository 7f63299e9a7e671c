"""The rules of fees, limits and bounds that are typed by hand or handed in as a file: one place for both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from diamondpay.lib.errors import Words

Faults = dict[str, Words]


def negative(values: Mapping[str, Any], *names: str) -> Faults:
    """Return the amounts that are below 0."""
    found = ((name, values.get(name)) for name in names)
    return {name: _("Give 0 or more.") for name, value in found if value is not None and value < 0}


def out_of_order(values: Mapping[str, Any], lower: str, upper: str) -> Faults:
    """Return the upper bound when it is below its lower bound; 0 is no bound."""
    low, high = values.get(lower), values.get(upper)
    if low is not None and high is not None and high != 0 and high < low:
        return {upper: _("The upper bound is below the lower bound. Give 0 for no limit.")}
    return {}


def fee(values: Mapping[str, Any]) -> Faults:
    """Return a fee of 100 % or more, or below 0."""
    found = negative(values, "fee_permillage", "fee_fixed")
    rate = values.get("fee_permillage")
    if rate is not None and rate >= 1000:
        found["fee_permillage"] = _("A fee must be below 1000 ‰ (100 %).")
    return found


def bounds(values: Mapping[str, Any], lower: str, upper: str) -> Faults:
    """Return what is wrong with a pair of bounds."""
    return out_of_order(values, lower, upper) | negative(values, lower, upper)
