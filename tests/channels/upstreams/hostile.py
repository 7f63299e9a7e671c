"""An upstream that answers each connection with bytes of the test's choice, or worse."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Play = Callable[[socket.socket], None]


def says(body: bytes, *, status: str = "200 OK", content_type: str = "application/json") -> Play:
    """Answer with one complete, unsigned HTTP answer."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def cuts(body: bytes) -> Play:
    """Promise more than is sent, then close."""
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body) + 100}\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def resets(connection: socket.socket) -> None:
    """Reset the connection instead of answering."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def says_nothing(connection: socket.socket) -> None:
    """Close the connection without a word."""


def is_not_http(connection: socket.socket) -> None:
    """Answer in another protocol."""
    connection.sendall(b"220 mail ready\r\n" * 20)


def never_ends(connection: socket.socket) -> None:
    """Send a body without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    for _ in range(200):
        connection.sendall(b"x" * 64 * 1024)


def trickles(connection: socket.socket) -> None:
    """Send a header byte by byte, for longer than anybody should wait, each byte in good time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.1)


@contextmanager
def upstream(play: Play) -> Iterator[str]:
    """Run such an upstream; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, play), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _serve(listener: socket.socket, play: Play) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_play, args=(connection, play), daemon=True).start()


def _play(connection: socket.socket, play: Play) -> None:
    with connection:
        connection.recv(64 * 1024)
        try:
            play(connection)
        except OSError:
            # The client had enough.
            return
