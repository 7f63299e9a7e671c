"""A user bound to a merchant finds nothing of another merchant's, on any page, by any road."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client

from diamondpay.models import AuditRow, Heartbeat, Preference, SavedView, User
from merchants import access
from merchants.models import AllowedAddress, Membership, Merchant
from merchants.registration import Registered
from records.models import Payment
from tests import factories
from tests.admin import book
from tests.admin.test_lists import rows, url_of

pytestmark = pytest.mark.django_db

MODELS = list(admin.site._registry)


@pytest.fixture
def both(client: Client) -> tuple[Registered, Registered, User]:
    """Two merchants with a row of everything, and a superuser bound to the first, signed in."""
    operator = factories.make_user("somebody", is_superuser=True)
    acme, rival, third = (book.merchant(name) for name in ("Acme", "Rival", "Third"))
    for owner in (acme, rival):
        book.fund(owner)
        book.fill(owner, third, operator, start=1, count=1)
        factories.bound_service(owner.wallets[0], "SVC0001", 1, 9)
        AllowedAddress.objects.create(merchant=owner.merchant, network="203.0.113.7/32")
    SavedView.objects.create(owner=operator, page="payments", name="theirs", query="")
    book.files(operator)
    Preference.objects.create(user=operator, key="theirs", value=1)
    Heartbeat.objects.create(name="worker", beat_at=operator.date_joined)
    Membership.objects.create(user=operator, merchant=third.merchant)
    clerk = factories.make_user("clerk", is_superuser=True, merchants=[acme.merchant])
    client.force_login(clerk)
    return acme, rival, clerk


def test_lists_show_a_merchants_user_their_own_rows_alone(
    client: Client, both: tuple[Registered, Registered, User]
) -> None:
    _acme, rival, clerk = both
    for model in MODELS:
        own = set(access.visible_to(clerk, model._default_manager.all()).values_list("pk", flat=True))
        response = client.get(url_of(model))
        assert {row.pk for row in rows(response)} <= own
        assert rival.merchant.pk not in response.content.decode()
        assert "Rival" not in response.content.decode()


def test_pages_show_a_merchants_user_their_own_rows_alone(
    client: Client, both: tuple[Registered, Registered, User]
) -> None:
    _acme, rival, clerk = both
    for model in MODELS:
        own = set(access.visible_to(clerk, model._default_manager.all()).values_list("pk", flat=True))
        others = set(model._default_manager.values_list("pk", flat=True)) - own
        for pk in sorted(others, key=str)[:6]:
            for page in ("change", "delete", "history"):
                answer = client.get(url_of(model, page, pk), follow=page == "history")
                assert answer.status_code in (302, 403) or page == "history"
                # The id that was asked for may be named in "does not exist"; nothing of the row may.
                assert "Rival" not in answer.content.decode()
        for pk in sorted(own, key=str)[:6]:
            own_page = client.get(url_of(model, "change", pk))
            assert own_page.status_code == 200
            assert rival.merchant.pk not in own_page.content.decode()


def test_what_is_hidden_is_something_and_what_is_shown_is_something(
    client: Client, both: tuple[Registered, Registered, User]
) -> None:
    acme, _rival, clerk = both
    own = {
        "merchants.merchant", "records.payment", "records.payout", "records.balancerecord", "records.case",
        "records.notification", "records.statuschange", "records.ordertotal", "merchants.credential",
    }  # fmt: skip
    for model in MODELS:
        visible = access.visible_to(clerk, model._default_manager.all()).count()
        total = model._default_manager.count()
        assert total > 0, model
        if model._meta.label_lower in own:
            assert 0 < visible < total, model
    assert [row.merchant_id for row in rows(client.get(url_of(Payment)))] == [acme.merchant.pk] * 2


@pytest.mark.parametrize("number", ["payment_id", "merchant_order_no"])
def test_search_finds_nothing_of_another_merchants(
    client: Client, both: tuple[Registered, Registered, User], number: str
) -> None:
    _acme, rival, _clerk = both
    payment = Payment.objects.filter(merchant=rival.merchant).earliest("id")
    assert rows(client.get(url_of(Payment), {"q": getattr(payment, number)})) == []
    assert rows(client.get(url_of(Payment), {"merchant": rival.merchant.pk, "created": "any"})) == []


def test_choices_of_relations_hold_only_what_the_person_may_see(
    client: Client, both: tuple[Registered, Registered, User]
) -> None:
    acme, rival, _clerk = both
    for path in (
        "merchants/merchantservice/add/",
        "merchants/merchantchannel/add/",
        "merchants/allowedaddress/add/",
    ):
        page = client.get(f"/admin/{path}").content.decode()
        assert acme.merchant.pk in page
        assert rival.merchant.pk not in page


def test_a_forged_choice_of_another_merchant_is_refused(
    client: Client, both: tuple[Registered, Registered, User]
) -> None:
    _acme, rival, _clerk = both
    before = AllowedAddress.objects.count(), AuditRow.objects.count()
    response = client.post(
        "/admin/merchants/allowedaddress/add/", {"merchant": rival.merchant.pk, "network": "198.51.100.1"}
    )
    assert response.status_code == 200
    assert "Select a valid choice" in response.content.decode()
    assert (AllowedAddress.objects.count(), AuditRow.objects.count()) == before


def test_another_merchants_row_cannot_be_changed_or_its_key_rotated(
    client: Client, both: tuple[Registered, Registered, User]
) -> None:
    _acme, rival, _clerk = both
    before = Merchant.objects.values().get(pk=rival.merchant.pk)
    statuses = [
        client.post(url_of(Merchant, "change", rival.merchant.pk), {"name": "mine"}).status_code,
        client.get(f"/admin/acts/rotate_credential/{rival.merchant.pk}/").status_code,
        client.post(f"/admin/acts/rotate_credential/{rival.merchant.pk}/", {}).status_code,
        client.post(f"/admin/acts/adjust_balance/{rival.wallets[0].pk}/", {}).status_code,
        client.post(f"/admin/merchants/credential/{rival.credential.pk}/end/", {}).status_code,
    ]
    assert statuses == [302, 404, 404, 404, 404]
    assert Merchant.objects.values().get(pk=rival.merchant.pk) == before


def test_saved_views_are_their_owners_alone(client: Client) -> None:
    one, other = factories.make_operator("one"), factories.make_operator("other")
    view = SavedView.objects.create(owner=one, page="payments", name="mine", query="")
    client.force_login(other)
    assert rows(client.get(url_of(SavedView))) == []
    assert client.get(url_of(SavedView, "change", view.pk)).status_code == 302
    client.force_login(one)
    assert [row.pk for row in rows(client.get(url_of(SavedView)))] == [view.pk]


@pytest.mark.parametrize("role", ["Operations Staff", "Finance Staff", "Customer Service"])
def test_each_role_opens_exactly_the_pages_of_its_menu(client: Client, role: str) -> None:
    client.force_login(factories.make_user("person", role=role))
    menu = client.get("/admin/").context["app_list"]
    offered = {entry["admin_url"] for group in menu for entry in group["models"] if entry["model"]}
    opened = {url_of(model) for model in MODELS if client.get(url_of(model)).status_code == 200}
    assert offered
    assert opened == offered
