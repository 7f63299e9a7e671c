"""Asking again who somebody is, before money moves: a proof older than `STEP_UP_SECONDS` is none.

For a page, `@step_up.required` on its view is all there is to do; a class asks `step_up.asked(request)`. The
proof is a code where the person has a second factor, else the password. What was typed is not lost: it
stands hidden in the page that asks and is sent on with the proof. A form may ask at once by including
`admin/includes/step_up.html`, which shows its field only where a proof is due.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext

from diamondpay.identity import refusals, second_factors, sign_ins, tries
from diamondpay.identity.second_factors import Verdict
from diamondpay.identity.tries import Counted, Rule
from diamondpay.lib import clock
from diamondpay.lib.admin import address_of
from diamondpay.models import SignIn, User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
FIELD = "step_up_proof"
_NOT_KEPT = frozenset({FIELD, "csrfmiddlewaretoken"})
# A password goes into no page; whoever typed one types it again.
_SECRET = "password"  # noqa: S105 - part of a name
_WRONG_PASSWORDS = Rule(kind="proof", limit=10, window=timedelta(hours=24), lock=timedelta(minutes=30))


def required(view: View[P]) -> View[P]:
    """Let a view's POST through only with a recent proof; a GET shows the page, and whether one is due."""

    @functools.wraps(view)
    def proved(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        return asked(request) or view(request, *args, **kwargs)

    return proved


def asked(request: HttpRequest) -> HttpResponseBase | None:
    """Return the page that asks for a proof, or None where there is a recent one or nothing is written.

    A proof that came with the POST is taken out of it.
    """
    row, now = _sign_in(request), clock.now()
    # What `admin/includes/step_up.html` looks at.
    request.step_up_due = is_due(row, now=now)  # type: ignore[attr-defined]
    request.step_up_code = row is not None and second_factors.is_set_up(row.user)  # type: ignore[attr-defined]
    if request.method != "POST" or not is_due(row, now=now):
        return None
    if row is None:
        return HttpResponseRedirect(reverse("admin:login"))
    wrong = ""
    if FIELD in request.POST:
        wrong = prove(request, row=row, given=request.POST.get(FIELD, ""), now=now)
        if not wrong:
            _take_out(request)
            return None
        if row.ended_at is not None:
            return HttpResponseRedirect(reverse("admin:login"))
    return _page(request, wrong)


def is_due(row: SignIn | None, *, now: datetime) -> bool:
    """Say whether the last proof is too old."""
    return row is None or now - row.proved_at >= timedelta(seconds=settings.STEP_UP_SECONDS)


def prove(request: HttpRequest, *, row: SignIn, given: str, now: datetime) -> str:
    """Take a code or password as proof and return "", or return in words what is wrong with it.

    Too many wrong ones end the sign-in (`row.ended_at` is set then). Each refusal stands in the audit trail.
    """
    user = row.user
    has_factor = second_factors.is_set_up(user)
    verdict = (
        second_factors.check(user=user, code=given, address=address_of(request), now=now)
        if has_factor
        else _password(user, given, now=now)
    )
    if verdict in (Verdict.APP, Verdict.RECOVERY):
        sign_ins.note_proof(row, now=now, is_second_factor=has_factor)
        request.step_up_due = False  # type: ignore[attr-defined]
        return ""
    refusals.write(
        action="user.step_up", object_kind="user", object_id=str(user.pk), user=user, now=now,
        address=address_of(request), reason=gettext("Wrong proof") if given else gettext("No proof"),
    )  # fmt: skip
    if verdict is Verdict.LOCKED:
        sign_ins.end(row, ending=SignIn.Ending.TRIES, now=now)
        row.ended_at = now
        logout(request)
        return gettext("Too many wrong proofs.")
    if has_factor:
        return gettext("This code is not right, or was used before. Give the one that your app shows now.")
    return gettext("This is not your password.")


def _password(user: User, given: str, *, now: datetime) -> Verdict:
    counted = Counted(rule=_WRONG_PASSWORDS, of=str(user.pk), user_id=user.pk)
    if tries.take(counted, now=now) > _WRONG_PASSWORDS.limit:
        return Verdict.LOCKED
    if not user.check_password(given):
        return Verdict.WRONG
    tries.forget(counted)
    return Verdict.APP


def _page(request: HttpRequest, wrong: str) -> TemplateResponse:
    kept = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _NOT_KEPT and _SECRET not in name
        for value in values
    ]  # fmt: skip
    context = {
        **admin.site.each_context(request),
        "title": gettext("Please prove that it is you"),
        "kept": kept,
        # A browser sends files from a field alone; the page says so and leads back to the form.
        "has_files": bool(request.FILES),
        "wrong": wrong,
        "minutes": settings.STEP_UP_SECONDS // 60,
    }
    return TemplateResponse(request, "admin/step_up.html", context)


def _take_out(request: HttpRequest) -> None:
    posted: Any = request.POST.copy()
    posted.pop(FIELD)
    request.POST = posted


def _sign_in(request: HttpRequest) -> SignIn | None:
    row: SignIn | None = getattr(request, "sign_in", None)
    if row is not None and isinstance(request.user, User):
        row.user = request.user
    return row


__all__ = ["FIELD", "asked", "is_due", "prove", "required"]
