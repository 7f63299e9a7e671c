"""The page that ends a merchant's key at once. A new key is an act of two people (`operations`).

A page that is sent twice does the deed once: it carries the state of the keys as its reader saw them.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from diamondpay.lib import admin as pages
from diamondpay.lib import clock
from diamondpay.models import User
from merchants import access, credentials
from merchants.admin_forms import EndForm
from merchants.models import Credential, Merchant


@require_http_methods(["GET", "HEAD", "POST"])
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a key at once."""
    credential = _credential(request, pk, permission="merchants.change_credential")
    merchant = credential.merchant

    title = gettext("End the key …%(tail)s of %(merchant)s") % {
        "tail": credential.secret_tail,
        "merchant": merchant,
    }
    back = reverse("admin:merchants_merchant_change", args=[merchant.pk])
    context: dict[str, Any] = {
        "merchant": merchant,
        "title": title,
        "back": back,
        "words": gettext(
            "Calls signed with this key are refused from this moment on. This cannot be taken back."
        ),
        "button": gettext("End this key now"),
    }
    if request.method != "POST":
        return _answer(request, context | {"form": EndForm(initial={"seen": _state_of(merchant)})})
    form = EndForm(request.POST)
    with transaction.atomic():
        # Locked while what the person saw is compared with what stands, and during the deed.
        Merchant.objects.select_for_update().get(pk=merchant.pk)
        if form.is_valid() and form.cleaned_data["seen"] != _state_of(merchant):
            form.add_error(
                None, _("The keys changed after you opened this page. Nothing was done; open it again.")
            )
        if not form.is_valid():
            return _answer(request, context | {"form": form})
        credentials.end(
            credential,
            clock.now(),
            user=_user(request),
            address=pages.address_of(request),
            reason=form.cleaned_data["reason"],
        )
    return HttpResponseRedirect(back)


def _answer(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    full = {**admin.site.each_context(request), "opts": Credential._meta, **context}
    response = TemplateResponse(request, "admin/merchants/credential/key_form.html", full)
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
