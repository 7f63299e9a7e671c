"""What stands between a session and every page: is it still signed in, is the second factor given; and what
is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode

from diamondpay.identity import refusals, sign_ins
from diamondpay.lib import clock, pages
from diamondpay.lib.admin import address_of
from diamondpay.models import SignIn, User

Answer = Callable[[HttpRequest], HttpResponseBase]
# A script says with it that a person did something; what a page asks by itself is no sign of life.
ACTIVITY = "X-Activity"
ENDED = "ended"
_READING = ("GET", "HEAD", "OPTIONS")
# Another merchant's object is unknown to its person, and trying it is refused all the same.
_REFUSED_READING = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_NOTED_ONCE_WITHIN = timedelta(minutes=1)


class SignInMiddleware:
    """Ends idle and ended sign-ins, and keeps a person without their second factor from every page."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Look at the session's sign-in; pass on where there is none or it is good."""
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or USER_KEY not in request.session:
            return self.get_response(request)
        row = sign_ins.read(
            pk=request.session.get(sign_ins.SESSION_KEY), user_pk=request.session.get(USER_KEY)
        )
        ending = _ending(row)
        if row is None or ending:
            if row is not None and ending == SignIn.Ending.IDLE:
                sign_ins.end(row, ending=SignIn.Ending.IDLE, now=row.now)  # type: ignore[attr-defined]
            logout(request)
            return _to_login(request, ending)
        request.sign_in = row  # type: ignore[attr-defined]
        request.moment = row.now  # type: ignore[attr-defined]
        if is_activity(request):
            sign_ins.note_activity(row, now=row.now)  # type: ignore[attr-defined]
        wanted = _wanted_first(request, row)
        return _leading(request, reverse(wanted)) if wanted else self.get_response(request)


def is_activity(request: HttpRequest) -> bool:
    """Say whether a person did something: opened a page, sent a form, pressed what a script sends for.

    What a page fetches by itself, on a timer, does not keep anybody signed in.
    """
    is_fetched = "HX-Request" in request.headers or request.headers.get("Sec-Fetch-Mode") in (
        "cors",
        "same-origin",
    )
    return not is_fetched or ACTIVITY in request.headers


def _ending(row: SignIn | None) -> str:
    """Return why a sign-in is over, "" while it is not."""
    if row is None:
        return SignIn.Ending.SIGNED_OUT
    if row.ended_at is not None:
        return row.ending
    idle = row.now - row.active_at >= timedelta(seconds=settings.IDLE_SECONDS)  # type: ignore[attr-defined]
    return SignIn.Ending.IDLE if idle else ""


def _wanted_first(request: HttpRequest, row: SignIn) -> str:
    """Return the page that must be passed before any other, "" where there is none."""
    always = (reverse("admin:logout"), reverse("admin:session"))
    if row.has_factor:  # type: ignore[attr-defined]
        page = "" if row.second_factor_at is not None else "admin:second_factor"
    else:
        is_required = settings.REQUIRE_SECOND_FACTOR or row.has_rule  # type: ignore[attr-defined]
        page = "admin:second_factor_set_up" if is_required else ""
    return page if page and request.path not in (*always, reverse(page)) else ""


def _to_login(request: HttpRequest, ending: str) -> HttpResponseBase:
    login = reverse("admin:login")
    if request.path in (login, reverse("admin:logout")):
        return HttpResponseRedirect(login)
    query = {"next": request.get_full_path() if request.method in _READING else reverse("admin:index")}
    if "HX-Request" in request.headers:
        # What is shown, and not the part of it that was asked for.
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        query = {"next": f"{shown.path}?{shown.query}" if shown.path else reverse("admin:index")}
    known = {ENDED: ending} if ending != SignIn.Ending.SIGNED_OUT else {}
    return _leading(request, f"{login}?{urlencode({**query, **known})}")


def _leading(request: HttpRequest, url: str) -> HttpResponseBase:
    """Lead a whole page there; a part of a page would be put in the middle of the one that is shown."""
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


class RefusalMiddleware:
    """Writes into the audit trail what the back office refused somebody to do."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    @functools.cached_property
    def _home(self) -> str:
        # Looked up once there are addresses, and not for every call of an API.
        return reverse("admin:index")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and note a refused write, or a refused look at what a page shows in clear.

        A page that noted it better is left alone.
        """
        refusals.begin_request()
        response = self.get_response(request)
        if refusals.is_written() or not request.path.startswith(self._home):
            return response
        if request.method not in _READING:
            if response.status_code == HTTPStatus.FORBIDDEN:
                _note(request)
        elif response.status_code in _REFUSED_READING and isinstance(request.user, User):
            kind = _disclosed(request)
            if kind:
                _note(request, kind=kind, once_within=_NOTED_ONCE_WITHIN)
        return response


def _disclosed(request: HttpRequest) -> str:
    """Return the kind of object that the page shows in clear, "" for every other page."""
    name = request.resolver_match.url_name if request.resolver_match is not None else None
    return next((page.discloses for page in pages.registered_pages() if page.name == name), "")


def _note(request: HttpRequest, *, kind: str = "", once_within: timedelta | None = None) -> None:
    match = request.resolver_match
    arguments = match.kwargs if match is not None else {}
    name = match.url_name if match is not None else ""
    # Pages of a model are called app_model_page; the others by their own name.
    parts = (name or "page").split("_")
    # The first thing that an address names is what the page is about.
    key = next(iter(arguments.values()), "")
    user = request.user if isinstance(request.user, User) else None
    refusals.write(
        action="page.refused",
        object_kind=kind or (parts[1] if len(parts) == 3 else name or "page")[:64],
        object_id=_storable(str(key))[:64],
        user=user,
        actor="" if user is not None else "nobody",
        address=address_of(request),
        now=clock.now(),
        after={"page": _storable(request.path)[:200], "method": str(request.method)},
        once_within=once_within,
    )


def _storable(text: str) -> str:
    # The database refuses some of what an address may hold, such as a zero byte.
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
