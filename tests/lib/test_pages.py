"""The registry of pages and home panels."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse

from diamondpay.lib import pages


class Holder:
    """Somebody with permissions."""

    def __init__(self, *permissions: str) -> None:
        self._permissions = permissions

    def has_perm(self, permission: str) -> bool:
        """Say whether it is one of theirs."""
        return permission in self._permissions


def _panel(name: str, order: int, *permissions: str) -> pages.Panel:
    return pages.Panel(
        name=name, order=order, template=f"{name}.html", permissions=permissions, context=lambda _r, _n: {}
    )


def _view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("page")


def test_panels_come_in_their_order_to_those_who_may_see_them() -> None:
    registry = pages.Registry()
    for panel in (_panel("late", 20, "a.b"), _panel("early", 10, "a.b", "c.d"), _panel("all", 30)):
        registry.add_panel(panel)
    assert [panel.name for panel in registry.panels_for(Holder("a.b"))] == ["early", "late", "all"]
    assert [panel.name for panel in registry.panels_for(Holder("c.d"))] == ["early", "all"]
    assert [panel.name for panel in registry.panels_for(Holder())] == ["all"]


def test_a_name_stands_for_one_page_and_one_panel() -> None:
    registry = pages.Registry()
    page = pages.Page(path="search/", name="search", view=_view)
    registry.add_page(page)
    registry.add_page(page)
    with pytest.raises(ValueError, match="already called 'search'"):
        registry.add_page(pages.Page(path="other/", name="search", view=_view))
    assert registry.pages() == [page]
    registry.add_panel(_panel("home", 1))
    with pytest.raises(ValueError, match="already called 'home'"):
        registry.add_panel(_panel("home", 2))
