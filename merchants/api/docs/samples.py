"""The programs in docs/samples, which the pages show as they are and the tests run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings

# Folder → the language's name, what calls each API, and what checks a notification of any.
LANGUAGES: Final = {
    "python": ("Python", "gateway.py", "orders.py", "detail.py", "verify.py"),
    "php": ("PHP", "gateway.php", "orders.php", "detail.php", "verify.php"),
    "go": ("Go", "gateway.go", "orders.go", "detail.go", "verify.go"),
    "java": ("Java", "Gateway.java", "Orders.java", "Detail.java", "Verify.java"),
    "node": ("Node.js", "gateway.mjs", "orders.mjs", "detail.mjs", "verify.mjs"),
    "curl": ("curl", "gateway.sh", "orders.sh", "detail.sh", "verify.sh"),
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
    return _programs(1)


def ordering() -> Sequence[Program]:
    """Return the programs that call the transaction-request API, one for each language."""
    return _programs(2)


def detailing() -> Sequence[Program]:
    """Return the programs that call the payment-detail API, one for each language."""
    return _programs(3)


def verifying() -> Sequence[Program]:
    """Return the programs that check a notification, one for each language."""
    return _programs(4)


def _programs(place: int) -> Sequence[Program]:
    return [_program(language, names[0], names[place]) for language, names in LANGUAGES.items()]


@functools.cache
def _program(language: str, title: str, name: str) -> Program:
    """Read a file, once per process: it came with the release."""
    path = settings.BASE_DIR / "docs" / "samples" / language / name
    return Program(language=language, title=title, name=name, text=path.read_text(encoding="utf-8"))
