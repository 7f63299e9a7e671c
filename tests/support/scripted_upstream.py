"""An upstream inside this process, for tests that need no HTTP: it keeps what it is sent and answers as told.

It is an outside world of the adapters' contract (`channels.upstreams.base`), not a stand-in for our code.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from channels.upstreams import base, registry

NAME = "scripted"
EXCHANGE = base.Exchange(request="a request", response="an answer", http_status=200, duration_ms=1)
HEADERS = {"x-script": "genuine"}
Request = base.PaymentRequest | base.PayoutRequest


@dataclass
class ScriptedUpstream:
    """Accepts what it is sent as `UP-<our reference>`, unless `answers` say otherwise, in turn."""

    is_submit_idempotent: bool = True
    answers: list[base.Submission] = field(default_factory=list)
    inquiries: dict[str, base.Inquiry] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    before_answer: Callable[[Request], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: Request) -> base.Submission:
        """Take an order; `before_answer` sees it first."""
        with self.lock:
            self.requests.append(request)
            answer = self.answers.pop(0) if self.answers else accepted(f"UP-{request.reference}")
        if self.before_answer is not None:
            self.before_answer(request)
        return answer

    def references(self) -> list[str]:
        """Return our references of what it was sent, in order."""
        return [request.reference for request in self.requests]

    def knows(
        self, reference: str, state: base.UpstreamState, amount: Decimal | None = None, currency: str = "CNY"
    ) -> None:
        """Let it answer this when it is asked for an order."""
        self.inquiries[reference] = base.Inquiry(
            state=state,
            exchange=EXCHANGE,
            channel_order_no=f"UP-{reference}",
            amount=amount,
            currency=currency,
        )


def accepted(number: str, *, display_amount: Decimal | None = None) -> base.Submission:
    """Return a yes."""
    return base.Submission(
        outcome=base.SubmissionOutcome.ACCEPTED,
        exchange=EXCHANGE,
        channel_order_no=number,
        display_amount=display_amount,
    )


def refused(reason: str = "no such account") -> base.Submission:
    """Return a definite no."""
    return base.Submission(outcome=base.SubmissionOutcome.REFUSED, exchange=EXCHANGE, reason=reason)


def unknown(reason: str = "no answer within 15 s") -> base.Submission:
    """Return what a timeout leaves."""
    return base.Submission(outcome=base.SubmissionOutcome.UNKNOWN, exchange=EXCHANGE, reason=reason)


class ScriptedAdapter:
    """The adapter of the one upstream that the fixture put here."""

    setting_fields: tuple[base.SettingField, ...] = ()
    upstream = ScriptedUpstream()

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.is_submit_idempotent = self.upstream.is_submit_idempotent

    def submit_payment(self, request: base.PaymentRequest) -> base.Submission:
        return self.upstream.take(request)

    def submit_payout(self, request: base.PayoutRequest) -> base.Submission:
        return self.upstream.take(request)

    def query(self, *, direction: base.Direction, reference: str) -> base.Inquiry:
        self.upstream.queries.append(reference)
        unheard = base.Inquiry(state=base.UpstreamState.NOT_FOUND, exchange=EXCHANGE)
        if reference in self.upstream.references():
            unheard = base.Inquiry(state=base.UpstreamState.PENDING, exchange=EXCHANGE)
        return self.upstream.inquiries.get(reference, unheard)

    def parse_callback(self, callback: base.RawCallback) -> base.CallbackMessage:
        if callback.headers.get("x-script") != "genuine":
            raise base.CallbackRefused("the signature is wrong")
        told = json.loads(callback.body)
        return base.CallbackMessage(
            direction=base.Direction(told["direction"]),
            reference=told["reference"],
            channel_order_no=told["number"],
            state=base.UpstreamState(told["state"]),
            amount=None if told["amount"] is None else Decimal(told["amount"]),
            currency=told["currency"],
        )

    def answer_callback(self, *, is_accepted: bool) -> base.CallbackAnswer:
        return base.CallbackAnswer(
            http_status=200 if is_accepted else 503,
            content_type="text/plain",
            body="yes" if is_accepted else "no",
        )


def callback_body(
    reference: str,
    *,
    amount: str | None,
    direction: str = "deposit",
    state: str = "paid",
    number: str | None = None,
    currency: str = "CNY",
) -> bytes:
    """Return what this upstream sends when an order has ended."""
    told = {
        "direction": direction,
        "reference": reference,
        "number": f"UP-{reference}" if number is None else number,
        "state": state,
        "amount": amount,
        "currency": currency,
    }
    return json.dumps(told).encode()


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """A fresh upstream, known to the registry as `scripted` while the test runs."""
    ScriptedAdapter.upstream = ScriptedUpstream()
    registry.ADAPTERS[NAME] = ScriptedAdapter
    yield ScriptedAdapter.upstream
    del registry.ADAPTERS[NAME]
