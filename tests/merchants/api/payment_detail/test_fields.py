"""Reading the fields of a creation: every form that is not the documented one is named, all at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from diamondpay.lib import errors
from merchants.api import strict_json
from merchants.api.payment_detail.fields import Reader


def read(**fields: object) -> Reader:
    return Reader(fields)


@pytest.mark.parametrize(
    "value", [0, -1, "1", True, 1.0, [], {}, 2**31, strict_json.NumberText("1.0")], ids=repr
)
def test_a_chain_is_a_whole_number_above_0(value: object) -> None:
    reader = read(chainId=value)
    assert (reader.whole("chainId"), list(reader.faults)) == (0, ["chainId"])


@pytest.mark.parametrize("value", [2, "1", True, False, [], 1.0], ids=repr)
def test_a_switch_is_0_or_1(value: object) -> None:
    reader = read(isLegalTender=value)
    reader.switch("isLegalTender")
    assert str(reader.faults["isLegalTender"]) == "must be 0 or 1"


@pytest.mark.parametrize("value", ["usd", "U", "U" * 17, "1US", "ＵＳＤ", "U\x00SD", 5, None, ""], ids=repr)
def test_a_symbol_is_capital_letters(value: object) -> None:
    reader = read(quoteCurrencySymbol=value)
    reader.symbol("quoteCurrencySymbol")
    assert list(reader.faults) == ["quoteCurrencySymbol"]


AMOUNTS: list[Any] = [
    "１２", "1_000", " 12 ", "1e2", "+5", "-0", True, [], {}, 0, 5, -5, "0", "0.0", "abc", "", "00.5", ".5",
    "5.", "9" * 39, "9" * 21, "0." + "1" * 19, "NaN", "Infinity", strict_json.NumberText("1.5"),
]  # fmt: skip


@pytest.mark.parametrize("value", AMOUNTS, ids=repr)
def test_an_amount_is_its_plain_digits_as_a_text(value: object) -> None:
    reader = read(quoteAmount=value)
    reader.amount("quoteAmount")
    assert list(reader.faults) == ["quoteAmount"]


def test_every_digit_of_an_amount_is_kept() -> None:
    reader = read(quoteAmount="12345678901234567890.123456789012345678")
    assert reader.amount("quoteAmount") == Decimal("12345678901234567890.123456789012345678")
    assert reader.faults == {}


def test_a_notify_address_is_https_unless_its_network_is_our_own(settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    own = read(notifyUrl="http://127.0.0.1:9/")
    assert (own.secure_url("notifyUrl"), own.faults) == ("http://127.0.0.1:9/", {})
    plain = read(notifyUrl="http://93.184.215.14/")
    plain.secure_url("notifyUrl")
    assert str(plain.faults["notifyUrl"]) == "must begin with https://"
    secure = read(notifyUrl="https://93.184.215.14/")
    secure.secure_url("notifyUrl")
    assert secure.faults == {}


@pytest.mark.parametrize(
    "value", ["javascript:alert(1)", "http://shop.example/", "//shop.example", "x" * 300]
)
def test_the_page_to_go_back_to_is_https(value: str) -> None:
    reader = read(redirectionUrl=value)
    reader.page("redirectionUrl")
    assert list(reader.faults) == ["redirectionUrl"]


def test_all_faults_are_told_at_once() -> None:
    reader = read()
    reader.whole("chainId")
    reader.switch("isLegalTender")
    reader.order_number("outTradeNo")
    reader.secure_url("notifyUrl")
    with pytest.raises(errors.InvalidInput) as refused:
        reader.check()
    assert list(refused.value.fields) == ["chainId", "isLegalTender", "outTradeNo", "notifyUrl"]
