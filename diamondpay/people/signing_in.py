"""The views of signing in and of one's own new password, each with its audit row."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import LoginView, PasswordChangeView
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse_lazy

from diamondpay.identity import sign_ins
from diamondpay.lib import clock
from diamondpay.lib.admin import address_of
from diamondpay.lib.house import House
from diamondpay.models import SignIn
from diamondpay.people.forms import SignInForm


class SignInView(LoginView):
    """User name and password; what else a person must give first, the middleware asks for."""

    house: House | None = None
    authentication_form = SignInForm
    template_name = "admin/login.html"

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in and write that, together."""
        assert self.house is not None  # noqa: S101 - as_view is given it
        with transaction.atomic():
            response = super().form_valid(form)
            self.house.write_audit(
                self.request, action="user.sign_in", obj=form.get_user(), before={}, after={}
            )
        return response


class OwnPasswordView(PasswordChangeView):
    """A person's own new password; it ends their other sign-ins."""

    house: House | None = None
    template_name = "registration/password_change_form.html"
    success_url = reverse_lazy("admin:password_change_done")

    def form_valid(self, form: Any) -> HttpResponse:
        """Store the password and that it was changed, together."""
        assert self.house is not None  # noqa: S101 - as_view is given it
        row: SignIn | None = getattr(self.request, "sign_in", None)
        with transaction.atomic():
            self.house.write_audit(self.request, action="user.password", obj=form.user, before={}, after={})
            # Django forgets the other sessions by itself; the list of sign-ins must say so too.
            sign_ins.end_of(
                user=form.user, ending=SignIn.Ending.PASSWORD, now=clock.now(), by=None,
                address=address_of(self.request), but=row.pk if row is not None else None,
            )  # fmt: skip
            return super().form_valid(form)
