"""Who may do what: the matrix, one person's rights with their sources, roles in words, members cut short."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from diamondpay.models import AuditRow, RoleRule, User
from diamondpay.people import rights
from merchants import access
from merchants.registration import Registered
from operations import roles
from tests import factories
from tests.admin.forms import errors, opened

pytestmark = pytest.mark.django_db
MATRIX = "/admin/people/rights/"


@pytest.fixture
def boss(client: Client) -> User:
    """A Super Administrator by role, signed in."""
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


def role_page(name: str) -> str:
    """Return the address of a role's page."""
    return f"/admin/auth/group/{Group.objects.get(name=name).pk}/change/"


def permission(codename: str) -> Permission:
    """Return a permission."""
    return Permission.objects.select_related("content_type").get(codename=codename)


def test_the_matrix_shows_who_holds_which_role(client: Client, boss: User, clerk: User) -> None:
    factories.make_operator(
        "gone",
    )
    User.objects.filter(username="gone").update(is_active=False)
    context: Any = client.get(MATRIX).context
    held = {
        row["user"].username: [name for name, is_held in row["held"] if is_held] for row in context["rows"]
    }
    assert held == {"boss": ["Super Administrator"], "clerk": ["Merchant user"]}
    assert {row["user"].username: row["merchants"] for row in context["rows"]}["clerk"] == [
        member.merchant_id for member in clerk.memberships.all()
    ]
    everybody: Any = client.get(f"{MATRIX}?who=all").context
    assert [row["user"].username for row in everybody["rows"]] == ["boss", "clerk", "gone"]


def test_the_matrix_goes_on_where_a_page_ends(
    client: Client, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diamondpay.people.accounts.USERS_PER_PAGE", 2)
    for name in ("anna", "zoe"):
        factories.make_operator(name)
    first: Any = client.get(MATRIX).context
    second: Any = client.get(f"{MATRIX}?after={first['older']}").context
    assert [row["user"].username for context in (first, second) for row in context["rows"]] == [
        "anna", "boss", "zoe",
    ]  # fmt: skip
    assert second["older"] == ""


def test_a_persons_rights_say_where_each_comes_from(client: Client, boss: User) -> None:
    user = factories.make_user("some", role="Customer Service", permissions=["records.view_payment"])
    user.groups.add(Group.objects.get(name="Operations Staff"))
    rooms: Any = client.get(f"/admin/people/{user.pk}/rights/").context["rooms"]
    assert [str(room.title) for room in rooms] == [
        "Operations",
        "Records",
        "Merchants",
        "Channels",
        "Administration",
    ]
    found = {right.label: right for room in rooms for right in room.rights}
    assert found["records.view_payment"].words == "See deposit orders"
    assert found["records.view_payment"].sources == ("role Customer Service", "role Operations Staff", "own")
    assert found["operations.operation_payment_global_write"].words.startswith(
        "1021 OPERATION_PAYMENT_GLOBAL"
    )
    assert set(found) == user.get_all_permissions()


def test_a_superusers_rights_come_from_that(client: Client) -> None:
    root = factories.make_user("root", is_superuser=True)
    client.force_login(root)
    rooms: Any = client.get(f"/admin/people/{root.pk}/rights/").context["rooms"]
    assert {right.sources for room in rooms for right in room.rights} == {("superuser",)}


def test_of_a_member_what_is_the_platforms_is_worth_nothing_anywhere(
    client: Client, clerk: User, acme: Registered
) -> None:
    given = ["operation_payment_global_write", "decide_act", "view_channel", "view_user", "change_user"]
    clerk.groups.get().permissions.add(*(permission(codename) for codename in given))
    clerk.user_permissions.add(permission("review_payout"))
    clerk = User.objects.get(pk=clerk.pk)
    held = clerk.get_all_permissions()
    assert "operations.operation_payment_write" in held
    assert {label.partition(".")[2] for label in held} & {*given, "review_payout"} == set()
    assert not clerk.has_perm("diamondpay.change_user")
    client.force_login(clerk)
    assert client.get("/admin/diamondpay/user/").status_code == 403
    assert client.post("/admin/channels/channel/add/", {}).status_code == 403
    rooms = rights.of_user(clerk)
    worthless = {
        right.label.partition(".")[2] for room in rooms for right in room.rights if right.is_worthless
    }
    assert worthless == {*given, "review_payout"}


def test_what_merchants_users_are_shipped_with_is_open_to_members() -> None:
    shipped = {
        label
        for name, mapping in vars(roles).items()
        if name.isupper() and isinstance(mapping, dict)
        for label in mapping.get(roles.MERCHANT_USER, ())
    }
    assert len(shipped) > 15
    assert {label for label in shipped if not access.is_open_to_members(label)} == set()


@pytest.mark.parametrize("role", [roles.SUPER_ADMINISTRATOR, roles.OPERATIONS_STAFF, roles.FINANCE_STAFF])
def test_every_role_of_the_platform_holds_something_that_members_must_not(role: str) -> None:
    held = Group.objects.get(name=role).permissions.select_related("content_type")
    assert rights.closed_to_members(held)


@pytest.mark.parametrize(
    "label",
    ["operations.anything_new", "records.add_payment", "merchants.change_merchant", "auth.view_group",
              "records.view_upstreamcall", "diamondpay.view_auditrow", "nonsense"],
)  # fmt: skip
def test_what_nobody_opened_is_closed_to_members(label: str) -> None:
    assert not access.is_open_to_members(label)


def test_a_roles_page_shows_permissions_in_words_under_their_rooms(client: Client) -> None:
    client.force_login(factories.make_user("root", is_superuser=True))
    text = client.get(role_page("Finance Staff")).content.decode()
    assert text.index("<legend>Operations</legend>") < text.index("<legend>Records</legend>")
    assert "1021 OPERATION_PAYMENT_GLOBAL_WRITE" in text
    for bare in ("Can view", "Can add", "contenttypes", "sessions"):
        assert bare not in text


def test_nobody_widens_a_role_they_hold_nor_gives_what_they_do_not_hold(client: Client, boss: User) -> None:
    own = role_page("Super Administrator")
    assert client.post(own, {"name": "Super Administrator"}).status_code == 403
    assert "You hold this role." in client.get(own).content.decode()
    page = role_page("Customer Service")
    before = list(Group.objects.get(name="Customer Service").permissions.order_by("pk"))
    beyond = Permission.objects.get(codename="add_savedview").pk
    boss.groups.get().permissions.remove(beyond, permission("view_posting"))
    data = opened(client, page)
    Group.objects.get(name="Customer Service").permissions.remove(beyond)
    answer = client.post(
        page, opened(client, page) | {"permissions": [*data["permissions"], permission("view_posting").pk]}
    )
    assert "You cannot give what you do not hold yourself" in str(errors(answer)["permissions"])
    after = list(Group.objects.get(name="Customer Service").permissions.order_by("pk"))
    assert set(after) == set(before) - {Permission.objects.get(pk=beyond)}


def test_a_role_that_merchants_people_hold_stays_theirs(client: Client, boss: User, clerk: User) -> None:
    page = role_page("Merchant user")
    data = opened(client, page)
    answer = client.post(page, data | {"permissions": [*data["permissions"], permission("view_user").pk]})
    assert "People of merchants hold this role" in str(errors(answer)["permissions"])
    assert not Group.objects.get(name="Merchant user").permissions.filter(codename="view_user").exists()


def test_the_last_administrators_role_keeps_that_right(client: Client) -> None:
    factories.make_approver("boss")
    root = factories.make_user("root", is_superuser=True)
    client.force_login(root)
    page = role_page("Super Administrator")
    data = opened(client, page)
    narrowed = data | {
        "permissions": [pk for pk in data["permissions"] if pk != permission("change_user").pk]
    }
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    assert client.post(page, narrowed).status_code == 302
    # Without a superuser it would leave nobody.
    assert rights.administrators().count() == 1


def test_a_role_without_which_nobody_administers_is_refused(client: Client, boss: User) -> None:
    helper = factories.make_user("helper", permissions=["auth.change_group", "auth.view_group"])
    client.force_login(helper)
    page = role_page("Super Administrator")
    data = opened(client, page)
    kept = [pk for pk in data["permissions"] if pk != permission("change_user").pk]
    answer = client.post(page, data | {"permissions": kept})
    assert errors(answer)["permissions"] == [
        "Nobody could change users any more. Give another role that permission first."
    ]
    assert rights.administrators().get() == boss


def test_what_a_role_asks_and_gives_is_audited_by_name(client: Client, boss: User) -> None:
    page = role_page("Customer Service")
    data = opened(client, page) | {"needs_second_factor": "on"}
    data["permissions"] = [pk for pk in data["permissions"] if pk != permission("view_case").pk]
    assert client.post(page, data).status_code == 302
    assert RoleRule.objects.get(role__name="Customer Service").needs_second_factor
    row = AuditRow.objects.get(user=boss)
    before, after = row.before["permissions"], row.after["permissions"]
    assert [name for name in before if name not in after] == ["Records | case | Can view case"]
    assert (row.before["needs_second_factor"], row.after["needs_second_factor"]) == (False, True)


def test_a_role_with_people_is_not_deleted(client: Client, boss: User, finance: User) -> None:
    page = f"/admin/auth/group/{finance.groups.get().pk}/delete/"
    assert client.post(page, {"post": "yes"}).status_code == 403
    assert Group.objects.filter(name="Finance Staff").exists()


@pytest.mark.parametrize("path", ["rights/", "{pk}/rights/", "{pk}/unlock/", "{pk}/sign-out/"])
def test_who_sees_no_users_sees_no_rights(client: Client, operator: User, path: str) -> None:
    client.force_login(operator)
    assert client.get(f"/admin/people/{path.format(pk=operator.pk)}").status_code == 403


def test_an_administrator_unlocks_signs_out_and_removes_a_factor_but_not_of_a_superuser_or_themselves(
    client: Client, boss: User
) -> None:
    root = factories.make_user("root", is_superuser=True)
    for deed in ("unlock", "sign-out", "remove-second-factor"):
        assert client.post(f"/admin/people/{root.pk}/{deed}/", {"reason": "x"}).status_code == 403
        own = client.post(f"/admin/people/{boss.pk}/{deed}/", {"reason": "x"})
        assert own["Location"] == "/admin/security/"
        empty = client.post(f"/admin/people/{factories.make_operator(deed).pk}/{deed}/", {"reason": ""})
        assert empty.context["form"].errors == {"reason": ["This field is required."]}
    assert not AuditRow.objects.filter(is_refused=False).exists()
    assert client.get(f"/admin/people/{2**70}/unlock/").status_code == 404
