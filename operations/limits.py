"""The one function that decides which amounts are allowed, and explains itself.

The forms, the APIs and routing all ask it.
Source: backoffice.md, Limits: final lower = max, final upper = min of those that are not 0; 0 = no limit;
bounds are inclusive; upper < lower = no amount possible; the service boundary is named when several bind
equally.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db import models
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, ChannelService, Direction
from diamondpay.lib import errors, money
from merchants.models import MerchantService, ServiceBound

Words = str | Promise


class LimitSource(models.TextChoices):
    """Who sets a limit, from the most particular to the most general: the first is named among equals."""

    SERVICE_BOUNDARY = "service_boundary", _("service boundary")
    SERVICE = "service", _("service")
    CHANNEL_SERVICE = "channel_service", _("channel service")
    CHANNEL = "channel", _("channel")


_RANK = {source: rank for rank, source in enumerate(LimitSource)}


@dataclass(frozen=True, slots=True)
class Bound:
    """The limits that one source sets. Units: major units, inclusive; 0 = no limit."""

    source: LimitSource
    lower: Decimal
    upper: Decimal

    def __post_init__(self) -> None:
        for limit in (self.lower, self.upper):
            if not limit.is_finite() or limit < 0:
                raise ValueError(f"a limit is 0 or more, not {limit}")


@dataclass(frozen=True, slots=True)
class Range:
    """The amounts that every source allows. Units: major units, inclusive; 0 = no limit.

    A source is None where nothing binds that end. With `is_possible` False no amount is allowed.
    """

    lower: Decimal
    upper: Decimal
    lower_source: LimitSource | None
    upper_source: LimitSource | None
    currency: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether any amount is allowed."""
        return self.upper == 0 or self.lower <= self.upper

    def contains(self, amount: Decimal) -> bool:
        """Say whether the amount is allowed."""
        return self.is_possible and amount >= self.lower and (self.upper == 0 or amount <= self.upper)

    def explain(self) -> Words:
        """Return the range and what binds it: `100 – 20,000 CNY (both bounds: service)`."""
        shape = _("{lower} – {upper}{unit} ({bound})")
        if self.lower_source is None and self.upper_source is None:
            return _("any amount")
        if self.lower_source is None:
            shape = _("up to {upper}{unit} ({bound})")
        elif self.upper_source is None:
            shape = _("from {lower}{unit} ({bound})")
        elif not self.is_possible:
            shape = _("no amount possible: at least {lower}{unit} and at most {upper}{unit} ({bound})")
        return format_lazy(
            shape,
            lower=money.render(self.lower, 0),
            upper=money.render(self.upper, 0),
            unit=f" {self.currency}" if self.currency else "",
            bound=self._binding(),
        )

    def as_json(self) -> dict[str, str]:
        """Return the range for an order's `routing` and an error's details; "" where nothing binds."""
        return {
            "lower": f"{self.lower.normalize():f}",
            "upper": f"{self.upper.normalize():f}",
            "lower_source": self.lower_source.value if self.lower_source else "",
            "upper_source": self.upper_source.value if self.upper_source else "",
        }

    def _binding(self) -> Words:
        lower, upper = self.lower_source, self.upper_source
        if lower is None:
            return format_lazy(_("upper bound: {source}"), source=upper.label if upper else "")
        if upper is None:
            return format_lazy(_("lower bound: {source}"), source=lower.label)
        if lower == upper:
            return format_lazy(_("both bounds: {source}"), source=lower.label)
        shape = _("lower bound: {lower}, upper bound: {upper}")
        return format_lazy(shape, lower=lower.label, upper=upper.label)


def intersect(bounds: Iterable[Bound], *, currency: str = "") -> Range:
    """Return the amounts that all of the bounds allow, whatever their order; of no bounds, any amount.

    Source: backoffice.md, Limits.
    """
    ordered = sorted(bounds, key=lambda bound: _RANK[bound.source])
    # max and min keep the first of equals, which is the most particular source.
    lowest = max((bound for bound in ordered if bound.lower), key=lambda bound: bound.lower, default=None)
    highest = min((bound for bound in ordered if bound.upper), key=lambda bound: bound.upper, default=None)
    return Range(
        lower=lowest.lower if lowest else Decimal(0),
        upper=highest.upper if highest else Decimal(0),
        lower_source=lowest.source if lowest else None,
        upper_source=highest.source if highest else None,
        currency=currency,
    )


def bounds_of(
    *,
    direction: str,
    channel: Channel,
    channel_service: ChannelService,
    merchant_service: MerchantService,
    service_bound: ServiceBound | None,
) -> list[Bound]:
    """Return the limits that apply to an order of the service on the wallet's channel."""
    is_deposit = direction == Direction.DEPOSIT
    found = [
        Bound(
            LimitSource.CHANNEL,
            channel.payment_lower_bound if is_deposit else channel.payout_lower_bound,
            channel.payment_upper_bound if is_deposit else channel.payout_upper_bound,
        ),
        Bound(LimitSource.CHANNEL_SERVICE, channel_service.lower_bound, channel_service.upper_bound),
        Bound(
            LimitSource.SERVICE,
            merchant_service.single_limit_lower_bound,
            merchant_service.single_limit_upper_bound,
        ),
    ]
    if service_bound is not None:
        found.append(
            Bound(LimitSource.SERVICE_BOUNDARY, service_bound.lower_bound, service_bound.upper_bound)
        )
    return found


def check(allowed: Range, amount: Decimal) -> None:
    """Pass an amount that is allowed.

    Raises: AmountBelowMinimum, AmountAboveMaximum, NoAmountPossible, each with the range and what binds it.
    """
    if allowed.contains(amount):
        return
    details = {**allowed.as_json(), "amount": f"{amount:f}"}
    if not allowed.is_possible:
        raise errors.NoAmountPossible(
            format_lazy(_("The limits that apply leave no amount: {range}."), range=allowed.explain()),
            details=details,
        )
    shape = _("The amount {amount} is outside what is allowed: {range}.")
    message = format_lazy(shape, amount=money.render(amount, 0), range=allowed.explain())
    if amount < allowed.lower:
        raise errors.AmountBelowMinimum(message, details=details)
    raise errors.AmountAboveMaximum(message, details=details)


def widest(ranges: Iterable[Range], amount: Decimal) -> Range:
    """Return, of ranges that all leave the amount out, the one to tell: the end nearest to the amount.

    Ranges that allow nothing are told only when there are no others.
    Raises: ValueError when there are no ranges at all.
    """
    found = list(ranges)
    possible = [allowed for allowed in found if allowed.is_possible]
    if not possible:
        if not found:
            raise ValueError("no ranges")
        return found[0]
    return min(possible, key=lambda allowed: _distance(allowed, amount))


def _distance(allowed: Range, amount: Decimal) -> Decimal:
    if amount < allowed.lower:
        return allowed.lower - amount
    return amount - allowed.upper if allowed.upper and amount > allowed.upper else Decimal(0)
