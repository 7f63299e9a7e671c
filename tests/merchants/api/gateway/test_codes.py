"""Every error code of the gateway API, reached over HTTP wherever the protocol can reach it."""

from __future__ import annotations

import json
from decimal import Decimal

import psycopg
import pytest
from django.test import Client
from pytest_django import Settings

from channels.models import Channel, Service
from diamondpay.lib import errors
from merchants.api.gateway.errors import CODES, WORDS, translate
from merchants.models import AllowedAddress, Merchant, MerchantService
from records.models import BalanceRecord, Case, Payment, PaymentStatus, Payout, PayoutStatus
from tests import factories
from tests.merchants.api.gateway.conftest import Caller, fund
from tests.support.sandbox import Sandbox
from tests.support.scripted_upstream import NAME, ScriptedUpstream, accepted, upstream

__all__ = ["upstream"]


def refused(caller: Caller, code: str, path: str = "/v1/payments", **changes: object) -> str:
    """Return the words of a refusal, asserting its code and that nothing was written."""
    params = caller.payout(**changes) if "payouts" in path else caller.payment(**changes)
    answer = caller.post(path, params)
    assert (answer["error_code"], answer.get("data")) == (code, None), answer
    assert not Payment.objects.exists()
    assert not Payout.objects.exists()
    return str(answer["error_msg"])


def test_0002_names_every_missing_field_at_once(caller: Caller) -> None:
    params = {"platform_id": caller.merchant.pk, "service_id": "SVC0001"}
    message = caller.post("/v1/payments", params)["error_msg"]
    assert message == (
        "request_time: required; payment_cl_id: required; amount: required; notify_url: required"
    )


def test_0002_names_the_fields_of_the_service_too(sandbox: Sandbox, db: None) -> None:
    factories.make_channel("thb", "THB", services=["SVC0046"], base_url=sandbox.base_url)
    caller = Caller(factories.make_merchant("Thai", services=["SVC0046"], channels=["thb"]))
    params = caller.payment(service_id="SVC0046", name=None, amount=None)
    message = caller.post("/v1/payments", params)["error_msg"]
    names = [part.split(":")[0] for part in message.split("; ")]
    assert names == ["amount", "name", "number", "bank_id, bank_code or bank_name"]
    answer = caller.post("/v1/payments", caller.payment(service_id="SVC0046"))
    assert answer["error_code"] == "0002"
    assert answer["error_msg"].startswith("number: ")
    assert "bank_id, bank_code or bank_name: " in answer["error_msg"]


def test_0002_names_the_missing_platform_id_with_the_rest(caller: Caller) -> None:
    answer = caller.send("/v1/payouts", "{}")
    assert answer["error_code"] == "0002"
    assert answer["error_msg"].startswith("platform_id: required; service_id: required; payout_cl_id: ")


def test_0003_service_closed(caller: Caller) -> None:
    Service.objects.filter(pk="SVC0001").update(status="closed")
    assert "closed" in refused(caller, "0003")


def test_0003_merchant_disabled_once_it_has_proved_who_it_is(caller: Caller) -> None:
    Merchant.objects.filter(pk=caller.merchant.pk).update(status="disabled")
    assert "disabled" in refused(caller, "0003")
    assert caller.get("/v1/payments")["error_code"] == "0003"
    assert caller.get("/v1/payments", token="x" * 40)["error_code"] == "0006"


def test_0004_answers_unknown_merchants_and_wrong_signatures_alike(caller: Caller) -> None:
    signed = caller.signed(caller.payment())
    wrong = caller.send("/v1/payments", json.dumps({**signed, "sign": "0" * 64}))
    unknown = caller.send("/v1/payments", json.dumps({**signed, "platform_id": "PF9999"}))
    assert wrong == unknown == {"error_code": "0004", "error_msg": "Signature verification failed!"}


def test_0004_md5_that_is_not_switched_on_says_so_only_to_who_holds_the_key(caller: Caller) -> None:
    caller.sign_type = ""
    signed = caller.signed(caller.payment())
    answer = caller.send("/v1/payments", json.dumps(signed))
    assert (answer["error_code"], "HMAC-SHA256" in answer["error_msg"]) == ("0004", True)
    wrong = caller.send("/v1/payments", json.dumps({**signed, "sign": "0" * 32}))
    assert wrong["error_msg"] == "Signature verification failed!"


def test_md5_works_where_it_is_switched_on(md5_caller: Caller) -> None:
    assert md5_caller.post("/v1/payments", md5_caller.payment())["error_code"] == "0000"


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payouts", "/v2/payments/x", "/v2/platforms/balance"])
def test_0005_and_0006_for_a_missing_and_a_bad_token(caller: Caller, path: str) -> None:
    missing = json.loads(Client().get(f"/gateway/api{path}").content)
    assert missing["error_code"] == "0005"
    for token in ("nonsense", "Bearer " + caller.token, caller.token.swapcase(), "é" * 40, caller.key):
        assert caller.get(path, token=token) == {
            "error_code": "0006",
            "error_msg": "Invalid Authorization!",
        }


def test_0007_for_the_state_behind_an_unknown_link(caller: Caller) -> None:
    response = Client().get("/gateway/portal/v1/payments/nonsense/status")
    assert json.loads(response.content)["error_code"] == "0007"


def test_0009_unknown_service_or_of_the_other_direction(caller: Caller) -> None:
    assert "does not exist" in refused(caller, "0009", service_id="SVC9999")
    assert "does not exist" in refused(caller, "0009", service_id="SVC0004")
    assert "does not exist" in refused(caller, "0009", "/v1/payouts", service_id="SVC0001")


def test_0010_service_not_activated(caller: Caller) -> None:
    assert "not activated" in refused(caller, "0010", service_id="SVC0010")


def test_0011_no_channel(caller: Caller) -> None:
    Channel.objects.update(status="disabled")
    assert "channel" in refused(caller, "0011")


def test_0011_no_exchange_rate_to_the_wallets_currency(channel: str) -> None:
    abroad = Caller(factories.make_merchant("Abroad", channels=[channel], settlement_currency="MTC"))
    assert "1 MTC in CNY" in refused(abroad, "0011")


def test_0012_unknown_bank_by_each_of_its_names(caller: Caller) -> None:
    for name in ("bank_id", "bank_code", "bank_name"):
        assert "bank" in refused(caller, "0012", **{name: "NOBANK"})
    assert "bank" in refused(caller, "0012", "/v1/payouts", bank_code="KBANK")


def test_0013_when_the_upstream_refuses_and_again_on_a_repeat(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.behaviour("refuse")
    params = caller.payment()
    answer = caller.post("/v1/payments", params)
    assert answer["error_code"] == "0013"
    assert answer["error_msg"] == Payment.objects.get().error_message
    assert caller.post("/v1/payments", params) == answer
    assert caller.get("/v1/payments")["data"][0]["status"] == 4


def test_0014_other_content_changes_nothing_d1(caller: Caller) -> None:
    params = caller.payment()
    caller.post("/v1/payments", params)
    answer = caller.post("/v1/payments", {**params, "amount": 50001})
    assert answer["error_code"] == "0014"
    assert Payment.objects.get().requested_amount == Decimal(500)


def test_0014_on_every_repeat_for_merchants_set_so(caller: Caller) -> None:
    Merchant.objects.filter(pk=caller.merchant.pk).update(is_repeat_refused=True)
    params = caller.payment()
    assert caller.post("/v1/payments", params)["error_code"] == "0000"
    assert caller.post("/v1/payments", params)["error_code"] == "0014"


def test_0015_another_merchants_wallet_does_not_exist(caller: Caller, other_caller: Caller) -> None:
    theirs = other_caller.wallets[0].pk
    assert "does not exist" in refused(caller, "0015", "/v1/payouts", platform_channel_id=theirs)
    assert "does not exist" in refused(caller, "0015", "/v1/payouts", platform_channel_id="PFC99999999")


def test_0016_a_fee_type_nobody_knows(caller: Caller) -> None:
    factories.set_terms(MerchantService.objects.filter(merchant=caller.merchant), fee_type="surprise")
    assert "fee" in refused(caller, "0016")


def test_0017_when_the_upstream_refuses_a_payout_and_the_money_is_free_again(
    caller: Caller, sandbox: Sandbox
) -> None:
    fund(caller)
    sandbox.behaviour("refuse")
    answer = caller.post("/v1/payouts", caller.payout())
    assert answer["error_code"] == "0017"
    assert caller.get("/v2/platforms/balance")["data"] == {
        "platform_id": caller.merchant.pk,
        "total_balance": 100000,
        "total_frozen_balance": 0,
    }


def test_0018_insufficient_balance(caller: Caller) -> None:
    assert "balance" in refused(caller, "0018", "/v1/payouts")


def test_0019_only_for_services_set_to_require_the_wallet(caller: Caller) -> None:
    Service.objects.filter(pk="SVC0004").update(requires_merchant_channel=True)
    assert "must be named" in refused(caller, "0019", "/v1/payouts")


@pytest.mark.parametrize("path", ["v3/payments", "v0/payouts", "v1/payments/abc", "v1/payouts/abc"])
def test_0020_wrong_version(db: None, path: str) -> None:
    response = Client().get(f"/gateway/api/{path}")
    assert (response.status_code, json.loads(response.content)["error_code"]) == (200, "0020")


@pytest.mark.parametrize("path", ["", "nonsense", "v1/nonsense", "v2/payments/", "v1/payments/../x"])
def test_unknown_addresses_answer_json(db: None, path: str) -> None:
    response = Client().post(f"/gateway/api/{path}")
    assert response["content-type"] == "application/json;charset=utf-8"
    assert json.loads(response.content)["error_code"] in ("0002", "0020", "0023")


def test_0021_bad_json(caller: Caller) -> None:
    assert caller.send("/v1/payments", "{")["error_code"] == "0021"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"])
def test_0022_other_content_types_on_post_only(caller: Caller, kind: str) -> None:
    body = json.dumps(caller.signed(caller.payment()))
    assert caller.send("/v1/payments", body, content_type=kind)["error_code"] == "0022"
    assert caller.get("/v1/payments", content_type=kind)["error_code"] == "0000"


def test_0022_says_nothing_of_charsets_that_are_utf_8(caller: Caller) -> None:
    body = json.dumps(caller.signed(caller.payment()))
    for kind in ("application/json;charset=utf-8", 'Application/JSON; charset="UTF-8"'):
        assert caller.send("/v1/payments", body, content_type=kind)["error_code"] == "0000"
    kind = "application/json; charset=nope"
    assert caller.send("/v1/payments", body, content_type=kind)["error_code"] == "0022"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "v1/payments"),
        ("DELETE", "v2/payouts/x"),
        ("PATCH", "v1/payouts"),
        ("GET", "v2/payments"),
        ("POST", "v1/platforms/balance"),
        ("OPTIONS", "v1/payments"),
    ],
)
def test_0023_other_methods(db: None, method: str, path: str) -> None:
    response = Client().generic(method, f"/gateway/api/{path}")
    assert (response.status_code, json.loads(response.content)["error_code"]) == (200, "0023")


def test_0026_last_number_where_the_service_needs_it(caller: Caller) -> None:
    Service.objects.filter(pk="SVC0001").update(requires_last_number=True)
    assert "last_number" in refused(caller, "0026")
    assert caller.post("/v1/payments", caller.payment(last_numbers=["12345"]))["error_code"] == "0000"


def test_0027_addresses_not_on_the_list(caller: Caller) -> None:
    AllowedAddress.objects.create(merchant=caller.merchant, network="203.0.113.0/24")
    assert "127.0.0.1" in refused(caller, "0027")
    assert caller.get("/v1/payments")["error_code"] == "0027"
    inside = caller.get("/v1/payments", REMOTE_ADDR="203.0.113.7")
    assert inside["error_code"] == "0000"


def test_0028_and_0029_say_the_range_and_which_limit_binds(caller: Caller) -> None:
    factories.set_terms(Channel.objects, payment_lower_bound=100, payment_upper_bound=1000)
    assert "100 – 1,000 CNY" in refused(caller, "0028", amount=9999)
    assert "both bounds: channel" in refused(caller, "0029", amount=100001)


@pytest.mark.parametrize("path", ["/v2/payments/x", "/v2/payouts/x", "/v2/payouts/a%00b", "/v2/payouts/%F0"])
def test_0050_unknown_order(caller: Caller, path: str) -> None:
    assert caller.get(path) == {"error_code": "0050", "error_msg": "Order not found!"}


def test_0001_with_503_when_the_database_is_busy_or_nobody_foresaw_it(caller: Caller) -> None:
    """Busy and the unforeseen: the same envelope, so that the merchant asks again."""
    for fault in (errors.Busy(), RuntimeError("unforeseen")):
        response = translate(fault)
        assert (response.status_code, json.loads(response.content)["error_code"]) == (503, "0001")


def test_0008_when_the_upstream_knows_no_such_account_and_again_on_a_repeat(
    caller: Caller, sandbox: Sandbox
) -> None:
    fund(caller)
    sandbox.behaviour("refuse_account")
    for path, params in (("/v1/payments", caller.payment()), ("/v2/payouts", caller.payout())):
        answer = caller.post(path, params)
        assert answer == {"error_code": "0008", "error_msg": "there is no such account"}
        assert caller.post(path, params) == answer
    assert Payment.objects.get().status == PaymentStatus.FAILED
    assert Payout.objects.get().status == PayoutStatus.FAILED
    balances = caller.get("/v2/platforms/balance")["data"]
    assert (balances["total_balance"], balances["total_frozen_balance"]) == (100000, 0)


def test_0024_when_the_upstream_names_the_number_of_another_order_d7(
    caller: Caller, upstream: ScriptedUpstream
) -> None:
    factories.set_terms(Channel.objects.all(), upstream=NAME)
    upstream.answers = [accepted("UP-1"), accepted("UP-1")]
    assert caller.post("/v1/payments", caller.payment())["error_code"] == "0000"
    params = caller.payment()
    answer = caller.post("/v1/payments", params)
    assert answer["error_code"] == "0024"
    assert "Do not send the payer there" in answer["error_msg"]
    assert caller.post("/v1/payments", params) == answer
    second = Payment.objects.get(merchant_order_no=params["payment_cl_id"])
    assert (second.status, second.channel_order_no) == (PaymentStatus.IN_PROGRESS, "")
    assert [case.kind for case in second.cases.all()] == [Case.Kind.CONTRADICTION]


@pytest.mark.tampers
def test_0025_when_a_wallet_has_lost_an_account(caller: Caller, owner_connection: psycopg.Connection) -> None:
    fund(caller)
    owner_connection.execute("ALTER TABLE records_account DISABLE TRIGGER USER")
    owner_connection.execute("DELETE FROM records_account WHERE kind = 'frozen'")
    assert "no accounts" in refused(caller, "0025", "/v1/payouts")
    assert BalanceRecord.objects.filter(account__kind="available").count() == 1


def test_every_refusal_of_the_domain_has_a_listed_code() -> None:
    assert set(CODES.values()) <= set(WORDS)
    unlisted = errors.NotAllowed()
    assert json.loads(translate(unlisted, creation_code="0017").content)["error_code"] == "0017"


def test_429_counts_calls_per_credential(caller: Caller, other_caller: Caller, settings: Settings) -> None:
    settings.API_QUERIES_PER_MINUTE = 2
    codes = [
        caller.client.get("/gateway/api/v1/payments", headers={"authorization": caller.token})
        for _ in range(3)
    ]
    assert codes[0].status_code == 200
    assert codes[-1].status_code == 429
    assert 1 <= int(codes[-1]["retry-after"]) <= 60
    assert json.loads(codes[-1].content)["error_code"] == "0001"
    assert other_caller.get("/v1/payments")["error_code"] == "0000"


def test_429_counts_failed_signatures_per_address(caller: Caller, settings: Settings) -> None:
    settings.API_REFUSALS_PER_MINUTE = 2
    body = json.dumps({**caller.signed(caller.payment()), "sign": "0" * 64})
    for _ in range(2):
        assert caller.send("/v1/payments", body)["error_code"] == "0004"
    caller.send("/v1/payments", body, status=429)
    assert caller.send("/v1/payments", body, REMOTE_ADDR="203.0.113.9")["error_code"] == "0004"
