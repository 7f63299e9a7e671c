"""The pages of exchange rates: their history, newest first. None is ever changed; one person asks for a new
one and another decides (`operations.rate_requests`).
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from channels.models import ExchangeRate
from diamondpay.lib import admin_columns
from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.filter_kinds import Related

_rate = Columns(ExchangeRate)
_TONES = {"current": "success", "future": "review", "past": "closed"}
_WORDS = {"current": _("in force"), "future": _("to come"), "past": _("over")}


def _in_words(row: ExchangeRate) -> str:
    return str(row)


def _state(row: Any) -> Any:
    return admin_columns.badge(row.state, _TONES[row.state], _WORDS)


@admin.register(ExchangeRate)
class ExchangeRateAdmin(ReadOnlyAdmin):
    """Exchange rates. A new one replaces the old from its moment on; orders keep the rate they had."""

    change_list_template = "admin/channels/exchange_rates.html"
    list_display = (
        _rate.page("id", label=_("number")), _rate.computed(_in_words, name="rate", label=_("rate")),
        _rate.computed(_state, name="state", label=_("state")),
        _rate.moment("valid_from"), _rate.moment("valid_until", label=_("until")),
        _rate.text("created_by", label=_("approved by")), "reason",
    )  # fmt: skip
    list_display_links = None
    ordering = ("-valid_from", "-id")
    filters = {"base": Related("base"), "quote": Related("quote")}
    list_select_related = ("created_by",)
    facts = (
        (None, (
            _rate.computed(_in_words, name="rate", label=_("rate")),
            _rate.computed(_state, name="state", label=_("state")),
            _rate.full_moment("valid_from"), _rate.full_moment("valid_until", label=_("until")),
            _rate.text("reason"), _rate.text("created_by", label=_("approved by")),
            _rate.full_moment("created_at"), _rate.text("request_id"),
        )),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Add when the next rate of the same currencies begins, and so which one is in force."""
        following = ExchangeRate.objects.filter(
            base=OuterRef("base"), quote=OuterRef("quote"), valid_from__gt=OuterRef("valid_from")
        ).order_by("valid_from")
        found: QuerySet[Any] = super().get_queryset(request)
        ended = found.annotate(valid_until=Subquery(following.values("valid_from")[:1]))
        told: QuerySet[Any] = ended.annotate(
            state=Case(
                When(valid_from__gt=Now(), then=Value("future")),
                When(valid_until__lte=Now(), then=Value("past")),
                default=Value("current"),
            )
        )
        return told
