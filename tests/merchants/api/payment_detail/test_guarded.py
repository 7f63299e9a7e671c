"""Limits, scopes and the request log over the payment-detail API."""

from __future__ import annotations

import pytest
from django.db import connection
from pytest_django import Settings

from merchants.calls import journal
from merchants.models import ApiCall, Credential
from records.models import Notification
from tests.merchants.api.payment_detail.conftest import Caller, book

pytestmark = pytest.mark.django_db
LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@pytest.mark.parametrize("path", ["/payment/detail", "/payment/notify"])
def test_a_key_that_may_not_read_reads_nothing_and_has_nothing_told(path: str, caller: Caller) -> None:
    caller.place("order-1")
    Credential.objects.filter(public_id=caller.key).update(may_read=False)
    before = book()
    answer = caller.get(path, outTradeNo="order-1")
    assert (answer.status, book()) == (403, before)
    assert "lacks the scope “read”" in answer.words
    assert "X-Answer-Signature" not in answer.headers


def test_a_key_that_may_read_does_both(caller: Caller) -> None:
    caller.place("order-1")
    Credential.objects.filter(public_id=caller.key).update(may_deposit=False, may_payout=False)
    assert caller.detail(outTradeNo="order-1").status == 200
    assert caller.get("/payment/notify", outTradeNo="order-1").status == 200
    assert Notification.objects.count() == 1


def test_every_answer_says_what_is_left(caller: Caller, settings: Settings) -> None:
    settings.API_QUERIES_PER_MINUTE = 5
    for left in (4, 3):
        answer = caller.detail(outTradeNo="x")
        assert [answer.headers[name] for name in LIMITS[:2]] == ["5", str(left)]
        assert 1 <= int(answer.headers["RateLimit-Reset"]) <= 60
    for method, path in (("GET", "/payment/nothing"), ("PUT", "/payment/detail"), ("POST", "/payment/")):
        answer = caller.send(method, path, headers=caller.headers(method, path))
        assert all(answer.headers[name].isdigit() for name in LIMITS), (method, path)


def test_wrong_signatures_are_slowed_and_lock_nobody_out(caller: Caller, settings: Settings) -> None:
    settings.API_REFUSALS_PER_MINUTE, settings.API_KEY_REFUSALS_PER_MINUTE = 100, 2
    wrong = caller.headers("GET", "/payment/detail", x_pay_sign="0" * 44)
    statuses = [caller.send("GET", "/payment/detail", headers=wrong).status for _call in range(3)]
    assert statuses == [401, 401, 429]
    assert caller.detail(outTradeNo="x").status == 404


def test_calls_are_logged_with_their_code_and_no_secret(caller: Caller, settings: Settings) -> None:
    settings.REQUEST_LOG = True
    caller.detail(outTradeNo="x")
    caller.send("GET", "/payment/nothing", headers={"x-none": "1"})
    caller.send(
        "GET", "/payment/detail", headers=caller.headers("GET", "/payment/detail", x_pay_sign="0" * 44)
    )
    assert journal.write_waiting(connection) == 3
    shown = ("api", "code", "status", "is_proved")
    assert list(ApiCall.objects.order_by("id").values_list(*shown)) == [
        ("payment_detail", "404", 404, True), ("payment_detail", "404", 404, False),
        ("payment_detail", "401", 401, False),
    ]  # fmt: skip
    everything = str(list(ApiCall.objects.values()))
    assert caller.secret not in everything
