"""Saved views: filters and columns of a list under a name, a person's own or shared with a role.

A view is an address. Whoever opens it sees what that address shows to them, so scoping needs nothing more;
but a view that names a merchant whom a person may not see is not even offered to them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from diamondpay import audit
from diamondpay.lib import errors
from diamondpay.models import Preference, SavedView, User
from merchants import access
from records import filters

NAME_LENGTH_MAX = 100
QUERY_LENGTH_MAX = 4000
VIEW_COUNT_MAX = 100
_NAMES_OF_MERCHANTS = ("merchant", "source_merchant", "destination_merchant")


class ViewRefused(errors.DomainError):
    """A saved view cannot be what was asked for; the text says why."""


def visible(*, page: str, user: User) -> list[SavedView]:
    """Return the views of a page that the user may open: their own, and those of their roles."""
    return visible_on(pages=[page], user=user)


def visible_on(*, pages: Collection[str], user: User) -> list[SavedView]:
    """Return the views of several pages that the user may open, by name."""
    own_or_shared = Q(owner=user) | Q(shared_with__in=access.roles_of(user))
    found = SavedView.objects.filter(own_or_shared, page__in=pages).select_related("owner", "shared_with")
    confined = filters.confined_to(user)
    views = list(found.order_by("name", "id")[: VIEW_COUNT_MAX * len(pages)])
    if confined is None:
        return views
    return [view for view in views if view.owner_id == user.pk or _is_within(view, confined)]


def is_administrator(user: User) -> bool:
    """Say whether the user may change views that are shared by others: who administers roles, may."""
    return user.has_perm("auth.change_group") and filters.confined_to(user) is None


def may_change(view: SavedView, user: User) -> bool:
    """Say whether the user may rename or delete the view: the owner and, of shared ones, administrators."""
    return view.owner_id == user.pk or (view.shared_with_id is not None and is_administrator(user))


def roles_to_share_with(user: User) -> list[Group]:
    """Return the roles a user may share a view with, by name: their own; all for administrators.

    A merchant's user shares with nobody, since a role is held by people of other merchants.
    """
    if filters.confined_to(user) is not None:
        return []
    return list(Group.objects.order_by("name")) if is_administrator(user) else access.roles_of(user)


def save(
    *, page: str, name: str, query: str, shared_with: Group | None, user: User, address: str | None,
    now: datetime,
) -> SavedView:  # fmt: skip
    """Keep a list's address under a name; a view of the user's own of that name is replaced.

    Raises: ViewRefused for an empty or long name, a long address, too many views, or a role that is not
    the user's to share with.
    """
    wanted = _name(name)
    if len(query) > QUERY_LENGTH_MAX:
        raise ViewRefused(_("The filters are too long to be saved."))
    if shared_with is not None and shared_with not in roles_to_share_with(user):
        raise ViewRefused(_("You cannot share a view with this role."))
    with transaction.atomic():
        own = SavedView.objects.filter(owner=user, page=page)
        view = own.filter(name=wanted).first()
        if view is None and own.count() >= VIEW_COUNT_MAX:
            raise ViewRefused(_("You have as many views of this page as there may be; delete one first."))
        before = _facts(view) if view else {}
        view, _is_new = SavedView.objects.update_or_create(
            owner=user, page=page, name=wanted, defaults={"query": query, "shared_with": shared_with}
        )
        _audit("change" if before else "create", view, before, _facts(view), user, address, now)
    return view


def rename(*, view: SavedView, name: str, user: User, address: str | None, now: datetime) -> SavedView:
    """Give a view another name.

    Raises: ViewRefused for a name that is empty, long or taken, and for a view that is not the user's.
    """
    wanted = _name(name)
    _require(view, user)
    before = _facts(view)
    try:
        with transaction.atomic():
            view.name = wanted
            view.save(update_fields=["name"])
            _audit("change", view, before, _facts(view), user, address, now)
    except IntegrityError:
        raise ViewRefused(_("There is a view of this name already.")) from None
    return view


def delete(*, view: SavedView, user: User, address: str | None, now: datetime) -> None:
    """Remove a view for everybody. Raises: ViewRefused for a view that is not the user's."""
    _require(view, user)
    with transaction.atomic():
        _audit("delete", view, _facts(view), {}, user, address, now)
        view.delete()


def set_default(*, page: str, view: SavedView | None, user: User) -> None:
    """Open the page with this view from now on when its address says nothing; None: with no view."""
    if view is None:
        Preference.objects.filter(user=user, key=default_key(page)).delete()
    else:
        Preference.objects.update_or_create(user=user, key=default_key(page), defaults={"value": view.pk})


def default_key(page: str) -> str:
    """Return the preference that holds a page's view by default."""
    return f"view:{page}"


def _require(view: SavedView, user: User) -> None:
    if not may_change(view, user):
        raise ViewRefused(_("Only its owner or an administrator changes a view."))


def _name(name: str) -> str:
    wanted = " ".join(name.replace("\x00", "").split())
    if not wanted:
        raise ViewRefused(_("Give the view a name."))
    if len(wanted) > NAME_LENGTH_MAX:
        raise ViewRefused(_("A name has at most 100 characters."))
    return wanted


def _is_within(view: SavedView, confined: list[str]) -> bool:
    asked = QueryDict(view.query)
    return all(value in confined for name in _NAMES_OF_MERCHANTS for value in asked.getlist(name))


def _facts(view: SavedView) -> dict[str, object]:
    role = view.shared_with.name if view.shared_with else ""
    return {"page": view.page, "name": view.name, "query": view.query, "shared_with": role}


def _audit(
    what: str, view: SavedView, before: dict[str, object], after: dict[str, object], user: User,
    address: str | None, now: datetime,
) -> None:  # fmt: skip
    audit.write(
        action=f"savedview.{what}", object_kind="savedview", object_id=str(view.pk), user=user,
        address=address, before=before, after=after, now=now,
    )  # fmt: skip
