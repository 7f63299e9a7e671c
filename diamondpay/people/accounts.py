"""The pages about other people: who may do what, and what an administrator does to an account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay import step_up
from diamondpay.identity import passwords, second_factors, sign_ins
from diamondpay.lib import clock, pages
from diamondpay.lib.admin import address_of
from diamondpay.lib.house import House
from diamondpay.models import SignIn, User
from diamondpay.people import rights
from diamondpay.people.forms import ReasonForm, signed_in_user

USERS_PER_PAGE = 50
_READING = ("GET", "HEAD")


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something an administrator does to another person's account, with a reason."""

    permission: str
    title: Any
    lead: Any
    button: Any
    # Returns what the page says afterwards.
    done: Callable[[HttpRequest, User, str, datetime], str]


def matrix(request: HttpRequest) -> HttpResponseBase:
    """Show users by roles, fifty at a time."""
    if request.method not in _READING:
        return HttpResponseNotAllowed(_READING)
    after = request.GET.get("after", "").replace("\x00", "")[:150]
    everybody = request.GET.get("who") == "all"
    users = _visible(request).order_by("username")
    users = users if everybody else users.filter(is_active=True)
    users = users.filter(username__gt=after) if after else users
    read = users.select_related("second_factor").prefetch_related("groups", "memberships", "user_permissions")
    rows = list(read[: USERS_PER_PAGE + 1])
    roles = list(Group.objects.order_by("name"))
    shown = rows[:USERS_PER_PAGE]
    context = {
        **admin.site.each_context(request),
        "title": gettext("Who May Do What"),
        "roles": roles,
        "rows": [_line(user, roles) for user in shown],
        "everybody": everybody,
        "older": shown[-1].username if len(rows) > USERS_PER_PAGE else "",
        "has_newer": bool(after),
    }
    return TemplateResponse(request, "admin/people/matrix.html", context)


def _line(user: User, roles: list[Group]) -> dict[str, Any]:
    held = {role.pk for role in user.groups.all()}
    factor = getattr(user, "second_factor", None)
    return {
        "user": user,
        "held": [(role.name, role.pk in held) for role in roles],
        "merchants": [member.merchant_id for member in user.memberships.all()],
        "own_count": len(user.user_permissions.all()),
        "has_factor": factor is not None and factor.confirmed_at is not None,
    }


def of_user(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Show what one person may do, by room, with where each right comes from."""
    if request.method not in _READING:
        return HttpResponseNotAllowed(_READING)
    user = _user(request, pk)
    context = {
        **admin.site.each_context(request),
        "title": gettext("What %s may do") % user.get_username(),
        "person": user,
        "rooms": rights.of_user(user),
        "merchants": [member.merchant for member in user.memberships.select_related("merchant")],
        "roles": list(user.groups.order_by("name")),
    }
    return TemplateResponse(request, "admin/people/of_user.html", context)


def _page_of(deed: Deed) -> pages.View:
    @step_up.required
    def page(request: HttpRequest, pk: int) -> HttpResponseBase:
        if request.method not in (*_READING, "POST"):
            return HttpResponseNotAllowed([*_READING, "POST"])
        by, user, now = signed_in_user(request), _user(request, pk), clock.now()
        if user.is_superuser and not by.is_superuser:
            raise PermissionDenied
        if user.pk == by.pk:
            messages.error(request, gettext("Do this to your own account on the page “Security”."))
            return HttpResponseRedirect(reverse("admin:security"))
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            messages.success(request, deed.done(request, user, form.cleaned_data["reason"], now))
            return HttpResponseRedirect(reverse("admin:diamondpay_user_change", args=[pk]))
        context = {
            **admin.site.each_context(request),
            "title": deed.title, "lead": deed.lead, "button": deed.button, "person": user, "form": form,
            "facts": _facts(user, now),
        }  # fmt: skip
        return TemplateResponse(request, "admin/people/deed.html", context)

    return page


def _facts(user: User, now: datetime) -> list[tuple[Any, Any]]:
    locked = passwords.locked_until(user, now=now)
    return [
        (_("Locked until"), locked),
        (_("Second factor"), gettext("Set up") if second_factors.is_set_up(user) else gettext("None")),
        (_("Signed in"), sign_ins.open_ones(user).count()),
    ]


def _unlock(request: HttpRequest, user: User, reason: str, now: datetime) -> str:
    count = passwords.unlock(
        user=user, by=signed_in_user(request), reason=reason, address=address_of(request), now=now
    )
    return gettext("%(user)s is unlocked; %(count)d wrong tries are forgotten.") % {
        "user": user.get_username(), "count": count,
    }  # fmt: skip


def _remove_factor(request: HttpRequest, user: User, reason: str, now: datetime) -> str:
    by, address = signed_in_user(request), address_of(request)
    with transaction.atomic():
        removed = second_factors.remove(user=user, by=by, reason=reason, address=address, now=now)
        if removed:
            # Whoever stole the phone may be signed in with it.
            sign_ins.end_of(
                user=user, ending=SignIn.Ending.ADMINISTRATOR, now=now, by=by, address=address, reason=reason
            )
    if not removed:
        return gettext("%s had no second factor.") % user.get_username()
    return gettext("The second factor of %s is removed.") % user.get_username()


def _sign_out(request: HttpRequest, user: User, reason: str, now: datetime) -> str:
    with transaction.atomic():
        ended = sign_ins.end_of(
            user=user, ending=SignIn.Ending.ADMINISTRATOR, now=now, by=signed_in_user(request),
            address=address_of(request), reason=reason,
        )  # fmt: skip
    return gettext("%(user)s is signed out: %(count)d.") % {"user": user.get_username(), "count": ended}


def _visible(request: HttpRequest) -> Any:
    house: House = admin.site  # type: ignore[assignment]
    return house.visible_to(request.user, User.objects.all())


def _user(request: HttpRequest, pk: int) -> User:
    """Return a user whom the person may see. Raises: Http404."""
    found = _visible(request).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404
    user: User = found
    return user


UNLOCK = Deed(
    permission="diamondpay.unlock_user", title=_("Unlock"), button=_("Unlock the account"), done=_unlock,
    lead=_("Wrong passwords and codes of this account are forgotten, from wherever they came."),
)  # fmt: skip
REMOVE_FACTOR = Deed(
    permission="diamondpay.remove_second_factor", title=_("Remove the second factor"),
    button=_("Remove the second factor"), done=_remove_factor,
    lead=_("For somebody who lost their phone and their recovery codes. Make sure that it is them who asks."),
)  # fmt: skip
SIGN_OUT = Deed(
    permission="diamondpay.end_sign_ins", title=_("Sign out everywhere"), button=_("Sign out everywhere"),
    lead=_("Every window in which this person is signed in asks for the password again."), done=_sign_out,
)  # fmt: skip

_SEES = ("diamondpay.view_user",)
pages.add_page(pages.Page(path="people/rights/", name="rights", view=matrix, permissions=_SEES))
pages.add_page(pages.Page(path="people/<int:pk>/rights/", name="rights_of", view=of_user, permissions=_SEES))
for _name, _deed in (
    ("unlock", UNLOCK),
    ("remove-second-factor", REMOVE_FACTOR),
    ("sign-out", SIGN_OUT),
):
    pages.add_page(
        pages.Page(
            path=f"people/<int:pk>/{_name}/",
            name=f"person_{_name.replace('-', '_')}",
            view=_page_of(_deed),
            permissions=(_deed.permission,),
        )
    )
