"""Bodies: plain JSON or a reason (bad input, API rows 1 and 2)."""

import contextlib
import json
import time

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merchants.api import strict_json
from merchants.api.strict_json import BadJson, BodyTooLarge, NumberText

REFUSED: list[tuple[str, bytes, str]] = [
    ("empty", b"", "empty"),
    ("blanks", b" \n", "empty"),
    ("not UTF-8", b'{"a":"\xff"}', "not UTF-8 at byte 6"),
    ("encoded surrogate", b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
    ("UTF-16", '{"a":1}'.encode("utf-16"), "not UTF-8"),
    ("byte order mark", b'\xef\xbb\xbf{"a":1}', "byte order mark"),
    ("gzip", b"\x1f\x8b\x08\x00", "compressed"),
    ("list", b"[1]", "must be a JSON object"),
    ("text", b'"x"', "must be a JSON object"),
    ("null", b"null", "must be a JSON object"),
    ("number", b"1", "must be a JSON object"),
    ("half", b'{"a":', "line 1, column 6"),
    ("two objects", b'{"a":1}{"b":2}', "line 1, column 8"),
    ("single quotes", b"{'a':1}", "Not valid JSON"),
    ("trailing comma", b'{"a":1,}', "Not valid JSON"),
    ("duplicate keys", b'{"amount":1,"amount":999}', "“amount” stands twice"),
    ("duplicate keys by escape", b'{"a":1,"\\u0061":2}', "“a” stands twice"),
    ("duplicate keys inside", b'{"a":[{"b":1,"b":1}]}', "“b” stands twice"),
    ("NaN", b'{"a":NaN}', "NaN is not"),
    ("Infinity", b'{"a":-Infinity}', "-Infinity is not"),
    ("exponent", b'{"a":1e2}', "exponent"),
    ("huge exponent", b'{"a":1E400}', "exponent"),
    ("39 digits", b'{"a":' + b"1" * 39 + b"}", "more than 38 digits"),
    ("5000 digits", b'{"a":' + b"1" * 5000 + b"}", "more than 38 digits"),
    ("39 digits with a point", b'{"a":1.' + b"1" * 38 + b"}", "more than 38 digits"),
    ("minus zero", b'{"a":-0}', "Minus zero"),
    ("leading zero", b'{"a":007}', "Not valid JSON"),
    ("plus", b'{"a":+5}', "Not valid JSON"),
    ("lone surrogate", b'{"a":["\\ud800"]}', "half a character, U\\+D800"),
    ("lone surrogate as a name", b'{"\\udfff":1}', "half a character, U\\+DFFF"),
    ("surrogates in the wrong order", b'{"a":"\\udc00\\ud800"}', "half a character"),
    ("NUL", b'{"a":"x\\u0000y"}', "U\\+0000"),
    ("NUL in a name", b'{"x\\u0000":1}', "U\\+0000"),
    ("raw NUL", b'{"a":"\x00"}', "Not valid JSON"),
    ("raw line break in a text", b'{"a":"x\ny"}', "Not valid JSON"),
    ("depth 9", b'{"a":' + b"[" * 8 + b"]" * 8 + b"}", "more than 8 levels"),
    ("100,000 brackets", b"[" * 100_000, "more than 8 levels"),
    ("50,000 objects", b'{"a":' * 50_000, "more than 8 levels"),
    ("text that never ends", b'{"a":"[[[[[[[[[[[[', "Not valid JSON"),
]


@pytest.mark.parametrize(("name", "body", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_bad_bodies_are_refused_with_the_reason(name: str, body: bytes, reason: str) -> None:
    with pytest.raises(BadJson, match=reason):
        strict_json.parse(body)


def test_good_bodies_keep_every_type_and_every_text() -> None:
    body = (
        '{"i":50000,"n":-3,"t":"1.50","f":1.50,"b":true,"z":null,"l":["1",2],"o":{},"😀":"\\ud83d\\ude00é"}'
    )
    found = strict_json.parse(body.encode())
    assert found == {
        "i": 50000, "n": -3, "t": "1.50", "f": "1.50", "b": True, "z": None, "l": ["1", 2],
        "o": {}, "😀": "😀é",
    }  # fmt: skip
    assert type(found["i"]) is int
    assert type(found["f"]) is NumberText
    assert type(found["t"]) is str
    assert found["b"] is True


def test_depth_eight_and_thirty_eight_digits_are_allowed() -> None:
    deepest = b'{"a":' + b"[" * 7 + b"]" * 7 + b"}"
    assert strict_json.parse(deepest) == json.loads(deepest)
    assert strict_json.parse(b'{"a":' + b"9" * 38 + b"}") == {"a": 10**38 - 1}
    assert strict_json.parse(b'{"a":"[[[[[[[[[[[[","b":"\\"[[[[[[[[[["}') == {
        "a": "[" * 12,
        "b": '"' + "[" * 10,
    }


def test_a_body_too_large_is_not_looked_at() -> None:
    exact = b'{"a":"' + b"x" * (262_144 - 8) + b'"}'
    assert len(exact) == 262_144
    assert strict_json.parse(exact) == {"a": "x" * (262_144 - 8)}
    with pytest.raises(BodyTooLarge, match="262144 bytes"):
        strict_json.parse(exact + b" ")
    with pytest.raises(BodyTooLarge):
        strict_json.parse(b'{"a":1}', max_bytes=6)


@pytest.mark.parametrize(
    "body",
    [b'{"a":"' + b'\\"' * 131_000, b"{" + b'"' * 262_000, b'{"' + b"\\" * 262_000, b'{"a":' + b" " * 262_000],
)
def test_hostile_bodies_take_no_time(body: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(BadJson):
        strict_json.parse(body)
    assert time.perf_counter() - started < 1


def test_a_hostile_name_is_shown_short_and_harmless() -> None:
    with pytest.raises(BadJson) as caught:
        strict_json.parse(b'{"\\ud800\\u202e":1,"\\ud800\\u202e":2}')
    assert str(caught.value) == "The name “\\ud800\\u202e” stands twice."


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@hypothesis.settings(deadline=None)  # shared machines are slow at times
@given(
    st.dictionaries(st.text("abc", max_size=3), st.none() | st.text("x☃", max_size=5) | st.integers(-5, 5)),
    st.booleans(),
)
def test_what_any_writer_writes_is_read_the_same(value: dict[str, object], escaped: bool) -> None:
    assert strict_json.parse(json.dumps(value, ensure_ascii=escaped).encode()) == value


def _depth(value: object) -> int:
    if not isinstance(value, (list, dict)):
        return 0
    return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)


@hypothesis.settings(deadline=None)  # shared machines are slow at times
@given(JSON)
def test_nested_values_are_read_the_same_or_refused_for_depth(value: object) -> None:
    body = json.dumps({"v": value}).encode()
    if _depth(value) >= 8:
        with pytest.raises(BadJson, match="levels deep"):
            strict_json.parse(body)
    else:
        assert strict_json.parse(body) == {"v": value}


@hypothesis.settings(deadline=None)  # shared machines are slow at times
@given(st.binary(max_size=300))
def test_no_bytes_crash_the_parser(body: bytes) -> None:
    with contextlib.suppress(BadJson):
        assert isinstance(strict_json.parse(body), dict)
