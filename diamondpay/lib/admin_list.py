"""A list that never counts, pages by number up to a bound, and finds rows by exact numbers only."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext

PAGE_NUMBER_MAX = 200
FOUND_MAX = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Key:
    """An exact key of the search box. `length_max` keeps long texts from keys that are never that long.

    `guard` repeats the condition of a partial index, so that the database can use it.
    """

    field: str
    label: Any
    length_max: int = 128
    newest_first: str = ""
    guard: dict[str, Any] = dataclasses.field(default_factory=dict)
    is_upper: bool = False


def find(queryset: QuerySet[Any], *, keys: Sequence[Key], text: str) -> set[Any]:
    """Return the primary keys of the rows that one of the keys names, at most 200 for each key.

    Each key is asked by itself, so that each uses its own index; blanks and full-width characters are
    forgiven.
    """
    wanted = unicodedata.normalize("NFKC", text).strip().replace("\x00", "")
    found: set[Any] = set()
    for key in keys:
        if not wanted or len(wanted) > key.length_max:
            continue
        value = wanted.upper() if key.is_upper else wanted
        rows = queryset.filter(**{key.field: value}, **key.guard)
        rows = rows.order_by(key.newest_first) if key.newest_first else rows.order_by()
        found.update(rows.values_list("pk", flat=True)[:FOUND_MAX])
    return found


class UncountedList(ChangeList):
    """Fetches one row more than a page holds, which says whether there is an older page."""

    model_admin: Any
    filter_specs: Any

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(request, *args)
        self.title = self.model_admin.house.title_of(self.model)
        self.bars = [bar for spec in self.filter_specs if not spec.is_rare for bar in spec.controls()]
        self.rare_bars = [bar for spec in self.filter_specs if spec.is_rare for bar in spec.controls()]
        self.is_rare_open = any(bar.value for bar in self.rare_bars)
        self.chips = [
            {"label": label, "url": self.get_query_string(dict.fromkeys(names))}
            for spec in self.filter_specs
            for label, names in spec.chips()
        ]
        self.search_help_text = gettext("Exact: %s") % ", ".join(
            str(key.label) for key in self.model_admin.exact_search
        )

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Start from the list's own rows."""
        self.root_queryset = self.model_admin.list_queryset(request, self.root_queryset)
        return super().get_queryset(request, exclude_parameters)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Ignore orders asked for by the address where the list has one order that an index serves."""
        if self.sortable_by is not None and not self.sortable_by:
            self.params.pop(ORDER_VAR, None)
        return list(super().get_ordering(request, queryset))

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page and one row more; never count."""
        if self.page_num > PAGE_NUMBER_MAX:
            messages.warning(
                request, gettext("Pages end at %d; narrow the list by its filters.") % PAGE_NUMBER_MAX
            )
        self.page_num = min(max(self.page_num, 1), PAGE_NUMBER_MAX)
        offset = (self.page_num - 1) * self.list_per_page
        rows = list(self.queryset[offset : offset + self.list_per_page + 1])
        self.has_older = len(rows) > self.list_per_page and self.page_num < PAGE_NUMBER_MAX
        self.result_list = rows[: self.list_per_page]
        self.result_count = len(self.result_list)
        self.first_number = offset + 1
        self.last_number = offset + self.result_count
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = self.has_older or self.page_num > 1

    @property
    def newer_url(self) -> str:
        """The address of the page before this one."""
        return self.get_query_string({PAGE_VAR: self.page_num - 1} if self.page_num > 2 else {PAGE_VAR: None})

    @property
    def older_url(self) -> str:
        """The address of the page after this one."""
        return self.get_query_string({PAGE_VAR: self.page_num + 1})
