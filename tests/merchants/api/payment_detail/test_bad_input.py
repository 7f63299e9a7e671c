"""Whatever is asked: never a 5xx of ours, never HTML, nothing changed, and the fault is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from records.models import Payment
from tests.merchants.api.payment_detail.conftest import Caller, OverChain, book, new_order

pytestmark = pytest.mark.django_db
QUESTIONS = [
    ("", "outTradeNo: give it or outPaymentNo"),
    ("?outTradeNo=", "outTradeNo: give it or outPaymentNo"),
    ("?outTradeNo=a&outTradeNo=b", "outTradeNo: given more than once"),
    ("?outTradeNo=%00", "outTradeNo: contains a character"),
    ("?outPaymentNo=%E2%80%AE", "outPaymentNo: contains a character"),
    ("?outPaymentNo=%ED%A0%80", ""),
    (f"?outTradeNo={'x' * 101}", "outTradeNo: longer than any number"),
]


@pytest.mark.parametrize("path", ["/payment/detail", "/payment/notify"])
@pytest.mark.parametrize(("query", "words"), QUESTIONS)
def test_a_bad_question_is_named(path: str, query: str, words: str, caller: Caller) -> None:
    before = book()
    whole = path + query
    answer = caller.send("GET", whole, headers=caller.headers("GET", whole))
    assert answer.status == (400 if words else 404)
    assert words in answer.words
    assert book() == before


def test_a_method_or_an_address_that_is_none_answers_in_the_envelope(caller: Caller) -> None:
    for method, path, status in (
        ("PUT", "/payment/detail", 405),
        ("POST", "/payment/notify", 405),
        ("DELETE", "/payment/detail", 405),
        ("GET", "/payment/createPaymentOrder", 405),
        ("PUT", "/conf/list/chain", 405),
        ("GET", "/conf/", 404),
        ("POST", "/conf/list/nothing", 404),
        ("GET", "/payment/", 404),
        ("POST", "/payment/nothing", 404),
    ):
        answer = caller.send(method, path, headers=caller.headers(method, path))
        assert (method, path, answer.status) == (method, path, status)


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"chainId": None}, "chainId: required"),
    ({"chainId": "99"}, "chainId: must be a whole number above 0"),
    ({"chainId": True}, "chainId: must be"),
    ({"chainId": 10**30}, "chainId: must be"),
    ({"chainId": -99}, "chainId: must be"),
    ({"description": None}, "description: required"),
    ({"description": "a\x00b"}, "A text contains the character U+0000."),
    ({"description": "a\u202eb"}, "description: contains the character"),
    ({"description": "x" * 201}, "description: longer than 200"),
    ({"description": {"a": 1}}, "description: must be a text"),
    ({"outTradeNo": ""}, "outTradeNo: required"),
    ({"outTradeNo": 12}, "outTradeNo: must be a text"),
    ({"outTradeNo": "a b"}, "outTradeNo: contains the character"),
    ({"outTradeNo": "订单"}, "outTradeNo: contains the character"),
    ({"outTradeNo": "x" * 101}, "outTradeNo: longer than 100"),
    ({"isLegalTender": 2}, "isLegalTender: must be 0 or 1"),
    ({"isLegalTender": False}, "isLegalTender: must be 0 or 1"),
    ({"isLegalTender": None}, "isLegalTender: required"),
    ({"quoteCurrencySymbol": "usdt"}, "quoteCurrencySymbol: must be"),
    ({"quoteCurrencySymbol": "USDT "}, "quoteCurrencySymbol: must be"),
    ({"quoteAmount": 10}, "quoteAmount: must be a text"),
    ({"quoteAmount": "1e2"}, "quoteAmount: "),
    ({"quoteAmount": "0"}, "quoteAmount: must be above 0"),
    ({"quoteAmount": "-1"}, "quoteAmount: "),
    ({"quoteAmount": "9" * 21}, "quoteAmount: must have at most 20 digits"),
    ({"quoteAmount": "NaN"}, "quoteAmount: "),
    ({"notifyUrl": None}, "notifyUrl: required"),
    ({"notifyUrl": "http://93.184.215.14/"}, "notifyUrl: must begin with https://"),
    ({"notifyUrl": "https://" + "x" * 300}, "notifyUrl: longer than 256"),
    ({"redirectionUrl": "javascript:alert(1)"}, "redirectionUrl: "),
    ({"redirectionUrl": 5}, "redirectionUrl: must be a text"),
]


@pytest.mark.parametrize(("change", "words"), FIELDS, ids=str)
def test_a_bad_field_of_a_creation_is_named(
    change: dict[str, Any], words: str, over_chain: OverChain
) -> None:
    before = book()
    answer = over_chain.create(new_order(**change))
    assert (answer.status, answer.words.startswith(words)) == (400, True), answer.words
    assert book() == before


def test_every_missing_field_of_a_creation_is_named_at_once(over_chain: OverChain) -> None:
    answer = over_chain.create({})
    names = ["chainId", "description", "outTradeNo", "isLegalTender", "quoteCurrencySymbol", "quoteAmount",
             "notifyUrl"]  # fmt: skip
    assert answer.status == 400
    assert [name for name in names if f"{name}: required" not in answer.words] == []


DUPLICATE = json.dumps(new_order("order-1"))[:-1] + ', "quoteAmount": "11"}'
BODIES: list[tuple[bytes, int]] = [
    (b" ", 400),
    (b"null", 400),
    (b"[]", 400),
    (b'"text"', 400),
    (b"{", 400),
    (b"\xff\xfe", 400),
    (b'{"chainId": NaN}', 400),
    (b'{"description": "\\ud800"}', 400),
    (b"[" * 5000, 400),
    (b'{"a":' * 3000 + b"1" + b"}" * 3000, 400),
    (DUPLICATE.encode(), 400),
    (b'{"chainId": 1' + b"0" * 5000 + b"}", 400),
    (b"{" + b" " * 300_000 + b"}", 413),
]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=lambda part: repr(part)[:24])
def test_a_body_that_is_none_is_refused_in_the_envelope(
    body: bytes, status: int, over_chain: OverChain
) -> None:
    before = book()
    assert over_chain.create(body).status == status
    assert book() == before


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_content_type_is_415(content_type: str, over_chain: OverChain) -> None:
    path, body = "/payment/createPaymentOrder", json.dumps(new_order()).encode()
    headers = over_chain.headers("POST", path, body)
    answer = over_chain.send("POST", path, body, headers=headers, content_type=content_type)
    assert (answer.status, Payment.objects.count()) == (415, 0)
