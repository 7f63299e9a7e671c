"""DiamondPay as its own upstream over real HTTP: the adapter against our server, the sandbox behind it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from channels.upstreams.base import (
    Direction,
    Party,
    PaymentRequest,
    PayoutRequest,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.transaction_request.adapter import TransactionRequestAdapter
from diamondpay.lib import clock
from merchants.registration import Registered
from records import ledger, notifications, submission
from records.models import Payment, Payout
from tests import factories
from tests.support import callbacks
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)
_numbers = count(1)


@dataclass
class Ourselves:
    """A merchant of ours, the adapter that speaks as it, and the sandbox behind us."""

    registered: Registered
    adapter: TransactionRequestAdapter
    sandbox: Sandbox
    receiver: callbacks.CallbackReceiver

    def payment(self, amount: str = "1234.56") -> PaymentRequest:
        return PaymentRequest(
            reference=f"UPPM{next(_numbers)}",
            service="SVC0001",
            amount=Decimal(amount),
            currency="CNY",
            callback_url=self.receiver.url,
            expires_at=datetime.now(UTC) + timedelta(minutes=10),
            payer=Party(name="王小头"),
        )

    def payout(self, amount: str = "747") -> PayoutRequest:
        return PayoutRequest(
            reference=f"UPAT{next(_numbers)}",
            service="SVC0004",
            amount=Decimal(amount),
            currency="CNY",
            callback_url=self.receiver.url,
            recipient=Party(name="李四", account="6216667451674999", bank_code="ICBC"),
        )

    def fund(self, amount: str) -> None:
        ledger.adjust(
            merchant_channel=self.registered.wallets[0], amount=Decimal(amount), reason="float",
            request_id=f"fund-{next(_numbers)}", now=clock.now(),
        )  # fmt: skip


@pytest.fixture
def ourselves(
    live_server: LiveServer, sandbox: Sandbox, settings: Settings, receiver: callbacks.CallbackReceiver
) -> Ourselves:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.ORDER_PREFIX = f"T{secrets.token_hex(3).upper()}"
    factories.make_channel(base_url=sandbox.base_url)
    factories.make_rate("7.47")
    registered = factories.make_merchant(
        "Downstream", fee_permillage=30, settlement_currency="MTC", apis=["transaction_request"]
    )
    pair = registered.further["transaction_request"]
    adapter = TransactionRequestAdapter(
        {
            "base_url": live_server.url,
            "access_key": pair.credential.public_id,
            "secret_key": pair.platform_key,
            # The development server drops header names with an underscore.
            "key_header": "access-key",
        }
    )
    return Ourselves(registered, adapter, sandbox, receiver)


def test_a_deposit_through_our_own_api_is_placed_paid_and_told(ourselves: Ourselves) -> None:
    request = ourselves.payment()
    made = ourselves.adapter.submit_payment(request)
    assert made.outcome is SubmissionOutcome.ACCEPTED, made.exchange
    assert (made.display_amount, len(made.channel_order_no)) == (Decimal("1234.56"), 32)
    assert made.link.startswith("http")
    payment = Payment.objects.select_related("channel").get()
    ourselves.sandbox.pay(payment.payment_id)
    submission.query_payment(payment=payment)
    notifications.deliver_due(now=clock.now())
    messages = [ourselves.adapter.parse_callback(told) for told in ourselves.receiver.wait_for(2)]
    assert [(told.state, told.amount) for told in messages] == [
        (UpstreamState.PENDING, None), (UpstreamState.PAID, Decimal("1234.56")),
    ]  # fmt: skip
    assert {(told.reference, told.channel_order_no) for told in messages} == {
        (request.reference, made.channel_order_no)
    }
    asked = ourselves.adapter.query(direction=Direction.DEPOSIT, reference=request.reference)
    assert (asked.state, asked.amount, asked.currency) == (UpstreamState.PAID, Decimal("1234.56"), "CNY")
    wallet = ourselves.registered.wallets[0].pk
    assert ledger.balances([wallet]) == {wallet: (Decimal("160.31"), Decimal(0))}


def test_a_payout_through_our_own_api_is_placed_paid_and_told(ourselves: Ourselves) -> None:
    ourselves.fund("200")
    request = ourselves.payout()
    made = ourselves.adapter.submit_payout(request)
    assert made.outcome is SubmissionOutcome.ACCEPTED, made.exchange
    attempt = Payout.objects.get().attempts.select_related("channel", "payout").get()
    ourselves.sandbox.pay(attempt.reference)
    submission.query_attempt(attempt=attempt)
    asked = ourselves.adapter.query(direction=Direction.PAYOUT, reference=request.reference)
    assert (asked.state, asked.amount) == (UpstreamState.PAID, Decimal(747))
    wallet = ourselves.registered.wallets[0].pk
    assert ledger.balances([wallet]) == {wallet: (Decimal(97), Decimal(0))}


def test_our_own_no_is_proven_and_a_repeat_is_the_same_order(ourselves: Ourselves) -> None:
    poor = ourselves.adapter.submit_payout(ourselves.payout())
    assert (poor.outcome, Payout.objects.count()) == (SubmissionOutcome.REFUSED, 0)
    ourselves.fund("200")
    request = ourselves.payout()
    first, again = ourselves.adapter.submit_payout(request), ourselves.adapter.submit_payout(request)
    assert again.outcome is SubmissionOutcome.ACCEPTED
    assert (again.channel_order_no, Payout.objects.count()) == (first.channel_order_no, 1)
    absent = ourselves.adapter.query(direction=Direction.PAYOUT, reference="NOBODY")
    assert absent.state is UpstreamState.NOT_FOUND


def test_a_stranger_with_a_wrong_key_learns_and_changes_nothing(ourselves: Ourselves) -> None:
    stranger = TransactionRequestAdapter(
        {
            "base_url": ourselves.adapter._base_url,
            "access_key": ourselves.adapter._access_key,
            "secret_key": "another secret altogether",
            "key_header": "access-key",
        }
    )
    refused = stranger.submit_payment(ourselves.payment())
    assert (refused.outcome, Payment.objects.count()) == (SubmissionOutcome.UNKNOWN, 0)
    asked = stranger.query(direction=Direction.DEPOSIT, reference="x")
    assert asked.state is UpstreamState.UNKNOWN
