"""Ten thousand calls that were changed on their way, and a thousand that were sent again: none has an effect.

Over every API. What an API does not sign by design (the transaction-request API's body, the gateway API's
queries) is changed only where something else must hold it: there each signature carries one body.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from diamondpay.lib import clock, signing
from merchants.registration import Registered
from records.models import ChainKey, ChainPayment, Notification, Payment, Payout, Posting, StatusChange
from tests import factories
from tests.support.evm import scenes
from tests.support.sandbox import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]

pytestmark = pytest.mark.django_db
TAMPERED = 10_000
REPLAYS = 1_000
LIMITS = [
    f"API_{of}_PER_MINUTE"
    for of in ("REFUSALS", "KEY_REFUSALS", "CREATES", "QUERIES", "ADDRESS_CREATES", "ADDRESS_QUERIES")
]
URL = "http://127.0.0.1:9/notify"
Change = Callable[["Call", random.Random], "Call"]


@dataclass(frozen=True)
class Call:
    """One call as it travels."""

    api: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def sent(self, client: Client) -> Any:
        return client.generic(
            self.method, self.path, self.body, content_type="application/json", headers=self.headers
        )


def is_accepted(api: str, response: Any) -> bool:
    """Say whether the answer is a yes."""
    if response.status_code != 200:
        return False
    content = json.loads(response.content)
    return bool({
        "gateway": content.get("error_code") == "0000",
        "transaction_request": content.get("isSuccess") is True,
        "payment_detail": content.get("code") == 200,
    }[api])  # fmt: skip


def compact(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def gateway_call(merchant: Registered, number: str, *, key: str = "", url: str = URL) -> Call:
    params: dict[str, Any] = {
        "platform_id": merchant.merchant.pk, "service_id": "SVC0001", "payment_cl_id": number,
        "amount": 10000, "notify_url": url, "name": "王小头", "request_time": int(clock.now().timestamp()),
    }  # fmt: skip
    made = signing.sign(params, key or merchant.platform_key, "HMAC-SHA256")
    body = compact({**params, "sign_type": "HMAC-SHA256", "sign": made})
    return Call("gateway", "POST", "/gateway/api/v2/payments", {}, body)


def request_call(merchant: Registered, number: str, moment: int, *, key: str = "", url: str = URL) -> Call:
    pair = merchant.further["transaction_request"]
    message = f"{pair.credential.public_id}_{moment}".encode()
    made = hmac.new((key or pair.platform_key).encode(), message, hashlib.sha256).hexdigest().upper()
    headers = {"access-key": pair.credential.public_id, "timestamp": str(moment), "signature": made}
    body = compact({
        "client": {"realName": "TEST_USER"}, "depositCurrency": "CNY", "fiatCurrency": "CNY",
        "depositAmount": 100, "merchantOrderNo": number, "webhookUrl": url, "paymentMethod": {"method": 1},
    })  # fmt: skip
    return Call("transaction_request", "POST", "/api/v2/merchant/deposit", headers, body)


def detail_call(merchant: Registered, number: str, *, key: str = "") -> Call:
    pair, path = merchant.further["payment_detail"], f"/payment/notify?outTradeNo={number}"
    moment = str(int(clock.now().timestamp()))
    mac = hmac.new((key or pair.platform_key).encode(), f"{moment}GET{path}".encode(), hashlib.sha256)
    headers = {
        "x-pay-key": pair.credential.public_id, "x-pay-timestamp": moment,
        "x-pay-sign": base64.b64encode(mac.digest()).decode(),
    }  # fmt: skip
    return Call("payment_detail", "GET", path, headers)


def creation_call(merchant: Registered, number: str, *, key: str = "", url: str = URL) -> Call:
    pair, path = merchant.further["payment_detail"], "/payment/createPaymentOrder"
    # A little in the future, so that a slow machine has more than a minute for the replays.
    moment = str(int(clock.now().timestamp()) + 45)
    body = compact({
        "chainId": 2, "description": "A book", "outTradeNo": number, "isLegalTender": 0,
        "quoteCurrencySymbol": "USDT", "quoteAmount": "10", "notifyUrl": url,
    })  # fmt: skip
    mac = hmac.new((key or pair.platform_key).encode(), f"{moment}POST{path}".encode() + body, hashlib.sha256)
    headers = {
        "x-pay-key": pair.credential.public_id, "x-pay-timestamp": moment,
        "x-pay-sign": base64.b64encode(mac.digest()).decode(),
    }  # fmt: skip
    return Call("payment_detail", "POST", path, headers, body)


def flipped(content: bytes, dice: random.Random) -> bytes:
    """Return the content with one bit turned."""
    changed = bytearray(content)
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(7)
    return bytes(changed)


def body_flipped(call: Call, dice: random.Random) -> Call:
    return replace(call, body=flipped(call.body, dice))


def body_cut(call: Call, dice: random.Random) -> Call:
    return replace(call, body=call.body[: dice.randrange(len(call.body))])


def body_encoded(call: Call, dice: random.Random) -> Call:
    encoded = [
        gzip.compress(call.body), base64.b64encode(call.body), call.body.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + call.body, call.body.hex().encode(),
    ]  # fmt: skip
    return replace(call, body=dice.choice(encoded))


def header_flipped(call: Call, dice: random.Random) -> Call:
    name = dice.choice(list(call.headers))
    changed = flipped(call.headers[name].encode(), dice).decode("latin-1")
    return replace(call, headers={**call.headers, name: changed})


def header_cut(call: Call, dice: random.Random) -> Call:
    name = dice.choice(list(call.headers))
    changed = call.headers[name][: dice.randrange(len(call.headers[name]))]
    return replace(call, headers={**call.headers, name: changed})


def time_moved(call: Call, dice: random.Random) -> Call:
    name = next(name for name in call.headers if name.endswith("timestamp"))
    moved = str(int(call.headers[name]) + dice.choice([-7, -1, 1, 30, 10_000]))
    return replace(call, headers={**call.headers, name: moved})


def path_flipped(call: Call, dice: random.Random) -> Call:
    path = flipped(call.path.encode(), dice).decode()
    # Nothing behind "#" is ever sent, and an address begins with a slash.
    return replace(call, path="/" + path.replace("#", "!")[1:] if path[0] == "/" else "/x" + path[1:])


CHANGES: dict[str, list[Change]] = {
    "gateway": [body_flipped, body_cut, body_encoded],
    "transaction_request": [body_flipped, body_cut, body_encoded, header_flipped, header_cut, time_moved],
    "payment_detail": [path_flipped, header_flipped, header_cut, time_moved],
}
OF_BODIES: list[Change] = [body_flipped, body_cut, body_encoded]


def changes_of(call: Call) -> list[Change]:
    """Return what may happen to a call on its way: what an API signs, and no more."""
    is_signed_body = call.api == "payment_detail" and call.method == "POST"
    return CHANGES[call.api] + (OF_BODIES if is_signed_body else [])


@pytest.fixture
def merchant(db: None, sandbox: Sandbox, settings: Settings) -> Registered:
    """A merchant with a key of every API, whose wrong signatures are not counted."""
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    for limit in LIMITS:
        setattr(settings, limit, 1_000_000)
    factories.make_channel(base_url=sandbox.base_url)
    # No node is asked when an order is placed.
    chain = {"chain": "ETH", "node_url": "https://node.example", "xpub": scenes.XPUB}
    factories.make_channel(
        "evm", currency="USDT", upstream="evm", services=[scenes.SERVICES["USDT"]], settings=chain
    )
    return factories.make_merchant(
        "Acme", services=[*factories.SERVICES, scenes.SERVICES["USDT"]], channels=["sandbox", "evm"],
        apis=["transaction_request", "payment_detail"],
    )  # fmt: skip


def written() -> tuple[int, ...]:
    models: tuple[Any, ...] = (Payment, Payout, Posting, StatusChange, Notification, ChainPayment, ChainKey)
    return tuple(model.objects.count() for model in models)


def originals(merchant: Registered, other_key: str) -> Iterator[tuple[Call, bool]]:
    """Yield a call of each API, and whether it is signed with another's key and refused as it is."""
    moment = int(clock.now().timestamp() * 1000)
    for key in ("", other_key):
        yield gateway_call(merchant, "never-placed", key=key), bool(key)
        yield request_call(merchant, "order-1", moment, key=key), bool(key)
        yield detail_call(merchant, "order-1", key=key), bool(key)
        yield creation_call(merchant, "never-placed", key=key), bool(key)


def test_ten_thousand_tampered_calls_change_nothing(merchant: Registered) -> None:
    client, dice = Client(), random.Random(20_240_403)
    rival = factories.make_merchant("Rival").platform_key
    calls = list(originals(merchant, rival))
    # This signature is used up now: from here on it carries no other body.
    assert is_accepted("transaction_request", calls[1][0].sent(client))
    before, accepted = written(), []
    for number in range(TAMPERED):
        call, is_foreign = calls[number % len(calls)]
        change = dice.choice(changes_of(call))
        tampered = call if is_foreign and dice.random() < 0.2 else change(call, dice)
        if not is_foreign and tampered == call:
            continue
        if is_accepted(call.api, tampered.sent(client)):
            accepted.append((change.__name__, tampered))
    assert accepted == []
    assert written() == before


def test_a_thousand_replays_have_the_effect_of_one(merchant: Registered) -> None:
    client, moment = Client(), int(clock.now().timestamp() * 1000)
    calls = [gateway_call(merchant, f"gateway-{number}") for number in range(5)]
    calls += [request_call(merchant, f"request-{number}", moment + number) for number in range(5)]
    calls += [creation_call(merchant, f"chain-{number}") for number in range(5)]
    answers = [call.sent(client).content for call in calls]
    before = written()
    assert before[0] == len(calls)
    for number in range(REPLAYS):
        call = calls[number % len(calls)]
        response = call.sent(client)
        assert is_accepted(call.api, response)
        if call.api != "gateway":
            assert response.content == answers[number % len(calls)]
    assert written() == before


def test_replays_of_a_request_to_be_told_tell_once_in_half_a_minute(merchant: Registered) -> None:
    client = Client()
    gateway_call(merchant, "order-1").sent(client)
    call, started = detail_call(merchant, "order-1"), clock.now()
    yes_count = sum(is_accepted(call.api, call.sent(client)) for _replay in range(50))
    windows = int(clock.now().timestamp()) // 30 - int(started.timestamp()) // 30 + 1
    assert 1 <= yes_count <= windows
    assert Notification.objects.filter(asked_at__isnull=False).count() == yes_count
