"""What only the gateway adapter has: settings, both versions and signatures, which "no" proves anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from channels.upstreams.base import (
    CallbackRefused,
    Direction,
    Party,
    PaymentRequest,
    PayoutRequest,
    RawCallback,
    RefusalCause,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.gateway import adapter as gateway
from channels.upstreams.gateway import wire
from channels.upstreams.gateway.account import Account
from channels.upstreams.gateway.adapter import GatewayAdapter
from diamondpay.lib import signing
from tests.channels.upstreams import gateway_upstream, hostile
from tests.channels.upstreams.drivers import GatewayDriver
from tests.support.callbacks import CallbackReceiver
from tests.support.receiver import sign

KEY = "a-key-of-the-tests-only"
SETTINGS = {
    "base_url": "https://127.0.0.1:9",
    "platform_id": "PF0001",
    "platform_key": KEY,
    "authorization": "a-token-of-the-tests-only",
    "currency": "CNY",
}
UNPROVEN = {**SETTINGS, "signed_answers": "no"}
KINDS = [("v1", "HMAC-SHA256"), ("v1", "MD5"), ("v2", "HMAC-SHA256"), ("v2", "MD5")]
CODES = [f"{number:04}" for number in (*range(1, 30), 50)] + ["9999"]


@pytest.fixture
def upstream(gateway_process: gateway_upstream.GatewayUpstream) -> GatewayDriver:
    """Only this upstream, for the fixtures that every upstream shares."""
    return GatewayDriver(gateway_process)


@contextmanager
def answering(content: object, *, status: str = "200 OK", **settings: str) -> Iterator[GatewayAdapter]:
    """Give an adapter to which everything is answered with the content.

    Nobody but the transport knows that this address is no https: what is tried is the judgement.
    """
    with hostile.upstream(hostile.says(json.dumps(content).encode(), status=status)) as address:
        adapter = GatewayAdapter({**UNPROVEN, **settings})
        adapter._account = replace(adapter._account, base_url=address)
        yield adapter


def deposit() -> PaymentRequest:
    payout = PAYOUT
    return PaymentRequest(
        reference="PM1", service="SVC0001", amount=Decimal("300.00"), currency="CNY",
        callback_url=payout.callback_url, expires_at=datetime.now(UTC), payer=payout.recipient,
    )  # fmt: skip


PAYOUT = PayoutRequest(
    reference="POT1-1", service="SVC0004", amount=Decimal("10.50"), currency="CNY",
    callback_url="http://127.0.0.1:9/", recipient=Party(name="Li", account="6216667451674999"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": ""}, "base_url"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"platform_id": ""}, "platform_id"),
        ({"platform_key": "é"}, "platform_key"),
        ({"authorization": " "}, "authorization"),
        ({"currency": "cny"}, "currency"),
        ({"version": "v3"}, "version"),
        ({"sign_type": "SHA1"}, "sign_type"),
        ({"signed_answers": "perhaps"}, "signed_answers"),
        ({"signed_answers": "no", "base_url": "http://x"}, "https"),
        ({"timeout_seconds": "16"}, "timeout_seconds"),
    ],
)
def test_settings_that_make_no_sense_are_named(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GatewayAdapter({**SETTINGS, **changes})


def test_the_settings_left_empty_have_the_values_that_the_form_offers() -> None:
    filled = {field.name: field.default for field in GatewayAdapter.setting_fields if not field.is_required}
    made: Account = GatewayAdapter({**SETTINGS, **filled})._account
    assert GatewayAdapter({**SETTINGS, **dict.fromkeys(filled, "")})._account == made
    assert {field.name for field in GatewayAdapter.setting_fields if field.is_secret} == {
        "platform_key", "authorization",
    }  # fmt: skip


@pytest.mark.parametrize(("version", "sign_type"), KINDS)
def test_both_versions_and_signatures_carry_a_deposit_and_a_payout(
    version: str,
    sign_type: str,
    upstream: GatewayDriver,
    payment: PaymentRequest,
    payout: PayoutRequest,
    receiver: CallbackReceiver,
) -> None:
    adapter = upstream.bound(version=version, sign_type=sign_type)
    placed = adapter.submit_payment(payment)
    sent = adapter.submit_payout(payout)
    assert (placed.outcome, sent.outcome) == (SubmissionOutcome.ACCEPTED, SubmissionOutcome.ACCEPTED)
    assert (placed.receiver is not None) == (version == "v1")
    upstream.pay(payment.reference)
    upstream.fail(payout.reference)
    told = {message.direction: message for message in map(adapter.parse_callback, receiver.wait_for(2))}
    paid = adapter.query(direction=Direction.DEPOSIT, reference=payment.reference)
    failed = adapter.query(direction=Direction.PAYOUT, reference=payout.reference)
    assert (paid.state, paid.amount, paid.channel_order_no) == (
        UpstreamState.PAID, Decimal(300), placed.channel_order_no,
    )  # fmt: skip
    assert (failed.state, failed.amount, bool(failed.reason)) == (UpstreamState.FAILED, None, True)
    assert (told[Direction.DEPOSIT].state, told[Direction.DEPOSIT].amount) == (paid.state, paid.amount)
    assert told[Direction.PAYOUT].state is UpstreamState.FAILED


def test_a_wrong_key_learns_nothing_and_places_nothing(
    upstream: GatewayDriver, payment: PaymentRequest
) -> None:
    stranger = upstream.bound(platform_key=KEY)
    assert stranger.submit_payment(payment).outcome is SubmissionOutcome.UNKNOWN
    asked = stranger.query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert asked.state is UpstreamState.UNKNOWN
    asked = upstream.adapter().query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert asked.state is UpstreamState.NOT_FOUND


@pytest.mark.parametrize("code", CODES)
def test_only_a_no_that_proves_that_nothing_was_made_is_a_refusal(code: str) -> None:
    with answering({"error_code": code, "error_msg": "no, because"}) as adapter:
        submission = adapter.submit_payout(PAYOUT)
    wanted = SubmissionOutcome.REFUSED if code in gateway.REFUSALS else SubmissionOutcome.UNKNOWN
    assert submission.outcome is wanted
    assert submission.reason.startswith(f"{code} no, because")
    is_account = submission.cause is RefusalCause.ACCOUNT_UNKNOWN
    assert is_account == (code == "0008")


def test_what_must_stay_unknown_is_not_among_the_refusals() -> None:
    """A network delay, our own mistakes, a taken number, an order that went wrong: an order may live."""
    unknown = {"0001", "0004", "0005", "0006", "0007", "0014", "0020", "0021", "0022", "0023", "0024", "0025"}
    assert not (unknown | {"0027", "0050"}) & set(gateway.REFUSALS)


@pytest.mark.parametrize("status", ["413 Too Large", "429 Too Many", "503 Busy", "422 No"])
def test_a_refusal_under_another_status_than_200_proves_nothing(status: str) -> None:
    with answering({"error_code": "0018", "error_msg": "no money"}, status=status) as adapter:
        submission = adapter.submit_payout(PAYOUT)
    assert (submission.outcome, "no money" in submission.reason) == (SubmissionOutcome.UNKNOWN, True)


@pytest.mark.parametrize(
    "content",
    [
        {"error_code": "0000"},
        {"error_code": "0018", "error_msg": "", "data": {}},
        {"error_code": 18, "error_msg": ""},
        {"error_code": "18", "error_msg": ""},
        {"error_code": "0000", "data": {"payout_id": ""}},
        {"error_code": "0000", "data": {"payout_id": 1.5}},
        {"error_code": "0000", "data": []},
    ],
)
def test_an_envelope_that_is_none_is_unknown(content: object) -> None:
    with answering(content) as adapter:
        assert adapter.submit_payout(PAYOUT).outcome is SubmissionOutcome.UNKNOWN


@pytest.mark.parametrize(
    "facts", [{"payment_cl_id": "PM2"}, {"amount": 30001}, {"amount": "30000"}, {"payment_id": ""}]
)
def test_an_answer_about_another_order_or_sum_is_unknown(facts: dict[str, object]) -> None:
    data = {"link": "https://x/", "payment_id": "P1", "payment_cl_id": "PM1", "amount": 30000, **facts}
    with answering({"error_code": "0000", "data": data}) as adapter:
        assert adapter.submit_payment(deposit()).outcome is SubmissionOutcome.UNKNOWN


def test_rows_of_a_list_are_believed_by_their_own_signature_only() -> None:
    row: dict[str, object] = {
        "payment_cl_id": "PM1", "payment_id": "P1", "platform_id": "PF0001", "amount": 30000,
        "real_amount": 29999, "fee": 0, "status": 2, "memo": "",
    }  # fmt: skip
    for sign_type in ("HMAC-SHA256", "MD5"):
        signed = {**row, "sign": sign(row, KEY, sign_type=sign_type)}
        with answering({"error_code": "0000", "data": [signed], "total": 1}) as adapter:
            inquiry = adapter.query(direction=Direction.DEPOSIT, reference="PM1")
        assert (inquiry.state, inquiry.amount) == (UpstreamState.PAID, Decimal("299.99"))
        for changed in ({**signed, "real_amount": 90000}, {**signed, "sign": ""}, row):
            with answering({"error_code": "0000", "data": [changed], "total": 1}) as adapter:
                inquiry = adapter.query(direction=Direction.DEPOSIT, reference="PM1")
            assert (inquiry.state, inquiry.amount) == (UpstreamState.UNKNOWN, None)


def test_every_listed_status_is_read_and_no_other() -> None:
    states = {direction: [wire.state({"status": code}, direction) for code in codes] for direction, codes in
              ((Direction.DEPOSIT, range(5)), (Direction.PAYOUT, range(7)))}  # fmt: skip
    pending, paid, failed = UpstreamState.PENDING, UpstreamState.PAID, UpstreamState.FAILED
    assert states == {
        Direction.DEPOSIT: [pending, pending, paid, failed, failed],
        Direction.PAYOUT: [pending, pending, pending, paid, failed, failed, pending],
    }
    for strange in (5, "2", True, None, 2.0):
        with pytest.raises(wire.Unreadable, match="status"):
            wire.state({"status": strange}, Direction.DEPOSIT)


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "12.345678", "300.005"])
def test_an_amount_that_hundredths_cannot_carry_never_leaves(amount: str) -> None:
    adapter = GatewayAdapter(SETTINGS)
    submission = adapter.submit_payout(replace(PAYOUT, amount=Decimal(amount)))
    assert (submission.outcome, submission.exchange.http_status) == (SubmissionOutcome.REFUSED, None)
    assert submission.exchange.request.startswith("not sent: ")


def test_hundredths_keep_every_digit_of_the_book() -> None:
    assert wire.hundredths(Decimal("12345678901234567890.120000000000000000")) == 1234567890123456789012
    assert wire.hundredths(Decimal("300.000000000000000000")) == 30000
    assert wire.hundredths(Decimal("12345678901234567890.120000000000000001")) is None


def callback(fields: dict[str, object], sign_type: str) -> RawCallback:
    signed = {**fields, "sign": sign(fields, KEY, sign_type=sign_type)}
    if sign_type != "MD5":
        signed["sign_type"] = sign_type
    return RawCallback(headers={}, body=json.dumps(signed).encode(), received_at=datetime.now(UTC))


def test_an_upstream_without_webhook_headers_is_believed_by_its_sign_only_where_that_is_said() -> None:
    fields: dict[str, object] = {
        "payout_id": "POT1", "payout_cl_id": "POT1-1", "platform_id": "PF0001", "amount": 1050, "fee": 0,
        "status": 3,
    }  # fmt: skip
    hmac, md5 = callback(fields, "HMAC-SHA256"), callback(fields, "MD5")
    believing = GatewayAdapter(UNPROVEN)
    assert believing.parse_callback(hmac).amount == Decimal("10.5")
    assert GatewayAdapter({**UNPROVEN, "sign_type": "MD5"}).parse_callback(md5).amount == Decimal("10.5")
    with pytest.raises(CallbackRefused, match="webhook-id"):
        GatewayAdapter(SETTINGS).parse_callback(hmac)
    with pytest.raises(CallbackRefused, match="MD5"):
        believing.parse_callback(md5)
    with pytest.raises(CallbackRefused, match="signature is wrong"):
        believing.parse_callback(replace(hmac, body=hmac.body.replace(b"1050", b"9050")))
    with pytest.raises(CallbackRefused, match="webhook-id"):
        believing.parse_callback(replace(hmac, headers={"webhook-signature": "v1,x"}))
    with pytest.raises(CallbackRefused, match="another account"):
        believing.parse_callback(callback({**fields, "platform_id": "PF0002"}, "HMAC-SHA256"))
    with pytest.raises(CallbackRefused, match="neither a deposit nor a payout"):
        believing.parse_callback(callback({**fields, "payment_cl_id": "x"}, "HMAC-SHA256"))


def test_a_callback_that_its_headers_prove_needs_no_key_of_ours_inside() -> None:
    """While two keys live, the headers hold a signature of each; the body has one of them only."""
    body = json.dumps({
        "payment_id": "P1", "payment_cl_id": "PM1", "platform_id": "PF0001", "amount": 300,
        "real_amount": 299, "status": 2, "sign": "of another key", "sign_type": "HMAC-SHA256",
    }).encode()  # fmt: skip
    now = datetime.now(UTC)
    headers = signing.webhook_headers_of_all(
        secrets=[b"another key", KEY.encode()], message_id="m1", timestamp=int(now.timestamp()), body=body
    )
    proven = RawCallback(headers=headers, body=body, received_at=now)
    for settings in (SETTINGS, UNPROVEN):
        assert GatewayAdapter(settings).parse_callback(proven).amount == Decimal("2.99")
        with pytest.raises(CallbackRefused, match="signature is wrong"):
            GatewayAdapter(settings).parse_callback(replace(proven, body=body.replace(b"299", b"300")))
