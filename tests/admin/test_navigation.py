"""The menu is kept between requests and shows everybody what they may open at that moment, nothing else."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import translation

from diamondpay.models import User
from merchants.models import Membership
from merchants.registration import Registered
from tests import factories

pytestmark = pytest.mark.django_db

PAYMENTS, USERS, AUDIT = "/admin/records/payment/", "/admin/diamondpay/user/", "/admin/diamondpay/auditrow/"


def menu(user: User, path: str = "/admin/") -> list[str]:
    """Return where the menu beside a page leads for somebody who has just signed in."""
    client = Client()
    client.force_login(user)
    page = client.get(path)
    assert page.status_code == 200
    beside = page.content.decode().partition('<nav id="navigation"')[2].partition("</nav>")[0]
    return re.findall(r'<a href="([^"]*)"', beside)


def current(user: User, path: str) -> list[str]:
    """Return the entries that are marked as the page's own."""
    client = Client()
    client.force_login(user)
    return re.findall(r'<a href="([^"]*)" aria-current="page"', client.get(path).content.decode())


def test_two_roles_see_their_own_menu_whoever_came_first(operator: User, finance: User) -> None:
    first, second = menu(operator), menu(finance)
    assert first != second
    assert (menu(operator), menu(finance)) == (first, second)
    assert all(Client().get(url).status_code == 302 for url in {*first, *second})


def test_a_menu_leads_to_nothing_that_is_refused(operator: User, client: Client) -> None:
    client.force_login(operator)
    assert {url: client.get(url).status_code for url in menu(operator)} == dict.fromkeys(menu(operator), 200)


def test_a_permission_that_is_taken_away_takes_its_entry_with_it_at_once() -> None:
    user = factories.make_user("person", permissions=["records.view_payment", "diamondpay.view_user"])
    assert {PAYMENTS, USERS} <= set(menu(user))
    user.user_permissions.remove(Permission.objects.get(codename="view_user"))
    assert PAYMENTS in menu(user)
    assert USERS not in menu(user)


def test_a_role_that_is_widened_shows_more_at_once_and_less_when_it_is_taken_away() -> None:
    role = Group.objects.create(name="Readers")
    role.permissions.add(Permission.objects.get(codename="view_payment"))
    user = factories.make_user("person", role="Readers")
    before = menu(user)
    role.permissions.add(Permission.objects.get(codename="view_auditrow"))
    assert (AUDIT in before, AUDIT in menu(user)) == (False, True)
    user.groups.clear()
    assert set(menu(user)) == {"/admin/"}


def test_who_becomes_a_merchants_person_loses_the_platforms_entries(acme: Registered) -> None:
    user = factories.make_user("person", permissions=["records.view_payment", "diamondpay.view_auditrow"])
    assert {PAYMENTS, AUDIT} <= set(menu(user))
    Membership.objects.create(user=user, merchant=acme.merchant)
    assert PAYMENTS in menu(user)
    assert AUDIT not in menu(user)


def test_a_superuser_who_is_one_no_more_keeps_nothing_of_the_menu() -> None:
    user = factories.make_user("boss", is_superuser=True)
    assert {PAYMENTS, USERS, AUDIT} <= set(menu(user))
    User.objects.filter(pk=user.pk).update(is_superuser=False)
    assert set(menu(User.objects.get(pk=user.pk))) == {"/admin/"}


def test_each_page_marks_its_own_entry_and_no_other(operator: User) -> None:
    for path in (PAYMENTS, "/admin/records/payout/", "/admin/", PAYMENTS, reverse("admin:order_query")):
        assert current(operator, path) == [path]


def test_the_menu_is_in_the_language_of_the_page(operator: User, client: Client) -> None:
    client.force_login(operator)
    homes = []
    for language in ("en", "de", "en"):
        with translation.override(language):
            homes.append(">Home</a>" in client.get(PAYMENTS).content.decode())
    assert homes == [True, False, True]
