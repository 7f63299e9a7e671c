"""Codes of time: the published vectors, the window around the present step, and what an app is given."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from diamondpay.lib import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()


# RFC 6238, appendix B: the last six of its eight digits.
@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
     (2000000000, "279037"), (20000000000, "353130")],
)  # fmt: skip
def test_the_codes_of_the_rfc_are_made(seconds: int, code: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    assert totp.code(SECRET, totp.step_of(now)) == code
    assert totp.matching_step(SECRET, code, now) == seconds // 30


@pytest.mark.parametrize(
    ("late_seconds", "is_taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_a_code_is_taken_half_a_minute_early_or_late(late_seconds: int, is_taken: bool) -> None:
    now = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
    code = totp.code(SECRET, totp.step_of(now))
    found = totp.matching_step(SECRET, code, now + timedelta(seconds=late_seconds))
    assert found == (totp.step_of(now) if is_taken else None)


@pytest.mark.parametrize("given", ["", "28708", "2870822", "28708２", "abcdef", "287 082"])
def test_anything_else_is_no_code(given: str) -> None:
    now = datetime.fromtimestamp(59, UTC)
    assert totp.matching_step(SECRET, given.encode("ascii", "ignore").decode(), now) is None


def test_the_address_for_the_app_carries_secret_and_names() -> None:
    found = urlsplit(totp.address(secret=SECRET, account="op@acme", issuer="DiamondPay"))
    assert (found.scheme, found.netloc, found.path) == ("otpauth", "totp", "/DiamondPay:op%40acme")
    assert parse_qs(found.query) == {
        "secret": [SECRET], "issuer": ["DiamondPay"], "digits": ["6"], "period": ["30"],
    }  # fmt: skip


def test_secrets_are_long_and_never_the_same() -> None:
    made = {totp.new_secret() for _number in range(50)}
    assert len(made) == 50
    assert {len(base64.b32decode(secret)) for secret in made} == {20}
