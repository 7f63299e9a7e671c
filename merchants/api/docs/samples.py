"""The programs in docs/samples, which the pages show as they are and the tests run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings

# Folder → the language's name, the one that calls and the one that checks a notification.
LANGUAGES: Final = {
    "python": ("Python", "gateway.py", "verify.py"),
    "php": ("PHP", "gateway.php", "verify.php"),
    "go": ("Go", "gateway.go", "verify.go"),
    "java": ("Java", "Gateway.java", "Verify.java"),
    "node": ("Node.js", "gateway.mjs", "verify.mjs"),
    "curl": ("curl", "gateway.sh", "verify.sh"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One file."""

    language: str
    title: str
    name: str
    text: str


def calling() -> Sequence[Program]:
    """Return the programs that sign and call, one for each language."""
    return [_program(language, title, name) for language, (title, name, _verify) in LANGUAGES.items()]


def verifying() -> Sequence[Program]:
    """Return the programs that check a notification, one for each language."""
    return [_program(language, title, name) for language, (title, _call, name) in LANGUAGES.items()]


@functools.cache
def _program(language: str, title: str, name: str) -> Program:
    """Read a file, once per process: it came with the release."""
    path = settings.BASE_DIR / "docs" / "samples" / language / name
    return Program(language=language, title=title, name=name, text=path.read_text(encoding="utf-8"))
