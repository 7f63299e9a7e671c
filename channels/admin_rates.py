"""The pages of exchange rates: the history, newest first, and a form that adds one. None is ever changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from channels import rates
from channels.models import ExchangeRate
from diamondpay.lib import admin_columns, clock, errors
from diamondpay.lib.admin import AuditedAdmin, address_of
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_forms import LockedForm
from diamondpay.lib.filter_kinds import Related
from diamondpay.models import User

_rate = Columns(ExchangeRate)
_TONES = {"current": "success", "future": "review", "past": "closed"}
_WORDS = {"current": _("in force"), "future": _("to come"), "past": _("over")}


def _in_words(row: ExchangeRate) -> str:
    return str(row)


class ExchangeRateForm(LockedForm):
    """One unit of a currency, what it costs in another, from when on, and why."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.TextInput(attrs={"size": 60}),
        help_text=_("Kept in the audit trail."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "valid_from" in self.fields:
            self.fields["valid_from"].required = False
            self.fields["valid_from"].help_text = _(
                "Empty: from now on. Otherwise such as 2026-12-01 and 09:00, in your time zone."
            )
        if "rate" in self.fields:
            self.fields["rate"].help_text = _("Such as 7.47 for 1 MTC = 7.47 CNY.")

    def clean(self) -> dict[str, Any]:
        """Refuse what is no rate, beside its field."""
        cleaned = super().clean()
        # A field that Django has refused is missing here; what is wrong with the others is told all the same.
        found = rates.faults(
            base=getattr(cleaned.get("base"), "pk", ""),
            quote=getattr(cleaned.get("quote"), "pk", ""),
            rate=cleaned.get("rate", Decimal(0)),
            reason=cleaned.get("reason", ""),
            valid_from=cleaned.get("valid_from"),
            now=clock.now(),
        )
        for name, words in found.items():
            if cleaned.get(name) is not None:
                self.add_error(name, str(words))
        return cleaned


@admin.register(ExchangeRate)
class ExchangeRateAdmin(AuditedAdmin):
    """Exchange rates. A new one replaces the old from its moment on; orders keep the rate they had."""

    form = ExchangeRateForm
    list_display = (
        _rate.page("id", label=_("number")), _rate.computed(_in_words, name="rate", label=_("rate")),
        _rate.computed(
            lambda row: admin_columns.badge(row.state, _TONES[row.state], _WORDS),
            name="state", label=_("state"),
        ),
        _rate.moment("valid_from"), _rate.moment("valid_until", label=_("until")),
        _rate.text("created_by"), "reason",
    )  # fmt: skip
    list_display_links = None
    filters = {"base": Related("base"), "quote": Related("quote")}
    list_select_related = ("created_by",)
    fieldsets = ((None, {"fields": ("base", "rate", "quote", "valid_from", "reason")}),)

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

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a rate: a new one is added."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a rate: orders were made at it."""
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Tell the second of two who add a rate for the same moment that nothing was saved."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except errors.InvalidInput as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(reverse("admin:channels_exchangerate_changelist"))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Add the rate by its one function, which writes the audit row."""
        given = form.cleaned_data
        made = rates.add(
            base=given["base"].pk,
            quote=given["quote"].pk,
            rate=given["rate"],
            reason=given["reason"],
            valid_from=given.get("valid_from"),
            now=clock.now(),
            user=cast(User, request.user),
            address=address_of(request),
        )
        obj.pk, obj.valid_from = made.pk, made.valid_from

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save nothing more: a rate has no parts, and its audit row is written."""
