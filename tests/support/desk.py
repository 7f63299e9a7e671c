"""A merchant at a scripted upstream, and what tests of orders do with it, through the real functions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from channels.models import ChannelService
from channels.upstreams import base
from diamondpay.lib import clock
from merchants.models import MerchantChannel
from merchants.registration import Registered, Terms
from operations import placement
from records import ledger, submission, verdicts
from records.models import Account, Actor, Payment, Payout, PayoutAttempt
from tests import factories
from tests.support.scripted_upstream import NAME, ScriptedUpstream, upstream

__all__ = ["Desk", "desk", "upstream"]

NOTIFY_URL = "http://127.0.0.1:9/notify"
_numbers = count(1)


@dataclass
class Desk:
    """One merchant with one wallet, 8 ‰ fee, on `scripted`. Units: amounts as text, major units."""

    registered: Registered
    upstream: ScriptedUpstream

    @property
    def wallet(self) -> MerchantChannel:
        return self.registered.wallets[0]

    def new_payment(self, amount: str = "100", **changes: Any) -> placement.NewPayment:
        """Return a deposit to place."""
        order = placement.NewPayment(
            merchant=self.registered.merchant,
            service_id="SVC0001",
            merchant_order_no=f"D{next(_numbers)}",
            amount=Decimal(amount),
            party=base.Party(name="Wang"),
            sign_type="HMAC-SHA256",
            source="API_V1",
            notify_url=NOTIFY_URL,
        )
        return dataclasses.replace(order, **changes)

    def new_payout(self, amount: str = "100", **changes: Any) -> placement.NewPayout:
        """Return a payout to place."""
        order = placement.NewPayout(
            merchant=self.registered.merchant,
            service_id="SVC0004",
            merchant_order_no=f"P{next(_numbers)}",
            amount=Decimal(amount),
            party=base.Party(name="Wang", account="6216667451674374"),
            sign_type="HMAC-SHA256",
            source="API_V1",
            notify_url=NOTIFY_URL,
        )
        return dataclasses.replace(order, **changes)

    def deposit(self, amount: str = "100", **changes: Any) -> Payment:
        """Place a deposit."""
        return placement.place_payment(order=self.new_payment(amount, **changes))

    def payout(self, amount: str = "100", **changes: Any) -> Payout:
        """Place a payout."""
        return placement.place_payout(order=self.new_payout(amount, **changes))

    def fund(self, amount: str = "1000") -> None:
        """Put money into the wallet."""
        ledger.adjust(
            merchant_channel=self.wallet,
            amount=Decimal(amount),
            reason="float",
            request_id=f"F{next(_numbers)}",
            now=clock.now(),
        )

    def says(
        self,
        order: Payment | PayoutAttempt,
        state: base.UpstreamState,
        *,
        amount: str | None = None,
        currency: str = "CNY",
        number: str | None = None,
    ) -> verdicts.Verdict:
        """Apply what the upstream says of an order; its number is the one that submission gave."""
        reference = order.payment_id if isinstance(order, Payment) else order.reference
        word = verdicts.Word(
            state,
            None if amount is None else Decimal(amount),
            currency,
            f"UP-{reference}" if number is None else number,
        )
        now = clock.now()
        if isinstance(order, Payment):
            verdict = verdicts.on_payment(payment_pk=order.pk, word=word, now=now, changed_by=Actor.CALLBACK)
        else:
            verdict = verdicts.on_attempt(attempt_pk=order.pk, word=word, now=now, changed_by=Actor.CALLBACK)
        order.refresh_from_db()
        return verdict

    def paid(self, order: Payment | PayoutAttempt, amount: str = "100", **told: Any) -> verdicts.Verdict:
        """Let the upstream say that an order was paid."""
        return self.says(order, base.UpstreamState.PAID, amount=amount, **told)

    def failed(self, order: Payment | PayoutAttempt, **told: Any) -> verdicts.Verdict:
        """Let the upstream say that an order failed."""
        return self.says(order, base.UpstreamState.FAILED, **told)

    def balances(self) -> tuple[Decimal, Decimal]:
        """Return available and frozen."""
        return ledger.balances([self.wallet.pk])[self.wallet.pk]

    def after_failure(self, rule: str) -> None:
        """Set what follows when an upstream refuses a payout: fail or hold."""
        rows = self.registered.merchant.merchant_services.filter(service="SVC0004")
        factories.set_terms(rows, after_failure=rule)

    def audit(self, rule: str, amount: str = "0") -> None:
        """Set the payout audit."""
        merchant = self.registered.merchant
        merchant.payout_audit, merchant.payout_audit_amount = rule, Decimal(amount)
        merchant.save()

    def tolerate(self, *, below: str = "0", above: str = "0") -> None:
        """Set the tolerance of new deposits, in per cent."""
        rows = ChannelService.objects.filter(channel=NAME, service="SVC0001")
        factories.set_terms(rows, tolerance_below=Decimal(below), tolerance_above=Decimal(above))


def system_balance(kind: str, *, channel: str | None = None, currency: str = "CNY") -> Decimal:
    """Return the balance of a system account; clearing and suspense belong to a channel."""
    account = Account.objects.get(kind=kind, channel=channel, currency=currency)
    return ledger.system_balances([account.pk])[account.pk]


def later(seconds: int) -> int:
    """Let the sweeper run as it would so many seconds from now."""
    return submission.query_due(now=clock.now() + timedelta(seconds=seconds))


def open_desk(upstream: ScriptedUpstream, name: str = "Acme") -> Desk:
    """Register a merchant at the scripted upstream."""
    if not ChannelService.objects.filter(channel=NAME).exists():
        factories.make_channel(NAME, upstream=NAME)
    terms = Terms(fee_permillage=Decimal(8))
    return Desk(factories.make_merchant(name, channels=[NAME], terms=terms), upstream)


@pytest.fixture
def desk(db: None, upstream: ScriptedUpstream) -> Desk:
    """Acme at the scripted upstream."""
    return open_desk(upstream)
