"""DiamondPay as a client of the transaction-request API: our request, one HTTP exchange, our words for it.

Our reference is the merchantOrderNo there, and the order's requestCode is its channel order number here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote, urlsplit

from channels.upstreams import masking, transport
from channels.upstreams.base import (
    CallbackAnswer,
    CallbackMessage,
    CallbackRefused,
    Direction,
    Exchange,
    Inquiry,
    Party,
    PaymentRequest,
    PayoutRequest,
    RawCallback,
    SettingField,
    Submission,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.transaction_request import signing, wire

TIMEOUT_SECONDS_MAX = 15.0
BASE_PATH = "/api/v2/merchant"
_KEY_HEADERS = ("access_key", "access-key")
_TRADE_TYPES = {Direction.DEPOSIT: "Deposit", Direction.PAYOUT: "Withdraw"}
_STATES = {
    "Reviewing": UpstreamState.PENDING,
    "Matching": UpstreamState.PENDING,
    "InProgress": UpstreamState.PENDING,
    "Finished": UpstreamState.PAID,
    "Failed": UpstreamState.FAILED,
    "Cancelled": UpstreamState.FAILED,
}
# What moved: the fiat that the payer sent, or that the recipient got.
_MOVED = {Direction.DEPOSIT: "paymentAmount", Direction.PAYOUT: "receivedAmount"}
# A "no" that proves that no order was made. Any other (taken number, replay, a clock that is off, nothing
# available just now) does not prove that an earlier try under this number made none.
_REFUSALS = frozenset(
    {(400, "INVALID_PARAMETER"), (422, "INSUFFICIENT_BALANCE"), (422, "AMOUNT_OUT_OF_RANGE")}
)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came back. envelope is None, and fault says why, unless it was complete, proven and readable."""

    exchange: Exchange
    status: int | None = None
    envelope: wire.Envelope | None = None
    fault: str = ""


class TransactionRequestAdapter:
    """Speaks to one merchant account of a transaction-request API.

    `signed_answers` = "yes" trusts only answers that carry a signature, as DiamondPay's do. "no" is for
    upstreams that sign none: then TLS alone vouches for them, so the address must be https.
    """

    setting_fields: tuple[SettingField, ...] = (
        SettingField(name="base_url", label="Address", default="https://"),
        SettingField(name="access_key", label="Access key"),
        SettingField(name="secret_key", label="Secret key", is_secret=True),
        SettingField(
            name="signed_answers", label="Answers are signed (yes or no)", is_required=False, default="yes"
        ),
        SettingField(
            name="key_header",
            label="Header of the access key (access_key or access-key)",
            is_required=False,
            default="access_key",
        ),
        SettingField(
            name="payment_methods", label="Payment methods (bit mask)", is_required=False, default="1"
        ),
        SettingField(name="timeout_seconds", label="Seconds to wait", is_required=False, default="15"),
    )
    is_submit_idempotent: bool = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Bind to a channel's settings.

        Raises: ValueError naming the setting that is missing or makes no sense.
        """
        self._access_key = _required(settings, "access_key")
        self._secret_key = _required(settings, "secret_key")
        self._is_signed = _one_of(settings, "signed_answers", ("yes", "no")) == "yes"
        self._key_header = _one_of(settings, "key_header", _KEY_HEADERS)
        self._base_url = _base_url(settings.get("base_url", ""), is_signed=self._is_signed)
        self._methods = _methods(settings.get("payment_methods", ""))
        self._timeout_seconds = _timeout_seconds(settings.get("timeout_seconds", ""))

    def submit_payment(self, request: PaymentRequest) -> Submission:
        """Place a deposit. Returns UNKNOWN for whatever is not a proven, readable yes or no."""
        fields: dict[str, object] = {
            # The API wants a name; where nobody gave one, our reference stands for the payer.
            "client": {"realName": request.payer.name or request.reference},
            "depositCurrency": request.currency,
            "fiatCurrency": request.currency,
            "depositAmount": request.amount,
            "merchantOrderNo": request.reference,
            "webhookUrl": request.callback_url,
            "language": "en",
            "paymentMethod": {"method": self._methods},
        }
        heard = self._exchange("POST", "/deposit", fields, hidden=_hidden(request.payer))
        return _submission(request, heard, direction=Direction.DEPOSIT, hidden=_hidden(request.payer))

    def submit_payout(self, request: PayoutRequest) -> Submission:
        """Place a payout. Returns UNKNOWN for whatever is not a proven, readable yes or no."""
        recipient = request.recipient
        fields: dict[str, object] = {
            "client": {"realName": recipient.name},
            "withdrawCurrency": request.currency,
            "fiatCurrency": request.currency,
            "withdrawAmount": request.amount,
            "bankCard": {
                "cardNumber": recipient.account,
                "bankName": recipient.bank_name or recipient.bank_code,
                "bankBranchName": "",
            },
            "requiresReview": False,
            "merchantOrderNo": request.reference,
            "webhookUrl": request.callback_url,
        }
        heard = self._exchange("POST", "/withdraw/bank-card", fields, hidden=_hidden(recipient))
        return _submission(request, heard, direction=Direction.PAYOUT, hidden=_hidden(recipient))

    def query(self, *, direction: Direction, reference: str) -> Inquiry:
        """Ask for an order by our reference. NOT_FOUND only when the upstream proved that it said so."""
        path = f"/transaction-request?merchantOrderNo={quote(reference, safe='')}"
        heard = self._exchange("GET", path, None)
        if heard.envelope is None:
            return Inquiry(state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=heard.fault)
        try:
            return _inquiry(heard, heard.envelope, direction=direction, reference=reference)
        except wire.Unreadable as fault:
            return Inquiry(
                state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=f"unreadable: {fault}"
            )

    def parse_callback(self, callback: RawCallback) -> CallbackMessage:
        """Return what a callback says, once the headers that cover its body have proven it.

        The signature inside the body covers nothing but a moment, so it is not enough to move money.
        Raises: CallbackRefused.
        """
        try:
            signing.check_webhook(
                callback.headers,
                secret_key=self._secret_key,
                body=callback.body,
                now=callback.received_at.timestamp(),
            )
            return _callback_message(wire.load(callback.body))
        except (signing.SignatureRefused, wire.Unreadable) as fault:
            raise CallbackRefused(str(fault)) from fault

    def answer_callback(self, *, is_accepted: bool) -> CallbackAnswer:
        """Return the answer that ends the callback's repeats, or the one that keeps them coming."""
        return CallbackAnswer(
            http_status=200 if is_accepted else 503,
            content_type="application/json",
            body='{"received":true}' if is_accepted else '{"received":false}',
        )

    def _exchange(
        self,
        method: str,
        path: str,
        fields: dict[str, object] | None,
        *,
        hidden: frozenset[str] = frozenset(),
    ) -> _Heard:
        timestamp = str(signing.next_timestamp())
        signature = signing.call_signature(
            access_key=self._access_key, secret_key=self._secret_key, timestamp=timestamp
        )
        headers = {self._key_header: self._access_key, "timestamp": timestamp, "signature": signature}
        body = b"" if fields is None else wire.dump(fields)
        url = f"{self._base_url}{BASE_PATH}{path}"
        shown = f"{method} {url}"
        if fields is not None:
            headers["content-type"] = "application/json"
            shown += "\n" + masking.fields_text(fields)
        started = time.monotonic()
        try:
            answer = transport.exchange(
                method=method, url=url, headers=headers, body=body, timeout_seconds=self._timeout_seconds
            )
        except transport.NoAnswer as fault:
            return _Heard(
                exchange=_exchange_record(shown, f"no answer: {fault}", None, started), fault=str(fault)
            )
        return self._heard(answer, call=signature, shown=shown, hidden=hidden, started=started)

    def _heard(
        self, answer: transport.HttpAnswer, *, call: str, shown: str, hidden: frozenset[str], started: float
    ) -> _Heard:
        envelope: wire.Envelope | None = None
        fault = ""
        try:
            fields = wire.load(answer.body)
            response = masking.without(masking.fields_text(fields), sensitive=hidden)
            envelope = wire.envelope(fields)
        except wire.Unreadable as unreadable:
            fault = f"unreadable answer: {unreadable}"
            response = masking.prose(answer.body.decode(errors="replace"), sensitive=hidden)
        exchange = _exchange_record(shown, f"HTTP {answer.status}\n{response}", answer.status, started)
        try:
            if self._is_signed:
                signing.check_answer(
                    answer.headers,
                    secret_key=self._secret_key,
                    call=call,
                    status=answer.status,
                    body=answer.body,
                )
        except signing.SignatureRefused as refusal:
            envelope, fault = None, f"HTTP {answer.status} that cannot be trusted: {refusal}"
        return _Heard(exchange=exchange, status=answer.status, envelope=envelope, fault=fault)


def _hidden(party: Party) -> frozenset[str]:
    """Return what of a person must not be read in an exchange, also where it was never sent."""
    return frozenset(filter(None, (party.account, party.phone, party.id_number)))


def _exchange_record(request: str, response: str, http_status: int | None, started: float) -> Exchange:
    return Exchange(
        request=masking.shortened(request),
        response=masking.shortened(response),
        http_status=http_status,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def _submission(
    request: PaymentRequest | PayoutRequest, heard: _Heard, *, direction: Direction, hidden: frozenset[str]
) -> Submission:
    envelope, exchange = heard.envelope, heard.exchange
    if envelope is None:
        return Submission(outcome=SubmissionOutcome.UNKNOWN, exchange=exchange, reason=heard.fault)
    if envelope.data is None:
        is_refused = (heard.status, envelope.status_code) in _REFUSALS
        reason = masking.prose(envelope.message or envelope.status_code, sensitive=hidden)
        outcome = SubmissionOutcome.REFUSED if is_refused else SubmissionOutcome.UNKNOWN
        return Submission(outcome=outcome, exchange=exchange, reason=reason)
    try:
        return _made(request, envelope.data, exchange, direction=direction)
    except wire.Unreadable as fault:
        reason = f"unreadable answer: {fault}"
        return Submission(outcome=SubmissionOutcome.UNKNOWN, exchange=exchange, reason=reason)


def _made(
    request: PaymentRequest | PayoutRequest,
    data: Mapping[str, object],
    exchange: Exchange,
    *,
    direction: Direction,
) -> Submission:
    """Read the order that was made. One that has failed at once is refused: the upstream says so itself."""
    _check_order(data, direction=direction, reference=request.reference)
    if wire.amount(data, "requestAmount") != request.amount or _currencies(data) != {request.currency}:
        raise wire.Unreadable("the order is about another sum than was sent")
    if _state(data) is UpstreamState.FAILED:
        reason = masking.prose(wire.text(data, "endedReason")) or "The upstream ended the order at once."
        return Submission(outcome=SubmissionOutcome.REFUSED, exchange=exchange, reason=reason)
    is_deposit = direction is Direction.DEPOSIT
    return Submission(
        outcome=SubmissionOutcome.ACCEPTED,
        exchange=exchange,
        channel_order_no=wire.text(data, "requestCode", length_max=64, is_required=True),
        link=wire.text(data, "paymentUrl", length_max=500) if is_deposit else "",
        display_amount=wire.amount(data, "paymentAmount") if is_deposit else None,
    )


def _inquiry(heard: _Heard, envelope: wire.Envelope, *, direction: Direction, reference: str) -> Inquiry:
    data = envelope.data
    if data is None:
        is_absent = (heard.status, envelope.status_code) == (404, "NOT_FOUND")
        state = UpstreamState.NOT_FOUND if is_absent else UpstreamState.UNKNOWN
        return Inquiry(state=state, exchange=heard.exchange, reason=masking.prose(envelope.message))
    if data.get("tradeType") != _TRADE_TYPES[direction] and data.get("merchantOrderNo") == reference:
        return Inquiry(state=UpstreamState.NOT_FOUND, exchange=heard.exchange)
    _check_order(data, direction=direction, reference=reference)
    state = _state(data)
    return Inquiry(
        state=state,
        exchange=heard.exchange,
        channel_order_no=wire.text(data, "requestCode", length_max=64, is_required=True),
        amount=_moved(data, state, direction),
        currency=wire.text(data, "fiatCurrency", length_max=8, is_required=True),
        reason=masking.prose(wire.text(data, "endedReason")),
    )


def _callback_message(data: Mapping[str, object]) -> CallbackMessage:
    directions = [way for way, word in _TRADE_TYPES.items() if word == data.get("tradeType")]
    if not directions:
        raise wire.Unreadable("the tradeType is not one we know")
    state = _state(data)
    return CallbackMessage(
        direction=directions[0],
        reference=wire.text(data, "merchantOrderNo", length_max=64, is_required=True),
        channel_order_no=wire.text(data, "requestCode", length_max=64, is_required=True),
        state=state,
        amount=_moved(data, state, directions[0]),
        currency=wire.text(data, "fiatCurrency", length_max=8, is_required=True),
        reason=masking.prose(wire.text(data, "endedReason")),
    )


def _check_order(data: Mapping[str, object], *, direction: Direction, reference: str) -> None:
    if data.get("merchantOrderNo") != reference or data.get("tradeType") != _TRADE_TYPES[direction]:
        raise wire.Unreadable("the answer is about another order")


def _currencies(data: Mapping[str, object]) -> set[object]:
    return {data.get("requestCurrency"), data.get("fiatCurrency")}


def _state(data: Mapping[str, object]) -> UpstreamState:
    told = wire.text(data, "status", length_max=16, is_required=True)
    if told not in _STATES:
        raise wire.Unreadable("the status is not one we know")
    return _STATES[told]


def _moved(data: Mapping[str, object], state: UpstreamState, direction: Direction) -> Decimal | None:
    return wire.amount(data, _MOVED[direction]) if state is UpstreamState.PAID else None


def _required(settings: Mapping[str, str], name: str) -> str:
    value = settings.get(name, "").strip()
    if not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"The setting {name} is missing or holds characters other than plain ASCII.")
    return value


def _one_of(settings: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = settings.get(name, "").strip() or choices[0]
    if value not in choices:
        raise ValueError(f"The setting {name} must be {' or '.join(choices)}.")
    return value


def _base_url(value: str, *, is_signed: bool) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("The setting base_url must be an address such as https://pay.example.com.")
    if parts.scheme != "https" and not is_signed:
        raise ValueError("Without signed answers the setting base_url must begin with https://.")
    # urlsplit only reads the port when asked, and then refuses nonsense with a ValueError.
    _ = parts.port
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _methods(value: str) -> int:
    text = value.strip() or "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 31):
        raise ValueError("The setting payment_methods must be a number from 1 to 31.")
    return int(text)


def _timeout_seconds(value: str) -> float:
    seconds = float(value) if value.strip() else TIMEOUT_SECONDS_MAX
    if not 0 < seconds <= TIMEOUT_SECONDS_MAX:
        raise ValueError("The setting timeout_seconds must be above 0 and at most 15.")
    return seconds
