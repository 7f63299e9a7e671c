#!/usr/bin/env python
"""Django's commands. Without DATABASE_URL they work on the instance that `make run` started."""

import os
import sys

from django.core.management import execute_from_command_line

from diamondpay import environment


def main() -> None:
    """Run one command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diamondpay.settings")
    if not environment.text("DATABASE_URL") and environment.text("DIAMONDPAY_ENV") != "test":
        environment.load_instance(environment.home())
    try:
        execute_from_command_line(sys.argv)
    except environment.ConfigurationError as error:
        sys.exit(f"DiamondPay cannot start: {error}")


if __name__ == "__main__":
    main()
