"""Stands between an adapter and a real server, hands every call on, and spoils the answers as told."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANGS_SECONDS = 3
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


class SpoilingProxy(ThreadingHTTPServer):
    """`mode` is "", one of drivers.SPOILED, or "swallows": then no call is handed on at all."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port_behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _HandOn)
        self.port_behind = port_behind
        self.mode = ""
        self.url = f"http://127.0.0.1:{self.server_port}"


class _HandOn(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SpoilingProxy

    def do_GET(self) -> None:
        self._hand_on(None)

    def do_POST(self) -> None:
        self._hand_on(self.rfile.read(int(self.headers["content-length"])))

    def _hand_on(self, body: bytes | None) -> None:
        if self.server.mode == "swallows":
            self._send(503, {}, b"")
            return
        behind = http.client.HTTPConnection("127.0.0.1", self.server.port_behind, timeout=30)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        try:
            behind.request(self.command, self.path, body, kept)
            answer = behind.getresponse()
        except OSError:
            # Nobody is there: the caller sees its connection end without a word.
            self.close_connection = True
            return
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        self._say(answer.status, headers, answer.read())
        behind.close()

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        mode = self.server.mode
        if mode == "hangs":
            time.sleep(HANGS_SECONDS)
        if mode == "resets":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if mode == "error_500":
            status, body = 500, b'{"detail":"oops"}'
        if mode == "html":
            body = b"<html>Bad gateway</html>"
        if mode == "half_answer":
            body = body[: len(body) // 2]
        if mode == "forged":
            headers = {**headers, "X-Answer-Signature": "F" * 64}
        self._send(status, headers, body)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            # The client had enough.
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def running(port_behind: int) -> Iterator[SpoilingProxy]:
    """Run such a proxy."""
    proxy = SpoilingProxy(port_behind)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
