"""DiamondPay as a client of the transaction-request API: our request, one HTTP exchange, our words for it.

Our reference is the merchantOrderNo there, and the order's requestCode is its channel order number here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import quote

from channels.upstreams import hearing, masking, setting_values
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


_Heard = hearing.Heard[wire.Envelope]


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
        self._access_key = setting_values.required(settings, "access_key")
        self._secret_key = setting_values.required(settings, "secret_key")
        self._is_signed = setting_values.one_of(settings, "signed_answers", ("yes", "no")) == "yes"
        self._key_header = setting_values.one_of(settings, "key_header", _KEY_HEADERS)
        self._base_url = setting_values.base_url(settings, is_signed=self._is_signed)
        self._methods = _methods(settings.get("payment_methods", ""))
        self._timeout_seconds = setting_values.timeout_seconds(settings)

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
        call = hearing.Call(
            method=method, url=url, headers=headers, body=body, timeout_seconds=self._timeout_seconds,
            shown=shown, name=signature, secret_key=self._secret_key if self._is_signed else "",
            hidden=hidden,
        )  # fmt: skip
        return hearing.exchange(call, envelope=wire.envelope)


def _hidden(party: Party) -> frozenset[str]:
    """Return what of a person must not be read in an exchange, also where it was never sent."""
    return frozenset(filter(None, (party.account, party.phone, party.id_number)))


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


def _methods(value: str) -> int:
    text = value.strip() or "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 31):
        raise ValueError("The setting payment_methods must be a number from 1 to 31.")
    return int(text)
