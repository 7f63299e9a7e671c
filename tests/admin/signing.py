"""Signing in as a person does, with a second factor where there is one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.test import Client

from diamondpay.identity import second_factors
from diamondpay.lib import clock, totp
from diamondpay.models import SignIn, User
from tests import factories

LOGIN = "/admin/login/"


def sign_in(client: Client, username: str, password: str = factories.PASSWORD, **extra: Any) -> Any:
    """Send the login page's form and return the answer."""
    data = {"username": username, "password": password, "next": "/admin/"}
    return client.post(LOGIN, data, **extra)


def set_up_factor(user: User) -> tuple[str, list[str]]:
    """Give a user a second factor, begun two minutes ago; return its secret and recovery codes."""
    then = clock.now() - timedelta(minutes=2)
    secret = second_factors.begin(user=user, now=then)
    codes = second_factors.confirm(
        user=user, code=totp.code(secret, totp.step_of(then)), address=None, now=then
    )
    assert codes is not None
    return secret, codes


def code_now(secret: str) -> str:
    """Return what the app shows now."""
    return totp.code(secret, totp.step_of(clock.now()))


def sign_in_of(client: Client) -> SignIn:
    """Return the sign-in of a client's session."""
    return SignIn.objects.get(pk=client.session["sign_in"])


def age(row: SignIn, **fields: timedelta) -> None:
    """Let moments of a sign-in lie further back: `active_at=timedelta(minutes=20)`."""
    moments: dict[str, datetime] = {name: getattr(row, name) - back for name, back in fields.items()}
    SignIn.objects.filter(pk=row.pk).update(**moments)
