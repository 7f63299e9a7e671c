"""How often something happened within a minute: counted in this process, or in Redis for all of them.

A window begins with the first hit of a name and lasts a minute, so no clock of a host takes part. Counting
is one atomic step: of a hundred hits at once each gets a number of its own.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
# A shared store that does not answer holds no call up for longer, and is then left alone for a while.
_STORE_SECONDS_MAX = 0.25
_STORE_LEFT_SECONDS = 5.0
_PREFIX = "diamondpay:count:"

ReadSeconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Count:
    """How many hits there were in a window with this one. Units: `seconds_left` until it ends, at least 1."""

    hits: int
    seconds_left: int


class Counters(Protocol):
    """What counts."""

    def hit(self, names: Sequence[str]) -> list[Count]:
        """Count one hit of each name and return the counts."""
        ...

    def peek(self, name: str) -> Count:
        """Return a count without counting."""
        ...

    def forget(self) -> None:
        """Begin anew."""
        ...


class LocalCounters:
    """Counts in this process. What has ended is thrown out once a window, so floods leave nothing behind."""

    def __init__(self, read_seconds: ReadSeconds = time.monotonic) -> None:
        self._read_seconds = read_seconds
        self._lock = threading.Lock()
        self._windows: dict[str, list[float]] = {}
        self._swept_at = read_seconds()

    def hit(self, names: Sequence[str]) -> list[Count]:
        """Count one hit of each name and return the counts."""
        with self._lock:
            now = self._read_seconds()
            self._sweep(now)
            return [self._hit(name, now) for name in names]

    def peek(self, name: str) -> Count:
        """Return a count without counting."""
        with self._lock:
            now = self._read_seconds()
            window = self._windows.get(name)
            if window is None or window[1] <= now:
                return Count(0, WINDOW_SECONDS)
            return Count(int(window[0]), _whole(window[1] - now))

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._windows.clear()

    def _hit(self, name: str, now: float) -> Count:
        window = self._windows.get(name)
        if window is None or window[1] <= now:
            window = self._windows[name] = [0, now + WINDOW_SECONDS]
        window[0] += 1
        return Count(int(window[0]), _whole(window[1] - now))

    def _sweep(self, now: float) -> None:
        if now - self._swept_at >= WINDOW_SECONDS:
            self._windows = {name: window for name, window in self._windows.items() if window[1] > now}
            self._swept_at = now


class SharedCounters:
    """Counts in Redis, in one exchange for all names.

    Where Redis does not answer, each process counts for itself until it does: limits then hold for each
    process alone, and no call is refused or held up because of it.
    """

    def __init__(self, url: str, read_seconds: ReadSeconds = time.monotonic) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=_STORE_SECONDS_MAX,
            socket_connect_timeout=_STORE_SECONDS_MAX,
            # The older protocol serves, and every Redis speaks it.
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
        self._local = LocalCounters(read_seconds)
        self._read_seconds = read_seconds
        self._left_until = 0.0

    def hit(self, names: Sequence[str]) -> list[Count]:
        """Count one hit of each name and return the counts."""
        found = self._asked([command for name in names for command in _hit_commands(name)])
        if found is None:
            return self._local.hit(names)
        return [Count(int(found[at + 1]), _left(found[at + 2])) for at in range(0, len(found), 3)]

    def peek(self, name: str) -> Count:
        """Return a count without counting."""
        found = self._asked([("GET", _PREFIX + name), ("PTTL", _PREFIX + name)])
        return self._local.peek(name) if found is None else Count(int(found[0] or 0), _left(found[1]))

    def forget(self) -> None:
        """Begin anew in this process; what stands in Redis ends within a minute."""
        self._local.forget()

    def _asked(self, commands: Sequence[tuple[object, ...]]) -> list[Any] | None:
        """Return the answers of one transaction, None where there are none."""
        if self._read_seconds() < self._left_until:
            return None
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                return list(pipeline.execute())
        except (redis.RedisError, OSError) as fault:
            self._left_until = self._read_seconds() + _STORE_LEFT_SECONDS
            logger.warning(
                "The shared cache does not answer; limits are counted by each process for itself.",
                extra={"fields": {"error": type(fault).__name__}},
            )
            return None


def _hit_commands(name: str) -> tuple[tuple[object, ...], ...]:
    key = _PREFIX + name
    return ("SET", key, 0, "EX", WINDOW_SECONDS, "NX"), ("INCR", key), ("PTTL", key)


def _left(milliseconds: object) -> int:
    found = int(str(milliseconds))
    return _whole(found / 1000) if found > 0 else WINDOW_SECONDS


def _whole(seconds: float) -> int:
    """Return the seconds rounded up, from 1 to a window."""
    return min(max(-int(-seconds // 1), 1), WINDOW_SECONDS)


@functools.cache
def of(url: str) -> Counters:
    """Return the counters of a shared store, or, without an address, those of this process."""
    return SharedCounters(url) if url else LocalCounters()
