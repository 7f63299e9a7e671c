"""One upstream after the other, for the contract suite."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from channels.upstreams import registry
from channels.upstreams.base import Adapter, Direction, Party, PaymentRequest, PayoutRequest, Submission
from tests.channels.upstreams import detail_upstream, gateway_upstream, transaction_upstream
from tests.channels.upstreams.drivers import (
    Driver,
    GatewayDriver,
    PaymentDetailDriver,
    SandboxDriver,
    TransactionRequestDriver,
)
from tests.support.callbacks import CallbackReceiver
from tests.support.sandbox import Sandbox


@pytest.fixture
def transaction_request_upstream() -> Iterator[transaction_upstream.Upstream]:
    """A transaction-request upstream of its own for each test."""
    with transaction_upstream.running() as found:
        yield found


@pytest.fixture(scope="session")
def gateway_process(
    django_db_setup: None, sandbox_process: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[gateway_upstream.GatewayUpstream]:
    """One DiamondPay for all tests of this process; drivers reset it."""
    home = tmp_path_factory.mktemp("gateway")
    with gateway_upstream.running(home=home, sandbox=sandbox_process) as found:
        yield found


# The upstreams whose protocol has no payouts.
DEPOSITS_ONLY = frozenset({"payment_detail"})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a contract test with every upstream of the registry that carries the orders which it places."""
    if "every_upstream" not in metafunc.fixturenames:
        return
    # A chain takes no orders and answers no questions: `tests.records.test_chain_watch` is its contract.
    names = [name for name in registry.names() if name not in registry.CHAINS]
    if "order" in metafunc.fixturenames:
        kinds = [(name, way) for name in names for way in Direction if is_carried(name, way)]
        metafunc.parametrize(("every_upstream", "order"), kinds, indirect=True)
        return
    if "payout" in metafunc.fixturenames:
        names = [name for name in names if is_carried(name, Direction.PAYOUT)]
    metafunc.parametrize("every_upstream", names, indirect=True)


def is_carried(name: str, direction: Direction) -> bool:
    """Say whether the upstream's protocol has orders of this direction."""
    return direction is Direction.DEPOSIT or name not in DEPOSITS_ONLY


@pytest.fixture
def payment_detail_upstream() -> Iterator[detail_upstream.Upstream]:
    """A payment-detail upstream of its own for each test."""
    with detail_upstream.running() as found:
        yield found


@pytest.fixture
def every_upstream(request: pytest.FixtureRequest) -> Driver:
    """A running upstream of each kind in the registry."""
    match request.param:
        case "gateway":
            return GatewayDriver(request.getfixturevalue("gateway_process"))
        case "payment_detail":
            return PaymentDetailDriver(request.getfixturevalue("payment_detail_upstream"))
        case "sandbox":
            return SandboxDriver(request.getfixturevalue("sandbox"))
        case "transaction_request":
            return TransactionRequestDriver(request.getfixturevalue("transaction_request_upstream"))
        case name:
            pytest.fail(f"The upstream {name} has no driver: it must pass the contract suite too.")


@pytest.fixture
def upstream(every_upstream: Driver) -> Driver:
    """The upstream of this test."""
    return every_upstream


@pytest.fixture
def order(request: pytest.FixtureRequest) -> PaymentRequest | PayoutRequest:
    """An order that was never placed before, of each direction that the upstream carries."""
    name = "payment" if request.param is Direction.DEPOSIT else "payout"
    found: PaymentRequest | PayoutRequest = request.getfixturevalue(name)
    return found


def direction_of(order: PaymentRequest | PayoutRequest) -> Direction:
    """Return which way the order's money goes."""
    return Direction.DEPOSIT if isinstance(order, PaymentRequest) else Direction.PAYOUT


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


def submit(adapter: Adapter, request: PaymentRequest | PayoutRequest) -> Submission:
    """Place an order of either direction."""
    if isinstance(request, PaymentRequest):
        return adapter.submit_payment(request)
    return adapter.submit_payout(request)
