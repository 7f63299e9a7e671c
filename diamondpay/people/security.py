"""A person's own security: the second factor and its paper codes, where they are signed in, the session."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import segno
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import logout
from django.db import transaction
from django.http import (
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext

from diamondpay import audit, step_up
from diamondpay.identity import refusals, second_factors, sign_ins
from diamondpay.identity.second_factors import Verdict
from diamondpay.lib import clock, pages, totp
from diamondpay.lib.admin import address_of
from diamondpay.models import SignIn, User
from diamondpay.people.forms import CodeForm, signed_in_user

_READING = ("GET", "HEAD")
_SIGN_INS_MAX = 50
# Browsers call themselves by the names of others too: what tells one apart comes first.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"),
    ("Mac OS", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def overview(request: HttpRequest) -> HttpResponseBase:
    """Show the second factor and every place where the person is signed in."""
    if request.method not in _READING:
        return HttpResponseNotAllowed(_READING)
    user, now = signed_in_user(request), clock.now()
    factor = second_factors.is_set_up(user)
    idle = timedelta(seconds=settings.IDLE_SECONDS)
    longest = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    context = {
        "title": gettext("Security"),
        "has_factor": factor,
        "codes_left": second_factors.codes_left(user) if factor else 0,
        "is_required": _is_required(user),
        "sign_ins": [
            _with_words(row)
            for row in sign_ins.living(user, idle=idle, longest=longest, now=now)[:_SIGN_INS_MAX]
        ],
        "ended": list(SignIn.objects.filter(user=user, ended_at__isnull=False).order_by("-started_at")[:5]),
        "own": _own(request).pk,
    }
    return _page(request, "admin/security/overview.html", context)


def second_factor(request: HttpRequest) -> HttpResponseBase:
    """Ask for the code that follows the password; no other page opens before."""
    user, row, now = signed_in_user(request), _own(request), clock.now()
    if row.second_factor_at is not None or not second_factors.is_set_up(user):
        return HttpResponseRedirect(_next(request))
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        address = address_of(request)
        verdict = second_factors.check(user=user, code=form.cleaned_data["code"], address=address, now=now)
        if verdict in (Verdict.APP, Verdict.RECOVERY):
            sign_ins.note_proof(row, now=now, is_second_factor=True)
            # Whoever knew the session before the code does not know it afterwards.
            request.session.cycle_key()
            audit.write(
                action="user.second_factor_given", object_kind="user", object_id=str(user.pk), user=user,
                address=address, now=now, after={"by": str(verdict)},
            )  # fmt: skip
            if verdict is Verdict.RECOVERY:
                messages.warning(request, _left(second_factors.codes_left(user)))
            return HttpResponseRedirect(_next(request))
        if _refused(request, user, row, verdict, now):
            return HttpResponseRedirect(f"{reverse('admin:login')}?ended={SignIn.Ending.TRIES}")
        form.add_error("code", _wrong())
    return _page(
        request, "admin/security/second_factor.html",
        {"title": gettext("Second factor"), "form": form, "next": _next(request)},
    )  # fmt: skip


def _refused(request: HttpRequest, user: User, row: SignIn, verdict: Verdict, now: datetime) -> bool:
    """Note a wrong code; after too many end the sign-in and say so."""
    is_locked = verdict is Verdict.LOCKED
    refusals.write(
        action="user.second_factor_refused", object_kind="user", object_id=str(user.pk), user=user,
        address=address_of(request), now=now,
        reason=gettext("Locked after too many codes") if is_locked else gettext("Wrong code"),
    )  # fmt: skip
    if is_locked:
        sign_ins.end(row, ending=SignIn.Ending.TRIES, now=now)
        logout(request)
    return is_locked


@step_up.required
def set_up(request: HttpRequest) -> HttpResponseBase:
    """Show the picture for the app, and take its first code."""
    user, row, now = signed_in_user(request), _own(request), clock.now()
    if second_factors.is_set_up(user):
        return HttpResponseRedirect(reverse("admin:security"))
    secret = second_factors.begin(user=user, now=now)
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        codes = second_factors.confirm(
            user=user, code=form.cleaned_data["code"], address=address_of(request), now=now
        )
        if codes is not None:
            sign_ins.note_proof(row, now=now, is_second_factor=True)
            return _codes(request, codes)
        form.add_error("code", _wrong())
    address = totp.address(secret=secret, account=user.get_username(), issuer="DiamondPay")
    picture = segno.make(address, error="m", micro=False).svg_inline(
        scale=1, border=2, omitsize=True, svgclass="qr", lineclass=None, dark="#000", light="#fff"
    )
    context = {
        "title": gettext("Set up a second factor"),
        "form": form,
        "picture": mark_safe(picture),  # noqa: S308 - drawn by segno: paths and numbers alone
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "is_required": _is_required(user),
    }
    return _page(request, "admin/security/set_up.html", context)


@step_up.required
def renew_codes(request: HttpRequest) -> HttpResponseBase:
    """Make ten new recovery codes and show them, this once."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    user = signed_in_user(request)
    if not second_factors.is_set_up(user):
        return HttpResponseRedirect(reverse("admin:security"))
    return _codes(
        request, second_factors.renew_codes(user=user, address=address_of(request), now=clock.now())
    )


@step_up.required
def remove(request: HttpRequest) -> HttpResponseBase:
    """Take one's own second factor away, where nobody requires it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    user = signed_in_user(request)
    if _is_required(user):
        messages.error(
            request, gettext("Your role requires a second factor. An administrator can take it away.")
        )
    elif second_factors.remove(user=user, by=user, reason="", address=address_of(request), now=clock.now()):
        messages.success(request, gettext("Signing in asks for the password alone from now on."))
    return HttpResponseRedirect(reverse("admin:security"))


def sign_out_everywhere(request: HttpRequest) -> HttpResponseBase:
    """End every sign-in but this one, or one of them."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    user, own, now = signed_in_user(request), _own(request), clock.now()
    chosen = request.POST.get("sign_in", "")
    with transaction.atomic():
        if chosen:
            rows = sign_ins.open_ones(user).exclude(pk=own.pk)
            row = rows.filter(pk=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 18 else None
            ended = int(row is not None and sign_ins.end(row, ending=SignIn.Ending.ELSEWHERE, now=now))
            if ended:
                audit.write(
                    action="user.signed_out", object_kind="user", object_id=str(user.pk), user=user,
                    address=address_of(request), now=now, after={"sign_in": chosen},
                )  # fmt: skip
        else:
            ended = sign_ins.end_of(
                user=user, ending=SignIn.Ending.ELSEWHERE, now=now, by=user, address=address_of(request),
                but=own.pk,
            )  # fmt: skip
    if ended:
        messages.success(request, gettext("Signed out elsewhere: %d.") % ended)
    else:
        messages.info(request, gettext("You were signed in nowhere else."))
    return HttpResponseRedirect(reverse("admin:security"))


def session(request: HttpRequest) -> HttpResponseBase:
    """Tell a page how long the session lasts; asked with the mark of an activity, prolong it.

    Units: seconds.
    """
    row = _own(request)
    seconds = settings.IDLE_SECONDS - (clock.now() - row.active_at).total_seconds()
    return JsonResponse({"seconds_left": max(0, int(seconds))}, headers={"Cache-Control": "no-store"})


def prove(request: HttpRequest) -> HttpResponseBase:
    """Take a proof and lead back to where it was asked for."""
    refused = step_up.asked(request)
    if refused is not None:
        return refused
    if request.method != "POST" and request.step_up_due:  # type: ignore[attr-defined]
        return _page(
            request, "admin/step_up.html",
            {
                "title": gettext("Please prove that it is you"), "kept": [("next", _next(request))],
                "minutes": settings.STEP_UP_SECONDS // 60,
            },
        )  # fmt: skip
    return HttpResponseRedirect(_next(request))


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponseBase:
    response = _page(
        request, "admin/security/codes.html", {"title": gettext("Recovery codes"), "codes": codes}
    )
    response["Cache-Control"] = "no-store"
    return response


def _with_words(row: SignIn) -> tuple[SignIn, str]:
    """Return a sign-in and its browser in words, as far as it says who it is; the newer names come first."""
    agent = row.browser
    name = next((words for part, words in _BROWSERS if part in agent), agent[:30])
    place = next((words for part, words in _SYSTEMS if part in agent), "")
    return row, f"{name}, {place}" if place else name


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def _own(request: HttpRequest) -> SignIn:
    row = getattr(request, "sign_in", None)
    assert isinstance(row, SignIn)  # noqa: S101 - the middleware lets nobody in without
    return row


def _is_required(user: User) -> bool:
    return second_factors.is_required(user, of_everybody=settings.REQUIRE_SECOND_FACTOR)


def _next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else reverse("admin:index")


def _wrong() -> str:
    return gettext("This code is not right, or was used before. Give the one that your app shows now.")


def _left(count: int) -> str:
    return (
        gettext("You used a recovery code; %d are left. Make new ones when you have your app again.") % count
    )


for _each in (
    pages.Page(path="security/", name="security", view=overview),
    pages.Page(path="security/second-factor/", name="second_factor_set_up", view=set_up),
    pages.Page(path="security/second-factor/remove/", name="second_factor_remove", view=remove),
    pages.Page(path="security/recovery-codes/", name="recovery_codes", view=renew_codes),
    pages.Page(path="security/sign-out/", name="sign_out_everywhere", view=sign_out_everywhere),
    pages.Page(path="security/session/", name="session", view=session),
    pages.Page(path="security/prove/", name="prove", view=prove),
    pages.Page(path="second-factor/", name="second_factor", view=second_factor),
):
    pages.add_page(_each)
