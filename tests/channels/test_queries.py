"""Services, their required fields, banks."""

from __future__ import annotations

import pytest

from channels import queries
from channels.models import Bank, Service
from diamondpay.lib import errors

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("text", ["BK0002", "bk0002", "ABC", "abc", " ABC ", "Agricultural Bank of China"])
def test_a_bank_is_named_by_id_code_or_name(text: str) -> None:
    assert queries.bank(text=text, currency="CNY").pk == "BK0002"


def test_a_code_means_the_bank_of_the_services_currency() -> None:
    assert queries.bank(text="SCB", currency="THB").name == "Siam Commercial Bank"
    assert queries.bank(text="SCB", currency="VND").name == "Saigon Commercial Bank"


def test_a_code_goes_before_a_name() -> None:
    Bank.objects.filter(pk="BK0001").update(name="ICBC")
    assert queries.bank(text="ICBC", currency="CNY").pk == "BK0003"


@pytest.mark.parametrize(("text", "currency"), [("NOBANK", "CNY"), ("", "CNY"), ("KBANK", "CNY")])
def test_an_unknown_bank_is_refused(text: str, currency: str) -> None:
    with pytest.raises(errors.BankUnknown):
        queries.bank(text=text, currency=currency)


def test_a_closed_bank_is_refused() -> None:
    Bank.objects.filter(pk="BK0002").update(is_open=False)
    with pytest.raises(errors.BankUnknown):
        queries.bank(text="ABC", currency="CNY")


def test_an_open_service_is_found_and_others_are_refused() -> None:
    assert queries.open_service("SVC0046").currency.code == "THB"
    Service.objects.filter(pk="SVC0046").update(status="closed")
    with pytest.raises(errors.ServiceClosed):
        queries.open_service("SVC0046")
    with pytest.raises(errors.ServiceUnknown):
        queries.open_service("SVC9999")


def test_all_missing_fields_are_named_at_once() -> None:
    service = Service.objects.get(pk="SVC0022")
    given = {"name": "Ana", "number": "  "}
    missing = queries.missing_fields(service=service, given=given, is_over_api=True)
    assert list(missing) == ["number", "phone", "id_number"]


def test_a_chinese_bank_card_deposit_needs_nothing_over_the_api() -> None:
    service = Service.objects.get(pk="SVC0001")
    assert queries.missing_fields(service=service, given={}, is_over_api=True) == {}
    in_forms = queries.missing_fields(service=service, given={}, is_over_api=False)
    assert list(in_forms) == ["name", "number", "remark_code"]


def test_a_service_can_demand_the_last_digits() -> None:
    service = Service.objects.get(pk="SVC0001")
    service.requires_last_number = True
    assert list(queries.missing_fields(service=service, given={}, is_over_api=True)) == ["last_number"]
    given = {"last_number": "1234"}
    assert queries.missing_fields(service=service, given=given, is_over_api=True) == {}
