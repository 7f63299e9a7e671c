"""Every program of docs/samples, run as it stands against a live instance by the interpreter of its language.

A missing interpreter is named in the output; Python, Node.js and curl must be there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from diamondpay import environment
from diamondpay.lib import signing
from tests.flows.conftest import MakeMerchant
from tests.support.platform import Platform
from tests.support.receiver import Merchant, Receiver

SAMPLES = environment.ROOT / "docs" / "samples"
# Language → the program that must be there, and what runs a file.
COMMANDS: dict[str, list[str]] = {
    "python": ["python3"],
    "php": ["php"],
    "go": ["go", "run"],
    "java": ["java"],
    "node": ["node"],
    "curl": ["sh"],
}
PROGRAMS = {"curl": ("curl", "openssl")}
ALWAYS = ("python", "node", "curl")
THERE = [
    language
    for language, command in COMMANDS.items()
    if all(shutil.which(name) for name in PROGRAMS.get(language, (command[0],)))
]
Run = Callable[..., str]


def found_file(language: str, name: str) -> Path:
    (path,) = (SAMPLES / language).glob(f"[{name[0]}{name[0].upper()}]{name[1:]}.*")
    return path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a program as its merchant; return what it prints."""

    def run_it(
        language: str, name: str, *arguments: str, merchant: Merchant, stdin: bytes = b"", **pair: str
    ) -> str:
        finished = subprocess.run(
            [*COMMANDS[language], str(found_file(language, name)), *arguments],
            input=stdin,
            capture_output=True,
            timeout=120,
            env={
                **os.environ,
                "DIAMONDPAY_URL": merchant.url,
                "PLATFORM_ID": merchant.platform_id,
                "PLATFORM_KEY": merchant.platform_key,
                "AUTHORIZATION": merchant.authorization,
                **pair,
                "NO_PROXY": "127.0.0.1",
                "no_proxy": "127.0.0.1",
                "GOCACHE": str(tmp_path / "go"),
            },
        )
        assert finished.returncode == 0, finished.stderr.decode()
        return finished.stdout.decode().strip()

    return run_it


def test_every_language_that_ci_promises_is_here_and_the_others_are_named() -> None:
    missing = [language for language in COMMANDS if language not in THERE]
    if missing:
        warnings.warn(f"Samples not run, for want of an interpreter: {', '.join(missing)}", stacklevel=1)
    assert {path.name for path in SAMPLES.iterdir()} == set(COMMANDS)
    assert set(ALWAYS) <= set(THERE)


@pytest.mark.parametrize("language", THERE)
def test_a_sample_creates_asks_and_verifies(
    platform: Platform, make_merchant: MakeMerchant, receiver: Receiver, run: Run, language: str
) -> None:
    merchant, _printed = make_merchant()

    def call(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run(language, "gateway", *arguments, merchant=merchant))
        assert found["error_code"] == "0000", found
        data: dict[str, Any] = found["data"]
        return data

    created = call("deposit", f"{language}-1", "10000", receiver.url)
    assert (created["payment_cl_id"], created["amount"]) == (f"{language}-1", 10000)
    platform.sandbox.pay(created["payment_id"])
    platform.until(lambda: receiver.received, what="the notification")
    read = call("deposit-status", f"{language}-1")
    assert [read[name] for name in ("status", "real_amount", "fee")] == [2, 10000, 80]
    assert call("balance")["total_balance"] == 9920
    assert_verified(run, language, merchant, receiver)
    paid_out = call("payout", f"{language}-2", "5000", "王小头", "6216667451674374")
    assert paid_out["payout_id"].startswith("POT")
    assert call("payout-status", f"{language}-2")["amount"] == 5000


def assert_verified(run: Run, language: str, merchant: Merchant, receiver: Receiver) -> None:
    """The sample takes our notification, also beside another key's signature, and nothing else."""
    headers, body = receiver.received[0]
    given = [headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")]
    other = "v1," + "A" * 43 + "="

    def verdict(arguments: list[str], content: bytes) -> str:
        return run(language, "verify", *arguments, merchant=merchant, stdin=content)

    assert verdict(given, body) == "valid"
    assert verdict([*given[:2], f"{other} {given[2]}"], body) == "valid"
    assert verdict([*given[:2], other], body) == "invalid"
    assert verdict(given, body.replace(b"10000", b"90000")) == "invalid"
    for age, wanted in ((240, "valid"), (302, "invalid"), (-400, "invalid")):
        moment = int(time.time()) - age
        signed = signing.webhook_headers(
            secret=merchant.platform_key.encode(), message_id=given[0], timestamp=moment, body=body
        )
        assert verdict([given[0], str(moment), signed["webhook-signature"]], body) == wanted, age
    assert verdict([given[0], "soon", given[2]], body) == "invalid"


@pytest.mark.parametrize("language", THERE)
def test_a_sample_of_the_transaction_request_api_creates_and_asks(
    platform: Platform, make_merchant: MakeMerchant, receiver: Receiver, run: Run, language: str
) -> None:
    platform.shell("from tests.factories import make_rate; make_rate('7.47')")
    merchant, printed = make_merchant("--settlement-currency", "MTC", "--api", "transaction_request")
    keys = printed["transaction_request"]
    pair = {"ACCESS_KEY": keys["access_key"], "SECRET_KEY": keys["secret_key"]}

    def call(*arguments: str) -> dict[str, Any]:
        text = run(language, "orders", *arguments, merchant=merchant, **pair)
        found: dict[str, Any] = json.loads(text, parse_float=Decimal)
        assert found["statusCode"] == "SUCCESS", found
        data: dict[str, Any] = found["data"]
        return data

    number = f"{language}/order"
    created = call("deposit", number, "1234.56", receiver.url)
    assert (created["merchantOrderNo"], created["paymentAmount"]) == (number, Decimal("1234.56"))
    platform.until(lambda: receiver.received, what="the webhook")
    assert call("status", number)["requestCode"] == created["requestCode"]
    headers, body = receiver.received[0]
    given = [headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")]
    merchant.platform_key = pair["SECRET_KEY"]
    assert run(language, "verify", *given, merchant=merchant, stdin=body) == "valid"


# Placing an order asks no node.
_CHANNEL = """
from tests.factories import make_channel
from tests.support.evm.scenes import XPUB

make_channel(
    code={code!r}, currency="USDT", upstream="evm", services=["SVC0085"],
    settings={{"chain": "ETH", "node_url": "http://127.0.0.1:9", "private_node": "yes", "xpub": XPUB}},
)
"""


@pytest.mark.parametrize("language", THERE)
def test_a_sample_of_the_payment_detail_api_places_an_order_reads_it_and_has_it_told(
    platform: Platform, make_merchant: MakeMerchant, receiver: Receiver, run: Run, language: str
) -> None:
    platform.shell(_CHANNEL.format(code=f"evm-{language}"))
    merchant, printed = make_merchant(
        "--service", "SVC0085", "--channel", f"evm-{language}", "--api", "payment_detail"
    )
    keys = printed["payment_detail"]
    pair = {"PAY_KEY": keys["access_key"], "PAY_SECRET": keys["secret_key"]}
    number = f"{language}/order"

    def call(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run(language, "detail", *arguments, merchant=merchant, **pair))
        assert found["code"] == 200, found
        data: dict[str, Any] = found["data"]
        return data

    made = call("create", number, "2", "USDT", "10.5", receiver.url)
    assert made["paymentUrl"].startswith("/gateway/portal/")
    read = call("detail", number)
    told = ("outTradeNo", "outPaymentNo", "expectedAmount", "paymentStatus", "userWalletAddress")
    wanted = [number, made["outPaymentNo"], "10500000", 1, made["userWalletAddress"]]
    assert [read[name] for name in told] == wanted
    assert call("notify", number) == {}
    platform.until(lambda: receiver.received, what="the notification that was asked for")
    assert receiver.bodies()[0] == read
