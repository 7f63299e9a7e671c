"""DiamondPay as a client of the payment-detail API: our request, one HTTP exchange, our words for it.

Our reference is the outTradeNo there, and the order's outPaymentNo is its channel order number here. The API
takes deposits only. An order is quoted in the channel's token where it is in that currency, else in fiat;
what was paid is told in units of the token, so it is read as a share of what was expected.
Source: payment-detail-api.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from urllib.parse import quote, urljoin, urlsplit

from channels.upstreams import hearing, masking, setting_values
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
    SettingField,
    Submission,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.payment_detail import signing, wire

# paymentStatus → what it means for us. Refunded there is money that we never get: an order that is credited
# here by then becomes a case, and a person decides.
_STATES = {
    0: UpstreamState.PAID,
    1: UpstreamState.PENDING,
    2: UpstreamState.PENDING,
    3: UpstreamState.PENDING,
    4: UpstreamState.FAILED,
    5: UpstreamState.FAILED,
}
_REFUNDED = 5
_GIVEN_BACK = "The upstream gave the money back to the payer."
# The only "no" that proves that no order was made: the parameters were read and refused. A taken number, a
# throttle, a key or a clock that is wrong do not prove that an earlier try under this number made none.
_REFUSED = (400, 400)
_ABSENT = (404, 404)
_NO_PAYOUTS = "The payment-detail API has no payouts."
_CHAIN_ID_MAX = 2**31 - 1


_Heard = hearing.Heard[wire.Envelope]


class PaymentDetailAdapter:
    """Speaks to one merchant account of a payment-detail API, over one chain and one token.

    `signed_answers` = "yes" trusts only answers that carry a signature, as DiamondPay's do. "no" is for
    upstreams that sign none: then TLS alone vouches for them, so the address must be https.
    """

    setting_fields: tuple[SettingField, ...] = (
        SettingField(name="base_url", label="Address", default="https://"),
        SettingField(name="key", label="Key (X-PAY-KEY)"),
        SettingField(name="secret", label="Secret", is_secret=True),
        SettingField(name="chain_id", label="Chain ID, from their list of chains"),
        SettingField(name="token_symbol", label="Token that is paid", default="USDT"),
        SettingField(
            name="decimals",
            label="Decimals of the channel's currency",
            is_required=False,
            default="2",
        ),
        SettingField(
            name="signed_answers", label="Answers are signed (yes or no)", is_required=False, default="yes"
        ),
        SettingField(name="timeout_seconds", label="Seconds to wait", is_required=False, default="15"),
    )
    is_submit_idempotent: bool = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Bind to a channel's settings.

        Raises: ValueError naming the setting that is missing or makes no sense.
        """
        self._key = setting_values.required(settings, "key")
        self._secret = setting_values.required(settings, "secret")
        self._chain_id = _whole(settings, "chain_id", default="", maximum=_CHAIN_ID_MAX)
        self._token = setting_values.required(settings, "token_symbol").upper()
        self._decimals = _whole(settings, "decimals", default="2", maximum=18)
        self._is_signed = setting_values.one_of(settings, "signed_answers", ("yes", "no")) == "yes"
        self._base_url = setting_values.base_url(settings, is_signed=self._is_signed)
        self._timeout_seconds = setting_values.timeout_seconds(settings)

    def submit_payment(self, request: PaymentRequest) -> Submission:
        """Place a deposit. Returns UNKNOWN for whatever is not a proven, readable yes or no."""
        fields: dict[str, object] = {
            "chainId": self._chain_id,
            "description": request.reference,
            "outTradeNo": request.reference,
            "isLegalTender": 0 if request.currency == self._token else 1,
            "quoteCurrencySymbol": request.currency,
            "quoteAmount": wire.plain(request.amount),
            "notifyUrl": request.callback_url,
        }
        hidden = frozenset(
            filter(None, (request.payer.account, request.payer.phone, request.payer.id_number))
        )
        heard = self._exchange("POST", "/payment/createPaymentOrder", fields, hidden=hidden)
        return self._submission(request, heard, hidden=hidden)

    def submit_payout(self, request: PayoutRequest) -> Submission:
        """Refuse: nothing leaves, so nothing can have been paid."""
        return Submission(outcome=SubmissionOutcome.REFUSED, exchange=_nothing_sent(), reason=_NO_PAYOUTS)

    def query(self, *, direction: Direction, reference: str) -> Inquiry:
        """Ask for an order by our reference. NOT_FOUND only when the upstream proved that it said so.

        A payout is not found without asking: none was ever sent.
        """
        if direction is Direction.PAYOUT:
            return Inquiry(state=UpstreamState.NOT_FOUND, exchange=_nothing_sent(), reason=_NO_PAYOUTS)
        heard = self._exchange("GET", f"/payment/detail?outTradeNo={quote(reference, safe='')}", None)
        if heard.envelope is None:
            return Inquiry(state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=heard.fault)
        data = heard.envelope.data
        if data is None:
            is_absent = (heard.status, heard.envelope.code) == _ABSENT
            state = UpstreamState.NOT_FOUND if is_absent else UpstreamState.UNKNOWN
            return Inquiry(state=state, exchange=heard.exchange, reason=_reason(heard.envelope))
        try:
            return self._inquiry(data, heard.exchange, reference=reference)
        except wire.Unreadable as fault:
            return Inquiry(
                state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=f"unreadable: {fault}"
            )

    def parse_callback(self, callback: RawCallback) -> CallbackMessage:
        """Return what a callback says, once its headers have proven it.

        Raises: CallbackRefused.
        """
        try:
            signing.check_callback(
                callback.headers,
                key=self._key,
                secret=self._secret,
                path=callback.path,
                body=callback.body,
                now=callback.received_at.timestamp(),
            )
            data = wire.load(callback.body)
            state = _state(data)
            return CallbackMessage(
                direction=Direction.DEPOSIT,
                reference=wire.text(data, "outTradeNo", length_max=64, is_required=True),
                channel_order_no=wire.text(data, "outPaymentNo", length_max=64, is_required=True),
                state=state,
                amount=self._moved(data, state),
                currency=wire.text(data, "quoteCurrencySymbol", length_max=16, is_required=True),
                reason=_why(data),
            )
        except (signing.SignatureRefused, wire.Unreadable) as fault:
            raise CallbackRefused(str(fault)) from fault

    def answer_callback(self, *, is_accepted: bool) -> CallbackAnswer:
        """Return the answer that ends the callback's repeats, or the one that keeps them coming."""
        return CallbackAnswer(
            http_status=200 if is_accepted else 503,
            content_type="text/plain; charset=utf-8",
            body="success" if is_accepted else "failure",
        )

    def _submission(self, request: PaymentRequest, heard: _Heard, *, hidden: frozenset[str]) -> Submission:
        envelope, exchange = heard.envelope, heard.exchange
        if envelope is None:
            return Submission(outcome=SubmissionOutcome.UNKNOWN, exchange=exchange, reason=heard.fault)
        if envelope.data is None:
            is_refused = (heard.status, envelope.code) == _REFUSED
            outcome = SubmissionOutcome.REFUSED if is_refused else SubmissionOutcome.UNKNOWN
            reason = masking.without(_reason(envelope), sensitive=hidden)
            return Submission(outcome=outcome, exchange=exchange, reason=reason)
        try:
            path = wire.text(envelope.data, "paymentUrl", length_max=400, is_required=True)
            return Submission(
                outcome=SubmissionOutcome.ACCEPTED,
                exchange=exchange,
                channel_order_no=wire.text(envelope.data, "outPaymentNo", length_max=64, is_required=True),
                link=self._page(path),
                qr_text=wire.text(envelope.data, "userWalletAddress", length_max=128),
                display_amount=request.amount,
            )
        except wire.Unreadable as fault:
            reason = f"unreadable answer: {fault}"
            return Submission(outcome=SubmissionOutcome.UNKNOWN, exchange=exchange, reason=reason)

    def _page(self, path: str) -> str:
        """Return the payer's page: a path on the upstream's own host, and on no other."""
        link = urljoin(f"{self._base_url}/", path)
        if urlsplit(link)[:2] != urlsplit(self._base_url)[:2]:
            raise wire.Unreadable("paymentUrl leads to another host")
        return link

    def _inquiry(self, data: Mapping[str, object], exchange: Exchange, *, reference: str) -> Inquiry:
        if data.get("outTradeNo") != reference:
            raise wire.Unreadable("the answer is about another order")
        state = _state(data)
        return Inquiry(
            state=state,
            exchange=exchange,
            channel_order_no=wire.text(data, "outPaymentNo", length_max=64, is_required=True),
            amount=self._moved(data, state),
            currency=wire.text(data, "quoteCurrencySymbol", length_max=16, is_required=True),
            reason=_why(data),
        )

    def _moved(self, data: Mapping[str, object], state: UpstreamState) -> Decimal | None:
        """Return what was paid, in the currency of the quote; None until it was.

        Raises: Unreadable, also when it was paid in another token than this channel's.
        """
        if state is not UpstreamState.PAID:
            return None
        if data.get("settlementCurrencySymbol") != self._token:
            raise wire.Unreadable("it was paid in another token than this channel's")
        return wire.moved(
            wire.amount(data, "quoteAmount"),
            expected=wire.units(data, "expectedAmount"),
            settled=wire.units(data, "settlementAmount"),
            decimals=self._decimals,
        )

    def _exchange(
        self,
        method: str,
        path: str,
        fields: dict[str, object] | None,
        *,
        hidden: frozenset[str] = frozenset(),
    ) -> _Heard:
        url = f"{self._base_url}{path}"
        parts = urlsplit(url)
        signed = parts.path + (f"?{parts.query}" if parts.query else "")
        body = b"" if fields is None else wire.dump(fields)
        headers = signing.call_headers(
            key=self._key, secret=self._secret, method=method, path=signed, body=body
        )
        shown = f"{method} {url}"
        if fields is not None:
            headers["content-type"] = "application/json"
            shown += "\n" + masking.fields_text(fields)
        call = hearing.Call(
            method=method, url=url, headers=headers, body=body, timeout_seconds=self._timeout_seconds,
            shown=shown, name=headers[signing.SIGN_HEADER],
            secret_key=self._secret if self._is_signed else "", hidden=hidden,
        )  # fmt: skip
        heard = hearing.exchange(call, envelope=wire.envelope)
        if heard.envelope is None or heard.envelope.code == heard.status:
            return heard
        fault = f"unreadable answer: code {heard.envelope.code} under HTTP {heard.status}"
        return replace(heard, envelope=None, fault=fault)


def _state(data: Mapping[str, object]) -> UpstreamState:
    told = data.get("paymentStatus")
    if type(told) is not int or told not in _STATES:
        raise wire.Unreadable("the paymentStatus is not one we know")
    return _STATES[told]


def _why(data: Mapping[str, object]) -> str:
    return _GIVEN_BACK if data["paymentStatus"] == _REFUNDED else ""


def _reason(envelope: wire.Envelope) -> str:
    return masking.prose(envelope.description or envelope.message)


def _nothing_sent() -> Exchange:
    return Exchange(request="nothing was sent", response=_NO_PAYOUTS, http_status=None, duration_ms=0)


def _whole(settings: Mapping[str, str], name: str, *, default: str, maximum: int) -> int:
    value = settings.get(name, "").strip() or default
    if not (value.isascii() and value.isdigit() and len(value) <= 10 and int(value) <= maximum):
        raise ValueError(f"The setting {name} must be a whole number up to {maximum}.")
    return int(value)
