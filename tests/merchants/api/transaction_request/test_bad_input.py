"""Whatever is sent: never a 5xx of ours, never HTML, nothing changed, and the fault is named."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from channels.models import Channel
from channels.upstreams import base
from merchants.models import MerchantService
from operations import placement
from records.models import Payment, Payout
from tests import factories
from tests.merchants.api.transaction_request.conftest import Caller, MakeCaller, book, fund

pytestmark = pytest.mark.django_db

BODIES: dict[str, bytes] = {
    "blank": b" ",
    "list": b"[]",
    "text": b'"x"',
    "nested": b"[" * 100_000,
    "nested_objects": b'{"a":' * 9 + b"1" + b"}" * 9,
    "not_json": b"{",
    "not_utf8": b'{"a": "\xff"}',
    "twice": b'{"depositAmount": 1, "depositAmount": 2}',
    "nan": b'{"depositAmount": NaN}',
    "exponent": b'{"depositAmount": 1e2}',
    "huge": b'{"depositAmount": 1' + b"0" * 40 + b"}",
    "minus_zero": b'{"depositAmount": -0}',
    "half_character": b'{"merchantOrderNo": "\\ud800"}',
    "nul": b'{"merchantOrderNo": "\\u0000"}',
    "mark": b"\xef\xbb\xbf{}",
    "gzip": gzip.compress(b"{}"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["deposit", "withdraw/bank-card"])
def test_a_body_that_is_not_plain_json_is_invalid(name: str, path: str, caller: Caller) -> None:
    before = book()
    answer = caller.post(path, BODIES[name])
    assert (answer.status, answer.code, book()) == (400, "INVALID_PARAMETER", before)
    assert answer.body["message"]


def test_a_body_that_is_too_large_or_of_another_type_is_not_read(caller: Caller) -> None:
    large = caller.post("deposit", b'{"a":"' + b"x" * 262_144 + b'"}')
    assert (large.status, large.code) == (413, "INVALID_PARAMETER")
    for kind in ("text/plain", "application/xml", "application/json; charset=utf-16", ""):
        other = caller.post("deposit", caller.deposit(), content_type=kind)
        assert (other.status, other.code) == (415, "INVALID_PARAMETER")
    assert book() == (0, 0, 0, 0, 0)


AMOUNTS: list[Any] = [
    "１２", "1_000", " 12 ", "1e2", "+5", "-0", True, [], {}, 0, -5, "0", "abc", "", "1.234", "00.5", ".5",
    "5.", "9" * 39,
]  # fmt: skip


@pytest.mark.parametrize("amount", AMOUNTS, ids=repr)
@pytest.mark.parametrize("kind", ["deposit", "withdraw"])
def test_an_amount_in_another_form_is_invalid_and_named(amount: Any, kind: str, caller: Caller) -> None:
    body = caller.deposit() if kind == "deposit" else caller.withdrawal()
    answer = caller.post(
        "deposit" if kind == "deposit" else "withdraw/bank-card", {**body, f"{kind}Amount": amount}
    )
    assert (answer.status, answer.code, book()) == (400, "INVALID_PARAMETER", (0, 0, 0, 0, 0))
    assert f"{kind}Amount: " in answer.body["message"]


def test_an_amount_beyond_the_book_is_refused(caller: Caller) -> None:
    for amount in (10**20, "9" * 30):
        answer = caller.post("deposit", caller.deposit(depositAmount=amount))
        assert (answer.status, answer.code) == (400, "INVALID_PARAMETER")
    quoted = caller.post("deposit", caller.deposit(depositAmount="9" * 20, depositCurrency="MTC"))
    assert (quoted.status, quoted.code) == (400, "INVALID_PARAMETER")
    assert book() == (0, 0, 0, 0, 0)


NUMBERS = ["", "x" * 101, "a b", "a\u202eb", "a&b", "a=b", "😀", "a\tb", "é", 5, None, ["x"]]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_a_bad_order_number_is_invalid_and_named(number: Any, caller: Caller) -> None:
    answer = caller.post("deposit", {**caller.deposit(), "merchantOrderNo": number})
    assert (answer.status, answer.code, book()) == (400, "INVALID_PARAMETER", (0, 0, 0, 0, 0))
    assert "merchantOrderNo: " in answer.body["message"]


def test_a_number_of_a_hundred_characters_is_one(caller: Caller) -> None:
    assert caller.post("deposit", caller.deposit(merchantOrderNo="x" * 100)).status == 200


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"client": None}, "client.realName: required"),
    ({"client": "x"}, "client: must be an object"),
    ({"client": {"realName": 5}}, "client.realName: must be a text"),
    ({"client": {"realName": "x" * 65}}, "client.realName: longer than 64"),
    ({"client": {"realName": "x", "registeredAt": "now"}}, "client.registeredAt: must be UTC milliseconds"),
    ({"client": {"realName": "x", "registeredAt": 1731725033}}, "client.registeredAt: must be UTC"),
    ({"client": {"realName": "a\u202eb"}}, "client.realName: contains the character U+202E"),
    ({"depositCurrency": "THB"}, "depositCurrency: must be one of MTC, CNY, HKD"),
    ({"depositCurrency": "HKD"}, "depositCurrency: must be MTC or the same as fiatCurrency"),
    ({"fiatCurrency": "MTC"}, "fiatCurrency: must be one of CNY, HKD"),
    ({"fiatCurrency": None}, "fiatCurrency: required"),
    ({"webhookUrl": None}, "webhookUrl: required"),
    ({"webhookUrl": "http://127.0.0.1:9/" + "x" * 190}, "webhookUrl: longer than 200"),
    ({"webhookUrl": "file:///etc/passwd"}, "webhookUrl: "),
    ({"webhookUrl": "http://10.0.0.1/"}, "webhookUrl: "),
    ({"webhookUrl": "http://169.254.169.254/"}, "webhookUrl: "),
    ({"webhookUrl": "http://user:word@127.0.0.1/"}, "webhookUrl: "),
    ({"language": "de"}, "language: must be one of en, zh_CN, zh_TW"),
    ({"paymentMethod": None}, "paymentMethod.method: required"),
    ({"paymentMethod": {"method": 0}}, "paymentMethod.method: must be a sum of 1 BankCard"),
    ({"paymentMethod": {"method": 32}}, "paymentMethod.method: must be a sum"),
    ({"paymentMethod": {"method": True}}, "paymentMethod.method: must be a sum"),
    ({"paymentMethod": {"method": "1"}}, "paymentMethod.method: must be a sum"),
]


@pytest.mark.parametrize(("changes", "words"), FIELDS, ids=[words for _changes, words in FIELDS])
def test_a_bad_field_of_a_deposit_is_named(changes: dict[str, Any], words: str, caller: Caller) -> None:
    answer = caller.post("deposit", caller.deposit(**changes))
    assert (answer.status, answer.code, book()) == (400, "INVALID_PARAMETER", (0, 0, 0, 0, 0))
    assert words in answer.body["message"]


WITHDRAWALS: list[tuple[dict[str, Any], str]] = [
    ({"bankCard": None}, "bankCard.cardNumber: required; bankCard.bankName: required"),
    ({"bankCard": []}, "bankCard: must be an object"),
    (
        {"bankCard": {"cardNumber": 6217000000000000001, "bankName": "CCB"}},
        "bankCard.cardNumber: must be a text",
    ),
    ({"bankCard": {"cardNumber": "1" * 65, "bankName": "CCB"}}, "bankCard.cardNumber: longer than 64"),
    ({"requiresReview": "yes"}, "requiresReview: must be true or false"),
    ({"requiresReview": 1}, "requiresReview: must be true or false"),
    ({"withdrawCurrency": "USD"}, "withdrawCurrency: must be one of"),
]


@pytest.mark.parametrize(("changes", "words"), WITHDRAWALS, ids=[words for _changes, words in WITHDRAWALS])
def test_a_bad_field_of_a_withdrawal_is_named(changes: dict[str, Any], words: str, caller: Caller) -> None:
    fund(caller, 1000)
    before = book()
    answer = caller.post("withdraw/bank-card", caller.withdrawal(**changes))
    assert (answer.status, answer.code, book()) == (400, "INVALID_PARAMETER", before)
    assert words in answer.body["message"]


def test_every_missing_field_is_named_at_once(caller: Caller) -> None:
    message = caller.post("deposit", {}).body["message"]
    for name in (
        "fiatCurrency", "depositCurrency", "depositAmount", "merchantOrderNo", "paymentMethod.method",
        "client.realName", "webhookUrl",
    ):  # fmt: skip
        assert f"{name}: required" in message


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "requestCode: give it or merchantOrderNo"),
        ("?requestCode=", "requestCode: give it"),
        ("?merchantOrderNo=a&merchantOrderNo=b", "merchantOrderNo: given more than once"),
        ("?requestCode=%00", "requestCode: contains a character"),
        ("?merchantOrderNo=%E2%80%AE", "merchantOrderNo: contains a character"),
    ],
)
def test_a_bad_question_is_invalid(query: str, words: str, caller: Caller) -> None:
    response = caller.client.get(f"/api/v2/merchant/transaction-request{query}", headers=caller.headers())
    assert (response.status_code, response.json()["statusCode"]) == (400, "INVALID_PARAMETER")
    assert words in response.json()["message"]


@pytest.mark.parametrize("code", ["x", "0" * 32, "F" * 32, "g" * 32, "1" * 5000, "é"])
def test_a_code_that_is_none_is_unknown(code: str, caller: Caller) -> None:
    assert caller.get(requestCode=code).code == "NOT_FOUND"


def test_numbers_of_two_orders_conflict(caller: Caller) -> None:
    first = caller.post("deposit", caller.deposit(merchantOrderNo="first")).data
    caller.post("deposit", caller.deposit(merchantOrderNo="second"))
    both = caller.get(requestCode=first["requestCode"], merchantOrderNo="first")
    assert (both.status, both.data["merchantOrderNo"]) == (200, "first")
    for code, number in (
        (first["requestCode"], "second"),
        (first["requestCode"], "none"),
        ("0" * 32, "first"),
    ):
        answer = caller.get(requestCode=code, merchantOrderNo=number)
        assert (answer.status, answer.code) == (409, "CONFLICTING_IDENTIFIERS")
    assert caller.get(requestCode="0" * 32, merchantOrderNo="none").code == "NOT_FOUND"


def test_a_number_of_both_kinds_is_refused_and_told_apart_by_its_code(caller: Caller) -> None:
    fund(caller, 1000)
    withdrawn = caller.post("withdraw/bank-card", caller.withdrawal(merchantOrderNo="both")).data
    before = book()
    refused = caller.post("deposit", caller.deposit(merchantOrderNo="both"))
    assert (refused.status, refused.code, book()) == (409, "DUPLICATE_ORDER_NO", before)
    # Over the gateway API a deposit may have a payout's number.
    order = placement.NewPayment(
        merchant=caller.merchant, service_id="SVC0001", merchant_order_no="both", amount=Decimal(100),
        party=base.Party(), sign_type="HMAC-SHA256", source="API_V1",
    )  # fmt: skip
    placement.place_payment(order=order)
    assert caller.get(merchantOrderNo="both").code == "CONFLICTING_IDENTIFIERS"
    found = caller.get(requestCode=withdrawn["requestCode"], merchantOrderNo="both")
    assert (found.status, found.data["tradeType"]) == (200, "Withdraw")


def test_other_content_under_a_number_is_a_duplicate_and_changes_nothing(caller: Caller) -> None:
    body = caller.deposit()
    caller.post("deposit", body)
    before = book()
    for changes in (
        {"depositAmount": 5},
        {"client": {"realName": "Else"}},
        {"webhookUrl": "http://127.0.0.1:8/"},
    ):
        answer = caller.post("deposit", {**body, **changes})
        assert (answer.status, answer.code) == (409, "DUPLICATE_ORDER_NO")
    assert book() == before


def test_limits_balance_and_missing_rates_have_their_codes(caller: Caller, make_caller: MakeCaller) -> None:
    factories.set_terms(
        MerchantService.objects.filter(merchant=caller.merchant), single_limit_upper_bound=Decimal(5000)
    )
    fund(caller, 50)
    before = book()
    above = caller.post("deposit", caller.deposit(depositAmount=5000.01))
    assert (above.status, above.code) == (422, "AMOUNT_OUT_OF_RANGE")
    assert "5,000" in above.body["message"]
    worthless = caller.post("deposit", caller.deposit(depositAmount=0.03))
    assert (worthless.status, worthless.code) == (422, "AMOUNT_OUT_OF_RANGE")
    poor = caller.post("withdraw/bank-card", caller.withdrawal())
    assert (poor.status, poor.code) == (422, "INSUFFICIENT_BALANCE")
    early = make_caller("Early", settlement_currency="USDT")
    unpriced = early.post("deposit", early.deposit())
    assert (unpriced.status, unpriced.code) == (503, "SERVICE_UNAVAILABLE")
    assert "no exchange rate for 1 USDT in CNY" in unpriced.body["message"]
    assert book() == before


def test_what_the_merchant_has_not_activated_cannot_be_served(caller: Caller) -> None:
    for changes in ({"paymentMethod": {"method": 8}}, {"fiatCurrency": "HKD", "depositCurrency": "HKD"}):
        answer = caller.post("deposit", caller.deposit(**changes))
        assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    Channel.objects.update(status="disabled")
    assert caller.post("deposit", caller.deposit()).code == "SERVICE_UNAVAILABLE"
    assert not Payment.objects.exists()


def test_an_order_in_another_fiat_is_unknown_here(caller: Caller) -> None:
    factories.make_channel("baht", currency="THB", services=("SVC0044",))
    other = factories.make_merchant(
        "Baht", services=("SVC0044",), channels=["baht"], apis=["transaction_request"]
    )
    order = placement.NewPayment(
        merchant=other.merchant, service_id="SVC0044", merchant_order_no="thb", amount=Decimal(100),
        party=base.Party(name="x", account="1234567890"), bank="KBANK", sign_type="HMAC-SHA256",
        source="API_V1",
    )  # fmt: skip
    placement.place_payment(order=order)
    assert Payment.objects.filter(merchant_order_no="thb").exists()
    assert Caller(other).get(merchantOrderNo="thb").code == "NOT_FOUND"


def test_a_repeat_is_not_refused_because_its_address_cannot_be_looked_up_now_d1(
    caller: Caller, settings: Settings
) -> None:
    """A "no" to a repeat would say that there is no such order, and its money would be released."""
    fund(caller, 1000)
    body = caller.withdrawal()
    first = caller.post("withdraw/bank-card", body)
    settings.NOTIFICATION_PRIVATE_NETWORKS = []
    again = caller.post("withdraw/bank-card", body)
    assert (again.status, again.data["requestCode"]) == (200, first.data["requestCode"])
    assert caller.post("withdraw/bank-card", caller.withdrawal()).code == "INVALID_PARAMETER"
    assert Payout.objects.count() == 1


def test_a_method_that_is_none_answers_in_the_envelope(caller: Caller) -> None:
    for method, path in (("PUT", "deposit"), ("DELETE", "transaction-request"), ("GET", "deposit")):
        response = caller.client.generic(method, f"/api/v2/merchant/{path}", headers=caller.headers())
        assert response.status_code == 405
        assert json.loads(response.content)["statusCode"] == "INVALID_PARAMETER"


def test_an_empty_text_is_no_switch_and_no_time(caller: Caller) -> None:
    switched = caller.post("withdraw/bank-card", caller.withdrawal(requiresReview=""))
    assert (switched.status, switched.body["message"]) == (400, "requiresReview: must be true or false")
    client = {"realName": "TEST_USER", "registeredAt": ""}
    registered = caller.post("deposit", caller.deposit(client=client))
    words = "client.registeredAt: must be UTC milliseconds, such as 1741724988336"
    assert (registered.status, registered.body["message"]) == (400, words)
    assert book() == (0, 0, 0, 0, 0)
