"""Raw bodies for reading: what is secret or personal is covered, whatever the shape; the rest stays."""

from __future__ import annotations

import json
import re
import time

import pytest

from diamondpay.lib.masking import READ_LENGTH_MAX, compact, is_personal, is_secret, readable

CARD = "6222021234567890123"
SECRET = "QmFzZTY0U2VjcmV0S2V5MDEyMzQ1Njc4OQ"


@pytest.mark.parametrize(
    "name",
    ["sign", "Signature", "key", "platform_key", "API-Key", "Authorization", "access_token", "password",
     "client_secret", "x-sandbox-signature", "webhook-signature", "cvv", "set-cookie", "appKey", "hmac_md"],
)  # fmt: skip
def test_fields_that_hold_secrets_are_known_by_their_names(name: str) -> None:
    assert is_secret(name)
    assert SECRET not in readable({name: SECRET})
    assert SECRET[:8] not in readable(f"{name}={SECRET[:8]}")
    assert SECRET[:8] not in readable(f"{name}: {SECRET[:8]}")
    assert SECRET[:8] not in readable(f"<{name}>{SECRET[:8]}</{name}>")


@pytest.mark.parametrize(
    "name",
    ["card_no", "cardNumber", "account", "bank_account", "phone", "mobile", "id_number", "idNo", "iban",
     "passport_number", "pan", "cpf"],
)  # fmt: skip
def test_fields_that_hold_personal_numbers_show_a_tail_at_most(name: str) -> None:
    assert is_personal(name)
    assert readable({name: "AB12345"}) == f'{{\n "{name}": "****345"\n}}'
    assert readable(f"{name}=AB12345") == f"{name}=****345"


@pytest.mark.parametrize(
    "name", ["sign_type", "card_name", "account_type", "order_no", "amount", "bank_code", "reference", "time"]
)
def test_fields_about_something_else_are_left_alone(name: str) -> None:
    assert not is_secret(name)
    assert not is_personal(name)
    assert readable({name: "AB12345"}) == f'{{\n "{name}": "AB12345"\n}}'


@pytest.mark.parametrize(
    "body",
    [
        CARD, f"card {CARD[:4]} {CARD[4:8]}-{CARD[8:]} paid", {"x": CARD}, {"x": int(CARD)},
        [[{"x": [CARD]}]], json.dumps({"a": json.dumps({"b": json.dumps({"c": CARD})})}),
        f'{{"x": "{CARD}', f"a=1&x={CARD}", f"a=1&x={CARD[:4]}%20{CARD[4:]}", f"a=1&{CARD}=x", f"x{CARD}x",
        '{"x": "622202\\u0031234567890123"}', {"card": {"no": CARD, "parts": [CARD]}},
        f"GET /pay?x={CARD} HTTP/1.1", {CARD: 1},
    ],
)  # fmt: skip
def test_no_card_number_comes_through_in_any_shape(body: object) -> None:
    shown = readable(body)
    digits = "".join(sign for sign in shown if sign.isdigit())
    assert shown
    assert CARD not in digits
    assert CARD[:12] not in digits


def test_what_a_sensitive_field_holds_is_sensitive_whatever_its_own_fields_are_called() -> None:
    assert json.loads(readable({"key": {"a": "abc", "b": ["def"]}, "c": "ghi"})) == {
        "key": {"a": "***", "b": ["***"]}, "c": "ghi",
    }  # fmt: skip


def test_long_opaque_words_are_covered_and_uuids_are_not() -> None:
    digest = "22982fb165eb0351bf61232231d5a9c4f0c5c34bbd21175f53cbe6d44d299c32"
    uuid = "123e4567-e89b-12d3-a456-426614174000"
    assert readable({"x": digest, "id": uuid}) == f'{{\n "x": "2298…***",\n "id": "{uuid}"\n}}'
    assert readable(f"seen {SECRET} there") == "seen QmFz…*** there"


def test_orders_own_numbers_times_and_amounts_stay_readable() -> None:
    body = {"no": None, "order_no": "20261122140509123456", "time": 1794169904, "amount": 123456789012,
            "at": "2026-11-22 14:05:09", "ref": "POT00000001-1", "cl": "SB261108000007"}  # fmt: skip
    assert json.loads(readable(body, keep=["20261122140509123456"])) == body
    assert "20261122140509123456" not in readable(body)
    # Too short to be told from a part of a card number.
    assert CARD not in readable({"x": f"{CARD[:5]} {CARD[5:]}"}, keep=[CARD[:5]])


def test_json_on_one_line_is_laid_out_and_keeps_every_digit_of_its_numbers() -> None:
    assert readable(b'{"amount":100.10,"list":[1,{}],"flag":true}') == (
        '{\n "amount": 100.10,\n "list": [\n  1,\n  {}\n ],\n "flag": true\n}'
    )


@pytest.mark.parametrize("value", [None, "", b"", {}, []])
def test_nothing_is_shown_of_nothing(value: object) -> None:
    assert readable(value) == ""


def test_long_bodies_are_cut_but_not_through_a_number() -> None:
    body = "x" * 100 + "\n" + ", ".join([CARD] * 2000)
    shown = readable(body)
    assert len(shown) == 4000
    assert shown.endswith("…")
    edge = '{"a": "' + "z" * (READ_LENGTH_MAX - 20) + f'", "b": "{CARD}"}}'
    assert "62220212" not in readable(edge, length_max=2 * READ_LENGTH_MAX)


def test_what_cannot_be_printed_becomes_a_sign() -> None:
    assert readable(b"\x00\xff\x1b[31m\xe2\x80\xae") == "\ufffd\ufffd\ufffd[31m\ufffd"


@pytest.mark.parametrize(
    "piece", ["{", '{"a":', "a=", '"', "\\", "a:", "<a", "1-", "a: bearer ", "&a", "A1", "[{", "x "]
)
def test_hostile_bodies_cost_little(piece: str) -> None:
    began = time.process_time()
    readable(piece * (READ_LENGTH_MAX // len(piece)))
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "body",
    [
        {"number": CARD, "name": "王小头", "amount": 50000, "sign": SECRET, "create_time": 1795000000},
        {
            "data": [{"card_no": [CARD, {"x": "12345"}]}, {}, [], None, True, 1.50],
            "url": f"http://x/?key={SECRET}",
        },
        {"memo": f"paid to {CARD}", "phone": {"any": "13812345678"}, "n": 62220212345678901234567},
        {CARD: 1, "nested": json.dumps({"platform_key": SECRET})},
    ],
)
def test_what_is_kept_of_a_document_is_masked_as_what_is_read(body: object) -> None:
    kept = compact(json.dumps(body), bytes_max=4096)
    assert re.sub(r"\s", "", kept) == re.sub(r"\s", "", readable(json.dumps(body)))
    assert "\n" not in kept


@pytest.mark.parametrize(
    "text",
    [
        f'{{"number": "{CARD}", "a": ',
        f"number={CARD}&sign={SECRET}",
        f"card: {CARD}",
        f"[{CARD}",
        "",
        "plain",
    ],
)
def test_what_is_kept_of_anything_else_is_masked_too(text: str) -> None:
    kept = compact(text.encode(), bytes_max=4096)
    assert CARD not in kept
    assert SECRET not in kept
    assert (kept == "") is (text == "")


def test_no_more_is_kept_than_asked_for_and_no_number_is_cut_open() -> None:
    body = json.dumps([{"number": CARD, "name": "王小头"}] * 500)
    for bytes_max in range(60, 140):
        kept = compact(body, bytes_max=bytes_max)
        assert len(kept.encode()) <= bytes_max
        assert CARD[:8] not in kept
        assert CARD[:8] not in compact(body[: 2 * bytes_max + 7], bytes_max=bytes_max)
