"""The programs in docs/samples, which the pages show as they are and the tests run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings

# Folder → the language's name, what calls each API, and what checks a notification of either.
LANGUAGES: Final = {
    "python": ("Python", "gateway.py", "orders.py", "verify.py"),
    "php": ("PHP", "gateway.php", "orders.php", "verify.php"),
    "go": ("Go", "gateway.go", "orders.go", "verify.go"),
    "java": ("Java", "Gateway.java", "Orders.java", "Verify.java"),
    "node": ("Node.js", "gateway.mjs", "orders.mjs", "verify.mjs"),
    "curl": ("curl", "gateway.sh", "orders.sh", "verify.sh"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One file."""

    language: str
    title: str
    name: str
    text: str


def calling() -> Sequence[Program]:
    """Return the programs that call the gateway API, one for each language."""
    return [_program(language, title, name) for language, (title, name, _, _) in LANGUAGES.items()]


def ordering() -> Sequence[Program]:
    """Return the programs that call the transaction-request API, one for each language."""
    return [_program(language, title, name) for language, (title, _, name, _) in LANGUAGES.items()]


def verifying() -> Sequence[Program]:
    """Return the programs that check a notification, one for each language."""
    return [_program(language, title, name) for language, (title, _, _, name) in LANGUAGES.items()]


@functools.cache
def _program(language: str, title: str, name: str) -> Program:
    """Read a file, once per process: it came with the release."""
    path = settings.BASE_DIR / "docs" / "samples" / language / name
    return Program(language=language, title=title, name=name, text=path.read_text(encoding="utf-8"))
