"""How many rows a list has and what they sum up to: from the totals, or counted up to 10,000 rows.

Never a guess: beyond what is known or counted, the answer is that there are more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, F, QuerySet, Value, When
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.fields import MoneyField
from diamondpay.lib.filters import Reading
from records import totals
from records.models import Account, PayoutStatus

COUNT_MAX = 10_000


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of one currency and, of orders, one settlement currency.

    Units: each sum in major units of its own currency, `units` in their order; no currency, no sums.
    """

    currency: str
    row_count: int
    sums: tuple[Decimal, ...] = ()
    settlement_currency: str = ""
    units: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What a list's rows come to. `row_count` None: there are more than 10,000, and nothing is added up."""

    row_count: int | None
    labels: tuple[str | Promise, ...] = ()
    parts: tuple[Part, ...] = ()


# What is added up of each kind: its words and columns; of orders what the totals add up, in their way: of
# payouts what the successful ones debited.
_AMOUNTS: dict[str, tuple[tuple[str | Promise, str], ...]] = {
    "payment": (
        (_("requested"), "requested_amount"), (_("actual"), "actual_amount"), (_("fee"), "fee"),
        (_("credited"), "credited_amount"),
    ),
    "payout": (
        (_("requested"), "requested_amount"), (_("actual"), "actual_amount"), (_("fee"), "fee"),
        (_("debited"), "debited"),
    ),
    "balancerecord": ((_("change"), "amount"),),
    "balancetransfer": ((_("transferred"), "amount"),),
    "account": ((_("available"), "balance"), (_("frozen"), "frozen_balance")),
}  # fmt: skip

# The amounts of orders that are in the wallet's currency.
_SETTLED = frozenset({"fee", "credited_amount", "debited"})


def labels(kind: str) -> tuple[str | Promise, ...]:
    """Return what is added up of a kind, in words."""
    return tuple(label for label, _column in _AMOUNTS.get(kind, ()))


def known(reading: Reading) -> Sums | None:
    """Return the sums of a list whose filters the totals know, exact in the caller's snapshot; else None."""
    if reading.totals_key is None:
        return None
    parts: dict[tuple[str, str], list[Any]] = {}
    for row in totals.figures(**reading.totals_key.arguments()):
        counted = (row.order_count, row.requested_sum, row.actual_sum, row.fee_sum, row.credited_sum)
        key = (row.currency, row.settlement_currency)
        before = parts.get(key, [0] * len(counted))
        parts[key] = [a + b for a, b in zip(before, counted, strict=True)]
    rows = [(*key, *counts) for key, counts in sorted(parts.items()) if counts[0]]
    found = _parts(reading.kind, rows)
    return Sums(row_count=sum(part.row_count for part in found), labels=labels(reading.kind), parts=found)


def counted(kind: str, queryset: QuerySet[Any]) -> Sums:
    """Count rows and add them up in one statement that looks at no more than 10,001 of them."""
    columns = [column for _label, column in _AMOUNTS.get(kind, ())]
    keys = _keys(kind) if columns else []
    names = [*keys, *columns] or ["pk"]
    try:
        sql, parameters = _values(kind, queryset, names)[: COUNT_MAX + 1].query.sql_with_params()
    except EmptyResultSet:
        # Django knows already that nothing can match, such as a number that is no order's.
        return _made(kind, [])
    own = [f"v{place}" for place in range(len(names))]
    summed = "".join(f", coalesce(sum({name}), 0)" for name in own[len(keys) :] if columns)
    key = ", ".join(own[: len(keys)]) or "''"
    group = ", ".join(str(place + 1) for place in range(len(keys) or 1))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, count(*){summed} FROM ({sql}) AS part ({', '.join(own)}) "  # noqa: S608 - our names
            f"GROUP BY {group} ORDER BY {group}",
            parameters,
        )
        rows = cursor.fetchall()
    return _made(kind, rows)


def _values(kind: str, queryset: QuerySet[Any], names: Sequence[str]) -> QuerySet[Any]:
    found = queryset.order_by()
    if kind == "payout":
        is_success = When(status=PayoutStatus.SUCCESS, then="debited_amount")
        found = found.annotate(debited=Case(is_success, default=Value(0), output_field=MoneyField()))
    if kind == "account":
        frozen = Account.Kind.FROZEN
        # One more join of a wallet to its other balance, which its unique index answers.
        found = found.filter(merchant_channel__accounts__kind=frozen)
        found = found.annotate(frozen_balance=F("merchant_channel__accounts__balance"))
    return found.values_list(*names)


def _made(kind: str, rows: Iterable[Sequence[Any]]) -> Sums:
    parts = _parts(kind, rows)
    count = sum(part.row_count for part in parts)
    if count > COUNT_MAX:
        return Sums(row_count=None)
    return Sums(row_count=count, labels=labels(kind), parts=parts)


def _keys(kind: str) -> list[str]:
    """Return the columns that tell the parts of a kind's sums apart."""
    is_order = kind in ("payment", "payout")
    return ["currency_id", "settlement_currency_id"] if is_order else ["currency_id"]


def _parts(kind: str, rows: Iterable[Sequence[Any]]) -> tuple[Part, ...]:
    """Return rows of keys, count and sums as parts."""
    columns = [column for _label, column in _AMOUNTS.get(kind, ())]
    width = len(_keys(kind)) if columns else 1
    parts = []
    for row in rows:
        keys, count, sums = row[:width], row[width], row[width + 1 :]
        currency, settled = keys[0] or "", keys[-1] or ""
        units = tuple(settled if column in _SETTLED else currency for column in columns)
        parts.append(
            Part(
                currency=currency, settlement_currency=settled, row_count=int(count), units=units,
                sums=tuple(Decimal(each) for each in sums),
            )
        )  # fmt: skip
    return tuple(parts)
