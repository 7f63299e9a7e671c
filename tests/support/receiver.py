"""A merchant's own end, written from the documentation alone: it signs requests and verifies notifications.

Nothing is imported from the product, so that a mistake there is not repeated here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


def canonical(fields: Mapping[str, object]) -> str:
    """Return the string that is signed: every field but sign and sign_type that is not empty, sorted by
    name.
    """
    kept = {
        name: value
        for name, value in fields.items()
        if name not in ("sign", "sign_type") and value not in ("", None)
    }
    return "&".join(f"{name}={kept[name]}" for name in sorted(kept))


def sign(fields: Mapping[str, object], key: str, *, sign_type: str) -> str:
    """Return the signature a merchant computes."""
    text = canonical(fields)
    if sign_type == "MD5":
        return hashlib.md5(f"{text}&{key}".encode()).hexdigest()  # noqa: S324  (the specification's)
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass
class Merchant:
    """A merchant with its credentials, speaking the gateway API over HTTP."""

    url: str
    platform_id: str
    platform_key: str
    authorization: str
    sign_type: str = "HMAC-SHA256"

    def post(self, path: str, **fields: object) -> dict[str, Any]:
        """Send a signed create request; return the answer's JSON. HTTP 200 is part of the contract."""
        return self.raw_post(path, self.signed(**fields))

    def signed(self, **fields: object) -> dict[str, object]:
        """Return the request with platform_id, request_time and sign."""
        fields = {"platform_id": self.platform_id, "request_time": int(time.time()), **fields}
        if self.sign_type != "MD5":
            fields["sign_type"] = self.sign_type
        return {**fields, "sign": sign(fields, self.platform_key, sign_type=self.sign_type)}

    def raw_post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Send a body as it is."""
        answer = httpx.post(f"{self.url}/gateway/api{path}", json=body, trust_env=False, timeout=40)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """Send a query with the Authorization header."""
        answer = httpx.get(
            f"{self.url}/gateway/api{path}", params={name: str(value) for name, value in query.items()},
            headers={"Authorization": self.authorization}, trust_env=False, timeout=40,
        )  # fmt: skip
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found


@dataclass
class Receiver:
    """The merchant's notify_url as a real server. `answers` are given in turn, the last one for ever."""

    url: str
    answers: list[tuple[int, str]] = field(default_factory=lambda: [(200, '{"error_code": "0000"}')])
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def bodies(self) -> list[dict[str, Any]]:
        """Return the notifications so far, oldest first."""
        return [json.loads(body) for _headers, body in self.received]

    def verified(self, merchant: Merchant) -> list[dict[str, Any]]:
        """Return the notifications so far; fail when one is not signed as the documentation says."""
        for headers, raw in self.received:
            body = json.loads(raw)
            sign_type = body.get("sign_type", "MD5")
            assert body["sign"] == sign(body, merchant.platform_key, sign_type=sign_type)
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
            mac = hmac.new(merchant.platform_key.encode(), signed, hashlib.sha256).digest()
            assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
            assert headers["content-type"] == "application/json;charset=utf-8"
        return self.bodies()


@contextmanager
def listening() -> Iterator[Receiver]:
    """Listen on a free port of the loopback address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            position = min(len(receiver.received), len(receiver.answers)) - 1
            status, text = receiver.answers[position]
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(url=f"http://127.0.0.1:{server.server_address[1]}/notify")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
