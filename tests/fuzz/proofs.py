"""Proofs of who calls: every call that is not made to lack one is signed over the exact bytes that are sent.

Written from the documentation alone, as a merchant would; nothing is imported from the product.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import requests
from requests.auth import AuthBase

from tests.fuzz import fitting, wire
from tests.fuzz.fitting import Fitting
from tests.fuzz.stage import Caller, Stage
from tests.fuzz.wire import Number

_lock = threading.Lock()
_last_ms = 0


class Proof(AuthBase):
    """Makes one prepared request meaningful and signs it."""

    def __init__(self, dialect: Dialect, case: Any) -> None:
        self._dialect = dialect
        self._case = case

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request, just before it is sent."""
        self._dialect.prove(request, self._case)
        return request


class Dialect:
    """What signs the calls of one API."""

    api: str
    # Headers that prove, and what each looks like; one that is there and looks otherwise was made wrong.
    headers: Mapping[str, str]

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.fitting = Fitting(stage, self.api)

    def get(self, case: Any, _context: Any) -> Proof:
        """Return the proof of a case."""
        return Proof(self, case)

    def set(self, case: Any, proof: Proof, _context: Any) -> None:
        """Have a case proved."""
        case._auth = proof

    def prove(self, request: requests.PreparedRequest, case: Any) -> None:
        """Make a request meaningful, and sign it in place."""
        chance = fitting.dice(request.method, request.path_url, wire.sent(request))
        caller = self.fitting.caller(chance, is_creating=request.method == "POST")
        request._caller = caller  # type: ignore[attr-defined]
        schema = body_schema(case)
        if request.method == "GET":
            schemas = {one.name: one.optimized_schema for one in case.operation.iter_parameters()}
            is_valid = case.meta is not None and case.meta.generation.mode.is_positive
            url = str(request.url)
            request.url = self.fitting.url(url, case.path, schemas, caller, chance, is_valid=is_valid)
        elif schema is not None and isinstance(body := wire.loaded(wire.sent(request)), dict):
            fitting.without_oddities(body, schema)
            self.fitting.fit(body, schema, caller, chance)
            self.seal(request, body, schema, caller)
        self.sign(request, caller)

    def seal(
        self,
        request: requests.PreparedRequest,
        body: dict[str, Any],
        _schema: Mapping[str, Any],
        _caller: Caller,
    ) -> None:
        """Put a body into a request."""
        request.body = wire.dumped(body)

    def sign(self, request: requests.PreparedRequest, caller: Caller) -> None:
        """Prove a request by its headers."""
        raise AssertionError

    def unproven(self, request: requests.PreparedRequest) -> list[tuple[str, requests.PreparedRequest]]:
        """Return the same request without a proof, and with wrong ones."""
        found = []
        for name in self.headers:
            lacking, wrong = request.copy(), request.copy()
            value = lacking.headers.pop(name, "")
            wrong.headers[name] = _other(str(value))
            found += [(f"without {name}", lacking), (f"with another {name}", wrong)]
        return found

    def _headers(self, request: requests.PreparedRequest, values: Mapping[str, str]) -> None:
        """Set the headers that are there and look right; one that is missing was left out on purpose."""
        for name, value in values.items():
            if name in request.headers and re.fullmatch(
                self.headers[name], str(_text(request.headers[name]))
            ):
                request.headers[name] = value


class Gateway(Dialect):
    """POSTs carry a signature in their body, GETs a bare token."""

    api = "gateway"
    headers = {"Authorization": ".*"}

    def sign(self, request: requests.PreparedRequest, caller: Caller) -> None:
        """Set the token of a GET."""
        if request.method == "GET":
            request.headers["Authorization"] = caller.token

    def seal(
        self,
        request: requests.PreparedRequest,
        body: dict[str, Any],
        schema: Mapping[str, Any],
        caller: Caller,
    ) -> None:
        """Set the time and the signature, where they were not made wrong."""
        if "request_time" in body and self.fitting.fits(schema, "request_time", body["request_time"]):
            now = str(int(time.time()))
            body["request_time"] = now if isinstance(body["request_time"], str) else Number(now)
        if "sign" in body and self.fitting.fits(schema, "sign", body["sign"]):
            body["sign"] = gateway_signature(body, caller.secret)
        request.body = wire.dumped(body)

    def unproven(self, request: requests.PreparedRequest) -> list[tuple[str, requests.PreparedRequest]]:
        """Return a GET without its token or with another, or a POST without its signature or with others."""
        if request.method == "GET":
            return super().unproven(request)
        body = wire.loaded(wire.sent(request))
        found = []
        for words, sign in (
            ("without sign", None),
            ("with another sign", _other(body["sign"])),
            ("empty", ""),
        ):
            made = {name: value for name, value in body.items() if name != "sign"}
            other = request.copy()
            other.body = wire.dumped(made if sign is None else {**made, "sign": sign})
            other.headers["Content-Length"] = str(len(other.body))
            found.append((words, other))
        return found


class TransactionRequest(Dialect):
    """Three headers sign the moment of the call."""

    api = "transaction_request"
    headers = {"access_key": r"[!-~]+", "timestamp": "[0-9]{12,15}", "signature": "[0-9A-F]{64}"}

    def sign(self, request: requests.PreparedRequest, caller: Caller) -> None:
        """Set the three headers; no two calls share a moment."""
        moment = str(_moment_ms())
        self._headers(request, {"access_key": caller.key, "timestamp": moment})
        sent = str(_text(request.headers.get("timestamp", moment)))
        message = f"{caller.key}_{sent}".encode()
        signature = hmac.new(caller.secret.encode(), message, hashlib.sha256).hexdigest().upper()
        self._headers(request, {"signature": signature})


class PaymentDetail(Dialect):
    """Three headers sign second, method, path and body."""

    api = "payment_detail"
    headers = {"X-PAY-KEY": r"[!-~]+", "X-PAY-TIMESTAMP": "[0-9]{1,11}", "X-PAY-SIGN": "[A-Za-z0-9+/]{43}="}

    def sign(self, request: requests.PreparedRequest, caller: Caller) -> None:
        """Set the three headers."""
        self._headers(request, {"X-PAY-KEY": caller.key, "X-PAY-TIMESTAMP": str(int(time.time()))})
        sent = str(_text(request.headers.get("X-PAY-TIMESTAMP", "")))
        body = wire.sent(request)
        message = f"{sent}{request.method}{request.path_url}".encode() + body
        mac = hmac.new(caller.secret.encode(), message, hashlib.sha256).digest()
        self._headers(request, {"X-PAY-SIGN": base64.b64encode(mac).decode()})


DIALECTS: tuple[type[Dialect], ...] = (Gateway, TransactionRequest, PaymentDetail)


def gateway_signature(body: Mapping[str, Any], secret: str) -> str:
    """Return the signature of a gateway call, in the way that it names."""
    text = wire.canonical(body)
    if body.get("sign_type", "MD5") in ("MD5", "", None):
        return hashlib.md5(f"{text}&{secret}".encode()).hexdigest()  # noqa: S324 - the specification's
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def body_schema(case: Any) -> dict[str, Any] | None:
    """Return the schema of a case's body, None where there is none."""
    found = case.operation.get_body_for_media_type(case.media_type) if case.media_type else None
    schema: dict[str, Any] | None = None if found is None else found.optimized_schema
    return schema


def _moment_ms() -> int:
    """Return a millisecond that no other call has: two calls of one moment have one signature."""
    global _last_ms  # noqa: PLW0603
    with _lock:
        _last_ms = max(_last_ms + 1, int(time.time() * 1000))
        return _last_ms


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _other(value: str) -> str:
    """Return another value of the same form."""
    return value[:-2] + ("0A" if value[-2:] != "0A" else "1B") if len(value) > 2 else "wrong"
