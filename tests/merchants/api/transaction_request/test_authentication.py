"""Who may call: the published vector, tampered, stale and replayed calls, limits, signed answers."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from diamondpay import celery, environment
from diamondpay.lib import clock, signing
from merchants import credentials, signed_calls, tasks
from merchants.models import AllowedAddress, Credential, Merchant, SignedCall
from records.models import Payment
from tests.merchants.api.transaction_request.conftest import (
    API,
    BASE,
    Caller,
    MakeCaller,
    book,
    signature_of,
)

pytestmark = pytest.mark.django_db
VECTORS = json.loads((environment.ROOT / "tests" / "lib" / "vectors.json").read_text())


def test_the_published_vector_is_signed_as_published() -> None:
    (vector,) = VECTORS["transaction_request_hmac_sha256_upper_hex"]
    pair = {name: vector[name] for name in ("access_key", "secret_key", "timestamp")}
    assert signature_of(*pair.values()) == vector["signature"]
    assert signing.verify_access(**pair, signature=vector["signature"])


def test_both_spellings_of_the_access_key_are_taken(caller: Caller) -> None:
    body = json.dumps(caller.deposit())
    headers = caller.headers()
    spelled: dict[str, Any] = {
        "HTTP_ACCESS_KEY": headers["access-key"],
        "HTTP_TIMESTAMP": headers["timestamp"],
        "HTTP_SIGNATURE": headers["signature"],
    }
    response = caller.client.generic("POST", f"{BASE}deposit", body, "application/json", **spelled)
    assert response.status_code == 200


def tampered(caller: Caller) -> list[dict[str, str]]:
    good = caller.headers()
    sign = good["signature"]
    return [
        {**good, "signature": sign.lower()},
        {**good, "signature": sign[:-1]},
        {**good, "signature": f"{sign}A"},
        {**good, "signature": "０" * 64},
        {**good, "signature": "é" * 64},
        {**good, "signature": ""},
        {**good, "timestamp": str(int(good["timestamp"]) + 1)},
        {**good, "timestamp": f" {good['timestamp']} x"},
        {**good, "timestamp": "１２３"},
        {**good, "timestamp": ""},
        {**good, "access-key": good["access-key"][:-1]},
        {**good, "access-key": "A" * 5000},
        {**good, "access-key": ""},
        {**good, "access-key": f"{good['access-key']}\x00"},
        {name: value for name, value in good.items() if name != "signature"},
        {},
    ]


def test_a_tampered_call_is_unauthorized_and_changes_nothing(caller: Caller, settings: Settings) -> None:
    settings.API_REFUSALS_PER_MINUTE = settings.API_KEY_REFUSALS_PER_MINUTE = 1000
    before = book()
    for number, headers in enumerate(tampered(caller)):
        sent = headers or {"x-none": "1"}
        posted, asked = caller.post("deposit", caller.deposit(), headers=sent), caller.get(headers=sent)
        assert (posted.status, posted.code) == (401, "UNAUTHORIZED"), number
        assert (asked.status, asked.code) == (401, "UNAUTHORIZED"), number
        assert "X-Answer-Signature" not in posted.headers
    assert (book(), SignedCall.objects.count()) == (before, 0)


@pytest.mark.parametrize("seconds", [-301, 301, -86400])
def test_a_stale_timestamp_is_expired_and_changes_nothing(seconds: int, caller: Caller) -> None:
    moment = int((clock.now() + timedelta(seconds=seconds)).timestamp() * 1000)
    before = book()
    answer = caller.post("deposit", caller.deposit(), headers=caller.headers(timestamp=moment))
    assert (answer.status, answer.code, book()) == (401, "TIMESTAMP_EXPIRED", before)
    assert "ms from our clock" in answer.body["message"]


def test_seconds_instead_of_milliseconds_are_told_as_such(caller: Caller) -> None:
    answer = caller.get(headers=caller.headers(timestamp=int(clock.now().timestamp())))
    assert (answer.status, answer.code) == (401, "TIMESTAMP_EXPIRED")
    assert "looks like seconds" in answer.body["message"]


def test_a_key_of_another_api_or_one_that_has_ended_is_nobodys(caller: Caller) -> None:
    gateway = caller.registered.credential
    moment = int(clock.now().timestamp() * 1000)
    headers = {
        "access-key": gateway.public_id,
        "timestamp": str(moment),
        "signature": signature_of(gateway.public_id, caller.registered.platform_key, moment),
    }
    assert caller.get(headers=headers, merchantOrderNo="x").code == "UNAUTHORIZED"
    credentials.end(caller.registered.further[API].credential, clock.now(), reason="test")
    assert caller.get(merchantOrderNo="x").code == "UNAUTHORIZED"


def test_a_rotated_pair_and_the_old_one_both_work_while_they_overlap(caller: Caller) -> None:
    made = credentials.rotate(merchant=caller.merchant, api=API, now=clock.now(), reason="test")
    moment = int(clock.now().timestamp() * 1000)
    new = {
        "access-key": made.credential.public_id,
        "timestamp": str(moment),
        "signature": signature_of(made.credential.public_id, made.platform_key, moment),
    }
    assert caller.get(headers=new, merchantOrderNo="x").code == "NOT_FOUND"
    assert caller.get(merchantOrderNo="x").code == "NOT_FOUND"


def test_the_same_call_again_gets_the_first_answer(caller: Caller) -> None:
    body, headers = caller.deposit(), caller.headers()
    first = caller.post("deposit", body, headers=headers)
    Payment.objects.update(memo="changed meanwhile")
    again = caller.post("deposit", body, headers=headers)
    assert (again.status, again.raw) == (200, first.raw)
    assert Payment.objects.count() == 1


def test_a_first_no_stays_a_no_for_the_same_call(caller: Caller) -> None:
    body, headers = caller.withdrawal(), caller.headers()
    first = caller.post("withdraw/bank-card", body, headers=headers)
    assert (first.status, first.code) == (422, "INSUFFICIENT_BALANCE")
    before = book()
    again = caller.post("withdraw/bank-card", body, headers=headers)
    assert (again.raw, book()) == (first.raw, before)


def test_another_body_or_address_under_one_signature_is_replayed_and_changes_nothing(caller: Caller) -> None:
    headers = caller.headers()
    caller.post("deposit", caller.deposit(), headers=headers)
    before = book()
    for path, body in (("deposit", caller.deposit()), ("withdraw/bank-card", caller.withdrawal())):
        answer = caller.post(path, body, headers=headers)
        assert (answer.status, answer.code) == (409, "REPLAYED")
    assert book() == before


def test_a_hundred_bodies_under_one_signature_are_one_order(caller: Caller) -> None:
    headers = caller.headers()
    assert caller.post("deposit", caller.deposit(), headers=headers).status == 200
    answers = {caller.post("deposit", caller.deposit(), headers=headers).code for _try in range(100)}
    assert (answers, Payment.objects.count()) == ({"REPLAYED"}, 1)


def test_what_was_signed_is_forgotten_once_its_moment_is_refused_anyway(caller: Caller) -> None:
    caller.post("deposit", caller.deposit())
    now = clock.now()
    assert signed_calls.forget(now=now + timedelta(seconds=600)) == 0
    assert signed_calls.forget(now=now + timedelta(seconds=700)) == 1
    assert not SignedCall.objects.exists()


def test_the_kept_answer_is_not_readable_in_the_database(caller: Caller) -> None:
    caller.post("deposit", caller.deposit())
    kept = SignedCall.objects.get()
    assert kept.answer_encrypted is not None
    assert b"TEST_USER" not in bytes(kept.answer_encrypted)


def test_an_answer_is_signed_for_this_call_alone(caller: Caller) -> None:
    headers = caller.headers()
    answer = caller.post("deposit", caller.deposit(amount=None), headers=headers)
    message = f"{headers['signature']}_{answer.status}_".encode() + answer.raw
    wanted = hmac.new(caller.secret_key.encode(), message, hashlib.sha256).hexdigest().upper()
    assert answer.headers["X-Answer-Signature"] == wanted


def test_an_address_that_is_not_listed_is_not_allowed(caller: Caller) -> None:
    AllowedAddress.objects.create(merchant=caller.merchant, network="203.0.113.0/24")
    before = book()
    answer = caller.post("deposit", caller.deposit())
    assert (answer.status, answer.code, book()) == (403, "IP_NOT_ALLOWED", before)
    assert "127.0.0.1" in answer.body["message"]


def test_a_merchant_that_is_switched_off_is_not_served(caller: Caller) -> None:
    Merchant.objects.filter(pk=caller.merchant.pk).update(status="disabled")
    before = book()
    answer = caller.post("deposit", caller.deposit())
    assert (answer.status, answer.code, book()) == (503, "SERVICE_UNAVAILABLE", before)


def test_too_many_calls_and_too_many_refusals_are_slowed(caller: Caller, settings: Settings) -> None:
    settings.API_QUERIES_PER_MINUTE = 2
    answers = [caller.get(merchantOrderNo="x") for _call in range(3)]
    assert [answer.code for answer in answers] == ["NOT_FOUND", "NOT_FOUND", "TOO_MANY_REQUESTS"]
    assert answers[-1].status == 429
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    settings.API_REFUSALS_PER_MINUTE = 2
    wrong = caller.headers(signature="0" * 64)
    refused = [caller.get(headers=wrong).code for _call in range(3)]
    assert refused == ["UNAUTHORIZED", "UNAUTHORIZED", "TOO_MANY_REQUESTS"]


def test_the_use_of_a_key_is_noted(caller: Caller) -> None:
    caller.get(merchantOrderNo="x")
    assert Credential.objects.get(public_id=caller.access_key).last_used_at is not None


def test_another_merchants_order_is_unknown(caller: Caller, make_caller: MakeCaller) -> None:
    created = caller.post("deposit", caller.deposit(merchantOrderNo="mine")).data
    rival = make_caller("Rival")
    for query in ({"merchantOrderNo": "mine"}, {"requestCode": created["requestCode"]}):
        answer = rival.get(**query)
        assert (answer.status, answer.code, answer.body["data"]) == (404, "NOT_FOUND", None)


@pytest.mark.parametrize("path", ["", "nowhere", "deposit/", "withdraw", "transaction-request/x"])
def test_an_address_that_is_none_answers_in_the_envelope(path: str, db: None) -> None:
    response = Client().get(BASE + path)
    assert (response.status_code, response.json()["statusCode"]) == (404, "NOT_FOUND")


def test_beat_asks_for_the_forgetting() -> None:
    assert celery.BEAT_SCHEDULE["merchants.tasks.forget_signed_calls"]["schedule"] == 60
    tasks.forget_signed_calls(sent_at="ignored")
    assert tasks.forget_signed_calls.name == "merchants.tasks.forget_signed_calls"
