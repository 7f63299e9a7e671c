"""One upstream after the other, for the contract suite."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from channels.upstreams import registry
from channels.upstreams.base import Party, PaymentRequest, PayoutRequest
from tests.channels.upstreams import transaction_upstream
from tests.channels.upstreams.drivers import Driver, SandboxDriver, TransactionRequestDriver
from tests.support.callbacks import CallbackReceiver


@pytest.fixture
def transaction_request_upstream() -> Iterator[transaction_upstream.Upstream]:
    """A transaction-request upstream of its own for each test."""
    with transaction_upstream.running() as found:
        yield found


@pytest.fixture(params=registry.names())
def upstream(request: pytest.FixtureRequest) -> Driver:
    """A running upstream of each kind in the registry."""
    match request.param:
        case "sandbox":
            return SandboxDriver(request.getfixturevalue("sandbox"))
        case "transaction_request":
            return TransactionRequestDriver(request.getfixturevalue("transaction_request_upstream"))
        case name:
            pytest.fail(f"The upstream {name} has no driver: it must pass the contract suite too.")


@pytest.fixture
def payment(receiver: CallbackReceiver, upstream: Driver) -> PaymentRequest:
    """A deposit that was never placed before."""
    return PaymentRequest(
        reference=f"PM{secrets.token_hex(6)}",
        service=upstream.service,
        amount=Decimal("300.00"),
        currency=upstream.currency,
        callback_url=receiver.url,
        expires_at=datetime.now(UTC) + timedelta(minutes=10),
        payer=Party(name="王小头", account="6216667451674374", phone="13800138000"),
        remark_code="A1B2",
    )


@pytest.fixture
def payout(receiver: CallbackReceiver, upstream: Driver) -> PayoutRequest:
    """A payout that was never placed before; the upstream leaves it pending."""
    return PayoutRequest(
        reference=f"AT{secrets.token_hex(6)}",
        service="SVC0004",
        amount=Decimal("1000.50"),
        currency=upstream.currency,
        callback_url=receiver.url,
        recipient=Party(
            name="李四", account="6216667451674999", bank_code="ICBC", id_number="11010119900307123X"
        ),
    )


def other_amount(request: PaymentRequest) -> PaymentRequest:
    """Return the same reference with other content."""
    return replace(request, amount=request.amount + 1)
