"""Creating deposits and payouts: what is answered, what is stored, and repeats (D1)."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from diamondpay.lib import clock, signing
from records import ledger, parties
from records.models import Payment, Payout
from tests import factories
from tests.merchants.api.gateway.conftest import NOTIFY_URL, Caller, fund
from tests.support.sandbox import Sandbox

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "lib" / "vectors.json").read_text())


def test_a_v1_deposit_answers_with_the_link_and_both_accounts(caller: Caller) -> None:
    params = caller.payment(number="6216667451674374", bank_code="CCB", remark_code="AB12")
    answer = caller.post("/v1/payments", params)
    payment = Payment.objects.get(merchant=caller.merchant)
    assert answer["error_code"] == "0000"
    link, payment_info = answer["data"]["link"], answer["data"]["payment_info"]
    assert link.startswith("http://127.0.0.1:8000/gateway/portal/v1/payments/")
    receiver = parties.receiver_of(payment)
    assert receiver is not None
    assert payment_info == {
        "amount": 50000,
        "display_amount": 50000,
        "payment_id": payment.payment_id,
        "payment_cl_id": params["payment_cl_id"],
        "receiver": {
            "card_name": receiver.card_name,
            "card_number": receiver.card_number,
            "bank_name": receiver.bank_name,
            "bank_branch": receiver.bank_branch,
            "bank_logo": "",
        },
        "sender": {
            "card_name": "王小头",
            "card_number": "************4374",
            "bank_id": "BK0001",
            "bank_code": "CCB",
            "bank_name": payment.bank.name if payment.bank else "",
            "bank_logo": "",
            "bank_link": payment.bank.link if payment.bank else "",
        },
        "token": "AB12",
    }


def test_a_v1_deposit_shows_the_amount_that_must_really_be_sent(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.behaviour(display_amount_add=7)
    payment_info = caller.post("/v1/payments", caller.payment())["data"]["payment_info"]
    assert (payment_info["amount"], payment_info["display_amount"]) == (50000, 50007)


def test_a_deposit_stores_what_was_asked(caller: Caller) -> None:
    params = caller.payment(amount="123456", last_numbers=["12345", "67890"])
    caller.post("/v1/payments", params)
    payment = Payment.objects.get(merchant=caller.merchant)
    assert payment.requested_amount == Decimal("1234.56")
    assert payment.notify_url == NOTIFY_URL
    assert (payment.dialect, payment.sign_type, payment.source) == ("gateway.v1", "HMAC-SHA256", "API_V1")
    assert payment.party_name == "王小头"


def test_a_v2_deposit_answers_with_link_and_numbers(caller: Caller) -> None:
    params = caller.payment()
    answer = caller.post("/v2/payments", params)
    payment = Payment.objects.get(merchant=caller.merchant)
    link = answer["data"].pop("link")
    assert "/gateway/portal/v1/payments/" in link
    assert answer == {
        "error_code": "0000",
        "data": {
            "payment_id": payment.payment_id,
            "payment_cl_id": params["payment_cl_id"],
            "amount": 50000,
        },
    }
    assert payment.dialect == "gateway.v2"


def test_services_without_a_receiver_answer_link_ids_and_amount(db: None, sandbox: Sandbox) -> None:
    factories.make_channel("thb", "THB", services=["SVC0046"], base_url=sandbox.base_url)
    caller = Caller(factories.make_merchant("Thai", services=["SVC0046"], channels=["thb"]))
    params = caller.payment(service_id="SVC0046", number="1234567890", bank_name="KBANK", currency="thb")
    answer = caller.post("/v1/payments", params)
    payment = Payment.objects.get(merchant=caller.merchant)
    assert answer["data"]["payment_info"] == {
        "amount": 50000,
        "payment_id": payment.payment_id,
        "payment_cl_id": params["payment_cl_id"],
    }


def test_the_same_content_again_answers_with_the_first_order_d1(caller: Caller) -> None:
    params = caller.payment()
    first = caller.post("/v1/payments", params)
    again = caller.post("/v1/payments", {**params, "request_time": int(clock.now().timestamp()) + 1})
    assert again == first
    assert Payment.objects.filter(merchant=caller.merchant).count() == 1


def test_a_number_and_its_digits_are_the_same_content_d1(caller: Caller) -> None:
    params = caller.payment(amount=50000)
    first = caller.post("/v1/payments", params)
    assert caller.post("/v1/payments", {**params, "amount": "50000"}) == first


def test_a_payout_freezes_and_answers_with_its_number(caller: Caller) -> None:
    fund(caller)
    answer = caller.post("/v1/payouts", caller.payout(notify_url=None))
    payout = Payout.objects.get(merchant=caller.merchant)
    assert answer == {"error_code": "0000", "data": {"payout_id": payout.payout_id}}
    wallet = caller.wallets[0].pk
    assert ledger.balances([wallet])[wallet] == (Decimal(900), Decimal(100))


def test_a_v2_payout_speaks_v2_and_takes_the_named_wallet(caller: Caller) -> None:
    fund(caller)
    answer = caller.post("/v2/payouts", caller.payout(platform_channel_id=caller.wallets[0].pk))
    payout = Payout.objects.get(merchant=caller.merchant)
    assert answer["data"] == {"payout_id": payout.payout_id}
    assert (payout.dialect, payout.merchant_channel_id) == ("gateway.v2", caller.wallets[0].pk)


def test_the_same_payout_again_freezes_once_d1(caller: Caller) -> None:
    fund(caller)
    params = caller.payout()
    assert caller.post("/v1/payouts", params) == caller.post("/v1/payouts", params)
    wallet = caller.wallets[0].pk
    assert ledger.balances([wallet])[wallet] == (Decimal(900), Decimal(100))


@pytest.mark.parametrize("vector", VECTORS["gateway_md5"] + VECTORS["gateway_hmac_sha256"])
def test_the_published_vectors_pass_the_signature_of_the_api(
    channel: str, vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merchant with the vector's key; only the vector's age is then wrong, and the answer says so."""
    monkeypatch.setattr("diamondpay.lib.crypto.random_key", lambda length: vector["key"])
    registered = factories.make_merchant("Vector", channels=[channel], is_md5_allowed=True)
    params = {**vector["params"], "platform_id": registered.merchant.pk}
    kind = signing.MD5 if len(vector["sign"]) == 32 else signing.HMAC_SHA256
    assert signing.sign(vector["params"], vector["key"], kind) == vector["sign"]
    signed = {**params, "sign_type": kind, "sign": signing.sign(params, vector["key"], kind)}
    caller = Caller(registered)
    path = "/v1/payments" if "payment_cl_id" in params else "/v1/payouts"
    answer = caller.send(path, json.dumps(signed))
    assert answer["error_code"] == "0004"
    assert "request_time differs by -" in answer["error_msg"]
