"""Bad input to the sandbox: its signed API, control API, pages and environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from channels.upstreams import masking
from channels.upstreams.base import PaymentRequest, SubmissionOutcome
from channels.upstreams.sandbox import signing, wire
from channels.upstreams.sandbox.adapter import SandboxAdapter
from tests.channels.upstreams.drivers import SandboxDriver
from tests.support import sandbox as sandboxes
from tests.support.sandbox import ROOT, Sandbox


@pytest.fixture
def upstream(sandbox: Sandbox) -> SandboxDriver:
    """These tests are about the sandbox alone."""
    return SandboxDriver(sandbox)


def signed_headers(sandbox: Sandbox, body: bytes, *, seconds: int = 0) -> dict[str, str]:
    timestamp = str(int(time.time()) + seconds)
    signature = signing.request_signature(
        secret=sandbox.accounts["demo"], method="POST", path="/v1/payments", timestamp=timestamp, body=body
    )
    return signing.headers(account="demo", timestamp=timestamp, signature=signature)


def test_requests_without_a_valid_signature_are_not_acted_on(
    sandbox: Sandbox, payment: PaymentRequest
) -> None:
    wrong_secret = SandboxAdapter(sandbox.settings(secret="another-secret-0123456789"))
    no_account = SandboxAdapter(sandbox.settings(account="sandbox") | {"account": "nobody"})
    for adapter in (wrong_secret, no_account):
        submission = adapter.submit_payment(payment)
        assert submission.outcome is SubmissionOutcome.UNKNOWN
        assert submission.exchange.http_status == 401
    assert not sandbox.has_order(payment.reference)


def test_a_signed_request_that_is_stale_or_changed_is_not_acted_on(sandbox: Sandbox) -> None:
    body = b'{"reference":"STALE1"}'
    for sent, headers in (
        (body, signed_headers(sandbox, body, seconds=-301)),
        (body, signed_headers(sandbox, body, seconds=301)),
        (body.replace(b"1", b"2"), signed_headers(sandbox, body)),
    ):
        assert sandbox.post("/v1/payments", content=sent, headers=headers).status_code == 401
    assert not sandbox.has_order("STALE1")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("amount", 100, "amount is not an amount in plain digits"),
        ("amount", "1e2", "amount is not an amount in plain digits"),
        ("amount", "１２", "amount is not an amount in plain digits"),
        ("amount", "0.00", "amount is not above zero"),
        ("currency", "cny", "currency is not a currency code"),
        ("callback_url", "file:///etc/passwd", "callback_url is not an http address"),
        ("callback_url", "http://127.0.0.1:99999/", "Port out of range 0-65535"),
        ("payer", [], "payer is not an object"),
        ("service", "", "service is missing"),
    ],
)
def test_a_malformed_order_is_refused_with_the_field(
    name: str, value: object, reason: str, sandbox: Sandbox
) -> None:
    order = {
        "reference": "BAD1",
        "service": "SVC0001",
        "amount": "1",
        "currency": "CNY",
        "callback_url": "http://127.0.0.1:1/",
        "payer": {},
    }
    body = wire.dump(order | {name: value})
    response = sandbox.post("/v1/payments", content=body, headers=signed_headers(sandbox, body))
    assert response.status_code == 422
    assert response.json() == {"code": "order_refused", "reason": reason, "reference": "BAD1"}
    assert not sandbox.has_order("BAD1")


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/behaviour", b'{"account": "sandbox", "mode": "nice"}', 400),
        ("/behaviour", b'{"account": "nobody", "mode": "normal"}', 404),
        ("/behaviour", b'{"account": "sandbox", "mode": "slow", "delay_seconds": NaN}', 400),
        ("/behaviour", b'{"account": "sandbox", "delay_seconds": "nan"}', 400),
        ("/behaviour", b'{"account": "sandbox", "delay_seconds": true}', 400),
        ("/behaviour", b"[" * 100_000, 400),
        ("/behaviour", b"{" + b" " * 300_000 + b"}", 413),
        ("/orders/NOBODY/pay", b"", 404),
        ("/orders/NOBODY/steal", b"", 404),
        ("/pay/NOBODY/pay", b"", 404),
        ("/pay/../etc/passwd", b"", 404),
    ],
)
def test_the_control_api_refuses_nonsense(path: str, content: bytes, status: int, sandbox: Sandbox) -> None:
    before = sandbox.get("/behaviour").json()
    assert sandbox.post(path, content=content).status_code == status
    assert sandbox.get("/behaviour").json() == before


@pytest.mark.parametrize("amount", [0, -1, 1.5, "1.5", "１", True, []])
def test_an_amount_that_is_not_a_whole_number_pays_nothing(
    amount: object, sandbox: Sandbox, payment: PaymentRequest
) -> None:
    SandboxAdapter(sandbox.settings()).submit_payment(payment)
    response = sandbox.post(f"/orders/{payment.reference}/pay", json={"amount": amount})
    assert response.status_code == 400
    assert sandbox.order(payment.reference)["state"] == "pending"


def test_the_payer_pays_another_amount_on_the_page(sandbox: Sandbox, payment: PaymentRequest) -> None:
    submission = SandboxAdapter(sandbox.settings()).submit_payment(payment)
    page = httpx.get(submission.link)
    assert page.status_code == 200
    for words in ("Pay 300.00 CNY", "Pay another amount", "Fail", "Say nothing", "A1B2", payment.reference):
        assert words in page.text
    assert "<script" not in page.text
    assert "Nothing was said" in httpx.post(f"{submission.link}/nothing").text
    assert "plain digits" in httpx.post(f"{submission.link}/other", data={"amount": "12,5"}).text
    assert sandbox.order(payment.reference)["state"] == "pending"
    httpx.post(f"{submission.link}/other", data={"amount": "12.5"})
    assert sandbox.order(payment.reference)["amount_paid"] == 1250
    assert "already paid" in httpx.post(f"{submission.link}/fail").text
    assert payment.reference in sandbox.get("/").text


def test_the_pages_escape_what_they_show(sandbox: Sandbox, payment: PaymentRequest) -> None:
    body = wire.dump(
        {
            "reference": payment.reference,
            "service": "<b>x</b>",
            "amount": "1",
            "currency": "CNY",
            "callback_url": payment.callback_url,
            "payer": {},
            "remark_code": '"><script>alert(1)</script>',
        }
    )
    link = sandbox.post("/v1/payments", content=body, headers=signed_headers(sandbox, body)).json()["link"]
    text = httpx.get(link).text
    assert "<b>x" not in text
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_another_sites_form_pays_nothing(sandbox: Sandbox, payment: PaymentRequest) -> None:
    submission = SandboxAdapter(sandbox.settings()).submit_payment(payment)
    for origin in ("https://evil.example", "null"):
        assert httpx.post(f"{submission.link}/pay", headers={"origin": origin}).status_code == 403
    assert sandbox.order(payment.reference)["state"] == "pending"
    assert httpx.post(f"{submission.link}/pay", headers={"origin": sandbox.base_url}).status_code == 303
    assert sandbox.order(payment.reference)["state"] == "paid"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /behaviour HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /behaviour HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /behaviour HTTP/1.1\r\ncontent-length: 9999999999999\r\n\r\n",
        b"DELETE / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_broken_http_gets_a_4xx_or_501_and_the_sandbox_lives(head: bytes, sandbox: Sandbox) -> None:
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as connection:
        connection.sendall(head)
        answer = connection.makefile("rb").read()
    assert any(code in answer for code in (b"400", b"411", b"501"))
    assert sandbox.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DIAMONDPAY_SANDBOX_PORT", "eight", "DIAMONDPAY_SANDBOX_PORT must be a number"),
        ("DIAMONDPAY_SANDBOX_ACCOUNTS", "demo", "The secret of demo needs 16"),
        ("DIAMONDPAY_SANDBOX_ACCOUNTS", "a b:0123456789abcdef", "must read account:secret"),
        ("DIAMONDPAY_SANDBOX_HOST", "0.0.0.0", "needs secrets of your own"),  # noqa: S104
        ("DIAMONDPAY_SANDBOX_PAYOUT_DELAY", "nan", "between 0 and 86400"),
        ("DIAMONDPAY_SANDBOX_RETRY_SECONDS", "1,x", "must be numbers of seconds"),
    ],
)
def test_an_environment_that_makes_no_sense_ends_the_start(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "DIAMONDPAY_HOME": str(tmp_path), name: value}
    ended = subprocess.run(
        [sys.executable, "-m", "channels.upstreams.sandbox"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_process_on_the_same_folder_does_not_start(tmp_path: Path) -> None:
    with sandboxes.running(tmp_path) as first:
        second = Sandbox(tmp_path, environment={})
        with pytest.raises(RuntimeError, match="Another sandbox is running"):
            second.start()
        assert first.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://x"},
        {"base_url": "http://"},
        {"base_url": "http://x:99999"},
        {"account": ""},
        {"secret": "sécret"},
        {"timeout_seconds": "16"},
        {"timeout_seconds": "nan"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, str], sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SandboxAdapter(sandbox.settings() | settings)


def test_the_log_and_the_file_hold_no_account_numbers(sandbox: Sandbox, payment: PaymentRequest) -> None:
    SandboxAdapter(sandbox.settings()).submit_payment(payment)
    kept = b"".join(path.read_bytes() for path in (sandbox.home / "sandbox").iterdir())
    assert payment.reference.encode() in kept
    for hidden in (payment.payer.account, payment.payer.phone, payment.payer.name):
        assert hidden.encode() not in kept
        assert hidden not in sandbox.log


@pytest.mark.parametrize(
    ("value", "shown"),
    [("6216667451674374", "****4374"), ("12345678", "****5678"), ("1234567", "****"), ("", "")],
)
def test_only_the_tail_of_a_long_number_is_shown(value: str, shown: str) -> None:
    assert masking.tail(value) == shown
