"""Who may do what, in words: permissions by room, where each comes from, and who the administrators are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.models import User
from merchants import access
from merchants.models import Membership

# The rooms as people know them, in the order in which they matter; by the apps whose permissions they hold.
ROOMS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_("Operations"), ("operations",)),
    (_("Records"), ("records",)),
    (_("Merchants"), ("merchants",)),
    (_("Channels"), ("channels",)),
    (_("Administration"), ("diamondpay", "auth")),
)
_APPS = {app: place for place, (_title, apps) in enumerate(ROOMS) for app in apps}
_VERBS = {"view": _("See %s"), "add": _("Add %s"), "change": _("Change %s"), "delete": _("Delete %s")}
# What is called otherwise here than in Django.
_NAMES = {"group": _("roles")}
ADMINISTERS = "change_user"
# Whoever changes who is an administrator waits for whoever does the same.
_LOCK = 7_201_600


@dataclass(frozen=True, kw_only=True)
class Right:
    """One permission that a person has: in words, where it comes from, whether it is worth anything."""

    label: str
    words: str
    sources: tuple[str, ...]
    is_worthless: bool = False


@dataclass(frozen=True, kw_only=True)
class Room:
    """What of one room a person or role may do."""

    title: Any
    rights: tuple[Right, ...]


def label_of(permission: Permission) -> str:
    """Return a permission as code asks for it. Needs the content type."""
    return f"{permission.content_type.app_label}.{permission.codename}"


def words_of(permission: Permission) -> str:
    """Return a permission in words: its own name where somebody wrote one, else what is done with what."""
    action, _line, name = permission.codename.partition("_")
    model = permission.content_type.model_class()
    if action in _VERBS and model is not None and name == model._meta.model_name:
        return str(_VERBS[action]) % str(_NAMES.get(name, model._meta.verbose_name_plural))
    return permission.name


def offered() -> list[Permission]:
    """Return the permissions that mean something here, in the order of rooms and words.

    Nobody adds, changes or deletes a record by Django's own pages, so such permissions open nothing; they are
    offered only where a role holds them, which says that some page of ours asks for them.
    """
    held = set(Group.permissions.through.objects.values_list("permission_id", flat=True))
    rows = Permission.objects.filter(content_type__app_label__in=_APPS).select_related("content_type")
    found = [row for row in rows if row.pk in held or _opens_something(row)]
    return sorted(found, key=lambda row: (_APPS[row.content_type.app_label], words_of(row).lower()))


def _opens_something(permission: Permission) -> bool:
    action, _line, name = permission.codename.partition("_")
    model = permission.content_type.model_class()
    if model is None:
        return False
    if action not in _VERBS or name != model._meta.model_name:
        return True
    if not admin.site.is_registered(model):
        return False
    return action == "view" or not isinstance(admin.site.get_model_admin(model), ReadOnlyAdmin)


def by_room(permissions: Iterable[Permission]) -> list[tuple[Any, list[Permission]]]:
    """Return permissions under the titles of their rooms, rooms without any left out."""
    rooms: list[list[Permission]] = [[] for _room in ROOMS]
    for permission in permissions:
        place = _APPS.get(permission.content_type.app_label)
        if place is not None:
            rooms[place].append(permission)
    return [(ROOMS[place][0], rows) for place, rows in enumerate(rooms) if rows]


def of_user(user: User) -> list[Room]:
    """Return what a user may do, by room, each with where it comes from."""
    sources: dict[int, list[str]] = {}
    for role in user.groups.order_by("name").prefetch_related("permissions"):
        for permission in role.permissions.all():
            sources.setdefault(permission.pk, []).append(gettext("role %s") % role.name)
    for pk in user.user_permissions.values_list("pk", flat=True):
        sources.setdefault(pk, []).append(gettext("own"))
    if user.is_superuser:
        for permission in offered():
            sources.setdefault(permission.pk, []).append(gettext("superuser"))
    rows = Permission.objects.filter(pk__in=sources).select_related("content_type")
    is_member = access.is_member(user) and not user.is_superuser
    is_off = not user.is_active or not user.is_staff
    return [
        Room(title=title, rights=tuple(_rights(permissions, sources, is_member=is_member, is_off=is_off)))
        for title, permissions in by_room(sorted(rows, key=lambda row: words_of(row).lower()))
    ]


def _rights(
    permissions: Iterable[Permission], sources: Mapping[int, list[str]], *, is_member: bool, is_off: bool
) -> Iterable[Right]:
    for permission in permissions:
        label = label_of(permission)
        yield Right(
            label=label, words=words_of(permission), sources=tuple(sources[permission.pk]),
            is_worthless=is_off or (is_member and not access.is_open_to_members(label)),
        )  # fmt: skip


def closed_to_members(permissions: Iterable[Permission]) -> list[str]:
    """Return, in words, those of the permissions that a merchant's person must not have."""
    return [words_of(row) for row in permissions if not access.is_open_to_members(label_of(row))]


def administrators(*, without_role: int | None = None) -> QuerySet[User]:
    """Return who can change users: active staff of the platform, superusers or with the permission.

    `without_role` leaves out whoever owes it to that role alone.
    """
    mine = Q(codename=ADMINISTERS, content_type__app_label="diamondpay")
    own = Permission.objects.filter(mine, user=OuterRef("pk"))
    by_role = Permission.objects.filter(mine, group__user=OuterRef("pk")).exclude(group=None)
    if without_role is not None:
        roles = Group.objects.exclude(pk=without_role).filter(user=OuterRef(OuterRef("pk")))
        by_role = Permission.objects.filter(mine, Exists(roles.filter(permissions=OuterRef("pk"))))
    member = Membership.objects.filter(user=OuterRef("pk"))
    return User.objects.filter(
        Q(is_superuser=True) | Exists(own) | Exists(by_role), ~Exists(member), is_active=True, is_staff=True
    )


def hold_administrators() -> None:
    """Let nobody else change who is an administrator until this transaction ends.

    Locks: an advisory lock of the transaction; two who switch each other off at once wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
