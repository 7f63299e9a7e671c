"""What lists and pages of rows with terms share: since when one is in force, and the way there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors, selections
from diamondpay.lib.admin import AuditedAdmin, AuditedInline
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.filter_kinds import Flag
from diamondpay.lib.filters import read as read_list
from diamondpay.lib.in_force import NOT_IN_FORCE

IN_FORCE = "in_force"
_IN_FORCE_TOLD = "in_force_told"
ASK = "operations.ask_activate_terms"
MAY_ASK = ("operations.add_act", ASK)
# The page that asks for many rows of a model, the form in which they are chosen, and the parameter that
# stands for all that a list finds.
ASK_MANY, CHOICE, FOUND = "activations_{}", "choice", "found"
_LABEL = _("in force since")
_NO_BOX = SafeString("<span></span>")


class InForce(Flag):
    """Rows that were put in force, or those that were not."""

    def __init__(self, field_name: str) -> None:
        super().__init__(field_name, no=_("not in force"), yes=_("in force"), title=_("in force"))

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows of one side."""
        return qs if value is None else qs.filter(**{f"{self.field_name}__isnull": not value})


def in_force_since(model: type[models.Model]) -> Callable[[Any], Any]:
    """Return the column that tells since when a row is in force, or leads to where that is asked for.

    Whoever may not ask gets it without the way (`TermsAdmin`).
    """
    return Columns(model).computed(shown, name="terms_since", label=_LABEL)


def told(row: Any) -> Any:
    """Return since when a row is in force, or that it is not."""
    if row.terms_since is None:
        return gettext("not in force")
    return Columns(type(row)).moment("terms_since")(row)


def shown(row: Any, *, is_narrow: bool = False) -> Any:
    """Return since when a row is in force; of one that is not, the way to its activation."""
    if row.terms_since is not None or row._state.adding:
        return told(row)
    url = reverse(f"admin:act_activate_terms_{row._meta.model_name}", args=[row.pk])
    words = gettext("not yet: ask") if is_narrow else gettext("not in force: ask for activation")
    return format_html('<a href="{}">{}</a>', url, words)


class TermsInline(AuditedInline):
    """Rows with terms on the page of what they belong to."""

    readonly_fields = (IN_FORCE, _IN_FORCE_TOLD)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Lead to the activation whoever may ask for it, and nobody else."""
        found = super().get_fields(request, obj)
        if request.user.has_perm(ASK):
            return found
        return [_IN_FORCE_TOLD if name == IN_FORCE else name for name in found]

    @admin.display(description=_LABEL)
    def in_force(self, row: Any) -> Any:
        """Tell since when the row is in force, or lead to where that is asked for."""
        return shown(row, is_narrow=True)

    @admin.display(description=_LABEL)
    def in_force_told(self, row: Any) -> Any:
        """Tell since when the row is in force."""
        return told(row)


def _box(row: Any) -> Any:
    """Return the box by which a row that is not in force is chosen, nothing for another."""
    if row.terms_since is not None:
        # Django's list would show a dash for an empty text.
        return _NO_BOX
    words = gettext("Choose %s") % row
    return format_html(
        '<input type="checkbox" name="{}" value="{}" form="{}" aria-label="{}">', selections.ONE, row.pk,
        CHOICE, words,
    )  # fmt: skip


class TermsAdmin(AuditedAdmin):
    """Pages of rows with terms: one that was never activated says so, above its form.

    In the list, whoever may ask chooses rows that are not in force and asks for them all at once.
    """

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer the choice where the page has a row that can be chosen."""
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", None) or {}
        rows = shown["cl"].result_list if "cl" in shown else ()
        if self._may_ask(request) and any(row.terms_since is None for row in rows):
            url = reverse(f"admin:{ASK_MANY.format(self.opts.model_name)}")
            found = urlencode({FOUND: shown["cl"].reading.query})
            shown["choice"] = {"form": CHOICE, "url": url, "found_url": f"{url}?{found}"}
        return response

    def keys_found(self, request: HttpRequest, query: str, *, row_count_max: int) -> list[str]:
        """Return the rows not in force that the list finds, at most one more than may be.

        Raises: InvalidInput for filters that cannot be read.
        """
        reading = read_list(
            self.filterset, QueryDict(query), queryset=self.get_queryset(request), ignored=self.parameters,
            viewer=self.viewer(request), kind=str(self.opts.model_name),
        )  # fmt: skip
        if reading.errors or reading.unknown:
            raise errors.InvalidInput(
                {"filters": _("These filters cannot be read. Choose in the list again.")}
            )
        rows = reading.queryset.filter(terms_since__isnull=True).order_by("pk")
        return [str(pk) for pk in rows.values_list("pk", flat=True)[: row_count_max + 1]]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        """Let the first column lead to the row's page, not the box before it."""
        return list(super().get_list_display(request))[:1]

    def _may_ask(self, request: HttpRequest) -> bool:
        return request.user.has_perms(MAY_ASK)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Lead to the activation whoever may ask for it, and nobody else."""
        found = super().get_list_display(request)
        if request.user.has_perm(ASK):
            box = Columns(self.model).computed(_box, name="choose", label=_("choose"))
            return [box, *found] if self._may_ask(request) else found
        plain = Columns(self.model).computed(told, name="terms_since", label=_LABEL)
        return [plain if getattr(each, "__name__", "") == plain.__name__ else each for each in found]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Say that the row is not in force."""
        record = context.get("original")
        context["note"] = NOT_IN_FORCE if record is None or record.terms_since is None else ""
        return super().render_change_form(request, context, *args, **kwargs)
