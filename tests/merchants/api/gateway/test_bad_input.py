"""The bad-input table of the API: an answer in the envelope that names the fault, and nothing changed."""

from __future__ import annotations

import gzip
import json
import time
from unittest.mock import ANY

import pytest
from django.test import Client

from diamondpay.lib import clock
from records.models import Payment, Payout
from tests import factories
from tests.merchants.api.gateway.conftest import Caller
from tests.support.sandbox import Sandbox

AMOUNT_WORDS = "amount: must be a positive whole number, the amount × 100, such as 50000 for 500.00"


@pytest.fixture(autouse=True)
def _nothing_is_written(db: None) -> object:
    yield
    assert not Payment.objects.exists()
    assert not Payout.objects.exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 100_000, "more than 8 levels"),
        (gzip.compress(b"{}", mtime=0), "compressed"),
        (b'{"amount":1,"amount":2}', "“amount” stands twice"),
        (b'{"amount":NaN}', "NaN"),
        (b'{"amount":' + b"1" * 39 + b"}", "38 digits"),
        (b'{"amount":"\xff"}', "not UTF-8"),
        (b"", "empty"),
        (b"[1]", "must be a JSON object"),
        (b'{"name":"a\\u0000b"}', "U+0000"),
        (b'{"name":"\\ud800"}', "U+D800"),
    ],
)
def test_bodies_that_are_not_plain_json_are_0021_with_the_reason(
    caller: Caller, body: bytes, words: str
) -> None:
    answer = caller.send("/v1/payments", body)
    assert answer == {"error_code": "0021", "error_msg": ANY}
    assert words in answer["error_msg"]


def test_a_body_over_256_kb_is_413_with_the_envelope(caller: Caller) -> None:
    answer = caller.send("/v1/payments", b'{"a":"' + b"x" * 262_144 + b'"}', status=413)
    assert answer["error_code"] == "0002"
    assert "262144" in answer["error_msg"]
    caller.send("/v1/payments", b"x" * 3_000_000, status=413)


@pytest.mark.parametrize(
    "amount",
    ["１２", "1_000", " 12 ", "1e2", "+5", "-0", "-5", -5, 0, "0", "007", True, [], {}, "12.5", [50000]],
)
def test_amounts_in_any_other_form_are_refused_with_the_form_wanted(caller: Caller, amount: object) -> None:
    answer = caller.post("/v1/payments", caller.payment(amount=amount))
    assert answer == {"error_code": "0002", "error_msg": AMOUNT_WORDS}


def test_an_amount_beyond_the_book_is_refused(caller: Caller) -> None:
    answer = caller.post("/v1/payments", caller.payment(amount=10**30))
    assert answer == {"error_code": "0002", "error_msg": "amount: The amount is too large."}


def test_an_amount_with_a_point_is_refused(caller: Caller) -> None:
    signed = caller.signed(caller.payment(amount="X"))
    body = json.dumps(signed).replace('"X"', "500.5")
    assert caller.send("/v1/payments", body)["error_code"] == "0004"


def test_more_decimals_than_the_currency_has_are_refused(sandbox: Sandbox) -> None:
    factories.make_channel("vnd", "VND", services=["SVC0080"], base_url=sandbox.base_url)
    caller = Caller(factories.make_merchant("Viet", services=["SVC0080"], channels=["vnd"]))
    params = caller.payment(service_id="SVC0080", amount=50050, bank_code="VCB")
    answer = caller.post("/v1/payments", params)
    assert answer["error_code"] == "0002"
    assert "decimals" in answer["error_msg"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("", "required"),
        ("x" * 65, "longer than 64"),
        ("a\tb", "U+0009"),
        ("a\u202eb", "U+202E"),
        ("a&b", "“&” (U+0026)"),
        ("a=b", "“=” (U+003D)"),
        ("a b", "U+0020"),
        ("订单", "U+8BA2"),
        ("😀", "U+1F600"),
        (True, "must be a text"),
        (["a"], "must be a text"),
    ],
)
def test_order_numbers_name_the_character(caller: Caller, number: object, words: str) -> None:
    answer = caller.post("/v1/payments", caller.payment(payment_cl_id=number))
    assert answer["error_code"] == "0002"
    assert answer["error_msg"].startswith("payment_cl_id: ")
    assert words in answer["error_msg"]


def test_a_value_that_hides_another_parameter_is_refused(caller: Caller) -> None:
    params = caller.payment(name="A&notify_url=http://evil.example", notify_url=None)
    answer = caller.post("/v1/payments", params)
    assert answer["error_code"] == "0002"
    assert answer["error_msg"].startswith("name: contains “&”, the name of a parameter")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "must begin with http"),
        ("http://169.254.169.254/latest", "link-local"),
        ("http://10.0.0.1/", "private"),
        ("http://[::1]/", "loopback"),
        ("http://[2002:7f00:1::]/", "6to4"),
        ("http://[64:ff9b::7f00:1]/", "NAT64"),
        ("http://224.0.0.1/", "multicast"),
        ("http://2130706433/", "four decimal numbers"),
        ("http://0177.0.0.1/", "IPv4 address must be written"),
        ("http://user:pw@example.com/", "user name"),
        ("http://exa mple.com/", "blank"),
        ("http://" + "a" * 260 + ".example/", "longer than 256"),
        ("", "required"),
    ],
)
def test_notify_urls_that_must_not_be_called_are_refused_when_given(
    caller: Caller, url: str, words: str
) -> None:
    answer = caller.post("/v1/payments", caller.payment(notify_url=url))
    assert (answer["error_code"], answer["error_msg"].split(":")[0]) == ("0002", "notify_url")
    assert words in answer["error_msg"]


@pytest.mark.parametrize(
    "change",
    [
        {"sign": None},
        {"sign": ""},
        {"sign": "é" * 64},
        {"sign": "a" * 100_000},
        {"sign": 5},
        {"sign": ["x"]},
    ],
)
def test_signatures_that_are_none_are_0004(caller: Caller, change: dict[str, object]) -> None:
    signed = {**caller.signed(caller.payment()), **change}
    assert caller.send("/v1/payments", json.dumps(signed))["error_code"] == "0004"


def test_signatures_truncated_upper_case_or_of_another_are_0004(caller: Caller, other_caller: Caller) -> None:
    params = caller.payment()
    signed = caller.signed(params)
    theirs = other_caller.signed(params)
    for sign in (str(signed["sign"])[:-1], str(signed["sign"]).upper(), theirs["sign"]):
        assert caller.send("/v1/payments", json.dumps({**signed, "sign": sign}))["error_code"] == "0004"
    body = json.dumps({**signed, "sign_type": "SHA1"})
    assert caller.send("/v1/payments", body)["error_msg"] == "sign_type: must be MD5 or HMAC-SHA256"


def test_a_stale_or_early_request_time_is_a_signature_error(caller: Caller) -> None:
    now = int(clock.now().timestamp())
    for seconds in (-310, 310):
        answer = caller.post("/v1/payments", caller.payment(request_time=now + seconds))
        assert answer["error_code"] == "0004"
        assert "request_time differs by" in answer["error_msg"]


@pytest.mark.parametrize("value", ["abc", "1.5", -1, True, "１２"])
def test_a_request_time_in_another_form_is_0002(caller: Caller, value: object) -> None:
    answer = caller.post("/v1/payments", caller.payment(request_time=value))
    assert (answer["error_code"], answer["error_msg"].split(":")[0]) == ("0002", "request_time")


def test_milliseconds_for_seconds_get_a_hint(caller: Caller) -> None:
    milliseconds = int(clock.now().timestamp() * 1000)
    answer = caller.post("/v1/payments", caller.payment(request_time=milliseconds))
    assert answer == {
        "error_code": "0002",
        "error_msg": "request_time: looks like milliseconds; send Unix seconds",
    }


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit: must be 1 to 500"),
        ("limit=501", "limit: must be 1 to 500"),
        ("limit=abc", "limit: must be a whole number"),
        ("limit=１２", "limit: must be a whole number"),
        ("offset=-1", "offset: must be a whole number"),
        ("offset=100001", "narrow by time"),
        ("offset=" + "9" * 30, "offset: must be a whole number"),
        ("limit=5&limit=6", "limit: given more than once"),
        ("create_time__gte=20&create_time__lte=10", "create_time__gte: is later than create_time__lte"),
        ("create_time__gte=1596425140000&create_time__lte=1596425140001", "milliseconds"),
        ("payment_cl_id=a%00b", "payment_cl_id: contains the character U+0000"),
        ("payment_id=a%ED%A0%80", "payment_id: contains the character U+FFFD"),
    ],
)
def test_query_parameters_are_read_strictly(caller: Caller, query: str, words: str) -> None:
    answer = caller.get("/v1/payments", f"?{query}")
    assert answer["error_code"] == "0002"
    assert words in answer["error_msg"]


def test_unknown_query_parameters_are_ignored(caller: Caller) -> None:
    assert caller.get("/v1/payments", "?colour=blue&format=xml") == {
        "error_code": "0000",
        "data": [],
        "total": 0,
    }


@pytest.mark.parametrize(
    "field",
    ["name", "number", "phone", "id_number", "remark_code", "bank_code", "currency", "last_number"],
)
@pytest.mark.parametrize("value", ["a\x07b", "\u202eabc", "x" * 5000, {"a": 1}, [["x"]], 1.5, True])
def test_every_optional_field_refuses_what_is_no_plain_text(
    caller: Caller, field: str, value: object
) -> None:
    if isinstance(value, float):
        body = json.dumps(caller.signed(caller.payment(**{field: "1.5"}))).replace('"1.5"', "1.5")
        answer = caller.send("/v1/payments", body)
    else:
        answer = caller.post("/v1/payments", caller.payment(**{field: value}))
    assert answer["error_code"] == "0002"
    assert answer["error_msg"].startswith(f"{field}: ")


def test_an_unknown_merchant_takes_as_long_as_a_wrong_signature(caller: Caller) -> None:
    signed = {**caller.signed(caller.payment()), "sign": "0" * 64}
    client = Client()

    def seconds(platform_id: str) -> float:
        body = json.dumps({**signed, "platform_id": platform_id})
        started = time.perf_counter()
        client.post("/gateway/api/v1/payments", body, content_type="application/json")
        return time.perf_counter() - started

    taken = (
        sorted(seconds(caller.merchant.pk) for _ in range(15))[7],
        sorted(seconds("PF9999") for _ in range(15))[7],
    )
    assert max(taken) < 5 * min(taken) + 0.005


@pytest.mark.parametrize("path", ["/v1/payments", "/v2/payouts"])
@pytest.mark.parametrize("value", [{}, [], 0, False], ids=repr)
def test_a_platform_id_that_is_nothing_of_its_kind_proves_nobody(
    caller: Caller, path: str, value: object
) -> None:
    params = {**(caller.payout() if "payout" in path else caller.payment()), "platform_id": value}
    answer = caller.send(path, json.dumps(caller.signed(params)))
    assert answer == {"error_code": "0004", "error_msg": "Signature verification failed!"}


@pytest.mark.parametrize("value", [{}, [], 0, False], ids=repr)
def test_a_sign_type_that_is_nothing_of_its_kind_is_not_taken_for_absent(
    md5_caller: Caller, value: object
) -> None:
    signed = {**md5_caller.signed(md5_caller.payment()), "sign_type": value}
    answer = md5_caller.send("/v1/payments", json.dumps(signed))
    assert answer == {"error_code": "0002", "error_msg": "sign_type: must be MD5 or HMAC-SHA256"}


def test_a_control_character_within_an_array_is_named(caller: Caller) -> None:
    params = {
        **caller.payment(),
        "last_numbers": ["123", "4\f5"],
        "sign_type": "HMAC-SHA256",
        "sign": "0" * 64,
    }
    answer = caller.send("/v1/payments", json.dumps(params))
    assert answer == {"error_code": "0002", "error_msg": "last_numbers: contains the character U+000C"}
