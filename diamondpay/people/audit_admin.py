"""The audit trail's pages: a list like the others, with files, and a row with what was changed as a table;
and who was signed in when.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from diamondpay.lib.filter_kinds import Several
from diamondpay.lib.filter_moments import Moments
from diamondpay.models import AuditRow, SignIn
from records import audit_trail
from records.admin.lists import RecordAdmin

_audit = Columns(AuditRow)
# Orders are named by the number that people know them by, and not by their key.
_NUMBERS = {"payment": "payment_id", "payout": "payout_id"}


def _outcome(row: AuditRow) -> Any:
    tone, words = ("failed", _("Refused")) if row.is_refused else ("success", _("Done"))
    return format_html('<span class="badge {}">{}</span>', tone, words)


@admin.register(AuditRow)
class AuditRowAdmin(RecordAdmin):
    """The audit trail: who did what, when, from where, before and after; also what was refused."""

    change_form_template = "admin/people/audit_row.html"
    facts = (
        (None, (
            _audit.full_moment("created_at"), _audit.text("actor", label=_("who")),
            _audit.computed(lambda row: audit_trail.words_of(row.action), name="what", label=_("what")),
            _audit.computed(_outcome, name="outcome", label=_("outcome")),
            _audit.computed(
                lambda row: audit_trail.thing_of(row.object_kind), name="thing", label=_("kind of object")
            ),
            _audit.text("object_id"), _audit.text("address"), _audit.text("reason"),
            _audit.text("action", label=_("action code")),
        )),
    )  # fmt: skip

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what was changed, the thing's own page, and the other rows of the thing and the person."""
        row: AuditRow = context["original"]
        model = audit_trail.model_of(row.object_kind)
        listed = reverse("admin:diamondpay_auditrow_changelist")
        context["changes"] = audit_trail.changes(row)
        context["object_url"] = self._page(request, model, row) if model is not None else ""
        context["of_object_url"] = (
            f"{listed}?{urlencode({'object_kind': row.object_kind, 'q': row.object_id})}"
        )
        context["of_actor_url"] = f"{listed}?{urlencode({'actor': row.actor})}"
        return super().render_change_form(request, context, *args, **kwargs)

    def _page(self, request: HttpRequest, model: type[Model], row: AuditRow) -> str:
        """Return the address of the thing's page, where it is still there and this person may see it."""
        is_shown = self.admin_site.is_registered(model)
        if not is_shown or not self.admin_site.get_model_admin(model).has_view_permission(request):
            return ""
        name = _NUMBERS.get(str(model._meta.model_name), "pk")
        try:
            found = self.house.visible_to(
                request.user, model._default_manager.filter(**{name: row.object_id})
            )
            thing = found.first()
        except (ValueError, ValidationError, FieldDoesNotExist):
            return ""
        try:
            view = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            return reverse(view, args=[thing.pk]) if thing is not None else ""
        except NoReverseMatch:
            return ""


_sign_in = Columns(SignIn)


@admin.register(SignIn)
class SignInAdmin(ReadOnlyAdmin):
    """Who was signed in, from where, and how it ended."""

    list_display = (
        _sign_in.page("id", label=_("sign-in")), _sign_in.text("user"), _sign_in.moment("started_at"),
        _sign_in.moment("active_at"), _sign_in.text("address"), _sign_in.moment("second_factor_at"),
        _sign_in.moment("ended_at"), _sign_in.text("ending"),
    )  # fmt: skip
    list_display_links = None
    list_select_related = ("user",)
    filters = {"started": Moments("started_at"), "ending": Several("ending")}
    exact_search = (Key(field="user__username__iexact", label=_("user name"), newest_first="-id"),)
    facts = (
        (None, (
            _sign_in.text("user"), _sign_in.full_moment("started_at"), _sign_in.full_moment("active_at"),
            _sign_in.full_moment("proved_at"), _sign_in.full_moment("second_factor_at"),
            _sign_in.text("address"), _sign_in.text("browser"), _sign_in.full_moment("ended_at"),
            _sign_in.text("ending"),
        )),
    )  # fmt: skip
