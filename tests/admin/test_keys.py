"""Keys are made, rotated and ended on pages that show a secret exactly once, and do their deed once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from merchants import credentials
from merchants.models import Credential
from merchants.registration import Registered
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client) -> User:
    """A Super Administrator by role, signed in."""
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


def send(client: Client, url: str, **typed: str) -> Any:
    """Open a key page and send its form."""
    seen = client.get(url).context["form"].initial["seen"]
    return client.post(url, {"seen": seen, "reason": "asked by the merchant", **typed})


def rotate_url(acme: Registered) -> str:
    """Return the address of the page that rotates the merchant's key."""
    return f"/admin/merchants/credential/{acme.credential.pk}/rotate/"


def test_rotating_shows_the_new_secret_once_and_lets_the_old_key_live_on(
    client: Client, acme: Registered, boss: User
) -> None:
    response = send(client, rotate_url(acme), overlap_seconds="86400")
    new = Credential.objects.latest("id")
    secret = credentials.secret_of(new)
    page = response.content.decode()
    assert response.status_code == 200
    assert page.count(secret) == 1
    assert {"no-store", "private"} <= set(response["Cache-Control"].split(", "))
    old = Credential.objects.get(pk=acme.credential.pk)
    assert old.ends_at is not None
    assert timedelta(hours=23) < old.ends_at - clock.now() < timedelta(hours=25)
    keys, merchants = "/admin/merchants/credential/", "/admin/merchants/merchant/"
    for url in (f"{merchants}{acme.merchant.pk}/change/", rotate_url(acme), keys, f"{keys}{new.pk}/change/"):
        assert secret not in client.get(url).content.decode()


def test_a_secret_reaches_no_session_message_or_audit_row(
    client: Client, acme: Registered, boss: User
) -> None:
    response = send(client, rotate_url(acme), overlap_seconds="0")
    authorization = response.context["created"].authorization
    secret = response.context["created"].platform_key
    kept = [str(session.get_decoded()) for session in Session.objects.all()]
    kept += [f"{row.before} {row.after} {row.reason}" for row in AuditRow.objects.all()]
    kept += [str(cookie) for cookie in client.cookies.values()]
    assert [text for text in kept if secret in text or authorization in text] == []
    rows = AuditRow.objects.filter(user=boss).order_by("id")
    assert [(row.action, row.reason) for row in rows] == [
        ("credential.rotate", "asked by the merchant"), ("credential.create", "asked by the merchant"),
    ]  # fmt: skip


def test_a_page_sent_twice_rotates_once(client: Client, acme: Registered, boss: User) -> None:
    seen = client.get(rotate_url(acme)).context["form"].initial["seen"]
    data = {"seen": seen, "reason": "double click", "overlap_seconds": "86400"}
    assert "created" in client.post(rotate_url(acme), data).context
    count = Credential.objects.count()
    again = client.post(rotate_url(acme), data)
    assert "created" not in again.context
    assert again.context["form"].non_field_errors() == [
        "The keys changed after you opened this page. Nothing was done; open it again."
    ]
    assert Credential.objects.count() == count


def test_a_key_is_ended_at_once(client: Client, acme: Registered, boss: User) -> None:
    url = f"/admin/merchants/credential/{acme.credential.pk}/end/"
    assert send(client, url).status_code == 302
    assert credentials.live(acme.merchant.pk, "gateway", clock.now()) == []
    assert [row.action for row in AuditRow.objects.filter(user=boss)] == ["credential.end"]


@pytest.mark.parametrize("api", ["gateway", "transaction_request", "payment_detail"])
def test_a_further_key_is_made_for_each_api(client: Client, acme: Registered, boss: User, api: str) -> None:
    response = send(client, f"/admin/merchants/merchant/{acme.merchant.pk}/keys/add/", api=api)
    new = Credential.objects.latest("id")
    assert (new.api, new.merchant_id) == (api, acme.merchant.pk)
    page = response.content.decode()
    assert credentials.secret_of(new) in page
    assert (new.public_id in page) == (api != "gateway")
    assert Credential.objects.get(pk=acme.credential.pk).ends_at is None


@pytest.mark.parametrize(
    "typed", [{"reason": ""}, {"overlap_seconds": "-5"}, {"overlap_seconds": "abc"}, {"seen": "x"}]
)
def test_a_key_page_refuses_what_is_missing_and_does_nothing(
    client: Client, acme: Registered, boss: User, typed: dict[str, str]
) -> None:
    response = send(client, rotate_url(acme), **{"overlap_seconds": "86400", **typed})
    assert response.status_code == 200
    assert response.context["form"].errors
    assert Credential.objects.count() == 1


@pytest.mark.parametrize("path", ["rotate", "end"])
def test_staff_without_the_right_cannot_open_a_key_page(client: Client, acme: Registered, path: str) -> None:
    client.force_login(factories.make_operator())
    url = f"/admin/merchants/credential/{acme.credential.pk}/{path}/"
    assert [client.get(url).status_code, client.post(url).status_code] == [403, 403]
    assert client.get(f"/admin/merchants/merchant/{acme.merchant.pk}/keys/add/").status_code == 403
    client.logout()
    assert client.get(url).status_code == 302
    assert Credential.objects.count() == 1
