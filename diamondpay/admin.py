"""Users, roles, the audit trail, saved views, preferences and heartbeats."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import admin_forms
from diamondpay.lib.admin import AuditedAdmin, AuditedInline, ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from diamondpay.lib.filter_kinds import Flag, Text
from diamondpay.lib.filter_moments import Moments
from diamondpay.models import AuditRow, Heartbeat, Preference, SavedView, User
from merchants.models import Membership

_user = Columns(User)
_RIGHTS = ("is_superuser", "groups", "user_permissions")


class UserForm(admin_forms.LockedForm, UserChangeForm[User]):
    """A user's row, locked against a second tab."""


class MembershipInline(AuditedInline):
    """For which merchants a user acts; with any, the user sees nothing else."""

    model = Membership
    fields = ("merchant",)


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin[User]):
    """Users. One who left is not active; what they did stays theirs.

    Nobody but a superuser touches a superuser's row or makes one, and nobody changes their own rights.
    """

    form = UserForm
    add_form = AdminUserCreationForm
    list_display = (
        "username", "first_name", "last_name", "email", _user.text("is_staff"), _user.text("is_active"),
        _user.text("is_superuser"), _user.moment("last_login"),
    )  # fmt: skip
    filters = {
        "is_active": Flag("is_active", no=_("no"), yes=_("yes")),
        "is_staff": Flag("is_staff", no=_("no"), yes=_("yes")),
    }
    search_fields = ()
    exact_search = (
        Key(field="username__iexact", label=_("user name")),
        Key(field="email__iexact", label=_("email")),
    )
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "usable_password", "password1", "password2", "is_staff"),
            },
        ),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ("groups", "user_permissions")
    inlines = (MembershipInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep people from giving themselves rights, and anybody but a superuser from making superusers."""
        fixed = [*super().get_readonly_fields(request, obj)]
        if obj is not None and obj.pk == request.user.pk:
            fixed += [*_RIGHTS, "is_active", "is_staff"]
        elif not request.user.is_superuser:
            fixed += ["is_superuser", "user_permissions"]
        return fixed

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Memberships are given to a user who exists; nobody unbinds themselves."""
        return () if obj is None or obj.pk == request.user.pk else self.inlines

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Leave superusers to superusers."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a user; their name stands under what they did."""
        return False

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set another's password, with its audit row in the same transaction."""
        target = self.get_object(request, id)
        if target is not None and not self.has_change_permission(request, target):
            raise PermissionDenied
        with transaction.atomic():
            before = "" if target is None else target.password
            response = super().user_change_password(request, id, form_url)
            after = None if target is None else User.objects.get(pk=target.pk)
            if target is not None and after is not None and after.password != before:
                self.house.write_audit(request, action="user.password", obj=after, before={}, after={})
        return response


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(AuditedAdmin):
    """Roles and their permissions."""

    fieldsets = ((None, {"fields": ("name", "permissions")}),)
    filter_horizontal = ("permissions",)
    ordering = ("name",)
    list_display = ("name",)
    exact_search = (Key(field="name__iexact", label=_("name")),)

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> QuerySet[Any]:
        """Read each permission's model with it: its name shows it."""
        found = super().get_field_queryset(db, db_field, request)
        return found.select_related("content_type") if db_field.name == "permissions" else found


_audit = Columns(AuditRow)
# The index leads with the kind, so a search by object id names every kind there can be.
_KINDS = sorted(
    {*(str(model._meta.model_name) for model in apps.get_models()), "transfer", "merchant_channel"}
)


@admin.register(AuditRow)
class AuditRowAdmin(ReadOnlyAdmin):
    """The audit trail: who did what, when, from where, before and after."""

    list_display = (
        _audit.page("id", label=_("row")), _audit.moment("created_at"), "actor", "address", "action",
        "object_kind",
        "object_id", "reason",
    )  # fmt: skip
    list_display_links = None
    filters = {"created": Moments("created_at"), "object_kind": Text("object_kind")}
    exact_search = (
        Key(field="object_id", label=_("object id"), length_max=64, newest_first="-created_at",
            guard={"object_kind__in": _KINDS}),
    )  # fmt: skip
    ordering = ("-created_at", "-id")
    facts = (
        (None, (
            _audit.full_moment("created_at"), _audit.text("actor"), _audit.text("address"),
            _audit.text("action"),
            _audit.text("object_kind"), _audit.text("object_id"), _audit.text("reason"),
            _audit.folded("before"),
            _audit.folded("after"),
        )),
    )  # fmt: skip


@admin.register(SavedView)
class SavedViewAdmin(AuditedAdmin):
    """Saved views. People see and change their own."""

    list_display = ("name", "page", "owner", "shared_with", "created_at")
    list_select_related = ("owner", "shared_with")
    fieldsets = ((None, {"fields": ("name", "page", "query", "shared_with")}),)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A new view belongs to who made it."""
        if not change:
            obj.owner = request.user
        super().save_model(request, obj, form, change)


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin):
    """Remembered choices, as the pages store them."""

    list_display = ("key", "user", "value")
    list_select_related = ("user",)


_heartbeat = Columns(Heartbeat)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """When each background part last showed that it lives."""

    list_display = ("name", _heartbeat.full_moment("beat_at"))
    ordering = ("name",)
