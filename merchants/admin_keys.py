"""The pages that make, rotate and end a merchant's keys. A secret is shown once, in the answer that made it.

Nothing of a secret reaches a session, a message, a log or the audit trail. A page that is sent twice does
the deed once: it carries the state of the keys as its reader saw them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from diamondpay.lib import admin as pages
from diamondpay.lib import clock
from diamondpay.models import User
from merchants import access, credentials
from merchants.admin_forms import EndForm, NewKeyForm, RotateForm
from merchants.models import Credential, Merchant


@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a new key for the API of this one and let the old ones end."""
    credential = _credential(request, pk, permission="merchants.add_credential")
    merchant = credential.merchant

    def deed(form: forms.Form, now: datetime) -> credentials.Created:
        return credentials.rotate(
            merchant=merchant,
            api=credential.api,
            now=now,
            overlap_seconds=form.cleaned_data["overlap_seconds"],
            user=cast(User, request.user),
            address=pages.address_of(request),
            reason=form.cleaned_data["reason"],
        )

    title = gettext("Rotate the key of %s") % merchant
    words = gettext("A new key is made and shown once. The old ones live on for the time you choose.")
    return _key_page(
        request, merchant=merchant, form_class=RotateForm, deed=deed, title=title, words=words,
        button=gettext("Make the new key"),
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def new_key(request: HttpRequest, merchant_id: str) -> HttpResponse:
    """Make a further key for an API; those that live go on living."""
    if not request.user.has_perm("merchants.add_credential"):
        raise PermissionDenied
    merchant = access.visible_to(_user(request), Merchant.objects.filter(pk=merchant_id)).first()
    if merchant is None:
        raise Http404

    def deed(form: forms.Form, now: datetime) -> credentials.Created:
        return credentials.create(
            merchant=merchant,
            api=form.cleaned_data["api"],
            now=now,
            user=cast(User, request.user),
            address=pages.address_of(request),
            reason=form.cleaned_data["reason"],
        )

    def form_class(*args: Any, **kwargs: Any) -> NewKeyForm:
        return NewKeyForm(
            *args, choices=[(value, str(label)) for value, label in Credential.Api.choices], **kwargs
        )

    title = gettext("New key for %s") % merchant
    words = gettext("The key is shown once. Keys that live go on living.")
    return _key_page(
        request, merchant=merchant, form_class=form_class, deed=deed, title=title, words=words,
        button=gettext("Make the key"),
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a key at once."""
    credential = _credential(request, pk, permission="merchants.change_credential")
    merchant = credential.merchant

    def deed(form: forms.Form, now: datetime) -> None:
        credentials.end(
            credential,
            now,
            user=cast(User, request.user),
            address=pages.address_of(request),
            reason=form.cleaned_data["reason"],
        )

    title = gettext("End the key …%(tail)s of %(merchant)s") % {
        "tail": credential.secret_tail,
        "merchant": merchant,
    }
    words = gettext("Calls signed with this key are refused from this moment on. This cannot be taken back.")
    return _key_page(
        request, merchant=merchant, form_class=EndForm, deed=deed, title=title, words=words,
        button=gettext("End this key now"),
    )  # fmt: skip


@sensitive_variables("created")
def _key_page(
    request: HttpRequest,
    *,
    merchant: Merchant,
    form_class: Callable[..., forms.Form],
    deed: Callable[[forms.Form, datetime], credentials.Created | None],
    title: str,
    words: str,
    button: str,
) -> HttpResponse:
    """Ask, do once, and show what was made.

    Locks: the merchant's row while comparing what the person saw with what stands, and during the deed.
    """
    back = reverse("admin:merchants_merchant_change", args=[merchant.pk])
    context: dict[str, Any] = {
        "merchant": merchant,
        "title": title,
        "back": back,
        "words": words,
        "button": button,
    }
    if request.method != "POST":
        return _answer(
            request, "key_form", context | {"form": form_class(initial={"seen": _state_of(merchant)})}
        )
    form = form_class(request.POST)
    with transaction.atomic():
        Merchant.objects.select_for_update().get(pk=merchant.pk)
        if form.is_valid() and form.cleaned_data["seen"] != _state_of(merchant):
            form.add_error(
                None, _("The keys changed after you opened this page. Nothing was done; open it again.")
            )
        if not form.is_valid():
            return _answer(request, "key_form", context | {"form": form})
        created = deed(form, clock.now())
    if created is None:
        return HttpResponseRedirect(back)
    return _answer(request, "key_shown_once", context | {"created": created, "title": gettext("The new key")})


def _answer(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    full = {**admin.site.each_context(request), "opts": Credential._meta, **context}
    response = TemplateResponse(request, f"admin/merchants/credential/{template}.html", full)
    response["Cache-Control"] = "no-store, private"
    return response


def _state_of(merchant: Merchant) -> str:
    rows = Credential.objects.filter(merchant=merchant).order_by("pk").values_list("pk", "ends_at")
    return hashlib.sha256(repr([(pk, ends_at) for pk, ends_at in rows]).encode()).hexdigest()[:32]


def _credential(request: HttpRequest, pk: int, *, permission: str) -> Credential:
    if not request.user.has_perm(permission):
        raise PermissionDenied
    queryset = access.visible_to(_user(request), Credential.objects.select_related("merchant"))
    found = queryset.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)
