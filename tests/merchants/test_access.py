"""Who sees which rows: the one function through which every list goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.sessions.models import Session
from django.db.models import Model
from pytest_django import DjangoAssertNumQueries

from channels.models import Bank, Channel, ChannelService, Currency, RequiredField, Service
from diamondpay.models import AuditRow, User
from merchants import access
from merchants.models import Credential, Membership, Merchant, MerchantChannel, MerchantService
from merchants.registration import Registered
from operations.models import Act
from records import ledger, transfers
from records.models import (
    Account,
    BalanceRecord,
    BalanceTransfer,
    Case,
    ManualFreeze,
    Notification,
    NotificationAttempt,
    Payment,
    Payout,
    Posting,
    UpstreamCallback,
)
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def seen(user: User | AnonymousUser, model: type[Model]) -> set[object]:
    return set(access.visible_to(user, model._default_manager.all()).values_list("pk", flat=True))


def all_of(model: type[Model]) -> set[object]:
    return set(model._default_manager.values_list("pk", flat=True))


OF_MERCHANTS = [Merchant, MerchantService, MerchantChannel, Credential, Membership, Account, BalanceRecord]


@pytest.fixture(autouse=True)
def funded(acme: Registered, rival: Registered) -> None:
    for registered in (acme, rival):
        factories.make_merchant_user(registered.merchant, f"of-{registered.merchant.pk}")
        ledger.adjust(
            merchant_channel=registered.wallets[0],
            amount=Decimal(100),
            reason="float",
            request_id=registered.merchant.pk,
            now=NOW,
        )


@pytest.mark.parametrize("model", OF_MERCHANTS)
def test_a_member_sees_own_rows_only(
    clerk: User, acme: Registered, rival: Registered, model: type[Model]
) -> None:
    path = access._PATHS[model._meta.label_lower][0]
    own = set(model._default_manager.filter(**{path: acme.merchant.pk}).values_list("pk", flat=True))
    assert own
    assert seen(clerk, model) == own
    assert all_of(model) - own


@pytest.mark.parametrize("model", OF_MERCHANTS)
def test_staff_without_membership_see_every_merchant(operator: User, model: type[Model]) -> None:
    assert seen(operator, model) == all_of(model)


def test_a_superuser_sees_everything() -> None:
    root = factories.make_user("root", is_superuser=True)
    assert seen(root, Merchant) == all_of(Merchant)


def test_a_membership_confines_even_a_superuser(acme: Registered) -> None:
    root = factories.make_user("root", is_superuser=True, merchants=[acme.merchant])
    assert seen(root, Merchant) == {acme.merchant.pk}


def test_a_member_of_two_merchants_sees_both(acme: Registered, rival: Registered) -> None:
    user = factories.make_user("both", merchants=[acme.merchant, rival.merchant])
    third = factories.make_merchant("Third")
    assert seen(user, Merchant) == {acme.merchant.pk, rival.merchant.pk}
    assert third.merchant.pk in all_of(Merchant)


@pytest.mark.parametrize("model", [Merchant, Payment, Channel, Service])
def test_nobody_signed_in_sees_nothing(model: type[Model]) -> None:
    assert seen(AnonymousUser(), model) == set()


@pytest.mark.parametrize("model", [Merchant, Service])
def test_a_user_switched_off_sees_nothing(clerk: User, operator: User, model: type[Model]) -> None:
    for user in (clerk, operator):
        user.is_active = False
        assert seen(user, model) == set()


def test_losing_the_membership_never_widens_what_is_seen(clerk: User) -> None:
    Membership.objects.filter(user=clerk).delete()
    assert seen(clerk, Merchant) == set()


def test_somebody_who_is_not_staff_sees_no_merchant() -> None:
    assert seen(factories.make_user("guest", is_staff=False), Merchant) == set()


@pytest.mark.parametrize("model", [Currency, Service, RequiredField, Bank])
def test_reference_data_is_open_to_members(clerk: User, model: type[Model]) -> None:
    assert seen(clerk, model) == all_of(model) != set()


@pytest.mark.parametrize("model", [Channel, ChannelService, AuditRow, UpstreamCallback, Act, User, Group])
def test_what_is_the_platforms_is_closed_to_members(clerk: User, model: type[Model]) -> None:
    assert seen(clerk, model) == set()


def test_system_accounts_are_closed_to_members(clerk: User, operator: User) -> None:
    system = set(Account.objects.filter(merchant__isnull=True).values_list("pk", flat=True))
    assert system
    assert not seen(clerk, Account) & system
    assert seen(operator, Account) >= system


def test_both_ends_of_a_transfer_see_it(clerk: User, acme: Registered, rival: Registered) -> None:
    third = factories.make_merchant("Third")
    ledger.adjust(merchant_channel=third.wallets[0], amount=Decimal(10), reason="x", request_id="t", now=NOW)
    for number, (source, destination) in enumerate([(acme, rival), (third, acme), (third, rival)]):
        transfers.execute(
            source=source.wallets[0],
            destination=destination.wallets[0],
            amount=Decimal(1),
            reason="x",
            request_id=f"transfer-{number}",
            now=NOW + timedelta(seconds=number),
            operator=None,
        )
    assert {transfer.request_id for transfer in access.visible_to(clerk, BalanceTransfer.objects.all())} == {
        "transfer-0",
        "transfer-1",
    }


def test_a_case_without_merchant_is_closed_to_members(clerk: User, acme: Registered) -> None:
    Case.objects.create(key="nobody", kind="unknown_order", summary="?", opened_at=NOW)
    own = Case.objects.create(
        key="own", kind="wrong_amount", summary="?", opened_at=NOW, merchant=acme.merchant
    )
    assert seen(clerk, Case) == {own.pk}


def test_filters_of_the_queryset_stay(clerk: User, acme: Registered) -> None:
    only = MerchantService.objects.filter(service="SVC0004")
    assert [row.service_id for row in access.visible_to(clerk, only)] == ["SVC0004"]


@pytest.mark.parametrize("model", [Payment, Payout, Posting, ManualFreeze, Notification, NotificationAttempt])
def test_every_path_to_a_merchant_exists(clerk: User, model: type[Model]) -> None:
    assert seen(clerk, model) == set()


def test_each_path_of_the_table_is_one_the_models_have(clerk: User) -> None:
    found = {
        label: access.visible_to(clerk, apps.get_model(label)._default_manager.all()).count()
        for label in access._PATHS
    }
    assert found["merchants.merchant"] == 1
    assert found["records.payment"] == 0


def test_a_model_that_nobody_placed_is_refused_rather_than_shown(operator: User) -> None:
    with pytest.raises(LookupError, match=r"sessions\.session"):
        access.visible_to(operator, Session.objects.all())


def test_every_model_of_ours_is_placed() -> None:
    placed = set(access._PATHS) | access._OPEN | access._HIDDEN | set(access._OWN)
    ours = {
        model._meta.label_lower
        for app in ("diamondpay", "channels", "merchants", "records", "operations")
        for model in apps.get_app_config(app).get_models()
    }
    assert ours - placed == set()


def test_whose_rows_and_which_roles_are_asked_together_and_once_for_a_user_object(
    clerk: User, acme: Registered, rival: Registered, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Membership.objects.create(user=clerk, merchant=rival.merchant)
    clerk.groups.add(Group.objects.get(name="Customer Service"))
    with django_assert_num_queries(1):
        confined, roles = access.confined_to(clerk), access.roles_of(clerk)
        assert (access.confined_to(clerk), access.roles_of(clerk)) == (confined, roles)
    assert confined == sorted([acme.merchant.pk, rival.merchant.pk])
    assert roles == list(
        Group.objects.filter(name__in=["Customer Service", "Merchant user"]).order_by("name")
    )
    assert [role.name for role in roles] == ["Customer Service", "Merchant user"]
    another = User.objects.get(pk=clerk.pk)
    another.groups.clear()
    assert access.roles_of(another) == []
