"""What every upstream adapter offers, and the words it answers in.

An adapter is stateless and knows nothing of Django or of our tables: it is given the channel's decrypted
settings and turns our request into one HTTP exchange. The caller holds no transaction while it runs.

The one rule that matters: **unknown is never failed**. An adapter says REFUSED or FAILED only when the
upstream said so in a signed, readable answer. A timeout, a reset, a 5xx, HTML, half a JSON document are
UNKNOWN.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol


class Direction(enum.StrEnum):
    """Which way the money goes: in (deposit) or out (payout)."""

    DEPOSIT = "deposit"
    PAYOUT = "payout"


class SubmissionOutcome(enum.StrEnum):
    """What we know after handing an order to the upstream."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class RefusalCause(enum.StrEnum):
    """Why an upstream refused an order, where a merchant can mend it; "" for every other reason."""

    OTHER = ""
    ACCOUNT_UNKNOWN = "account_unknown"


class UpstreamState(enum.StrEnum):
    """What the upstream says of an order when asked, or in a callback."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP call as it was made, for the order's timeline. Secrets and account numbers are already
    masked.
    """

    request: str
    response: str
    http_status: int | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Party:
    """The payer of a deposit or the recipient of a payout, in clear; empty strings where not given."""

    name: str = ""
    account: str = ""
    bank_code: str = ""
    bank_name: str = ""
    phone: str = ""
    id_number: str = ""
    ifsc_code: str = ""


@dataclass(frozen=True, slots=True)
class Receiving:
    """Where we chose to receive an order over a chain, and what its payer's wallet reads from a QR code.

    Units: amount is what must really be sent, major units; None where it is what was asked for.
    """

    address: str
    network: str
    qr_text: str
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A deposit to place. Units: amount in major units of currency. reference is ours and never reused.

    `receiving` is there for orders over a chain alone.
    """

    reference: str
    service: str
    amount: Decimal
    currency: str
    callback_url: str
    expires_at: datetime
    payer: Party
    remark_code: str = ""
    receiving: Receiving | None = None


@dataclass(frozen=True, slots=True)
class PayoutRequest:
    """A payout to place. Units: amount in major units of currency. reference is the attempt's id, never
    reused.
    """

    reference: str
    service: str
    amount: Decimal
    currency: str
    callback_url: str
    recipient: Party


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where the payer must send the money, for services that name a receiving account."""

    card_name: str = ""
    card_number: str = ""
    bank_code: str = ""
    bank_name: str = ""
    bank_branch: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """The answer to a submission. Units: display_amount is what the payer must really send, major units.

    `cause` says more of a refusal and of nothing else.
    """

    outcome: SubmissionOutcome
    exchange: Exchange
    channel_order_no: str = ""
    link: str = ""
    qr_text: str = ""
    receiver: Receiver | None = None
    display_amount: Decimal | None = None
    reason: str = ""
    cause: RefusalCause = RefusalCause.OTHER


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The answer to a query by our reference. Units: amount is what really moved, major units of currency."""

    state: UpstreamState
    exchange: Exchange
    channel_order_no: str = ""
    amount: Decimal | None = None
    currency: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RawCallback:
    """A callback as it arrived: header names lower case, body untouched.

    path is that of the address that we gave, without the host: some upstreams sign it too.
    received_at is when it came, by the database's clock: staleness is judged by it, however late it is read.
    """

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    path: str = ""


@dataclass(frozen=True, slots=True)
class CallbackMessage:
    """A verified callback. Units: amount is what really moved, major units of currency."""

    direction: Direction
    reference: str
    channel_order_no: str
    state: UpstreamState
    amount: Decimal | None
    currency: str
    reason: str = ""


class CallbackRefused(Exception):
    """The callback is unsigned, wrongly signed, stale or unreadable; the text says which, in words."""


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What to send back to the upstream, so that it stops (or goes on) repeating the callback."""

    http_status: int
    content_type: str
    body: str


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting of an adapter, for the channel's form. Secret settings are write-only on screen."""

    name: str
    label: str
    is_secret: bool = False
    is_required: bool = True
    default: str = ""


class Adapter(Protocol):
    """The contract. An instance is made per call with the channel's settings: `adapter_class(settings)`.

    submit_*: at most one HTTP exchange of at most 15 s in all. Sending the same reference twice must not
    make a second order where `is_submit_idempotent` is true: only then may an order that the upstream does
    not know be sent again.
    query: by our reference; NOT_FOUND only when the upstream said so in a signed, readable answer.
    parse_callback raises CallbackRefused; answer_callback says yes only for what was stored and has an
    outcome.
    """

    setting_fields: tuple[SettingField, ...]
    is_submit_idempotent: bool

    def __init__(self, settings: Mapping[str, str]) -> None: ...

    def submit_payment(self, request: PaymentRequest) -> Submission: ...

    def submit_payout(self, request: PayoutRequest) -> Submission: ...

    def query(self, *, direction: Direction, reference: str) -> Inquiry: ...

    def parse_callback(self, callback: RawCallback) -> CallbackMessage: ...

    def answer_callback(self, *, is_accepted: bool) -> CallbackAnswer: ...
