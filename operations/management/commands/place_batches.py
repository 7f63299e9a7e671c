"""Create the payouts of confirmed batches, then end. Workers do it by themselves; more than one may run."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from operations.batches import placing


class Command(BaseCommand):
    """`manage.py place_batches`."""

    help = "Create the payouts of confirmed batches until no row waits."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how many rows are placed side by side."""
        parser.add_argument("--threads", type=int, default=placing.THREADS, help="rows side by side")

    def handle(self, *args: Any, **options: Any) -> None:
        """Place."""
        placing.place_waiting(threads=max(options["threads"], 1))
