"""`rotate_credential`: give a merchant a new key while the old one goes on for an overlap."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from diamondpay.lib import clock, errors
from merchants import credentials
from merchants.models import Credential, Merchant


class Command(BaseCommand):
    """Makes a new credential, shows it once and sets the end of those that live."""

    help = "Make a new key for a merchant; the keys it has end after the overlap. The key is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the merchant's id and the overlap."""
        parser.add_argument("--merchant", required=True, metavar="PF0001")
        parser.add_argument("--api", choices=Credential.Api.values, default=Credential.Api.GATEWAY.value)
        parser.add_argument(
            "--overlap-seconds",
            type=int,
            default=credentials.OVERLAP_SECONDS,
            help="how long the old key goes on; 0 ends it now (24 hours)",
        )
        parser.add_argument(
            "--scope",
            nargs="+",
            action="extend",
            default=[],
            choices=Credential.Scope.values,
            help="what the new key may do (what those that end may do)",
        )
        parser.add_argument("--reason", default="")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and print. Raises: CommandError saying what is wrong; nothing is changed then."""
        merchant = Merchant.objects.filter(pk=options["merchant"]).first()
        if merchant is None:
            raise CommandError(f"There is no merchant {options['merchant']}.")
        try:
            created = credentials.rotate(
                merchant=merchant,
                api=options["api"],
                now=clock.now(),
                overlap_seconds=options["overlap_seconds"],
                actor="rotate_credential",
                reason=options["reason"],
                scopes=options["scope"],
            )
        except errors.DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        shown = _shown(created)
        if options["json"]:
            self.stdout.write(json.dumps(shown))
            return
        for name, value in shown.items():
            self.stdout.write(f"{name}: {value}")
        self.stdout.write("Keep them now; they are not shown again.")


def _shown(created: credentials.Created) -> dict[str, str]:
    credential = created.credential
    if credential.api == Credential.Api.GATEWAY:
        return {
            "platform_id": credential.merchant_id,
            "platform_key": created.platform_key,
            "authorization": created.authorization,
        }
    return {
        "platform_id": credential.merchant_id,
        "access_key": credential.public_id,
        "secret_key": created.platform_key,
    }
