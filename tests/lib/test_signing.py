"""Signatures against the published vectors and against garbage."""

import base64
import json
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamondpay.lib import signing

VECTORS: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "vectors.json").read_text())
GATEWAY = [
    *((vector, signing.MD5) for vector in VECTORS["gateway_md5"]),
    *((vector, signing.HMAC_SHA256) for vector in VECTORS["gateway_hmac_sha256"]),
]
KEY = "ThisIsYourSecretKey123"


@pytest.mark.parametrize(("vector", "sign_type"), GATEWAY)
def test_gateway_vectors_are_reproduced_and_verified(vector: dict[str, Any], sign_type: str) -> None:
    params, key, wanted = vector["params"], vector["key"], vector["sign"]
    assert signing.sign(params, key, sign_type) == wanted
    assert signing.verify({**params, "sign": wanted, "sign_type": sign_type}, key, sign_type, wanted)
    assert not signing.verify({**params, "amount": 1}, key, sign_type, wanted)
    assert not signing.verify(params, key + "x", sign_type, wanted)


@pytest.mark.parametrize("vector", VECTORS["transaction_request_hmac_sha256_upper_hex"])
def test_transaction_request_vector_is_reproduced_and_verified(vector: dict[str, str]) -> None:
    given_keys = {name: vector[name] for name in ("access_key", "secret_key", "timestamp")}
    assert signing.access_signature(**given_keys) == vector["signature"]
    assert signing.verify_access(**given_keys, signature=vector["signature"])
    assert not signing.verify_access(**given_keys, signature=vector["signature"].lower())
    later = {**given_keys, "timestamp": "1625546438155"}
    assert not signing.verify_access(**later, signature=vector["signature"])


def test_webhook_headers_match_the_standards_own_example() -> None:
    """The example published for Standard Webhooks implementations."""
    text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    secret = base64.b64decode(text.removeprefix("whsec_"))
    assert signing.webhook_secret_text(secret) == text
    assert signing.webhook_headers(
        secret=secret,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    ) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", [b"", b"x"])
def test_a_webhook_needs_a_secret_and_an_unambiguous_id(secret: bytes) -> None:
    with pytest.raises(ValueError, match="message id"):
        signing.webhook_headers(secret=secret, message_id="a.1" if secret else "a", timestamp=1, body=b"")


def test_the_canonical_string_drops_empty_values_and_keeps_zero() -> None:
    params = {"b": "", "c": None, "fee": 0, "a": "x y&%", "sign": "s", "sign_type": "MD5", "Z": "中"}
    assert signing.canonical(params) == "Z=中&a=x y&%&fee=0"


def test_values_stand_as_they_were_sent() -> None:
    params = {
        "last_numbers": ["12345", "67890"],
        "empty": [],
        "mixed": [1, True, None, signing.NumberText("1.50"), {"k": 'ü"\\'}],
        "yes": True,
        "number": signing.NumberText("10.0"),
        "text": "10.0",
    }
    assert signing.canonical(params) == (
        'empty=[]&last_numbers=["12345","67890"]&mixed=[1,true,null,1.50,{"k":"ü\\"\\\\"}]'
        "&number=10.0&text=10.0&yes=true"
    )
    assert signing.canonical({"amount": "50000"}) == signing.canonical({"amount": 50000})


@pytest.mark.parametrize("value", [1.5, b"x", object(), [1.5]])
def test_a_value_without_a_text_as_sent_is_not_signed(value: object) -> None:
    with pytest.raises(TypeError, match="no text as sent"):
        signing.canonical({"a": value})


GARBAGE: list[object] = [
    None, "", 5, True, [], {}, b"559444c72051d4feab4d840cc39c5b84", "ÿ" * 32, "\ud800", "\x00",
    "a" * 10**6, "559444C72051D4FEAB4D840CC39C5B84", "559444c72051d4feab4d840cc39c5b8",
    "559444c72051d4feab4d840cc39c5b84 ",
]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_a_wrong_signature_and_never_a_crash(garbage: object) -> None:
    """Bad input: missing, truncated, upper case, non-ASCII, over-long."""
    vector = VECTORS["gateway_md5"][0]
    assert signing.verify(vector["params"], vector["key"], signing.MD5, garbage) is False
    assert signing.verify_access(access_key="a", secret_key="b", timestamp="1", signature=garbage) is False


@hypothesis.settings(deadline=None)  # shared machines are slow at times
@given(st.text(), st.sampled_from([signing.MD5, signing.HMAC_SHA256, "", "md5"]))
def test_no_text_but_the_right_one_verifies(text: str, sign_type: str) -> None:
    assert signing.verify({"a": "1"}, KEY, sign_type, text) is False


def test_what_has_no_utf8_form_does_not_verify() -> None:
    assert signing.verify({"a": "\ud800"}, KEY, signing.MD5, "x") is False
    assert signing.verify_access(access_key="\ud800", secret_key="b", timestamp="1", signature="x") is False


def test_an_empty_key_signs_nothing() -> None:
    for sign_type in (signing.MD5, signing.HMAC_SHA256):
        with pytest.raises(ValueError, match="empty"):
            signing.verify({"a": "1"}, "", sign_type, "x")
    with pytest.raises(ValueError, match="empty"):
        signing.access_signature(access_key="a", secret_key="", timestamp="1")


@pytest.mark.parametrize(
    ("params", "known", "wanted"),
    [
        ({"amount": "1", "name": "x"}, (), None),
        ({"amount": "1", "notify_url": "https://m.example/cb?a=1&b=2"}, (), None),
        ({"amount": "1", "notify_url": "https://m.example/cb?a=1&amount=2"}, (), "notify_url"),
        ({"amount": "1&name=x"}, (), None),
        ({"amount": "1&name=x"}, ("amount", "name"), "amount"),
        ({"amount": "1", "notify_url": "https://m.example/?x=1&sign=2"}, (), None),
        ({"name": "a\nb"}, (), "name"),
        ({"name": "a\x00"}, (), "name"),
        ({"name": "a\x85b"}, (), "name"),
        ({"a&b": "1"}, (), "a&b"),
        ({"a=1&b": "2"}, (), "a=1&b"),
        ({"last_numbers": ["1", "2&amount=3"], "amount": 1}, (), "last_numbers"),
        ({"last_numbers": [["\x01"]]}, (), "last_numbers"),
        ({"sign": "a&amount=1", "amount": 5}, (), None),
        ({"amount": 5, "memo": None, "x": True}, (), None),
    ],
)
def test_a_call_that_can_be_read_in_two_ways_is_found(
    params: dict[str, object], known: tuple[str, ...], wanted: str | None
) -> None:
    assert signing.ambiguous_parameter(params, known) == wanted


NAMES = ("amount", "name", "memo")


@hypothesis.settings(deadline=None)  # shared machines are slow at times
@given(
    st.dictionaries(st.sampled_from(NAMES), st.text("a&=1" + "amountexy", max_size=12)),
    st.dictionaries(st.sampled_from(NAMES), st.text("a&=1" + "amountexy", max_size=12)),
)
def test_unambiguous_calls_of_equal_signature_are_equal(
    first: dict[str, str], second: dict[str, str]
) -> None:
    if any(signing.ambiguous_parameter(call, NAMES) for call in (first, second)):
        return
    if signing.canonical(first) == signing.canonical(second):
        assert {k: v for k, v in first.items() if v} == {k: v for k, v in second.items() if v}
