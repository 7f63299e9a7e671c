"""A merchant that speaks the payment-detail API against a sandbox that really answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_django import Settings

from channels.upstreams import base
from diamondpay.lib import clock
from merchants.models import Merchant
from merchants.registration import Registered
from operations import placement
from records import submission
from records.models import ChainKey, ChainPayment, Notification, Payment, Payout, Posting
from tests import factories
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node
from tests.support.sandbox import Sandbox, sandbox, sandbox_process

__all__ = ["node", "sandbox", "sandbox_process"]

NOTIFY_URL = "http://127.0.0.1:9/notify?shop=1"
API = "payment_detail"


def signature_of(secret: str, timestamp: int | str, method: str, path: str, body: bytes = b"") -> str:
    """Return the signature as the documentation says, without our own code."""
    message = f"{timestamp}{method}{path}".encode() + body
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


@dataclass
class Answer:
    """What came back."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    raw: bytes

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["data"]
        return found

    @property
    def words(self) -> str:
        """What exactly was wrong."""
        return str(self.body["description"])


@dataclass
class Caller:
    """One merchant with its key."""

    registered: Registered
    client: Client = field(default_factory=Client)

    @property
    def merchant(self) -> Merchant:
        return self.registered.merchant

    @property
    def key(self) -> str:
        return self.registered.further[API].credential.public_id

    @property
    def secret(self) -> str:
        return self.registered.further[API].platform_key

    def headers(
        self, method: str, path: str, body: bytes = b"", *, timestamp: int | str | None = None, **changes: str
    ) -> dict[str, str]:
        """Return the three signed headers; `changes` replace or add one."""
        moment = int(clock.now().timestamp()) if timestamp is None else timestamp
        made = {
            "x-pay-key": self.key,
            "x-pay-timestamp": str(moment),
            "x-pay-sign": signature_of(self.secret, moment, method, path, body),
        }
        return {**made, **{name.replace("_", "-"): value for name, value in changes.items()}}

    def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> Answer:
        """Send a GET, signed with its query string unless headers are given."""
        whole = f"{path}?{urlencode(query)}" if query else path
        return self.send("GET", whole, headers=headers or self.headers("GET", whole))

    def detail(self, **query: str) -> Answer:
        """Ask for an order."""
        return self.get("/payment/detail", None, **query)

    def create(self, body: dict[str, Any] | bytes, **changes: str) -> Answer:
        """Ask for an order to be placed."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = "/payment/createPaymentOrder"
        return self.send("POST", path, raw, headers=self.headers("POST", path, raw, **changes))

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: dict[str, str],
        content_type: str = "application/json",
    ) -> Answer:
        """Send anything; whatever comes back is in the envelope."""
        response = self.client.generic(method, path, body, content_type=content_type, headers=headers)
        assert response["content-type"] == "application/json;charset=utf-8"
        found = json.loads(response.content)
        is_yes = response.status_code == 200
        assert sorted(found) == (["code", "data", "msg"] if is_yes else ["code", "description", "msg"])
        assert found["code"] == response.status_code
        return Answer(response.status_code, found, dict(response.headers), response.content)

    def place(self, number: str = "", **changes: Any) -> Payment:
        """Place a deposit of 1234.56 CNY over the gateway API's road."""
        given: dict[str, Any] = {
            "merchant": self.merchant, "service_id": "SVC0001", "amount": Decimal("1234.56"),
            "merchant_order_no": number or f"T{secrets.token_hex(6)}", "party": base.Party(name="王小头"),
            "sign_type": "HMAC-SHA256", "source": "API_V1", "notify_url": NOTIFY_URL,
        }  # fmt: skip
        return placement.place_payment(order=placement.NewPayment(**{**given, **changes}))


def paid(sandbox: Sandbox, payment: Payment, amount: int | None = None) -> Payment:
    """Let the payer pay, and ask the upstream."""
    sandbox.pay(payment.payment_id, amount=amount)
    submission.query_payment(payment=Payment.objects.select_related("channel").get(pk=payment.pk))
    payment.refresh_from_db()
    return payment


def new_order(number: str = "", **changes: Any) -> dict[str, Any]:
    """Return the body of a creation of 10 USDT on the tests' chain; a change to None takes a field away."""
    body = {
        "chainId": 99, "description": "A book", "outTradeNo": number or f"T{secrets.token_hex(6)}",
        "isLegalTender": 0, "quoteCurrencySymbol": "USDT", "quoteAmount": "10", "notifyUrl": NOTIFY_URL,
    }  # fmt: skip
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def book() -> tuple[int, ...]:
    """Return how much there is in the book; equal before and after a refusal."""
    models: tuple[Any, ...] = (Payment, Payout, Posting, Notification, ChainPayment, ChainKey)
    return tuple(model.objects.count() for model in models)


@pytest.fixture(autouse=True)
def _quiet_surroundings(settings: Settings) -> None:
    """Let notifications go to loopback, and order numbers be new to the sandbox."""
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.ORDER_PREFIX = f"T{secrets.token_hex(3).upper()}"


MakeCaller = Callable[..., Caller]


@pytest.fixture
def make_caller(db: None, sandbox: Sandbox) -> MakeCaller:
    """Register a merchant with a wallet in CNY, 3 % fee, and a key of this API."""
    factories.make_channel(base_url=sandbox.base_url)

    def make(name: str = "Acme", **options: Any) -> Caller:
        given: dict[str, Any] = {"fee_permillage": 30, "apis": [API]}
        return Caller(factories.make_merchant(name, **{**given, **options}))

    return make


@pytest.fixture
def caller(make_caller: MakeCaller) -> Caller:
    """Acme."""
    return make_caller()


@dataclass
class OverChain(Caller):
    """A merchant who is paid over a chain."""

    scene: scenes.Scene = field(kw_only=True)

    def placed(self, number: str, **changes: Any) -> Payment:
        """Place an order over the API and return it."""
        answer = self.create(new_order(number, **changes))
        assert answer.status == 200, answer.body
        return Payment.objects.get(payment_id=answer.data["outPaymentNo"])


MakeOverChain = Callable[..., OverChain]


@pytest.fixture
def make_over_chain(db: None, node: Node) -> MakeOverChain:
    """Register a merchant with a key of this API, on a chain of the test's own node."""

    def make(**options: Any) -> OverChain:
        scene = scenes.make(node, apis=[API], **options)
        return OverChain(scene.registered, scene=scene)

    return make


@pytest.fixture
def over_chain(make_over_chain: MakeOverChain) -> OverChain:
    """Acme, whose orders are in USDT."""
    return make_over_chain()
