"""What the sandbox process is told by its environment, refused at start-up where it makes no sense."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# For demos and tests on one machine: these secrets are public, so they are taken on loopback only.
DEFAULT_ACCOUNTS: dict[str, str] = {
    name: f"{name}-demo-secret-0123456789abcdef"
    for name in (
        "sandbox", "sandbox-thb", "sandbox-brl", "sandbox-idr", "sandbox-inr", "sandbox-usdt", "sandbox-vnd",
        "demo", "demo2",
    )
}  # fmt: skip

DEFAULT_PORT = 8100
SECRET_LENGTH_MIN = 16

# When a callback is not answered as it must be: 62 seconds of repeats after the first try.
DEFAULT_RETRY_SECONDS = "2,4,8,16,32"

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


class ConfigurationRefused(Exception):
    """An environment variable makes no sense; the text names it."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Units: delays in seconds."""

    host: str
    port: int
    folder: Path
    accounts: Mapping[str, str]
    payout_delay_seconds: float
    retry_seconds: tuple[float, ...]


def _port(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
        raise ConfigurationRefused("DIAMONDPAY_SANDBOX_PORT must be a number from 1 to 65535")
    return int(value)


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        raise ConfigurationRefused(f"{name} must be numbers of seconds, not {value!r}") from None
    if not 0 <= seconds <= 86400:
        raise ConfigurationRefused(f"{name} must be between 0 and 86400 seconds")
    return seconds


def _accounts(value: str) -> dict[str, str]:
    accounts: dict[str, str] = {}
    for entry in value.split(","):
        account, _, secret = entry.strip().partition(":")
        if not _ACCOUNT.fullmatch(account):
            raise ConfigurationRefused("DIAMONDPAY_SANDBOX_ACCOUNTS must read account:secret,account:secret")
        if len(secret) < SECRET_LENGTH_MIN or not secret.isascii() or not secret.isprintable():
            raise ConfigurationRefused(
                f"The secret of {account} needs {SECRET_LENGTH_MIN} plain characters or more"
            )
        if account in accounts:
            raise ConfigurationRefused(f"DIAMONDPAY_SANDBOX_ACCOUNTS names {account} twice")
        accounts[account] = secret
    return accounts


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read(environment: Mapping[str, str]) -> Configuration:
    """Return the configuration of the process.

    Raises: ConfigurationRefused.
    """
    host = environment.get("DIAMONDPAY_SANDBOX_HOST", "127.0.0.1")
    named = environment.get("DIAMONDPAY_SANDBOX_ACCOUNTS", "")
    if not named and not is_loopback(host):
        raise ConfigurationRefused(
            "Listening beyond this machine needs secrets of your own: set DIAMONDPAY_SANDBOX_ACCOUNTS"
        )
    retries = environment.get("DIAMONDPAY_SANDBOX_RETRY_SECONDS", DEFAULT_RETRY_SECONDS)
    return Configuration(
        host=host,
        port=_port(environment.get("DIAMONDPAY_SANDBOX_PORT", str(DEFAULT_PORT))),
        folder=Path(environment.get("DIAMONDPAY_HOME", ".run")) / "sandbox",
        accounts=_accounts(named) if named else dict(DEFAULT_ACCOUNTS),
        payout_delay_seconds=_seconds(
            "DIAMONDPAY_SANDBOX_PAYOUT_DELAY", environment.get("DIAMONDPAY_SANDBOX_PAYOUT_DELAY", "2")
        ),
        retry_seconds=tuple(
            _seconds("DIAMONDPAY_SANDBOX_RETRY_SECONDS", part) for part in retries.split(",")
        ),
    )
