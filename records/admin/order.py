"""The page of one order: what it is, what can be done now, its whole life, its facts, its balance records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t

from channels.models import Bank, Channel, Service
from diamondpay.lib import acts, clock, deadlines
from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_list import PAGE_MS_MAX
from diamondpay.models import AuditRow
from merchants.models import Merchant, MerchantChannel
from records import filters, search
from records.admin import base, chain_facts, facts, life, notes, parts, timeline
from records.admin import proofs as proof_pages
from records.models import (
    BalanceRecord,
    Case,
    ChainTransfer,
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

LIST_PARAMETER = "list"
LIST_LENGTH_MAX = 2000
# Neighbours are a convenience: a filter that finds the next one only after long must not hold up the page.
NEIGHBOUR_MS_MAX = 400

_BELONGING: tuple[type[Model], ...] = (
    StatusChange, UpstreamCall, UpstreamCallback, Notification, NotificationAttempt, Posting, BalanceRecord,
    Case, PayoutAttempt, AuditRow, Proof,
)  # fmt: skip
_LINKED: tuple[type[Model], ...] = (
    Merchant, MerchantChannel, Channel, Service, Bank, ChainTransfer,
)  # fmt: skip
_RELATIONS = (
    "merchant", "service", "channel", "merchant_channel", "currency", "settlement_currency", "bank",
    "placed_by",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The orders before and after this one in the list the person came from, by address; "" for none."""

    newer: str = ""
    older: str = ""
    list_url: str = ""
    words: str = ""


class OrderPage(ReadOnlyAdmin):
    """A deposit's or payout's own page in place of the generic one, and a list that knows the other kind."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list; where it has nothing of a number that is an order of the other kind, say so."""
        response = super().changelist_view(request, extra_context)
        text = request.GET.get(SEARCH_VAR, "")
        shown = getattr(response, "context_data", None) or {}
        if text.strip() and "cl" in shown and not shown["cl"].result_list:
            self._tell_of_other_kind(request, text)
        return response

    def _tell_of_other_kind(self, request: HttpRequest, text: str) -> None:
        kind = str(self.opts.model_name)
        try:
            with deadlines.within(milliseconds=NEIGHBOUR_MS_MAX):
                order = search.order_of_the_other_kind(
                    kind=kind, text=text, user=request.user, now=clock.now()
                )
        except deadlines.TookTooLong:
            return
        if order is not None:
            shape = _t("“%s” is a payout:") if isinstance(order, Payout) else _t("“%s” is a deposit:")
            link = parts.link(type(order), order.pk, life.number_of(order))
            messages.info(request, format_html("{} {}", shape % text.strip()[:64], link))

    @deadlines.bounded(milliseconds=PAGE_MS_MAX)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the order. Source: backoffice.md, Order details page."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).select_related(*_RELATIONS)
        order = self._found(rows, unquote(object_id))
        if order is None:
            return self._unknown(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            **self._context(request, order, clock.now()),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/records/order.html", context)

    def _unknown(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead home with words, which are the same for an order of somebody else."""
        kind, number = self.opts.verbose_name, unquote(object_id)[:64]
        words = _t("There is no %(kind)s “%(number)s”, or you may not see it.")
        messages.warning(request, words % {"kind": kind, "number": number})
        return HttpResponseRedirect(reverse("admin:index"))

    def _found(self, rows: QuerySet[Any], object_id: str) -> Payment | Payout | None:
        """Return the order of a key, or of an order number written in its place."""
        if object_id.isascii() and object_id.isdigit() and len(object_id) < 19:
            found: Payment | Payout | None = rows.filter(pk=int(object_id)).first()
            return found
        number = {f"{self.opts.model_name}_id": object_id.upper()}
        return None if len(object_id) > 32 or "\x00" in object_id else rows.filter(**number).first()

    def _context(self, request: HttpRequest, order: Payment | Payout, now: datetime) -> dict[str, Any]:
        user: Any = request.user
        may = {model: user.has_perm(_view_of(model)) for model in (*_BELONGING, *_LINKED)}
        # What is between us and the upstreams is nobody's business who sees neither.
        names_channels = may[Channel] or may[UpstreamCall]
        reader = facts.Reader(
            may_open=frozenset(model for model in _LINKED if may[model]),
            names_people=filters.confined_to(user) is None,
            names_channels=names_channels,
        )
        found = life.read(
            order=order,
            may_see=frozenset(model for model in _BELONGING if may[model]),
            scope=lambda queryset: self.house.visible_to(user, queryset),
        )
        offered = acts.allowed(user, order)
        tones = base.PAYOUT_TONES if found.is_payout else base.PAYMENT_TONES
        return {
            "title": life.number_of(order),
            "opts": self.opts,
            "list_title": self.house.title_of(self.model),
            "order": order,
            "original": order,
            "number": life.number_of(order),
            "badge": parts.badge(order.get_status_display(), tones[order.status]),
            "amount": parts.amount(order.requested_amount, order.currency),
            "actual": _other_actual(order),
            "flags": _flags(found),
            "acts": _acts(offered, order),
            "main_act": next((act.name for act in offered if not act.order), ""),
            "sections": [*facts.sections(order, reader), *chain_facts.sections(order, reader)],
            "notes": notes.notes(life=found, reader=reader, now=now),
            "events": timeline.events(
                life=found, user=user, names_people=reader.names_people, names_channels=names_channels
            ),
            "entries": _entries(found, names_channels),
            "may_see_entries": may[BalanceRecord],
            "proofs": [_proof(row, reader) for row in found.proofs.rows],
            "proofs_url": life.list_of(Proof, order) if found.proofs.is_cut else "",
            "neighbours": self._neighbours(request, order, now),
            "shown_at": now,
        }

    def _neighbours(self, request: HttpRequest, order: Payment | Payout, now: datetime) -> Neighbours:
        """Find the orders before and after this one in the list whose filter the address carries."""
        query = request.GET.get(LIST_PARAMETER)
        list_url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        if query is None or len(query) > LIST_LENGTH_MAX:
            return Neighbours(list_url=list_url)
        reading = filters.read(
            life.kind_of(order), QueryDict(query), user=request.user,
            zone=timezone.get_current_timezone(), now=now,
        )  # fmt: skip
        back = f"{list_url}?{reading.query}" if reading.query else list_url
        if reading.errors:
            return Neighbours(list_url=back)
        try:
            with deadlines.within(milliseconds=NEIGHBOUR_MS_MAX):
                newer = _nearest(reading.branches, order, is_newer=True)
                older = _nearest(reading.branches, order, is_newer=False)
        except deadlines.TookTooLong:
            words = _t("The next order of this list takes too long to find; narrow its filter.")
            return Neighbours(list_url=back, words=words)
        tail = urlencode({LIST_PARAMETER: query})
        return Neighbours(
            newer=f"{parts.page_url(self.model, newer)}?{tail}" if newer else "",
            older=f"{parts.page_url(self.model, older)}?{tail}" if older else "",
            list_url=back,
        )


def _nearest(branches: tuple[QuerySet[Any], ...], order: Payment | Payout, *, is_newer: bool) -> int | None:
    """Return the key of the order next to this one by (created, id), which is how lists are sorted.

    `created_at` bounds the index scan; orders of the same moment are told apart by their id.
    """
    side, sign = ("gt", "") if is_newer else ("lt", "-")
    found: list[tuple[datetime, int]] = []
    for branch in branches:
        beside = branch.filter(**{f"created_at__{side}e": order.created_at}).exclude(
            **{"created_at": order.created_at, f"id__{'lte' if is_newer else 'gte'}": order.pk}
        )
        ordered = beside.order_by(f"{sign}created_at", f"{sign}id")
        found += ordered.values_list("created_at", "id")[:1]
    if not found:
        return None
    return (min(found) if is_newer else max(found))[1]


def _view_of(model: type[Model]) -> str:
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def _other_actual(order: Payment | Payout) -> str:
    """Return the amount that really moved where it is another than the one asked for."""
    if order.actual_amount in (None, order.requested_amount):
        return ""
    return parts.amount(order.actual_amount, order.currency)


def _flags(seen: life.Life) -> list[tuple[str, str]]:
    """Return the marks of an order that are no status, each with what it means."""
    found, order = [], seen.order
    if seen.refund is not None:
        found.append((_t("refunded"), _t("The money was given back to the payer.")))
    if order.is_test:
        found.append((_t("test"), _t("A test order: it counts in no statistics unless asked for.")))
    if isinstance(order, Payment) and order.is_late:
        found.append((_t("late"), _t("Paid after it had been closed or had failed.")))
    if isinstance(order, Payout) and order.is_held:
        found.append((_t("held"), _t("The last attempt failed; a person decides.")))
    return found


def _acts(offered: list[acts.Act], order: Payment | Payout) -> list[dict[str, Any]]:
    """Return what the person may do with the order now; acts take its platform number in their address."""
    return [
        {
            "name": act.name,
            "label": act.label,
            "url": reverse(act.url_name, args=[life.number_of(order)]),
            "opens_window": act.opens_window,
        }
        for act in offered
    ]


def _proof(row: Proof, reader: facts.Reader) -> dict[str, Any]:
    return {
        "url": parts.page_url(Proof, row.pk),
        "file_url": proof_pages.file_url(row),
        "kind": row.get_kind_display(),
        "size": proof_pages.size_words(row),
        "note": row.note,
        "at": row.uploaded_at,
        "who": reader.person(row.uploaded_by) if reader.names_people else "",
    }


def _entries(found: life.Life, names_channels: bool) -> dict[str, Any]:
    """Return the order's balance records, oldest first; one currency stands in the heading."""
    rows = found.entries.rows
    units = {row.currency_id for row in rows}
    unit = units.pop() if len(units) == 1 else ""

    def amount(row: BalanceRecord, value: Decimal | None, *, signed: bool = False) -> SafeString:
        return parts.amount(value, row.currency, signed=signed, names_unit=not unit)

    return {
        "unit": unit,
        "list_url": life.list_of(BalanceRecord, found.order) if found.entries.is_cut else "",
        "rows": [
            {
                "at": row.created_at,
                "url": parts.page_url(BalanceRecord, row.pk),
                "wallet": row.merchant_channel_id or (row.channel_id if names_channels else "") or "",
                "account": row.get_account_kind_display(),
                "change": row.get_change_type_display(),
                "amount": amount(row, row.amount, signed=True),
                "before": amount(row, row.balance_before),
                "after": amount(row, row.balance_after),
            }
            for row in rows
        ],
    }
