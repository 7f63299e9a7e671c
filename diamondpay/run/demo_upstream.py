"""The upstream of the demo's history: it plays the sandbox inside this process, without a network call.

Submissions and queries are answered as the stories want them. Callbacks are written and signed exactly as
the sandbox signs them, and the sandbox's own adapter verifies them: that half of it is not rehearsed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from channels import secrets
from channels.models import Channel
from channels.upstreams import masking, registry
from channels.upstreams.base import (
    Direction,
    Exchange,
    Inquiry,
    PaymentRequest,
    PayoutRequest,
    Receiver,
    Submission,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.sandbox import signing, wire
from channels.upstreams.sandbox.adapter import SandboxAdapter
from channels.upstreams.sandbox.upstream import RECEIVERS, SERVICES_WITH_RECEIVER

NAME = "sandbox"
REHEARSED = "Demo history: rehearsed inside DiamondPay, nothing was sent."
NO_ANSWER = "no answer within 15 s"


@dataclass(slots=True)
class Known:
    """An order as the upstream knows it. Units: amount in major units; None until something was paid."""

    state: UpstreamState
    currency: str
    amount: Decimal | None = None


@dataclass(slots=True)
class Upstream:
    """What the upstream knows, and how it answers the next submission.

    A silent upstream (UNKNOWN) has taken the order all the same, unless it is deaf.
    """

    orders: dict[str, Known] = field(default_factory=dict)
    answer: SubmissionOutcome = SubmissionOutcome.ACCEPTED
    reason: str = ""
    is_deaf: bool = False

    def cue(self, answer: SubmissionOutcome, reason: str = "", *, is_deaf: bool = False) -> None:
        """Set how the next submission, and only that one, is answered."""
        self.answer, self.reason, self.is_deaf = answer, reason, is_deaf

    def submit(self, *, reference: str, currency: str) -> tuple[SubmissionOutcome, str]:
        """Take an order as cued, and go back to accepting."""
        answer, reason = self.answer, self.reason
        if answer is not SubmissionOutcome.REFUSED and not self.is_deaf:
            self.orders.setdefault(reference, Known(UpstreamState.PENDING, currency))
        self.cue(SubmissionOutcome.ACCEPTED)
        return answer, reason


class RehearsedAdapter(SandboxAdapter):
    """The sandbox's adapter without the network; bound to one `Upstream` by `performing`."""

    upstream: ClassVar[Upstream] = Upstream()

    def submit_payment(self, request: PaymentRequest) -> Submission:
        """Answer as cued."""
        fields: dict[str, object] = {
            "reference": request.reference,
            "service": request.service,
            "amount": wire.amount_text(request.amount),
            "currency": request.currency,
            "callback_url": request.callback_url,
            "payer": asdict(request.payer),
            "remark_code": request.remark_code,
        }
        receiver = None
        if request.service in SERVICES_WITH_RECEIVER:
            receiver = Receiver(**RECEIVERS[_digest(request.reference)[0] % len(RECEIVERS)])
        return self._submit(fields, path=wire.PAYMENTS_PATH, receiver=receiver)

    def submit_payout(self, request: PayoutRequest) -> Submission:
        """Answer as cued."""
        fields: dict[str, object] = {
            "reference": request.reference,
            "service": request.service,
            "amount": wire.amount_text(request.amount),
            "currency": request.currency,
            "callback_url": request.callback_url,
            "recipient": asdict(request.recipient),
        }
        return self._submit(fields, path=wire.PAYOUTS_PATH, receiver=None)

    def query(self, *, direction: Direction, reference: str) -> Inquiry:
        """Say what became of an order."""
        known = self.upstream.orders.get(reference)
        path = f"GET {wire.ORDERS_PATH}{reference}?direction={direction.value}"
        if known is None:
            exchange = _exchange(path, {"state": UpstreamState.NOT_FOUND.value}, 404, reference)
            return Inquiry(state=UpstreamState.NOT_FOUND, exchange=exchange)
        told = {"reference": reference, "state": known.state.value, "amount": str(known.amount or "")}
        return Inquiry(
            state=known.state,
            exchange=_exchange(path, told, 200, reference),
            channel_order_no=channel_order_no(reference),
            amount=known.amount,
            currency=known.currency,
        )

    def _submit(self, fields: dict[str, object], *, path: str, receiver: Receiver | None) -> Submission:
        reference = str(fields["reference"])
        outcome, reason = self.upstream.submit(reference=reference, currency=str(fields["currency"]))
        shown = f"POST {path}\n{masking.fields_text(fields)}"
        if outcome is SubmissionOutcome.UNKNOWN:
            exchange = Exchange(f"{REHEARSED}\n{shown}", f"no answer: {NO_ANSWER}", None, 15_000)
            return Submission(outcome=outcome, exchange=exchange, reason=reason or NO_ANSWER)
        if outcome is SubmissionOutcome.REFUSED:
            exchange = _exchange(shown, {"code": wire.ORDER_REFUSED, "reason": reason}, 422, reference)
            return Submission(outcome=outcome, exchange=exchange, reason=reason)
        number = channel_order_no(reference)
        return Submission(
            outcome=outcome,
            exchange=_exchange(shown, {"reference": reference, "channel_order_no": number}, 200, reference),
            channel_order_no=number,
            receiver=receiver,
        )


def channel_order_no(reference: str) -> str:
    """Return the upstream's number of an order, in the sandbox's form."""
    return f"SB{_digest(reference).hex().upper()}"


def callback(
    *,
    channel: Channel,
    direction: Direction,
    reference: str,
    known: Known,
    at: datetime,
    number: str = "",
    reason: str = "",
    is_forged: bool = False,
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a callback, signed with the channel's secret as the sandbox signs."""
    settings = secrets.settings_of(channel)
    number = number or channel_order_no(reference)
    body = wire.dump(
        {
            "event_id": f"EV{_digest(f'{reference} {at}').hex().upper()}",
            "direction": direction.value,
            "reference": reference,
            "channel_order_no": number,
            "state": known.state.value,
            "amount": None if known.amount is None else wire.amount_text(known.amount),
            "currency": known.currency,
            "reason": reason,
        }
    )
    timestamp = str(int(at.timestamp()))
    secret = settings["secret"] + ("-forged" if is_forged else "")
    signature = signing.callback_signature(
        secret=secret, account=settings["account"], timestamp=timestamp, body=body
    )
    headers = signing.headers(account=settings["account"], timestamp=timestamp, signature=signature)
    return {**headers, "content-type": "application/json"}, body


@contextmanager
def performing(upstream: Upstream) -> Iterator[None]:
    """Let the rehearsed upstream stand in for the sandbox in this process, and in no other."""
    real, RehearsedAdapter.upstream = registry.ADAPTERS[NAME], upstream
    registry.ADAPTERS[NAME] = RehearsedAdapter
    try:
        yield
    finally:
        registry.ADAPTERS[NAME] = real


def _exchange(request: str, answer: Mapping[str, object], status: int, reference: str) -> Exchange:
    duration_ms = 40 + int.from_bytes(_digest(reference)[1:3], "big") % 400
    response = f"HTTP {status}\n{masking.fields_text(answer)}"
    return Exchange(f"{REHEARSED}\n{request}", response, status, duration_ms)


def _digest(text: str) -> bytes:
    return hashlib.blake2s(text.encode(), digest_size=10).digest()
