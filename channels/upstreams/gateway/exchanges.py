"""One HTTP exchange with a gateway API, and what of its answer may be believed.

The API itself signs no answer but the rows of its v1 lists. DiamondPay signs all of them in a header, which
is what `signed_answers` = "yes" asks for; with "no" TLS alone vouches for the answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from channels.upstreams import masking, proofs, transport
from channels.upstreams.base import Exchange
from channels.upstreams.gateway import wire
from channels.upstreams.gateway.account import Account
from diamondpay.lib import signing

BASE_PATH = "/gateway/api"
# Names a GET, which carries no signature, so that its answer can be signed as the answer to this call alone.
CALL_HEADER = "x-call-id"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back. envelope is None, and fault says why, unless it was complete, proven and readable."""

    exchange: Exchange
    envelope: wire.Envelope | None = None
    fault: str = ""


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
    started = time.monotonic()
    try:
        answer = transport.exchange(
            method=method, url=url, headers=headers, body=body, timeout_seconds=account.timeout_seconds
        )
    except transport.NoAnswer as silence:
        record = _record(f"{method} {url}{shown}", f"no answer: {silence}", None, started)
        return Heard(exchange=record, fault=str(silence))
    envelope, response, fault = _read(account, answer, call=call, hidden=hidden)
    response = f"HTTP {answer.status}\n{response}"
    return Heard(
        exchange=_record(f"{method} {url}{shown}", response, answer.status, started),
        envelope=envelope,
        fault=fault,
    )


def _read(
    account: Account, answer: transport.HttpAnswer, *, call: str, hidden: Collection[str]
) -> tuple[wire.Envelope | None, str, str]:
    """Return the envelope if it may be believed, the answer for reading, and the fault."""
    envelope: wire.Envelope | None = None
    fault = ""
    try:
        fields = wire.load(answer.body)
        response = masking.without(masking.fields_text(fields), sensitive=hidden)
        envelope = wire.envelope(fields)
    except wire.Unreadable as unreadable:
        fault = f"unreadable answer: {unreadable}"
        response = masking.prose(answer.body.decode(errors="replace"), sensitive=hidden)
    if account.is_signed:
        try:
            proofs.check_answer(
                answer.headers,
                secret_key=account.platform_key,
                call=call,
                status=answer.status,
                body=answer.body,
            )
        except proofs.SignatureRefused as refusal:
            return None, response, f"HTTP {answer.status} that cannot be trusted: {refusal}"
    if envelope is not None and answer.status != 200:
        # 413, 429 and 503 are not the API's own words on the order, whatever their envelope says.
        return None, response, f"HTTP {answer.status}: {masking.prose(envelope.message, sensitive=hidden)}"
    return envelope, response, fault


def _record(request: str, response: str, http_status: int | None, started: float) -> Exchange:
    return Exchange(
        request=masking.shortened(request),
        response=masking.shortened(response),
        http_status=http_status,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def not_sent(words: str) -> Exchange:
    """Return the record of a call that was never made."""
    return Exchange(request=f"not sent: {words}", response="", http_status=None, duration_ms=0)
