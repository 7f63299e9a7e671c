"""What surrounds every operation: what a document says of it is valid, whole, and what comes."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
import schemathesis
from django.test import Client
from schemathesis.core.result import Ok

from diamondpay.management.commands import api_files
from merchants.api import characters, shapes

APIS = list(api_files.APIS)
# An operation of each API, and the methods that its address takes.
ADDRESSES = [
    ("/gateway/api/v1/payments", "GET, POST"),
    ("/gateway/api/v2/payments", "POST"),
    ("/gateway/api/v2/payouts/X1", "GET"),
    ("/api/v2/merchant/deposit", "POST"),
    ("/api/v2/merchant/transaction-request", "GET"),
    ("/payment/createPaymentOrder", "POST"),
    ("/conf/list/chain", "GET"),
]
# Beside 200: what each API may answer to any call of any operation.
STATUSES = {
    "gateway": {"413", "429", "503"},
    "transaction_request": {"400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "503"},
    "payment_detail": {"400", "401", "403", "404", "405", "409", "413", "415", "429", "503"},
}
PROOFS = {
    "gateway": {"authorization"},
    "transaction_request": {"access_key", "timestamp", "signature"},
    "payment_detail": {"X-PAY-KEY", "X-PAY-TIMESTAMP", "X-PAY-SIGN"},
}


def operations(api: str) -> list[dict[str, Any]]:
    methods = api_files.current(api)["paths"].values()
    return [operation for found in methods for operation in found.values()]


@pytest.mark.parametrize(("path", "methods"), ADDRESSES)
@pytest.mark.parametrize("method", ["DELETE", "PUT", "TRACE", "OPTIONS"])
def test_a_refused_method_is_answered_with_those_that_there_are(
    db: None, path: str, methods: str, method: str
) -> None:
    response = Client().generic(method, path)
    assert response.status_code == (200 if path.startswith("/gateway") else 405)
    assert response["Allow"] == methods


@pytest.mark.parametrize(
    "path",
    [
        "/gateway/api/v2/payments/a%0Ab", "/gateway/api/v2/payouts/%0A", "/gateway/api/x%0Ay",
        "/api/v2/merchant/x%0Ay", "/payment/x%0Ay", "/conf/%0A",
    ],
)  # fmt: skip
def test_an_address_with_a_line_break_is_answered_by_its_api(db: None, path: str) -> None:
    response = Client().get(path)
    assert response["content-type"] == "application/json;charset=utf-8"
    assert response.status_code == (200 if path.startswith("/gateway") else 404)


@pytest.mark.parametrize("api", APIS)
def test_every_operation_of_a_document_can_be_read_by_others(api: str) -> None:
    found = list(schemathesis.openapi.from_dict(api_files.current(api)).get_all_operations())
    assert [one.err() for one in found if not isinstance(one, Ok)] == []
    shapes_of_bodies = [
        body.optimized_schema for one in found if isinstance(one, Ok) for body in one.ok().body
    ]
    assert len(shapes_of_bodies) == sum("requestBody" in operation for operation in operations(api))
    assert len(found) == len(operations(api))


@pytest.mark.parametrize("api", APIS)
def test_every_answer_that_may_come_is_described_with_its_headers(api: str) -> None:
    always = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Answer-Signature"}
    further = {"405": {"Allow"}, "429": {"Retry-After"}}
    for operation in operations(api):
        answers = operation["responses"]
        assert set(answers) == {"200", *STATUSES[api]}
        for status, answer in answers.items():
            assert set(answer["headers"]) == always | further.get(status, set())


@pytest.mark.parametrize("api", APIS)
def test_every_operation_says_what_proves_its_caller_and_that_its_body_must_be_there(api: str) -> None:
    for operation in operations(api):
        body = operation.get("requestBody")
        assert body is None or body["required"] is True
        named = {name for wanted in operation.get("security") or [] for name in wanted}
        # A creation over the gateway API is proved by a field of its body.
        is_in_body = api == "gateway" and body is not None
        assert named == (set() if is_in_body else PROOFS[api])


def test_the_patterns_of_texts_refuse_what_their_readers_refuse() -> None:
    text, number = re.compile(characters.TEXT_PATTERN), re.compile(characters.ORDER_NUMBER_PATTERN)
    for code in range(sys.maxunicode + 1):
        character = f"a{chr(code)}b"
        is_half = 0xD800 <= code <= 0xDFFF
        assert is_half or (text.search(character) is None) == (
            characters.bad_character(character) is not None
        )
        is_bad = characters.bad_order_character(character) is not None
        assert (number.search(character) is None) == is_bad


def test_the_digits_of_a_text_are_as_long_as_the_text_may_be() -> None:
    bounds = shapes.or_digits(shapes.text(4))["oneOf"][1]
    assert bounds == {"type": "integer", "minimum": -999, "maximum": 9999}
    longest = shapes.or_digits(shapes.text(128, "words"))
    assert longest["description"] == "words"
    assert longest["oneOf"][1] == {"type": "integer", "minimum": -(10**38 - 1), "maximum": 10**38 - 1}
