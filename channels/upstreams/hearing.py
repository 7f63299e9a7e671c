"""One HTTP exchange with an upstream: what came back, whether it may be believed, what is kept of it to read.

The same for every API whose answers are a JSON envelope, proven, where the upstream proves them at all, by
`X-Answer-Signature`. What the words mean is each adapter's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from channels.upstreams import masking, proofs, reading, transport
from channels.upstreams.base import Exchange

EnvelopeT = TypeVar("EnvelopeT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is sent. `shown` is the request as it may be read, without what is `hidden` anywhere.

    `name` is what the answer's signature must name; `secret_key` "" is an upstream that signs no answers.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout_seconds: float
    shown: str
    name: str
    secret_key: str
    hidden: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Generic[EnvelopeT]):
    """What came back. envelope is None, and fault says why, unless it was complete, proven and readable."""

    exchange: Exchange
    status: int | None = None
    envelope: EnvelopeT | None = None
    fault: str = ""


def exchange(
    call: Call,
    *,
    envelope: Callable[[Mapping[str, object]], EnvelopeT],
    load: Callable[[bytes], dict[str, object]] = reading.load,
) -> Heard[EnvelopeT]:
    """Send a call and return what may be believed of its answer; nothing is raised for what is wrong with it.

    `load` reads the JSON and `envelope` what it must be; both raise Unreadable.
    """
    started = time.monotonic()
    try:
        answer = transport.exchange(
            method=call.method, url=call.url, headers=dict(call.headers), body=call.body,
            timeout_seconds=call.timeout_seconds,
        )  # fmt: skip
    except transport.NoAnswer as silence:
        return Heard(exchange=record(call.shown, f"no answer: {silence}", None, started), fault=str(silence))
    found: EnvelopeT | None = None
    fault = ""
    try:
        fields = load(answer.body)
        response = masking.without(masking.fields_text(fields), sensitive=call.hidden)
        found = envelope(fields)
    except reading.Unreadable as unreadable:
        fault = f"unreadable answer: {unreadable}"
        response = masking.prose(answer.body.decode(errors="replace"), sensitive=call.hidden)
    kept = record(call.shown, f"HTTP {answer.status}\n{response}", answer.status, started)
    try:
        if call.secret_key:
            proofs.check_answer(
                answer.headers, secret_key=call.secret_key, call=call.name, status=answer.status,
                body=answer.body,
            )  # fmt: skip
    except proofs.SignatureRefused as refusal:
        found, fault = None, f"HTTP {answer.status} that cannot be trusted: {refusal}"
    return Heard(exchange=kept, status=answer.status, envelope=found, fault=fault)


def record(request: str, response: str, http_status: int | None, started: float) -> Exchange:
    """Return an exchange as it is kept, shortened. Units: started in seconds of the monotonic clock."""
    return Exchange(
        request=masking.shortened(request),
        response=masking.shortened(response),
        http_status=http_status,
        duration_ms=round((time.monotonic() - started) * 1000),
    )
