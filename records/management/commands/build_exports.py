"""Build the files that are waiting, then end. A worker starts it; more than one may run."""

from __future__ import annotations

import os
import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from records.exports import building

# Pages and payments go first on a busy machine.
NICENESS = 10


class Command(BaseCommand):
    """`manage.py build_exports`."""

    help = "Build the files that are waiting, one after the other, and end when there is none."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a bound, for whoever wants a fresh process for each file."""
        parser.add_argument("--most", type=int, default=20, help="end after so many files")

    def handle(self, *args: Any, **options: Any) -> None:
        """Build."""
        os.nice(NICENESS)
        worker = f"{socket.gethostname()}:{os.getpid()}"
        for _number in range(options["most"]):
            if building.build_next(worker=worker) is None:
                return
