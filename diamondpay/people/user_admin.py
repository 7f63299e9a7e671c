"""Users: who they are, their roles and merchants on one form, and what keeps a merchant's people apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from diamondpay import step_up
from diamondpay.identity import passwords, second_factors, sign_ins
from diamondpay.lib import admin_forms, clock
from diamondpay.lib.admin import AuditedAdmin, AuditedInline, address_of
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from diamondpay.lib.filter_kinds import Flag
from diamondpay.models import SignIn, User
from diamondpay.people import rights
from diamondpay.people.widgets import PermissionsField, PlainCheckboxes
from merchants.models import Membership

_user = Columns(User)
_RIGHTS = ("is_superuser", "groups", "user_permissions")


class UserForm(admin_forms.LockedForm, UserChangeForm[User]):
    """A user's row, locked against a second tab."""

    def clean(self) -> dict[str, Any]:
        """Refuse to switch off or strip the last administrator.

        Locks: the administrators, then the row; each one's audit row will ask for the other's row.
        """
        rights.hold_administrators()
        cleaned = super().clean()
        user = self.instance
        others = rights.administrators().exclude(pk=user.pk)
        # Asked of the row as it stands: the instance has the typed values by now.
        was_one = rights.administrators().filter(pk=user.pk).exists()
        if was_one and not self._stays_administrator(cleaned) and not others.exists():
            self.add_error(
                None, ValidationError(_("Nobody else administers users. Make another administrator first."))
            )
        return cleaned

    def _stays_administrator(self, cleaned: dict[str, Any]) -> bool:
        user = self.instance
        if not cleaned.get("is_active", user.is_active) or not cleaned.get("is_staff", user.is_staff):
            return False
        held = permissions_of(user, cleaned)
        is_super = cleaned.get("is_superuser", user.is_superuser)
        return bool(is_super) or any(row.codename == rights.ADMINISTERS for row in held)


class NewUserForm(AdminUserCreationForm[User]):
    """A new user; staff unless somebody says otherwise, because nobody else can sign in here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "is_staff" in self.fields:
            self.fields["is_staff"].initial = True


def permissions_of(user: User, cleaned: dict[str, Any]) -> list[Permission]:
    """Return the permissions that a form would leave a user with."""
    roles: Any = cleaned.get("groups", user.groups.all() if user.pk else [])
    own: Any = cleaned.get("user_permissions", user.user_permissions.all() if user.pk else [])
    by_role = Permission.objects.filter(group__in=[role.pk for role in roles]).select_related("content_type")
    mine = Permission.objects.filter(pk__in=[row.pk for row in own]).select_related("content_type")
    return [*by_role.distinct(), *mine]


class MembershipSet(forms.BaseInlineFormSet[Any, Any, Any]):
    """The merchants of a user: with any, the user holds nothing that shows or does more than theirs."""

    def clean(self) -> None:
        """Refuse what a merchant's person must not hold, naming the roles."""
        super().clean()
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        if not any(form.cleaned_data.get("merchant") for form in kept):
            return
        wanted = getattr(self.instance, "wanted", {})
        complaints = list(_conflicts(self.instance, wanted))
        if complaints:
            raise ValidationError(complaints)


def _conflicts(user: User, wanted: dict[str, Any]) -> Iterable[str]:
    if wanted.get("is_superuser", user.is_superuser):
        yield gettext("A superuser belongs to no merchant. Take the merchant or the superuser status away.")
    for role in wanted.get("groups", user.groups.all() if user.pk else []):
        closed = rights.closed_to_members(role.permissions.select_related("content_type"))
        if closed:
            yield _words(gettext("the role “%s”") % role.name, closed)
    own: Any = wanted.get("user_permissions", user.user_permissions.all() if user.pk else [])
    mine = Permission.objects.filter(pk__in=[row.pk for row in own]).select_related("content_type")
    closed = rights.closed_to_members(mine)
    if closed:
        yield _words(gettext("permissions of their own"), closed)


def _words(what: str, closed: list[str]) -> str:
    more = len(closed) - 1
    words = (
        ngettext(
            "Whoever belongs to a merchant cannot hold %(what)s: it gives “%(first)s” and %(more)d "
            "more that is the platform’s. Take it or the merchant away.",
            "Whoever belongs to a merchant cannot hold %(what)s: it gives “%(first)s” and %(more)d "
            "more that are the platform’s. Take it or the merchant away.",
            more,
        )
        if more
        else gettext(
            "Whoever belongs to a merchant cannot hold %(what)s: it gives “%(first)s”, which is the "
            "platform’s. Take it or the merchant away."
        )
    )
    return words % {"what": what, "first": closed[0], "more": more}


class MembershipInline(AuditedInline):
    """For which merchants a user acts; with any, the user sees nothing else."""

    model = Membership
    formset = MembershipSet
    fields = ("merchant",)


def _roles(user: User) -> str:
    names = [role.name for role in user.groups.all()]
    return ", ".join([gettext("Superuser"), *names] if user.is_superuser else names) or "–"


def _merchants(user: User) -> str:
    return ", ".join(str(member.merchant) for member in user.memberships.all()) or "–"


def _factor(user: User) -> str:
    factor = getattr(user, "second_factor", None)
    return gettext("Yes") if factor is not None and factor.confirmed_at is not None else "–"


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin[User]):
    """Users. One who left is not active; what they did stays theirs.

    Nobody but a superuser touches a superuser's row or makes one, and nobody changes their own rights.
    """

    form = UserForm
    add_form = NewUserForm
    change_form_template = "admin/people/user.html"
    add_form_template = None
    list_display = (
        "username", "first_name", "last_name", _user.computed(_roles, name="roles", label=_("roles")),
        _user.computed(_merchants, name="merchants", label=_("merchants")), _user.text("is_staff"),
        _user.text("is_active"), _user.computed(_factor, name="second_factor", label=_("second factor")),
        _user.moment("last_login"),
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
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Own permissions"), {"classes": ("collapse",), "fields": ("user_permissions",)}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "usable_password", "password1", "password2")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Rights"), {"fields": ("is_staff", "groups")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()
    inlines = (MembershipInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read with each user what the list says of them."""
        return super().get_queryset(request).select_related("second_factor").prefetch_related(
            "groups", "memberships__merchant"
        )  # fmt: skip

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Show roles and permissions to be read and ticked."""
        if db_field.name == "user_permissions":
            kwargs |= {"form_class": PermissionsField}
        elif db_field.name == "groups":
            kwargs |= {
                "widget": PlainCheckboxes, "label": _("Roles"),
                "help_text": _("What a user may do is what their roles may do."),
            }  # fmt: skip
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep people from giving themselves rights, and anybody but a superuser from making superusers."""
        fixed = [*super().get_readonly_fields(request, obj)]
        if obj is not None and obj.pk == request.user.pk:
            fixed += [*_RIGHTS, "is_active", "is_staff"]
        elif not request.user.is_superuser:
            fixed += ["is_superuser", "user_permissions"]
        return fixed

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Nobody binds or unbinds themselves."""
        return () if obj is not None and obj.pk == request.user.pk else self.inlines

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Leave superusers to superusers."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a user; their name stands under what they did."""
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Ask for a proof before rights change."""
        return step_up.asked(request) or super().changeform_view(request, *args, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """Let the merchants' part of the form know which rights are asked for."""
        user = super().save_form(request, form, change)
        user.wanted = form.cleaned_data
        return user

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save, and sign out whoever is switched off."""
        super().save_related(request, form, formsets, change)
        if change and "is_active" in form.changed_data and not form.instance.is_active:
            self._sign_out(request, form.instance, SignIn.Ending.ADMINISTRATOR)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add what the page says of the user's security."""
        user = context.get("original")
        if user is not None:
            now = clock.now()
            context["is_self"] = user.pk == request.user.pk
            context["locked_until"] = passwords.locked_until(user, now=now)
            context["has_factor"] = second_factors.is_set_up(user)
            context["open_sign_ins"] = sign_ins.open_ones(user).count()
        return super().render_change_form(request, context, *args, **kwargs)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002
        """Set another's password, with its audit row in the same transaction; it signs them out."""
        target = self.get_object(request, id)
        if target is not None and not self.has_change_permission(request, target):
            raise PermissionDenied
        asked = step_up.asked(request)
        if asked is not None:
            return asked
        with transaction.atomic():
            before = "" if target is None else target.password
            response = super().user_change_password(request, id, form_url)
            after = None if target is None else User.objects.get(pk=target.pk)
            if target is not None and after is not None and after.password != before:
                self.house.write_audit(request, action="user.password", obj=after, before={}, after={})
                self._sign_out(request, after, SignIn.Ending.PASSWORD)
        return response

    def _sign_out(self, request: HttpRequest, user: User, ending: SignIn.Ending) -> None:
        own = getattr(request, "sign_in", None) if user.pk == request.user.pk else None
        sign_ins.end_of(
            user=user, ending=ending, now=clock.now(), by=None, address=address_of(request),
            but=own.pk if own is not None else None,
        )  # fmt: skip
