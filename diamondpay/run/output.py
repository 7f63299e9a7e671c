"""What the supervisor prints."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from diamondpay.run.instance import Instance

_PROGRESS_SECONDS = 5
_WIDTH_MAX = 100


@dataclass
class _Screen:
    """What stands on the terminal's last line: a progress line may still be open there."""

    line: str = ""
    shown_at: float = 0.0
    is_open: bool = False


_screen = _Screen()


def say(text: str) -> None:
    """Print a line of its own, below a progress line that may stand open."""
    if _screen.is_open:
        print(flush=True)
        _screen.is_open = False
    print(text, flush=True)


def progress(log: Path) -> None:
    """Show the last line of a log: in place on a terminal, now and then elsewhere."""
    line = _last_line(log)
    if not line or line == _screen.line:
        return
    now = time.monotonic()
    if sys.stdout.isatty():
        print(f"\r\033[K  {line[:_WIDTH_MAX]}", end="", flush=True)
        _screen.is_open = True
    elif now - _screen.shown_at >= _PROGRESS_SECONDS:
        print(f"  {line[:_WIDTH_MAX]}", flush=True)
    else:
        return
    _screen.line, _screen.shown_at = line, now


def welcome(instance: Instance) -> None:
    """Print where everything is and who may sign in."""
    say("")
    say("DiamondPay is running. Ctrl-C stops it.")
    for name, address in (
        ("Back office", f"{instance.url}/admin/"),
        ("API", f"{instance.url}/docs/api/"),
        ("State", f"{instance.url}/readyz"),
        ("Sandbox", f"{instance.sandbox_url}/"),
        ("Logs", str(instance.logs)),
    ):
        say(f"  {name:<12} {address}")
    logins = _demo_logins(instance.home / "demo.json")
    if logins:
        say("Sign in as")
        for role, username, password in logins:
            say(f"  {role:<20} {username:<20} {password}")
    say("")


def last_lines(log: Path, *, count: int = 15) -> str:
    """Return the end of a log."""
    if not log.exists():
        return "(it said nothing)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def _last_line(log: Path) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2000))
        lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _demo_logins(path: Path) -> list[tuple[str, str, str]]:
    if not path.exists():
        return []
    rows = json.loads(path.read_text()).get("logins", [])
    return [(str(row["role"]), str(row["username"]), str(row["password"])) for row in rows]
