"""The client package of clients/python against the real transaction-request API, and against lies."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

import diamondpay_client as package
from diamondpay.lib import clock
from records.dialects import transaction_request as dialect
from records.models import Payment, Payout
from tests.merchants.api.carrying import Answer, carried, over
from tests.merchants.api.transaction_request.conftest import WEBHOOK_URL, Caller, book, fund

pytestmark = pytest.mark.django_db
CARD = package.BankCard(number="6216667451674374", bank_name="CCB", branch_name="Shanghai")


def client_of(caller: Caller, answer: Answer | None = None, secret: str = "") -> package.RequestClient:
    """Return a client whose calls are answered by the API, or by whatever stands in its way."""
    return package.RequestClient(
        url="http://testserver/", access_key=caller.access_key, secret_key=secret or caller.secret_key,
        http=over(answer or carried(caller.client)),
    )  # fmt: skip


def deposit(client: package.RequestClient, **changes: Any) -> package.TransactionRequest:
    wanted: dict[str, Any] = {"order_no": "in/1", "amount": Decimal("1234.56"), "name": "TEST_USER"}
    return client.create_deposit(webhook_url=WEBHOOK_URL, **{**wanted, **changes})


def withdrawal(client: package.RequestClient, **changes: Any) -> package.TransactionRequest:
    wanted: dict[str, Any] = {"order_no": "out/1", "amount": 747, "name": "Wang", "card": CARD}
    return client.withdraw(webhook_url=WEBHOOK_URL, **{**wanted, **changes})


def test_a_deposit_is_created_once_and_found_by_either_number(caller: Caller) -> None:
    with client_of(caller) as client:
        made = deposit(client, methods=package.PaymentMethod.BANK_CARD | package.PaymentMethod.ALIPAY)
        again = deposit(client, methods=package.PaymentMethod.BANK_CARD | package.PaymentMethod.ALIPAY)
        found = client.find("in/1", code=made.code)
    assert (again.code, Payment.objects.count()) == (made.code, 1)
    assert (made.requested_amount, made.unit_price, made.payment_amount, made.received_amount) == (
        Decimal("1234.56"), Decimal("7.47"), Decimal("1234.56"), Decimal(0),
    )  # fmt: skip
    assert (made.status, made.is_finished, made.is_withdrawal, made.ended_at) == (
        package.RequestStatus.IN_PROGRESS, False, False, None,
    )  # fmt: skip
    assert "/gateway/portal/v1/payments/" in made.payment_url
    assert (found.order_no, found.internal_no, found.payment_url) == ("in/1", made.internal_no, "")


def test_an_amount_reaches_the_book_with_every_digit(caller: Caller) -> None:
    fund(caller, 1000)
    with client_of(caller) as client:
        deposit(client, amount=Decimal("1.10"), currency="MTC")
        withdrawal(client)
    assert Payment.objects.get().quoted_amount == Decimal("1.10")
    assert Payout.objects.get().requested_amount == Decimal(747)


def test_a_no_is_told_from_what_nobody_knows_and_nothing_is_created(caller: Caller) -> None:
    before = book()
    with client_of(caller) as client:
        refusals: list[tuple[Callable[[], object], str]] = [
            (lambda: client.find("none"), "NOT_FOUND"),
            (lambda: withdrawal(client), "INSUFFICIENT_BALANCE"),
            (lambda: deposit(client, language="fr"), "INVALID_PARAMETER"),
        ]
        for ask, code in refusals:
            with pytest.raises(package.Refused) as refused:
                ask()
            assert refused.value.code == code
        with pytest.raises(ValueError, match="order number or a request code"):
            client.find()
        for amount, fault in ((1.5, TypeError), (0, ValueError), (Decimal("NaN"), ValueError)):
            with pytest.raises(fault):
                deposit(client, amount=amount)
    with pytest.raises(package.Refused) as wrong:
        client_of(caller, secret="another").find("none")
    assert (wrong.value.code, book()) == ("UNAUTHORIZED", before)


def _down(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("late", request=request)


def _says(status: int, **content: object) -> Answer:
    whole = {"data": None, "isSuccess": False, "statusCode": "NOT_FOUND", "message": "", **content}
    return lambda _request: httpx.Response(status, json=whole)


@pytest.mark.parametrize(
    "answer",
    [
        _down,
        lambda _request: httpx.Response(502, content=b"<html>"),
        _says(503, statusCode="SERVICE_UNAVAILABLE"),
        _says(429, statusCode="TOO_MANY_REQUESTS"),
        _says(200),
        _says(200, isSuccess=True, statusCode="SUCCESS", data={"status": "Finished"}),
    ],
    ids=["no answer", "no JSON", "unavailable", "too many", "200 that is none", "not signed"],
)
def test_what_cannot_be_believed_is_unknown_and_never_a_no(caller: Caller, answer: Answer) -> None:
    with client_of(caller, answer) as client:
        with pytest.raises(package.OutcomeUnknown):
            deposit(client)
        with pytest.raises(package.OutcomeUnknown):
            client.find("in/1")


def test_a_changed_answer_is_not_believed(caller: Caller) -> None:
    deposit(client_of(caller))
    real = carried(caller.client)

    def lie(request: httpx.Request) -> httpx.Response:
        answer = real(request)
        content = answer.content.replace(b'"InProgress"', b'"Finished"')
        assert content != answer.content
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, headers=kept, content=content)

    with client_of(caller, lie) as client, pytest.raises(package.OutcomeUnknown, match="not signed"):
        client.find("in/1")


def test_no_moment_signs_two_calls(caller: Caller) -> None:
    moments: list[int] = []

    def note(request: httpx.Request) -> httpx.Response:
        moments.append(int(request.headers["timestamp"]))
        return httpx.Response(502)

    with client_of(caller, note) as client:
        for _call in range(50):
            with pytest.raises(package.OutcomeUnknown):
                client.find("in/1")
    assert len(set(moments)) == 50


def test_a_webhook_of_ours_is_verified_and_no_other(caller: Caller) -> None:
    deposit(client_of(caller))
    now = int(clock.now().timestamp())
    body = dialect.V2.body(
        facts=dialect.V2.payment_facts(Payment.objects.get()), sign_type="", secret=caller.secret_key,
        access_key=caller.access_key, timestamp_ms=now * 1000,
    )  # fmt: skip
    headers = dialect.V2.headers(webhook_id="x", timestamp=now, body=body, secrets=[caller.secret_key])
    good: dict[str, Any] = {"headers": headers, "body": body, "keys": ["old", caller.secret_key], "now": now}
    told = package.webhook(**good)
    assert (told.order_no, told.status, told.payment_amount) == ("in/1", "InProgress", Decimal("1234.56"))
    changes: list[dict[str, Any]] = [
        {"body": body.replace(b"1234.56", b"9234.56")},
        {"keys": ["another"]},
        {"now": now + 301},
        {"headers": {}},
    ]
    for change in changes:
        with pytest.raises(package.SignatureInvalid):
            package.webhook(**{**good, **change})
    empty = json.dumps({"requestCode": "x"}).encode()
    signed = dialect.V2.headers(webhook_id="x", timestamp=now, body=empty, secrets=[caller.secret_key])
    with pytest.raises(package.SignatureInvalid, match="cannot be read"):
        package.webhook(**{**good, "body": empty, "headers": signed})
