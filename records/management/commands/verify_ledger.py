"""`verify_ledger`: ask the book every promise it made."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction

from records import checks


class Command(BaseCommand):
    """Counts the rows that break each promise, all in one snapshot; exits with 1 when there are any."""

    help = "Run every check of the book; exit 1 when a promise is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how to print."""
        parser.add_argument("--json", action="store_true", help="print one JSON object, count by check")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each check with its count. Raises: SystemExit when one is not 0."""
        is_outermost = not connection.in_atomic_block
        with transaction.atomic():
            if is_outermost:
                with connection.cursor() as cursor:
                    # One moment for all checks, while orders go on; only a first statement may ask for it.
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            counted = [(check, checks.count(check)) for check in checks.CHECKS]
        broken = [check for check, rows in counted if rows]
        if options["json"]:
            self.stdout.write(json.dumps({check.view: rows for check, rows in counted}))
        else:
            for check, rows in counted:
                self.stdout.write(f"{check.promise:3} {rows:8}  {check.sentence}")
            self.stdout.write(
                f"{len(broken)} of {len(counted)} checks found rows that break a promise."
                if broken
                else f"All {len(counted)} checks hold."
            )
        if broken:
            raise SystemExit(1)
