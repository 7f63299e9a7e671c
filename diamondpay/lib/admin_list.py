"""A list that never counts, pages by keyset, and finds rows by exact numbers only."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.admin.templatetags import admin_list as admin_tags
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import IntegerField, Q, QuerySet, Value
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import escape
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext

from diamondpay.lib import deadlines, paging

FOUND_MAX = 1000
# What one statement of a list may take.
PAGE_MS_MAX = 2000
# The kinds of filters that are chosen from what is there.
_CHOSEN = frozenset({"several", "lookup", "moments", "flag"})
# Django's picture of a yes or a no, which tells them apart by colour.
_PICTURE = re.compile(r'<img [^>]*alt="(True|False|None)"[^>]*>')


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


def named_by(queryset: QuerySet[Any], *, keys: Sequence[Key], text: str) -> Q:
    """Return the condition of the rows that one of the keys names exactly.

    One statement asks every key by itself, so that each uses its own index. Blanks and full-width
    characters are forgiven. A key that names too many rows to list them stands in the condition itself.
    """
    wanted = unicodedata.normalize("NFKC", text).strip().replace("\x00", "")
    parts: list[QuerySet[Any]] = []
    lookups: list[dict[str, Any]] = []
    for key in keys:
        if not wanted or len(wanted) > key.length_max:
            continue
        lookups.append({key.field: wanted.upper() if key.is_upper else wanted, **key.guard})
        rows = queryset.filter(**lookups[-1])
        rows = rows.order_by(key.newest_first) if key.newest_first else rows.order_by()
        place = Value(len(parts), output_field=IntegerField())
        parts.append(rows.annotate(key_place=place).values_list("pk", "key_place")[: FOUND_MAX + 1])
    if not parts:
        return Q(pk__in=[])
    found = list(parts[0].union(*parts[1:], all=True) if parts[1:] else parts[0])
    condition = Q()
    for number, lookup in enumerate(lookups):
        own = [pk for pk, at in found if at == number]
        condition |= Q(pk__in=own) if len(own) <= FOUND_MAX else Q(**lookup)
    return condition


@dataclasses.dataclass(frozen=True, kw_only=True)
class Control:
    """One filter as the bar shows it: its kind, its names in the address, what is typed or chosen."""

    name: str
    kind: str
    title: str
    is_rare: bool
    is_set: bool
    count: int
    names: Mapping[str, str]
    typed: Mapping[str, str]
    options: Sequence[tuple[str, str, bool]]

    def __hash__(self) -> int:
        """Let a bar be drawn once for the same controls; everything in them says whether they are."""
        return hash((self.name, *self.typed.values(), *self.options))


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterBar:
    """The bar above a list: its controls, and what of the address goes along when they change.

    What was typed may be an account, so a bar with such a thing in it (`is_typed`) is drawn and not kept.
    """

    controls: tuple[Control, ...]
    carried: tuple[tuple[str, str], ...]
    is_popup: bool
    is_typed: bool
    help: str

    @property
    def rare_count(self) -> int:
        """How many filters are folded away."""
        return sum(each.is_rare for each in self.controls)

    @property
    def is_rare_set(self) -> bool:
        """Say whether one of those is set."""
        return any(each.is_rare and each.is_set for each in self.controls)


def controls(reading: Any) -> list[Control]:
    """Return the bar of a list, with what is set."""
    found = []
    for name, each in reading.filterset.filters.items():
        value = reading.values.get(name)
        given = {
            suffix: _typed(reading.filterset.data, parameter) for suffix, parameter in each.names.items()
        }
        is_set = bool(each.pairs(value)) if value is not None else any(given.values())
        found.append(
            Control(
                name=name, kind=each.control, title=each.title, is_rare=each.is_rare, is_set=is_set,
                count=len(value) if isinstance(value, list) else int(is_set), names=each.names, typed=given,
                options=each.options(value),
            )
        )  # fmt: skip
    return found


class UncountedList(ChangeList):
    """Rows as the filters read them, a page at a time; no statement runs longer than a page may take.

    Lists in one order, newest first, go on by keyset; lists that people may sort go by page numbers.
    """

    model_admin: Any

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(request, *args)
        self.title = self.model_admin.house.title_of(self.model)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return what the address asks for, in the list's order."""
        self.reading = self.model_admin.read(request)
        self.has_filters = bool(self.reading.filterset.filters)
        self.has_active_filters = bool(self.reading.query)
        self.filter_specs: list[Any] = []
        self.problems = list(self.reading.errors)
        if not self.sortable_by and self.sortable_by is not None:
            self.params.pop(ORDER_VAR, None)
        queryset: QuerySet[Any] = self.reading.queryset
        ordered = queryset.order_by(*self.get_ordering(request, queryset))
        return self.apply_select_related(ordered)

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page; where the database was too slow, none of it."""
        self.is_too_slow = False
        self.list_per_page = self.model_admin.rows_per_page(request)
        self.result_list: Any = []
        self.page = paging.Page()
        self.place = paging.Place()
        try:
            self.place = paging.place_of(request.GET)
        except paging.Unreadable as error:
            self.problems.append(str(error))
        if not self.problems:
            try:
                with deadlines.within(milliseconds=PAGE_MS_MAX, is_snapshot=self.model_admin.is_snapshot):
                    self.fetch(request)
            except deadlines.TookTooLong:
                self.is_too_slow = True
                self.result_list, self.page = [], paging.Page()
        self._tell_django()

    def fetch(self, request: HttpRequest) -> None:
        """Read the page's rows."""
        if self.is_keyset:
            self.page = paging.page(
                self.reading.branches, order=self.order, place=self.place, size=self.list_per_page
            )
            self.result_list = list(self.queryset.filter(pk__in=self.page.keys))
            return
        offset = (self.place.number - 1) * self.list_per_page
        rows = list(self.queryset[offset : offset + self.list_per_page + 1])
        self.page = paging.Page(has_newer=offset > 0, has_older=len(rows) > self.list_per_page)
        self.result_list = rows[: self.list_per_page]

    @property
    def order(self) -> tuple[str, ...]:
        """The list's one order."""
        return tuple(self.model_admin.get_ordering(None) or ())

    @property
    def is_keyset(self) -> bool:
        """Say whether the list has one order, newest first, that ends with the key."""
        is_fixed = self.sortable_by is not None and not self.sortable_by
        return is_fixed and self.order[-1:] == ("-id",) and all(name[0] == "-" for name in self.order)

    @cached_property
    def controls(self) -> list[Control]:
        """The filter bar."""
        return controls(self.reading)

    @cached_property
    def plain_headings(self) -> list[dict[str, Any]]:
        """The table's headings, as Django makes them."""
        return list(admin_tags.result_headers(self))

    @cached_property
    def plain_lines(self) -> list[list[SafeString]]:
        """The table's rows, each cell with its heading, which is all a phone has to tell it by."""
        labels = [escape(capfirst(str(heading["text"]))) for heading in self.plain_headings]
        return [
            [_labelled(cell, label) for cell, label in zip(row, labels, strict=True)]
            for row in admin_tags.results(self)
        ]

    @property
    def bar(self) -> FilterBar:
        """The filter bar with what goes along."""
        is_typed = any(each.is_set and each.kind not in _CHOSEN for each in self.controls)
        return FilterBar(
            controls=tuple(self.controls), carried=tuple(self.carried), is_popup=bool(self.is_popup),
            is_typed=is_typed or bool(self.problems), help=str(self.search_help_text),
        )  # fmt: skip

    @property
    def carried(self) -> list[tuple[str, str]]:
        """What of the address is no filter and stays when filters change."""
        return [(ORDER_VAR, self.params[ORDER_VAR])] if ORDER_VAR in self.params else []

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """What is set: its label, its words, and the address without it."""
        return [(chip.label, chip.value, self.address(chip.query)) for chip in self.reading.chips]

    @property
    def clear_url(self) -> str:
        """The address without any filter."""
        return self.address("")

    def address(self, query: str) -> str:
        """Return the list's address with other filters."""
        return f"?{'&'.join(part for part in (query, urlencode(self.carried)) if part)}"

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The address without the place in the list."""
        data = self.reading.filterset.data
        names = [name for name in data if name not in paging.PARAMETERS] if hasattr(data, "getlist") else []
        return [(name, value) for name in names for value in data.getlist(name)]

    @property
    def kept_query(self) -> str:
        """The same as a query string."""
        return urlencode(self.kept)

    @property
    def page_number_max(self) -> int:
        """The last page that can be asked for by its number."""
        return paging.PAGE_NUMBER_MAX

    @property
    def first_url(self) -> str:
        """The address of the first page."""
        return self.url({})

    @property
    def first_number(self) -> int:
        """The number of the page's first row, counted from the newest."""
        return (self.place.number - 1) * self.list_per_page + 1

    @property
    def last_number(self) -> int:
        """The number of the page's last row."""
        return self.first_number + len(self.result_list) - 1

    @property
    def newer_url(self) -> str:
        """The address of the page before this one."""
        if self.place.number <= 2 or not (self.is_keyset and self.page.first):
            number = min(self.place.number - 1, paging.PAGE_NUMBER_MAX)
            return self.url({paging.NUMBER: str(number)} if number > 1 else {})
        return self.url({paging.NUMBER: str(self.place.number - 1), paging.BEFORE: str(self.page.first)})

    @property
    def older_url(self) -> str:
        """The address of the page after this one."""
        following = {paging.NUMBER: str(self.place.number + 1)}
        if self.is_keyset and self.page.last:
            following[paging.AFTER] = str(self.page.last)
        return self.url(following)

    @property
    def can_go_older(self) -> bool:
        """Say whether there is an older page that can be asked for."""
        return self.page.has_older and (self.is_keyset or self.place.number < paging.PAGE_NUMBER_MAX)

    def url(self, added: Mapping[str, str]) -> str:
        """Return the list's address with its filters, at another place."""
        return f"?{urlencode([*self.kept, *added.items()])}"

    def _tell_django(self) -> None:
        """Set what Django's own view and tags look at."""
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = self.page.has_older or self.page.has_newer
        keys = getattr(self.reading.filterset.filters.get(self.reading.filterset.exact), "keys", ())
        self.search_help_text = gettext("Exact: %s") % ", ".join(str(key.label) for key in keys)


def _labelled(cell: str, label: str) -> SafeString:
    words = {"True": gettext("Yes"), "False": gettext("No"), "None": "–"}
    said = _PICTURE.sub(lambda picture: words[picture[1]], str(cell))
    opening, rest = said[:3], said[3:]
    return SafeString(f'{opening} data-label="{label}"{rest}')


def _typed(data: Any, name: str) -> str:
    values = data.getlist(name) if hasattr(data, "getlist") else [data.get(name, "")]
    return str(values[-1]).strip() if values else ""
