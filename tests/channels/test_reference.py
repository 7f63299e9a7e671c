"""The reference data as first shipped. Source: gateway-api.md §7; backoffice.md, Required fields."""

from __future__ import annotations

import pytest

from channels.models import Bank, Currency, RequiredField, Service
from channels.models import Direction as Way
from records.models import Account

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("code", "exponent", "is_crypto"),
    [
        ("CNY", 2, False),
        ("THB", 2, False),
        ("VND", 0, False),
        ("IDR", 2, False),
        ("BRL", 2, False),
        ("INR", 2, False),
        ("USDT", 6, True),
        ("TRX", 6, True),
        ("ETH", 18, True),
        ("MTC", 2, False),
    ],
)
def test_each_currency_has_the_decimals_of_its_smallest_unit(
    code: str, exponent: int, is_crypto: bool
) -> None:
    found = Currency.objects.get(pk=code)
    assert (found.exponent, found.is_crypto) == (exponent, is_crypto)


def test_every_currency_came_with_its_system_accounts() -> None:
    accounts = Account.objects.filter(channel__isnull=True, merchant__isnull=True)
    expected = {
        (code, kind)
        for code in Currency.objects.values_list("code", flat=True)
        for kind in ("fees", "adjustment", "exchange")
    }
    assert set(accounts.values_list("currency", "kind")) == expected


SERVICES = {
    "CNY": ["SVC0001", "SVC0004", "SVC0005", "SVC0006", "SVC0008", "SVC0010", "SVC0011", "SVC0095"],
    "BRL": ["SVC0022", "SVC0023"],
    "INR": ["SVC0030", "SVC0031", "SVC0084"],
    "THB": ["SVC0044", "SVC0045", "SVC0046", "SVC0065", "SVC0082"],
    "IDR": ["SVC0055", "SVC0056", "SVC0057", "SVC0058", "SVC0059", "SVC0060", "SVC0069", "SVC0083"],
    "VND": ["SVC0080", "SVC0081"],
    "USDT": ["SVC0085", "SVC0086"],
    "HKD": ["SVC0090", "SVC0091"],
    "USDC": ["SVC0092"],
    "ETH": ["SVC0093"],
    "USD": ["SVC0094"],
}


@pytest.mark.parametrize("currency", sorted(SERVICES))
def test_each_currency_has_its_services(currency: str) -> None:
    found = Service.objects.filter(currency=currency).order_by("id").values_list("id", flat=True)
    assert list(found) == SERVICES[currency]


def test_payouts_are_those_named_payout() -> None:
    payouts = Service.objects.filter(direction=Way.PAYOUT).order_by("id").values_list("id", flat=True)
    assert list(payouts) == [
        "SVC0004", "SVC0023", "SVC0081", "SVC0082", "SVC0083", "SVC0084", "SVC0086", "SVC0091",
    ]  # fmt: skip


def test_only_bank_card_deposits_name_a_receiving_account() -> None:
    found = Service.objects.filter(has_receiver=True).order_by("id").values_list("id", flat=True)
    assert list(found) == ["SVC0001", "SVC0005", "SVC0090"]


@pytest.mark.parametrize(
    ("service_type", "fields"),
    [
        ("cny-bank-card", ["name", "number", "remark_code"]),
        ("cny-wallet", ["name"]),
        ("thai", ["name", "number", "bank"]),
        ("vietnamese", ["name", "bank"]),
        ("indonesian", ["name", "bank"]),
        ("brazilian", ["name", "number", "phone", "id_number"]),
        ("usdt", []),
    ],
)
def test_forms_demand_of_a_deposit_what_the_table_says(service_type: str, fields: list[str]) -> None:
    declared = RequiredField.objects.filter(service_type=service_type, direction=Way.DEPOSIT)
    assert list(declared.filter(is_required_in_forms=True).values_list("field", flat=True)) == fields
    over_api = [] if service_type == "cny-bank-card" else fields
    assert list(declared.filter(is_required_over_api=True).values_list("field", flat=True)) == over_api


def test_every_payout_over_the_api_needs_name_and_number() -> None:
    types = set(Service.objects.filter(direction=Way.PAYOUT).values_list("service_type", flat=True))
    for service_type in types:
        declared = RequiredField.objects.filter(
            service_type=service_type, direction=Way.PAYOUT, is_required_over_api=True
        )
        assert {"name", "number"} <= set(declared.values_list("field", flat=True)), service_type


@pytest.mark.parametrize(
    ("bank_id", "code", "currency"),
    [
        ("BK0001", "CCB", "CNY"),
        ("BK0002", "ABC", "CNY"),
        ("BK0014", "HXBANK", "CNY"),
        ("BK0016", "SPDB", "CNY"),
        ("BK0017", "GDB", "CNY"),
        ("BK0102", "KBANK", "THB"),
        ("BK0201", "VCB", "VND"),
        ("BK0301", "BCA", "IDR"),
    ],
)
def test_banks_have_the_ids_merchants_know(bank_id: str, code: str, currency: str) -> None:
    found = Bank.objects.get(pk=bank_id)
    assert (found.code, found.currency_id) == (code, currency)
    assert not Bank.objects.filter(pk="BK0015").exists()
