"""What is remembered of names when a URL is given, and that nothing is remembered for sending."""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any

import pytest

from diamondpay.lib import destinations, http

_PUBLIC = "93.184.215.14"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what the name server is asked; `evil` leads to where `Counter` says it is by now."""
    counts: Counter[str] = Counter()

    def getaddrinfo(host: str, *_args: Any, **_kwargs: Any) -> list[Any]:
        counts[host] += 1
        if host == "gone.example":
            raise socket.gaierror(-2, "Name or service not known")
        address = "127.0.0.1" if host == "moved.example" and counts[host] > 1 else _PUBLIC
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return counts


def test_a_name_is_asked_for_once_within_its_time(asked: Counter[str]) -> None:
    names = destinations.RecentNames()
    for _time in range(3):
        http.check_url("https://shop.example/cb", [], names=names)
    assert asked == {"shop.example": 1}


def test_a_name_is_asked_for_again_when_its_time_is_over(asked: Counter[str]) -> None:
    names = destinations.RecentNames(seconds=0)
    http.check_url("https://moved.example/cb", [], names=names)
    with pytest.raises(http.AddressRefused, match="loopback"):
        http.check_url("https://moved.example/cb", [], names=names)


def test_a_name_that_leads_nowhere_is_not_remembered(asked: Counter[str]) -> None:
    names = destinations.RecentNames()
    for _time in range(2):
        http.check_url("https://gone.example/cb", [], names=names)
    assert asked == {"gone.example": 2}


def test_only_so_many_names_are_remembered(asked: Counter[str]) -> None:
    names = destinations.RecentNames(host_count_max=2)
    for host in ("a.example", "b.example", "c.example", "c.example", "a.example"):
        http.check_url(f"https://{host}/cb", [], names=names)
    assert asked == {"a.example": 2, "b.example": 1, "c.example": 1}


def test_a_name_that_was_good_when_given_is_asked_for_anew_when_sent(asked: Counter[str]) -> None:
    names = destinations.RecentNames()
    http.check_url("https://moved.example/cb", [], names=names)
    with pytest.raises(http.AddressRefused, match="loopback"):
        http.post("https://moved.example/cb", b"{}", {}, allowed_private=[], timeout_seconds_total=1)
