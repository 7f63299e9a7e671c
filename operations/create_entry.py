"""What stands in the form of a new order: as typed, as kept from another order, and read into a `NewOrder`.

Personal fields never travel in an address. Reproducing an order names that order, and what was not typed
anew is taken from it on the server, so a card number is used again without being shown to anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels import queries as channel_queries
from channels.models import Bank, RequiredField, Service
from diamondpay.lib import crypto, destinations, errors, money
from diamondpay.models import User
from operations.create_kinds import Kind
from records import filters, parties
from records.models import Payment, Payout

Words = errors.Words
Wanted = RequiredField.Field
NOTIFY_URL_LENGTH_MAX = 256
# Where a field of the form stands in a party, and how long it may be; bank, tails and remark are no party's.
PARTY_NAMES = {
    "name": "name", "number": "account", "phone": "phone", "id_number": "id_number", "ifsc_code": "ifsc_code",
}  # fmt: skip
_LENGTH_MAX = {
    "name": 64, "number": 128, "phone": 32, "id_number": 64, "ifsc_code": 16, "bank": 16, "remark_code": 32,
    "last_number": 64,
}  # fmt: skip
_LABELS = {
    ("name", False): _("Payer name"), ("name", True): _("Recipient name"),
    ("number", False): _("Payer card or account number"), ("number", True): _("Recipient account number"),
}  # fmt: skip
_HELP = {
    Wanted.REMARK_CODE.value: _("What the payer must write as the remark; letters and digits."),
    Wanted.LAST_NUMBER.value: _("The last 3 to 8 digits; several are told apart by a blank."),
}
# What is copied from cards and papers in groups is one number.
_WITHOUT_BLANKS = frozenset({"number", "phone", "id_number", "ifsc_code"})
_TAIL = re.compile(r"[0-9]{3,8}")
_TAIL_COUNT_MAX = 10
_NAMES = destinations.RecentNames()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The form as it was sent. `fields` by RequiredField.Field value; `like` is another order's number."""

    merchant: str = ""
    service: str = ""
    channel: str = ""
    amount: str = ""
    notify_url: str = ""
    like: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A field that the service asks for. `kept` tells, masked, what another order gives where it is empty."""

    name: str
    label: Words
    value: str
    is_required: bool
    help: Words
    kept: str = ""
    options: tuple[tuple[str, str], ...] = ()


def read(data: Mapping[str, Any]) -> Entry:
    """Return the form as it was sent, texts without blanks at their ends."""

    def text(name: str) -> str:
        return str(data.get(name, "")).strip()

    return Entry(
        merchant=text("merchant"), service=text("service"), channel=text("channel"), amount=text("amount"),
        notify_url=text("notify_url"), like=text("like"),
        fields={name: text(name) for name in _LENGTH_MAX},
    )  # fmt: skip


def order_like(*, kind: Kind, user: User, number: str) -> Payment | Payout | None:
    """Return the order that the new one is to be like, where this person may see it."""
    if not number or len(number) > 32 or not number.isprintable() or not user.has_perm(kind.view_permission):
        return None
    rows: Any = kind.model._default_manager.select_related("merchant", "currency")
    found: Payment | Payout | None = (
        filters.visible_to(user, rows).filter(**{f"{kind.name}_id": number.upper()}).first()
    )
    return found


def from_order(*, kind: Kind, order: Payment | Payout) -> Entry:
    """Return the form filled in as the order was; numbers of people stay on the server."""
    shown = {"name": order.party_name, "bank": order.bank_id or ""}
    if isinstance(order, Payment):
        shown["remark_code"] = order.remark_code
    is_default = order.notify_url == order.merchant.notify_url
    return Entry(
        merchant=order.merchant_id, service=order.service_id, channel=order.merchant_channel_id,
        amount=money.render(order.requested_amount, order.currency.exponent).replace(",", ""),
        notify_url="" if is_default else order.notify_url,
        like=kind.number_of(order), fields=shown,
    )  # fmt: skip


def kept_of(*, like: Payment | Payout | None, merchant_id: str) -> dict[str, str]:
    """Return, in clear and for the upstream alone, what an order of the same merchant gives to empty fields.

    The name is not among it: it is shown, so an emptied name is meant.
    """
    if like is None or like.merchant_id != merchant_id:
        return {}
    party = parties.party_of(like)
    kept = {name: str(getattr(party, attribute)) for name, attribute in PARTY_NAMES.items()}
    return {name: value for name, value in kept.items() if value and name != "name"}


def inputs_of(*, kind: Kind, service: Service, entry: Entry, kept: Mapping[str, str]) -> list[Input]:
    """Return the fields that the service asks for, in the order of the form."""
    declared = {each.field: each.is_required_in_forms for each in channel_queries.fields_of(service)}
    if service.requires_last_number:
        declared[Wanted.LAST_NUMBER.value] = True
    return [
        Input(
            name=name,
            label=_LABELS.get((name, kind.is_payout), Wanted(name).label),
            value=entry.fields.get(name, ""),
            is_required=is_required,
            help=_HELP.get(name, ""),
            kept="" if entry.fields.get(name) else crypto.mask(kept.get(name, "")),
            options=_banks(service) if name == Wanted.BANK else (),
        )
        for name, is_required in declared.items()
    ]


def _banks(service: Service) -> tuple[tuple[str, str], ...]:
    banks = Bank.objects.filter(currency=service.currency_id, is_open=True).order_by("name", "pk")
    return tuple((bank.pk, f"{bank.name} ({bank.code})") for bank in banks)


def values_of(
    *, inputs: list[Input], kept: Mapping[str, str], complaints: dict[str, Words]
) -> dict[str, str]:
    """Return the value of each asked field, and write what is wrong into `complaints`."""
    found: dict[str, str] = {}
    for each in inputs:
        value = each.value or kept.get(each.name, "")
        if each.name in _WITHOUT_BLANKS:
            value = "".join(value.split())
        found[each.name] = value
        fault = _fault(each, value)
        if fault is not None:
            complaints[each.name] = fault
    return found


def _fault(asked: Input, value: str) -> Words | None:
    if not value:
        return _("This service requires it.") if asked.is_required else None
    length_max = _LENGTH_MAX[asked.name]
    if len(value) > length_max:
        return format_lazy(_("At most {count} characters."), count=length_max)
    bad = next((character for character in value if not character.isprintable()), None)
    if bad is not None:
        return format_lazy(_("It contains an invisible character (U+{code})."), code=f"{ord(bad):04X}")
    if asked.name == Wanted.BANK and value not in {key for key, _name in asked.options}:
        return _("Choose a bank from the list.")
    if asked.name == Wanted.LAST_NUMBER:
        tails = value.split()
        if len(tails) > _TAIL_COUNT_MAX or not all(_TAIL.fullmatch(tail) for tail in tails):
            return _("Give the last 3 to 8 digits of the account.")
    return None


def check_notify_url(url: str, complaints: dict[str, Words]) -> None:
    """Refuse a callback address that must not be called; an empty one is the merchant's default."""
    if not url:
        return
    if len(url) > NOTIFY_URL_LENGTH_MAX:
        complaints["notify_url"] = format_lazy(_("At most {count} characters."), count=NOTIFY_URL_LENGTH_MAX)
        return
    try:
        destinations.check_url(url, settings.NOTIFICATION_PRIVATE_NETWORKS, names=_NAMES)
    except destinations.AddressRefused as refusal:
        shape = _("This address cannot be called: {reason}.")
        complaints["notify_url"] = format_lazy(shape, reason=refusal.reason)
