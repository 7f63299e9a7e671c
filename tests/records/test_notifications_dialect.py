"""The gateway's language: codes, amounts, bodies, headers and what counts as the merchant's yes. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from decimal import Decimal

import pytest

from diamondpay.lib import signing
from records import dialects
from records.dialects import gateway
from records.models import PaymentStatus, PayoutStatus

KEY = "ThisIsYourSecretKey123"
FACTS: dict[str, object] = {
    "payment_id": "PM00000145",
    "payment_cl_id": "xinxin_1",
    "platform_id": "PF0060",
    "amount": 400000,
    "real_amount": 400000,
    "fee": 3200,
    "status": 2,
    "create_time": 1596425140,
    "update_time": 1596425770,
}


def test_every_stored_status_has_its_code_on_the_wire() -> None:
    payments = [
        [gateway.payment_status(status=status, is_submitted=submitted) for submitted in (False, True)]
        for status in PaymentStatus
    ]
    payouts = [
        [gateway.payout_status(status=status, is_submitted=submitted) for submitted in (False, True)]
        for status in PayoutStatus
    ]
    assert payments == [[0, 1], [2, 2], [4, 4], [3, 3]]
    assert payouts == [[1, 2], [3, 3], [5, 5], [6, 6], [4, 4]]


@pytest.mark.parametrize(
    ("amount", "had", "charged"),
    [
        ("0", 0, 0),
        ("300.000000000000000000", 30000, 30000),
        ("12345678901234567890.12", 1234567890123456789012, 1234567890123456789012),
        ("0.030030", 3, 4),
        ("10.999999", 1099, 1100),
        ("0.000000000000000001", 0, 1),
        ("19999999999999999999.999999999999999999", 1999999999999999999999, 2000000000000000000000),
    ],
)
def test_amounts_never_promise_more_than_there_is(amount: str, had: int, charged: int) -> None:
    """More decimals than × 100 carries: what the merchant has goes down, what it costs goes up."""
    assert (gateway.had(Decimal(amount)), gateway.charged(Decimal(amount))) == (had, charged)
    assert gateway.is_exact(Decimal(amount)) == (had == charged)


def test_no_amount_is_zero() -> None:
    assert (gateway.had(None), gateway.charged(None)) == (0, 0)


def test_an_md5_body_carries_exactly_the_listed_fields() -> None:
    body = json.loads(gateway.V1.body(facts={**FACTS, "error_msg": "no"}, sign_type="MD5", secret=KEY))
    text = "&".join(f"{name}={FACTS[name]}" for name in sorted(FACTS)) + f"&{KEY}"
    wanted = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    assert body == {**FACTS, "sign": wanted}


def test_an_hmac_body_also_carries_its_type_and_the_error() -> None:
    facts = {**FACTS, "error_msg": "recipient's bank is closed"}
    body = json.loads(gateway.V1.body(facts=facts, sign_type="HMAC-SHA256", secret=KEY))
    text = "&".join(f"{name}={facts[name]}" for name in sorted(facts))
    wanted = hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert body == {**facts, "sign_type": "HMAC-SHA256", "sign": wanted}


def test_bodies_hold_plain_json_numbers() -> None:
    facts = {**FACTS, "amount": gateway.had(Decimal("12345678901234567890.12"))}
    assert b'"amount":1234567890123456789012,' in gateway.V2.body(facts=facts, sign_type="MD5", secret=KEY)


def test_headers_are_standard_webhooks_with_one_signature_per_live_key() -> None:
    headers = gateway.V1.headers(
        webhook_id="PM1-1", timestamp=1700000000, body=b"{}", secrets=["new-key", "old-key"]
    )
    signatures = []
    for key in ("new-key", "old-key"):
        digest = hmac.new(key.encode(), b"PM1-1.1700000000.{}", hashlib.sha256).digest()
        signatures.append("v1," + base64.b64encode(digest).decode())
    assert headers == {
        "webhook-id": "PM1-1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": " ".join(signatures),
        "Content-Type": "application/json;charset=utf-8",
    }
    with pytest.raises(ValueError, match="secret"):
        gateway.V1.headers(webhook_id="PM1-1", timestamp=1, body=b"", secrets=[])


@pytest.mark.parametrize(
    ("status", "answer", "is_yes", "words"),
    [
        (200, '{"error_code":"0000"}', True, "answered 0000"),
        (200, ' \n{"error_code":"0000","x":[1],"error_msg":null}\n', True, "answered 0000"),
        (200, '\ufeff{"error_code":"0000"}', True, "answered 0000"),
        (201, '{"error_code":"0000"}', False, "HTTP 201"),
        (200, '{"error_code":0}', False, "error_code is 0 instead"),
        (200, '{"error_code":"0001"}', False, 'error_code is "0001" instead'),
        (200, '{"code":"0000"}', False, "no error_code"),
        (200, '["0000"]', False, "not a JSON object"),
        (200, "success", False, "not JSON"),
        (200, "", False, "not JSON"),
        (200, "[" * 60_000, False, "not JSON"),
        (200, "9" * 60_000, False, "not JSON"),
        (301, "", False, "redirects are not followed"),
        (410, "", False, "Gone"),
        (429, "", False, "Too Many Requests"),
        (599, "", False, "HTTP 599"),
    ],
)
def test_only_http_200_with_0000_is_the_merchants_yes(
    status: int, answer: str, is_yes: bool, words: str
) -> None:
    found, reason = gateway.V1.is_acknowledged(http_status=status, answer=answer)
    assert found is is_yes
    assert words in reason


def test_dialects_are_found_by_the_name_on_the_order() -> None:
    assert (dialects.get("gateway.v1").name, dialects.get("gateway.v2").name) == ("gateway.v1", "gateway.v2")
    with pytest.raises(KeyError):
        dialects.get("gateway.v3")


def test_items_are_signed_over_all_that_is_not_empty() -> None:
    item = {"amount": 1, "fee": 0, "memo": "", "status": 3}
    assert gateway.signed(item, sign_type="MD5", secret="k")["sign"] == hashlib.md5(
        b"amount=1&fee=0&status=3&k", usedforsecurity=False
    ).hexdigest()  # fmt: skip
    assert gateway.answer_sign_type(is_md5_allowed=True) == signing.MD5
    assert gateway.answer_sign_type(is_md5_allowed=False) == signing.HMAC_SHA256
