"""`demo`: fill an instance on a developer's machine with two weeks of orders."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from diamondpay.lib import wake
from diamondpay.run import demo, demo_setup


class Command(BaseCommand):
    """Makes the demo, or what is missing of it. Once it is complete, nothing happens."""

    help = "Make demo data: five merchants, staff, and two weeks of orders by the product's own functions."
    # The checks load every page of the product, which takes longer than looking whether the demo is complete.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how much of it to make."""
        part = parser.add_mutually_exclusive_group()
        part.add_argument("--first", type=int, metavar="N", help="make about the first N orders, then stop")
        part.add_argument(
            "--rest", action="store_true", help="make all that is missing, giving way to others"
        )
        parser.add_argument(
            "--orders", type=int, default=demo.ORDERS, help=f"how many orders in all ({demo.ORDERS})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, with a line about every window. Raises: CommandError saying why it cannot be made."""
        if settings.IS_PRODUCTION:
            raise CommandError(
                "The demo has public passwords and invented money: it is refused in production."
            )
        if options["orders"] < demo.ORDERS_MIN:
            raise CommandError(
                f"--orders must be {demo.ORDERS_MIN} or more, so that everything is there once."
            )
        if options["rest"]:
            os.nice(10)
        # Merchants are told by the rehearsal; a worker that is woken thousands of times finds nothing to do.
        wake.register(_nobody)
        try:
            demo.load(order_count=options["orders"], first=options["first"], say=self._say)
        except demo_setup.DemoRefused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _nobody(topic: str) -> None:
    """Wake nobody."""
