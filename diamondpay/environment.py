"""Reads the process environment and refuses nonsense in plain words.

Standard library only, so that everything which composes the product (settings, `manage.py`, the
supervisor, the tests) reads the same variables in the same way.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import os
import secrets
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ROOT = Path(__file__).resolve().parent.parent


class ConfigurationError(Exception):
    """The environment asks for something that cannot be meant. The text is for the person who set it."""


def text(name: str, *, default: str = "") -> str:
    """Return a variable without surrounding blanks; an empty one counts as not set."""
    return os.environ.get(name, "").strip() or default


def required(name: str, *, why: str) -> str:
    """Return a variable that must be set.

    Raises: ConfigurationError naming the variable and why it is needed.
    """
    value = text(name)
    if not value:
        raise ConfigurationError(f"{name} is not set. {why}")
    return value


def choice(name: str, *, options: Sequence[str], default: str) -> str:
    """Return one of a few words. Raises: ConfigurationError."""
    value = text(name, default=default)
    if value not in options:
        raise ConfigurationError(f"{name} is {value!r}; it must be one of {', '.join(options)}.")
    return value


def flag(name: str, *, default: bool) -> bool:
    """Return a yes or no. Raises: ConfigurationError."""
    value = text(name, default="1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ConfigurationError(f"{name} is {value!r}; it must be 1 or 0.")


def integer(name: str, *, default: int, minimum: int, maximum: int) -> int:
    """Return a whole number within bounds. Raises: ConfigurationError."""
    return _integer(name, text(name, default=str(default)), minimum=minimum, maximum=maximum)


def integers(name: str, *, default: Sequence[int], minimum: int, maximum: int) -> tuple[int, ...]:
    """Return a comma-separated list of whole numbers, in the order given. Raises: ConfigurationError."""
    items = listed(name)
    if not items:
        return tuple(default)
    return tuple(_integer(name, item, minimum=minimum, maximum=maximum) for item in items)


def listed(name: str, *, default: Sequence[str] = ()) -> tuple[str, ...]:
    """Return a comma-separated list without blanks and empty items."""
    items = tuple(item.strip() for item in text(name).split(",") if item.strip())
    return items or tuple(default)


def networks(name: str) -> tuple[Network, ...]:
    """Return a comma-separated list of networks such as 10.0.0.0/8. Raises: ConfigurationError."""
    found: list[Network] = []
    for item in listed(name):
        try:
            found.append(ipaddress.ip_network(item))
        except ValueError as error:
            raise ConfigurationError(
                f"{name}: {item!r} is not a network such as 10.0.0.0/8 ({error})."
            ) from error
    return tuple(found)


def web_address(name: str, *, default: str) -> str:
    """Return an http or https address without a trailing slash. Raises: ConfigurationError."""
    value = text(name, default=default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"{name} is {value!r}; it must look like https://pay.example.com.")
    return value


def time_zone(name: str, *, default: str) -> str:
    """Return the name of a known time zone. Raises: ConfigurationError."""
    value = text(name, default=default)
    if value not in zoneinfo.available_timezones():
        raise ConfigurationError(f"{name} is {value!r}, which is not a time zone such as Asia/Shanghai.")
    return value


def keys(name: str, *, default: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return a comma-separated list of base64 keys of 32 bytes each; the first one is the current one.

    Raises: ConfigurationError, which never repeats any part of a key.
    """
    items = listed(name)
    found: list[bytes] = []
    for position, item in enumerate(items, start=1):
        try:
            key = base64.b64decode(item, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ConfigurationError(f"{name}: key {position} is not base64.") from error
        if len(key) != 32:
            raise ConfigurationError(f"{name}: key {position} has {len(key)} bytes; it must have 32.")
        found.append(key)
    if len(set(found)) != len(found):
        raise ConfigurationError(f"{name}: the same key is given twice.")
    return tuple(found) or tuple(default)


def database(url: str, *, name: str) -> dict[str, object]:
    """Return Django's settings for a PostgreSQL address.

    A socket folder is given as `postgresql://user@/database?host=/folder`.
    Raises: ConfigurationError when the address is not PostgreSQL's or lacks a user or a database.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ConfigurationError(f"{name} must start with postgresql:// (only PostgreSQL is supported).")
    try:
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{name}: the port is not a number.") from error
    options: dict[str, object] = dict(parse_qsl(parts.query))
    host = str(options.pop("host", "")) or parts.hostname or ""
    database_name = unquote(parts.path.lstrip("/"))
    if not parts.username or not database_name:
        raise ConfigurationError(f"{name} must name a user and a database: postgresql://user@host/database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database_name,
        "USER": unquote(parts.username),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port or options.pop("port", "")),
        "OPTIONS": options,
    }


def database_url(*, user: str, database: str, host: str) -> str:
    """Return the address of a database behind a Unix socket in the folder `host`."""
    return f"postgresql://{user}@/{database}?{urlencode({'host': host})}"


def home() -> Path:
    """Return the folder in which a running instance keeps everything of its own."""
    return Path(text("DIAMONDPAY_HOME", default=str(ROOT / ".run"))).expanduser().resolve()


def kept_secret(*, folder: Path, name: str) -> bytes:
    """Return 32 random bytes that are made once and then kept in a file only its owner can read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}.key"
    if not path.exists():
        # Written beside and linked into place, so that of two processes starting at once one wins whole.
        draft = folder / f".{name}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)).decode())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return base64.b64decode(path.read_text())


def test_secret(name: str) -> bytes:
    """Return 32 bytes that are the same in every test process. Never used outside DIAMONDPAY_ENV=test."""
    return hashlib.sha256(f"diamondpay test {name}".encode()).digest()


def load_instance(folder: Path) -> bool:
    """Take over the settings of the instance that runs under `folder`; what is set already stays.

    Returns whether an instance left its settings there.
    """
    path = folder / "instance.env"
    if not path.exists():
        return False
    for line in path.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())
    return True


def _integer(name: str, value: str, *, minimum: int, maximum: int) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ConfigurationError(f"{name} is {value!r}; it must be a whole number.")
    number = int(value)
    if not minimum <= number <= maximum:
        raise ConfigurationError(f"{name} is {number}; it must be from {minimum} to {maximum}.")
    return number
