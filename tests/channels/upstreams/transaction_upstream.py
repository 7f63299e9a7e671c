"""A transaction-request upstream in this process, written from the specification and from none of our code.

It keeps orders, refuses and spoils as told, enforces signatures and the rule of one body per signature, and
sends webhooks until they are answered with a 2xx.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ACCOUNTS = {"ACCESS-ONE": "demo-secret-of-account-one", "ACCESS-TWO": "demo-secret-of-account-two"}
RETRY_SECONDS = (0.2, 0.4, 0.8, 1.6)
Json = dict[str, Any]


def upper_hex(key: str, message: bytes) -> str:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest().upper()


def dump(content: object) -> bytes:
    """Return JSON in which decimals keep their digits."""

    def plain(value: object) -> object:
        if isinstance(value, Decimal):
            return f"\x00{value:f}\x00"
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        return value

    return (
        json.dumps(plain(content), ensure_ascii=False)
        .replace('"\\u0000', "")
        .replace('\\u0000"', "")
        .encode()
    )


@dataclass
class Upstream:
    """What the tests make it do. `mode` is "", "refuse", or one of drivers.SPOILED."""

    base_url: str = ""
    mode: str = ""
    forges_webhooks: bool = False
    orders: dict[tuple[str, str], Json] = field(default_factory=dict)
    asked: dict[tuple[str, str], Json] = field(default_factory=dict)
    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    urls: dict[tuple[str, str], str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def end(self, reference: str, status: str, *, amount: Decimal | None = None, reason: str = "") -> None:
        """Let an order end, and tell its owner."""
        with self.lock:
            key = next(found for found in self.orders if found[1] == reference)
            order = self.orders[key]
            order |= {"status": status, "endedAt": now_ms(), "endedReason": reason, "modifiedAt": now_ms()}
            if status == "Finished":
                order["paymentAmount"] = amount or order["requestAmount"]
                order["receivedAmount"] = amount or order["requestAmount"]
        threading.Thread(target=self._tell, args=(key, dict(order)), daemon=True).start()

    def _tell(self, key: tuple[str, str], order: Json) -> None:
        access_key = key[0]
        secret = ACCOUNTS[access_key]
        moment = now_ms()
        body = dump(
            {**order, "timestamp": moment, "signature": upper_hex(secret, f"{access_key}_{moment}".encode())}
        )
        message_id = f"msg-{secrets.token_hex(4)}"
        for pause in (0.0, *RETRY_SECONDS):
            time.sleep(pause)
            signed_at = str(int(time.time()))
            key_used = "another secret" if self.forges_webhooks else secret
            mac = hmac.new(key_used.encode(), f"{message_id}.{signed_at}.".encode() + body, hashlib.sha256)
            headers = {
                "Content-Type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": signed_at,
                "webhook-signature": "v1," + base64.b64encode(mac.digest()).decode(),
            }
            request = urllib.request.Request(self.urls[key], body, headers)
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5):
                    return
            except urllib.error.HTTPError:
                continue


def now_ms() -> int:
    return int(time.time() * 1000)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        account = self._account()
        if account is None:
            return
        upstream = self.server.upstream
        wanted = parse_qs(parts.query)["merchantOrderNo"][0]
        with upstream.lock:
            order = upstream.orders.get((account, wanted))
            order = dict(order) if order else None
        if order is None:
            self._say(404, refusal("NOT_FOUND", "There is no such order."))
        else:
            self._say(200, success(order))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        account = self._account()
        if account is None:
            return
        upstream = self.server.upstream
        with upstream.lock:
            first = upstream.bodies.setdefault((account, self.headers["timestamp"]), body)
        if first != body:
            self._say(409, refusal("REPLAYED", "Another body under this signature."))
            return
        self._say(*self._placed(account, json.loads(body, parse_float=Decimal)))

    def _placed(self, account: str, asked: Json) -> tuple[int, Json]:
        upstream = self.server.upstream
        key = (account, asked["merchantOrderNo"])
        kind = "deposit" if self.path.endswith("/deposit") else "withdraw"
        with upstream.lock:
            if key in upstream.orders:
                if upstream.asked[key] != asked:
                    return 409, refusal("DUPLICATE_ORDER_NO", "The number has an order with other content.")
            elif upstream.mode == "refuse":
                return 422, refusal("AMOUNT_OUT_OF_RANGE", f"{kind}Amount: outside 1 to 2")
            else:
                upstream.asked[key], upstream.urls[key] = asked, asked["webhookUrl"]
                upstream.orders[key] = made(asked, kind)
            order = dict(upstream.orders[key])
        link = {"paymentUrl": f"{upstream.base_url}/pay/{order['requestCode']}"} if kind == "deposit" else {}
        return 200, success({**order, **link})

    def _account(self) -> str | None:
        """Return whose signature the call carries; answer it where it is nobody's."""
        key, moment = self.headers.get("access_key", ""), self.headers.get("timestamp", "")
        wanted = upper_hex(ACCOUNTS.get(key, "nobody"), f"{key}_{moment}".encode())
        if key in ACCOUNTS and hmac.compare_digest(wanted, self.headers.get("signature", "")):
            return key
        self._say(401, refusal("UNAUTHORIZED", "The access key or the signature is wrong."))
        return None

    def _say(self, status: int, content: Json) -> None:
        body, mode = dump(content), self.server.upstream.mode
        kind = "application/json"
        if mode == "hangs":
            time.sleep(3)
        if mode == "resets":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if mode == "error_500":
            status, body = 500, b'{"detail":"oops"}'
        if mode == "html":
            body, kind = b"<html>Bad gateway</html>", "text/html"
        if mode == "half_answer":
            body = body[: len(body) // 2]
        secret = (
            "another secret" if mode == "forged" else ACCOUNTS.get(self.headers.get("access_key", ""), "")
        )
        call = self.headers.get("signature", "")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Answer-Signature", upper_hex(secret, f"{call}_{status}_".encode() + body))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def made(asked: Json, kind: str) -> Json:
    """Return a new order as the query tells it."""
    amount = Decimal(asked[f"{kind}Amount"])
    return {
        "requestCode": secrets.token_hex(16),
        "tradeType": kind.capitalize(),
        "clientName": asked["client"]["realName"],
        "requestAmount": amount,
        "requestCurrency": asked[f"{kind}Currency"],
        "fiatCurrency": asked["fiatCurrency"],
        "paymentMethod": "BankCard",
        "status": "InProgress",
        "endedAt": None,
        "endedReason": "",
        "source": "API_V2",
        "merchantOrderNo": asked["merchantOrderNo"],
        "internalOrderNo": f"AT-{kind[0].upper()}-{secrets.token_hex(4).upper()}",
        "unitPrice": 1,
        "transactionAmount": 0,
        "receivedAmount": 0,
        "transactionFee": 0,
        "paymentAmount": amount,
        "expiredAt": now_ms() + 7_200_000,
        "createdAt": now_ms(),
        "modifiedAt": now_ms(),
    }


def success(data: Json) -> Json:
    return {"data": data, "isSuccess": True, "statusCode": "SUCCESS", "message": "", "version": "2.0"}


def refusal(code: str, message: str) -> Json:
    return {"data": None, "isSuccess": False, "statusCode": code, "message": message, "version": "2.0"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream


@contextmanager
def running() -> Iterator[Upstream]:
    """Run such an upstream."""
    upstream = Upstream()
    server = _Server(upstream)
    upstream.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        server.shutdown()
        server.server_close()
