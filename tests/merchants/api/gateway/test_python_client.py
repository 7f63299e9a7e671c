"""The client package of clients/python: against the real API, and against a world that misbehaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

import diamondpay_client as package
from diamondpay.lib import signing
from diamondpay_client import signing as client_signing
from merchants.api.gateway import reference
from records.models import Payment, Payout
from tests.merchants.api.carrying import carried, over
from tests.merchants.api.gateway.conftest import NOTIFY_URL, Caller, fund

pytestmark = pytest.mark.django_db
KEY = "ThisIsYourSecretKey123"
CREATED = {"link": "https://pay", "payment_id": "PM1", "payment_cl_id": "order-1", "amount": 10000}
SUCCESS = {"error_code": "0000", "data": CREATED}


def client_of(caller: Caller, **options: Any) -> package.Client:
    """Return a client of the real API, without a socket between: Django's test client carries the bytes."""
    return package.Client(
        url="http://testserver",
        platform_id=caller.merchant.pk,
        platform_key=options.pop("platform_key", caller.key),
        authorization=caller.token,
        http=over(carried(caller.client)),
        **options,
    )


@pytest.fixture
def client(caller: Caller) -> package.Client:
    """Acme's client."""
    return client_of(caller)


def deposit(client: package.Client, **changes: Any) -> package.CreatedDeposit:
    wanted: dict[str, Any] = {"order_no": "order-1", "amount": Decimal("100.00"), "notify_url": NOTIFY_URL}
    return client.create_deposit(service_id="SVC0001", **{**wanted, **changes})


def payout(client: package.Client, **changes: Any) -> package.CreatedPayout:
    wanted: dict[str, Any] = {
        "order_no": "out-1",
        "amount": 50,
        "name": "王小头",
        "number": "6216667451674374",
    }
    return client.create_payout(service_id="SVC0004", **{**wanted, **changes})


def test_a_deposit_is_created_read_and_listed(client: package.Client) -> None:
    created = deposit(client, name="王小头", last_numbers=["12345", "67890"])
    stored = Payment.objects.get()
    assert (created.id, created.order_no, created.amount) == (stored.payment_id, "order-1", Decimal(100))
    read = client.deposit("order-1")
    assert (read.id, read.amount, read.real_amount, read.fee) == (
        created.id,
        Decimal(100),
        Decimal(0),
        Decimal(0),
    )
    assert (read.status, read.is_paid) == (package.DepositStatus.PROCESSING, False)
    listed = client.deposits(payment_cl_id="order-1", limit=5)
    assert (listed.items, listed.total) == ([read], 1)


def test_a_payout_is_created_read_and_listed_and_its_money_frozen(
    client: package.Client, caller: Caller
) -> None:
    fund(caller, 1000)
    created = payout(client)
    assert created.id == Payout.objects.get().payout_id
    read = client.payout("out-1")
    assert (read.amount, read.status, read.error) == (Decimal(50), package.PayoutStatus.PROCESSING, "")
    assert [item.id for item in client.payouts().items] == [created.id]
    balance = client.balance("CNY")
    assert balance.frozen == Decimal(50) + Payout.objects.get().fee
    assert balance.available == Decimal(1000) - balance.frozen


def test_the_same_order_again_is_the_first_one(client: package.Client) -> None:
    assert deposit(client).id == deposit(client).id
    with pytest.raises(package.Refused) as refused:
        deposit(client, amount=Decimal(101))
    assert refused.value.code == "0014"
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda client: client.deposit("unknown"), "0050"),
        (payout, "0018"),
        (lambda client: client.deposits(limit=501), "0002"),
        (lambda client: client.balance("XYZ"), "0002"),
    ],
)
def test_a_refusal_carries_its_code(
    client: package.Client, call: Callable[[package.Client], object], code: str
) -> None:
    with pytest.raises(package.Refused) as refused:
        call(client)
    assert refused.value.code == code
    assert refused.value.message
    assert Payout.objects.count() == 0


def test_a_wrong_key_is_refused_and_answers_that_it_did_not_sign_are_not_believed(caller: Caller) -> None:
    deposit(client_of(caller))
    stranger = client_of(caller, platform_key="another-key-000000000000")
    with pytest.raises(package.Refused) as refused:
        deposit(stranger, order_no="order-2")
    assert refused.value.code == "0004"
    with pytest.raises(package.SignatureInvalid):
        stranger.deposits()
    assert Payment.objects.count() == 1


def test_md5_works_for_a_merchant_that_has_it(md5_caller: Caller) -> None:
    client = client_of(md5_caller, sign_type="MD5")
    created = deposit(client)
    assert client.deposits().items[0].id == created.id


@pytest.mark.parametrize("amount", [Decimal("0.001"), Decimal("NaN"), Decimal("Infinity"), Decimal(-1), 0])
def test_an_amount_that_cannot_be_sent_exactly_is_refused_before_it_is_sent(
    client: package.Client, amount: Decimal
) -> None:
    with pytest.raises(ValueError, match="no positive amount"):
        deposit(client, amount=amount)
    assert Payment.objects.count() == 0


@pytest.mark.parametrize("amount", [1.5, "100", True, None])
def test_an_amount_of_another_kind_is_refused(client: package.Client, amount: object) -> None:
    with pytest.raises(TypeError):
        deposit(client, amount=amount)
    assert Payment.objects.count() == 0


class World:
    """An upstream of the client that answers what it is told, in turn."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers: Iterator[httpx.Response | Exception] = iter(answers)
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content or b"{}"))
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> package.Client:
        return package.Client(
            url="https://pay.example.com",
            platform_id="PF0002",
            platform_key=KEY,
            authorization="token",
            wait_seconds=0,
            http=httpx.Client(transport=httpx.MockTransport(self)),
        )


UNSURE: list[httpx.Response | Exception] = [
    httpx.ReadTimeout("slow"),
    httpx.ConnectError("refused"),
    httpx.Response(502, html="<h1>Bad gateway</h1>"),
    httpx.Response(503, json={"error_code": "0001", "error_msg": "busy"}),
    httpx.Response(429, json={"error_code": "0001"}, headers={"Retry-After": "0"}),
    httpx.Response(200, json={"error_code": "0001"}),
    httpx.Response(200, text='{"error_code": "00'),
    httpx.Response(200, json=["0000"]),
    httpx.Response(500, json={"error_code": "0000", "data": {}}),
    httpx.Response(302, headers={"Location": "https://elsewhere.example"}),
]


@pytest.mark.parametrize("answer", UNSURE, ids=repr)
def test_an_unknown_outcome_is_asked_for_again_with_the_same_content(
    answer: httpx.Response | Exception,
) -> None:
    world = World(answer, httpx.Response(200, json=SUCCESS))
    assert deposit(world.client()).id == "PM1"
    first, second = ({k: v for k, v in b.items() if k not in ("sign", "request_time")} for b in world.bodies)
    assert first == second
    assert all(signing.verify(body, KEY, "HMAC-SHA256", body["sign"]) for body in world.bodies)


@pytest.mark.parametrize("answer", UNSURE, ids=repr)
def test_an_outcome_that_stays_unknown_is_never_a_refusal(answer: httpx.Response | Exception) -> None:
    world = World(answer, answer, answer, httpx.Response(200, json=SUCCESS))
    with pytest.raises(package.OutcomeUnknown):
        payout(world.client())
    assert len(world.bodies) == 3


def test_a_refusal_is_not_sent_again() -> None:
    world = World(httpx.Response(200, json={"error_code": "0018", "error_msg": "No."}))
    with pytest.raises(package.Refused, match=r"0018: No\."):
        payout(world.client())
    assert len(world.bodies) == 1


@pytest.mark.parametrize("data", [None, [], "x", {"payment_id": 1}, {**CREATED, "amount": "10000"}])
def test_an_answer_of_another_form_is_unknown(data: object) -> None:
    world = World(httpx.Response(200, json={"error_code": "0000", "data": data}))
    with pytest.raises(package.OutcomeUnknown):
        deposit(world.client())


def told(**changes: Any) -> dict[str, Any]:
    """Return the arguments of a notification that is right, but for the changes."""
    facts: dict[str, object] = dict.fromkeys(reference.DEPOSIT_NOTIFICATION, 1)
    facts |= {"status": 2, "amount": 10000, "real_amount": 9950, "fee": 80}
    body = json.dumps({**facts, "payment_id": "PM1", "payment_cl_id": "order-1", "platform_id": "PF0002"})
    headers = signing.webhook_headers(
        secret=KEY.encode(), message_id="msg_1", timestamp=1000, body=body.encode()
    )
    return {"headers": headers, "body": body.encode(), "keys": [KEY], "now": 1000.0, **changes}


def test_a_notification_says_what_arrived() -> None:
    found = package.notification(**told(keys=["the-next-key", KEY], now=1300.0))
    assert (found.webhook_id, found.id, found.order_no) == ("msg_1", "PM1", "order-1")
    assert (found.is_paid, found.is_payout, found.real_amount) == (True, False, Decimal("99.50"))


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": ["another"]},
        {"keys": []},
        {"now": 1301.0},
        {"now": 699.0},
        {"body": b"{}"},
        {"headers": {}},
        {"headers": {**told()["headers"], "webhook-id": "msg_2"}},
        {"headers": {**told()["headers"], "webhook-timestamp": "1001"}},
        {"headers": {**told()["headers"], "webhook-timestamp": "１０００"}},
        {"headers": {**told()["headers"], "webhook-signature": "v1,王"}},
    ],
)
def test_a_notification_that_is_not_ours_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(package.SignatureInvalid):
        package.notification(**told(**changes))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"payment_id": 1}'])
def test_a_signed_body_that_cannot_be_read_is_refused(body: bytes) -> None:
    headers = signing.webhook_headers(secret=KEY.encode(), message_id="msg_1", timestamp=1000, body=body)
    with pytest.raises(package.SignatureInvalid):
        package.notification(headers=headers, body=body, keys=[KEY], now=1000.0)


def test_its_signatures_are_those_of_the_api() -> None:
    params: dict[str, object] = {
        "b": "王&=",
        "a_x": 0,
        "a": ["1", "2"],
        "none": None,
        "empty": "",
        "yes": True,
    }
    for sign_type in (client_signing.MD5, client_signing.HMAC_SHA256):
        assert client_signing.sign(params, KEY, sign_type) == signing.sign(params, KEY, sign_type)
    with pytest.raises(TypeError):
        client_signing.sign({"a": 1.5}, KEY)


def test_its_statuses_are_those_of_the_documentation() -> None:
    assert [s.value for s in package.DepositStatus] == [s.code for s in reference.DEPOSIT_STATUSES]
    assert [s.value for s in package.PayoutStatus] == [s.code for s in reference.PAYOUT_STATUSES]
