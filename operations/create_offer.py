"""What a person may choose for a new order, and for everything that is not offered the reason in words.

Source: seed 002, Select Merchant, Select Service, Select Channel and its FAQ; backoffice.md, Limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.models import ChannelService, Direction, Service
from diamondpay.lib import errors
from diamondpay.models import User
from merchants.models import Merchant, MerchantService
from operations import limits, routing, service_options
from records import filters, ledger

Words = errors.Words
_WITHOUT_WALLET_MAX = 50

_PAYMENT_OWN = "operations.operation_payment_write"
_PAYMENT_GLOBAL = "operations.operation_payment_global_write"
_PAYOUT_OWN = "operations.operation_payout_write"
_PAYOUT_GLOBAL = "operations.operation_payout_global_write"
# The right to create for the own merchant (1014, 1015) and for any (1021, 1022).
RIGHTS = {
    Direction.DEPOSIT.value: (_PAYMENT_OWN, _PAYMENT_GLOBAL),
    Direction.PAYOUT.value: (_PAYOUT_OWN, _PAYOUT_GLOBAL),
}
_REASONS_OF_NO_CHANNEL = frozenset({routing.Reason.NOT_BOUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that is not offered, and why; `is_activated` is False for services the merchant has not."""

    key: str
    name: str
    words: Words
    is_activated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A wallet as this person may see it. Units: balances in major units of the wallet's currency.

    `option.obstacle` says why it cannot be chosen; `name` tells the channel only to whom it is shown.
    """

    option: routing.Option
    name: str
    available: Decimal
    frozen: Decimal

    @property
    def key(self) -> str:
        """The wallet's id, which is what the form sends."""
        return str(self.option.merchant_channel.pk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An activated service that can be chosen, with the range that the service itself sets."""

    terms: MerchantService
    range: limits.Range
    options: tuple[routing.Option, ...]

    @property
    def service(self) -> Service:
        """The service."""
        return self.terms.service


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All services of a direction as one merchant has them."""

    offered: tuple[Offered, ...]
    left_out: tuple[LeftOut, ...]

    def find(self, service_id: str) -> Offered | None:
        """Return an offered service."""
        return next((each for each in self.offered if each.service.pk == service_id), None)

    def why_not(self, service_id: str) -> LeftOut | None:
        """Return why a service is not offered, None where there is no such service."""
        return next((each for each in self.left_out if each.key == service_id), None)


def merchants_for(*, user: User, direction: str) -> QuerySet[Merchant]:
    """Return the merchants for whom the person may create orders; disabled ones too.

    The global right means any merchant that the person may see, the other the merchants they belong to.
    Source: seed 002, Permission Details.
    """
    own, everywhere = RIGHTS[direction]
    merchants = Merchant.objects.order_by("pk")
    if user.has_perm(everywhere):
        return filters.visible_to(user, merchants)
    if user.has_perm(own):
        return filters.visible_to(user, merchants.filter(memberships__user=user))
    return merchants.none()


def may_create_for(*, user: User, direction: str, merchant_id: str) -> bool:
    """Say whether the person may create orders for this merchant; asks the database nothing new."""
    own, everywhere = RIGHTS[direction]
    confined = filters.confined_to(user)
    if user.has_perm(everywhere):
        return confined is None or merchant_id in confined
    return user.has_perm(own) and merchant_id in (confined or ())


def services_of(*, merchant: Merchant, direction: str) -> Services:
    """Return the services of a direction, each offered with its range or left out with its reason.

    Six queries, however many services and channels there are.
    """
    activated = {
        terms.service_id: terms
        for terms in MerchantService.objects.filter(
            merchant=merchant, service__direction=direction
        ).select_related("service__currency", "service__service_type")
    }
    options = service_options.by_service(merchant=merchant, activated=list(activated.values()))
    offered: list[Offered] = []
    left_out: list[LeftOut] = []
    for service in Service.objects.filter(direction=direction).order_by("pk"):
        terms = activated.get(service.pk)
        found = tuple(options.get(service.pk, ()))
        words = _why_not(service, terms, found)
        if words is None and terms is not None:
            offered.append(Offered(terms=terms, range=_own_range(terms), options=found))
        elif words is not None:
            is_activated = terms is not None
            found_out = LeftOut(key=service.pk, name=str(service), words=words, is_activated=is_activated)
            left_out.append(found_out)
    return Services(offered=tuple(offered), left_out=tuple(left_out))


def channels_of(*, offered: Offered, user: User) -> tuple[list[Channel], list[LeftOut]]:
    """Return the merchant's channels that can carry the service, and those that cannot with the reason.

    Whoever may see channels is also told of those on which the merchant has no wallet.
    """
    names_channels = user.has_perm("channels.view_channel")
    balances = ledger.balances(option.merchant_channel.pk for option in offered.options)
    usable: list[Channel] = []
    left_out: list[LeftOut] = []
    for option in offered.options:
        wallet = option.merchant_channel
        name = _name(option, names_channels=names_channels)
        if option.obstacle is not None:
            left_out.append(LeftOut(key=wallet.pk, name=name, words=option.obstacle.words))
            continue
        available, frozen = balances.get(wallet.pk, (Decimal(0), Decimal(0)))
        usable.append(Channel(option=option, name=name, available=available, frozen=frozen))
    return usable, [*left_out, *_without_wallet(offered, user)]


def _without_wallet(offered: Offered, user: User) -> Iterator[LeftOut]:
    """Tell of channels that carry the service and are not bound to the merchant."""
    if not user.has_perm("channels.view_channel"):
        return
    carried = filters.visible_to(user, ChannelService.objects.filter(service=offered.service))
    bound = [option.channel.pk for option in offered.options]
    for code in (carried.exclude(channel__in=bound).order_by("channel").values_list("channel", flat=True))[
        :_WITHOUT_WALLET_MAX
    ]:
        words = _("It is not bound: the merchant has no wallet on this channel.")
        yield LeftOut(key=code, name=code, words=words)


def _name(option: routing.Option, *, names_channels: bool) -> str:
    wallet = option.merchant_channel
    second = option.channel.pk if names_channels else wallet.name
    return f"{wallet.pk} {second}".strip()


def _own_range(terms: MerchantService) -> limits.Range:
    own = limits.Bound(
        limits.LimitSource.SERVICE, terms.single_limit_lower_bound, terms.single_limit_upper_bound
    )
    return limits.intersect([own], currency=terms.service.currency_id)


def _why_not(
    service: Service, terms: MerchantService | None, options: tuple[routing.Option, ...]
) -> Words | None:
    """Return why a service is not offered, the most lasting reason first; None where it is.

    Source: seed 002, FAQ: not activated, disabled, no available channels bound.
    """
    if terms is None:
        return _("The merchant has not activated it.")
    if service.status != Service.Status.OPEN:
        return _("It is activated, and the service itself is closed.")
    if terms.terms_since is None:
        return _("It is not in force yet: its first activation is decided by a second person.")
    if terms.status != MerchantService.Status.ENABLED:
        return _("It is activated, and disabled for this merchant.")
    bound = [
        option
        for option in options
        if option.obstacle is None or option.obstacle.reason not in _REASONS_OF_NO_CHANNEL
    ]
    if not bound:
        return _("No channel is bound to it: none of the merchant's wallets is on a channel that carries it.")
    if any(option.obstacle is None for option in bound):
        return None
    if len(bound) == 1 and bound[0].obstacle is not None:
        return format_lazy(_("Its only channel cannot be used: {why}"), why=bound[0].obstacle.words)
    said = {str(option.obstacle.words) for option in bound if option.obstacle is not None}
    shape = _("None of its {count} channels can be used: {why}")
    return format_lazy(shape, count=len(bound), why=" ".join(sorted(said)))
