"""The filters of every record list: what a list, a statistics link and a file of the same address show.

`read` is the one way in: it scopes, filters, orders, and says in words what was asked and what is wrong.
Names in the address: created, created_from, created_to (a day, included whole, or a minute, at which the
range stops; in the viewer's zone), the same of completed, merchant, status, service, channel (each may be
repeated), amount_min, amount_max, settled (OWN, or the currency into which orders are converted), is_test
(0 out, 1 only), notification, q. Source: seed 000, Advanced
Queries.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from diamondpay.lib import filter_moments, filters
from diamondpay.lib.filters import ListFilters, Reading, Viewer
from diamondpay.models import AuditRow
from merchants import access
from records import audit_trail, chain_list, filter_sets, totals
from records.models import (
    Account,
    BalanceRecord,
    BalanceTransfer,
    Case,
    ChainTransfer,
    Notification,
    Payment,
    Payout,
    UpstreamCallback,
)

UPSTREAM = filter_sets.UPSTREAM
# Parameters of a list that are no filters: paging, the columns and name of a saved view.
PAGE_PARAMETERS = frozenset({"after", "before", "p", "columns", "view"})
# More querysets than this are not worth taking together; the database is asked once instead.
_BRANCH_COUNT_MAX = 40
_TOTALS = {"payment": totals.PAYMENTS, "payout": totals.PAYOUTS}
_TOLD = frozenset({"created", "merchant", "status", "service", "channel", "settled", "is_test"})


@dataclass(frozen=True, kw_only=True)
class TotalsKey:
    """The rows of a list as the totals know them; None in a dimension is every value.

    `totals.figures(**key.arguments())` counts exactly the list's rows. Units: kind as in `records.totals`,
    [start, end) half-open by the time of creation.
    """

    kind: int
    start: datetime | None = None
    end: datetime | None = None
    merchants: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    statuses: tuple[int, ...] | None = None
    settled: str | None = None
    is_test: bool | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `totals.figures`."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _List:
    """The rows a list starts from, their order, and the dimensions by which an index serves them in order."""

    filters: type[ListFilters]
    rows: QuerySet[Any]
    order: tuple[str, ...]
    # Each is a filter and its column; the first set of which all may be branched over is taken.
    drivers: tuple[tuple[str, str], ...] = ()


_NEWEST = ("-created_at", "-id")
_ORDER_DRIVERS = (
    ("merchant", "merchant_id"), ("status", "status"), ("channel", "channel_id"), ("service", "service_id"),
)  # fmt: skip
_LISTS: dict[str, _List] = {
    "payment": _List(
        filters=filter_sets.PaymentFilters, rows=Payment.objects.all(), order=_NEWEST, drivers=_ORDER_DRIVERS
    ),
    "payout": _List(
        filters=filter_sets.PayoutFilters, rows=Payout.objects.all(), order=_NEWEST, drivers=_ORDER_DRIVERS
    ),
    # System entries stand on their posting's page; the index that serves the list holds none.
    "balancerecord": _List(
        filters=filter_sets.BalanceRecordFilters, rows=BalanceRecord.objects.filter(merchant__isnull=False),
        order=_NEWEST, drivers=(("merchant", "merchant_id"), ("channel", "channel_id"), ("change_type",
        "change_type")),
    ),
    "balancetransfer": _List(
        filters=filter_sets.BalanceTransferFilters, rows=BalanceTransfer.objects.all(), order=_NEWEST
    ),
    "notification": _List(
        filters=filter_sets.NotificationFilters, rows=Notification.objects.all(), order=_NEWEST,
        drivers=(("merchant", "merchant_id"), ("state", "state")),
    ),
    "upstreamcallback": _List(
        filters=filter_sets.UpstreamCallbackFilters, rows=UpstreamCallback.objects.all(),
        order=("-received_at", "-id"), drivers=(("channel", "channel_id"), ("outcome", "outcome")),
    ),
    "chaintransfer": _List(
        filters=chain_list.ChainTransferFilters, rows=ChainTransfer.objects.all(),
        order=("-seen_at", "-id"), drivers=(("channel", "channel_id"), ("state", "state")),
    ),
    "case": _List(filters=filter_sets.CaseFilters, rows=Case.objects.all(), order=("-id",)),
    "account": _List(
        filters=filter_sets.AccountFilters,
        rows=Account.objects.filter(kind=Account.Kind.AVAILABLE),
        order=("-id",),
    ),
    "auditrow": _List(filters=audit_trail.AuditRowFilters, rows=AuditRow.objects.all(), order=_NEWEST),
}  # fmt: skip
KINDS = tuple(_LISTS)


def of(kind: str) -> type[ListFilters]:
    """Return the filters of a record kind. Raises: KeyError for a kind that has no list."""
    return _LISTS[kind].filters


def permission_of(kind: str) -> str:
    """Return the permission to see a kind's list. Raises: KeyError for a kind that has no list."""
    meta = of(kind)._meta.model._meta
    return f"{meta.app_label}.view_{meta.model_name}"


def page_name(kind: str, page: str) -> str:
    """Return the URL name of a kind's `changelist` or `change` page."""
    meta = of(kind)._meta.model._meta
    return f"admin:{meta.app_label}_{meta.model_name}_{page}"


def order_of(kind: str) -> tuple[str, ...]:
    """Return the order of a kind's list, newest first; the last column is the key."""
    return _LISTS[kind].order


def read(kind: str, params: Mapping[str, Any], *, user: Any, zone: ZoneInfo, now: datetime) -> Reading:
    """Read what an address asks of a kind's list, within what the user may see.

    `params` is a QueryDict, or a mapping whose values are texts or lists of texts. Paging is ignored.
    Raises: KeyError for a kind that has no list; bad values end as `errors` and no rows.
    """
    found = _LISTS[kind]
    viewer = Viewer(user=user, zone=zone, now=now, visible_to=visible_to)
    rows = visible_to(user, found.rows).order_by(*found.order)
    reading = filters.read(
        found.filters, params, queryset=rows, viewer=viewer, kind=kind, ignored=PAGE_PARAMETERS
    )
    if reading.errors:
        return reading
    confined = confined_to(user)
    return replace(
        reading,
        branches=_branches(reading, found.drivers, confined),
        totals_key=_totals_key(kind, reading.values, confined),
    )


def visible_to(user: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows that the user may see; whose rows those are is asked once for a user object."""
    return access.visible_to(user, queryset, ask=access.confined_to)


def confined_to(user: Any) -> list[str] | None:
    """Return the merchants whose rows the user is confined to, None without confinement."""
    return access.confined_to(user)


def _branches(
    reading: Reading, drivers: tuple[tuple[str, str], ...], confined: list[str] | None
) -> tuple[QuerySet[Any], ...]:
    """Split the rows so that each part is one run of an index: an index in order serves one value at a time.

    A merchant and a status lead one index together; another dimension is split only where neither is asked.
    """
    asked = dict(reading.values)
    if confined is not None and "merchant" not in asked:
        asked["merchant"] = confined
    split = [(column, asked[name]) for name, column in drivers[:2] if len(asked.get(name) or ()) > 1]
    if not any(asked.get(name) for name, _column in drivers[:2]):
        split = [(column, asked[name]) for name, column in drivers[2:] if len(asked.get(name) or ()) > 1][:1]
    combinations = list(itertools.product(*(values for _column, values in split)))
    if not split or len(combinations) > _BRANCH_COUNT_MAX:
        return (reading.queryset,)
    columns = [column for column, _values in split]
    return tuple(reading.queryset.filter(**dict(zip(columns, each, strict=True))) for each in combinations)


def _totals_key(kind: str, values: Mapping[str, Any], confined: list[str] | None) -> TotalsKey | None:
    if kind not in _TOTALS or not set(values) <= _TOLD:
        return None
    created = values.get("created") or filter_moments.Window()
    merchants = values.get("merchant")
    if confined is not None:
        # What a person names was looked for among what they may see.
        merchants = merchants or confined
    return TotalsKey(
        kind=_TOTALS[kind], start=created.start, end=created.end, merchants=_frozen(merchants),
        services=_frozen(values.get("service")), channels=_frozen(values.get("channel")),
        statuses=_frozen(values.get("status")), settled=values.get("settled"), is_test=values.get("is_test"),
    )  # fmt: skip


def _frozen(values: list[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)
