"""Reading an adapter's settings. Every function raises ValueError naming the setting that makes no sense."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

TIMEOUT_SECONDS_MAX = 15.0


def required(settings: Mapping[str, str], name: str) -> str:
    """Return a setting that must be there, in plain ASCII."""
    value = settings.get(name, "").strip()
    if not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"The setting {name} is missing or holds characters other than plain ASCII.")
    return value


def one_of(settings: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Return a setting that is one of the choices; left empty, the first."""
    value = settings.get(name, "").strip() or choices[0]
    if value not in choices:
        raise ValueError(f"The setting {name} must be {' or '.join(choices)}.")
    return value


def base_url(settings: Mapping[str, str], *, is_signed: bool) -> str:
    """Return the address without a slash at its end. What is not signed must come over TLS."""
    parts = urlsplit(settings.get("base_url", "").strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("The setting base_url must be an address such as https://pay.example.com.")
    if parts.scheme != "https" and not is_signed:
        raise ValueError("Without signed answers the setting base_url must begin with https://.")
    # urlsplit only reads the port when asked, and then refuses nonsense with a ValueError.
    _ = parts.port
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def timeout_seconds(settings: Mapping[str, str]) -> float:
    """Return how long to wait for one exchange, at most 15 s; left empty, 15."""
    value = settings.get("timeout_seconds", "")
    seconds = float(value) if value.strip() else TIMEOUT_SECONDS_MAX
    if not 0 < seconds <= TIMEOUT_SECONDS_MAX:
        raise ValueError("The setting timeout_seconds must be above 0 and at most 15.")
    return seconds
