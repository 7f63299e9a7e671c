"""The broker of files: whole messages, in order, each to one taker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from diamondpay.run import broker


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Any]:
    """A channel of a broker in an empty folder."""
    broker.install()
    options = {
        "data_folder_in": str(tmp_path / "messages"),
        "data_folder_out": str(tmp_path / "messages"),
        "control_folder": str(tmp_path / "control"),
    }
    with Connection("filesystem://localhost", transport_options=options) as connection:
        yield connection.channel()


def test_messages_come_out_whole_in_order_and_once(channel: Any) -> None:
    assert type(channel) is broker.Channel
    for number in range(5):
        channel._put("q", {"number": number})
    channel._put("other", {"number": 99})
    assert [channel._get("q")["number"] for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(Empty):
        channel._get("q")
    assert channel._get("other") == {"number": 99}


def test_a_message_goes_to_one_of_many_takers_while_it_is_written(channel: Any) -> None:
    taken: list[int] = []
    failed: list[BaseException] = []

    def take() -> None:
        while len(taken) < 200 and not failed:
            try:
                taken.append(channel._get("q")["number"])
            except Empty:
                continue
            except (ValueError, OSError) as error:
                failed.append(error)

    takers = [threading.Thread(target=take) for _ in range(3)]
    for taker in takers:
        taker.start()
    for number in range(200):
        channel._put("q", {"number": number, "padding": "x" * 10_000})
    for taker in takers:
        taker.join(20)
    assert failed == []
    assert sorted(taken) == list(range(200))


def test_a_queue_is_bound_once_however_often_it_is_declared(channel: Any) -> None:
    for _ in range(3):
        channel._queue_bind("x", "key", None, "q")
    channel._queue_bind("x", "key", None, "other")
    assert [row.queue for row in channel.get_table("x")] == ["other", "q"]
