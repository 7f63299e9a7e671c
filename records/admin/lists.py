"""The lists that people work in all day: filters, chosen columns, saved views, counts and sums, pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from channels.models import Currency
from diamondpay import preferences
from diamondpay.lib import clock, columns, drawn, money, paging
from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_list import Control, UncountedList, controls
from diamondpay.lib.filters import Reading
from diamondpay.models import SavedView, User
from records import columns as record_columns
from records import filters, list_sums, saved_views
from records.admin import statistics_words

ROWS_CHOICES = (25, 50, 100, 200)
ROWS_DEFAULT = 50
ROWS_KEY = "rows"
# Says that the list is meant as it is, without the view that a person opens it with by default.
NO_VIEW = "none"


def columns_key(kind: str) -> str:
    """Return the preference that holds a person's columns of a list."""
    return f"columns:{kind}"


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a person once chose for a list."""

    rows: int = ROWS_DEFAULT
    columns: tuple[str, ...] | None = None
    default_view: int | None = None


def choices_of(request: HttpRequest, kind: str) -> Choices:
    """Return a person's choices for a list; asked once for a request."""
    if not hasattr(request, "list_choices"):
        keys = (ROWS_KEY, columns_key(kind), saved_views.default_key(kind))
        stored = preferences.remembered(person(request))
        rows, chosen, view = (stored.get(key) for key in keys)
        request.list_choices = Choices(  # type: ignore[attr-defined]
            rows=rows if rows in ROWS_CHOICES else ROWS_DEFAULT,
            columns=tuple(map(str, chosen)) if isinstance(chosen, list) else None,
            default_view=view if isinstance(view, int) else None,
        )
    choices: Choices = request.list_choices  # type: ignore[attr-defined]
    return choices


def person(request: HttpRequest) -> User:
    """Return who asks: the site lets nobody in who has not signed in."""
    assert isinstance(request.user, User)  # noqa: S101
    return request.user


def list_url(kind: str) -> str:
    """Return the address of a kind's list."""
    return reverse(filters.page_name(kind, "changelist"))


class RecordList(UncountedList):
    """A page of one kind of records, with how many there are and what they come to.

    Rows and sums are read in one snapshot of the book, so they agree. Where the totals know the filter,
    they also say where the last row is, so that nothing is looked for behind it.
    """

    model_admin: RecordAdmin
    sums: list_sums.Sums | None = None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return what the address asks for."""
        self.kind = self.model_admin.kind
        self.confined = filters.confined_to(request.user)
        queryset = super().get_queryset(request, exclude_parameters)
        self.offered = record_columns.of(self.kind, request.user)
        asked = request.GET.get("columns")
        keys = asked.split(",") if asked else choices_of(request, self.kind).columns
        self.chosen = columns.chosen(self.offered, keys)
        if asked and (unknown := [key for key in asked.split(",") if key not in self._keys()]):
            self.problems.append(gettext("This list has no column “%s”.") % unknown[0][:40])
        return queryset

    def fetch(self, request: HttpRequest) -> None:
        """Read the sums that the totals know, the page's keys and its rows, in one moment of the book."""
        self.sums = list_sums.known(self.reading)
        self.page = paging.page(
            self.reading.branches, order=self.order, place=self.place, size=self.list_per_page,
            row_count_max=self.sums.row_count if self.sums else None,
        )  # fmt: skip
        if not self.page.keys:
            self.result_list = []
        else:
            rows = self.root_queryset.filter(pk__in=self.page.keys).order_by(*self.order)
            self.result_list = list(columns.rows(rows, self.chosen))
        is_whole = self.place == paging.Place() and not self.page.has_older
        if self.sums is None and is_whole:
            keys = self.page.keys
            self.sums = list_sums.counted(self.kind, self.root_queryset.filter(pk__in=keys))

    @property
    def order(self) -> tuple[str, ...]:
        """The list's one order."""
        return filters.order_of(self.kind)

    @cached_property
    def controls(self) -> list[Control]:
        """The filter bar; who sees one merchant alone is not asked for a merchant."""
        is_one = self.confined is not None and len(self.confined) <= 1
        return [each for each in controls(self.reading) if not (is_one and each.name == "merchant")]

    @cached_property
    def unit(self) -> str:
        """The currency of every amount of the page, where it is one."""
        return columns.unit_of(self.result_list, self.chosen)

    @property
    def headings(self) -> list[tuple[str, str]]:
        """The table's headings, each with its class."""
        return columns.headings(self.chosen, unit=self.unit)

    @property
    def body(self) -> SafeString:
        """The table's rows."""
        query = f"?{urlencode({'list': self.reading.query})}" if self.reading.query else ""
        return columns.body(self.result_list, self.chosen, unit=self.unit, query=query)

    @property
    def sum_lines(self) -> list[SumLine]:
        """The sums, in words."""
        return sum_lines(self.sums) if self.sums else []

    @property
    def carried(self) -> list[tuple[str, str]]:
        """What of the address is no filter and stays when filters change: a view and its columns."""
        return [(name, value) for name in ("columns", "view") if (value := self.params.get(name))]

    def address(self, query: str) -> str:
        """Return the list's address with other filters; never the one that opens the view by default."""
        found = super().address(query)
        return found if found != "?" else f"?{urlencode({'view': NO_VIEW})}"

    @property
    def row_total(self) -> str:
        """How many rows there are, where that is known."""
        return f"{self.sums.row_count:,}" if self.sums and self.sums.row_count is not None else ""

    @property
    def column_ticks(self) -> SafeString:
        """All columns the person may see to choose from, the shown ones first."""
        chosen = tuple(each.key for each in self.chosen)
        hidden = [each for each in self.offered if each.key not in chosen]

        def values() -> dict[str, Any]:
            ordered = (*self.chosen, *hidden)
            return {"choice": [(each, each.key in chosen, each.opens is not None) for each in ordered]}

        key = (self.kind, chosen, tuple(each.key for each in hidden))
        return drawn.part("admin/includes/column_ticks.html", key=key, values=values)

    @property
    def count_url(self) -> str:
        """Where the count is asked for that could not be had with the page."""
        return f"{reverse('admin:list_count', args=[self.kind])}?{self.reading.query}"

    def _keys(self) -> set[str]:
        return {each.key for each in self.offered}


class RecordAdmin(ReadOnlyAdmin):
    """A record kind's list by its FilterSet and its table of columns; its address is the whole state."""

    change_list_template = "admin/record_list.html"
    # Rows and totals agree.
    is_snapshot = True

    @property
    def kind(self) -> str:
        """The record kind of `records.filters` and `records.columns`."""
        return str(self.opts.model_name)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[UncountedList]:
        """Use the list with columns, sums and views."""
        return RecordList

    def get_list_display(self, request: HttpRequest) -> Any:
        """Leave the columns to the table of columns."""
        return ("pk",)

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """Leave the relations to the table of columns."""
        return False

    def rows_per_page(self, request: HttpRequest) -> int:
        """Return what the person chose."""
        return choices_of(request, self.kind).rows

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list; opened with an address that says nothing, with the person's view by default."""
        chosen = choices_of(request, self.kind).default_view
        views = saved_views.visible(page=self.kind, user=person(request))
        if chosen is not None and not request.GET and request.method == "GET":
            view = next((each for each in views if each.pk == chosen), None)
            if view is not None:
                return HttpResponseRedirect(f"{request.path}?{view_query(view)}")
        context = {
            "views": self._views(request, views),
            "roles": saved_views.roles_to_share_with(person(request)),
            "rows_choices": ROWS_CHOICES,
            "has_default_view": chosen is not None,
            "has_current_view": any(str(view.pk) == request.GET.get("view") for view in views),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def _read(self, request: HttpRequest) -> Reading:
        zone = timezone.get_current_timezone()
        assert isinstance(zone, ZoneInfo)  # noqa: S101 - the site sets it for every page
        return filters.read(
            self.kind, request.GET, user=request.user, zone=zone, now=clock.moment_of(request)
        )

    def _views(self, request: HttpRequest, views: list[SavedView]) -> list[dict[str, Any]]:
        chosen = choices_of(request, self.kind).default_view
        return [
            {
                "view": view, "url": f"?{view_query(view)}", "is_default": view.pk == chosen,
                "is_current": request.GET.get("view") == str(view.pk),
                "may_change": saved_views.may_change(view, person(request)),
                "is_own": view.owner_id == request.user.pk,
            }
            for view in views
        ]  # fmt: skip


def view_query(view: SavedView) -> str:
    """Return the query string that opens a view."""
    return "&".join(part for part in (view.query, urlencode({"view": view.pk})) if part)


@dataclass(frozen=True, kw_only=True)
class SumLine:
    """The sums of one currency and settlement currency, in words."""

    currency: str
    row_count: str
    sums: list[tuple[str, str]]


def sum_lines(sums: list_sums.Sums) -> list[SumLine]:
    """Return the sums as a page shows them, each with its currency's decimals."""
    parts = [part for part in sums.parts if part.sums]
    decimals = dict(Currency.objects.values_list("code", "exponent")) if parts else {}
    return [
        SumLine(
            currency=statistics_words.pair(part.currency, part.settlement_currency),
            row_count=f"{part.row_count:,}",
            sums=[
                (str(label), _sum_words(amount, unit, part.currency, decimals))
                for label, amount, unit in zip(sums.labels, part.sums, part.units, strict=True)
            ],
        )
        for part in parts
    ]  # fmt: skip


def _sum_words(amount: Decimal, unit: str, currency: str, decimals: Mapping[str, int]) -> str:
    """Return a sum; one in another currency than its line's names its own."""
    written = money.render(amount, decimals.get(unit, 2))
    return written if unit == currency else f"{written} {unit}"
