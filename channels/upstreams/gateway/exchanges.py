"""One HTTP exchange with a gateway API, and what of its answer may be believed.

The API itself signs no answer but the rows of its v1 lists. DiamondPay signs all of them in a header, which
is what `signed_answers` = "yes" asks for; with "no" TLS alone vouches for the answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from channels.upstreams import hearing, masking
from channels.upstreams.base import Exchange
from channels.upstreams.gateway import wire
from channels.upstreams.gateway.account import Account
from diamondpay.lib import signing

BASE_PATH = "/gateway/api"
# Names a GET, which carries no signature, so that its answer can be signed as the answer to this call alone.
CALL_HEADER = "x-call-id"


Heard = hearing.Heard[wire.Envelope]


def post(*, account: Account, path: str, fields: Mapping[str, object], hidden: Collection[str]) -> Heard:
    """Send a signed call. `hidden` are texts that nobody may read in the record of it."""
    signed = {"platform_id": account.platform_id, "request_time": int(time.time()), **fields}
    if account.sign_type != signing.MD5:
        signed["sign_type"] = account.sign_type
    signature = signing.sign(signed, account.platform_key, account.sign_type)
    shown = masking.without(masking.fields_text(_without_numbers(signed)), sensitive=hidden)
    return _exchange(
        account,
        method="POST",
        path=path,
        headers={"content-type": "application/json"},
        body=wire.dump({**signed, "sign": signature}),
        call=signature,
        shown="\n" + shown,
        hidden=hidden,
    )


def get(*, account: Account, path: str) -> Heard:
    """Ask with the account's token."""
    call = secrets.token_hex(16)
    headers = {"authorization": account.authorization, CALL_HEADER: call}
    return _exchange(
        account, method="GET", path=path, headers=headers, body=b"", call=call, shown="", hidden=()
    )


def _without_numbers(fields: Mapping[str, object]) -> dict[str, object]:
    # By their names, because five digits may stand anywhere in an answer without being anybody's account.
    hidden = {"number": masking.tail(str(fields.get("number", ""))), "last_number": "****"}
    return {name: hidden.get(name, value) for name, value in fields.items()}


def _exchange(
    account: Account,
    *,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    call: str,
    shown: str,
    hidden: Collection[str],
) -> Heard:
    url = f"{account.base_url}{BASE_PATH}/{account.version}{path}"
    sent = hearing.Call(
        method=method, url=url, headers=headers, body=body, timeout_seconds=account.timeout_seconds,
        shown=f"{method} {url}{shown}", name=call,
        secret_key=account.platform_key if account.is_signed else "", hidden=hidden,
    )  # fmt: skip
    heard = hearing.exchange(sent, envelope=wire.envelope, load=wire.load)
    if heard.envelope is None or heard.status == 200:
        return heard
    # 413, 429 and 503 are not the API's own words on the order, whatever their envelope says.
    words = masking.prose(heard.envelope.message, sensitive=hidden)
    return replace(heard, envelope=None, fault=f"HTTP {heard.status}: {words}")


def not_sent(words: str) -> Exchange:
    """Return the record of a call that was never made."""
    return Exchange(request=f"not sent: {words}", response="", http_status=None, duration_ms=0)
