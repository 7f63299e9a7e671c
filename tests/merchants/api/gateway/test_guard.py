"""Scopes, limits and their headers, and the request log, as the gateway API's callers meet them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from merchants.api import throttles
from merchants.api.throttles import Allowance, Kind, TooManyRequests
from merchants.calls import journal
from merchants.models import AllowedAddress, ApiCall, Credential
from records.models import Payment, Payout
from tests.merchants.api.gateway.conftest import Caller, fund

LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
GETS = (
    "/v1/payments", "/v2/payments/x", "/v1/payouts", "/v2/payouts", "/v2/payouts/x", "/v1/platforms/balance",
    "/v2/platforms/balance",
)  # fmt: skip
SCOPES = {
    "read": ("read",), "deposit": ("deposit",), "payout": ("payout",), "all": ("read", "deposit", "payout"),
}  # fmt: skip


def give(caller: Caller, *scopes: str) -> None:
    """Let the caller's key do this and nothing else."""
    Credential.objects.filter(merchant=caller.merchant).update(
        **{f"may_{scope}": scope in scopes for scope in ("read", "deposit", "payout")}
    )


@pytest.mark.parametrize("held", SCOPES)
def test_a_key_does_what_its_scopes_say_on_every_operation_and_nothing_else(
    caller: Caller, held: str
) -> None:
    scopes = SCOPES[held]
    fund(caller)
    give(caller, *scopes)
    may_read = [caller.get(path)["error_code"] != "0006" for path in GETS]
    assert may_read == ["read" in scopes] * len(GETS)
    for version in ("v1", "v2"):
        for path, scope in (("payments", "deposit"), ("payouts", "payout")):
            params = caller.payout() if path == "payouts" else caller.payment()
            answer = caller.post(f"/{version}/{path}", params)
            wanted = "0000" if scope in scopes else "0006"
            assert answer["error_code"] == wanted, (version, path, answer)
    assert Payment.objects.count() == (2 if "deposit" in scopes else 0)
    assert Payout.objects.count() == (2 if "payout" in scopes else 0)


def test_the_refusal_names_the_scope_that_is_missing_and_those_that_are_there(caller: Caller) -> None:
    give(caller, "deposit")
    wanted = "This key lacks the scope “read”; it has: deposit. Use another key."
    assert caller.get("/v1/payments") == {"error_code": "0006", "error_msg": wanted}
    answer = caller.post("/v1/payouts", caller.payout())
    assert (answer["error_code"], "“payout”" in answer["error_msg"]) == ("0006", True)
    assert not Payout.objects.exists()


def test_a_wrong_proof_hears_nothing_of_scopes(caller: Caller) -> None:
    give(caller, "read")
    wrong = {**caller.signed(caller.payment()), "sign": "0" * 64}
    assert caller.send("/v1/payments", json.dumps(wrong))["error_msg"] == "Signature verification failed!"


def test_every_answer_says_what_is_left(caller: Caller, settings: Settings) -> None:
    settings.API_QUERIES_PER_MINUTE, settings.API_ADDRESS_QUERIES_PER_MINUTE = 5, 100
    token = {"authorization": caller.token}
    for left in (4, 3):
        response = caller.client.get("/gateway/api/v1/payments", headers=token)
        assert [response[name] for name in LIMITS[:2]] == ["5", str(left)]
        assert 1 <= int(response["RateLimit-Reset"]) <= 60
    for path, method, headers in (
        ("/gateway/api/v1/payments", "GET", {}), ("/gateway/api/nowhere", "GET", token),
        ("/gateway/api/v1/payments", "GET", {"authorization": "x" * 40}),
        ("/gateway/api/v1/payments", "DELETE", {}), ("/gateway/api/v1/payments", "POST", {}),
    ):  # fmt: skip
        response = caller.client.generic(method, path, headers=headers)
        assert all(response[name].isdigit() for name in LIMITS), (method, path)


def test_creates_and_queries_are_counted_apart(caller: Caller, settings: Settings) -> None:
    settings.API_CREATES_PER_MINUTE, settings.API_QUERIES_PER_MINUTE = 1, 2
    assert caller.post("/v1/payments", caller.payment())["error_code"] == "0000"
    body = json.dumps(caller.signed(caller.payment()))
    assert caller.send("/v1/payments", body, status=429)["error_code"] == "0001"
    assert Payment.objects.count() == 1
    assert [caller.get("/v1/payments")["error_code"] for _call in range(2)] == ["0000"] * 2
    refused = caller.client.get("/gateway/api/v1/payments", headers={"authorization": caller.token})
    assert (refused.status_code, refused["RateLimit-Remaining"]) == (429, "0")
    assert refused["Retry-After"] == refused["RateLimit-Reset"]


def test_an_address_has_a_limit_of_its_own_that_costs_no_statement(
    caller: Caller, other_caller: Caller, settings: Settings
) -> None:
    settings.API_ADDRESS_QUERIES_PER_MINUTE = 2
    assert caller.get("/v1/payments")["error_code"] == "0000"
    assert other_caller.get("/v1/payments")["error_code"] == "0000"
    with CaptureQueriesContext(connection) as asked:
        refused = caller.client.get("/gateway/api/v1/payments", headers={"authorization": caller.token})
    assert (refused.status_code, len(asked)) == (429, 0)
    assert caller.get("/v1/payments", REMOTE_ADDR="203.0.113.9")["error_code"] == "0000"


def test_wrong_signatures_in_a_merchants_name_never_lock_the_merchant_out(
    caller: Caller, settings: Settings
) -> None:
    settings.API_REFUSALS_PER_MINUTE, settings.API_KEY_REFUSALS_PER_MINUTE = 100, 2
    body = json.dumps({**caller.signed(caller.payment()), "sign": "0" * 64})
    for number in range(2):
        assert caller.send("/v1/payments", body, REMOTE_ADDR=f"203.0.113.{number}")["error_code"] == "0004"
    caller.send("/v1/payments", body, status=429, REMOTE_ADDR="203.0.113.7")
    assert caller.post("/v1/payments", caller.payment())["error_code"] == "0000"


def test_addresses_of_one_ipv6_network_count_as_one(caller: Caller, settings: Settings) -> None:
    settings.API_ADDRESS_QUERIES_PER_MINUTE = 1
    assert caller.get("/v1/payments", REMOTE_ADDR="2001:db8::1")["error_code"] == "0000"
    token = {"authorization": caller.token}
    for address, status in (("2001:db8::ffff", 429), ("2001:db8:0:1::1", 200)):
        response = caller.client.get("/gateway/api/v1/payments", headers=token, REMOTE_ADDR=address)
        assert response.status_code == status, address


@pytest.mark.parametrize("kind", list(Kind))
def test_of_fifty_threads_exactly_as_many_pass_as_the_limit_says(kind: Kind, settings: Settings) -> None:
    settings.API_CREATES_PER_MINUTE = settings.API_QUERIES_PER_MINUTE = 17
    settings.API_ADDRESS_CREATES_PER_MINUTE = settings.API_ADDRESS_QUERIES_PER_MINUTE = 23

    def is_taken(count: Callable[[], Allowance]) -> bool:
        try:
            count()
        except TooManyRequests:
            return False
        return True

    def passes(_number: int) -> tuple[bool, bool]:
        return (
            is_taken(lambda: throttles.count_key(credential_pk=7, kind=kind)),
            is_taken(lambda: throttles.count_address(address="203.0.113.9", kind=kind)),
        )

    with ThreadPoolExecutor(50) as pool:
        passed = list(pool.map(passes, range(200)))
    assert [sum(key for key, _address in passed), sum(address for _key, address in passed)] == [17, 23]


def test_of_fifty_threads_exactly_as_many_failures_are_answered_as_the_limit_says(settings: Settings) -> None:
    settings.API_REFUSALS_PER_MINUTE = 11

    def is_answered(_number: int) -> bool:
        try:
            throttles.count_failure(address="203.0.113.9", named="")
        except TooManyRequests:
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(is_answered, range(200))) == 11
    with pytest.raises(TooManyRequests):
        throttles.count_address(address="203.0.113.9", kind=Kind.QUERY)


@pytest.mark.parametrize(
    ("forwarded", "listed", "code"),
    [
        ("203.0.113.7", "203.0.113.0/24", "0000"),
        ("203.0.113.7, 198.51.100.1", "203.0.113.0/24", "0027"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.0/24", "0000"),
        ("::ffff:203.0.113.7", "203.0.113.7/32", "0000"),
        ("203.0.113.7", "::ffff:203.0.113.7/128", "0000"),
        ("2001:db8:1::5", "2001:db8:1::/48", "0000"),
        ("2001:db8:2::5", "2001:db8:1::/48", "0027"),
        ("203.0.113.7, nonsense", "203.0.113.0/24", "0027"),
        ("", "203.0.113.0/24", "0027"),
    ],
)
def test_the_allow_list_believes_the_right_most_trusted_hop_alone(
    caller: Caller, settings: Settings, forwarded: str, listed: str, code: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    AllowedAddress.objects.create(merchant=caller.merchant, network=listed)
    extra = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    assert caller.get("/v1/payments", **extra)["error_code"] == code


def test_without_a_trusted_proxy_a_spoofed_hop_changes_nothing(caller: Caller, settings: Settings) -> None:
    AllowedAddress.objects.create(merchant=caller.merchant, network="203.0.113.0/24")
    settings.TRUSTED_PROXY_COUNT = 0
    for spoofed in ("203.0.113.7", "203.0.113.7, 203.0.113.7"):
        assert caller.get("/v1/payments", HTTP_X_FORWARDED_FOR=spoofed)["error_code"] == "0027"
    settings.TRUSTED_PROXY_COUNT = 2
    # One hop where two were promised: somebody went round a proxy of ours.
    assert caller.get("/v1/payments", HTTP_X_FORWARDED_FOR="203.0.113.7")["error_code"] == "0027"


def test_the_log_says_who_called_what_and_hides_cards_and_secrets(caller: Caller, settings: Settings) -> None:
    settings.REQUEST_LOG = True
    fund(caller)
    caller.get("/v1/payments", "?payment_cl_id=abc")
    params = caller.signed(caller.payout(number="6216667451674374", payout_cl_id="P-1"))
    caller.send("/v1/payouts", json.dumps(params))
    assert journal.write_waiting(connection) == 2
    asked, sent = ApiCall.objects.order_by("id")
    assert (asked.merchant_id, sent.merchant_id) == (caller.merchant.pk, caller.merchant.pk)
    assert asked.credential_id == sent.credential_id == Credential.objects.get(merchant=caller.merchant).pk
    assert (asked.method, asked.path, asked.status, asked.code, asked.request) == (
        "GET", "/gateway/api/v1/payments", 200, "0000", "payment_cl_id=abc",
    )  # fmt: skip
    assert (sent.method, sent.code, sent.address, sent.is_proved) == ("POST", "0000", "127.0.0.1", True)
    assert '"payout_cl_id":"P-1"' in sent.request
    everything = json.dumps(list(ApiCall.objects.values()), default=str)
    for canary in ("6216667451674374", str(params["sign"]), caller.token, caller.key):
        assert canary not in everything


def test_who_proves_nothing_leaves_no_body_in_the_log_of_whom_they_named(
    caller: Caller, settings: Settings
) -> None:
    settings.REQUEST_LOG = True
    wrong = {**caller.signed(caller.payment(payment_cl_id="CANARY-1")), "sign": "0" * 64}
    caller.send("/v1/payments", json.dumps(wrong))
    caller.send("/v1/payments", json.dumps({**wrong, "platform_id": "PF9999"}))
    Client().get("/gateway/api/v1/payments", headers={"authorization": "canary" * 8})
    journal.write_waiting(connection)
    shown = ("merchant_id", "code", "is_proved", "request", "answer")
    assert list(ApiCall.objects.order_by("id").values_list(*shown)) == [
        (caller.merchant.pk, "0004", False, "", ""),
        (None, "0004", False, "", ""),
        (None, "0006", False, "", ""),
    ]  # fmt: skip


def test_the_log_costs_a_call_no_statement_and_can_be_switched_off(
    caller: Caller, settings: Settings
) -> None:
    caller.get("/v1/payments")
    counts = []
    for is_on in (False, True):
        settings.REQUEST_LOG = is_on
        with CaptureQueriesContext(connection) as asked:
            caller.get("/v1/payments")
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert journal.write_waiting(connection) == 1
