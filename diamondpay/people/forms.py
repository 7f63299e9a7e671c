"""The form of signing in, and those of a person's own security."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.identity import passwords, refusals
from diamondpay.lib import clock
from diamondpay.lib.admin import address_of
from diamondpay.models import User

_USERNAME_LENGTH_MAX = 150


class SignInForm(AdminAuthenticationForm):
    """User name and password. One answer for an unknown name and a wrong password, one for every lock."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "locked": _(
            "Too many tries. Wait half an hour, or ask an administrator to unlock the account; a right "
            "password does not help until then."
        ),
    }

    def clean(self) -> dict[str, Any]:
        """Count the attempt, then look at the password; refused ones stand in the audit trail."""
        username = self.cleaned_data.get("username")
        password = self.cleaned_data.get("password")
        if username is None or not password or "\x00" in username + password:
            return self.cleaned_data
        now = clock.now()
        address = address_of(self.request) if self.request is not None else None
        attempt = passwords.Attempt(username=username, address=address, now=now)
        if not attempt.begin():
            passwords.waste_time(password)
            self._refuse(attempt, "user.sign_in_locked", gettext("Locked after too many tries"))
            raise ValidationError(self.error_messages["locked"], code="locked")
        self.user_cache = authenticate(self.request, username=username, password=password)
        try:
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        except ValidationError:
            self._refuse(attempt, "user.sign_in_refused", gettext("Wrong user name or password"))
            raise
        attempt.succeed()
        return self.cleaned_data

    def _refuse(self, attempt: passwords.Attempt, action: str, words: str) -> None:
        # A name that nobody has may be a password in the wrong field; it is written nowhere.
        user = attempt.user
        refusals.write(
            action=action, object_kind="user", object_id=str(user.pk) if user else "",
            actor=user.get_username() if user else "unknown", now=attempt.now,
            address=address_of(self.request) if self.request is not None else None, reason=words,
        )  # fmt: skip


class CodeForm(forms.Form):
    """A code of the app, or one from paper."""

    code = forms.CharField(
        label=_("Code"), max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True, "size": 12}
        ),
    )  # fmt: skip


class ReasonForm(forms.Form):
    """Why an administrator does something to another person's account."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("It stands in the audit trail and is shown to nobody else."),
    )  # fmt: skip


def signed_in_user(request: Any) -> User:
    """Return who asks; the site lets nobody else in."""
    assert isinstance(request.user, User)  # noqa: S101
    return request.user
