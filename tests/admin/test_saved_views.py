"""Saved views: filters and columns under a name, a person's own or shared with a role."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from diamondpay.models import AuditRow, Preference, SavedView, User
from operations import roles
from records import saved_views
from tests import factories
from tests.admin import book
from tests.admin.test_lists import PAYMENTS, rows

pytestmark = pytest.mark.django_db

VIEWS = "/admin/lists/payment/views/"


@pytest.fixture
def staff(client: Client) -> User:
    """One of the Operations Staff, signed in."""
    user = factories.make_operator()
    client.force_login(user)
    return user


def names(client: Client) -> list[str]:
    """Return the names of the views that the list offers."""
    return [item["view"].name for item in client.get(PAYMENTS, {"view": "none"}).context["views"]]


def words(client: Client, url: str) -> list[str]:
    """Return the last thing that the list says after a deed."""
    return [str(message) for message in client.get(url).context["messages"]][-1:]


def test_a_view_keeps_filters_and_columns_and_opens_with_them(client: Client, staff: User) -> None:
    paid = book.deposit(book.merchant("Acme"), "a1")
    client.post("/admin/lists/payment/columns/", {"column": ["payment_id", "fee"]})
    answer = client.post(VIEWS, {"name": " My  view ", "query": "status=1&p=3&created=7d"})
    view = SavedView.objects.get()
    assert (view.owner, view.name, view.page, view.shared_with) == (staff, "My view", "payment", None)
    assert view.query == "created=7d&status=1&columns=payment_id%2Cfee"
    assert answer["Location"] == f"{PAYMENTS}?{view.query}&view={view.pk}"
    opened = client.get(answer["Location"])
    assert [row.pk for row in rows(opened)] == [paid.pk]
    assert [column.key for column in opened.context["cl"].chosen] == ["payment_id", "fee"]
    (row,) = AuditRow.objects.filter(object_kind="savedview")
    assert (row.action, row.user, row.after["name"]) == ("savedview.create", staff, "My view")


def test_saving_under_an_own_name_again_replaces_the_view(client: Client, staff: User) -> None:
    for query in ("status=1", "status=2"):
        client.post(VIEWS, {"name": "Mine", "query": query})
    assert SavedView.objects.get().query == "status=2"
    assert [row.action for row in AuditRow.objects.filter(object_kind="savedview").order_by("id")] == [
        "savedview.create",
        "savedview.change",
    ]


def test_a_private_view_is_its_owners_alone_and_a_shared_one_its_roles(client: Client, staff: User) -> None:
    role = Group.objects.get(name=roles.OPERATIONS_STAFF)
    client.post(VIEWS, {"name": "Private", "query": "status=1"})
    client.post(VIEWS, {"name": "Shared", "query": "status=2", "role": role.pk})
    assert names(client) == ["Private", "Shared"]
    seen = {}
    for user in (
        factories.make_operator("colleague"),
        factories.make_finance(),
        factories.make_customer_service(),
    ):
        client.force_login(user)
        seen[user.username] = names(client)
    assert seen == {"colleague": ["Shared"], "finance": [], "service": []}


def test_only_its_owner_or_an_administrator_renames_or_deletes_a_view(client: Client, staff: User) -> None:
    role = Group.objects.get(name=roles.OPERATIONS_STAFF)
    client.post(VIEWS, {"name": "Shared", "query": "status=2", "role": role.pk})
    view = SavedView.objects.get()
    url = f"{VIEWS}{view.pk}/"
    client.force_login(factories.make_operator("colleague"))
    for deed in ({"rename": "1", "name": "Other"}, {"delete": "1"}):
        answer = client.post(url, {**deed, "query": "status=1"})
        assert words(client, answer["Location"]) == ["Only its owner or an administrator changes a view."]
    client.force_login(factories.make_finance())
    assert words(client, client.post(url, {"delete": "1"})["Location"]) == [
        "This view is not there any more."
    ]
    assert list(SavedView.objects.values_list("name", flat=True)) == ["Shared"]
    administrator = factories.make_approver()
    administrator.groups.add(role)
    client.force_login(administrator)
    client.post(url, {"rename": "1", "name": "Renamed"})
    view.refresh_from_db()
    assert (view.name, view.owner) == ("Renamed", staff)
    client.force_login(staff)
    client.post(url, {"delete": "1"})
    assert not SavedView.objects.exists()
    assert [row.action for row in AuditRow.objects.filter(object_kind="savedview").order_by("id")] == [
        "savedview.create", "savedview.change", "savedview.delete",
    ]  # fmt: skip


def test_names_that_are_none_or_taken_are_refused_and_change_nothing(client: Client, staff: User) -> None:
    for name in ("One", "Two"):
        client.post(VIEWS, {"name": name, "query": "status=1"})
    view = SavedView.objects.get(name="Two")
    told = [words(client, client.post(VIEWS, {"name": name})["Location"]) for name in (" ", "x" * 101)]
    renamed = client.post(f"{VIEWS}{view.pk}/", {"rename": "1", "name": "One"})
    told.append(words(client, renamed["Location"]))
    told.append(words(client, client.post(VIEWS, {"name": "Bad", "query": "status=99"})["Location"]))
    assert told == [
        ["Give the view a name."], ["A name has at most 100 characters."],
        ["There is a view of this name already."], ["Status: “99” is not one of its values."],
    ]  # fmt: skip
    assert names(client) == ["One", "Two"]


def test_a_role_is_shared_with_by_its_members_and_administrators_alone(client: Client, staff: User) -> None:
    finance = Group.objects.get(name=roles.FINANCE_STAFF)
    answer = client.post(VIEWS, {"name": "Sneaky", "query": "", "role": finance.pk})
    assert words(client, answer["Location"]) == ["You cannot share a view with this role."]
    for wrong in ("0", "9" * 30, "x", "１"):
        client.post(VIEWS, {"name": "Sneaky", "query": "", "role": wrong})
    assert not SavedView.objects.exists()
    client.force_login(factories.make_approver())
    client.post(VIEWS, {"name": "For finance", "query": "", "role": finance.pk})
    assert SavedView.objects.get().shared_with == finance


def test_a_list_opens_with_the_view_of_a_persons_choice_until_it_is_taken_back(
    client: Client, staff: User
) -> None:
    client.post(VIEWS, {"name": "Failed", "query": "status=2", "default": "1"})
    view = SavedView.objects.get()
    opened = client.get(PAYMENTS)
    assert (opened.status_code, opened["Location"]) == (302, f"{PAYMENTS}?status=2&view={view.pk}")
    assert client.get(f"{PAYMENTS}?view=none").status_code == 200
    assert client.get(f"{PAYMENTS}?status=1").status_code == 200
    client.post(f"{VIEWS}{view.pk}/", {"no_default": "1"})
    assert client.get(PAYMENTS).status_code == 200
    client.post(f"{VIEWS}{view.pk}/", {"default": "1"})
    assert Preference.objects.get(user=staff, key="view:payment").value == view.pk
    view.delete()
    assert client.get(PAYMENTS).status_code == 200


def test_a_shared_view_shows_everybody_their_own_rows(client: Client, staff: User) -> None:
    acme, rival = book.merchant("Acme"), book.merchant("Rival")
    own = book.deposit(acme, "a1")
    book.deposit(rival, "r1")
    role = Group.objects.get(name=roles.MERCHANT_USER)
    for name, query in (("All", "status=1"), ("Rival's", f"merchant={rival.merchant.pk}")):
        SavedView.objects.create(owner=staff, page="payment", name=name, query=query, shared_with=role)
    clerk = factories.make_merchant_user(acme.merchant)
    client.force_login(clerk)
    assert names(client) == ["All"]
    assert rival.merchant.pk not in client.get(PAYMENTS).content.decode()
    view = SavedView.objects.get(name="All")
    assert [row.pk for row in rows(client.get(f"{PAYMENTS}?{view.query}&view={view.pk}"))] == [own.pk]


def test_a_merchants_user_shares_with_nobody(client: Client) -> None:
    acme = book.merchant("Acme")
    clerk = factories.make_merchant_user(acme.merchant)
    client.force_login(clerk)
    role = Group.objects.get(name=roles.MERCHANT_USER)
    client.post(VIEWS, {"name": "For all merchants", "query": "", "role": role.pk})
    assert not SavedView.objects.exists()
    client.post(VIEWS, {"name": "Mine", "query": ""})
    assert SavedView.objects.get().shared_with is None
    assert list(saved_views.roles_to_share_with(clerk)) == []


def test_views_of_a_list_need_the_right_to_it(client: Client) -> None:
    client.force_login(factories.make_customer_service())
    answer = client.post("/admin/lists/balancerecord/views/", {"name": "Mine", "query": ""})
    assert answer.status_code == 403
    assert not SavedView.objects.exists()
