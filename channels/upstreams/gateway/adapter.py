"""DiamondPay as a client of the gateway API, v1 or v2: our request, one HTTP exchange, our words for it.

Our reference is the merchant's order number there (payment_cl_id, payout_cl_id), and the order's own id is
its channel order number here. The API names no currency in queries and callbacks, so an account speaks for
one currency only.
Source: gateway-api.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from channels.upstreams import masking, proofs
from channels.upstreams.base import (
    CallbackAnswer,
    CallbackMessage,
    CallbackRefused,
    Direction,
    Inquiry,
    Party,
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
from channels.upstreams.gateway import account as accounts
from channels.upstreams.gateway import exchanges, wire
from diamondpay.lib import signing

ORDER_NUMBER_LENGTH_MAX = 64
_TAIL_DIGITS = 5
_NAMES = {Direction.DEPOSIT: "payment", Direction.PAYOUT: "payout"}
_ORDER_UNKNOWN = "0050"
_NUMBER_TAKEN = "0014"
_ACCOUNT_UNKNOWN = "0008"
# The codes that prove that the call made no order which could still be paid. Most of them are said after an
# earlier order of this number was looked for; 0002 and 0003 may be said before that, and there a payout
# is safe because `records.submission` sends it again only after a query found no order of its number.
REFUSALS = {
    "0002": "the fields were refused before anything was written",
    "0003": "the service or the merchant is closed, so nothing was taken",
    "0008": "the account does not exist: the upstream's own order has ended without money",
    "0009": "there is no such service",
    "0010": "the service is not activated for us",
    "0011": "nothing there can carry it, so it was not taken",
    "0012": "there is no such bank",
    "0013": "the deposit was not created, or has ended without money",
    "0015": "there is no such channel",
    "0016": "its fee cannot be told, so it was not taken",
    "0017": "the payout was not created, or has ended and its money was given back",
    "0018": "our balance there is too low: nothing was frozen",
    "0019": "a wallet must be named, so it was not taken",
    "0026": "the tail of the payer's account is missing",
    "0028": "the amount is below the minimum",
    "0029": "the amount is above the maximum",
}
# Everything else stays unknown, such as 0001 (the upstream does not know either), 0004 to 0006, 0020 to 0023
# and 0027 (our settings are wrong and nobody looked at the order), 0014 (an order of this number is there),
# 0007, 0024 and 0025 (something went wrong with an order that may well exist).


class GatewayAdapter:
    """Speaks to one merchant account of a gateway API.

    A number sent twice makes one order: DiamondPay answers with the first one again, and where repeats are
    refused the answer is 0014.
    """

    setting_fields: tuple[SettingField, ...] = accounts.SETTING_FIELDS
    is_submit_idempotent: bool = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Bind to a channel's settings.

        Raises: ValueError naming the setting that is missing or makes no sense.
        """
        self._account = accounts.account(settings)

    def submit_payment(self, request: PaymentRequest) -> Submission:
        """Place a deposit. Returns UNKNOWN for whatever is not a proven, readable yes or no."""
        further: dict[str, object] = {"remark_code": request.remark_code}
        account = request.payer.account
        if account.isascii() and account.isdigit() and len(account) >= _TAIL_DIGITS:
            further["last_number"] = account[-_TAIL_DIGITS:]
        return self._submit(request, Direction.DEPOSIT, request.payer, further)

    def submit_payout(self, request: PayoutRequest) -> Submission:
        """Place a payout. Returns UNKNOWN for whatever is not a proven, readable yes or no."""
        return self._submit(request, Direction.PAYOUT, request.recipient, {})

    def query(self, *, direction: Direction, reference: str) -> Inquiry:
        """Ask for an order by our reference. NOT_FOUND only when the upstream proved that it said so."""
        name, number = _NAMES[direction], quote(reference, safe="")
        is_list = self._account.version == accounts.V1
        path = f"/{name}s?{name}_cl_id={number}" if is_list else f"/{name}s/{number}"
        heard = exchanges.get(account=self._account, path=path)
        if heard.envelope is None:
            return Inquiry(state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=heard.fault)
        try:
            return self._inquiry(heard, heard.envelope, direction=direction, reference=reference)
        except wire.Unreadable as fault:
            return Inquiry(
                state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=f"unreadable answer: {fault}"
            )

    def parse_callback(self, callback: RawCallback) -> CallbackMessage:
        """Return what a callback says, once a signature has proven it.

        The Standard Webhooks headers cover every byte and the moment; they must be there unless the upstream
        is said to sign nothing beyond its protocol, and must be right wherever they are. The `sign` inside
        the body is asked for where they are not: while two keys live it is made with one of them only.
        Raises: CallbackRefused.
        """
        is_covered = self._account.is_signed or "webhook-signature" in callback.headers
        try:
            if is_covered:
                proofs.check_webhook(
                    callback.headers,
                    secret_key=self._account.platform_key,
                    body=callback.body,
                    now=callback.received_at.timestamp(),
                )
            fields = wire.load(callback.body)
            if fields.get("platform_id") != self._account.platform_id:
                raise CallbackRefused("the callback is for another account")
            if not is_covered:
                self._check_sign(fields)
            return self._callback_message(fields)
        except (proofs.SignatureRefused, wire.Unreadable) as fault:
            raise CallbackRefused(str(fault)) from fault

    def answer_callback(self, *, is_accepted: bool) -> CallbackAnswer:
        """Return the answer that ends the callback's repeats, or the one that keeps them coming."""
        return CallbackAnswer(
            http_status=200 if is_accepted else 503,
            content_type="application/json",
            body='{"error_code":"0000"}' if is_accepted else '{"error_code":"0001"}',
        )

    def _submit(
        self,
        request: PaymentRequest | PayoutRequest,
        direction: Direction,
        party: Party,
        further: Mapping[str, object],
    ) -> Submission:
        name = _NAMES[direction]
        amount = wire.hundredths(request.amount)
        given: dict[str, object] = {
            "service_id": request.service,
            f"{name}_cl_id": request.reference,
            "amount": amount,
            "currency": request.currency,
            "notify_url": request.callback_url,
            "name": party.name,
            "number": party.account,
            "bank_code": party.bank_code,
            "bank_name": party.bank_name,
            "phone": party.phone,
            "id_number": party.id_number,
            "ifsc_code": party.ifsc_code,
            **further,
        }
        fields = {field: value for field, value in given.items() if value not in ("", None)}
        fault = self._hindrance(request, amount, fields)
        if fault:
            return Submission(
                outcome=SubmissionOutcome.REFUSED, exchange=exchanges.not_sent(fault), reason=fault
            )
        hidden = frozenset(filter(None, (party.account, party.phone, party.id_number)))
        heard = exchanges.post(account=self._account, path=f"/{name}s", fields=fields, hidden=hidden)
        return _submission(request, heard, direction=direction, hidden=hidden)

    def _hindrance(
        self, request: PaymentRequest | PayoutRequest, amount: int | None, fields: Mapping[str, object]
    ) -> str:
        """Say why an order cannot be put into this API's words; such an order never left."""
        if request.currency != self._account.currency:
            return f"the account there is in {self._account.currency}, not in {request.currency}"
        if amount is None:
            return "the amount has more decimals than the upstream can be told"
        if len(request.reference) > ORDER_NUMBER_LENGTH_MAX:
            return "the reference is longer than the upstream takes"
        ambiguous = signing.ambiguous_parameter(fields)
        return f"the field {ambiguous} could be read in two ways" if ambiguous else ""

    def _inquiry(
        self, heard: exchanges.Heard, envelope: wire.Envelope, *, direction: Direction, reference: str
    ) -> Inquiry:
        is_list = self._account.version == accounts.V1
        no_such = envelope.code == _ORDER_UNKNOWN and not is_list
        if no_such or (envelope.code == wire.SUCCESS and is_list and envelope.content == []):
            return Inquiry(state=UpstreamState.NOT_FOUND, exchange=heard.exchange)
        if envelope.code != wire.SUCCESS:
            reason = f"{envelope.code} {masking.prose(envelope.message)}"
            return Inquiry(state=UpstreamState.UNKNOWN, exchange=heard.exchange, reason=reason)
        order = self._row(envelope.content) if is_list else wire.section(envelope.content)
        name = _NAMES[direction]
        if order.get(f"{name}_cl_id") != reference:
            raise wire.Unreadable("the answer is about another order")
        return Inquiry(
            state=wire.state(order, direction),
            exchange=heard.exchange,
            channel_order_no=wire.text(order, f"{name}_id", length_max=64, is_required=True),
            amount=wire.moved(order, direction),
            currency=self._account.currency,
            reason=_reason(order, direction),
        )

    def _row(self, content: object) -> dict[str, object]:
        """Return the one row of a list, whose own signature is right.

        Raises: Unreadable.
        """
        if not isinstance(content, list) or len(content) != 1:
            raise wire.Unreadable("the list has not exactly one order")
        row = wire.section(content[0])
        # A merchant for whom MD5 is on gets its lists signed with it, however it signs itself.
        types = (signing.HMAC_SHA256, signing.MD5)
        if not any(self._is_signed(row, sign_type) for sign_type in types):
            raise wire.Unreadable("the signature of the row is wrong")
        if row.get("platform_id") != self._account.platform_id:
            raise wire.Unreadable("the answer is about another account")
        return row

    def _check_sign(self, fields: Mapping[str, object]) -> None:
        """Verify the signature in a callback's body. Raises: CallbackRefused.

        An order has the kind of signature with which it was placed. MD5 proves nothing to an account that
        does not sign with it.
        """
        sign_type = wire.text(fields, "sign_type") or signing.MD5
        if sign_type == signing.MD5 and self._account.sign_type != signing.MD5:
            raise CallbackRefused("the callback is signed with MD5, which this channel does not use")
        if not self._is_signed(fields, sign_type):
            raise CallbackRefused("the signature is wrong in the body")

    def _is_signed(self, fields: Mapping[str, object], sign_type: str) -> bool:
        return signing.verify(fields, self._account.platform_key, sign_type, fields.get("sign"))

    def _callback_message(self, fields: Mapping[str, object]) -> CallbackMessage:
        directions = [direction for direction, name in _NAMES.items() if f"{name}_cl_id" in fields]
        if len(directions) != 1:
            raise wire.Unreadable("the callback is of neither a deposit nor a payout")
        direction = directions[0]
        name = _NAMES[direction]
        return CallbackMessage(
            direction=direction,
            reference=wire.text(fields, f"{name}_cl_id", length_max=64, is_required=True),
            channel_order_no=wire.text(fields, f"{name}_id", length_max=64, is_required=True),
            state=wire.state(fields, direction),
            amount=wire.moved(fields, direction),
            currency=self._account.currency,
            reason=_reason(fields, direction),
        )


def _submission(
    request: PaymentRequest | PayoutRequest,
    heard: exchanges.Heard,
    *,
    direction: Direction,
    hidden: frozenset[str],
) -> Submission:
    envelope, exchange = heard.envelope, heard.exchange
    if envelope is None:
        return Submission(outcome=SubmissionOutcome.UNKNOWN, exchange=exchange, reason=heard.fault)
    if envelope.code != wire.SUCCESS:
        return _no(envelope, heard, hidden=hidden)
    try:
        data = wire.section(envelope.content)
        if direction is Direction.DEPOSIT:
            return _deposit(request, data, heard)
        number = wire.text(data, "payout_id", length_max=64, is_required=True)
    except wire.Unreadable as fault:
        reason = f"unreadable answer: {fault}"
        return Submission(outcome=SubmissionOutcome.UNKNOWN, exchange=exchange, reason=reason)
    return Submission(outcome=SubmissionOutcome.ACCEPTED, exchange=exchange, channel_order_no=number)


def _no(envelope: wire.Envelope, heard: exchanges.Heard, *, hidden: frozenset[str]) -> Submission:
    message = masking.prose(envelope.message, sensitive=hidden) or REFUSALS.get(envelope.code, "")
    if envelope.code == _NUMBER_TAKEN:
        message += " There is an order of this number: with other content, or every repeat is refused."
    is_refused = envelope.code in REFUSALS
    is_account_unknown = envelope.code == _ACCOUNT_UNKNOWN
    return Submission(
        outcome=SubmissionOutcome.REFUSED if is_refused else SubmissionOutcome.UNKNOWN,
        exchange=heard.exchange,
        reason=f"{envelope.code} {message}".strip(),
        cause=RefusalCause.ACCOUNT_UNKNOWN if is_account_unknown else RefusalCause.OTHER,
    )


def _deposit(
    request: PaymentRequest | PayoutRequest, data: Mapping[str, object], heard: exchanges.Heard
) -> Submission:
    """Read the deposit that was made; v1 has its facts in `payment_info`, v2 beside the link."""
    facts = wire.section(data["payment_info"]) if "payment_info" in data else data
    if facts.get("payment_cl_id") != request.reference:
        raise wire.Unreadable("the answer is about another order")
    if wire.major_units(facts, "amount") != request.amount:
        raise wire.Unreadable("the order is about another sum than was sent")
    receiver = facts.get("receiver")
    return Submission(
        outcome=SubmissionOutcome.ACCEPTED,
        exchange=heard.exchange,
        channel_order_no=wire.text(facts, "payment_id", length_max=64, is_required=True),
        link=wire.text(data, "link", length_max=2048),
        receiver=None if receiver is None else _receiver(wire.section(receiver)),
        display_amount=wire.major_units(facts, "display_amount" if "display_amount" in facts else "amount"),
    )


def _receiver(fields: Mapping[str, object]) -> Receiver | None:
    """Return where to send the money; None where the upstream leaves all of it empty."""
    names = ("card_name", "card_number", "bank_name", "bank_branch")
    found = {name: wire.text(fields, name) for name in names}
    return Receiver(**found) if found["card_number"] else None


def _reason(fields: Mapping[str, object], direction: Direction) -> str:
    """Return why an order ended without money, in the upstream's words or at least the status's."""
    if wire.state(fields, direction) is not UpstreamState.FAILED:
        return ""
    told = wire.text(fields, "error_msg") or wire.text(fields, "memo")
    return masking.prose(told) or f"The upstream ended the order with status {fields['status']}."
