"""One look at the form of a new order: what can be chosen, what is asked for, what is wrong, what it costs.

The page draws it, and the order that is placed is read from it; placement decides everything once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.models import Currency, Service
from channels.upstreams import base
from diamondpay.lib import clock, errors, money
from diamondpay.models import User
from merchants import queries
from merchants.models import Merchant
from operations import create_entry, create_offer, limits, placement, settlement
from operations.create_entry import Entry, Input
from operations.create_kinds import Kind
from records.dialects import gateway
from records.models import Payment, Payout, Source

Words = errors.Words
# Which field a refusal of placement is about, by its code.
_FIELD_OF = {
    "amount_below_minimum": "amount", "amount_above_maximum": "amount", "no_amount_possible": "amount",
    "insufficient_balance": "amount", "service_unknown": "service", "service_closed": "service",
    "service_not_activated": "service", "fee_type_unknown": "service", "no_channel_available": "channel",
    "channel_unknown": "channel", "channel_required": "channel", "bank_unknown": "bank",
    "merchant_disabled": "merchant",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What the order costs the wallet. Units: major units of `unit`, the wallet's currency; `total` is what a
    payout freezes, a deposit credits.
    """

    amount: Decimal
    fee: Decimal
    total: Decimal
    unit: Currency


@dataclass(kw_only=True)
class Desk:
    """The form with everything around it."""

    kind: Kind
    user: User
    entry: Entry
    choice: queries.MerchantChoice
    services: create_offer.Services | None = None
    offered: create_offer.Offered | None = None
    channels: list[create_offer.Channel] = field(default_factory=list)
    channels_left_out: list[create_offer.LeftOut] = field(default_factory=list)
    channel: create_offer.Channel | None = None
    inputs: list[Input] = field(default_factory=list)
    like: Payment | Payout | None = None
    kept: Mapping[str, str] = field(default_factory=dict)

    @property
    def merchant(self) -> Merchant | None:
        """The chosen merchant."""
        return self.choice.chosen

    @property
    def service(self) -> Service | None:
        """The chosen service."""
        return self.offered.service if self.offered is not None else None

    @property
    def range(self) -> limits.Range | None:
        """The amounts that are available: on the chosen channel, else as far as the service tells."""
        if self.channel is not None and self.channel.option.range is not None:
            return self.channel.option.range
        return self.offered.range if self.offered is not None else None


def look(*, kind: Kind, user: User, entry: Entry) -> Desk:
    """Return the form as it stands for what was entered so far; wrong choices are simply not chosen."""
    allowed = create_offer.merchants_for(user=user, direction=kind.direction)
    desk = Desk(kind=kind, user=user, entry=entry, choice=queries.choose_merchant(allowed, entry.merchant))
    if desk.merchant is None:
        return desk
    desk.like = create_entry.order_like(kind=kind, user=user, number=entry.like)
    desk.kept = create_entry.kept_of(like=desk.like, merchant_id=desk.merchant.pk)
    if desk.merchant.status != Merchant.Status.ACTIVE:
        return desk
    desk.services = create_offer.services_of(merchant=desk.merchant, direction=kind.direction)
    desk.offered = desk.services.find(entry.service)
    if desk.offered is None:
        return desk
    desk.channels, desk.channels_left_out = create_offer.channels_of(offered=desk.offered, user=user)
    desk.channel = next((each for each in desk.channels if each.key == entry.channel), None)
    if desk.channel is None and len(desk.channels) == 1 and not entry.channel:
        desk.channel = desk.channels[0]
    desk.inputs = create_entry.inputs_of(kind=kind, service=desk.offered.service, entry=entry, kept=desk.kept)
    return desk


def quote(desk: Desk) -> Quote | None:
    """Return what the typed amount costs by the service's terms; None while it cannot be told."""
    if desk.offered is None:
        return None
    try:
        amount = money.parse_plain(desk.entry.amount)
        return _quote(desk, amount) if amount > 0 else None
    except (money.MoneyError, errors.DomainError):
        return None


def _quote(desk: Desk, amount: Decimal) -> Quote:
    """Raises: AmountBelowMinimum, FeeTypeUnknown, NoRate, money.AmountTooLarge."""
    if desk.offered is None:
        raise ValueError("no service is chosen")
    service = desk.offered.service
    unit = desk.channel.option.merchant_channel.currency if desk.channel is not None else service.currency
    settled = settlement.Settlement(
        service=service, terms=desk.offered.terms, amount=amount, now=clock.now()
    ).worth(unit.pk)
    total = settled.debited if desk.kind.is_payout else settled.amount - settled.fee
    return Quote(amount=settled.amount, fee=settled.fee, total=total, unit=unit)


def order_of(
    desk: Desk, *, order_no: str, address: str | None, fee_expected: Decimal | None = None
) -> placement.NewPayment | placement.NewPayout:
    """Return the order to place.

    Raises: InvalidInput naming everything that is wrong at once, by the form's fields.
    """
    complaints: dict[str, Words] = {}
    _check_choices(desk, complaints)
    amount = _amount(desk, complaints)
    values = create_entry.values_of(inputs=desk.inputs, kept=desk.kept, complaints=complaints)
    create_entry.check_notify_url(desk.entry.notify_url, complaints)
    if complaints or desk.merchant is None or desk.offered is None or desk.channel is None:
        raise errors.InvalidInput(complaints)
    named = {attribute: values.get(name, "") for name, attribute in create_entry.PARTY_NAMES.items()}
    shared = placement.NewOrder(
        merchant=desk.merchant,
        service_id=desk.offered.service.pk,
        merchant_order_no=order_no,
        amount=amount,
        party=base.Party(**named),
        sign_type=gateway.answer_sign_type(is_md5_allowed=desk.merchant.is_md5_allowed),
        source=Source.BACK_OFFICE,
        notify_url=desk.entry.notify_url,
        bank=values.get("bank", ""),
        merchant_channel_id=desk.channel.key,
        is_test=True,
        placed_by=desk.user,
        address=address,
    )
    fields = {name: getattr(shared, name) for name in shared.__dataclass_fields__}
    if desk.kind.is_payout:
        return placement.NewPayout(**fields, fee_expected=fee_expected)
    tails = tuple(values.get("last_number", "").split())
    return placement.NewPayment(**fields, remark_code=values.get("remark_code", ""), last_numbers=tails)


def complaints_of(refusal: errors.DomainError) -> dict[str, Words]:
    """Return a refusal of placement by the form's fields; "" for what is about none of them."""
    if isinstance(refusal, errors.InvalidInput):
        return {"" if name == "currency" else name: words for name, words in refusal.fields.items()}
    return {_FIELD_OF.get(refusal.code, ""): refusal.message}


def _check_choices(desk: Desk, complaints: dict[str, Words]) -> None:
    entry = desk.entry
    if desk.merchant is None:
        complaints["merchant"] = _("Choose a merchant.")
        if entry.merchant:
            complaints["merchant"] = _("There is no such merchant, or you may not create orders for it.")
        return
    if desk.services is None:
        complaints["merchant"] = _("This merchant is disabled.")
        return
    if desk.offered is None:
        why = desk.services.why_not(entry.service)
        complaints["service"] = (
            _("Choose a service.") if not entry.service else _("There is no such service.")
        )
        if why is not None:
            complaints["service"] = format_lazy(
                _("{service} is not available. {why}"), service=why.name, why=why.words
            )
        return
    if desk.channel is None:
        complaints["channel"] = why_no_channel(desk) or _("Choose a channel.")


def why_no_channel(desk: Desk) -> Words:
    """Return why the channel that was asked for is not chosen; "" where none was."""
    if not desk.entry.channel or desk.channel is not None:
        return ""
    for each in desk.channels_left_out:
        if each.key == desk.entry.channel:
            return format_lazy(_("{channel} is not available. {why}"), channel=each.name, why=each.words)
    return _("This merchant has no such channel.")


def _amount(desk: Desk, complaints: dict[str, Words]) -> Decimal:
    """Return the amount, or 0 with what is wrong with it written into `complaints`."""
    text, service = desk.entry.amount, desk.service
    try:
        if not text:
            complaints["amount"] = _("Give the amount.")
            return Decimal(0)
        amount = money.parse_plain(text)
        if amount <= 0:
            complaints["amount"] = _("The amount must be positive.")
        elif service is None:
            return amount
        elif money.decimals_used(amount) > service.currency.exponent:
            shape = _("{currency} has at most {count} decimals.")
            complaints["amount"] = format_lazy(
                shape, currency=service.currency_id, count=service.currency.exponent
            )
        else:
            _check_range(desk, amount)
            return amount
    except money.MoneyError as fault:
        complaints["amount"] = fault.reason
    except errors.DomainError as refusal:
        complaints["amount"] = refusal.message
    return Decimal(0)


def _check_range(desk: Desk, amount: Decimal) -> None:
    """Raises: DomainError of the limits, of the fee, or of the wallet's balance."""
    if desk.range is not None:
        limits.check(desk.range, amount)
    costs = _quote(desk, amount)
    if not desk.kind.is_payout or desk.channel is None or desk.service is None:
        return
    if desk.channel.available < costs.total:
        exponent = costs.unit.exponent
        shape = _("The wallet has {available} available, and {total} would be frozen ({amount} + fee {fee}).")
        raise errors.InsufficientBalance(
            format_lazy(
                shape,
                available=money.render(desk.channel.available, exponent),
                total=money.render(costs.total, exponent),
                amount=money.render(costs.amount, exponent),
                fee=money.render(costs.fee, exponent),
            )
        )
