"""Pages of the back office that are no model's list, and the panels of its home page.

The rooms register theirs when their admin modules are imported; `diamondpay.site` gives them addresses,
checks permissions and shows them. Nothing imports upwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponseBase

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page below `/admin/`.

    `path` is a route in Django's syntax without the prefix, `name` its URL name inside `admin`. The view is
    called with the request and the route's arguments; `permissions`: any of them opens the page, none means
    every staff user. The site shows it in the viewer's zone. `discloses` names the kind of object that the
    page shows more of than others do: who is refused such a page stands in the audit trail.
    """

    path: str
    name: str
    view: View
    permissions: tuple[str, ...] = ()
    discloses: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of the home page, shown to holders of any of the permissions, in ascending `order`.

    `context` returns what `template` needs, or None where there is nothing to show this person; it must
    scope what it reads (`merchants.access.visible_to`) and cost the same at any size of the book.
    """

    name: str
    order: int
    template: str
    permissions: tuple[str, ...]
    context: Callable[[HttpRequest, datetime], dict[str, Any] | None]


class Registry:
    """Pages and panels by name, in the order of registration."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._panels: dict[str, Panel] = {}

    def add_page(self, page: Page) -> None:
        """Add a page.

        Raises: ValueError when another page has its name.
        """
        if self._pages.get(page.name, page) != page:
            raise ValueError(f"another page is already called {page.name!r}")
        self._pages[page.name] = page

    def add_panel(self, panel: Panel) -> None:
        """Add a panel of the home page.

        Raises: ValueError when another panel has its name.
        """
        if self._panels.get(panel.name, panel) != panel:
            raise ValueError(f"another panel is already called {panel.name!r}")
        self._panels[panel.name] = panel

    def pages(self) -> list[Page]:
        """Return the pages."""
        return list(self._pages.values())

    def panels_for(self, user: Any) -> list[Panel]:
        """Return the panels that the user holds a permission for, in their order."""
        held = (panel for panel in self._panels.values() if may_open(user, panel.permissions))
        return sorted(held, key=lambda panel: (panel.order, panel.name))


def may_open(user: Any, permissions: tuple[str, ...]) -> bool:
    """Say whether the user holds any of the permissions; none asked for means everybody."""
    return not permissions or any(user.has_perm(permission) for permission in permissions)


_registry = Registry()
add_page = _registry.add_page
add_panel = _registry.add_panel
registered_pages = _registry.pages
panels_for = _registry.panels_for
