"""`X-Answer-Signature`: what proves an answer to whoever has the key, computed anew."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.merchants.api.gateway.conftest import Caller, fund

CALL = "0123456789abcdef-A"


def proof(key: str, call: object, response: Any) -> str:
    """Compute the signature with nothing of ours."""
    message = f"{call}_{response.status_code}_".encode() + response.content
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest().upper()


def post(caller: Caller, path: str, params: dict[str, object]) -> Any:
    body = json.dumps(params).encode()
    return caller.client.generic("POST", f"/gateway/api{path}", body, CONTENT_TYPE="application/json")


@pytest.mark.parametrize("amount", [10000, 99_999_999])
def test_a_yes_and_a_no_are_proven_to_who_signed_the_call(caller: Caller, amount: int) -> None:
    fund(caller)
    params = caller.signed(caller.payout(amount=amount))
    response = post(caller, "/v1/payouts", params)
    assert json.loads(response.content)["error_code"] == ("0000" if amount == 10000 else "0018")
    assert response["X-Answer-Signature"] == proof(caller.key, params["sign"], response)


def test_what_is_said_to_nobody_is_not_signed(caller: Caller) -> None:
    params = {**caller.signed(caller.payment()), "sign": "0" * 64}
    response = post(caller, "/v1/payments", params)
    assert json.loads(response.content)["error_code"] == "0004"
    assert "X-Answer-Signature" not in response


@pytest.mark.parametrize("path", ["/v1/payments", "/v2/payouts/NOBODY", "/v2/platforms/balance"])
def test_a_get_that_names_itself_gets_an_answer_to_that_name(caller: Caller, path: str) -> None:
    headers = {"authorization": caller.token, "x-call-id": CALL}
    response = caller.client.get(f"/gateway/api{path}", headers=headers)
    assert response["X-Answer-Signature"] == proof(caller.key, CALL, response)


@pytest.mark.parametrize("call", ["", "short", "x" * 65, "0123456789abcdef_200", "０" * 16])
def test_a_get_without_a_name_that_can_be_signed_is_answered_as_ever(caller: Caller, call: str) -> None:
    response = caller.client.get(
        "/gateway/api/v1/payments", HTTP_AUTHORIZATION=caller.token, HTTP_X_CALL_ID=call
    )
    assert json.loads(response.content) == {"error_code": "0000", "data": [], "total": 0}
    assert "X-Answer-Signature" not in response
