"""The adapter of the sandbox upstream: our request, one signed HTTP exchange, our words for the answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from urllib.parse import quote, urlsplit

from channels.upstreams import hearing, masking, transport
from channels.upstreams.base import (
    CallbackAnswer,
    CallbackMessage,
    CallbackRefused,
    Direction,
    Exchange,
    Inquiry,
    PaymentRequest,
    PayoutRequest,
    RawCallback,
    Receiver,
    RefusalCause,
    SettingField,
    Submission,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.sandbox import signing, wire

TIMEOUT_SECONDS_MAX = 15.0

_STATES_TOLD = frozenset({UpstreamState.PENDING, UpstreamState.PAID, UpstreamState.FAILED})


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came back. fields is None, and fault says why, unless it was complete, signed and readable."""

    exchange: Exchange
    status: int | None = None
    fields: dict[str, object] | None = None
    fault: str = ""


class SandboxAdapter:
    """Speaks to one account of a sandbox. A reference sent twice makes one order, so it may be sent again."""

    setting_fields: tuple[SettingField, ...] = (
        SettingField(name="base_url", label="Address", default="http://127.0.0.1:8100"),
        SettingField(name="account", label="Account"),
        SettingField(name="secret", label="Secret", is_secret=True),
        SettingField(name="timeout_seconds", label="Seconds to wait", is_required=False, default="15"),
    )
    is_submit_idempotent: bool = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Bind to a channel's settings.

        Raises: ValueError naming the setting that is missing or makes no sense.
        """
        self._base_url = _base_url(settings.get("base_url", ""))
        self._account = _required(settings, "account")
        self._secret = _required(settings, "secret")
        self._timeout_seconds = _timeout_seconds(settings.get("timeout_seconds", ""))

    def submit_payment(self, request: PaymentRequest) -> Submission:
        """Place a deposit. Returns UNKNOWN for whatever is not a signed, readable yes or no."""
        fields: dict[str, object] = {
            "reference": request.reference,
            "service": request.service,
            "amount": wire.amount_text(request.amount),
            "currency": request.currency,
            "callback_url": request.callback_url,
            "expires_at": request.expires_at.isoformat(),
            "payer": asdict(request.payer),
            "remark_code": request.remark_code,
        }
        return _submission(sent=fields, heard=self._exchange("POST", wire.PAYMENTS_PATH, fields))

    def submit_payout(self, request: PayoutRequest) -> Submission:
        """Place a payout. Returns UNKNOWN for whatever is not a signed, readable yes or no."""
        fields: dict[str, object] = {
            "reference": request.reference,
            "service": request.service,
            "amount": wire.amount_text(request.amount),
            "currency": request.currency,
            "callback_url": request.callback_url,
            "recipient": asdict(request.recipient),
        }
        return _submission(sent=fields, heard=self._exchange("POST", wire.PAYOUTS_PATH, fields))

    def query(self, *, direction: Direction, reference: str) -> Inquiry:
        """Ask for an order by our reference. NOT_FOUND only when the sandbox said so, signed."""
        path = f"{wire.ORDERS_PATH}{quote(reference, safe='')}?direction={direction.value}"
        heard = self._exchange("GET", path, None)
        unknown = Inquiry(state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=heard.fault)
        if heard.fields is None:
            return unknown
        try:
            return _inquiry(heard, heard.fields, direction=direction, reference=reference)
        except wire.Unreadable as fault:
            return Inquiry(
                state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=f"unreadable: {fault}"
            )

    def parse_callback(self, callback: RawCallback) -> CallbackMessage:
        """Return what a callback says, once its signature and its age are proven.

        Raises: CallbackRefused.
        """
        if callback.headers.get(signing.HEADER_KEY, "") != self._account:
            raise CallbackRefused(f"the header {signing.HEADER_KEY} is missing or names another account")
        try:
            timestamp = signing.fresh_timestamp(callback.headers, now=callback.received_at.timestamp())
            expected = signing.callback_signature(
                secret=self._secret, account=self._account, timestamp=timestamp, body=callback.body
            )
            signing.check(callback.headers, expected=expected)
            return _callback_message(wire.load(callback.body))
        except (signing.SignatureRefused, wire.Unreadable) as fault:
            raise CallbackRefused(str(fault)) from fault

    def answer_callback(self, *, is_accepted: bool) -> CallbackAnswer:
        """Return the answer that ends the callback's repeats, or the one that keeps them coming."""
        return CallbackAnswer(
            http_status=200 if is_accepted else 503,
            content_type="application/json",
            body=wire.dump({"received": is_accepted}).decode(),
        )

    def _exchange(self, method: str, path: str, fields: dict[str, object] | None) -> _Heard:
        body = b"" if fields is None else wire.dump(fields)
        timestamp = str(int(time.time()))
        signature = signing.request_signature(
            secret=self._secret, method=method, path=self._path_sent(path), timestamp=timestamp, body=body
        )
        headers = signing.headers(account=self._account, timestamp=timestamp, signature=signature)
        if fields is not None:
            headers["content-type"] = "application/json"
        shown = f"{method} {self._base_url}{path}"
        if fields is not None:
            shown += "\n" + masking.fields_text(fields)
        started = time.monotonic()
        try:
            answer = transport.exchange(
                method=method,
                url=self._base_url + path,
                headers=headers,
                body=body,
                timeout_seconds=self._timeout_seconds,
            )
        except transport.NoAnswer as fault:
            exchange = hearing.record(shown, f"no answer: {fault}", None, started)
            return _Heard(exchange=exchange, fault=str(fault))
        return self._heard(answer, request=signature, shown=shown, sent=fields, started=started)

    def _path_sent(self, path: str) -> str:
        return urlsplit(self._base_url).path + path

    def _heard(
        self,
        answer: transport.HttpAnswer,
        *,
        request: str,
        shown: str,
        sent: dict[str, object] | None,
        started: float,
    ) -> _Heard:
        fields: dict[str, object] | None = None
        fault = ""
        try:
            fields = wire.load(answer.body)
            response = masking.without(masking.fields_text(fields), sensitive=masking.sensitive_values(sent))
        except wire.Unreadable as unreadable:
            fault = f"unreadable answer: {unreadable}"
            text = answer.body.decode(errors="replace")
            response = masking.prose(text, sensitive=masking.sensitive_values(sent))
        exchange = hearing.record(shown, f"HTTP {answer.status}\n{response}", answer.status, started)
        try:
            timestamp = signing.fresh_timestamp(answer.headers, now=time.time())
            expected = signing.answer_signature(
                secret=self._secret,
                status=answer.status,
                timestamp=timestamp,
                request=request,
                body=answer.body,
            )
            signing.check(answer.headers, expected=expected)
        except signing.SignatureRefused as refusal:
            fields, fault = None, f"HTTP {answer.status} that cannot be trusted: {refusal}"
        return _Heard(exchange=exchange, status=answer.status, fields=fields, fault=fault)


def _required(settings: Mapping[str, str], name: str) -> str:
    value = settings.get(name, "").strip()
    if not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"The setting {name} is missing or holds characters other than plain ASCII.")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("The setting base_url must be an address such as http://127.0.0.1:8100.")
    # urlsplit only reads the port when asked, and then refuses nonsense with a ValueError.
    _ = parts.port
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _timeout_seconds(value: str) -> float:
    seconds = float(value) if value.strip() else TIMEOUT_SECONDS_MAX
    if not 0 < seconds <= TIMEOUT_SECONDS_MAX:
        raise ValueError("The setting timeout_seconds must be above 0 and at most 15.")
    return seconds


def _submission(*, sent: dict[str, object], heard: _Heard) -> Submission:
    if heard.fields is None:
        return Submission(outcome=SubmissionOutcome.UNKNOWN, exchange=heard.exchange, reason=heard.fault)
    try:
        if heard.status == 200:
            return _accepted(heard.exchange, heard.fields, sent=sent)
        code = wire.text(heard.fields, "code")
        reason = masking.prose(wire.text(heard.fields, "reason"), sensitive=masking.sensitive_values(sent))
        # Any other "no" (a conflict of contents, a clock that is off) does not prove that this reference has
        # no order: an earlier try may have made one. Such a "no" must not release money.
        is_refused = (
            heard.status == 422
            and code == wire.ORDER_REFUSED
            and heard.fields.get("reference") == sent["reference"]
        )
        is_account_unknown = is_refused and heard.fields.get("cause") == wire.ACCOUNT_UNKNOWN
        return Submission(
            outcome=SubmissionOutcome.REFUSED if is_refused else SubmissionOutcome.UNKNOWN,
            exchange=heard.exchange,
            reason=reason or code,
            cause=RefusalCause.ACCOUNT_UNKNOWN if is_account_unknown else RefusalCause.OTHER,
        )
    except wire.Unreadable as fault:
        reason = f"unreadable answer: {fault}"
        return Submission(outcome=SubmissionOutcome.UNKNOWN, exchange=heard.exchange, reason=reason)


def _accepted(exchange: Exchange, fields: dict[str, object], *, sent: dict[str, object]) -> Submission:
    for name in ("reference", "amount", "currency"):
        if fields.get(name) != sent[name]:
            raise wire.Unreadable(f"{name} is not the one that was sent")
    return Submission(
        outcome=SubmissionOutcome.ACCEPTED,
        exchange=exchange,
        channel_order_no=wire.required_text(fields, "channel_order_no", length_max=64),
        link=wire.text(fields, "link", length_max=2048),
        qr_text=wire.text(fields, "qr_text", length_max=2048),
        receiver=None if fields.get("receiver") is None else _receiver(wire.section(fields, "receiver")),
        display_amount=None
        if fields.get("display_amount") is None
        else wire.amount(fields, "display_amount"),
    )


def _receiver(fields: dict[str, object]) -> Receiver:
    return Receiver(
        card_name=wire.text(fields, "card_name"),
        card_number=wire.text(fields, "card_number"),
        bank_code=wire.text(fields, "bank_code"),
        bank_name=wire.text(fields, "bank_name"),
        bank_branch=wire.text(fields, "bank_branch"),
    )


def _inquiry(heard: _Heard, fields: dict[str, object], *, direction: Direction, reference: str) -> Inquiry:
    if heard.status not in (200, 404):
        reason = masking.prose(wire.text(fields, "reason") or wire.text(fields, "code"))
        return Inquiry(state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=reason)
    if fields.get("reference") != reference or fields.get("direction") != direction.value:
        raise wire.Unreadable("the answer is about another order")
    if heard.status == 404:
        if fields.get("state") != UpstreamState.NOT_FOUND.value:
            raise wire.Unreadable("the state is not one that HTTP 404 goes with")
        return Inquiry(state=UpstreamState.NOT_FOUND, exchange=heard.exchange)
    state = _state(fields)
    return Inquiry(
        state=state,
        exchange=heard.exchange,
        channel_order_no=wire.required_text(fields, "channel_order_no", length_max=64),
        amount=_amount_moved(fields, state),
        currency=wire.currency(fields),
        reason=masking.prose(wire.text(fields, "reason")),
    )


def _state(fields: dict[str, object]) -> UpstreamState:
    told = wire.required_text(fields, "state", length_max=16)
    for state in _STATES_TOLD:
        if told == state.value:
            return state
    raise wire.Unreadable("the state is not one we know")


def _amount_moved(fields: dict[str, object], state: UpstreamState) -> Decimal | None:
    return wire.amount(fields, "amount") if state is UpstreamState.PAID else None


def _callback_message(fields: dict[str, object]) -> CallbackMessage:
    state = _state(fields)
    try:
        direction = Direction(wire.required_text(fields, "direction", length_max=16))
    except ValueError:
        raise wire.Unreadable("the direction is not one we know") from None
    return CallbackMessage(
        direction=direction,
        reference=wire.required_text(fields, "reference", length_max=64),
        channel_order_no=wire.required_text(fields, "channel_order_no", length_max=64),
        state=state,
        amount=_amount_moved(fields, state),
        currency=wire.currency(fields),
        reason=masking.prose(wire.text(fields, "reason")),
    )
