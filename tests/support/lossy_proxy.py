"""Stands between the application and PostgreSQL, and can lose the answer to a COMMIT.

The commit itself reaches the server; its answer does not come back, and the connection is cut, as when a
network fails at the worst moment.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SOCKET = ".s.PGSQL.5432"
_COMMIT = b"Q" + struct.pack("!I", 11) + b"COMMIT\0"


@dataclass
class LossyProxy:
    """Listens in `folder` as a PostgreSQL server would; `behind` is the folder of the real one's socket."""

    folder: Path
    behind: Path
    swallowed: threading.Event = field(default_factory=threading.Event)
    _is_armed: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lose_next_commit(self) -> None:
        """Lose the answer to the next COMMIT, once."""
        self.swallowed.clear()
        self._is_armed.set()

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _address = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self.behind / SOCKET))
                is_lost = threading.Event()
                for pump in (self._requests, self._answers):
                    threading.Thread(target=pump, args=(client, server, is_lost), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket, is_lost: threading.Event) -> None:
        with contextlib.suppress(OSError), contextlib.closing(server):
            while received := client.recv(65536):
                if received == _COMMIT and self._takes_it():
                    is_lost.set()
                server.sendall(received)
            server.shutdown(socket.SHUT_RDWR)

    def _answers(self, client: socket.socket, server: socket.socket, is_lost: threading.Event) -> None:
        with contextlib.suppress(OSError), contextlib.closing(client):
            while received := server.recv(65536):
                if is_lost.is_set():
                    # The first thing the server says after the COMMIT is that it has committed.
                    server.shutdown(socket.SHUT_RDWR)
                    self.swallowed.set()
                    break
                client.sendall(received)
            client.shutdown(socket.SHUT_RDWR)

    def _takes_it(self) -> bool:
        with self._lock:
            was_armed = self._is_armed.is_set()
            self._is_armed.clear()
            return was_armed


@contextmanager
def standing_before(behind: Path, *, folder: Path) -> Iterator[LossyProxy]:
    """Run a proxy. `folder` is short, because the path of a socket is."""
    proxy = LossyProxy(folder=folder, behind=behind)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / SOCKET))
        listener.listen(64)
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
