"""Counting within a minute: every hit has a number of its own, windows end, Redis may be away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from diamondpay.lib.counters import WINDOW_SECONDS, Count, LocalCounters, SharedCounters


class Watch:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_window_begins_with_the_first_hit_and_ends_a_minute_later() -> None:
    watch = Watch()
    counters = LocalCounters(watch)
    assert counters.hit(["a", "b"]) == [Count(1, 60), Count(1, 60)]
    watch.seconds += 59.5
    assert counters.hit(["a"]) == [Count(2, 1)]
    assert counters.peek("a") == Count(2, 1)
    watch.seconds += 0.5
    assert counters.peek("a") == Count(0, WINDOW_SECONDS)
    assert counters.hit(["a"]) == [Count(1, 60)]


def test_looking_does_not_count() -> None:
    counters = LocalCounters(Watch())
    assert [counters.peek("a").hits for _look in range(3)] == [0, 0, 0]
    assert counters.hit(["a"]) == [Count(1, 60)]


def test_what_has_ended_leaves_nothing_behind() -> None:
    watch = Watch()
    counters = LocalCounters(watch)
    counters.hit([f"flood-{number}" for number in range(1000)])
    watch.seconds += 2 * WINDOW_SECONDS
    counters.hit(["a"])
    assert list(counters._windows) == ["a"]


class SlowMoment(float):
    """A time from which the end of a window is reckoned so slowly that every other thread has its turn."""

    def __add__(self, seconds: float) -> float:
        time.sleep(0.05)
        return float(self) + seconds


def test_of_fifty_threads_each_hit_gets_a_number_of_its_own() -> None:
    # The first hit begins the window, which is where two threads at once would each begin their own.
    counters = LocalCounters(lambda: SlowMoment(1000))
    gate = threading.Barrier(50)

    def hit(_number: int) -> list[int]:
        gate.wait(10)
        return [counters.hit(["a"])[0].hits for _each in range(20)]

    with ThreadPoolExecutor(50) as pool:
        found = [hits for part in pool.map(hit, range(50)) for hits in part]
    assert sorted(found) == list(range(1, 1001))


class Store:
    """So much of Redis as counting asks for, over its real protocol."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.server.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        file = connection.makefile("rwb")
        queued: list[list[str]] | None = None
        while line := file.readline():
            parts = [file.read(int(file.readline()[1:]) + 2)[:-2].decode() for _part in range(int(line[1:]))]
            name = parts[0].upper()
            if name == "MULTI":
                queued = []
                file.write(b"+OK\r\n")
            elif name == "EXEC":
                with self.lock:
                    answers = [self._run(command) for command in queued or []]
                file.write(b"*%d\r\n" % len(answers) + b"".join(answers))
                queued = None
            elif queued is not None:
                queued.append(parts)
                file.write(b"+QUEUED\r\n")
            else:
                file.write(b"+OK\r\n")
            file.flush()

    def _run(self, command: list[str]) -> bytes:
        name, key = command[0].upper(), command[1]
        if name == "SET":
            if key in self.values:
                return b"$-1\r\n"
            self.values[key], self.ends[key] = int(command[2]), 1000 * int(command[4])
            return b"+OK\r\n"
        if name == "INCR":
            self.values[key] += 1
            return b":%d\r\n" % self.values[key]
        if name == "GET":
            text = str(self.values[key]).encode() if key in self.values else None
            return b"$-1\r\n" if text is None else b"$%d\r\n%b\r\n" % (len(text), text)
        return b":%d\r\n" % self.ends.get(key, -2)


@contextmanager
def storing() -> Iterator[Store]:
    """Run a store."""
    store = Store()
    try:
        yield store
    finally:
        store.server.close()


def test_two_processes_count_together_where_there_is_a_shared_store() -> None:
    with storing() as store:
        one, other = SharedCounters(store.url), SharedCounters(store.url)
        assert one.hit(["a", "b"]) == [Count(1, 60), Count(1, 60)]
        assert other.hit(["a"]) == [Count(2, 60)]
        assert (one.peek("a"), other.peek("c")) == (Count(2, 60), Count(0, 60))


def test_fifty_threads_get_each_a_number_of_its_own_from_a_shared_store() -> None:
    with storing() as store:
        counters = SharedCounters(store.url)
        with ThreadPoolExecutor(50) as pool:
            found = list(pool.map(lambda _number: counters.hit(["a"])[0].hits, range(200)))
    assert sorted(found) == list(range(1, 201))


def test_without_an_answer_the_process_counts_for_itself_and_asks_again_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = Watch()
    counters = SharedCounters("redis://127.0.0.1:1/0", watch)
    assert [counters.hit(["a"])[0].hits for _call in range(3)] == [1, 2, 3]
    assert [record.message for record in caplog.records] == [
        "The shared cache does not answer; limits are counted by each process for itself."
    ]
    watch.seconds += 6
    assert counters.hit(["a"])[0].hits == 4
    assert len(caplog.records) == 2
