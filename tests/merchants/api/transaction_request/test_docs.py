"""The OpenAPI document of the transaction-request API, its page, and that real answers are what it says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from merchants.api.transaction_request.errors import STATUSES
from tests.merchants.api.transaction_request.conftest import Caller, fund, signature_of

pytestmark = pytest.mark.django_db
PAGE = "/docs/api/transaction-request/"
OPERATIONS = {
    ("get", "/api/v2/merchant/transaction-request"): "readTransactionRequest",
    ("post", "/api/v2/merchant/deposit"): "createDeposit",
    ("post", "/api/v2/merchant/withdraw/bank-card"): "createBankCardWithdrawal",
}


def document() -> dict[str, Any]:
    response = Client().get(f"{PAGE}schema/")
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


def test_every_operation_asks_for_the_three_headers_and_tells_every_status() -> None:
    for methods in document()["paths"].values():
        for operation in methods.values():
            headers = [found["name"] for found in operation["parameters"] if found["in"] == "header"]
            assert sorted(headers) == ["access_key", "signature", "timestamp"]
            further = {200, 405, 413, 415}
            assert set(operation["responses"]) == {str(status) for status in {*further, *STATUSES.values()}}


def test_the_table_of_status_codes_is_whole_and_the_vector_is_right() -> None:
    description = document()["info"]["description"]
    assert re.findall(r"^\| ([A-Z_]+) \|", description, re.MULTILINE) == ["SUCCESS", *STATUSES]
    key, secret = re.findall(r"key\s+`([A-Za-z0-9]{32,64})`", description)
    (moment,) = re.findall(r"timestamp\s+`(\d{13})`", description)
    assert signature_of(key, secret, moment) in description


def test_a_real_answer_has_exactly_the_fields_that_are_written_down(caller: Caller) -> None:
    fund(caller, 1000)
    paths = document()["paths"]
    for path, body in (("deposit", caller.deposit()), ("withdraw/bank-card", caller.withdrawal())):
        described = paths[f"/api/v2/merchant/{path}"]["post"]["responses"]["200"]
        schema = described["content"]["application/json"]["schema"]["properties"]["data"]
        answer = caller.post(path, body)
        assert list(answer.data) == list(schema["properties"])
        for name, value in answer.data.items():
            kinds = {"string": str, "integer": int, "number": (int, object)}
            field = schema["properties"][name]
            assert isinstance(value, kinds[field["type"]]) or (value is None and field["nullable"])  # type: ignore[arg-type]


def test_the_page_runs_nothing_inline() -> None:
    response = Client().get(PAGE)
    page = response.content.decode()
    assert response.status_code == 200
    assert "DiamondPay transaction-request API" in page
    assert f'data-schema="{PAGE}schema/"' in page
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|<style", page)
    assert "script-src 'self'" in response["Content-Security-Policy"]
