"""The environment: what is read, and in which words nonsense is refused."""

from __future__ import annotations

import base64
import ipaddress
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from diamondpay import environment
from diamondpay.environment import ConfigurationError

KEY = base64.b64encode(b"k" * 32).decode()
OTHER_KEY = base64.b64encode(b"o" * 32).decode()


def test_values_are_read_without_blanks_and_empty_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "  a ")
    monkeypatch.setenv("EMPTY", " ")
    assert environment.text("X") == "a"
    assert environment.text("EMPTY", default="d") == "d"
    assert environment.integer("EMPTY", default=7, minimum=1, maximum=9) == 7


def test_lists_keys_and_networks_are_read_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERS", "15, 120,900")
    monkeypatch.setenv("NETWORKS", "10.0.0.0/8,fd00::/8")
    monkeypatch.setenv("KEYS", f"{KEY},{OTHER_KEY}")
    assert environment.integers("NUMBERS", default=(), minimum=1, maximum=1000) == (15, 120, 900)
    assert environment.networks("NETWORKS") == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("fd00::/8"),
    )
    assert environment.keys("KEYS", default=()) == (b"k" * 32, b"o" * 32)


@pytest.mark.parametrize(
    ("value", "read", "words"),
    [
        ("", lambda: environment.required("X", why="Because."), "X is not set. Because."),
        ("7x", lambda: environment.integer("X", default=1, minimum=1, maximum=9), "must be a whole number"),
        ("-1", lambda: environment.integer("X", default=1, minimum=1, maximum=9), "must be a whole number"),
        ("１", lambda: environment.integer("X", default=1, minimum=1, maximum=9), "must be a whole number"),
        ("10", lambda: environment.integer("X", default=1, minimum=1, maximum=9), "must be from 1 to 9"),
        ("maybe", lambda: environment.flag("X", default=True), "must be 1 or 0"),
        ("prod", lambda: environment.choice("X", options=("dev",), default="dev"), "must be one of dev"),
        ("10.0.0.1/8", lambda: environment.networks("X"), "'10.0.0.1/8' is not a network"),
        ("ftp://x", lambda: environment.web_address("X", default=""), "must look like https://"),
        ("Mars", lambda: environment.time_zone("X", default="UTC"), "is not a time zone"),
        ("mysql://a@b/c", lambda: environment.database("mysql://a@b/c", name="X"), "only PostgreSQL"),
        ("-", lambda: environment.database("postgresql://h/d", name="X"), "must name a user and a database"),
        ("-", lambda: environment.database("postgresql://u@h:x/d", name="X"), "the port is not a number"),
    ],
)
def test_nonsense_is_refused_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, value: str, read: Callable[[], object], words: str
) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ConfigurationError) as refused:
        read()
    assert words in str(refused.value)
    assert "X" in str(refused.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("not base64!", "X: key 1 is not base64."),
        (f"{KEY},{base64.b64encode(b'short').decode()}", "X: key 2 has 5 bytes; it must have 32."),
        (f"{KEY},{KEY}", "X: the same key is given twice."),
    ],
)
def test_a_refused_key_is_never_repeated(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ConfigurationError) as refused:
        environment.keys("X", default=())
    assert str(refused.value) == words


def test_a_database_behind_a_socket_survives_the_way_there_and_back() -> None:
    url = environment.database_url(user="app", database="book", host="/a b/socket")
    assert environment.database(url, name="X") == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "book",
        "USER": "app",
        "PASSWORD": "",
        "HOST": "/a b/socket",
        "PORT": "",
        "OPTIONS": {},
    }


def test_a_database_elsewhere_keeps_password_port_and_options() -> None:
    url = "postgresql://app:p%40ss@db.example.com:6432/book?sslmode=verify-full"
    found = environment.database(url, name="X")
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == (
        "app",
        "p@ss",
        "db.example.com",
        "6432",
    )
    assert found["OPTIONS"] == {"sslmode": "verify-full"}


def test_a_kept_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = environment.kept_secret(folder=tmp_path / "secrets", name="hash")
    assert len(first) == 32
    assert environment.kept_secret(folder=tmp_path / "secrets", name="hash") == first
    assert environment.kept_secret(folder=tmp_path / "secrets", name="other") != first
    assert stat.S_IMODE((tmp_path / "secrets" / "hash.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "secrets").iterdir()) == ["hash.key", "other.key"]


def test_a_running_instance_fills_in_only_what_is_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "instance.env").write_text("GIVEN=theirs\nMISSING=a=b\n# NOTE=x\n")
    monkeypatch.setenv("GIVEN", "mine")
    monkeypatch.setenv("MISSING", "")
    monkeypatch.delenv("MISSING")
    assert environment.load_instance(tmp_path) is True
    assert environment.text("GIVEN") == "mine"
    assert environment.text("MISSING") == "a=b"
    assert environment.load_instance(tmp_path / "nowhere") is False
