"""The client package of clients/python against the real payment-detail API, and against a world that lies."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import diamondpay_client as package
from diamondpay.lib import clock
from records.dialects import payment_detail as dialect
from records.models import Notification, Payment
from tests.merchants.api.carrying import Answer, carried, over
from tests.merchants.api.payment_detail.conftest import NOTIFY_URL, Caller, OverChain, paid
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.django_db


def client_of(caller: Caller, answer: Answer | None = None, secret: str = "") -> package.DetailClient:
    """Return a client whose calls are answered by the API, or by whatever stands in its way."""
    return package.DetailClient(
        url="http://testserver", key=caller.key, secret=secret or caller.secret,
        http=over(answer or carried(caller.client)),
    )  # fmt: skip


def test_an_order_is_read_as_it_is(caller: Caller, sandbox: Sandbox) -> None:
    payment = caller.place("order/1")
    with client_of(caller) as client:
        found = client.detail("order/1")
        assert (found.id, found.status, found.is_paid) == (payment.payment_id, 1, False)
        assert (found.expected_units, found.settled_units, found.chain_id) == (123456, None, None)
        paid(sandbox, payment)
        found = client.detail("order/1")
    assert (found.is_paid, found.settled_units, found.settlement_currency) == (True, 123456, "CNY")


def test_an_order_is_placed_over_a_chain_of_the_lists(over_chain: OverChain) -> None:
    wanted: dict[str, Any] = {
        "order_no": "order/1", "chain_id": 99, "currency": "USDT", "amount": "10", "description": "A book",
        "notify_url": NOTIFY_URL, "redirection_url": "https://shop.example/thanks",
    }  # fmt: skip
    with client_of(over_chain) as client:
        assert [chain.id for chain in client.chains()] == [2, 99]
        tokens = {one.symbol: one for one in client.currencies(99)}
        made = client.create(**wanted)
        assert client.create(**wanted) == made
        found = client.detail("order/1")
        with pytest.raises(package.Refused) as refused:
            client.create(**{**wanted, "amount": "11"})
    assert (refused.value.code, Payment.objects.count()) == ("409", 1)
    assert (found.id, found.address, found.currency_id) == (made.id, made.address, tokens["USDT"].id)
    assert (found.expected_units, tokens["USDT"].decimals, tokens["ETH"].address) == (10_000_000, 6, "")
    assert made.payment_url.startswith("http://testserver/gateway/portal/")


def test_a_no_is_told_from_what_nobody_knows(caller: Caller) -> None:
    with pytest.raises(package.Refused) as refused:
        client_of(caller).detail("none")
    assert refused.value.code == "404"
    with pytest.raises(package.Refused) as wrong:
        client_of(caller, secret="another").detail("none")
    assert wrong.value.code == "401"


def test_a_changed_answer_is_not_believed(caller: Caller) -> None:
    caller.place("order-1")
    real = carried(caller.client)

    def lie(request: httpx.Request) -> httpx.Response:
        answer = real(request)
        content = answer.content.replace(b'"paymentStatus":1', b'"paymentStatus":0')
        assert content != answer.content
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, headers=kept, content=content)

    with client_of(caller, answer=lie) as client, pytest.raises(package.OutcomeUnknown, match="not signed"):
        client.detail("order-1")


def test_asking_to_be_told_leaves_a_notification(caller: Caller) -> None:
    caller.place("order-1")
    client_of(caller).notify("order-1")
    assert Notification.objects.filter(asked_at__isnull=False).count() == 1
    with pytest.raises(package.OutcomeUnknown, match="429"):
        client_of(caller).notify("order-1")


def test_a_callback_of_ours_is_verified_and_no_other(caller: Caller) -> None:
    payment, now = caller.place("order-1"), int(clock.now().timestamp())
    body = dialect.dumped(dialect.V1.payment_facts(payment))
    headers = dialect.V1.headers(
        webhook_id="x", timestamp=now, body=body, secrets=[caller.secret], access_key=caller.key,
        url="https://shop.example/notify?a=1",
    )  # fmt: skip
    good: dict[str, Any] = {
        "headers": headers, "body": body, "path": "/notify?a=1", "now": now,
        "keys": {caller.key: caller.secret},
    }  # fmt: skip
    assert package.callback(**good).order_no == "order-1"
    changes: list[dict[str, Any]] = [
        {"body": body.replace(b"1234", b"9234")},
        {"path": "/notify"},
        {"keys": {caller.key: "another"}},
        {"keys": {"another": caller.secret}},
        {"now": now + 301},
        {"headers": {}},
    ]
    for change in changes:
        with pytest.raises(package.SignatureInvalid):
            package.callback(**{**good, **change})
