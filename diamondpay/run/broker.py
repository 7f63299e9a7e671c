"""The broker that needs no server: kombu's folder of files, with whole files only.

kombu opens a file and then writes into it, so whoever looks in between reads an empty message (and the
worker dies of it) or an empty table of bindings. Here a file appears under its name once it is written,
and a message is taken by renaming it within its own folder.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import time
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem

_numbers = itertools.count()


class Channel(filesystem.Channel):
    """kombu's channel, never showing half a file, in folders that it makes itself."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for folder in (self.data_folder_in, self.data_folder_out, self.control_folder):
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # The time comes first, so that names sort in the order of sending.
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(_numbers)}.{queue}.msg"
        _write_whole(folder / name, json.dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(path.name for path in folder.iterdir()):
            if name.startswith(".") or name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f".taken-{name}"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                continue  # Another worker was first.
            text = taken.read_text()
            taken.unlink()
            return json.loads(text)
        raise Empty

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with (self.control_folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self.get_table(exchange)
            if binding not in known:
                _write_whole(self._table(exchange), json.dumps([binding, *known]))

    def _table(self, exchange: str) -> Path:
        path: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]
        return path


class Transport(filesystem.Transport):
    """kombu's transport with the channel above."""

    Channel = Channel


def install() -> None:
    """Make `filesystem://` mean this transport in this process."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(f".draft-{os.getpid()}-{next(_numbers)}")
    draft.write_text(text)
    draft.rename(path)
