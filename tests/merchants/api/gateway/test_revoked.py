"""An ended key that is still used: the caller is told what any stranger is, the trail says whose it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from diamondpay.lib import clock, signing
from diamondpay.models import AuditRow
from merchants import credentials
from merchants.registration import Registered

pytestmark = pytest.mark.django_db


def balance(token: str) -> Any:
    """Ask for balances with a token."""
    answer = Client().get("/gateway/api/v2/platforms/balance", headers={"authorization": token})
    return answer.status_code, answer.content


def create(merchant_id: str, key: str) -> Any:
    """Send a deposit signed with a key."""
    params = {
        "platform_id": merchant_id, "service_id": "SVC0001", "payment_cl_id": "T1", "amount": 50000,
        "notify_url": "https://shop.example.com/n", "request_time": int(clock.now().timestamp()),
        "sign_type": "HMAC-SHA256",
    }  # fmt: skip
    params["sign"] = signing.sign(params, key, "HMAC-SHA256")
    answer = Client().post("/gateway/api/v1/payments", json.dumps(params), content_type="application/json")
    return answer.status_code, answer.content


def end_key(registered: Registered) -> None:
    """End the merchant's key now."""
    credentials.end(registered.credential, clock.now(), actor="tests")


def test_a_call_with_an_ended_token_is_noted_and_answered_like_any_wrong_one(acme: Registered) -> None:
    assert b'"error_code":"0000"' in balance(acme.authorization)[1].replace(b": ", b":")
    end_key(acme)
    assert balance(acme.authorization) == balance("x" * len(acme.authorization))
    row = AuditRow.objects.get(is_refused=True)
    assert (row.action, row.object_kind, row.object_id, row.actor, row.address) == (
        "credential.revoked_use", "credential", str(acme.credential.pk), acme.merchant.pk, "127.0.0.1",
    )  # fmt: skip
    assert acme.authorization not in str(row.after)


def test_a_deposit_signed_with_an_ended_key_is_noted_and_answered_like_any_wrong_one(
    acme: Registered,
) -> None:
    end_key(acme)
    assert create(acme.merchant.pk, acme.platform_key) == create(acme.merchant.pk, "0" * 32)
    row = AuditRow.objects.get(is_refused=True)
    assert (row.action, row.object_id) == ("credential.revoked_use", str(acme.credential.pk))
    assert acme.platform_key not in str(row.after)


def test_a_wrong_key_that_was_never_anybodys_is_noted_nowhere(acme: Registered) -> None:
    for token in ("x" * len(acme.authorization), "short", "ünïcode"):
        balance(token.encode().decode("latin-1"))
    create(acme.merchant.pk, "0" * 32)
    create("PF9999", acme.platform_key)
    assert not AuditRow.objects.filter(is_refused=True).exists()
