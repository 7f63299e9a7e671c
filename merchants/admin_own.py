"""A merchant's users and what is their own: their keys, and whence their merchant may call.

Their own deed, without a second person: a proof of who they are is asked (`step_up`), and the audit trail
says who did it. A page that is sent twice does its deed once: it carries the keys as its reader saw them.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay import audit, step_up
from diamondpay.lib import addresses, clock, errors, pages
from diamondpay.lib.admin import address_of
from diamondpay.models import User
from merchants import access, credentials
from merchants.models import AllowedAddress, Credential, Merchant, validate_network

MAY_ROTATE = "merchants.rotate_own_credential"
MAY_CHANGE_ADDRESSES = "merchants.change_own_allowedaddress"
ADDRESS_COUNT_MAX = 50
_KEYS_SHOWN_MAX = 50
_OVERLAPS = (
    ("86400", _("End in 24 hours")), ("3600", _("End in 1 hour")), ("604800", _("End in 7 days")),
    ("0", _("End now")),
)  # fmt: skip


class RotateForm(forms.Form):
    """What becomes of the key that is replaced."""

    old_key = forms.ChoiceField(label=_("The key that you have now"), choices=_OVERLAPS)
    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)


class EndForm(forms.Form):
    """Why a key ends now."""

    reason = forms.CharField(label=_("Reason"), max_length=500)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)


class AddressForm(forms.Form):
    """One more place from which the merchant may call."""

    network = forms.CharField(
        label=_("Address or network"), max_length=64,
        help_text=_("IPv4 or IPv6, such as 203.0.113.7 or 2001:db8:12::/48."),
    )  # fmt: skip
    note = forms.CharField(label=_("Note"), max_length=128, required=False)

    def clean_network(self) -> str:
        """Return the network in its one spelling."""
        text = str(self.cleaned_data["network"]).strip()
        validate_network(text)
        return str(addresses.network(text, is_strict=True))


def own_merchants(user: User) -> list[Merchant]:
    """Return the merchants for which the user acts; none for staff, whatever they may see."""
    found = access.merchants_of(user)
    return list(Merchant.objects.filter(pk__in=found or []).order_by("pk"))


def own(user: User, queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows of the merchants for which the user acts; none for staff."""
    return access.visible_to(user, queryset) if access.merchants_of(user) else queryset.none()


def keys(request: HttpRequest) -> HttpResponseBase:
    """Show the own keys and the list of places."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    user, now = person(request), clock.now()
    held = own(user, Credential.objects.select_related("merchant")).order_by("-created_at", "-id")
    merchants = own_merchants(user)
    context = {
        "title": gettext("API Keys"),
        "merchants": merchants,
        "keys": [
            {"row": row, "is_live": row.ends_at is None or row.ends_at > now, "scopes": _words_of(row)}
            for row in held[:_KEYS_SHOWN_MAX]
        ],
        "addresses": list(own(user, AllowedAddress.objects.order_by("merchant_id", "network"))),
        "may_rotate": user.has_perm(MAY_ROTATE),
        "may_change_addresses": user.has_perm(MAY_CHANGE_ADDRESSES),
        "may_test": user.has_perm("merchants.test_own_callback"),
        "may_see_calls": user.has_perm("merchants.view_apicall"),
    }
    return shown(request, "admin/own/keys.html", context)


@step_up.required
def rotate(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Replace a key by a new one, which is shown this once."""
    user, credential = person(request), _own_key(request, pk)
    form = RotateForm(request.POST or None, initial={"seen": _state_of(credential.merchant_id)})
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                _refuse_if_changed(credential, form.cleaned_data["seen"])
                created = credentials.rotate(
                    merchant=credential.merchant, api=credential.api, now=clock.now(), only=credential,
                    overlap_seconds=int(form.cleaned_data["old_key"]), user=user,
                    address=address_of(request), reason=form.cleaned_data["reason"],
                )  # fmt: skip
        except errors.DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            context = {
                "title": gettext("Your new key"), "created": created,
                "merchant_id": credential.merchant_id, "back": reverse("admin:own_keys"),
            }  # fmt: skip
            return shown(request, "admin/own/key.html", context)
    words = gettext("A new key of the same API and with the same scopes is made and shown once.")
    title = gettext("Replace the key …%s") % credential.secret_tail
    return _form(request, form, title=title, words=words, button=gettext("Make the new key"))


@step_up.required
def end(request: HttpRequest, pk: int) -> HttpResponseBase:
    """End a key at once."""
    user, credential = person(request), _own_key(request, pk)
    form = EndForm(request.POST or None, initial={"seen": _state_of(credential.merchant_id)})
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                _refuse_if_changed(credential, form.cleaned_data["seen"])
                credentials.end(
                    credential, clock.now(), user=user, address=address_of(request),
                    reason=form.cleaned_data["reason"],
                )  # fmt: skip
        except errors.DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, gettext("The key …%s has ended.") % credential.secret_tail)
            return HttpResponseRedirect(reverse("admin:own_keys"))
    words = gettext("Calls with this key are refused from this moment on. This cannot be taken back.")
    title = gettext("End the key …%s") % credential.secret_tail
    return _form(request, form, title=title, words=words, button=gettext("End this key now"))


@step_up.required
def add_address(request: HttpRequest, merchant_id: str) -> HttpResponseBase:
    """Put a place on the list from which the merchant may call."""
    user = person(request)
    merchant = next((each for each in own_merchants(user) if each.pk == merchant_id), None)
    if merchant is None:
        raise Http404
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            Merchant.objects.select_for_update().get(pk=merchant.pk)
            listed = set(AllowedAddress.objects.filter(merchant=merchant).values_list("network", flat=True))
            if form.cleaned_data["network"] in listed:
                form.add_error("network", gettext("This is on the list already."))
            elif len(listed) >= ADDRESS_COUNT_MAX:
                form.add_error(None, gettext("The list is full: it holds %d places.") % ADDRESS_COUNT_MAX)
            else:
                row = AllowedAddress.objects.create(merchant=merchant, **form.cleaned_data)
                _audit(request, row, action="allowedaddress.add", after=_told(row))
        if not form.errors:
            messages.success(request, gettext("Calls from %s are taken now.") % row.network)
            return HttpResponseRedirect(reverse("admin:own_keys"))
    words = gettext(
        "With nothing on the list, calls are taken from everywhere. With the first place, only from there."
    )
    title = gettext("Add a place from which %s may call") % merchant
    return _form(request, form, title=title, words=words, button=gettext("Add this place"))


@step_up.required
def remove_address(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Take a place off the list."""
    user = person(request)
    row = own(user, AllowedAddress.objects.select_related("merchant")).filter(pk=_key(pk)).first()
    if row is None:
        raise Http404
    if request.method == "POST":
        with transaction.atomic():
            told = _told(row)
            removed, _by_model = AllowedAddress.objects.filter(pk=row.pk).delete()
            if removed:
                _audit(request, row, action="allowedaddress.remove", before=told, object_id=str(pk))
        messages.success(request, gettext("%s is off the list.") % row.network)
        return HttpResponseRedirect(reverse("admin:own_keys"))
    is_last = not AllowedAddress.objects.filter(merchant=row.merchant_id).exclude(pk=row.pk).exists()
    words = (
        gettext("It is the last place: afterwards calls are taken from everywhere.")
        if is_last
        else gettext("Calls from there are refused from then on.")
    )
    title = gettext("Take %s off the list") % row.network
    return _form(request, forms.Form(), title=title, words=words, button=gettext("Take it off"))


def person(request: HttpRequest) -> User:
    """Return who asks. Raises: PermissionDenied."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def shown(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponseBase:
    """Return a page that no cache keeps."""
    response = TemplateResponse(request, template, {**admin.site.each_context(request), **context})
    response["Cache-Control"] = "no-store, private"
    return response


def _form(request: HttpRequest, form: forms.Form, *, title: str, words: str, button: str) -> HttpResponseBase:
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    context = {
        "title": title,
        "words": words,
        "button": button,
        "form": form,
        "back": reverse("admin:own_keys"),
    }
    return shown(request, "admin/own/form.html", context)


def _own_key(request: HttpRequest, pk: int) -> Credential:
    """Return a key of the person's own merchant; another's is unknown. Raises: Http404."""
    queryset = own(person(request), Credential.objects.select_related("merchant"))
    found = queryset.filter(pk=_key(pk)).first()
    if found is None:
        raise Http404
    return cast(Credential, found)


def _key(pk: int) -> int:
    """Return a key that the database can hold, 0 for a larger one."""
    return pk if pk < 2**63 else 0


def _state_of(merchant_id: str) -> str:
    rows = Credential.objects.filter(merchant=merchant_id).order_by("pk").values_list("pk", "ends_at")
    return hashlib.sha256(repr(list(rows)).encode()).hexdigest()[:32]


def _refuse_if_changed(credential: Credential, seen: str) -> None:
    """Lock the keys and compare them with what the page showed. Raises: DomainError."""
    Merchant.objects.select_for_update().get(pk=credential.merchant_id)
    if seen != _state_of(credential.merchant_id):
        words = _("The keys changed after you opened this page. Nothing was done; open it again.")
        raise errors.DomainError(words)


def _words_of(credential: Credential) -> str:
    return ", ".join(str(scope.label) for scope in credential.scopes)


def _told(row: AllowedAddress) -> dict[str, object]:
    return {"merchant": row.merchant_id, "network": row.network, "note": row.note}


def _audit(request: HttpRequest, row: AllowedAddress, *, object_id: str = "", **told: Any) -> None:
    audit.write(
        object_kind="allowedaddress", object_id=object_id or str(row.pk), user=person(request),
        address=address_of(request), now=clock.now(), **told,
    )  # fmt: skip


_KEYS, _PLACES = (MAY_ROTATE,), (MAY_CHANGE_ADDRESSES,)
for _page in (
    pages.Page(path="own-keys/", name="own_keys", view=keys, permissions=(*_KEYS, *_PLACES)),
    pages.Page(path="own-keys/<int:pk>/rotate/", name="own_key_rotate", view=rotate, permissions=_KEYS),
    pages.Page(path="own-keys/<int:pk>/end/", name="own_key_end", view=end, permissions=_KEYS),
    pages.Page(
        path="own-addresses/add/<slug:merchant_id>/", name="own_address_add", view=add_address,
        permissions=_PLACES,
    ),
    pages.Page(
        path="own-addresses/<int:pk>/remove/", name="own_address_remove", view=remove_address,
        permissions=_PLACES,
    ),
):  # fmt: skip
    pages.add_page(_page)
