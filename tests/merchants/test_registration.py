"""Taking a merchant on."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from diamondpay.lib import errors
from diamondpay.models import AuditRow
from merchants import registration
from merchants.models import Credential, Merchant, MerchantChannel, MerchantService
from merchants.registration import Terms
from records.models import Account
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def register(**changes: object) -> registration.Registered:
    wanted: dict[str, object] = {
        "name": "Acme",
        "services": ["SVC0001", "SVC0004"],
        "channels": ["sandbox"],
        "now": NOW,
        "actor": "tests",
    }
    return registration.register(**{**wanted, **changes})  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _channels() -> None:
    factories.make_channel("sandbox")
    factories.make_channel("thai", "THB", services=("SVC0046",))


def test_a_merchant_gets_services_wallets_and_a_key() -> None:
    registered = register(channels=["sandbox", "thai"], terms=Terms(fee_permillage=Decimal(8)))
    merchant = Merchant.objects.get()
    assert registered.merchant == merchant
    assert merchant.id.startswith("PF")
    assert merchant.organisation_id >= 1001
    services = MerchantService.objects.filter(merchant=merchant).values_list("service", "fee_permillage")
    assert sorted(services) == [("SVC0001", Decimal(8)), ("SVC0004", Decimal(8))]
    wallets = [(wallet.channel_id, wallet.currency_id) for wallet in registered.wallets]
    assert wallets == [("sandbox", "CNY"), ("thai", "THB")]
    assert all(wallet.pk.startswith("PFC") and len(wallet.pk) == 11 for wallet in registered.wallets)
    assert Credential.objects.get() == registered.credential


def test_its_services_are_not_in_force_and_nobody_but_the_schemas_owner_registers_them_so() -> None:
    register()
    states = MerchantService.objects.values_list("status", "terms_since")
    assert set(states) == {("disabled", None)}
    with pytest.raises(IntegrityError, match="terms begin not in force"), transaction.atomic():
        register(is_in_force=True)
    assert Merchant.objects.count() == 1


def test_each_wallet_has_its_two_accounts_at_zero() -> None:
    registered = register()
    accounts = Account.objects.filter(merchant_channel=registered.wallets[0]).order_by("kind")
    assert list(accounts.values_list("kind", "balance")) == [
        ("available", Decimal(0)),
        ("frozen", Decimal(0)),
    ]


def test_a_new_merchant_signs_hmac_unless_md5_is_switched_on() -> None:
    assert register().merchant.is_md5_allowed is False
    assert register(is_md5_allowed=True).merchant.is_md5_allowed is True


def test_registration_is_audited_without_the_secrets() -> None:
    """A1."""
    registered = register()
    row = AuditRow.objects.get(action="merchant.create")
    assert (row.actor, row.object_id, row.created_at) == ("tests", registered.merchant.pk, NOW)
    assert row.after == {
        "name": "Acme",
        "services": ["SVC0001", "SVC0004"],
        "wallets": {registered.wallets[0].pk: "sandbox"},
        "in_force": False,
    }


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"services": ["SVC0001", "SVC9999"], "channels": ["nowhere"]}, {"service", "channel"}),
        ({"services": ["SVC0001", "SVC0001"]}, {"service"}),
        ({"services": [], "channels": []}, {"service", "channel"}),
        (
            {"name": "  ", "time_zone": "Mars/Olympus", "notify_url": "h" * 257},
            {"name", "time_zone", "notify_url"},
        ),
    ],
)
def test_everything_that_is_wrong_is_named_at_once_and_nothing_is_made(
    changes: dict[str, object], fields: set[str]
) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        register(**changes)
    assert set(caught.value.fields) == fields
    assert not Merchant.objects.exists()
    assert not MerchantChannel.objects.exists()
    assert not AuditRow.objects.exists()
