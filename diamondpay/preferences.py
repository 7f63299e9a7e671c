"""What a person chooses for themselves: the zone in which times are shown."""

from __future__ import annotations

import json
import zoneinfo
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import clock, pages, sql
from diamondpay.models import Preference, User

TIME_ZONE_KEY = "time_zone"
_READ = "SELECT key, value::text FROM diamondpay_preference WHERE user_id = %(user)s"
# Aliases and the zones of a file system are no places that people live in.
_NOT_PLACES = ("Etc/", "SystemV/", "US/", "posix/", "right/")


class ZoneForm(forms.Form):
    """The zone of a person; empty follows the platform's."""

    time_zone = forms.ChoiceField(
        label=_("Times are shown in"),
        required=False,
        help_text=_("Every page, filter and file uses this zone: “today” begins at its midnight."),
    )

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        platform = str(settings.DEFAULT_TIME_ZONE)
        named = {"zone": platform, "offset": offset_of(ZoneInfo(platform), now)}
        field = self.fields["time_zone"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = [("", gettext("The platform’s zone: %(zone)s, %(offset)s") % named), *_by_region(now)]


def read(user: Any) -> dict[str, Any]:
    """Return all that a person has chosen, by key, and remember it with the user object."""
    found: dict[str, Any] = {key: json.loads(value) for key, value in sql.rows(_READ, {"user": user.pk})}
    user.preferences_read = found
    return found


def remembered(user: Any) -> dict[str, Any]:
    """Return what was read last with the user object: each page begins with reading its person's zone."""
    found: dict[str, Any] | None = getattr(user, "preferences_read", None)
    return read(user) if found is None else found


def zone_of(user: Any) -> ZoneInfo:
    """Return the zone in which a person reads times: their preference, else the platform's."""
    chosen = _chosen(user) if isinstance(user, User) else ""
    return ZoneInfo(chosen or str(settings.DEFAULT_TIME_ZONE))


def offset_of(zone: ZoneInfo, now: datetime) -> str:
    """Return a zone's distance from UTC at a moment: UTC+8, UTC+5:30, UTC."""
    minutes = round((now.astimezone(zone).utcoffset() or now - now).total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}{f':{rest:02}' if rest else ''}"


def preferences_page(request: HttpRequest) -> HttpResponse:
    """Show the form of a person's own choices, and store what they chose."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    now = clock.now()
    form = ZoneForm(
        request.POST if request.method == "POST" else None,
        now=now,
        initial={"time_zone": _chosen(request.user)},
    )
    if form.is_bound and form.is_valid():
        _store(request.user, form.cleaned_data["time_zone"])
        messages.success(request, gettext("Times are now shown in %s.") % zone_of(request.user).key)
        return HttpResponseRedirect(reverse("admin:preferences"))
    return TemplateResponse(
        request,
        "admin/preferences.html",
        {**admin.site.each_context(request), "title": gettext("Time zone"), "form": form, "now": now},
    )


def _store(user: Any, name: str) -> None:
    if name:
        Preference.objects.update_or_create(user=user, key=TIME_ZONE_KEY, defaults={"value": name})
    else:
        Preference.objects.filter(user=user, key=TIME_ZONE_KEY).delete()


def _chosen(user: Any) -> str:
    chosen = read(user).get(TIME_ZONE_KEY)
    return chosen if isinstance(chosen, str) and chosen in _known() else ""


@cache
def _known() -> frozenset[str]:
    # Asking walks the folders of the zone files; every page asks.
    return frozenset(zoneinfo.available_timezones())


@cache
def _places() -> tuple[str, ...]:
    names = (name for name in _known() if "/" in name)
    return ("UTC", *sorted(name for name in names if not name.startswith(_NOT_PLACES)))


def _by_region(now: datetime) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the zones by continent, each with its distance from UTC now."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in _places():
        words = f"{name.replace('_', ' ')}  ({offset_of(ZoneInfo(name), now)})"
        regions.setdefault(name.partition("/")[0], []).append((name, words))
    return list(regions.items())


pages.add_page(pages.Page(path="preferences/", name="preferences", view=preferences_page))
