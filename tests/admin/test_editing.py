"""Merchants, channels and the rest are edited with locks, refusals in words, and audited."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from channels import secrets
from channels.models import Bank, Channel, ChannelService, RequiredField
from diamondpay.models import AuditRow, User
from merchants import queries
from merchants.models import AllowedAddress, Merchant, MerchantChannel, MerchantService, ServiceBound
from merchants.registration import Registered
from tests import factories
from tests.admin.forms import errors, opened

pytestmark = pytest.mark.django_db

CHANNEL = "/admin/channels/channel/sandbox/change/"


@pytest.fixture
def boss(client: Client) -> User:
    """A Super Administrator by role, signed in."""
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


def page(merchant: Merchant) -> str:
    """Return the address of a merchant's page."""
    return f"/admin/merchants/merchant/{merchant.pk}/change/"


def audit() -> list[AuditRow]:
    """Return the audit rows that people wrote, oldest first."""
    return list(AuditRow.objects.filter(user__isnull=False, is_refused=False).order_by("id"))


def test_a_changed_merchant_leaves_one_audit_row_with_before_and_after(
    client: Client, acme: Registered, boss: User
) -> None:
    data = opened(client, page(acme.merchant)) | {"name": "Acme Ltd", "time_zone": "Asia/Tokyo"}
    response = client.post(page(acme.merchant), data, REMOTE_ADDR="203.0.113.5")
    assert response.status_code == 302
    (row,) = audit()
    assert (row.action, row.object_kind, row.object_id) == ("merchant.change", "merchant", acme.merchant.pk)
    assert (row.user, row.address) == (boss, "203.0.113.5")
    assert row.before == {"name": "Acme", "time_zone": "Asia/Shanghai"}
    assert row.after == {"name": "Acme Ltd", "time_zone": "Asia/Tokyo"}


def test_saving_a_page_without_a_change_writes_nothing(client: Client, acme: Registered, boss: User) -> None:
    assert client.post(page(acme.merchant), opened(client, page(acme.merchant))).status_code == 302
    assert audit() == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("time_zone", "Mars/Olympus", "Mars/Olympus is not a time zone; write it like Asia/Shanghai."),
        ("payout_audit_amount", "-1", "Give 0 or more."),
        ("payout_audit_amount", "1e3", "Write a plain decimal number such as 1250.50."),
        ("payout_audit_amount", "１２", "Write a plain decimal number such as 1250.50."),
        ("notify_url", "http://127.0.0.1/x", None),
        ("notify_url", "file:///etc/passwd", None),
    ],
)
def test_a_merchant_refuses_what_makes_no_sense_and_keeps_what_was_typed(
    client: Client, acme: Registered, boss: User, field: str, value: str, words: str | None
) -> None:
    before = Merchant.objects.values().get()
    response = client.post(page(acme.merchant), opened(client, page(acme.merchant)) | {field: value})
    assert response.status_code == 200
    assert list(errors(response)) == [field]
    assert words is None or errors(response)[field] == [words]
    assert f'value="{value}"' in response.content.decode()
    assert Merchant.objects.values().get() == before
    assert audit() == []


def test_the_second_of_two_tabs_is_refused_with_its_input_kept(
    client: Client, acme: Registered, boss: User
) -> None:
    first = opened(client, page(acme.merchant)) | {"name": "First"}
    second = opened(client, page(acme.merchant)) | {"name": "Second"}
    assert client.post(page(acme.merchant), first).status_code == 302
    response = client.post(page(acme.merchant), second)
    assert response.status_code == 200
    assert "Somebody changed “PF" in errors(response)["__all__"][0]
    assert 'value="Second"' in response.content.decode()
    assert client.post(page(acme.merchant), {**second, "opened_as": ""}).status_code == 200
    assert Merchant.objects.get().name == "First"
    assert [row.after["name"] for row in audit()] == ["First"]


def test_two_tabs_on_one_inline_row_are_refused_too(client: Client, acme: Registered, boss: User) -> None:
    first = opened(client, page(acme.merchant)) | {"merchant_services-0-status": "disabled"}
    second = opened(client, page(acme.merchant)) | {"merchant_services-0-after_failure": "hold"}
    assert client.post(page(acme.merchant), first).status_code == 302
    response = client.post(page(acme.merchant), second)
    assert list(errors(response)) == ["merchant_services-0-__all__"]
    service = MerchantService.objects.earliest("service_id")
    assert (service.status, service.after_failure) == ("disabled", "fail")


def test_a_new_merchant_gets_its_numbers_services_wallet_and_addresses(client: Client, boss: User) -> None:
    factories.make_channel()
    url = "/admin/merchants/merchant/add/"
    data = opened(client, url) | {
        "name": " Newcomer ", "time_zone": "Asia/Shanghai", "debug_mode": "on",
        "merchant_services-TOTAL_FORMS": "1", "merchant_services-0-service": "SVC0001",
        "merchant_services-0-status": "disabled", "merchant_services-0-fee_type": "mixed",
        "merchant_services-0-fee_permillage": "2.5", "merchant_services-0-fee_fixed": "1",
        "merchant_services-0-single_limit_lower_bound": "100",
        "merchant_services-0-single_limit_upper_bound": "0",
        "merchant_services-0-after_failure": "fail",
        "merchant_channels-TOTAL_FORMS": "1", "merchant_channels-0-channel": "sandbox",
        "merchant_channels-0-status": "enabled",
        "allowed_addresses-TOTAL_FORMS": "1", "allowed_addresses-0-network": "2001:DB8::/32",
    }  # fmt: skip
    response = client.post(url, data)
    assert response.status_code == 302, errors(response)
    merchant = Merchant.objects.get()
    assert (merchant.pk[:2], merchant.name, merchant.debug_mode) == ("PF", "Newcomer", True)
    assert merchant.organisation_id >= 1001
    assert merchant.debug_ends_at is not None
    wallet = MerchantChannel.objects.get()
    assert (wallet.pk[:3], wallet.currency_id, wallet.accounts.count()) == ("PFC", "CNY", 2)
    service = MerchantService.objects.get()
    assert (service.fee_permillage, service.status, service.terms_since) == (Decimal("2.5"), "disabled", None)
    assert AllowedAddress.objects.get().network == "2001:db8::/32"
    assert sorted(row.action for row in audit()) == [
        "allowedaddress.create", "merchant.create", "merchant.debug_mode", "merchantchannel.create",
        "merchantservice.create",
    ]  # fmt: skip


def test_debug_mode_is_switched_with_its_end_and_its_own_audit_row(
    client: Client, acme: Registered, boss: User
) -> None:
    client.post(page(acme.merchant), opened(client, page(acme.merchant)) | {"debug_mode": "on"})
    assert Merchant.objects.filter(debug_mode=True, debug_ends_at__isnull=False).count() == 1
    data = opened(client, page(acme.merchant))
    data.pop("debug_mode")
    client.post(page(acme.merchant), data)
    assert Merchant.objects.filter(debug_mode=False, debug_ends_at__isnull=True).count() == 1
    assert [(row.action, row.after["debug_mode"]) for row in audit()] == [
        ("merchant.debug_mode", True), ("merchant.debug_mode", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"fee_permillage": "1010"}, "fee_permillage", "A fee must be below 1000 ‰ (100 %)."),
        ({"fee_permillage": "-1"}, "fee_permillage", "Give 0 or more."),
        ({"lower_bound": "200", "upper_bound": "100"}, "upper_bound",
         "The upper bound is below the lower bound. Give 0 for no limit."),
        ({"tolerance_below": "101"}, "tolerance_below", "Give at most 100 %."),
    ],
)  # fmt: skip
def test_a_channel_service_refuses_reversed_bounds_and_fees_beyond_reason(
    client: Client, boss: User, values: dict[str, str], field: str, words: str
) -> None:
    factories.make_channel(services=())
    data = opened(client, CHANNEL) | {"channel_services-TOTAL_FORMS": "1"}
    row = {
        "service": "SVC0001", "status": "disabled", "fee_type": "permillage", "fee_permillage": "1",
        "fee_fixed": "0",
        "lower_bound": "0", "upper_bound": "0", "tolerance_below": "0", "tolerance_above": "0", **values,
    }  # fmt: skip
    response = client.post(
        CHANNEL, data | {f"channel_services-0-{name}": value for name, value in row.items()}
    )
    assert response.status_code == 200
    assert errors(response) == {f"channel_services-0-{field}": [words]}
    assert (ChannelService.objects.count(), audit()) == (0, [])


def test_fees_limits_and_bounds_stay_as_they_were_typed(client: Client, acme: Registered, boss: User) -> None:
    bound = factories.bound_service(acme.wallets[0], "SVC0001", 10, 20)
    services = list(MerchantService.objects.values())
    data = opened(client, page(acme.merchant)) | {
        "merchant_services-0-fee_permillage": "99", "merchant_services-0-single_limit_upper_bound": "5",
        "merchant_services-0-service": "SVC0004", "merchant_channels-0-channel": "other",
    }  # fmt: skip
    assert client.post(page(acme.merchant), data).status_code == 302
    url = f"/admin/merchants/servicebound/{bound.pk}/change/"
    assert (
        client.post(url, opened(client, url) | {"upper_bound": "9999", "merchant_channel": "x"}).status_code
        == 302
    )
    channel = opened(client, CHANNEL) | {
        "payment_upper_bound": "7",
        "upstream": "x",
        "currency": "THB",
        "code": "y",
    }
    assert client.post(CHANNEL, channel).status_code == 302
    assert list(MerchantService.objects.values()) == services
    assert ServiceBound.objects.get().upper_bound == 20
    assert Channel.objects.get().payment_upper_bound == 0
    assert audit() == []


def fresh_channel() -> None:
    """Make a channel that was never in force: one person still sets it up."""
    factories.make_channel(services=())
    factories.set_terms(Channel.objects.all(), status="disabled", terms_since=None)


def test_a_channels_secret_is_never_shown_and_kept_when_left_empty(client: Client, boss: User) -> None:
    fresh_channel()
    shown = client.get(CHANNEL).content.decode()
    assert (factories.SANDBOX_SECRET in shown, "It is set, and never shown." in shown) == (False, True)
    data = opened(client, CHANNEL) | {"setting_account": "other", "setting_secret": ""}
    response = client.post(CHANNEL, data)
    assert response.status_code == 302, errors(response)
    settings = secrets.settings_of(Channel.objects.get())
    assert (settings["account"], settings["secret"]) == ("other", factories.SANDBOX_SECRET)
    (row,) = audit()
    assert (row.before, row.after) == ({"setting_account": "sandbox"}, {"setting_account": "other"})


def test_a_changed_secret_is_audited_without_being_told(client: Client, boss: User) -> None:
    fresh_channel()
    new = "another-secret-0123456789-abcdefgh"
    assert client.post(CHANNEL, opened(client, CHANNEL) | {"setting_secret": new}).status_code == 302
    assert secrets.settings_of(Channel.objects.get())["secret"] == new
    (row,) = audit()
    assert (row.before, row.after) == (
        {"setting_secret": "(secret)"},
        {"setting_secret": "(secret, changed)"},
    )


def test_a_channel_is_refused_without_what_its_upstream_needs(client: Client, boss: User) -> None:
    url = "/admin/channels/channel/add/"
    data = opened(client, url) | {"code": "new", "name": "New", "upstream": "sandbox", "currency": "CNY"}
    response = client.post(
        url, data | {"setting_base_url": "nonsense", "payment_lower_bound": "9", "payment_upper_bound": "1"}
    )
    assert response.status_code == 200
    assert set(errors(response)) == {"payment_upper_bound", "setting_account", "setting_secret"}
    typed = {"setting_account": "a", "setting_secret": "a-secret-0123456789-abcdefghijkl"}
    refused = client.post(url, data | typed | {"setting_base_url": "nonsense"})
    assert "The upstream refuses these settings" in errors(refused)["__all__"][0]
    assert (Channel.objects.count(), audit()) == (0, [])
    assert client.post(url, data | typed | {"setting_base_url": "http://127.0.0.1:8100"}).status_code == 302
    assert secrets.settings_of(Channel.objects.get())["account"] == "a"


def test_deleting_an_inline_row_leaves_what_it_was(client: Client, boss: User) -> None:
    field = RequiredField.objects.filter(service_type_id="cny-bank-card").first()
    assert field is not None
    url = "/admin/channels/servicetype/cny-bank-card/change/"
    data = opened(client, url)
    prefix = next(name for name, value in data.items() if name.endswith("-id") and value == field.pk)[:-3]
    assert client.post(url, data | {f"{prefix}-DELETE": "on"}).status_code == 302
    assert not RequiredField.objects.filter(pk=field.pk).exists()
    (row,) = audit()
    assert (row.action, row.object_id, row.before["field"], row.after) == (
        "requiredfield.delete", str(field.pk), field.field, {},
    )  # fmt: skip


def test_what_orders_stand_on_cannot_be_deleted(client: Client, acme: Registered, boss: User) -> None:
    bank = Bank.objects.earliest("id")
    paths = [
        f"merchants/merchant/{acme.merchant.pk}", f"merchants/merchantchannel/{acme.wallets[0].pk}",
        f"merchants/merchantservice/{MerchantService.objects.earliest('id').pk}", "channels/channel/sandbox",
        "channels/service/SVC0001", "channels/currency/CNY", f"channels/bank/{bank.pk}",
        f"channels/channelservice/{ChannelService.objects.earliest('id').pk}", f"diamondpay/user/{boss.pk}",
    ]  # fmt: skip
    statuses = {client.post(f"/admin/{path}/delete/", {"post": "yes"}).status_code for path in paths}
    assert statuses == {403}
    assert audit() == []


def test_history_leads_to_the_objects_rows_of_the_audit_trail(
    client: Client, acme: Registered, boss: User
) -> None:
    client.post(page(acme.merchant), opened(client, page(acme.merchant)) | {"name": "Renamed"})
    response: Any = client.get(f"/admin/merchants/merchant/{acme.merchant.pk}/history/", follow=True)
    assert [row.action for row in response.context["cl"].result_list] == [
        "merchant.change",
        "merchant.create",
    ]


def test_of_very_many_merchants_one_is_typed_and_not_chosen_from_a_list(
    client: Client, acme: Registered, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "/admin/merchants/allowedaddress/add/"
    assert '<select name="merchant"' in client.get(url).content.decode()
    monkeypatch.setattr(queries, "CHOICE_MAX", 0)
    shown = client.get(url).content.decode()
    assert ('<select name="merchant"' in shown, '<input type="text" name="merchant"' in shown) == (
        False,
        True,
    )
    sent = {"network": "203.0.113.0/24", "note": "", "opened_as": ""}
    refused = client.post(url, sent | {"merchant": "PF9999"})
    assert (list(errors(refused)), AllowedAddress.objects.count()) == (["merchant"], 0)
    assert client.post(url, sent | {"merchant": acme.merchant.pk}).status_code == 302
    assert AllowedAddress.objects.get().merchant == acme.merchant
