"""The OpenAPI document and its page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from diamondpay.lib import signing
from merchants.api.gateway import examples
from merchants.api.gateway.errors import WORDS

pytestmark = pytest.mark.django_db
KEYS = {"PF0001": "2I9Q4nExEddsH6zo", "PF0002": "ThisIsYourSecretKey123"}
OPERATIONS = {
    ("post", "/gateway/api/v1/payments"): "createPaymentV1",
    ("get", "/gateway/api/v1/payments"): "listPaymentsV1",
    ("post", "/gateway/api/v2/payments"): "createPaymentV2",
    ("get", "/gateway/api/v2/payments/{payment_cl_id}"): "readPaymentV2",
    ("post", "/gateway/api/v1/payouts"): "createPayoutV1",
    ("get", "/gateway/api/v1/payouts"): "listPayoutsV1",
    ("post", "/gateway/api/v2/payouts"): "createPayoutV2",
    ("get", "/gateway/api/v2/payouts"): "listPayoutsV2",
    ("get", "/gateway/api/v2/payouts/{payout_cl_id}"): "readPayoutV2",
    ("get", "/gateway/api/v1/platforms/balance"): "readBalanceV1",
    ("get", "/gateway/api/v2/platforms/balance"): "readBalanceV2",
}


def document() -> dict[str, Any]:
    response = Client().get("/docs/api/schema/")
    assert response.status_code == 200
    found: dict[str, Any] = json.loads(response.content)
    return found


def test_the_document_names_every_operation_and_no_other() -> None:
    found = {
        (method, path): operation["operationId"]
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }
    assert found == OPERATIONS


def test_every_operation_has_an_example_of_its_answer_and_of_a_refusal() -> None:
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            content = operation["responses"]["200"]["content"]["application/json"]
            codes = {example["value"]["error_code"] for example in content["examples"].values()}
            assert "0000" in codes, path
            assert len(codes) == 2, path
            if "requestBody" in operation:
                assert operation["requestBody"]["content"]["application/json"]["examples"], path


def test_the_examples_of_requests_are_the_published_vectors_and_verify() -> None:
    for example in (examples.MD5_PAYMENT, examples.HMAC_PAYMENT, examples.MD5_PAYOUT):
        key = KEYS[example["platform_id"]]
        assert signing.verify(example, key, example.get("sign_type", signing.MD5), example["sign"])


def test_gets_carry_the_token_and_posts_the_signature() -> None:
    found = document()
    assert found["components"]["securitySchemes"] == {
        "authorization": {"type": "apiKey", "in": "header", "name": "Authorization"}
    }
    for methods in found["paths"].values():
        if "get" in methods:
            assert methods["get"]["security"] == [{"authorization": []}]
        if "post" in methods:
            schema = methods["post"]["requestBody"]["content"]["application/json"]["schema"]
            assert "sign" in schema["required"]


def test_the_table_of_error_codes_is_whole() -> None:
    description = document()["info"]["description"]
    assert re.findall(r"^\| (\d{4}) \|", description, re.MULTILINE) == list(WORDS)
    assert len(WORDS) == 31


def test_the_page_runs_nothing_inline() -> None:
    response = Client().get("/docs/api/")
    page = response.content.decode()
    assert response.status_code == 200
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|<style", page)
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "img-src 'self' data:" in response["Content-Security-Policy"]
