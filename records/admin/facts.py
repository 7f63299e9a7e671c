"""The facts of an order, by section: amounts with their arithmetic, the channel, the party, the origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

from django.db.models import Model
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Bank, Channel, FeeType, PaymentMethod, Service
from diamondpay.lib import crypto, money
from diamondpay.models import User
from merchants import pricing
from merchants.models import Merchant, MerchantChannel
from records import parties
from records.admin import parts
from records.admin.life import Order, number_of
from records.models import Payment, Payout

_EXACT = Context(prec=80)
# Who set a limit, as `operations.limits` writes it on the order.
_LIMIT_SOURCES: Mapping[str, Any] = {
    "service_boundary": _("service boundary"),
    "service": _("service"),
    "channel_service": _("channel service"),
    "channel": _("channel"),
}


@dataclass(frozen=True)
class Fact:
    """One line: a label, a value as HTML or text, and what explains it."""

    label: Any
    value: Any
    note: Any = ""


@dataclass(frozen=True)
class Section:
    """Facts under one heading."""

    title: Any
    facts: tuple[Fact, ...]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What the person who reads may know.

    `may_open` are the models whose pages they may open; `names_people` and `names_channels` say whether
    staff's user names and the platform's channels are any of their business.
    """

    may_open: frozenset[type[Model]]
    names_people: bool
    names_channels: bool

    def link(self, model: type[Model], key: Any, text: Any = None) -> SafeString:
        """Return a link for those who may open the page, else the text."""
        return parts.link(model, key, key if text is None else text, is_open=model in self.may_open)

    def person(self, user: User | None) -> Any:
        """Return the name of one of our people, for those who may know it."""
        return user.get_username() if user is not None and self.names_people else parts.nothing()


def sections(order: Order, reader: Reader) -> list[Section]:
    """Return the facts of an order as this person may read them; no further query where the order was
    fetched with its relations.
    """
    party = _("Recipient") if isinstance(order, Payout) else _("Payer")
    found = [
        Section(_("Amounts"), tuple(_amounts(order))),
        Section(_("Basic"), tuple(_basic(order, reader))),
        Section(_("Channel"), tuple(_channel(order, reader))),
        Section(party, tuple(_party(order, reader))),
        Section(_("Origin"), tuple(_origin(order, reader))),
    ]
    return [section for section in found if section.facts]


def fee_words(order: Order) -> str:
    """Return how the fee comes about: `3 ‰ of 300.00 + 1.00 = 1.90, rounded half up`.

    Source: backoffice.md, Fees.
    """
    unit = order.settlement_currency
    fixed = parts.plain_amount(order.fee_fixed, unit)
    share = f"{money.plain(order.fee_permillage)} ‰"
    amount = fee_base(order)
    if order.fee_type == FeeType.FIXED:
        return _t("fixed: %s") % fixed
    plus = f" + {fixed}" if order.fee_type == FeeType.MIXED else ""
    if amount is None or order.fee is None:
        return _t("%s of what arrives, rounded half up") % share + plus
    exact = _EXACT.multiply(amount, order.fee_permillage).scaleb(-3, context=_EXACT)
    if plus:
        exact = _EXACT.add(exact, order.fee_fixed)
    by_rule = money.quantise(exact, unit.exponent)
    words = _t("%(share)s of %(amount)s%(plus)s = %(fee)s, rounded half up") % {
        "share": share, "amount": parts.plain_amount(amount, unit), "plus": plus,
        "fee": parts.plain_amount(by_rule, unit),
    }  # fmt: skip
    return words if exact == by_rule else words + _t(" (exactly %s)") % money.plain(exact)


def fee_by_rule(order: Order) -> Decimal | None:
    """Return what the fee must be by the order's terms; None while nothing has arrived."""
    amount = fee_base(order)
    if amount is None or order.fee is None:
        return None
    terms = {
        "fee_type": order.fee_type, "fee_permillage": order.fee_permillage, "fee_fixed": order.fee_fixed,
        "exponent": order.settlement_currency.exponent,
    }  # fmt: skip
    if isinstance(order, Payout):
        return pricing.fee_of(amount=amount, **terms)
    return pricing.quote_settled(settled=amount, **terms).fee


def fee_base(order: Order) -> Decimal | None:
    """Return the amount that the fee is taken of, in settlement units: what a deposit settled, what a payout
    debits beside it.
    """
    if isinstance(order, Payout):
        debited: Decimal = order.debited_amount
        return debited - (order.fee or Decimal(0))
    settled: Decimal | None = order.settled_amount
    return settled


def _amounts(order: Order) -> Iterator[Fact]:
    unit, settled_unit = order.currency, order.settlement_currency
    yield Fact(_("requested amount"), parts.amount(order.requested_amount, unit))
    if order.quoted_amount is not None:
        yield Fact(
            _("asked for"), parts.amount(order.quoted_amount, settled_unit),
            _("settlement units; what is paid is this × rate"),
        )  # fmt: skip
    if isinstance(order, Payment) and order.display_amount not in (None, order.requested_amount):
        yield Fact(
            _("amount to pay"), parts.amount(order.display_amount, unit), _("what the payer was shown")
        )
    difference = _difference(order)
    yield Fact(_("actual amount"), parts.amount(order.actual_amount, unit), difference)
    if order.unit_price != 1 or unit != settled_unit:
        rate = f"1 {settled_unit.pk} = {money.plain(order.unit_price)} {unit.pk}"
        yield Fact(_("exchange rate"), rate)
    is_converted = unit != settled_unit
    if isinstance(order, Payment) and is_converted:
        yield Fact(_("settled amount"), parts.amount(order.settled_amount, settled_unit), _("actual ÷ rate"))
    yield Fact(_("fee"), parts.amount(order.fee, settled_unit), fee_words(order))
    if isinstance(order, Payment):
        credited = _("settled − fee") if is_converted else _("actual − fee")
        yield Fact(_("credited amount"), parts.amount(order.credited_amount, settled_unit), credited)
    else:
        yield Fact(
            _("debited amount"), parts.amount(order.debited_amount, settled_unit),
            _("requested ÷ rate + fee, frozen when the order was made") if is_converted
            else _("requested + fee, frozen when the order was made"),
        )  # fmt: skip
    yield Fact(_("limits at creation"), *_limits(order))
    if isinstance(order, Payment) and (order.tolerance_below or order.tolerance_above):
        below, above = money.plain(order.tolerance_below), money.plain(order.tolerance_above)
        yield Fact(
            _("tolerance"),
            f"−{below} % … +{above} %",
            _("another amount within it is credited as it arrived"),
        )


def _difference(order: Order) -> str:
    """Say how far what moved is from what was asked for."""
    if order.actual_amount is None or order.actual_amount == order.requested_amount:
        return ""
    gap = order.actual_amount - order.requested_amount
    shape = _t("%s more than requested") if gap > 0 else _t("%s less than requested")
    return shape % parts.plain_amount(abs(gap), order.currency)


def _limits(order: Order) -> tuple[str, str]:
    """Return the range of amounts that was allowed, and who set each end."""
    unit = order.currency
    lower, upper = order.limit_lower_bound, order.limit_upper_bound
    if not lower and not upper:
        return _t("any amount"), ""
    low = money.render(lower, 0) if lower else "0"
    high = money.render(upper, 0) if upper else _t("no upper limit")
    stored = order.routing.get("range") if isinstance(order.routing, dict) else None
    bounds = stored if isinstance(stored, dict) else {}
    lower_source, upper_source = (
        str(_LIMIT_SOURCES.get(bounds.get(key, ""), bounds.get(key, "")))
        for key in ("lower_source", "upper_source")
    )
    if lower_source and lower_source == upper_source:
        sources = [_t("both bounds: %s") % lower_source]
    else:
        named = ((_t("lower bound: %s"), lower_source), (_t("upper bound: %s"), upper_source))
        sources = [shape % source for shape, source in named if source]
    return f"{low} – {high} {unit.pk}", ", ".join(sources)


def _after(order: Order, moment: datetime | None) -> str:
    """Say how long after its creation something happened to an order."""
    return "" if moment is None else parts.after(moment - order.created_at)


def _basic(order: Order, reader: Reader) -> Iterator[Fact]:
    yield Fact(_("platform order no."), parts.number(number_of(order)))
    yield Fact(_("merchant order no."), parts.number(order.merchant_order_no))
    yield Fact(
        _("merchant"), reader.link(Merchant, order.merchant_id), order.merchant.name
    )  # fmt: skip
    yield Fact(_("service"), reader.link(Service, order.service_id), order.service.name)
    yield Fact(_("created"), parts.moment(order.created_at))
    yield Fact(
        _("accepted by the upstream"), parts.moment(order.submitted_at), _after(order, order.submitted_at)
    )
    if isinstance(order, Payment):
        yield Fact(_("expires"), parts.moment(order.expires_at))
    yield Fact(_("completed"), parts.moment(order.completed_at), _after(order, order.completed_at))
    if order.error_message:
        yield Fact(_("error"), order.error_message)
    if order.memo:
        yield Fact(_("memo"), order.memo)


def _channel(order: Order, reader: Reader) -> Iterator[Fact]:
    if reader.names_channels:
        status = "" if order.channel.status == Channel.Status.ENABLED else order.channel.get_status_display()
        yield Fact(
            _("channel"), reader.link(Channel, order.channel_id), status and _t("now %s") % status.lower()
        )
    yield Fact(_("wallet"), reader.link(MerchantChannel, order.merchant_channel_id))
    yield Fact(_("channel order no."), parts.number(order.channel_order_no))
    if isinstance(order, Payment):
        yield from _receiver(order)
        if order.remark_code:
            yield Fact(_("remark code"), parts.number(order.remark_code))
        if order.link and reader.names_channels:
            yield Fact(_("upstream's page"), parts.number(order.link))
    elif reader.names_people:
        yield Fact(_("after a failure"), order.get_after_failure_display())
    if reader.names_channels:
        yield from _routing(order)


def _receiver(payment: Payment) -> Iterator[Fact]:
    """Say where the payer had to send the money. An account is masked here as everywhere, but for an address
    on a chain: it is the platform's own, and told to whoever pays.
    """
    try:
        receiver = parties.receiver_of(payment)
    except crypto.CannotDecrypt:
        yield Fact(_("pay to"), parts.nothing(), _("sealed with a key that is no longer configured"))
        return
    if receiver is not None:
        account: Any = (
            parts.number(receiver.card_number)
            if payment.payment_method == PaymentMethod.BLOCKCHAIN
            else crypto.mask(crypto.normalise_account(receiver.card_number))
        )
        where = " · ".join(
            word for word in (receiver.bank_name or receiver.bank_code, receiver.card_name) if word
        )
        yield Fact(_("pay to"), account or parts.nothing(), where)


def _routing(order: Order) -> Iterator[Fact]:
    """Say why this channel carries the order and every other one does not."""
    routing = order.routing if isinstance(order.routing, dict) else {}
    if "weight" in routing:
        yield Fact(_("chosen"), routing.get("channel", ""), _t("weight %s") % routing["weight"])
    for out in routing.get("ruled_out") or []:
        name = format_html("<s>{}</s>", out.get("channel", ""))
        yield Fact(_("not chosen"), name, out.get("words", "") or out.get("reason", ""))


def _party(order: Order, reader: Reader) -> Iterator[Fact]:
    for label, text in (
        (_("name"), order.party_name), (_("account"), order.account_masked), (_("phone"), order.phone_masked),
        (_("ID number"), order.id_number_masked),
    ):  # fmt: skip
        if text:
            yield Fact(label, text)
    if order.bank is not None:
        yield Fact(_("bank"), reader.link(Bank, order.bank_id, order.bank.name), order.bank.code)
    if isinstance(order, Payout):
        if order.bank is None and order.bank_name:
            yield Fact(_("bank"), order.bank_name)
        if order.bank_branch:
            yield Fact(_("branch"), order.bank_branch)


def _origin(order: Order, reader: Reader) -> Iterator[Fact]:
    yield Fact(_("source"), order.get_source_display())
    yield Fact(_("API"), order.dialect, order.get_sign_type_display())
    if order.placed_by is not None:
        yield Fact(_("placed by"), reader.person(order.placed_by))
    yield Fact(_("callback address"), order.notify_url or _("none: the merchant is not notified"))
    if order.is_test:
        yield Fact(_("test order"), _("Yes"))
