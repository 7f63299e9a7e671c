"""Users and roles: nobody gives themselves rights, superusers are left to superusers, all is audited."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from diamondpay.models import AuditRow, SavedView, User
from merchants.models import Membership
from merchants.registration import Registered
from tests import factories
from tests.admin.forms import opened

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client) -> User:
    """A Super Administrator by role and not by flag, signed in."""
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


def page(user: User) -> str:
    """Return the address of a user's page."""
    return f"/admin/diamondpay/user/{user.pk}/change/"


def test_a_role_given_to_a_user_is_audited(client: Client, boss: User) -> None:
    user = factories.make_user("newcomer")
    role = Group.objects.get(name="Customer Service")
    assert client.post(page(user), opened(client, page(user)) | {"groups": [role.pk]}).status_code == 302
    assert list(user.groups.all()) == [role]
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


def test_a_user_is_added_and_bound_to_a_merchant(client: Client, boss: User, acme: Registered) -> None:
    word = "a quite long password 77"
    typed = {
        "username": "clerk",
        "password1": word,
        "password2": word,
        "usable_password": "true",
        "is_staff": "on",
    }
    assert client.post("/admin/diamondpay/user/add/", typed).status_code == 302
    user = User.objects.get(username="clerk")
    data = opened(client, page(user)) | {
        "memberships-TOTAL_FORMS": "1",
        "memberships-0-merchant": acme.merchant.pk,
    }
    assert client.post(page(user), data).status_code == 302
    assert [member.merchant for member in user.memberships.all()] == [acme.merchant]
    rows = AuditRow.objects.filter(user=boss).order_by("id")
    assert [row.action for row in rows] == ["user.create", "membership.create"]
    assert word not in str([row.after for row in rows])
    assert "password" not in rows[0].after or str(rows[0].after["password"]).startswith("hash ")


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
