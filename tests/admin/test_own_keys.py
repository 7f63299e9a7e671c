"""A merchant's users replace and end their own keys and keep their own list of places, and nobody else's."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from diamondpay.lib import clock
from diamondpay.models import AuditRow, SignIn, User
from merchants import credentials
from merchants.models import AllowedAddress, Credential
from merchants.registration import Registered
from tests import factories
from tests.admin import signing

pytestmark = pytest.mark.django_db
KEYS = "/admin/own-keys/"


@pytest.fixture
def member(client: Client, clerk: User) -> User:
    """Acme's user, signed in."""
    client.force_login(clerk)
    return clerk


def url(credential: Credential, act: str) -> str:
    """Return the address of an act on a key."""
    return f"{KEYS}{credential.pk}/{act}/"


def send(client: Client, address: str, **typed: str) -> Any:
    """Open a page and send its form."""
    seen = client.get(address).context["form"].initial["seen"]
    return client.post(address, {"seen": seen, "old_key": "3600", "reason": "leaked", **typed})


def live(acme: Registered) -> list[Credential]:
    """Return the keys that live, newest first."""
    return credentials.live(acme.merchant.pk, "gateway", clock.now())


def test_the_page_shows_the_own_keys_without_their_secrets(
    client: Client, acme: Registered, rival: Registered, member: User
) -> None:
    AllowedAddress.objects.create(merchant=rival.merchant, network="198.51.100.9/32")
    credentials.note_use(acme.credential, clock.now())
    text = client.get(KEYS).content.decode()
    assert acme.credential.public_id in text
    assert "Read, Create deposits, Create payouts" in text
    assert f"…{acme.platform_key[-4:]}" in text
    hidden = (acme.platform_key, acme.authorization, rival.credential.public_id, "198.51.100.9", "Rival")
    assert [word for word in hidden if word in text] == []
    assert "never" not in re.sub(r"<[^>]+>", "", text.split("<tbody>")[1].split("</tbody>")[0])


def test_a_member_replaces_a_key_which_keeps_its_scopes_and_sees_the_new_one_once(
    client: Client, acme: Registered, member: User
) -> None:
    Credential.objects.filter(pk=acme.credential.pk).update(may_payout=False)
    response = send(client, url(acme.credential, "rotate"))
    new, old = live(acme)
    text = response.content.decode()
    created = response.context["created"]
    assert (response.status_code, response["Cache-Control"].split(", ")[:2]) == (200, ["no-store", "private"])
    assert created.platform_key in text
    assert created.authorization in text
    assert credentials.secret_of(new) == created.platform_key
    assert new.scopes == ("read", "deposit")
    assert timedelta(minutes=59) < old.ends_at - clock.now() < timedelta(minutes=61)  # type: ignore[operator]
    assert created.platform_key not in client.get(KEYS).content.decode()
    rows = AuditRow.objects.filter(user=member).order_by("id")
    assert [(row.action, row.reason) for row in rows] == [
        ("credential.rotate", "leaked"), ("credential.create", "leaked"),
    ]  # fmt: skip
    assert created.platform_key not in str(list(rows.values()))


def test_replacing_one_key_leaves_the_others_as_they_are(
    client: Client, acme: Registered, member: User
) -> None:
    other = credentials.create(merchant=acme.merchant, api="gateway", now=clock.now(), scopes=["read"])
    send(client, url(acme.credential, "rotate"), old_key="0")
    assert [row.ends_at for row in live(acme)] == [None, None]
    assert other.credential.pk in [row.pk for row in live(acme)]


def test_a_page_sent_twice_makes_one_key(client: Client, acme: Registered, member: User) -> None:
    address = url(acme.credential, "rotate")
    typed = {"seen": client.get(address).context["form"].initial["seen"], "old_key": "86400"}
    assert "created" in client.post(address, typed).context
    again = client.post(address, typed)
    assert again.context["form"].non_field_errors() == [
        "The keys changed after you opened this page. Nothing was done; open it again."
    ]
    assert len(live(acme)) == 2


def test_a_member_ends_a_key_at_once(client: Client, acme: Registered, member: User) -> None:
    assert send(client, url(acme.credential, "end")).status_code == 302
    assert live(acme) == []
    assert [row.action for row in AuditRow.objects.filter(user=member)] == ["credential.end"]


@pytest.mark.parametrize("act", ["rotate", "end"])
@pytest.mark.parametrize("typed", [{"old_key": "5", "reason": ""}, {"seen": "x"}, {"seen": ""}])
def test_wrong_input_stays_on_the_page_and_does_nothing(
    client: Client, acme: Registered, member: User, act: str, typed: dict[str, str]
) -> None:
    response = send(client, url(acme.credential, act), **typed)
    assert (response.status_code, bool(response.context["form"].errors)) == (200, True)
    assert [(row.pk, row.ends_at) for row in live(acme)] == [(acme.credential.pk, None)]
    assert not AuditRow.objects.filter(user=member).exists()


@pytest.mark.parametrize("act", ["rotate", "end"])
def test_another_merchants_key_is_unknown(client: Client, rival: Registered, member: User, act: str) -> None:
    address = url(rival.credential, act)
    assert [client.get(address).status_code, client.post(address, {"reason": "x"}).status_code] == [404, 404]
    assert client.get(f"{KEYS}{10**30}/{act}/").status_code == 404
    assert live(rival) == [rival.credential]


@pytest.mark.parametrize("role", ["operator", "approver", "finance", "superuser"])
def test_staff_have_no_own_keys(client: Client, acme: Registered, role: str) -> None:
    makers = {
        "operator": factories.make_operator, "approver": factories.make_approver,
        "finance": factories.make_finance,
        "superuser": lambda: factories.make_user("root", is_superuser=True),
    }  # fmt: skip
    client.force_login(makers[role]())
    wanted = 404 if role == "superuser" else 403
    for act in ("rotate", "end"):
        address = url(acme.credential, act)
        found = [client.get(address).status_code, client.post(address, {"reason": "x"}).status_code]
        assert found == [wanted, wanted]
    assert live(acme) == [acme.credential]


def test_an_old_proof_is_asked_for_again_and_a_code_where_there_is_a_second_factor(
    client: Client, acme: Registered, member: User
) -> None:
    signing.age(signing.sign_in_of(client), proved_at=timedelta(minutes=11))
    address = url(acme.credential, "rotate")
    assert 'type="password" name="step_up_proof"' in client.get(address).content.decode()
    assert "created" not in (send(client, address).context or {})
    assert len(live(acme)) == 1
    secret, _codes = signing.set_up_factor(member)
    SignIn.objects.filter(user=member).update(second_factor_at=clock.now())
    signing.age(signing.sign_in_of(client), proved_at=timedelta(minutes=11))
    wrong = send(client, address, step_up_proof=factories.PASSWORD)
    assert "created" not in (wrong.context or {})
    assert len(live(acme)) == 1
    assert "created" in send(client, address, step_up_proof=signing.code_now(secret)).context


def test_a_place_is_added_in_its_one_spelling_and_taken_off(
    client: Client, acme: Registered, member: User
) -> None:
    address = f"/admin/own-addresses/add/{acme.merchant.pk}/"
    for typed, kept in (
        ("203.0.113.7", "203.0.113.7/32"), ("2001:DB8:0:0::/48", "2001:db8::/48"),
        ("::ffff:198.51.100.7", "198.51.100.7/32"),
    ):  # fmt: skip
        assert client.post(address, {"network": typed, "note": "office"}).status_code == 302
        assert AllowedAddress.objects.latest("pk").network == kept
    row = AllowedAddress.objects.earliest("pk")
    assert client.post(f"/admin/own-addresses/{row.pk}/remove/").status_code == 302
    assert not AllowedAddress.objects.filter(pk=row.pk).exists()
    actions = list(AuditRow.objects.filter(user=member).order_by("id").values_list("action", flat=True))
    assert actions == ["allowedaddress.add"] * 3 + ["allowedaddress.remove"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "This field is required."),
        ("nonsense", "nonsense is not an address or network"),
        ("203.0.113.7/24", "203.0.113.7/24 is not an address or network"),
        ("203.0.113.7\x00", "Null characters are not allowed."),
        ("203.0.113.0/24", "This is on the list already."),
    ],
)
def test_a_place_that_is_none_or_there_already_is_refused_in_words(
    client: Client, acme: Registered, member: User, typed: str, words: str
) -> None:
    AllowedAddress.objects.create(merchant=acme.merchant, network="203.0.113.0/24")
    response = client.post(f"/admin/own-addresses/add/{acme.merchant.pk}/", {"network": typed})
    assert response.status_code == 200
    assert words in response.context["form"].errors["network"][0]
    assert AllowedAddress.objects.count() == 1


def test_another_merchants_list_is_unknown(client: Client, rival: Registered, member: User) -> None:
    row = AllowedAddress.objects.create(merchant=rival.merchant, network="203.0.113.0/24")
    for address in (
        f"/admin/own-addresses/add/{rival.merchant.pk}/",
        f"/admin/own-addresses/{row.pk}/remove/",
    ):
        found = [client.get(address).status_code, client.post(address, {"network": "1.2.3.4"}).status_code]
        assert found == [404, 404]
    assert list(AllowedAddress.objects.all()) == [row]
