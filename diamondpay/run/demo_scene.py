"""What the demo's stories can do, each in the words of the product's own functions, at a time they choose."""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypedDict

from channels.models import Channel
from channels.upstreams.base import Direction, Party, SubmissionOutcome, UpstreamState
from diamondpay.lib import clock
from diamondpay.models import User
from diamondpay.run import demo_upstream
from diamondpay.run.demo_cast import Shop
from diamondpay.run.demo_plan import Planned
from diamondpay.run.demo_upstream import Known, Upstream
from merchants.models import Merchant, MerchantChannel
from operations import acts, approvals, placement
from operations.models import Act
from records import callbacks, payments, submission
from records.models import Payment, Payout, PayoutAttempt, PayoutStatus, Source

# A story gives the moment at which it goes on, and does the next thing when it is resumed.
Story = Generator[datetime, None, None]
UPSTREAM_ADDRESS = "127.0.0.1"
OFFICE_ADDRESS = "192.0.2.10"
_SWEPT_AFTER = timedelta(seconds=4)


class _Content(TypedDict):
    """What deposits and payouts have in common."""

    merchant: Merchant
    service_id: str
    merchant_order_no: str
    amount: Decimal
    party: Party
    bank: str
    notify_url: str
    dialect: str
    sign_type: str


@dataclass(slots=True, kw_only=True)
class Scene:
    """The merchants, people and channels of one window, and the upstream that plays for them."""

    merchants: Mapping[str, Merchant]
    people: Mapping[str, User]
    channels: Mapping[str, Channel]
    upstream: Upstream = field(default_factory=Upstream)

    # Orders

    def place_payment(self, order: Planned, *, at: datetime) -> Payment:
        """Place the planned deposit as its merchant does."""
        by_staff = order.story == "test_order"
        return placement.place_payment(
            order=placement.NewPayment(
                **self._content(order),
                source=Source.BACK_OFFICE if by_staff else Source.API_V1,
                placed_by=self.people["operator"] if by_staff else None,
                is_test=by_staff,
                remark_code="DEMO" if by_staff else "",
            ),
            now=at,
        )

    def place_payout(self, order: Planned, *, at: datetime) -> Payout:
        """Place the planned payout as its merchant does."""
        return placement.place_payout(
            order=placement.NewPayout(**self._content(order), source=Source.API_V1), now=at
        )

    def _content(self, order: Planned) -> _Content:
        shop: Shop = order.shop
        return {
            "merchant": self.merchants[shop.key],
            "service_id": order.service_id,
            "merchant_order_no": order.order_no,
            "amount": order.amount,
            "party": order.party,
            "bank": order.party.bank_code,
            "notify_url": shop.notify_url,
            "dialect": shop.dialect,
            "sign_type": shop.sign_type,
        }

    # What the upstream says

    def refuse_next(self, reason: str) -> None:
        """Let the upstream refuse the next submission."""
        self.upstream.cue(SubmissionOutcome.REFUSED, reason)

    def say_nothing_next(self, *, is_deaf: bool) -> None:
        """Let the next submission go without an answer; a deaf upstream has not even heard it."""
        self.upstream.cue(SubmissionOutcome.UNKNOWN, is_deaf=is_deaf)

    def call_back_payment(
        self,
        payment: Payment,
        *,
        at: datetime,
        state: UpstreamState = UpstreamState.PAID,
        amount: Decimal | None = None,
        currency: str = "",
        number: str = "",
        reason: str = "",
        is_forged: bool = False,
    ) -> None:
        """Let the upstream call back about a deposit; paid as asked for unless told otherwise."""
        paid = amount if amount is not None else payments.expected_amount(payment)
        self._call_back(
            channel_code=payment.channel_id,
            direction=Direction.DEPOSIT,
            reference=payment.payment_id,
            known=Known(
                state, currency or payment.currency_id, paid if state is UpstreamState.PAID else None
            ),
            at=at,
            number=number,
            reason=reason,
            is_forged=is_forged,
        )

    def call_back_attempt(
        self,
        attempt: PayoutAttempt,
        *,
        at: datetime,
        state: UpstreamState = UpstreamState.PAID,
        amount: Decimal | None = None,
        reason: str = "",
    ) -> None:
        """Let the upstream call back about a payout attempt."""
        paid = amount if amount is not None else attempt.payout.requested_amount
        self._call_back(
            channel_code=attempt.channel_id,
            direction=Direction.PAYOUT,
            reference=attempt.reference,
            known=Known(state, attempt.payout.currency_id, paid if state is UpstreamState.PAID else None),
            at=at,
            reason=reason,
        )

    def call_back_unknown(self, *, channel_code: str, reference: str, amount: Decimal, at: datetime) -> None:
        """Let the upstream report money for an order that is not ours."""
        channel = self.channels[channel_code]
        self._call_back(
            channel_code=channel_code,
            direction=Direction.DEPOSIT,
            reference=reference,
            known=Known(UpstreamState.PAID, channel.currency_id, amount),
            at=at,
        )

    def _call_back(
        self,
        *,
        channel_code: str,
        direction: Direction,
        reference: str,
        known: Known,
        at: datetime,
        number: str = "",
        reason: str = "",
        is_forged: bool = False,
    ) -> None:
        if reference in self.upstream.orders and not is_forged and not number:
            self.upstream.orders[reference] = known
        headers, body = demo_upstream.callback(
            channel=self.channels[channel_code],
            direction=direction,
            reference=reference,
            known=known,
            at=at,
            number=number,
            reason=reason,
            is_forged=is_forged,
        )
        callbacks.receive(
            channel_code=channel_code, headers=headers, body=body, source_address=UPSTREAM_ADDRESS, now=at
        )

    def knows(self, reference: str, *, state: UpstreamState, amount: Decimal | None, currency: str) -> None:
        """Let the upstream know how an order ended, and call nobody back."""
        self.upstream.orders[reference] = Known(state, currency, amount)

    # What the workers do

    def sweep(self, *, at: datetime) -> None:
        """Ask the upstream about every order that is due, as the worker does."""
        submission.query_due(now=at, read_clock=clock.going_on_from(at))

    def expire(self, *, at: datetime) -> None:
        """Close the deposits whose time is over, as the worker does."""
        payments.close_expired(now=at)

    def expire_acts(self, *, at: datetime) -> None:
        """End the acts that nobody decided in time, as the worker does."""
        approvals.expire_due(now=at)

    # What people do

    def ask(
        self,
        kind: Act.Kind,
        *,
        request_id: str,
        object_id: str,
        reason: str,
        at: datetime,
        object_kind: str = "merchant_channel",
        **evidence: str,
    ) -> Act:
        """Let the operator ask for an act with four eyes."""
        return approvals.request(
            kind=kind,
            object_kind=object_kind,
            object_id=object_id,
            evidence=evidence,
            reason=reason,
            request_id=request_id,
            user=self.people["operator"],
            now=at,
        )

    def agree(self, act: Act, *, at: datetime, reason: str = "Checked against the statement.") -> None:
        """Let the second person approve an act, which executes it."""
        approvals.approve(act_id=act.pk, user=self.people["approver"], reason=reason, now=at)

    def decline(self, act: Act, *, at: datetime, reason: str) -> None:
        """Let the second person reject an act."""
        approvals.reject(act_id=act.pk, user=self.people["approver"], reason=reason, now=at)

    def close(self, payment: Payment, *, reason: str, at: datetime) -> None:
        """Let the operator close a deposit."""
        acts.close_payment(
            payment_id=payment.payment_id,
            user=self.people["operator"],
            reason=reason,
            address=OFFICE_ADDRESS,
            now=at,
        )

    def review(self, payout: Payout, *, is_approved: bool, reason: str, at: datetime) -> None:
        """Let finance decide about a payout under review."""
        decide = acts.approve_payout if is_approved else acts.reject_payout
        decide(
            payout_id=payout.payout_id,
            user=self.people["finance"],
            reason=reason,
            address=OFFICE_ADDRESS,
            now=at,
        )

    # What stands in the book

    def wallet(self, shop: Shop, channel_code: str) -> MerchantChannel:
        """Return a shop's wallet."""
        return MerchantChannel.objects.get(merchant=self.merchants[shop.key], channel_id=channel_code)


def waiting(throw: random.Random, low: float, high: float) -> timedelta:
    """Return a wait; short ones are likelier. Units: seconds."""
    return timedelta(milliseconds=int(1000 * (low + (high - low) * throw.random() ** 2)))


def swept(due_at: datetime) -> datetime:
    """Return when a worker finds what is due: within its next round."""
    return due_at + _SWEPT_AFTER


def last_attempt(payout: Payout) -> PayoutAttempt:
    """Return the newest attempt of a payout, with the payout as it is now."""
    return payout.attempts.select_related("payout", "channel").order_by("-number")[0]


def is_under_review(payout: Payout) -> bool:
    """Say whether a person must decide about the payout first."""
    return payout.status == PayoutStatus.UNDER_REVIEW
