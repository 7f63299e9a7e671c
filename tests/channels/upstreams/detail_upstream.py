"""A payment-detail upstream in this process, written from the specification and from none of our code.

It keeps orders, refuses and spoils as told, enforces signatures, and calls back until it is answered 200 with
`success`. Every quote is paid in USDT at a rate of 1.
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
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ACCOUNTS = {"KEY-ONE": "demo-secret-of-key-one", "KEY-TWO": "demo-secret-of-key-two"}
RETRY_SECONDS = (0.2, 0.4, 0.8, 1.6)
DECIMALS = 6
Json = dict[str, Any]


def signed(key: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    message = (timestamp + method + path).encode() + body
    return base64.b64encode(hmac.new(key.encode(), message, hashlib.sha256).digest()).decode()


@dataclass
class Upstream:
    """What the tests make it do. `mode` is "", "refuse", or one of drivers.SPOILED."""

    base_url: str = ""
    mode: str = ""
    forges_callbacks: bool = False
    orders: dict[tuple[str, str], Json] = field(default_factory=dict)
    asked: dict[tuple[str, str], Json] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def end(self, reference: str, status: int, *, amount: Decimal | None = None) -> None:
        """Let an order end, and tell its owner."""
        with self.lock:
            key = next(found for found in self.orders if found[1] == reference)
            order = self.orders[key]
            order["paymentStatus"] = status
            if status in (0, 5):
                paid = Decimal(order["quoteAmount"]) if amount is None else amount
                order |= {
                    "settlementAmount": units(paid), "settlementCurrencySymbol": "USDT",
                    "transferHash": "0d47", "fromAddress": "TDPx", "blockTime": int(time.time()),
                }  # fmt: skip
        threading.Thread(target=self._tell, args=(key, dict(order)), daemon=True).start()

    def _tell(self, key: tuple[str, str], order: Json) -> None:
        url, body = self.asked[key]["notifyUrl"], json.dumps(order).encode()
        secret = "another secret" if self.forges_callbacks else ACCOUNTS[key[0]]
        for pause in (0.0, *RETRY_SECONDS):
            time.sleep(pause)
            moment = str(int(time.time()))
            headers = {
                "Content-Type": "application/json", "X-PAY-KEY": key[0], "X-PAY-TIMESTAMP": moment,
                "X-PAY-SIGN": signed(secret, moment, "POST", urlsplit(url).path, body),
            }  # fmt: skip
            request = urllib.request.Request(url, body, headers)
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                    request, timeout=5
                ) as answer:
                    if answer.status == 200 and answer.read().strip() == b"success":
                        return
            except OSError:
                continue


def units(amount: Decimal) -> str:
    """Return an amount in units of a token with 6 decimals; a finer quote asks for a unit more."""
    return str(int((amount * 10**DECIMALS).to_integral_value(rounding="ROUND_CEILING")))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        account = self._account("GET", b"")
        if account is None:
            return
        upstream = self.server.upstream
        wanted = parse_qs(urlsplit(self.path).query)["outTradeNo"][0]
        with upstream.lock:
            order = upstream.orders.get((account, wanted))
            order = dict(order) if order else None
        if order is None:
            self._say(404, refusal(404, "There is no such order."))
        else:
            self._say(200, success(order))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        account = self._account("POST", body)
        if account is not None:
            self._say(*self._placed(account, json.loads(body)))

    def _placed(self, account: str, asked: Json) -> tuple[int, Json]:
        upstream = self.server.upstream
        key = (account, asked["outTradeNo"])
        with upstream.lock:
            if key in upstream.orders:
                if upstream.asked[key] != asked:
                    return 409, refusal(409, "The number has an order with other content.")
            elif upstream.mode == "refuse":
                return 400, refusal(400, "quoteAmount: outside 1 to 2")
            else:
                upstream.asked[key] = asked
                upstream.orders[key] = made(asked)
            order = upstream.orders[key]
            told = {
                "outPaymentNo": order["outPaymentNo"], "paymentUrl": f"/pay/{order['outPaymentNo']}",
                "userWalletAddress": order["userWalletAddress"],
            }  # fmt: skip
        return 200, success(told)

    def _account(self, method: str, body: bytes) -> str | None:
        """Return whose signature the call carries; answer it where it is nobody's."""
        key, moment = self.headers.get("x-pay-key", ""), self.headers.get("x-pay-timestamp", "")
        wanted = signed(ACCOUNTS.get(key, "nobody"), moment, method, self.path, body)
        is_fresh = moment.isdigit() and abs(time.time() - int(moment)) <= 60
        if key in ACCOUNTS and is_fresh and hmac.compare_digest(wanted, self.headers.get("x-pay-sign", "")):
            return key
        self._say(401, refusal(401, "The key, the signature or the time is wrong."))
        return None

    def _say(self, status: int, content: Json) -> None:
        body, mode, kind = json.dumps(content).encode(), self.server.upstream.mode, "application/json"
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
        key = "another secret" if mode == "forged" else ACCOUNTS.get(self.headers.get("x-pay-key", ""), "")
        call = f"{self.headers.get('x-pay-sign', '')}_{status}_".encode()
        proof = hmac.new(key.encode(), call + body, hashlib.sha256).hexdigest().upper()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Answer-Signature", proof)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def made(asked: Json) -> Json:
    """Return a new order as the query tells it."""
    told = ("chainId", "description", "outTradeNo", "isLegalTender", "quoteCurrencySymbol", "quoteAmount")
    return {
        **{name: asked[name] for name in told},
        "orgId": 2313,
        "outPaymentNo": f"20240403{secrets.token_hex(6)}",
        "paymentStatus": 1,
        "paymentType": 1,
        "expectedAmount": units(Decimal(asked["quoteAmount"])),
        "settlementAmount": None,
        "settlementCurrencySymbol": None,
        "transferHash": None,
        "userWalletAddress": "TAShhCQQfxEoXUakhdB8ArcDrZVopv5VYL",
        "fromAddress": None,
        "createTime": "2024-04-03 13:40:06",
        "blockTime": None,
    }


def success(data: Json) -> Json:
    return {"code": 200, "msg": "success", "data": data}


def refusal(code: int, description: str) -> Json:
    return {"code": code, "msg": "refused", "description": description}


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
