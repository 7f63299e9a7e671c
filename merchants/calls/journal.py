"""Writing the request log without holding a call up.

A call leaves an entry in a bounded queue of its process and goes on. A daemon thread masks what has gathered
and inserts it in one statement, over a connection of its own: neither a slow nor a dead log takes anything
from the road of the money. What finds no room, or cannot be written, is lost and counted; the next row that
is written says how many calls were lost before it.

Units: `started` and `ended` in seconds of this process's monotonic clock; the row's time is the database's.
"""

from __future__ import annotations

import atexit
import copy
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from diamondpay.lib import masking

logger = logging.getLogger(__name__)

BODY_BYTES_MAX = 2048
PATH_LENGTH_MAX = 256
# What waits in a process: so many calls, and so many bytes of bodies.
ENTRY_COUNT_MAX = 5_000
WAITING_BYTES_MAX = 32 * 1024 * 1024
# What is kept of a body until it is masked; a larger one is cut, and then takes the slow way.
_READ_BYTES_MAX = 64 * 1024
BATCH_COUNT_MAX = 200
GATHER_SECONDS = 0.5
_RETRY_SECONDS = 1.0
# A connection that nothing was written over is given back.
_IDLE_SECONDS = 10.0
_EXIT_SECONDS_MAX = 2.0

_COLUMNS = (
    ("merchant_id", "text"), ("credential_id", "bigint"), ("is_proved", "boolean"), ("api", "text"),
    ("method", "text"), ("path", "text"), ("address", "inet"), ("status", "smallint"), ("code", "text"),
    ("duration_ms", "integer"), ("request", "text"), ("answer", "text"), ("lost_before", "integer"),
    ("age_seconds", "double precision"),
)  # fmt: skip
_NAMES = ", ".join(name for name, _kind in _COLUMNS[:-1])
_INSERT = f"""
    INSERT INTO merchants_apicall ({_NAMES}, created_at)
    SELECT {_NAMES}, clock_timestamp() - make_interval(secs => age_seconds)
    FROM unnest({", ".join(f"%s::{kind}[]" for _name, kind in _COLUMNS)})
        AS called ({", ".join(name for name, _kind in _COLUMNS)})
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A call as it was answered, not masked yet. It leaves this module masked or not at all.

    `credential_pk` is None unless the caller proved who it is; then no body is kept.
    """

    merchant_id: str
    credential_pk: int | None
    api: str
    method: str
    path: str
    query: str
    address: str | None
    status: int
    code: str
    started: float
    ended: float
    request: bytes
    answer: bytes

    def __repr__(self) -> str:
        return f"Entry({self.method} {self.status})"


class Journal:
    """The queue of one process and the thread that writes it down.

    Without a thread whoever owns it writes what waits (`write_waiting`), as tests do in their transaction.
    """

    def __init__(self, *, has_thread: bool) -> None:
        self._has_thread = has_thread
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._begin()

    def _begin(self) -> None:
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._lost = 0
        self._pid = os.getpid()
        self._is_over = False
        self._thread: threading.Thread | None = None

    def note(self, entry: Entry) -> None:
        """Leave an entry, or count it as lost where there is no room."""
        size = min(len(entry.request), _READ_BYTES_MAX) + min(len(entry.answer), _READ_BYTES_MAX)
        with self._lock:
            if self._pid != os.getpid():
                # A forked process has the queue of its parent and not its thread.
                self._begin()
            if len(self._waiting) >= ENTRY_COUNT_MAX or self._bytes + size > WAITING_BYTES_MAX:
                self._lost += 1
                return
            self._waiting.append(_bounded(entry))
            self._bytes += size
            if self._thread is None and self._has_thread:
                self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
                self._thread.start()
                atexit.register(self.stop)
        if len(self._waiting) >= BATCH_COUNT_MAX:
            self._bell.set()

    def take(self) -> tuple[list[Entry], int]:
        """Take what waits, at most a batch, and how many were lost before it."""
        with self._lock:
            taken = [self._waiting.popleft() for _each in range(min(len(self._waiting), BATCH_COUNT_MAX))]
            self._bytes -= sum(len(entry.request) + len(entry.answer) for entry in taken)
            lost, self._lost = (self._lost, 0) if taken else (0, self._lost)
        return taken, lost

    def lose(self, count: int) -> None:
        """Count calls that were taken and could not be written."""
        with self._lock:
            self._lost += count

    def write_waiting(self, database: BaseDatabaseWrapper) -> int:
        """Write everything that waits; return how many rows that were.

        Raises: DatabaseError; what was taken is then lost and counted.
        """
        written = 0
        if self._waiting:
            # Before anything is taken: while the database is away, calls wait as long as there is room.
            database.ensure_connection()
        while True:
            taken, lost = self.take()
            if not taken:
                return written
            try:
                with database.cursor() as cursor:
                    write(cursor, taken, lost_before=lost)
            except BaseException:
                self.lose(len(taken) + lost)
                raise
            written += len(taken)

    def stop(self) -> None:
        """End the thread once it has written what waits, within two seconds: the process ends."""
        thread, self._is_over = self._thread, True
        self._bell.set()
        if thread is not None:
            thread.join(_EXIT_SECONDS_MAX)

    def _run(self) -> None:
        """Write what gathers, until the process ends."""
        database, idle_since = _own_connection(), time.monotonic()
        while not self._is_over or self._waiting:
            # Small bursts are written together: a batch costs the database as much as a row.
            self._bell.wait(GATHER_SECONDS)
            self._bell.clear()
            try:
                if self.write_waiting(database):
                    idle_since = time.monotonic()
                elif database.connection is not None and time.monotonic() - idle_since > _IDLE_SECONDS:
                    database.close()
            except Exception as fault:  # noqa: BLE001 - the log must outlive whatever befalls it
                logger.warning(
                    "The request log could not be written.", extra={"fields": {"error": type(fault).__name__}}
                )
                _drop(database)
                database = _own_connection()
                if self._is_over:
                    return
                time.sleep(_RETRY_SECONDS)
        _drop(database)


def write(cursor: Any, entries: Sequence[Entry], *, lost_before: int) -> None:
    """Insert entries as rows, masked, in one statement."""
    now = time.monotonic()
    rows = [_row(entry, now) for entry in entries]
    rows[0] = (*rows[0][:-2], lost_before, rows[0][-1])
    cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])


def _row(entry: Entry, now: float) -> tuple[object, ...]:
    is_proved = entry.credential_pk is not None
    # Whoever sent it did not say who they are, so what they sent is nobody's to read.
    request = entry.request or entry.query
    return (
        entry.merchant_id or None,
        entry.credential_pk,
        is_proved,
        entry.api,
        entry.method[:8],
        _fit(_path(entry.path), PATH_LENGTH_MAX),
        entry.address,
        entry.status,
        _fit(entry.code, 40),
        max(round((entry.ended - entry.started) * 1000), 0),
        masking.compact(request, bytes_max=BODY_BYTES_MAX) if is_proved else "",
        masking.compact(entry.answer, bytes_max=BODY_BYTES_MAX) if is_proved else "",
        0,
        max(now - entry.started, 0.0),
    )


def _path(path: str) -> str:
    """Return the path, each of its parts masked: as a whole it would look like a key."""
    parts = path[: 4 * PATH_LENGTH_MAX].split("/")
    return "/".join(masking.compact(part, bytes_max=4 * PATH_LENGTH_MAX) for part in parts)


def _fit(text: str, length_max: int) -> str:
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


def _bounded(entry: Entry) -> Entry:
    """Return the entry with bodies that may wait; one that is cut is masked as a cut one."""
    if len(entry.request) <= _READ_BYTES_MAX and len(entry.answer) <= _READ_BYTES_MAX:
        return entry
    request, answer = entry.request[:_READ_BYTES_MAX], entry.answer[:_READ_BYTES_MAX]
    return replace(entry, request=request, answer=answer)


def _own_connection() -> BaseDatabaseWrapper:
    """Return a connection beside those that calls share, so that the log never waits in their line."""
    told = copy.deepcopy(connections.settings[DEFAULT_DB_ALIAS])
    told["ENGINE"] = "django.db.backends.postgresql"
    told["OPTIONS"].pop("pool", None)
    told["CONN_MAX_AGE"] = None
    own: BaseDatabaseWrapper = ConnectionHandler({DEFAULT_DB_ALIAS: told})[DEFAULT_DB_ALIAS]
    return own


def _drop(database: BaseDatabaseWrapper) -> None:
    try:
        database.close()
    except DatabaseError:
        # It is of no use any more, which is why it is dropped.
        pass


_journal = Journal(has_thread=not settings.IS_TEST)
note = _journal.note
write_waiting = _journal.write_waiting
