"""What only the payment-detail adapter has: settings, which "no" proves anything, shares of an amount."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

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
from channels.upstreams.payment_detail import signing, wire
from channels.upstreams.payment_detail.adapter import PaymentDetailAdapter
from tests.channels.upstreams import detail_upstream
from tests.channels.upstreams.drivers import PaymentDetailDriver
from tests.support.callbacks import CallbackReceiver

KEY = "KEY-ONE"
SECRET = detail_upstream.ACCOUNTS[KEY]
SETTINGS = {
    "base_url": "http://127.0.0.1:9", "key": KEY, "secret": SECRET, "chain_id": "1", "token_symbol": "USDT",
}  # fmt: skip


@pytest.fixture
def upstream(payment_detail_upstream: detail_upstream.Upstream) -> PaymentDetailDriver:
    """Only this upstream, for the fixtures that every upstream shares."""
    return PaymentDetailDriver(payment_detail_upstream)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": ""}, "base_url"),
        ({"key": ""}, "key"),
        ({"secret": "é"}, "secret"),
        ({"chain_id": ""}, "chain_id"),
        ({"chain_id": "１"}, "chain_id"),
        ({"chain_id": "99999999999"}, "chain_id"),
        ({"token_symbol": ""}, "token_symbol"),
        ({"decimals": "19"}, "decimals"),
        ({"signed_answers": "perhaps"}, "signed_answers"),
        ({"signed_answers": "no"}, "https"),
        ({"timeout_seconds": "16"}, "timeout_seconds"),
    ],
)
def test_settings_that_make_no_sense_are_named(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PaymentDetailAdapter({**SETTINGS, **changes})


def test_an_order_in_the_channels_token_is_quoted_in_it_and_any_other_in_fiat(
    upstream: PaymentDetailDriver, payment: PaymentRequest
) -> None:
    exchanges = [
        upstream.adapter().submit_payment(replace(payment, reference=currency, currency=currency)).exchange
        for currency in ("USDT", "CNY")
    ]
    assert ['"isLegalTender": 0' in one.request for one in exchanges] == [True, False]
    assert ['"isLegalTender": 1' in one.request for one in exchanges] == [False, True]


def test_the_payers_page_is_on_the_upstreams_own_host(
    upstream: PaymentDetailDriver, payment: PaymentRequest
) -> None:
    adapter = upstream.adapter()
    made = adapter.submit_payment(payment)
    base = upstream.bound()._base_url
    assert made.link == f"{base}/pay/{made.channel_order_no}"
    assert made.qr_text == "TAShhCQQfxEoXUakhdB8ArcDrZVopv5VYL"
    for path in ("https://evil.example/pay", "//evil.example/pay"):
        with pytest.raises(wire.Unreadable, match="another host"):
            upstream.bound()._page(path)


@pytest.mark.parametrize(
    ("quoted", "expected", "settled", "amount"),
    [
        ("12.345678", 12345678, 12345677, "12.345677"),
        ("100", 14285714, 14285714, "100"),
        ("100", 14285714, 14285713, "99.99"),
        ("100", 14285714, 7142857, "50"),
        ("1", 999746, 1000000, "1.00"),
        ("0.000000000000000001", 1, 1, "0.000000000000000001"),
    ],
)
def test_what_was_paid_is_its_share_of_what_was_expected_and_never_more(
    quoted: str, expected: int, settled: int, amount: str
) -> None:
    found = wire.moved(Decimal(quoted), expected=expected, settled=settled, decimals=2)
    assert found == Decimal(amount)


def test_payouts_never_leave_and_are_not_found(
    upstream: PaymentDetailDriver, payment: PaymentRequest
) -> None:
    adapter = upstream.bound(base_url="http://127.0.0.1:9")
    request = PayoutRequest(
        reference="AT1", service="SVC0004", amount=Decimal(1), currency="USDT",
        callback_url=payment.callback_url, recipient=payment.payer,
    )  # fmt: skip
    refused = adapter.submit_payout(request)
    assert (refused.outcome, refused.exchange.http_status) == (SubmissionOutcome.REFUSED, None)
    inquiry = adapter.query(direction=Direction.PAYOUT, reference="AT1")
    assert inquiry.state is UpstreamState.NOT_FOUND


def test_a_deposit_that_failed_or_was_refunded_is_failed(
    upstream: PaymentDetailDriver,
    payment_detail_upstream: detail_upstream.Upstream,
    payment: PaymentRequest,
) -> None:
    adapter = upstream.adapter()
    for status, reason in ((4, ""), (5, "The upstream gave the money back to the payer.")):
        placed = replace(payment, reference=f"{payment.reference}-{status}")
        adapter.submit_payment(placed)
        payment_detail_upstream.end(placed.reference, status)
        inquiry = adapter.query(direction=Direction.DEPOSIT, reference=placed.reference)
        assert (inquiry.state, inquiry.amount, inquiry.reason) == (UpstreamState.FAILED, None, reason)


@pytest.mark.parametrize("code", [401, 403, 404, 409, 429, 503])
def test_a_no_that_proves_nothing_is_unknown(
    code: int, upstream: PaymentDetailDriver, payment: PaymentRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        detail_upstream._Handler, "_placed",
        lambda self, account, asked: (code, detail_upstream.refusal(code, "not now")),
    )  # fmt: skip
    submission = upstream.adapter().submit_payment(payment)
    assert (submission.outcome, submission.reason) == (SubmissionOutcome.UNKNOWN, "not now")


STRANGE: list[dict[str, Any]] = [
    {"paymentStatus": 6},
    {"paymentStatus": "0"},
    {"paymentStatus": True},
    {"settlementAmount": 1000000},
    {"settlementAmount": "0"},
    {"settlementAmount": "1.5"},
    {"settlementAmount": None},
    {"expectedAmount": "0"},
    {"quoteAmount": "1e2"},
    {"quoteAmount": 300},
    {"settlementCurrencySymbol": "TRX"},
    {"outTradeNo": None},
    {"outPaymentNo": ""},
    {"quoteCurrencySymbol": 5},
]


@pytest.mark.parametrize("changes", STRANGE, ids=str)
def test_a_callback_with_a_strange_field_is_refused_and_moves_nothing(changes: dict[str, Any]) -> None:
    adapter = PaymentDetailAdapter(SETTINGS)
    now = datetime.now(UTC)
    order = {
        "outTradeNo": "PM1", "outPaymentNo": "2024", "paymentStatus": 0, "quoteCurrencySymbol": "CNY",
        "quoteAmount": "300", "expectedAmount": "300000000", "settlementAmount": "300000000",
        "settlementCurrencySymbol": "USDT",
    }  # fmt: skip
    good, bad = (signed(json.dumps(content).encode(), now) for content in (order, {**order, **changes}))
    assert adapter.parse_callback(good).amount == Decimal(300)
    with pytest.raises(CallbackRefused):
        adapter.parse_callback(bad)


def signed(body: bytes, now: datetime, *, path: str = "/callbacks/chain") -> RawCallback:
    moment = str(int(now.timestamp()))
    signature = signing.signature_of(secret=SECRET, timestamp=moment, method="POST", path=path, body=body)
    headers = {"x-pay-key": KEY, "x-pay-timestamp": moment, "x-pay-sign": signature}
    return RawCallback(headers=headers, body=body, received_at=now, path=path)


def test_a_callback_to_another_address_is_refused(
    upstream: PaymentDetailDriver, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    upstream.adapter().submit_payment(payment)
    upstream.pay(payment.reference)
    callback = receiver.wait_for(1)[0]
    assert upstream.adapter().parse_callback(callback).state is UpstreamState.PAID
    with pytest.raises(CallbackRefused, match="signature is wrong"):
        upstream.adapter().parse_callback(replace(callback, path="/callbacks/another"))
