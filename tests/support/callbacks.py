"""A receiver of callbacks that keeps what came, as it came, and answers what the test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from channels.upstreams.base import CallbackAnswer, RawCallback

YES = CallbackAnswer(http_status=200, content_type="application/json", body='{"received": true}')


class CallbackReceiver(ThreadingHTTPServer):
    """Answers with the entries of `answers` in turn, the last one for ever."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.url = f"http://127.0.0.1:{self.server_port}/callback"
        self.answers: list[CallbackAnswer] = [YES]
        self._arrived: list[RawCallback] = []
        self._changed = threading.Condition()

    def receive(self, callback: RawCallback) -> CallbackAnswer:
        """Keep a callback and return what to answer."""
        with self._changed:
            self._arrived.append(callback)
            self._changed.notify_all()
            return self.answers[min(len(self._arrived), len(self.answers)) - 1]

    def arrived(self) -> list[RawCallback]:
        """Return what came so far, in order."""
        with self._changed:
            return list(self._arrived)

    def wait_for(self, count: int, *, seconds_max: float = 8.0) -> list[RawCallback]:
        """Return what came, once at least `count` callbacks did."""
        until = time.monotonic() + seconds_max
        with self._changed:
            while len(self._arrived) < count:
                seconds = until - time.monotonic()
                assert seconds > 0, f"{len(self._arrived)} callbacks came, not {count}"
                self._changed.wait(seconds)
            return list(self._arrived)


class _Receive(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CallbackReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.receive(
            RawCallback(headers=headers, body=body, received_at=datetime.now(UTC), path=self.path)
        )
        self.send_response(answer.http_status)
        self.send_header("content-type", answer.content_type)
        self.send_header("content-length", str(len(answer.body.encode())))
        self.end_headers()
        self.wfile.write(answer.body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[CallbackReceiver]:
    """Run a receiver."""
    receiver = CallbackReceiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()
