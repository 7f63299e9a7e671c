"""What only the transaction-request adapter has: settings, which "no" proves anything, exact decimals."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from channels.upstreams.base import (
    CallbackRefused,
    Direction,
    PaymentRequest,
    PayoutRequest,
    RawCallback,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.transaction_request import signing, wire
from channels.upstreams.transaction_request.adapter import TransactionRequestAdapter
from tests.channels.upstreams import hostile, transaction_upstream
from tests.channels.upstreams.drivers import TransactionRequestDriver
from tests.channels.upstreams.transaction_upstream import ACCOUNTS, dump, refusal, success
from tests.support.callbacks import CallbackReceiver

KEY, SECRET = "ACCESS-ONE", ACCOUNTS["ACCESS-ONE"]
SETTINGS = {"base_url": "http://127.0.0.1:9", "access_key": KEY, "secret_key": SECRET}


@pytest.fixture
def upstream(
    transaction_request_upstream: transaction_upstream.Upstream,
) -> TransactionRequestDriver:
    """Only this upstream, for the fixtures that every upstream shares."""
    return TransactionRequestDriver(transaction_request_upstream)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": ""}, "base_url"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "http://user@x"}, "base_url"),
        ({"access_key": ""}, "access_key"),
        ({"secret_key": "é"}, "secret_key"),
        ({"signed_answers": "perhaps"}, "signed_answers"),
        ({"signed_answers": "no"}, "https"),
        ({"key_header": "x"}, "key_header"),
        ({"payment_methods": "0"}, "payment_methods"),
        ({"payment_methods": "３"}, "payment_methods"),
        ({"timeout_seconds": "16"}, "timeout_seconds"),
    ],
)
def test_settings_that_make_no_sense_are_named(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TransactionRequestAdapter({**SETTINGS, **changes})


def test_the_published_vector_is_signed_as_published() -> None:
    signature = signing.call_signature(
        access_key="B6QKwx0NnKaQ14zf24Ux5Oc9Gy1xlf2R",
        secret_key="WUYx7DTQZakugtP9gOAimYUphcnc3jWuPRi1UVnWmwXSnMnsCVBzz1ILdaxisvz9",
        timestamp="1625546438154",
    )
    assert signature == "EDB15CF33C232128BDF118CEB147C453181939F8B37EC43886F68B3BCC2C19CD"


def test_a_moment_is_given_once_however_many_ask() -> None:
    with ThreadPoolExecutor(16) as pool:
        moments = list(pool.map(lambda _ask: signing.next_timestamp(), range(2000)))
    assert len(set(moments)) == 2000


def test_amounts_travel_with_their_own_digits() -> None:
    assert wire.dump({"amount": Decimal("1234.560000000000000001")}) == b'{"amount":1234.560000000000000001}'
    assert wire.dump({"amount": Decimal("300.000")}) == b'{"amount":300}'
    assert wire.load(b'{"amount": 165.27}') == {"amount": Decimal("165.27")}


@pytest.mark.parametrize(
    "value", [b'"5"', b"true", b"0", b"-1", b"null", b"[]", b"1" + b"0" * 50, b"1e999999"]
)
def test_what_is_no_amount_is_unreadable(value: bytes) -> None:
    with pytest.raises(wire.Unreadable, match="amount"):
        wire.amount(wire.load(b'{"amount": ' + value + b"}"), "amount")


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, "INVALID_PARAMETER", SubmissionOutcome.REFUSED),
        (422, "INSUFFICIENT_BALANCE", SubmissionOutcome.REFUSED),
        (422, "AMOUNT_OUT_OF_RANGE", SubmissionOutcome.REFUSED),
        (401, "UNAUTHORIZED", SubmissionOutcome.UNKNOWN),
        (401, "TIMESTAMP_EXPIRED", SubmissionOutcome.UNKNOWN),
        (403, "IP_NOT_ALLOWED", SubmissionOutcome.UNKNOWN),
        (404, "NOT_FOUND", SubmissionOutcome.UNKNOWN),
        (409, "DUPLICATE_ORDER_NO", SubmissionOutcome.UNKNOWN),
        (409, "REPLAYED", SubmissionOutcome.UNKNOWN),
        (429, "TOO_MANY_REQUESTS", SubmissionOutcome.UNKNOWN),
        (503, "SERVICE_UNAVAILABLE", SubmissionOutcome.UNKNOWN),
        (503, "INVALID_PARAMETER", SubmissionOutcome.UNKNOWN),
    ],
)
def test_only_a_no_that_proves_that_nothing_was_made_is_a_refusal(
    status: int, code: str, outcome: SubmissionOutcome, payout: PayoutRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = hostile.says(dump(refusal(code, "no, because")), status=f"{status} No")
    with hostile.upstream(play) as address:
        # Nobody but the transport knows that this address is no https: what is tried is the judgement.
        adapter = TransactionRequestAdapter({**SETTINGS, "base_url": "https://x", "signed_answers": "no"})
        monkeypatch.setattr(adapter, "_base_url", address)
        submission = adapter.submit_payout(payout)
    assert (submission.outcome, submission.reason) == (outcome, "no, because")


def test_an_order_that_failed_at_once_is_a_refusal_with_its_reason(
    payment: PaymentRequest, upstream: TransactionRequestDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = transaction_upstream.made(
        {
            "depositAmount": payment.amount, "client": {"realName": "x"}, "depositCurrency": "CNY",
            "fiatCurrency": "CNY", "merchantOrderNo": payment.reference,
        },
        "deposit",
    )  # fmt: skip
    failed = success({**made, "status": "Failed", "endedReason": "bank is closed", "paymentUrl": None})
    with hostile.upstream(hostile.says(dump(failed))) as address:
        adapter = TransactionRequestAdapter({**SETTINGS, "base_url": "https://x", "signed_answers": "no"})
        monkeypatch.setattr(adapter, "_base_url", address)
        submission = adapter.submit_payment(payment)
    assert (submission.outcome, submission.reason) == (SubmissionOutcome.REFUSED, "bank is closed")


def test_the_answer_to_another_call_is_not_ours(
    payment: PaymentRequest, upstream: TransactionRequestDriver
) -> None:
    """An old answer, played again by somebody in between, has the signature of the call it was for."""
    body = dump(refusal("NOT_FOUND", "gone"))
    old = signing.call_signature(access_key=KEY, secret_key=SECRET, timestamp="1741725033033")
    headers = {signing.ANSWER_HEADER: transaction_upstream.upper_hex(SECRET, f"{old}_404_".encode() + body)}
    signing.check_answer(headers, secret_key=SECRET, call=old, status=404, body=body)
    new = signing.call_signature(access_key=KEY, secret_key=SECRET, timestamp="1741725033034")
    for call, status in ((new, 404), (old, 200)):
        with pytest.raises(signing.SignatureRefused):
            signing.check_answer(headers, secret_key=SECRET, call=call, status=status, body=body)


def test_a_body_signed_only_inside_moves_no_money(
    upstream: TransactionRequestDriver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    adapter = upstream.adapter()
    adapter.submit_payment(payment)
    upstream.pay(payment.reference)
    told = receiver.wait_for(1)[0]
    inside_only = {name: value for name, value in told.headers.items() if not name.startswith("webhook-")}
    body = json.dumps({**json.loads(told.body), "paymentAmount": 9_000_000}).encode()
    with pytest.raises(CallbackRefused, match="webhook-id"):
        adapter.parse_callback(RawCallback(headers=inside_only, body=body, received_at=datetime.now(UTC)))
    assert adapter.parse_callback(told).amount == Decimal(300)


def test_progress_is_told_and_moves_nothing(
    upstream: TransactionRequestDriver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    upstream.adapter().submit_payment(payment)
    upstream._upstream.end(payment.reference, "InProgress")
    message = upstream.adapter().parse_callback(receiver.wait_for(1)[0])
    assert (message.state, message.amount, message.direction) == (
        UpstreamState.PENDING, None, Direction.DEPOSIT,
    )  # fmt: skip


def test_a_cancelled_order_has_failed_and_an_unknown_word_is_unknown(
    upstream: TransactionRequestDriver, payment: PaymentRequest
) -> None:
    adapter = upstream.adapter()
    adapter.submit_payment(payment)
    upstream._upstream.end(payment.reference, "Cancelled", reason="expired")
    inquiry = adapter.query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert (inquiry.state, inquiry.reason) == (UpstreamState.FAILED, "expired")
    upstream._upstream.end(payment.reference, "Levitating")
    inquiry = adapter.query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert inquiry.state is UpstreamState.UNKNOWN


def test_a_payer_without_a_name_is_sent_by_our_reference(
    upstream: TransactionRequestDriver, payment: PaymentRequest
) -> None:
    nameless = replace(payment, payer=replace(payment.payer, name=""))
    assert upstream.adapter().submit_payment(nameless).outcome is SubmissionOutcome.ACCEPTED
    (order,) = upstream._upstream.orders.values()
    assert order["clientName"] == payment.reference
