"""Where files lie: a partial one is never found under a name that anybody is offered."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.utils.translation import gettext as _t

PARTIAL = ".part"
_CHUNK_BYTES = 1024 * 1024
# A file that no job names any more, or a partial one that nobody writes, is somebody's who died.
LEFT_OVER_SECONDS = 3600
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass
class Draft:
    """A file while it is written; `stored_name`, `size_bytes` and `sha256` are known once it is kept."""

    path: Path
    file: BinaryIO
    stored_name: str = ""
    size_bytes: int = 0
    sha256: str = ""
    is_kept: bool = field(default=False)

    def keep(self, suffix: str) -> None:
        """Give the whole file its name: everything is on the disk before the name is."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self.sha256, self.size_bytes = _hash(self.path)
        self.stored_name = f"{self.path.stem}.{suffix}"
        self.path.rename(folder() / self.stored_name)
        _sync(folder())
        self.is_kept = True


def folder() -> Path:
    """Return the folder of the files, which web processes and workers share; made where it is missing."""
    path = Path(str(settings.EXPORT_DIR))
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


@contextmanager
def draft(job_id: int) -> Iterator[Draft]:
    """Open a partial file under a name of its own; unless it was kept, nothing of it stays."""
    path = folder() / f"{job_id}-{secrets.token_hex(12)}{PARTIAL}"
    with path.open("xb") as file:
        path.chmod(0o600)
        made = Draft(path=path, file=file)
        try:
            yield made
        finally:
            if not made.is_kept:
                path.unlink(missing_ok=True)


def open_stored(stored_name: str) -> BinaryIO:
    """Open a kept file for reading. Raises: FileNotFoundError."""
    if not stored_name or Path(stored_name).name != stored_name:
        raise FileNotFoundError(stored_name)
    return (folder() / stored_name).open("rb")


def remove(stored_name: str) -> None:
    """Remove a kept file; one that is gone already is fine."""
    if stored_name and Path(stored_name).name == stored_name:
        (folder() / stored_name).unlink(missing_ok=True)


def left_over(*, kept: frozenset[str], older_than: float) -> list[Path]:
    """Return the files that no job names and nobody has written to since a time in epoch seconds."""
    return [
        path
        for path in folder().iterdir()
        if path.name not in kept and path.is_file() and path.stat().st_mtime < older_than
    ]


def words(fault: OSError) -> str:
    """Return what went wrong with the disk, in words for the person who waits for the file."""
    if fault.errno in _FULL:
        return _t("There is no room left on the disk for this file. Nothing was kept; tell whoever runs it.")
    return _t("The file could not be written (%(kind)s).") % {"kind": os.strerror(fault.errno or 0)}


def _hash(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
