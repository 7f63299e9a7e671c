"""The roles as first shipped. Source: backoffice.md, Permissions."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from diamondpay.models import User
from operations import roles
from tests import factories

pytestmark = pytest.mark.django_db
OWN = {"operation_payment_write", "operation_payout_write"}
GLOBAL = {"operation_payment_global_write", "operation_payout_global_write"}


def held(role: str) -> set[str]:
    return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))


def test_the_five_roles_are_there() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {
        "Super Administrator",
        "Operations Staff",
        "Finance Staff",
        "Customer Service",
        "Merchant user",
    }


@pytest.mark.parametrize("role", sorted(roles.PERMISSIONS))
def test_each_role_holds_exactly_what_is_declared(role: str) -> None:
    permissions = Group.objects.get(name=role).permissions.select_related("content_type")
    found = {f"{permission.content_type.app_label}.{permission.codename}" for permission in permissions}
    assert found == {*roles.PERMISSIONS[role], *roles.EXPORTS.get(role, ()), *roles.RATES.get(role, ())}


def test_operations_staff_hold_the_global_pair_and_merchant_users_the_own_one() -> None:
    assert held("Operations Staff") & (OWN | GLOBAL) == GLOBAL
    assert held("Merchant user") & (OWN | GLOBAL) == OWN


def test_permissions_show_their_code() -> None:
    names = dict(Permission.objects.filter(codename__in=OWN | GLOBAL).values_list("codename", "name"))
    codes = {codename: name.split()[0] for codename, name in names.items()}
    assert codes == {
        "operation_payment_write": "1014",
        "operation_payment_global_write": "1021",
        "operation_payout_write": "1015",
        "operation_payout_global_write": "1022",
    }


@pytest.mark.parametrize("role", ["Customer Service", "Merchant user"])
def test_nobody_there_decides_or_asks_for_acts(role: str) -> None:
    assert held(role) & {"decide_act", "add_act", "review_payout"} == set()


def test_who_asks_for_most_acts_does_not_decide_them(operator: User, finance: User, approver: User) -> None:
    decides = [user.has_perm("operations.decide_act") for user in (operator, finance, approver)]
    assert decides == [False, True, True]


def test_no_role_may_change_the_book() -> None:
    for role in roles.PERMISSIONS:
        writes = {
            label
            for label in roles.PERMISSIONS[role]
            if label.startswith("records.") and not label.startswith("records.view_")
        }
        assert writes <= {"records.change_case"}


def test_giving_again_takes_nothing_away() -> None:
    support = Group.objects.get(name="Customer Service")
    extra = Permission.objects.get(codename="view_channel")
    support.permissions.add(extra)
    roles.give(apps=apps, using="default", permissions={"Customer Service": ("records.view_payment",)})
    assert extra in support.permissions.all()
    assert held("Customer Service") >= {"view_payment", "view_channel"}


def test_a_permission_that_does_not_exist_is_named() -> None:
    with pytest.raises(LookupError, match=r"Auditor: there are no permissions records\.fly_payment"):
        roles.give(apps=apps, using="default", permissions={"Auditor": ("records.fly_payment",)})
    assert not Group.objects.filter(name="Auditor").exists()


def test_the_auditor_looks_at_everything_and_does_nothing(auditor: User) -> None:
    assert auditor.has_perm("records.view_payment")
    assert {label for label in auditor.get_all_permissions() if ".view_" not in label} == set()


def test_a_user_in_a_role_can_do_what_the_role_can() -> None:
    assert factories.make_customer_service().has_perm("records.view_payout")
