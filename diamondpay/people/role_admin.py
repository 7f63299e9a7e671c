"""Roles: their permissions in words under their rooms, and whether they ask for a second factor."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from diamondpay import step_up
from diamondpay.lib import admin_forms
from diamondpay.lib.admin import AuditedAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from diamondpay.models import RoleRule, User
from diamondpay.people import rights
from diamondpay.people.widgets import PermissionsField

_role = Columns(Group)
# Django's own page of roles registered itself when it was imported.
assert isinstance(admin.site.get_model_admin(Group), GroupAdmin)  # noqa: S101
admin.site.unregister(Group)


class RoleForm(admin_forms.LockedForm):
    """A role. Whoever changes it gives nothing that they do not hold, and leaves an administrator."""

    needs_second_factor = forms.BooleanField(
        label=_("Second factor required"), required=False,
        help_text=_("Its people set one up before any other page opens to them."),
    )  # fmt: skip
    # Set by the page for the request's person.
    giver: User | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = RoleRule.objects.filter(role=self.instance.pk).first() if self.instance.pk else None
        self.rule_before = rule is not None and rule.needs_second_factor
        self.initial["needs_second_factor"] = self.rule_before

    def clean_permissions(self) -> Any:
        """Refuse what the giver does not hold, and what merchants' people in the role must not have."""
        chosen = self.cleaned_data["permissions"].select_related("content_type")
        before = set(self.instance.permissions.values_list("pk", flat=True)) if self.instance.pk else set()
        added = [row for row in chosen if row.pk not in before]
        giver = self.giver
        if giver is not None and not giver.is_superuser:
            beyond = [rights.words_of(row) for row in added if not giver.has_perm(rights.label_of(row))]
            if beyond:
                raise ValidationError(
                    _("You cannot give what you do not hold yourself: %(what)s."),
                    params={"what": ", ".join(beyond)},
                )
        closed = rights.closed_to_members(added)
        if closed and self._has_members():
            raise ValidationError(
                _(
                    "People of merchants hold this role, and this is the platform’s: %(what)s. Make another "
                    "role for your own people."
                ),
                params={"what": ", ".join(closed)},
            )
        return chosen

    def clean(self) -> dict[str, Any]:
        """Refuse to take from the last administrator what makes them one."""
        rights.hold_administrators()
        cleaned = super().clean()
        chosen = cleaned.get("permissions")
        if self.instance.pk and chosen is not None:
            keeps = any(row.codename == rights.ADMINISTERS for row in chosen)
            if not keeps and not rights.administrators(without_role=self.instance.pk).exists():
                self.add_error(
                    "permissions",
                    _("Nobody could change users any more. Give another role that permission first."),
                )
        return cleaned

    def _has_members(self) -> bool:
        return bool(self.instance.pk) and User.objects.filter(
            groups=self.instance.pk, memberships__isnull=False
        ).exists()  # fmt: skip


@admin.register(Group)
class RoleAdmin(AuditedAdmin):
    """Roles and their permissions. Nobody but a superuser changes a role that they hold."""

    form = RoleForm
    change_form_template = "admin/people/role.html"
    fieldsets = ((None, {"fields": ("name", "needs_second_factor", "permissions")}),)
    ordering = ("name",)
    list_display = (
        "name",
        _role.computed(lambda role: role.people, name="people", label=_("people")),
        _role.computed(lambda role: role.rights, name="rights", label=_("permissions")),
        _role.computed(
            lambda role: _("Yes") if getattr(role, "rule", None) and role.rule.needs_second_factor else "–",
            name="rule", label=_("second factor required"),
        ),
    )  # fmt: skip
    exact_search = (Key(field="name__iexact", label=_("name")),)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read with each role how many people hold it and how much it gives."""
        rows = super().get_queryset(request).select_related("rule")
        return rows.annotate(people=Count("user", distinct=True), rights=Count("permissions", distinct=True))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Show permissions in words, to be read and ticked."""
        return super().formfield_for_manytomany(
            db_field, request, **{**kwargs, "form_class": PermissionsField}
        )

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Ask for a proof before rights change."""
        return step_up.asked(request) or super().changeform_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Tell the form who gives."""
        made = super().get_form(request, obj, change, **kwargs)
        return type(made.__name__, (made,), {"giver": request.user})

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody widen or narrow a role of their own."""
        return super().has_change_permission(request, obj) and not self._is_own(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a role of their own, nor one that still has people."""
        if obj is not None and obj.user_set.exists():
            return False
        return super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the role and what it asks of its people."""
        super().save_model(request, obj, form, change)
        wanted = form.cleaned_data["needs_second_factor"]
        RoleRule.objects.update_or_create(role=obj, defaults={"needs_second_factor": wanted})

    def audit_details(
        self, form: Any, *, before: dict[str, object], after: dict[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Say also whether the second factor came or went."""
        wanted = form.cleaned_data["needs_second_factor"]
        if wanted != form.rule_before:
            before["needs_second_factor"], after["needs_second_factor"] = form.rule_before, wanted
        return before, after

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Say why a role of one's own cannot be changed, and who holds the role."""
        role = context.get("original")
        if role is not None:
            context["is_own_role"] = self._is_own(request, role)
            context["holders"] = list(role.user_set.order_by("username")[:100])
        return super().render_change_form(request, context, *args, **kwargs)

    def _is_own(self, request: HttpRequest, role: Any) -> bool:
        user = request.user
        return role is not None and not user.is_superuser and user.groups.filter(pk=role.pk).exists()
