"""A merchant that speaks the gateway API against a sandbox that really answers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from diamondpay.lib import clock, signing
from merchants.registration import Registered
from records import ledger
from tests import factories
from tests.support.sandbox import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]

NOTIFY_URL = "http://127.0.0.1:9/notify"


class Caller:
    """Calls the API as one merchant. `sign_type` "" leaves the field out, which means MD5."""

    def __init__(self, registered: Registered, *, sign_type: str = "HMAC-SHA256") -> None:
        self.merchant = registered.merchant
        self.key = registered.platform_key
        self.token = registered.authorization
        self.wallets = registered.wallets
        self.sign_type = sign_type
        self.client = Client(raise_request_exception=False)

    def payment(self, **changes: object) -> dict[str, object]:
        """Return the parameters of a deposit of 500.00, unsigned; None leaves a field out."""
        params: dict[str, object] = {
            "platform_id": self.merchant.pk,
            "service_id": "SVC0001",
            "payment_cl_id": f"T{secrets.token_hex(6)}",
            "amount": 50000,
            "notify_url": NOTIFY_URL,
            "request_time": int(clock.now().timestamp()),
            "name": "王小头",
        }
        return {name: value for name, value in {**params, **changes}.items() if value is not None}

    def payout(self, **changes: object) -> dict[str, object]:
        """Return the parameters of a payout of 100.00, unsigned; None leaves a field out."""
        params: dict[str, object] = {
            "platform_id": self.merchant.pk,
            "service_id": "SVC0004",
            "payout_cl_id": f"T{secrets.token_hex(6)}",
            "amount": 10000,
            "notify_url": NOTIFY_URL,
            "request_time": int(clock.now().timestamp()),
            "name": "王小头",
            "number": "6216667451674374",
            "bank_code": "CCB",
        }
        return {name: value for name, value in {**params, **changes}.items() if value is not None}

    def signed(self, params: Mapping[str, object]) -> dict[str, object]:
        """Return the parameters with the signature of this merchant."""
        kind = {"sign_type": self.sign_type} if self.sign_type else {}
        made = signing.sign(params, self.key, self.sign_type or signing.MD5)
        return {**params, **kind, "sign": made}

    def post(self, path: str, params: Mapping[str, object]) -> dict[str, Any]:
        """Sign and send; the answer must be HTTP 200 and JSON."""
        return self.send(path, json.dumps(self.signed(params)))

    def send(self, path: str, body: str | bytes, *, status: int = 200, **extra: Any) -> dict[str, Any]:
        """Send a body as it is."""
        extra["CONTENT_TYPE"] = extra.pop("content_type", "application/json")
        sent = body.encode() if isinstance(body, str) else body
        response = self.client.generic("POST", f"/gateway/api{path}", sent, **extra)
        assert response.status_code == status, response.content[:300]
        assert response["content-type"] == "application/json;charset=utf-8"
        found: dict[str, Any] = json.loads(response.content)
        return found

    def get(self, path: str, query: str = "", *, token: str | None = None, **extra: Any) -> dict[str, Any]:
        """Read with the token of this merchant."""
        headers = {"authorization": self.token if token is None else token}
        response = self.client.get(f"/gateway/api{path}{query}", headers=headers, **extra)
        assert response.status_code == 200, response.content[:300]
        found: dict[str, Any] = json.loads(response.content)
        return found


@pytest.fixture(autouse=True)
def _quiet_surroundings(settings: Settings) -> None:
    """Let notifications go to loopback, and order numbers be new to the sandbox."""
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.ORDER_PREFIX = f"T{secrets.token_hex(3).upper()}"


@pytest.fixture
def channel(db: None, sandbox: Sandbox) -> str:
    """A CNY channel at the sandbox."""
    return str(factories.make_channel(base_url=sandbox.base_url).pk)


@pytest.fixture
def caller(channel: str) -> Caller:
    """Acme, signing with HMAC-SHA256."""
    return Caller(factories.make_merchant("Acme", channels=[channel], notify_url=NOTIFY_URL))


@pytest.fixture
def md5_caller(channel: str) -> Caller:
    """A merchant with MD5 switched on, which leaves sign_type out."""
    registered = factories.make_merchant("Old", channels=[channel], is_md5_allowed=True)
    return Caller(registered, sign_type="")


@pytest.fixture
def other_caller(channel: str) -> Caller:
    """Another merchant on the same channel."""
    return Caller(factories.make_merchant("Rival", channels=[channel]))


def fund(caller: Caller, amount: int = 1000) -> None:
    """Put money on the caller's first wallet."""
    ledger.adjust(
        merchant_channel=caller.wallets[0],
        amount=Decimal(amount),
        reason="test money",
        request_id=f"fund-{caller.merchant.pk}-{amount}",
        now=clock.now(),
    )
