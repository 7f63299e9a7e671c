"""What belongs to one order, read in a bounded number of queries, of each kind as much as a person reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db.models import BinaryField, F, Func, Q, QuerySet, Value
from django.db.models import Model as DbModel
from django.utils.http import urlencode

from diamondpay.lib import admin_columns, masking
from diamondpay.models import AuditRow
from records import proofs
from records.models import (
    BalanceRecord,
    Case,
    ChangeType,
    Notification,
    NotificationAttempt,
    Payment,
    Payout,
    PayoutAttempt,
    Posting,
    Proof,
    StatusChange,
    UpstreamCall,
    UpstreamCallback,
)

Row = TypeVar("Row", bound=DbModel)
Order = Payment | Payout
Scope = Callable[[QuerySet[Any]], QuerySet[Any]]

# Of a kind with more rows than these two together, the first and the last are shown.
FIRST_MAX = 10
LAST_MAX = 15


@dataclass(frozen=True)
class Few(Generic[Row]):
    """Rows of one kind in order of time; `is_cut` says that some in their middle are left out."""

    rows: list[Row] = field(default_factory=list)
    is_cut: bool = False

    @property
    def last(self) -> Row | None:
        """The newest row."""
        return self.rows[-1] if self.rows else None


@dataclass(frozen=True, kw_only=True)
class Life:
    """An order and what belongs to it; kinds the person may not see are empty, `may_see` tells which."""

    order: Order
    may_see: frozenset[type[DbModel]]
    changes: Few[StatusChange]
    attempts: Few[PayoutAttempt]
    calls: Few[UpstreamCall]
    callbacks: Few[UpstreamCallback]
    notifications: Few[Notification]
    sendings: Few[NotificationAttempt]
    postings: Few[Posting]
    entries: Few[BalanceRecord]
    cases: Few[Case]
    audits: Few[AuditRow]
    proofs: Few[Proof]

    @property
    def is_payout(self) -> bool:
        """Whether the order is a payout."""
        return isinstance(self.order, Payout)

    @property
    def refund(self) -> BalanceRecord | None:
        """What left the wallet when the deposit was given back to its payer, None where it was not."""
        taken = (row for row in self.entries.rows if row.change_type == ChangeType.DEPOSIT_REFUND)
        return next((row for row in taken if row.merchant_channel_id is not None), None)

    @property
    def numbers(self) -> list[str]:
        """The order's own numbers, which stay readable in raw bodies."""
        order = self.order
        found = [number_of(order), order.merchant_order_no, order.channel_order_no, order.merchant_id]
        found += [order.merchant_channel_id, *(row.webhook_id for row in self.notifications.rows)]
        for attempt in self.attempts.rows:
            found += [attempt.reference, attempt.channel_order_no]
        return [number for number in found if number]


def number_of(order: Order) -> str:
    """Return the platform's number of an order."""
    return order.payout_id if isinstance(order, Payout) else order.payment_id


def kind_of(order: Order) -> str:
    """Return `payment` or `payout`: the name of the column that leads to the order, and its audit kind."""
    return "payout" if isinstance(order, Payout) else "payment"


def read(*, order: Order, may_see: frozenset[type[DbModel]], scope: Scope) -> Life:
    """Read what belongs to an order: one query for each kind that may be seen, two where rows are cut out.

    `scope` restricts a queryset to what the person may see.
    """
    kind = kind_of(order)
    path = "attempt__payout" if kind == "payout" else "payment"

    def few(queryset: QuerySet[Row], *by: str) -> Few[Row]:
        return _few(scope(queryset), by) if queryset.model in may_see else Few()

    calls = UpstreamCall.objects.filter(**{path: order}).select_related("attempt")
    callbacks = UpstreamCallback.objects.filter(**{path: order}).select_related("attempt")
    notifications = few(Notification.objects.filter(**{kind: order}), "order_version", "id")
    cases = few(Case.objects.filter(**{kind: order}).select_related("currency", "closed_by"), "id")
    postings = Posting.objects.filter(**{kind: order}).select_related("operator")
    entries = BalanceRecord.objects.filter(**{f"posting__{kind}": order}).select_related("currency")
    return Life(
        order=order,
        may_see=may_see,
        changes=few(
            StatusChange.objects.filter(**{kind: order}).select_related("changed_by_user"), "version"
        ),
        attempts=few(PayoutAttempt.objects.filter(payout=order.pk), "number") if kind == "payout" else Few(),
        calls=few(calls, "created_at", "id"),
        callbacks=few(_cut_bodies(callbacks), "received_at", "id"),
        notifications=notifications,
        sendings=few(
            NotificationAttempt.objects.filter(notification__in=[row.pk for row in notifications.rows]),
            "started_at", "id",
        )
        if notifications.rows else Few(),
        postings=few(postings, "id"),
        entries=few(entries, "id"),
        cases=cases,
        audits=few(_audits(order, notifications.rows, cases.rows).select_related("user"), "created_at", "id"),
        proofs=few(
            proofs.without_content(Proof.objects.filter(**{kind: order})).select_related("uploaded_by"), "id"
        ),
    )  # fmt: skip


def list_of(model: type[DbModel], order: Order) -> str:
    """Return the address of a kind's list, searched by the order's number."""
    url = admin_columns.list_url(model._meta.label_lower)
    return f"{url}?{urlencode({'q': number_of(order)})}"


def _few(queryset: QuerySet[Row], by: tuple[str, ...]) -> Few[Row]:
    ordered = queryset.order_by(*by)
    rows = list(ordered[: FIRST_MAX + LAST_MAX + 1])
    if len(rows) <= FIRST_MAX + LAST_MAX:
        return Few(rows)
    last = list(ordered.reverse()[:LAST_MAX])
    return Few([*rows[:FIRST_MAX], *reversed(last)], is_cut=True)


def _cut_bodies(callbacks: QuerySet[UpstreamCallback]) -> QuerySet[Any]:
    """Fetch of each body what a page can show: it may have 256 kB."""
    start = Func(
        F("body"), Value(1), Value(masking.READ_LENGTH_MAX + 1), function="substr", output_field=BinaryField()
    )
    return callbacks.defer("body", "headers").annotate(body_start=start)


def _audits(order: Order, notifications: list[Notification], cases: list[Case]) -> QuerySet[AuditRow]:
    """The audit rows of the order, of its notifications and of its cases."""
    condition = Q(object_kind=kind_of(order), object_id=number_of(order))
    if notifications:
        condition |= Q(object_kind="notification", object_id__in=[str(row.pk) for row in notifications])
    if cases:
        condition |= Q(object_kind="case", object_id__in=[str(row.pk) for row in cases])
    return AuditRow.objects.filter(condition)
