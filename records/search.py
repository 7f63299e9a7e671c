"""One box for any number: which order, merchant, wallet or notification it names, and by which key.

All keys of orders are asked in one statement, each as an arm that an index of its own serves, so the search
costs the same at any size. Source: seed 000, Advanced Queries; backoffice.md, Order details page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, IntegerField, Model, Q, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import crypto
from merchants.models import Merchant, MerchantChannel
from records import filters, parties, search_keys
from records.models import ChainTransfer, Notification, Payment, Payout, PayoutAttempt
from records.search_keys import AMOUNT_DAYS, SHOWN_MAX, TEXT_LENGTH_MAX, Arm, Wanted

__all__ = [
    "AMOUNT_DAYS",
    "SHOWN_MAX",
    "TEXT_LENGTH_MAX",
    "Findings",
    "Hit",
    "find",
    "order_of_the_other_kind",
]

# What a row of the page shows of an order; of what it belongs to, the names alone instead of whole objects.
_SHOWN = (
    "merchant_order_no", "merchant_id", "service_id", "currency_id", "account_tail", "requested_amount",
    "actual_amount", "status", "is_test", "created_at",
)  # fmt: skip
_NAMES = {
    "merchant_name": F("merchant__name"), "service_name": F("service__name"),
    "currency_exponent": F("currency__exponent"),
}  # fmt: skip
_NAME_LENGTH_MIN = 2
_ID_LENGTH_MAX = 64
# The order's number and the version of the order that was told of.
_WEBHOOK_ID = re.compile(r"[A-Z0-9]+-[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A row that was found, and the keys that matched. `is_exact`: by a number that names one thing.

    Shape: an order also has `merchant_name`, `service_name` and `currency_exponent`.
    """

    row: Any
    keys: tuple[Any, ...]
    is_exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a text names, of each kind the newest, at most 50; `tried` are the keys that were asked."""

    text: str
    payments: tuple[Hit, ...] = ()
    payouts: tuple[Hit, ...] = ()
    merchants: tuple[Hit, ...] = ()
    wallets: tuple[Hit, ...] = ()
    notifications: tuple[Hit, ...] = ()
    transfers: tuple[Hit, ...] = ()
    tried: tuple[str, ...] = ()
    cut: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """How many rows are shown."""
        groups = (
            self.payments,
            self.payouts,
            self.merchants,
            self.wallets,
            self.notifications,
            self.transfers,
        )
        return sum(len(group) for group in groups)

    @property
    def exact(self) -> Hit | None:
        """The one thing that the text names; an order goes before its notification."""
        for groups in (
            (self.payments, self.payouts),
            (self.merchants, self.wallets),
            (self.notifications, self.transfers),
        ):
            found = [hit for group in groups for hit in group if hit.is_exact]
            if found:
                return found[0] if len(found) == 1 else None
        return None


def find(*, text: str, user: Any, now: datetime) -> Findings:
    """Return what the text names among the rows that the user may see.

    At most seven statements. Amounts are looked for among the orders of the last 30 days.
    """
    wanted = search_keys.wanted(text)
    if not wanted.joined or len(wanted.typed) > TEXT_LENGTH_MAX:
        return Findings(text=wanted.typed)
    arms = _arms(wanted, user, now)
    places = _matched(arms)
    places = _compared(places, arms, wanted)
    payments, more_payments = _orders(Payment, "payment", places, arms)
    payouts, more_payouts = _orders(Payout, "payout", places, arms)
    others, other_labels = _others(wanted, user)
    return Findings(
        text=wanted.typed,
        payments=payments,
        payouts=payouts,
        merchants=others["merchant"],
        wallets=others["wallet"],
        notifications=others["notification"],
        transfers=others["transfer"],
        tried=tuple(dict.fromkeys([*(str(arm.label) for arm in arms), *other_labels])),
        cut=frozenset([*(["payment"] if more_payments else []), *(["payout"] if more_payouts else [])]),
    )


def order_of_the_other_kind(*, kind: str, text: str, user: Any, now: datetime) -> Payment | Payout | None:
    """Return the payout that a number typed into the deposit list names, or the other way round.

    `kind` is the list's. One statement, or two where there is one; None where no or several orders match.
    """
    wanted = search_keys.wanted(text)
    if not wanted.joined or len(wanted.typed) > TEXT_LENGTH_MAX:
        return None
    other, model = ("payout", Payout) if kind == "payment" else ("payment", Payment)
    arms = [arm for arm in _arms(wanted, user, now) if arm.kind == other and arm.is_unique]
    found = {pk for _kind, pk in _matched(arms)}
    return filters.visible_to(user, model.objects.filter(pk__in=found)).first() if len(found) == 1 else None


Places = dict[tuple[str, int], list[int]]


def _arms(wanted: Wanted, user: Any, now: datetime) -> list[Arm]:
    """Return the keys to ask, of the tables that the user may see."""
    arms: list[Arm] = []
    if user.has_perm("records.view_payment"):
        arms += search_keys.payment_arms(filters.visible_to(user, Payment.objects.all()), wanted, now)
    if user.has_perm("records.view_payout"):
        arms += search_keys.payout_arms(filters.visible_to(user, Payout.objects.all()), wanted, now)
        if user.has_perm("records.view_payoutattempt"):
            arms += search_keys.attempt_arms(filters.visible_to(user, PayoutAttempt.objects.all()), wanted)
    return arms


def _matched(arms: Sequence[Arm]) -> Places:
    """Ask all keys in one statement; return for each order the places of the arms that found it."""
    if not arms:
        return {}
    asked = [
        arm.rows.annotate(arm_place=Value(place, output_field=IntegerField())).values_list(
            arm.column, "arm_place"
        )
        for place, arm in enumerate(arms)
    ]
    found: Places = {}
    for pk, place in asked[0].union(*asked[1:], all=True) if asked[1:] else asked[0]:
        places = found.setdefault((arms[place].kind, pk), [])
        if place not in places:
            places.append(place)
    return found


def _compared(places: Places, arms: Sequence[Arm], wanted: Wanted) -> Places:
    """Keep of the orders with the right last four characters those whose account ends with the whole tail."""
    for kind, model in (("payment", Payment), ("payout", Payout)):
        place = next((at for at, arm in enumerate(arms) if arm.kind == kind and arm.is_candidate), None)
        if place is None:
            continue
        open_ones = [pk for (of, pk), at in places.items() if of == kind and place in at]
        rows: QuerySet[Any] = model._default_manager.filter(pk__in=open_ones).only(
            "party_name", "party_encrypted"
        )
        fitting = {row.pk for row in rows if _ends_with(row, wanted.tail)} if open_ones else set()
        for pk in open_ones:
            if pk not in fitting:
                places[kind, pk].remove(place)
    return {order: at for order, at in places.items() if at}


def _ends_with(order: Payment | Payout, tail: str) -> bool:
    try:
        account = parties.party_of(order).account
    except crypto.CannotDecrypt:
        return False
    return crypto.normalise_account(account).endswith(tail)


def _orders(
    model: type[Model], kind: str, places: Places, arms: Sequence[Arm]
) -> tuple[tuple[Hit, ...], bool]:
    """Fetch the newest of the orders that were found; say whether there are more."""
    found = {pk: at for (of, pk), at in places.items() if of == kind}
    if not found:
        return (), False
    rows = model._default_manager.filter(pk__in=found).only(f"{kind}_id", *_SHOWN).annotate(**_NAMES)
    newest = list(rows.order_by("-created_at", "-id")[:SHOWN_MAX])
    labels = [str(arm.label) for arm in arms]
    hits = tuple(
        Hit(
            row=row,
            keys=tuple(labels[place] for place in found[row.pk]),
            is_exact=any(arms[place].is_unique for place in found[row.pk]),
        )
        for row in newest
    )
    return hits, len(found) > SHOWN_MAX


def _others(wanted: Wanted, user: Any) -> tuple[dict[str, tuple[Hit, ...]], list[str]]:
    """Find merchants by id or the beginning of their name, wallets and notifications by their ids."""
    hits: dict[str, tuple[Hit, ...]] = {"merchant": (), "wallet": (), "notification": (), "transfer": ()}
    tried: list[str] = []
    named = search_keys.chain_spelling(wanted.joined)
    if named and user.has_perm("records.view_chaintransfer"):
        hits["transfer"] = _transfers(named, user)
        tried.append(str(_("transfer that belongs to no order")))
    if len(wanted.upper) > _ID_LENGTH_MAX:
        return hits, tried
    if user.has_perm("merchants.view_merchant"):
        hits["merchant"] = _merchants(wanted, user)
        tried += [str(_("merchant id")), str(_("merchant name"))]
    if user.has_perm("merchants.view_merchantchannel") and wanted.upper.startswith("PFC"):
        rows = filters.visible_to(user, MerchantChannel.objects.filter(pk=wanted.upper))
        hits["wallet"] = _exact(rows.select_related("merchant", "channel"), _("wallet id"))
        tried.append(str(_("wallet id")))
    if user.has_perm("records.view_notification") and _WEBHOOK_ID.fullmatch(wanted.upper):
        notifications = filters.visible_to(user, Notification.objects.filter(webhook_id=wanted.upper))
        hits["notification"] = _exact(notifications, _("webhook-id"))
        tried.append(str(_("webhook-id")))
    return hits, tried


def _merchants(wanted: Wanted, user: Any) -> tuple[Hit, ...]:
    """Merchants are few, so their names may be looked through; the beginning is enough."""
    named = Q(pk=wanted.upper)
    if len(wanted.typed) >= _NAME_LENGTH_MIN and any(sign.isalpha() for sign in wanted.typed):
        named |= Q(name__istartswith=wanted.typed)
    rows = filters.visible_to(user, Merchant.objects.filter(named).order_by("id"))[:SHOWN_MAX]
    return tuple(
        Hit(
            row=row,
            keys=(_("merchant id") if row.pk == wanted.upper else _("merchant name"),),
            is_exact=row.pk == wanted.upper,
        )
        for row in rows
    )


def _transfers(named: str, user: Any) -> tuple[Hit, ...]:
    """Find what arrived and belongs to no order; what belongs to one is found with it."""
    rows = filters.visible_to(user, ChainTransfer.objects.filter(payment__isnull=True))
    sent = rows.filter(tx_hash=named).union(rows.filter(to_address=named)).order_by("-id")
    return _exact(sent[:SHOWN_MAX], _("transfer that belongs to no order"))


def _exact(rows: Iterable[Any], label: Any) -> tuple[Hit, ...]:
    return tuple(Hit(row=row, keys=(label,), is_exact=True) for row in rows)
