"""What the pages of a new order say: ranges with what binds them, balances, and why something is missing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t

from channels.models import Currency
from diamondpay.lib import crypto, money
from operations import create_desk, create_offer, limits, placement, settlement
from operations.create_desk import Desk
from records.admin import parts

Words = str | Promise | SafeString


def form(desk: Desk, *, complaints: Mapping[str, Words]) -> dict[str, Any]:
    """Return what the form's template needs. `complaints` by field, "" for what is about the whole form."""
    service = desk.service
    return {
        "desk": desk,
        "entry": desk.entry,
        "complaints": {name: words for name, words in complaints.items() if name},
        "complaint": complaints.get("", ""),
        "merchant_typed": desk.entry.merchant or (desk.merchant.pk if desk.merchant else ""),
        "services": _services(desk),
        "services_left_out": [each for each in _left_out(desk) if each.is_activated],
        "services_not_activated": [each for each in _left_out(desk) if not each.is_activated],
        "service_missing": _service_missing(desk) if "service" not in complaints else "",
        "channels": [_channel(each, desk) for each in desk.channels],
        "channel_missing": create_desk.why_no_channel(desk) if "channel" not in complaints else "",
        "inputs": [(each, complaints.get(each.name, "")) for each in desk.inputs],
        "undrawn": _undrawn(desk),
        "range": desk.range.explain() if desk.range is not None else "",
        "range_is_of_channel": desk.channel is not None,
        "bounds": _bounds(desk),
        "unit": service.currency_id if service is not None else "",
        "quote": _quote(desk),
        "notify_default": desk.merchant.notify_url if desk.merchant is not None else "",
        "like_number": desk.kind.number_of(desk.like) if desk.like is not None else "",
    }


def review(desk: Desk, *, order: placement.NewOrder, worth: settlement.Worth) -> dict[str, Any]:
    """Return what a payout would do: before and after, to whom, by which road."""
    if desk.service is None or desk.channel is None or desk.merchant is None:
        raise ValueError("only a whole form is reviewed")
    unit, total = desk.channel.option.merchant_channel.currency, worth.debited
    asked = [(_t("Amount"), _amount(order.amount, desk.service.currency))]
    if unit != desk.service.currency:
        asked.append((_t("In the wallet's currency"), _amount(worth.amount, unit)))
    available, frozen = desk.channel.available, desk.channel.frozen
    is_waiting = placement.needs_review(merchant=desk.merchant, amount=order.amount)
    button = _t("Freeze %(total)s and hand in for review") if is_waiting else _t("Freeze %(total)s and send")
    bank = next((name for each in desk.inputs for key, name in each.options if key == order.bank), "")
    return {
        "desk": desk,
        "balances": [
            (_t("Available"), _amount(available, unit), _amount(available - total, unit)),
            (_t("Frozen"), _amount(frozen, unit), _amount(frozen + total, unit)),
        ],
        "amounts": [
            *asked, (_t("Fee"), _amount(worth.fee, unit)), (_t("Frozen at once"), _amount(total, unit)),
        ],
        "facts": [
            (_t("Merchant"), str(desk.merchant)), (_t("Service"), str(desk.service)),
            (_t("Channel"), desk.channel.name),
            (_t("Range"), desk.range.explain() if desk.range is not None else ""),
            (_t("Recipient"), order.party.name), (_t("Account"), crypto.mask(order.party.account)),
            (_t("Bank"), bank), (_t("Phone"), crypto.mask(order.party.phone)),
            (_t("ID number"), crypto.mask(order.party.id_number)), (_t("IFSC code"), order.party.ifsc_code),
            (_t("Callback address"), order.notify_url or desk.merchant.notify_url or _t("nobody is told")),
        ],
        "is_waiting": is_waiting,
        "button": button % {"total": _plain(total, unit)},
    }  # fmt: skip


def _undrawn(desk: Desk) -> list[tuple[str, str]]:
    """Return what was typed into fields that are not on the page now, so that no choice loses it."""
    entry = desk.entry
    if desk.offered is None:
        rest = {"amount": entry.amount, "notify_url": entry.notify_url, **entry.fields}
    else:
        drawn = {each.name for each in desk.inputs}
        rest = {name: value for name, value in entry.fields.items() if name not in drawn}
    if desk.services is None:
        rest["service"] = entry.service
    return [(name, value) for name, value in rest.items() if value]


def _services(desk: Desk) -> list[dict[str, Any]]:
    if desk.services is None:
        return []
    return [
        {
            "key": each.service.pk,
            "name": f"{each.service} · {_span(each.range)}",
            "is_chosen": each is desk.offered,
        }
        for each in desk.services.offered
    ]


def _left_out(desk: Desk) -> tuple[create_offer.LeftOut, ...]:
    return desk.services.left_out if desk.services is not None else ()


def _service_missing(desk: Desk) -> Words:
    """Return why the service that was asked for, as by another order, cannot be chosen."""
    if desk.services is None or desk.offered is not None or not desk.entry.service:
        return ""
    why = desk.services.why_not(desk.entry.service)
    return f"{why.name}: {why.words}" if why is not None else ""


def _channel(each: create_offer.Channel, desk: Desk) -> dict[str, Any]:
    currency = each.option.merchant_channel.currency
    own = [bound for bound in each.option.bounds if bound.source == limits.LimitSource.CHANNEL]
    return {
        "key": each.key,
        "name": each.name,
        "is_chosen": each is desk.channel,
        "limits": _span(limits.intersect(own, currency=each.option.channel.currency_id)),
        "range": each.option.range.explain() if each.option.range is not None else "",
        "available": _plain(each.available, currency),
        "frozen": _plain(each.frozen, currency) if each.frozen else "",
    }


def _span(found: limits.Range) -> str:
    """Return a range in short, without what binds it."""
    lower, upper = money.render(found.lower, 0), money.render(found.upper, 0)
    unit = f" {found.currency}" if found.currency else ""
    if found.lower and found.upper:
        return f"{lower} – {upper}{unit}"
    if found.lower:
        return _t("from %s") % f"{lower}{unit}"
    return _t("up to %s") % f"{upper}{unit}" if found.upper else _t("any amount")


def _bounds(desk: Desk) -> list[dict[str, Any]]:
    """Return the limits that the range comes from, most general first, each end marked where it binds."""
    if desk.channel is None or desk.range is None:
        return []
    order = list(limits.LimitSource)[::-1]
    return [
        {
            "name": bound.source.label,
            "lower": money.render(bound.lower, 0) if bound.lower else "",
            "upper": money.render(bound.upper, 0) if bound.upper else "",
            "binds_lower": bound.source == desk.range.lower_source,
            "binds_upper": bound.source == desk.range.upper_source,
        }
        for bound in sorted(desk.channel.option.bounds, key=lambda bound: order.index(bound.source))
    ]


def _quote(desk: Desk) -> str:
    found = create_desk.quote(desk)
    if found is None:
        return ""
    shape = _t("Fee %(fee)s; %(total)s are credited when exactly this amount is paid.")
    if desk.kind.is_payout:
        shape = _t("Fee %(fee)s; %(total)s will be frozen.")
    fee = money.render(found.fee, found.unit.exponent)
    return shape % {"fee": fee, "total": _plain(found.total, found.unit)}


def _amount(value: Decimal, currency: Currency) -> SafeString:
    return parts.amount(value, currency)


def _plain(value: Decimal, currency: Currency) -> str:
    return f"{money.render(value, currency.exponent)} {currency.pk}"
