"""A merchant that speaks the transaction-request API against a sandbox that really answers."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from channels import rates
from diamondpay.lib import clock
from merchants.models import Merchant, MerchantChannel
from merchants.registration import Registered
from records import ledger
from records.models import (
    BalanceRecord,
    Notification,
    Payment,
    Payout,
    Posting,
)
from tests import factories
from tests.support.sandbox import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]

WEBHOOK_URL = "http://127.0.0.1:9/webhook"
BASE = "/api/v2/merchant/"
API = "transaction_request"
_ticks = count(1)


def signature_of(access_key: str, secret_key: str, timestamp: int | str) -> str:
    """Return the signature as the documentation says, without our own code."""
    message = f"{access_key}_{timestamp}".encode()
    return hmac.new(secret_key.encode(), message, hashlib.sha256).hexdigest().upper()


@dataclass
class Answer:
    """What came back: numbers keep their decimals."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    raw: bytes

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["data"]
        return found

    @property
    def code(self) -> str:
        return str(self.body["statusCode"])


@dataclass
class Caller:
    """One merchant with its access key. Each call takes a millisecond of its own."""

    registered: Registered
    client: Client = field(default_factory=Client)

    @property
    def merchant(self) -> Merchant:
        return self.registered.merchant

    @property
    def wallet(self) -> MerchantChannel:
        return self.registered.wallets[0]

    @property
    def access_key(self) -> str:
        return self.registered.further[API].credential.public_id

    @property
    def secret_key(self) -> str:
        return self.registered.further[API].platform_key

    def headers(self, *, timestamp: int | str | None = None, **changes: str) -> dict[str, str]:
        """Return the three signed headers; `changes` replace or add one."""
        moment = int(clock.now().timestamp() * 1000) + next(_ticks) if timestamp is None else timestamp
        made = {
            "access-key": self.access_key,
            "timestamp": str(moment),
            "signature": signature_of(self.access_key, self.secret_key, moment),
        }
        return {**made, **{name.replace("_", "-"): value for name, value in changes.items()}}

    def deposit(self, **changes: Any) -> dict[str, Any]:
        """Return the body of a deposit of 1234.56 CNY; None leaves a field out."""
        body = {
            "client": {"realName": "TEST_USER", "registeredAt": 1731725033033},
            "depositCurrency": "CNY",
            "fiatCurrency": "CNY",
            "depositAmount": 1234.56,
            "merchantOrderNo": f"T{secrets.token_hex(6)}",
            "webhookUrl": WEBHOOK_URL,
            "language": "en",
            "paymentMethod": {"method": 1},
        }
        return {name: value for name, value in {**body, **changes}.items() if value is not None}

    def withdrawal(self, **changes: Any) -> dict[str, Any]:
        """Return the body of a withdrawal of 747 CNY; None leaves a field out."""
        body = {
            "client": {"realName": "王小头"},
            "withdrawCurrency": "CNY",
            "fiatCurrency": "CNY",
            "withdrawAmount": 747,
            "bankCard": {
                "cardNumber": "6216667451674374",
                "bankName": "CCB",
                "bankBranchName": "Shanghai",
            },
            "merchantOrderNo": f"T{secrets.token_hex(6)}",
            "webhookUrl": WEBHOOK_URL,
        }
        return {name: value for name, value in {**body, **changes}.items() if value is not None}

    def post(
        self,
        path: str,
        body: Any,
        *,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Send a body, as JSON unless it is bytes."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._answer(
            self.client.generic(
                "POST", BASE + path, sent, content_type=content_type, headers=headers or self.headers()
            )
        )

    def get(self, headers: dict[str, str] | None = None, **query: str) -> Answer:
        """Ask for an order."""
        return self._answer(
            self.client.get(BASE + "transaction-request", query, headers=headers or self.headers())
        )

    def _answer(self, response: Any) -> Answer:
        assert response["content-type"] == "application/json;charset=utf-8"
        body = json.loads(response.content, parse_float=Decimal)
        assert sorted(body) == ["data", "isSuccess", "message", "statusCode", "version"]
        assert body["isSuccess"] is (response.status_code == 200)
        return Answer(response.status_code, body, dict(response.headers), response.content)


def fund(caller: Caller, amount: int | str = 1000) -> None:
    """Put money on the caller's wallet, in its own currency."""
    ledger.adjust(
        merchant_channel=caller.wallet,
        amount=Decimal(amount),
        reason="test money",
        request_id=f"fund-{caller.merchant.pk}-{amount}",
        now=clock.now(),
    )


def book() -> tuple[int, ...]:
    """Return how much there is in the book; equal before and after a refusal."""
    models: tuple[Any, ...] = (Payment, Payout, Posting, BalanceRecord, Notification)
    return tuple(model.objects.count() for model in models)


@pytest.fixture(autouse=True)
def _quiet_surroundings(settings: Settings) -> None:
    """Let notifications go to loopback, and order numbers be new to the sandbox."""
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.ORDER_PREFIX = f"T{secrets.token_hex(3).upper()}"


@pytest.fixture
def channel(db: None, sandbox: Sandbox) -> str:
    """A CNY channel at the sandbox."""
    return str(factories.make_channel(base_url=sandbox.base_url).pk)


MakeCaller = Callable[..., Caller]


@pytest.fixture
def make_caller(channel: str) -> MakeCaller:
    """Register a merchant with a wallet in MTC, 3 % fee, and a key of this API."""

    def make(name: str = "Acme", **options: Any) -> Caller:
        given: dict[str, Any] = {
            "channels": [channel], "settlement_currency": "MTC", "fee_permillage": 30, "apis": [API],
        }  # fmt: skip
        return Caller(factories.make_merchant(name, **{**given, **options}))

    return make


@pytest.fixture
def rate(db: None) -> None:
    """1 MTC = 7.47 CNY, from now on."""
    rates.add(
        base="MTC", quote="CNY", rate=Decimal("7.47"), reason="the seed's", now=clock.now(), actor="tests"
    )


@pytest.fixture
def caller(make_caller: MakeCaller, rate: None) -> Caller:
    """Acme, whose orders are settled in MTC at 7.47."""
    return make_caller()
