"""What a list asks and keeps beside its rows: columns, rows a page, saved views, late counts, choices."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext

from diamondpay.lib import clock, deadlines, pages, paging
from diamondpay.lib.admin import address_of
from diamondpay.lib.admin_list import PAGE_MS_MAX
from diamondpay.models import Preference, SavedView
from merchants.models import Merchant
from records import columns as record_columns
from records import filters, list_sums, saved_views, totals
from records.admin import lists

# What may be typed of a name or id before the rest of it is offered.
_TEXT_LENGTH_MAX = 64
_OPTION_COUNT_MAX = 12


def columns_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Keep which columns of a list a person wants, in their order; nothing chosen brings the usual ones."""
    back = _posted(request, kind)
    offered = {each.key for each in record_columns.of(kind, request.user)}
    wanted = [key for key in dict.fromkeys(request.POST.getlist("column")) if key in offered]
    key = lists.columns_key(kind)
    if "reset" in request.POST or not wanted:
        Preference.objects.filter(user=lists.person(request), key=key).delete()
    else:
        Preference.objects.update_or_create(user=lists.person(request), key=key, defaults={"value": wanted})
    # What was chosen by hand goes before what the address or its view said.
    return _back(kind, back, without=("columns",))


def rows_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Keep how many rows a page of any list has."""
    back = _posted(request, kind)
    text = request.POST.get("rows", "")
    if text not in map(str, lists.ROWS_CHOICES):
        messages.error(request, gettext("A page has 25, 50, 100 or 200 rows."))
    else:
        Preference.objects.update_or_create(
            user=lists.person(request), key=lists.ROWS_KEY, defaults={"value": int(text)}
        )
    # Pages of another length begin elsewhere.
    return _back(kind, back, without=tuple(paging.PARAMETERS))


def save_view_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Keep the filters and columns of a list under a name."""
    back = _posted(request, kind)
    role = request.POST.get("role", "")
    shared_with = Group.objects.filter(pk=int(role)).first() if role.isdecimal() and len(role) < 10 else None
    try:
        if role and shared_with is None:
            raise saved_views.ViewRefused(gettext("This role is not there any more."))
        view = saved_views.save(
            page=kind, name=request.POST.get("name", ""), query=_state(request, kind, back),
            shared_with=shared_with, user=lists.person(request), address=address_of(request), now=clock.now(),
        )  # fmt: skip
    except saved_views.ViewRefused as refusal:
        messages.error(request, str(refusal))
        return _back(kind, back)
    if "default" in request.POST:
        saved_views.set_default(page=kind, view=view, user=lists.person(request))
    messages.success(request, gettext("The view “%s” is saved.") % view.name)
    return HttpResponseRedirect(f"{lists.list_url(kind)}?{lists.view_query(view)}")


def view_page(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Rename a view, delete it, or make it the one that the list opens with."""
    back, user = _posted(request, kind), lists.person(request)
    view = next((each for each in saved_views.visible(page=kind, user=user) if each.pk == pk), None)
    if view is None:
        messages.error(request, gettext("This view is not there any more."))
        return _back(kind, back, without=("view",))
    try:
        words = _done(request, view)
    except saved_views.ViewRefused as refusal:
        messages.error(request, str(refusal))
        return _back(kind, back)
    messages.success(request, words)
    return _back(kind, back, without=("view",) if "delete" in request.POST else ())


def _done(request: HttpRequest, view: SavedView) -> str:
    """Do what the pressed button says; return it in words."""
    user, address, now = lists.person(request), address_of(request), clock.now()
    if "delete" in request.POST:
        saved_views.delete(view=view, user=user, address=address, now=now)
        return gettext("The view “%s” is deleted.") % view.name
    if "default" in request.POST:
        saved_views.set_default(page=view.page, view=view, user=user)
        return gettext("The list now opens with “%s”.") % view.name
    if "no_default" in request.POST:
        saved_views.set_default(page=view.page, view=None, user=user)
        return gettext("The list now opens without a view.")
    old = view.name
    new = saved_views.rename(
        view=view, name=request.POST.get("name", ""), user=user, address=address, now=now
    )
    return gettext("“%(old)s” is now called “%(new)s”.") % {"old": old, "new": new.name}


def count_page(request: HttpRequest, kind: str) -> HttpResponse:
    """Count the rows of a list whose count could not come with its page; a part of that page."""
    _require(request, kind)
    zone = timezone.get_current_timezone()
    assert isinstance(zone, ZoneInfo)  # noqa: S101 - the site sets it for every page
    reading = filters.read(kind, request.GET, user=request.user, zone=zone, now=clock.now())
    sums: list_sums.Sums | None = None
    if not reading.errors:
        try:
            with totals.snapshot(), deadlines.within(milliseconds=PAGE_MS_MAX):
                sums = list_sums.known(reading) or list_sums.counted(kind, reading.queryset)
        except deadlines.TookTooLong:
            sums = None
    lines = lists.sum_lines(sums) if sums else []
    context = {"sums": sums, "lines": lines, "kind": kind, "is_late": True}
    return render(request, "admin/includes/list_sums.html", context)


def choices_page(request: HttpRequest, name: str) -> HttpResponse:
    """Offer the merchants whose id or name begins with what was typed; a part of a filter."""
    text = " ".join(str(request.GET.get(name, "")).replace("\x00", "").split())[:_TEXT_LENGTH_MAX]
    found: list[Merchant] = []
    if text:
        rows = filters.visible_to(request.user, Merchant.objects.order_by("id"))
        begins = Q(id__startswith=text.upper()) | Q(name__istartswith=text)
        found = list(rows.filter(begins)[: _OPTION_COUNT_MAX + 1])
    context = {
        "name": name, "text": text, "found": found[:_OPTION_COUNT_MAX],
        "has_more": len(found) > _OPTION_COUNT_MAX,
    }  # fmt: skip
    return render(request, "admin/includes/filters/choices.html", context)


def _posted(request: HttpRequest, kind: str) -> QueryDict:
    """Return the list's query string that came along. Raises: what answers a request that is none of ours."""
    _require(request, kind)
    try:
        return QueryDict(request.POST.get("query", "")[: saved_views.QUERY_LENGTH_MAX])
    except ValueError:
        return QueryDict()


def _require(request: HttpRequest, kind: str) -> None:
    if kind not in filters.KINDS:
        raise Http404
    if not request.user.has_perm(filters.permission_of(kind)):
        raise PermissionDenied


def _state(request: HttpRequest, kind: str, back: QueryDict) -> str:
    """Return what a view keeps: the canonical filters, and the columns the person sees."""
    zone = timezone.get_current_timezone()
    assert isinstance(zone, ZoneInfo)  # noqa: S101 - the site sets it for every page
    reading = filters.read(kind, back, user=request.user, zone=zone, now=clock.now())
    if reading.errors:
        raise saved_views.ViewRefused(reading.errors[0])
    shown = back.get("columns") or ",".join(lists.choices_of(request, kind).columns or ())
    return "&".join(part for part in (reading.query, urlencode({"columns": shown}) if shown else "") if part)


def _back(kind: str, query: QueryDict, *, without: tuple[str, ...] = ()) -> HttpResponseRedirect:
    """Lead back to the list with its own parameters and nothing else."""
    kept = [(name, value) for name, values in query.lists() if name not in without for value in values]
    # An address that says nothing would open the view by default, which is not where the person was.
    return HttpResponseRedirect(f"{lists.list_url(kind)}?{urlencode(kept or [('view', lists.NO_VIEW)])}")


def _only_post(view: pages.View) -> pages.View:
    def checked(request: HttpRequest, **arguments: Any) -> Any:
        return view(request, **arguments) if request.method == "POST" else HttpResponseNotAllowed(["POST"])

    return checked


def _only_get(view: pages.View) -> pages.View:
    def checked(request: HttpRequest, **arguments: Any) -> Any:
        is_read = request.method in ("GET", "HEAD")
        return view(request, **arguments) if is_read else HttpResponseNotAllowed(["GET", "HEAD"])

    return checked


_LISTS = tuple(filters.permission_of(kind) for kind in filters.KINDS)
_PAGES = (
    ("lists/<slug:kind>/columns/", "list_columns", _only_post(columns_page), _LISTS),
    ("lists/<slug:kind>/rows/", "list_rows", _only_post(rows_page), _LISTS),
    ("lists/<slug:kind>/views/", "list_views", _only_post(save_view_page), _LISTS),
    ("lists/<slug:kind>/views/<int:pk>/", "list_view", _only_post(view_page), _LISTS),
    ("lists/<slug:kind>/count/", "list_count", _only_get(count_page), _LISTS),
    ("lists/choices/<slug:name>/", "list_choices", _only_get(choices_page), ("merchants.view_merchant",)),
)  # fmt: skip
for _path, _name, _view, _permissions in _PAGES:
    pages.add_page(pages.Page(path=_path, name=_name, view=_view, permissions=_permissions))
