"""Who may call: signed as documented, tampered, stale, of another merchant, from elsewhere."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from diamondpay.lib import clock, signing
from merchants import credentials
from merchants.api.payment_detail import reference
from merchants.models import AllowedAddress, Credential, Merchant
from tests.merchants.api.payment_detail.conftest import API, Caller, MakeCaller, book, signature_of

pytestmark = pytest.mark.django_db


def test_the_example_of_the_page_is_signed_as_documented() -> None:
    given = dict(reference.VECTOR)
    body = given.pop("body").encode()
    wanted = signature_of(given["secret"], given["timestamp"], given["method"], given["path"], body)
    assert wanted == reference.SIGNATURE
    ours = signing.detail_signature(
        secret=given["secret"], timestamp=given["timestamp"], method="GET", path=given["path"], body=body
    )
    assert ours == wanted


def test_a_get_is_taken_signed_with_its_query_and_without(caller: Caller) -> None:
    caller.place("order-1")
    signed = caller.detail(outTradeNo="order-1")
    headers = caller.headers("GET", "/payment/detail")
    bare = caller.get("/payment/detail", headers, outTradeNo="order-1")
    assert (signed.status, bare.status) == (200, 200)
    assert signed.data == bare.data


CHANGES: dict[str, dict[str, Any]] = {
    "unknown_key": {"x_pay_key": "nobody"},
    "strange_key": {"x_pay_key": "é\x01"},
    "truncated": {"x_pay_sign": "AAAA"},
    "not_base64": {"x_pay_sign": "é" * 44},
    "not_a_time": {"timestamp": "now"},
    "wide_digits": {"timestamp": "１７１２１２２８３０"},
    "no_time": {"timestamp": "-5"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_proves_nothing_is_401(name: str, caller: Caller) -> None:
    caller.place("order-1")
    before = book()
    path = "/payment/notify?outTradeNo=order-1"
    answer = caller.send("GET", path, headers=caller.headers("GET", path, **CHANGES[name]))
    assert (answer.status, answer.words) == (401, "The key, the signature or the time is wrong.")
    assert "X-Answer-Signature" not in answer.headers
    assert book() == before


def test_missing_headers_are_named(caller: Caller) -> None:
    answer = caller.send("GET", "/payment/detail", headers={"x-pay-key": caller.key})
    assert answer.words == "The header is missing: X-PAY-TIMESTAMP, X-PAY-SIGN."


@pytest.mark.parametrize(("seconds", "status"), [(-61, 401), (-58, 404), (58, 404), (61, 401)])
def test_a_time_of_more_than_sixty_seconds_is_401(seconds: int, status: int, caller: Caller) -> None:
    path = "/payment/detail?outTradeNo=none"
    moment = int(clock.now().timestamp()) + seconds
    answer = caller.send("GET", path, headers=caller.headers("GET", path, timestamp=moment))
    assert answer.status == status
    if status == 401:
        assert "differs by" in answer.words


def test_milliseconds_are_told_apart(caller: Caller) -> None:
    moment = int(clock.now().timestamp() * 1000)
    path = "/payment/detail?outTradeNo=none"
    answer = caller.send("GET", path, headers=caller.headers("GET", path, timestamp=moment))
    assert (answer.status, answer.words) == (
        401, "X-PAY-TIMESTAMP looks like milliseconds; send Unix seconds.",
    )  # fmt: skip


def test_the_signature_of_another_address_or_method_proves_nothing(caller: Caller) -> None:
    caller.place("order-1")
    headers = caller.headers("GET", "/payment/detail?outTradeNo=order-1")
    for path in ("/payment/notify?outTradeNo=order-1", "/payment/detail?outTradeNo=order-2"):
        assert caller.send("GET", path, headers=headers).status == 401
    posted = caller.headers("POST", "/payment/detail?outTradeNo=order-1")
    assert caller.send("GET", "/payment/detail?outTradeNo=order-1", headers=posted).status == 401


def test_a_key_of_another_api_or_another_merchant_opens_nothing(
    caller: Caller, make_caller: MakeCaller
) -> None:
    caller.place("order-1")
    rival = make_caller("Rival")
    assert rival.detail(outTradeNo="order-1").status == 404
    crossed = rival.headers("GET", "/payment/detail?outTradeNo=order-1", x_pay_key=caller.key)
    assert caller.send("GET", "/payment/detail?outTradeNo=order-1", headers=crossed).status == 401
    gateway = caller.registered.credential.public_id
    foreign = caller.headers("GET", "/payment/detail", x_pay_key=gateway)
    assert caller.send("GET", "/payment/detail", headers=foreign).status == 401


def test_an_answer_is_signed_a_refusal_too(caller: Caller) -> None:
    caller.place("order-1")
    for number in ("order-1", "none"):
        path = f"/payment/detail?outTradeNo={number}"
        headers = caller.headers("GET", path)
        answer = caller.send("GET", path, headers=headers)
        message = f"{headers['x-pay-sign']}_{answer.status}_".encode() + answer.raw
        wanted = hmac.new(caller.secret.encode(), message, hashlib.sha256).hexdigest().upper()
        assert answer.headers["X-Answer-Signature"] == wanted


def test_an_address_that_is_not_listed_and_a_disabled_merchant_are_403(caller: Caller) -> None:
    AllowedAddress.objects.create(merchant=caller.merchant, network="10.1.0.0/16")
    refused = caller.detail(outTradeNo="x")
    assert (refused.status, refused.words) == (403, "Host not allowed: 127.0.0.1")
    AllowedAddress.objects.all().delete()
    Merchant.objects.filter(pk=caller.merchant.pk).update(status=Merchant.Status.DISABLED)
    assert caller.detail(outTradeNo="x").status == 403


def test_a_rotated_key_lives_until_its_end(caller: Caller) -> None:
    now = clock.now()
    fresh = credentials.rotate(merchant=caller.merchant, api=API, now=now, overlap_seconds=3600)
    assert caller.detail(outTradeNo="x").status == 404
    Credential.objects.filter(public_id=caller.key).update(ends_at=now - timedelta(seconds=1))
    assert caller.detail(outTradeNo="x").status == 401
    assert fresh.credential.last_used_at is None


def test_too_many_calls_are_429_with_a_time_to_wait(caller: Caller, settings: Settings) -> None:
    settings.API_QUERIES_PER_MINUTE = 2
    answers = [caller.detail(outTradeNo="x") for _call in range(4)]
    assert answers[-1].status == 429
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
