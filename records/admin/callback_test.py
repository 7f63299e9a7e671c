"""“Send me a test callback”: a page of a merchant's users that shows what their receiver says."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import clock, errors, pages
from diamondpay.lib.admin import address_of
from merchants import admin_own
from merchants.models import Credential, Merchant
from records import trial_callbacks
from records.models import SignType

MAY_TEST = "merchants.test_own_callback"
URL_LENGTH_MAX = 256
_APIS = dict(Credential.Api.choices)


class CallbackForm(forms.Form):
    """Whose language, signed how, to which address."""

    api = forms.ChoiceField(label=_("In the language of"))
    sign_type = forms.ChoiceField(label=_("Signed with"))
    url = forms.CharField(
        label=_("Address"), max_length=URL_LENGTH_MAX,
        help_text=_("Where your receiver listens; it must be reachable from the internet."),
    )  # fmt: skip

    def __init__(self, *args: Any, merchant: Merchant, apis: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        api, sign_type = self.fields["api"], self.fields["sign_type"]
        assert isinstance(api, forms.ChoiceField)  # noqa: S101
        assert isinstance(sign_type, forms.ChoiceField)  # noqa: S101
        api.choices = [(each, _APIS[each]) for each in apis]
        kinds = [SignType.HMAC_SHA256, *([SignType.MD5] if merchant.is_md5_allowed else [])]
        sign_type.choices = [(kind.value, kind.label) for kind in kinds]
        self.initial.setdefault("url", merchant.notify_url)


def callback_test(request: HttpRequest) -> HttpResponseBase:
    """Show the form; sent, also what came back."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    user, now = admin_own.person(request), clock.now()
    merchants = admin_own.own_merchants(user)
    asked = request.POST.get("merchant") or request.GET.get("merchant", "")
    merchant = next((each for each in merchants if each.pk == asked), merchants[0] if merchants else None)
    context: dict[str, Any] = {
        "title": gettext("Test Callback"),
        "merchants": merchants,
        "merchant": merchant,
        "back": reverse("admin:own_keys"),
        "may_see_keys": user.has_perm(admin_own.MAY_ROTATE) or user.has_perm(admin_own.MAY_CHANGE_ADDRESSES),
    }
    if merchant is not None:
        apis = trial_callbacks.apis_of(merchant, now=now)
        form = CallbackForm(request.POST or None, merchant=merchant, apis=apis)
        context |= {"form": form, "has_keys": bool(apis)}
        if request.method == "POST" and form.is_valid():
            try:
                context["trial"] = trial_callbacks.send(
                    merchant=merchant, user=user, address=address_of(request), now=now, **form.cleaned_data
                )
            except errors.InvalidInput as refusal:
                for name, words in refusal.fields.items():
                    form.add_error(name, str(words))
            except errors.DomainError as refusal:
                form.add_error(None, str(refusal))
    return admin_own.shown(request, "admin/own/callback_test.html", context)


pages.add_page(
    pages.Page(
        path="own-callback-test/", name="own_callback_test", view=callback_test, permissions=(MAY_TEST,)
    )
)
