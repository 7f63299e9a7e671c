"""The sandbox's HTTP server: one thread per connection, every answer in one write, no framework."""

from __future__ import annotations

import logging
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from channels.upstreams.sandbox import wire

logger = logging.getLogger(__name__)

# A kept connection may idle longer than any client of ours keeps it.
IDLE_SECONDS = 75


@dataclass(frozen=True, slots=True)
class Call:
    """One request. target is the path with its query, as sent; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    client: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back. A cut answer is none at all: the connection is closed, or reset."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    is_reset: bool = False


Respond = Callable[[Call], Answer]


class _BadCall(Exception):
    """The request cannot be read; the text says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class SandboxServer(ThreadingHTTPServer):
    """Listens at once; answers once `serve_forever` runs."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], respond: Respond) -> None:
        self.respond = respond
        self.stopping = threading.Event()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong on one connection; a client that went away is nothing wrong."""
        fault = sys.exc_info()[1]
        if not isinstance(fault, ConnectionError | TimeoutError):
            logger.error("connection from %s", client_address, exc_info=fault)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    timeout = IDLE_SECONDS
    # Head and body leave in one write: two small writes would wait for each other on the network.
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server: SandboxServer
    _is_reset = False

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._serve()

    def _serve(self) -> None:
        try:
            call = Call(
                method=self.command,
                target=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self._read_body(),
                client=str(self.client_address[0]),
            )
        except _BadCall as fault:
            self.close_connection = True
            self._send(Answer(status=fault.status, body=wire.dump({"reason": str(fault)})))
            return
        try:
            answer = self.server.respond(call)
        except Exception:
            logger.exception("%s %s", call.method, call.target)
            answer = Answer(
                status=500, body=wire.dump({"reason": "a fault of the sandbox itself, see its log"})
            )
        if answer.is_cut:
            self.close_connection = True
            self._is_reset = answer.is_reset
            return
        self._send(answer)

    def _read_body(self) -> bytes:
        if "transfer-encoding" in self.headers:
            raise _BadCall(411, "send a content-length, not a transfer-encoding")
        length = self.headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 12:
            raise _BadCall(400, "the content-length is not a number")
        if int(length) > wire.BODY_BYTES_MAX:
            raise _BadCall(413, f"the body is longer than {wire.BODY_BYTES_MAX} bytes")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise _BadCall(400, "the body is shorter than its content-length")
        return body

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.send_header("content-length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def finish(self) -> None:
        """Close the connection, with a reset where the answer was to be one."""
        if self._is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
            return
        super().finish()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log one line per answer; the paths hold references, never numbers of accounts."""
        # requestline is all there is when the request could not be parsed.
        logger.info("%s: %s", self.requestline[:200], code)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class named it
        """Log what the base class has to say."""
        logger.info(format, *args)
