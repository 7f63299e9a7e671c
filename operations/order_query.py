"""Many numbers at once: which order each names, in the order in which they were asked.

The set-wise sister of `records.search`: each key is one arm of one statement, served by the index that serves
a single number, so 500 numbers cost three statements however many orders there are.
Source: seed 002, Order Query.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import IntegerField, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Upper
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Channel
from diamondpay.lib import errors
from records import filters, search_keys
from records.models import Notification, Payment, Payout, PayoutAttempt

NUMBERS_MAX = 500
# A merchant's number may be another merchant's as well, and a channel's that of several channels.
LINES_MAX = 2_000
_TEXT_LENGTH_MAX = 100_000
_BETWEEN = re.compile(r"[\n\r\t,;、]+")
_OUR_NUMBER_LENGTH_MAX = 32
_RELATIONS = ("merchant", "service", "currency")

Key = tuple[int, str]
Place = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An order that a number names, by which keys; without an order, that there is none for this person."""

    asked: str
    repeats: int
    order: Any = None
    keys: tuple[Any, ...] = ()

    @property
    def is_payout(self) -> bool:
        """Whether the order is a payout."""
        return isinstance(self.order, Payout)

    @property
    def number(self) -> str:
        """The platform's number of the order."""
        if self.order is None:
            return ""
        found: str = self.order.payout_id if self.is_payout else self.order.payment_id
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The lines in the order asked. `is_cut`: there are more orders than are shown."""

    lines: tuple[Line, ...] = ()
    asked_count: int = 0
    found_count: int = 0
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """One key of one table; `keys` says which spelling of a number the arm compares with its column."""

    label: Any
    kind: str
    rows: QuerySet[Any]
    pk: str
    column: str


@dataclass(slots=True)
class _Asked:
    wanted: search_keys.Wanted
    repeats: int = 1
    keys: list[Key] = field(default_factory=list)


def find(*, text: str, user: Any) -> Answer:
    """Return what the numbers of a pasted text name among the orders that the user may see.

    Three statements at most. Raises: InvalidInput without numbers or with more than 500.
    """
    asked = _asked(text)
    arms = list(_arms(asked, user))
    matched, is_cut = _matched(arms)
    orders = _fetched({place for places in matched.values() for place in places}, user)
    lines: list[Line] = []
    found_count = 0
    for each in asked.values():
        found = _orders_of(each, matched, orders, arms)
        found_count += bool(found)
        lines += found or [Line(asked=each.wanted.typed, repeats=each.repeats)]
    return Answer(
        lines=tuple(lines[:LINES_MAX]),
        asked_count=len(asked),
        found_count=found_count,
        is_cut=is_cut or len(lines) > LINES_MAX,
    )


def _asked(text: str) -> dict[str, _Asked]:
    """Return the numbers by their one spelling, doubles folded. Raises: InvalidInput."""
    if len(text) > _TEXT_LENGTH_MAX:
        raise errors.InvalidInput(
            {"numbers": _t("That is too long; paste at most %d numbers.") % NUMBERS_MAX}
        )
    found: dict[str, _Asked] = {}
    for part in _BETWEEN.split(unicodedata.normalize("NFKC", text)):
        wanted = search_keys.wanted(part)
        if not wanted.joined:
            continue
        before = found.setdefault(wanted.number, _Asked(wanted, repeats=0))
        before.repeats += 1
    if not found:
        raise errors.InvalidInput({"numbers": _t("Paste at least one number.")})
    if len(found) > NUMBERS_MAX:
        words = _t("At most %(most)d numbers are looked up at once; these are %(count)d.")
        raise errors.InvalidInput({"numbers": words % {"most": NUMBERS_MAX, "count": len(found)}})
    return found


def _arms(asked: Mapping[str, _Asked], user: Any) -> Iterator[_Arm]:
    """Yield the keys of the tables that the user may see, noting for each number how each key spells it."""
    usable = [each for each in asked.values() if len(each.wanted.typed) <= search_keys.TEXT_LENGTH_MAX]
    place = 0
    tables: tuple[tuple[str, Any, str, str], ...] = (
        ("payment", Payment, "records.view_payment", "payment_id"),
        ("payout", Payout, "records.view_payout", "payout_id"),
    )
    for kind, model, permission, number in tables:
        if not user.has_perm(permission):
            continue
        rows = filters.visible_to(user, model.objects.all())
        given = [
            (_("platform order no."), number, _numbers),
            (_("merchant order no."), "folded_no", _folded),
            (_("channel order no."), "channel_order_no", _spellings),
            (_("request code or internal no."), "pk", functools.partial(_outside, kind)),
        ]
        for label, column, spell in given:
            values = _spelt(usable, place, spell)
            yield _Arm(
                label=label, kind=kind, pk="pk", column=column, rows=_compared(rows, kind, column, values)
            )
            place += 1
    if user.has_perm("records.view_payout") and user.has_perm("records.view_payoutattempt"):
        rows = filters.visible_to(user, PayoutAttempt.objects.all())
        for label, column, spell in (
            (_("payout attempt"), "reference", _numbers),
            (_("channel order no. of an attempt"), "channel_order_no", _spellings),
        ):
            values = _spelt(usable, place, spell)
            found = _compared(rows, "attempt", column, values)
            yield _Arm(label=label, kind="payout", pk="payout_id", column=column, rows=found)
            place += 1


def _numbers(wanted: search_keys.Wanted) -> Iterable[str]:
    is_short = len(wanted.upper) <= _OUR_NUMBER_LENGTH_MAX
    return {wanted.number, wanted.upper} if is_short else ()


def _outside(kind: str, wanted: search_keys.Wanted) -> Iterable[str]:
    return map(str, wanted.outside(kind))


def _folded(wanted: search_keys.Wanted) -> Iterable[str]:
    return {wanted.typed.upper(), wanted.upper}


def _spellings(wanted: search_keys.Wanted) -> Iterable[str]:
    return wanted.spellings


def _spelt(usable: Iterable[_Asked], place: int, spell: Any) -> list[str]:
    values: dict[str, None] = {}
    for each in usable:
        for value in spell(each.wanted):
            values[value] = None
            each.keys.append((place, value))
    return list(values)


def _compared(rows: QuerySet[Any], kind: str, column: str, values: list[str]) -> QuerySet[Any]:
    """Return the rows whose column is one of the values, asked so that an index serves it."""
    if column == "folded_no":
        folded: QuerySet[Any] = rows.annotate(folded_no=Upper("merchant_order_no"))
        return folded.filter(folded_no__in=values)
    if column != "channel_order_no":
        return rows.filter(**{f"{column}__in": values})
    found = rows.filter(channel_order_no__in=values, channel_order_no__gt="")
    # Deposits' and attempts' numbers are unique on their channel, so their index begins with it.
    return found if kind == "payout" else found.filter(channel__in=Channel.objects.order_by().values("pk"))


def _matched(arms: Sequence[_Arm]) -> tuple[dict[Key, list[Place]], bool]:
    """Ask all keys in one statement; return the orders of each spelling, and whether some were left out."""
    if not arms:
        return {}, False
    asked = [
        arm.rows.order_by()
        .annotate(arm_place=Value(place, output_field=IntegerField()), spelt=Cast(arm.column, TextField()))
        .values_list(arm.pk, "arm_place", "spelt")[: LINES_MAX + 1]
        for place, arm in enumerate(arms)
    ]
    found: dict[Key, list[Place]] = {}
    counts = dict.fromkeys(range(len(arms)), 0)
    for pk, place, spelt in asked[0].union(*asked[1:], all=True) if asked[1:] else asked[0]:
        counts[place] += 1
        found.setdefault((place, spelt), []).append((arms[place].kind, pk))
    return found, any(count > LINES_MAX for count in counts.values())


def _fetched(places: set[Place], user: Any) -> dict[Place, Any]:
    """Return the orders with what a line shows, the state of the newest notification among it."""
    orders: dict[Place, Any] = {}
    may_see_news = user.has_perm("records.view_notification")
    models: tuple[tuple[str, Any], ...] = (("payment", Payment), ("payout", Payout))
    for kind, model in models:
        keys = [pk for of, pk in places if of == kind]
        if not keys:
            continue
        rows = filters.visible_to(user, model.objects.filter(pk__in=keys)).select_related(*_RELATIONS)
        if may_see_news:
            newest = Notification.objects.filter(**{kind: OuterRef("pk")}).order_by("-order_version", "-id")
            rows = rows.annotate(told=Subquery(newest.values("state")[:1]))
        orders |= {(kind, row.pk): row for row in rows}
    return orders


def _orders_of(
    each: _Asked, matched: Mapping[Key, Sequence[Place]], orders: Mapping[Place, Any], arms: Sequence[_Arm]
) -> list[Line]:
    """Return a line for each order that a number names, the newest first."""
    labels: dict[Place, list[Any]] = {}
    for key in each.keys:
        for place in matched.get(key, ()):
            known = labels.setdefault(place, [])
            if arms[key[0]].label not in known:
                known.append(arms[key[0]].label)
    lines = [
        Line(asked=each.wanted.typed, repeats=each.repeats, order=orders[place], keys=tuple(keys))
        for place, keys in labels.items()
        if place in orders
    ]
    return sorted(lines, key=lambda line: (line.order.created_at, line.order.pk), reverse=True)
