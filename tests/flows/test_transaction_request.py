"""The transaction-request API over real processes, spoken by an independent client: D1, D2, L9, N1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import httpx
import pytest

from diamondpay_client import BankCard, RequestClient, webhook
from tests.flows.conftest import MakeMerchant
from tests.support.platform import Platform
from tests.support.receiver import Merchant, Receiver

_numbers = count(1)
_moments = count(int(time.time() * 1000))


@dataclass
class Client:
    """A merchant that has read the documentation and nothing else."""

    url: str
    access_key: str
    secret_key: str
    gateway: Merchant
    wallet: str

    def upper_hex(self, message: bytes) -> str:
        return hmac.new(self.secret_key.encode(), message, hashlib.sha256).hexdigest().upper()

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Make a call with the documented header names and check that the answer is signed for it."""
        moment = str(max(next(_moments), int(time.time() * 1000)))
        signature = self.upper_hex(f"{self.access_key}_{moment}".encode())
        headers = {"access_key": self.access_key, "timestamp": moment, "signature": signature}
        answer = httpx.request(
            method,
            f"{self.url}/api/v2/merchant/{path}",
            headers=headers,
            trust_env=False,
            timeout=40,
            **arguments,
        )
        assert answer.status_code == 200, answer.text
        told = answer.headers["x-answer-signature"]
        assert told == self.upper_hex(f"{signature}_200_".encode() + answer.content)
        found: dict[str, Any] = json.loads(answer.content, parse_float=Decimal)
        data: dict[str, Any] = found["data"]
        return data

    def webhooks(self, receiver: Receiver) -> list[dict[str, Any]]:
        """Return what was told so far; fail when one is not signed as the documentation says."""
        found = []
        for headers, raw in receiver.received:
            body = json.loads(raw, parse_float=Decimal)
            moment = f"{self.access_key}_{body['timestamp']}".encode()
            assert body["signature"] == self.upper_hex(moment)
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
            mac = hmac.new(self.secret_key.encode(), signed, hashlib.sha256).digest()
            assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
            found.append(body)
        return found


@pytest.fixture
def client(platform: Platform, make_merchant: MakeMerchant) -> Iterator[Client]:
    """A merchant whose wallet is in MTC at 7.47, 3 % fee."""
    platform.shell("from tests.factories import make_rate; make_rate('7.47')")
    gateway, printed = make_merchant(
        "--fee-permillage", "30", "--settlement-currency", "MTC", "--api", "transaction_request"
    )
    pair = printed["transaction_request"]
    yield Client(
        platform.url, pair["access_key"], pair["secret_key"], gateway, printed["platform_channel_ids"][0]
    )
    platform.check_book()


def test_the_seeds_deposit_travels_the_whole_road(
    platform: Platform, client: Client, receiver: Receiver
) -> None:
    receiver.answers = [(204, "")]
    number = f"TEST_ORDER_{next(_numbers)}"
    body = {
        "client": {"realName": "TEST_USER"}, "depositCurrency": "CNY", "fiatCurrency": "CNY",
        "depositAmount": 1234.56, "merchantOrderNo": number, "webhookUrl": receiver.url,
        "paymentMethod": {"method": 1},
    }  # fmt: skip
    created = client.call("POST", "deposit", json=body)
    assert (created["status"], created["unitPrice"]) == ("InProgress", Decimal("7.47"))
    payment_id = platform.one("SELECT payment_id FROM records_payment WHERE merchant_order_no = %s", number)
    platform.sandbox.pay(payment_id)
    platform.until(lambda: len(receiver.received) == 2, what="both webhooks")

    told = client.webhooks(receiver)
    assert [found["status"] for found in told] == ["InProgress", "Finished"]
    names = ("unitPrice", "transactionAmount", "transactionFee", "receivedAmount", "paymentAmount")
    asked = client.call("GET", "transaction-request", params={"requestCode": created["requestCode"]})
    for found in (told[1], asked):
        assert [str(found[name]) for name in names] == ["7.47", "165.27", "4.96", "160.31", "1234.56"]
    (listed,) = client.gateway.get("/v1/payments", payment_cl_id=number)["data"]
    assert (listed["status"], listed["payment_id"], listed["real_amount"]) == (2, payment_id, 123456)
    assert platform.one(
        "SELECT balance FROM records_account WHERE kind = 'available' AND merchant_channel_id = %s",
        client.wallet,
    ) == Decimal("160.31")


def test_a_withdrawal_travels_the_whole_road(platform: Platform, client: Client, receiver: Receiver) -> None:
    platform.sandbox.behaviour("normal", payout_delay_seconds=600)
    platform.command("fund", "--wallet", client.wallet, "--amount", "200", "--reason", "opening balance")
    number = f"TEST_WITHDRAWAL_{next(_numbers)}"
    body = {
        "client": {"realName": "TEST_USER"}, "withdrawCurrency": "CNY", "fiatCurrency": "CNY",
        "withdrawAmount": 747, "merchantOrderNo": number, "webhookUrl": receiver.url,
        "bankCard": {"cardNumber": "6216667451674374", "bankName": "CCB", "bankBranchName": "Shanghai"},
    }  # fmt: skip
    created = client.call("POST", "withdraw/bank-card", json=body)
    assert (created["transactionAmount"], created["transactionFee"]) == (100, 3)
    payout_id = platform.one("SELECT payout_id FROM records_payout WHERE merchant_order_no = %s", number)
    platform.sandbox.pay(f"{payout_id}-1")
    platform.until(lambda: len(receiver.received) == 2, what="both webhooks")
    told = client.webhooks(receiver)
    assert [found["status"] for found in told] == ["InProgress", "Finished"]
    assert (told[1]["receivedAmount"], told[1]["transactionAmount"]) == (747, 100)
    asked = client.call("GET", "transaction-request", params={"merchantOrderNo": number})
    assert (asked["status"], asked["internalOrderNo"][:5]) == ("Finished", "AT-W-")
    assert client.gateway.get(f"/v2/payouts/{number}")["data"]["status"] == 3
    balances = "SELECT kind, balance FROM records_account WHERE merchant_channel_id = %s ORDER BY kind"
    assert platform.rows(balances, client.wallet) == [("available", Decimal(97)), ("frozen", Decimal(0))]


def test_a_merchant_takes_money_and_pays_it_out_with_the_client_package(
    platform: Platform, client: Client, receiver: Receiver
) -> None:
    receiver.answers = [(204, "")]
    numbers = f"TEST_IN_{next(_numbers)}", f"TEST_OUT_{next(_numbers)}"
    with RequestClient(url=client.url, access_key=client.access_key, secret_key=client.secret_key) as package:
        made = package.create_deposit(
            order_no=numbers[0], amount=Decimal("1234.56"), name="TEST_USER", webhook_url=receiver.url
        )
        query = "SELECT payment_id FROM records_payment WHERE merchant_order_no = %s"
        platform.sandbox.pay(platform.one(query, numbers[0]))
        platform.until(lambda: len(receiver.received) == 2, what="both webhooks of the deposit")
        told = [webhook(headers=h, body=b, keys=[client.secret_key]) for h, b in receiver.received]
        assert [one.is_finished for one in told] == [False, True]
        assert (told[1].code, told[1].received_amount, told[1].fee) == (
            made.code, Decimal("160.31"), Decimal("4.96"),
        )  # fmt: skip
        package.withdraw(
            order_no=numbers[1], amount=747, name="TEST_USER", webhook_url=receiver.url,
            card=BankCard(number="6216667451674374", bank_name="CCB", branch_name="Shanghai"),
        )  # fmt: skip
        platform.until(lambda: package.find(numbers[1]).is_finished, what="the withdrawal to be paid")
        paid = package.find(numbers[1])
        assert (paid.is_withdrawal, paid.transaction_amount, paid.fee, paid.received_amount) == (
            True, Decimal(100), Decimal(3), Decimal(747),
        )  # fmt: skip
