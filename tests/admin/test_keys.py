"""A key is ended at once by one person, once; a new one is an act of two (tests/operations)."""

from __future__ import annotations

from typing import Any

import pytest
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


def end_url(acme: Registered) -> str:
    """Return the address of the page that ends the merchant's key."""
    return f"/admin/merchants/credential/{acme.credential.pk}/end/"


def send(client: Client, url: str, **typed: str) -> Any:
    """Open a key page and send its form."""
    seen = client.get(url).context["form"].initial["seen"]
    return client.post(url, {"seen": seen, "reason": "asked by the merchant", **typed})


def live(acme: Registered) -> list[int]:
    """Return the keys that live."""
    return [row.pk for row in credentials.live(acme.merchant.pk, "gateway", clock.now())]


def test_a_key_is_ended_at_once(client: Client, acme: Registered, boss: User) -> None:
    assert send(client, end_url(acme)).status_code == 302
    assert live(acme) == []
    rows = AuditRow.objects.filter(user=boss)
    assert [(row.action, row.reason) for row in rows] == [("credential.end", "asked by the merchant")]


def test_a_page_sent_twice_ends_once(client: Client, acme: Registered, boss: User) -> None:
    data = {"seen": client.get(end_url(acme)).context["form"].initial["seen"], "reason": "double click"}
    assert client.post(end_url(acme), data).status_code == 302
    again = client.post(end_url(acme), data)
    assert again.context["form"].non_field_errors() == [
        "The keys changed after you opened this page. Nothing was done; open it again."
    ]
    assert AuditRow.objects.filter(user=boss).count() == 1


@pytest.mark.parametrize("typed", [{"reason": ""}, {"reason": "  "}, {"seen": "x"}, {"seen": ""}])
def test_the_page_refuses_what_is_missing_and_does_nothing(
    client: Client, acme: Registered, boss: User, typed: dict[str, str]
) -> None:
    response = send(client, end_url(acme), **typed)
    assert (response.status_code, bool(response.context["form"].errors)) == (200, True)
    assert live(acme) == [acme.credential.pk]


def test_staff_without_the_right_cannot_open_the_page(client: Client, acme: Registered) -> None:
    client.force_login(factories.make_operator())
    url = end_url(acme)
    assert [client.get(url).status_code, client.post(url).status_code] == [403, 403]
    client.logout()
    assert client.get(url).status_code == 302
    assert live(acme) == [acme.credential.pk]


@pytest.mark.parametrize("path", ["credential/{key}/rotate/", "merchant/{merchant}/keys/add/"])
def test_nobody_makes_a_key_alone(client: Client, acme: Registered, boss: User, path: str) -> None:
    """The pages that made keys at once are gone; not even an administrator's POST there makes one."""
    url = f"/admin/merchants/{path.format(key=acme.credential.pk, merchant=acme.merchant.pk)}"
    client.post(url, {"reason": "alone", "seen": "x", "api": "gateway", "overlap_seconds": "0"})
    assert list(Credential.objects.values_list("pk", flat=True)) == [acme.credential.pk]
    page = client.get(f"/admin/merchants/merchant/{acme.merchant.pk}/change/").content.decode()
    assert f'href="/admin/acts/rotate_credential/{acme.merchant.pk}/"' in page
