"""Whatever is asked: never a 5xx of ours, never HTML, nothing changed, and the fault is named."""

from __future__ import annotations

import pytest

from tests.merchants.api.payment_detail.conftest import Caller, book

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
        ("GET", "/payment/", 404),
        ("POST", "/payment/nothing", 404),
    ):
        answer = caller.send(method, path, headers=caller.headers(method, path))
        assert (method, path, answer.status) == (method, path, status)
