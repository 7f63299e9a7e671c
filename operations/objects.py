"""The objects that acts are done to, as a person may see them.

Each function returns the object of an address, or None where there is none for this person; with
`is_locked` it runs in the deed's transaction and locks the row until its end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from channels.models import Channel, ChannelService, Currency
from diamondpay.lib import selections
from diamondpay.models import User
from merchants.models import Merchant, MerchantChannel, MerchantService, ServiceBound
from records import filters
from records.models import ManualFreeze, Payment, Payout

Load = Callable[[User, str, bool], Any]
NEW = "new"
_ORDER = ("currency", "settlement_currency", "merchant", "service", "channel", "merchant_channel")


def _found(user: User, rows: QuerySet[Any], is_locked: bool, **key: object) -> Any:
    # What many orders refer to (wallets, merchants) is locked so that new orders need not wait.
    locked = rows.select_for_update(of=("self",), no_key=True) if is_locked else rows
    return filters.visible_to(user, locked).filter(**key).first()


def wallet(user: User, object_id: str, is_locked: bool) -> MerchantChannel | None:
    """Return a wallet by its number."""
    rows = MerchantChannel.objects.select_related("merchant", "channel", "currency")
    found: MerchantChannel | None = _found(user, rows, is_locked, pk=object_id.upper())
    return found


def payment(user: User, object_id: str, is_locked: bool) -> Payment | None:
    """Return a deposit by its order number."""
    rows = Payment.objects.select_related(*_ORDER)
    found: Payment | None = _found(user, rows, is_locked, payment_id=object_id.upper())
    return found


def payout(user: User, object_id: str, is_locked: bool) -> Payout | None:
    """Return a payout by its order number."""
    rows = Payout.objects.select_related(*_ORDER)
    found: Payout | None = _found(user, rows, is_locked, payout_id=object_id.upper())
    return found


def freeze(user: User, object_id: str, is_locked: bool) -> ManualFreeze | None:
    """Return a manual freeze by its request id."""
    rows = ManualFreeze.objects.select_related("merchant_channel", "currency", "merchant_channel__merchant")
    found: ManualFreeze | None = _found(user, rows, is_locked, request_id=object_id)
    return found


def merchant(user: User, object_id: str, is_locked: bool) -> Merchant | None:
    """Return a merchant by its id."""
    found: Merchant | None = _found(user, Merchant.objects.all(), is_locked, pk=object_id.upper())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePair:
    """Two currencies between which there is a rate, or shall be; both are empty before they are chosen."""

    base_id: str = ""
    quote_id: str = ""

    def __str__(self) -> str:
        return f"{self.base_id} in {self.quote_id}" if self.base_id else ""

    @property
    def pair(self) -> str:
        """How the address names them."""
        return f"{self.base_id}-{self.quote_id}" if self.base_id else NEW


def rate_pair(user: User, object_id: str, is_locked: bool) -> RatePair | None:
    """Return two currencies, named as in `MTC-CNY`; `new` stands for any two.

    Nobody who is confined to merchants has to do with rates.
    Locks: the first currency, so that of two rates between the same ones the second sees the first.
    """
    if filters.confined_to(user) is not None:
        return None
    if object_id == NEW:
        return RatePair()
    base, _dash, quote = object_id.upper().partition("-")
    pair = [_found(user, Currency.objects.all(), is_locked, pk=base)]
    pair.append(_found(user, Currency.objects.all(), False, pk=quote))
    return None if None in pair or base == quote else RatePair(base_id=base, quote_id=quote)


def _row(kind: str, user: User, object_id: str, is_locked: bool) -> Any:
    return with_terms(user, kind, [object_id], is_locked).get(object_id)


# Rows with terms, by the name of their model, with what tells their currency.
_ROWS: Mapping[str, QuerySet[Any]] = {
    "merchantservice": MerchantService.objects.select_related("merchant", "service__currency"),
    "servicebound": ServiceBound.objects.select_related("merchant_channel__currency", "service"),
    "channel": Channel.objects.select_related("currency"),
    "channelservice": ChannelService.objects.select_related("channel__currency", "service"),
}


def with_terms(user: User, kind: str, ids: Iterable[str], is_locked: bool) -> dict[str, Any]:
    """Return those rows of a kind of terms that the person may see, by their ids, in the order of the keys.

    Locks: the rows, in the order of their keys.
    """
    rows = _ROWS[kind]
    is_key = is_number if selections.is_numbered(rows.model) else _is_code
    keys = {each for each in ids if is_key(each)}
    locked = rows.select_for_update(of=("self",), no_key=True) if is_locked else rows
    found = filters.visible_to(user, locked).filter(pk__in=keys).order_by("pk")
    return {str(row.pk): row for row in found}


def is_number(text: str) -> bool:
    """Say whether a text that came from outside can be the number of a row."""
    return text.isascii() and text.isdigit() and len(text) < 19


def _is_code(text: str) -> bool:
    # The database refuses a NUL with an error.
    return text.isprintable() and len(text) <= 32


# What has terms, by the name of its model.
WITH_TERMS: Mapping[str, Load] = {kind: functools.partial(_row, kind) for kind in _ROWS}
