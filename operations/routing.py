"""Which of a merchant's wallets carries an order, and for every other one why not.

Order of preference: the channel's weight, for payouts then the greater available balance, then the wallet's
id.
Source: architecture.md, One function decides limits; backoffice.md, Limits.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels import rates
from channels.models import Channel, ChannelService, Direction, Service
from diamondpay.lib import errors, money, sql
from merchants.models import Merchant, MerchantChannel, MerchantService, ServiceBound
from operations import limits
from records.models import Account

Words = str | Promise

_WALLET = sql.Columns(MerchantChannel, table="wallet", at=1)
_CHANNEL = sql.Columns(Channel, table="channel", at=_WALLET.end)
_CHANNEL_SERVICE = sql.Columns(ChannelService, table="channel_service", at=_CHANNEL.end)
_BOUND = sql.Columns(ServiceBound, table="bound", at=_CHANNEL_SERVICE.end)
_WALLETS = f"""
    SELECT account.balance, {_WALLET}, {_CHANNEL}, {_CHANNEL_SERVICE}, {_BOUND}
    FROM merchants_merchantchannel AS wallet
    JOIN channels_channel AS channel ON channel.code = wallet.channel_id
    LEFT JOIN channels_channelservice AS channel_service
        ON channel_service.channel_id = channel.code AND channel_service.service_id = %(service)s
    LEFT JOIN merchants_servicebound AS bound
        ON bound.merchant_channel_id = wallet.id AND bound.service_id = %(service)s
        AND bound.terms_since IS NOT NULL
    LEFT JOIN records_account AS account
        ON account.merchant_channel_id = wallet.id AND account.kind = %(account_kind)s
    WHERE wallet.merchant_id = %(merchant)s
"""  # noqa: S608 - our own names


class Reason(enum.StrEnum):
    """Why a channel does not carry an order."""

    NOT_BOUND = "not_bound"
    WALLET_DISABLED = "wallet_disabled"
    CHANNEL_DISABLED = "channel_disabled"
    CHANNEL_SERVICE_DISABLED = "channel_service_disabled"
    RANGE_EMPTY = "range_empty"
    AMOUNT_OUTSIDE_RANGE = "amount_outside_range"
    BALANCE_TOO_LOW = "balance_too_low"
    NO_RATE = "no_rate"
    WORTH_TOO_LITTLE = "worth_too_little"
    SETTLED_ELSEWHERE = "settled_elsewhere"
    NOT_PREFERRED = "not_preferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOut:
    """A channel that does not carry the order, with the reason for programs and in words.

    `fault` is what the merchant is told where nothing else stands in the way.
    """

    channel_code: str
    merchant_channel_id: str
    reason: Reason
    words: Words
    fault: errors.DomainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A wallet that can carry an order. Units: major units.

    `available` is the wallet's available balance, read for payouts alone.
    """

    merchant_channel: MerchantChannel
    channel: Channel
    channel_service: ChannelService
    range: limits.Range
    available: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A wallet as a form offers it, before there is an amount: with its range, or with why it is not offered.

    `channel_service` and `range` are None where the channel does not carry the service; `bounds` are the
    limits that the range comes from.
    """

    merchant_channel: MerchantChannel
    channel: Channel
    channel_service: ChannelService | None
    range: limits.Range | None
    available: Decimal | None
    obstacle: RuledOut | None
    bounds: tuple[limits.Bound, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The wallet that was picked and why the others were not."""

    choice: Choice
    ruled_out: tuple[RuledOut, ...]

    def as_json(self) -> dict[str, object]:
        """Return the decision as stored on the order (`routing`), with the words as they read now."""
        return {
            "channel": self.choice.channel.pk,
            "merchant_channel": self.choice.merchant_channel.pk,
            "weight": self.choice.channel.weight,
            "range": self.choice.range.as_json(),
            "ruled_out": [
                {
                    "channel": out.channel_code,
                    "merchant_channel": out.merchant_channel_id,
                    "reason": out.reason.value,
                    "words": str(out.words),
                }
                for out in self.ruled_out
            ],
        }


def options(*, merchant: Merchant, merchant_service: MerchantService, service: Service) -> list[Option]:
    """Return all of the merchant's wallets for the service, the preferred first, each offered or explained.

    One query, however many wallets there are.
    """
    asked = {
        "merchant": merchant.pk,
        "service": service.pk,
        # Deposits need no balance, and an account is the row that every credit changes.
        "account_kind": Account.Kind.AVAILABLE if service.direction == Direction.PAYOUT else None,
    }
    found_options = []
    for row in sql.rows(_WALLETS, asked):
        wallet = _WALLET.take(row)
        wallet.merchant, wallet.channel = merchant, _CHANNEL.take(row)
        found_options.append(
            option_of(
                wallet=wallet,
                channel_service=_CHANNEL_SERVICE.read(row),
                merchant_service=merchant_service,
                service=service,
                service_bound=_BOUND.read(row),
                available=row[0],
            )
        )
    return sorted(found_options, key=preference)


def pick(
    *,
    merchant: Merchant,
    merchant_service: MerchantService,
    service: Service,
    amount: Decimal,
    needed: Decimal | Callable[[str], Decimal],
    settlement_currency: str = "",
    merchant_channel_id: str = "",
    channel_code: str = "",
    channel_codes: frozenset[str] | None = None,
) -> Decision:
    """Pick the wallet that carries the order; with `channel_codes`, among those channels.

    Units: amount and needed in major units; `needed` is what a payout takes from the wallet (amount + fee): a
    sum in the service's currency, or what tells it for a wallet's currency and raises a DomainError where it
    cannot. With `settlement_currency` only wallets in that currency carry the order.
    Balances are read without a lock: the posting itself decides whether the money was still there.
    Raises: ChannelUnknown when a named wallet or channel is not the merchant's; ChannelRequired;
    InsufficientBalance, AmountBelowMinimum, AmountAboveMaximum or NoAmountPossible when only that stands in
    the way; else NoChannelAvailable. `details` say for each channel why.
    """
    offered = options(merchant=merchant, merchant_service=merchant_service, service=service)
    if merchant_channel_id or channel_code:
        offered = [
            option
            for option in offered
            if merchant_channel_id in ("", option.merchant_channel.pk)
            and channel_code in ("", option.channel.pk)
        ]
        if not offered:
            raise errors.ChannelUnknown
    elif service.requires_merchant_channel:
        raise errors.ChannelRequired
    if channel_codes is not None:
        offered = [option for option in offered if option.channel.pk in channel_codes]
    return choose(
        offered=offered,
        service=service,
        amount=amount,
        needed=needed,
        settlement_currency=settlement_currency,
    )


def choose(
    *,
    offered: list[Option],
    service: Service,
    amount: Decimal,
    needed: Decimal | Callable[[str], Decimal],
    settlement_currency: str = "",
) -> Decision:
    """Choose among the options, in their order, the wallet that carries the amount.

    Units: as for `pick`. Raises: as `pick` does where a wallet is not named.
    """
    choices: list[Choice] = []
    ruled_out: list[RuledOut] = []
    for option in offered:
        tried = _settled_elsewhere(option, settlement_currency) or _try(
            option, amount=amount, needed=_needed_of(option, service, needed)
        )
        if isinstance(tried, Choice):
            choices.append(tried)
        else:
            ruled_out.append(tried)
    if not choices:
        _refuse(offered=offered, ruled_out=ruled_out, amount=amount)
    ruled_out.extend(
        _ruled_out(choice.merchant_channel, Reason.NOT_PREFERRED, _("Another channel is preferred."))
        for choice in choices[1:]
    )
    return Decision(choice=choices[0], ruled_out=tuple(ruled_out))


def option_of(
    *,
    wallet: MerchantChannel,
    channel_service: ChannelService | None,
    merchant_service: MerchantService,
    service: Service,
    service_bound: ServiceBound | None,
    available: Decimal | None,
) -> Option:
    channel = wallet.channel
    allowed, bounds = None, list[limits.Bound]()
    if channel_service is not None:
        bounds = limits.bounds_of(
            direction=service.direction,
            channel=channel,
            channel_service=channel_service,
            merchant_service=merchant_service,
            service_bound=service_bound,
        )
        allowed = limits.intersect(bounds, currency=service.currency_id)
    return Option(
        merchant_channel=wallet,
        channel=channel,
        channel_service=channel_service,
        range=allowed,
        available=available,
        bounds=tuple(bounds),
        obstacle=_obstacle(
            wallet=wallet,
            service=service,
            channel_service=channel_service,
            allowed=allowed,
            available=available,
        ),
    )


def _obstacle(
    *,
    wallet: MerchantChannel,
    service: Service,
    channel_service: ChannelService | None,
    allowed: limits.Range | None,
    available: Decimal | None,
) -> RuledOut | None:
    """Return what stands in the way whatever the amount, the most lasting obstacle first."""
    if channel_service is None or allowed is None:
        return _ruled_out(wallet, Reason.NOT_BOUND, _("The channel does not carry this service."))
    if wallet.channel.currency_id != service.currency_id:
        words = _("The channel is in another currency than the service.")
        return _ruled_out(wallet, Reason.NOT_BOUND, words)
    if wallet.status != MerchantChannel.Status.ENABLED:
        words = _("The merchant's wallet on this channel is disabled.")
        return _ruled_out(wallet, Reason.WALLET_DISABLED, words)
    if wallet.channel.status != Channel.Status.ENABLED:
        return _ruled_out(wallet, Reason.CHANNEL_DISABLED, _("The channel is disabled."))
    if channel_service.status != ChannelService.Status.ENABLED:
        words = _("The service is disabled on this channel.")
        return _ruled_out(wallet, Reason.CHANNEL_SERVICE_DISABLED, words)
    if not allowed.is_possible:
        return _ruled_out(wallet, Reason.RANGE_EMPTY, allowed.explain())
    if available is not None and available <= 0:
        return _ruled_out(wallet, Reason.BALANCE_TOO_LOW, _("The wallet has no available balance."))
    return None


def _settled_elsewhere(option: Option, currency: str) -> RuledOut | None:
    wallet = option.merchant_channel
    if not currency or wallet.currency_id == currency:
        return None
    words = _("The wallet is settled in another currency.")
    return _ruled_out(wallet, Reason.SETTLED_ELSEWHERE, words)


def _needed_of(
    option: Option, service: Service, needed: Decimal | Callable[[str], Decimal]
) -> Decimal | errors.DomainError:
    """Return what the order takes from the wallet, in its currency, or why that cannot be told."""
    currency = option.merchant_channel.currency_id
    if isinstance(needed, Decimal):
        return needed if currency == service.currency_id else rates.NoRate()
    try:
        return needed(currency)
    except errors.DomainError as fault:
        return fault


def _try(option: Option, *, amount: Decimal, needed: Decimal | errors.DomainError) -> Choice | RuledOut:
    if option.obstacle is not None and option.obstacle.reason != Reason.BALANCE_TOO_LOW:
        return option.obstacle
    if option.channel_service is None or option.range is None:
        raise AssertionError("a wallet whose channel does not carry the service has an obstacle")
    wallet = option.merchant_channel
    if not option.range.contains(amount):
        shape = _("The amount is outside {range}.")
        words = format_lazy(shape, range=option.range.explain())
        return _ruled_out(wallet, Reason.AMOUNT_OUTSIDE_RANGE, words)
    if isinstance(needed, errors.DomainError):
        reason = Reason.NO_RATE if isinstance(needed, rates.NoRate) else Reason.WORTH_TOO_LITTLE
        return dataclasses.replace(_ruled_out(wallet, reason, needed.message), fault=needed)
    if option.available is not None and option.available < needed:
        words = format_lazy(
            _("The available balance of {available} is below the {needed} that are needed."),
            available=money.render(option.available, 0),
            needed=money.render(needed, 0),
        )
        return _ruled_out(wallet, Reason.BALANCE_TOO_LOW, words)
    return Choice(
        merchant_channel=wallet,
        channel=option.channel,
        channel_service=option.channel_service,
        range=option.range,
        available=option.available,
    )


def _refuse(*, offered: list[Option], ruled_out: list[RuledOut], amount: Decimal) -> NoReturn:
    """Raise what the merchant can act upon: its balance, its amount, or that there is no channel."""
    details = {out.merchant_channel_id: f"{out.channel_code}: {out.words}" for out in ruled_out}
    if any(out.reason == Reason.BALANCE_TOO_LOW for out in ruled_out):
        raise errors.InsufficientBalance(details=details)
    by_amount = {
        out.merchant_channel_id
        for out in ruled_out
        if out.reason in (Reason.AMOUNT_OUTSIDE_RANGE, Reason.RANGE_EMPTY)
    }
    ranges = [
        option.range
        for option in offered
        if option.merchant_channel.pk in by_amount and option.range is not None
    ]
    if ranges:
        limits.check(limits.widest(ranges, amount), amount)
    for out in ruled_out:
        if out.fault is not None:
            raise out.fault
    raise errors.NoChannelAvailable(details=details)


def _ruled_out(wallet: MerchantChannel, reason: Reason, words: Words) -> RuledOut:
    return RuledOut(channel_code=wallet.channel_id, merchant_channel_id=wallet.pk, reason=reason, words=words)


def preference(option: Option) -> tuple[int, Decimal, str]:
    return (-option.channel.weight, -(option.available or Decimal(0)), option.merchant_channel.pk)
