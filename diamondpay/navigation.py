"""The menu as a person sees it: built once for what somebody may do, drawn once for each page of it.

Both are kept in this process. What a person may open is asked anew with every request: it is the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from diamondpay.lib import drawn

# As many as there are roles and their mixtures.
_MENU_COUNT_MAX = 64

Rights = frozenset[str] | None
Group = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Link:
    """A page in the menu that is no model's list; shown to holders of any of the permissions."""

    url_name: str
    title: Any
    permissions: tuple[str, ...]


Item = tuple[str, Any] | Link


def rights_of(user: Any) -> Rights:
    """Return all that decides what a person may open: their permissions, None for who may do everything."""
    is_boundless = user.is_active and user.is_superuser
    return None if is_boundless else frozenset(user.get_all_permissions())


class Menu:
    """The menu's groups, and for each set of rights that was met what of them it opens.

    Labels in `rare` are folded away.
    """

    def __init__(self, groups: Sequence[tuple[Any, Sequence[Item]]], *, rare: frozenset[str]) -> None:
        self._groups, self._rare = groups, rare
        self._opened: drawn.Remembered[list[Group]] = drawn.Remembered(count_max=_MENU_COUNT_MAX)

    def of(self, request: HttpRequest, offered: Callable[[], Mapping[str, dict[str, Any]]]) -> list[Group]:
        """Return what the person may open, with the entries marked that this page belongs to.

        `offered` returns the lists that the person may open, by model label.
        """
        user = request.user
        found = self._opened.get(rights_of(user), lambda: _built(user, self._groups, self._rare, offered()))
        return [_marked(group, request.path) for group in found]


def navigation(request: HttpRequest, menu: Sequence[Group]) -> SafeString:
    """Return the menu beside the page."""
    home = reverse("admin:index")
    is_home = request.path == home
    entries = tuple((entry["admin_url"], entry["is_current"]) for group in menu for entry in group["models"])
    return drawn.part(
        "admin/includes/navigation.html",
        key=(entries, is_home),
        values=lambda: {"available_apps": menu, "home_url": home, "is_home": is_home},
    )


def _built(
    user: Any, groups: Sequence[tuple[Any, Sequence[Item]]], rare: frozenset[str],
    offered: Mapping[str, dict[str, Any]],
) -> list[Group]:  # fmt: skip
    built = []
    for title, items in groups:
        entries = [entry for item in items if (entry := _entry(user, item, rare, offered)) is not None]
        if entries:
            slug = str(items[0][0] if isinstance(items[0], tuple) else title).partition(".")[0]
            built.append(
                {
                    "name": title, "app_label": slug, "app_url": f"{reverse('admin:index')}#{slug}",
                    "has_module_perms": True, "models": entries,
                    "has_rare": any(entry["is_rare"] for entry in entries),
                }
            )  # fmt: skip
    return built


def _entry(
    user: Any, item: Item, rare: frozenset[str], offered: Mapping[str, dict[str, Any]]
) -> dict[str, Any] | None:
    if isinstance(item, Link):
        if not any(user.has_perm(permission) for permission in item.permissions):
            return None
        return {
            "name": item.title, "object_name": item.url_name.rpartition(":")[2],
            "admin_url": reverse(item.url_name), "add_url": None,
            "perms": {"view": True}, "view_only": True, "model": None, "is_rare": False,
        }  # fmt: skip
    label, title = item
    entry = offered.get(label)
    if entry is None or not entry["admin_url"]:
        return None
    return {**entry, "name": title, "is_rare": label in rare}


def _marked(group: Group, path: str) -> Group:
    """Return a group of the menu with what this page belongs to."""
    entries = [{**entry, "is_current": path.startswith(entry["admin_url"])} for entry in group["models"]]
    is_rare_open = any(entry["is_rare"] and entry["is_current"] for entry in entries)
    return {**group, "models": entries, "is_rare_open": is_rare_open}
