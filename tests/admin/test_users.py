"""Users: roles and merchants on one form, nobody gives themselves rights, the last administrator stays."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from diamondpay.models import AuditRow, SavedView, SignIn, User
from diamondpay.people import rights
from merchants.models import Membership
from merchants.registration import Registered
from tests import factories
from tests.admin.forms import errors, opened
from tests.support import together

pytestmark = pytest.mark.django_db

ADD = "/admin/diamondpay/user/add/"
WORD = "a quite long password 77"


@pytest.fixture
def boss(client: Client) -> User:
    """A Super Administrator by role and not by flag, signed in."""
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


def page(user: User) -> str:
    """Return the address of a user's page."""
    return f"/admin/diamondpay/user/{user.pk}/change/"


def role(name: str) -> int:
    """Return the key of a role."""
    return Group.objects.get(name=name).pk


def new_user(**typed: Any) -> dict[str, Any]:
    """Return what the form of a new user sends."""
    return {
        "username": "clerk", "password1": WORD, "password2": WORD, "usable_password": "true",
        "is_staff": "on", "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0", **typed,
    }  # fmt: skip


def bound(merchant: Registered) -> dict[str, str]:
    """Return the part of the form that binds to a merchant."""
    return {"memberships-TOTAL_FORMS": "1", "memberships-0-merchant": merchant.merchant.pk}


def complaints(response: Any) -> list[str]:
    """Return what the page says about the merchants."""
    return [str(words) for words in response.context["inline_admin_formsets"][0].formset.non_form_errors()]


def test_a_role_given_to_a_user_is_audited(client: Client, boss: User) -> None:
    user = factories.make_user("newcomer")
    chosen = [role("Customer Service")]
    assert client.post(page(user), opened(client, page(user)) | {"groups": chosen}).status_code == 302
    assert [group.name for group in user.groups.all()] == ["Customer Service"]
    (row,) = AuditRow.objects.filter(user=boss)
    assert (row.action, row.before, row.after) == (
        "user.change", {"groups": []}, {"groups": ["Customer Service"]},
    )  # fmt: skip


def test_nobody_changes_their_own_rights(client: Client, boss: User, acme: Registered) -> None:
    typed = {"is_superuser": "on", "user_permissions": ["1"], "groups": [], "memberships-TOTAL_FORMS": "1",
             "memberships-INITIAL_FORMS": "0", "memberships-0-merchant": acme.merchant.pk}  # fmt: skip
    assert client.post(page(boss), opened(client, page(boss)) | typed).status_code == 302
    boss.refresh_from_db()
    assert (boss.is_superuser, boss.user_permissions.count(), boss.groups.count()) == (False, 0, 1)
    assert not Membership.objects.exists()


def test_only_a_superuser_makes_or_touches_a_superuser(client: Client, boss: User) -> None:
    user, root = factories.make_user("newcomer"), factories.make_user("root", is_superuser=True)
    client.post(page(user), opened(client, page(user)) | {"is_superuser": "on", "first_name": "New"})
    user.refresh_from_db()
    assert (user.is_superuser, user.first_name) == (False, "New")
    assert client.post(page(root), {"username": "root"}).status_code == 403
    assert client.post(f"/admin/diamondpay/user/{root.pk}/password/", {}).status_code == 403
    client.force_login(root)
    client.post(page(user), opened(client, page(user)) | {"is_superuser": "on"})
    user.refresh_from_db()
    assert user.is_superuser


def test_passwords_are_changed_with_an_audit_row_that_does_not_hold_them(client: Client, boss: User) -> None:
    user = factories.make_user("newcomer")
    new = "another long password 42"
    typed = {"password1": new, "password2": new, "usable_password": "true"}
    assert client.post(f"/admin/diamondpay/user/{user.pk}/password/", typed).status_code == 302
    own = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/admin/password_change/", own).status_code == 302
    rows = AuditRow.objects.filter(user=boss).order_by("id")
    assert [(row.action, row.object_id, row.after) for row in rows] == [
        ("user.password", str(user.pk), {}), ("user.password", str(boss.pk), {}),
    ]  # fmt: skip
    assert User.objects.get(pk=user.pk).check_password(new)
    assert User.objects.get(pk=boss.pk).check_password(new)


def test_a_password_set_by_an_administrator_signs_the_person_out(client: Client, boss: User) -> None:
    user = factories.make_operator("somebody")
    (theirs := Client()).force_login(user)
    new = "another long password 42"
    typed = {"password1": new, "password2": new, "usable_password": "true"}
    client.post(f"/admin/diamondpay/user/{user.pk}/password/", typed)
    assert theirs.get("/admin/").status_code == 302
    assert SignIn.objects.get(user=user).ending == SignIn.Ending.PASSWORD
    assert SignIn.objects.get(user=boss).ending == ""


def test_a_user_is_added_with_role_and_merchant_on_one_form(
    client: Client, boss: User, acme: Registered
) -> None:
    typed = new_user(groups=[role("Merchant user")], first_name="Ann", email="ann@example.com")
    assert client.post(ADD, typed | bound(acme)).status_code == 302
    user = User.objects.get(username="clerk")
    assert (user.first_name, user.email, user.is_staff) == ("Ann", "ann@example.com", True)
    assert [group.name for group in user.groups.all()] == ["Merchant user"]
    assert [member.merchant for member in user.memberships.all()] == [acme.merchant]
    rows = AuditRow.objects.filter(user=boss).order_by("id")
    assert sorted(row.action for row in rows) == ["membership.create", "user.create"]
    assert rows.get(action="user.create").after["groups"] == ["Merchant user"]
    assert WORD not in str([row.after for row in rows])
    assert str(rows.get(action="user.create").after["password"]).startswith("hash ")


@pytest.mark.parametrize(
    ("name", "words"),
    [("Operations Staff", "1021 OPERATION_PAYMENT_GLOBAL_WRITE"), ("Super Administrator", "Add "),
     ("Finance Staff", "Approve or reject"), ("Customer Service", "See ")],
)  # fmt: skip
def test_a_merchants_person_is_given_no_role_of_the_platform(
    client: Client, boss: User, acme: Registered, name: str, words: str
) -> None:
    answer = client.post(ADD, new_user(groups=[role(name)]) | bound(acme))
    (complaint,) = complaints(answer)
    assert complaint.startswith(f"Whoever belongs to a merchant cannot hold the role “{name}”: it gives “")
    assert complaint.endswith("Take it or the merchant away.")
    typed = opened_value(answer, "username")
    assert (typed, User.objects.filter(username="clerk").exists()) == ("clerk", False)
    assert (Membership.objects.count(), AuditRow.objects.filter(user=boss).count()) == (0, 0)


def opened_value(answer: Any, name: str) -> Any:
    """Return what a field of the answered form holds."""
    return answer.context["adminform"].form[name].value()


def test_a_bound_user_gets_no_platform_role_later_nor_a_merchant_with_one(
    client: Client, boss: User, clerk: User, acme: Registered
) -> None:
    staff = factories.make_operator("staff")
    widened = client.post(page(clerk), opened(client, page(clerk)) | {"groups": [role("Operations Staff")]})
    joined = client.post(page(staff), opened(client, page(staff)) | bound(acme))
    assert [len(complaints(answer)) for answer in (widened, joined)] == [1, 1]
    assert [group.name for group in clerk.groups.all()] == ["Merchant user"]
    assert not staff.memberships.exists()
    assert not AuditRow.objects.filter(user=boss).exists()


def test_a_superuser_belongs_to_no_merchant(client: Client, acme: Registered) -> None:
    root = factories.make_user("root", is_superuser=True)
    client.force_login(root)
    user = factories.make_user("newcomer")
    answer = client.post(page(user), opened(client, page(user)) | bound(acme) | {"is_superuser": "on"})
    assert complaints(answer) == [
        "A superuser belongs to no merchant. Take the merchant or the superuser status away."
    ]
    user.refresh_from_db()
    assert (user.is_superuser, user.memberships.exists()) == (False, False)


def test_switching_a_user_off_signs_them_out(client: Client, boss: User) -> None:
    user = factories.make_operator("left")
    (theirs := Client()).force_login(user)
    data = opened(client, page(user))
    del data["is_active"]
    assert client.post(page(user), data).status_code == 302
    assert SignIn.objects.get(user=user).ending == SignIn.Ending.ADMINISTRATOR
    assert theirs.get("/admin/").status_code == 302


@pytest.mark.parametrize("lost", ["is_active", "is_staff", "groups"])
@pytest.mark.django_db(transaction=True)
def test_of_two_last_administrators_who_strip_each_other_at_once_one_stays(lost: str) -> None:
    one, two = factories.make_approver("one"), factories.make_approver("two")
    clients = {user.pk: Client() for user in (one, two)}
    posts = []
    for actor, target in ((one, two), (two, one)):
        clients[actor.pk].force_login(actor)
        data = opened(clients[actor.pk], page(target))
        del data[lost]
        posts.append((clients[actor.pk], page(target), data))
    answers = together.at_once([functools.partial(each.post, path, data) for each, path, data in posts])
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    (refused,) = (answer for answer in answers if answer.status_code == 200)
    assert errors(refused)["__all__"] == ["Nobody else administers users. Make another administrator first."]
    assert rights.administrators().count() == 1


def test_the_list_says_roles_merchants_and_second_factors(
    client: Client, boss: User, clerk: User, acme: Registered
) -> None:
    text = client.get("/admin/diamondpay/user/").content.decode()
    assert "Super Administrator" in text
    assert f"{acme.merchant}" in text


def test_a_saved_view_belongs_to_who_made_it(client: Client, operator: User) -> None:
    client.force_login(operator)
    url = "/admin/diamondpay/savedview/add/"
    assert client.post(url, {"name": "Mine", "page": "payments", "query": "status=1"}).status_code == 302
    view = SavedView.objects.get()
    assert (view.owner, view.name) == (operator, "Mine")
    assert client.post(f"/admin/diamondpay/savedview/{view.pk}/delete/", {"post": "yes"}).status_code == 302
    assert [row.action for row in AuditRow.objects.filter(user=operator).order_by("id")] == [
        "savedview.create", "savedview.delete",
    ]  # fmt: skip
