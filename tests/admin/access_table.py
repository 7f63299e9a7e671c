"""The file `access.csv`: read, written as text, and found anew. Nothing here rewrites it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TABLE = Path(__file__).with_name("access.csv")
# Names the file into which the test writes what it finds.
FOUND = "ACCESS_FOUND"
Cells = tuple[str, ...]
Found = dict[tuple[str, str], Cells]


def read(*, columns: Sequence[str]) -> Found:
    """Return the table of the file. Raises: ValueError where it has other columns."""
    with TABLE.open(newline="") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        head = next(rows)
        if head != ["name", "method", *columns]:
            raise ValueError(f"{TABLE.name} has the columns {head}")
        return {(name, method): tuple(cells) for name, method, *cells in rows}


def written(table: Found, *, columns: Sequence[str]) -> str:
    """Return a table as the file has it."""
    lines = [",".join(["name", "method", *columns])]
    lines += [",".join([*key, *cells]) for key, cells in table.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Let the test find the table in a database of its own, and print it. Returns pytest's exit code."""
    target = Path(os.environ.get(FOUND, "")) if os.environ.get(FOUND) else TABLE.with_suffix(".found")
    test = str(TABLE.with_name("test_access.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", test]
    done = subprocess.run(command, env={**os.environ, FOUND: str(target)}, capture_output=True, text=True)
    if not target.exists():
        sys.stderr.write(done.stdout + done.stderr)
        return 1
    sys.stdout.write(target.read_text())
    target.unlink()
    return 0
