"""`create_merchant`: take a merchant on and show its keys, this once."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from diamondpay.lib import clock, destinations, errors, money, owner
from merchants import credentials, registration
from merchants.models import Credential


class Command(BaseCommand):
    """Registers a merchant with services and wallets, and prints what it needs to call the gateway API."""

    help = "Create a merchant with services, wallets and a gateway key. The key is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the merchant's name, services by id and channels by code."""
        parser.add_argument("--name", required=True)
        parser.add_argument("--service", nargs="+", action="extend", required=True, metavar="SVC0001")
        parser.add_argument("--channel", nargs="+", action="extend", required=True, metavar="CODE")
        parser.add_argument("--notify-url", default="", help="default callback address of its orders")
        parser.add_argument("--fee-permillage", default="0", help="fee of every service in ‰ (0)")
        parser.add_argument("--time-zone", default=settings.DEFAULT_TIME_ZONE)
        parser.add_argument(
            "--settlement-currency",
            default="",
            metavar="MTC",
            help="currency of the wallets, if another than their channels'",
        )
        parser.add_argument(
            "--api",
            nargs="+",
            action="extend",
            default=[],
            choices=[api.value for api in Credential.Api if api != Credential.Api.GATEWAY],
            help="further APIs that get a key of their own",
        )
        parser.add_argument(
            "--scope",
            nargs="+",
            action="extend",
            default=[],
            choices=Credential.Scope.values,
            help="what the keys may do (everything)",
        )
        parser.add_argument(
            "--in-force",
            action="store_true",
            help="activate the services at once; needs DATABASE_OWNER_URL (else two people activate them)",
        )
        parser.add_argument("--md5", action="store_true", help="accept MD5 signatures")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Register and print. Raises: CommandError saying what is wrong; nothing is created then."""
        road = owner.connected() if options["in_force"] else contextlib.nullcontext()
        try:
            with road:
                registered = self._registered(options)
        except errors.DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        shown: dict[str, Any] = {
            "platform_id": registered.merchant.pk,
            "platform_key": registered.platform_key,
            "authorization": registered.authorization,
            "platform_channel_ids": [wallet.pk for wallet in registered.wallets],
        }
        further = {
            api: {"access_key": made.credential.public_id, "secret_key": made.platform_key}
            for api, made in registered.further.items()
        }
        if options["json"]:
            self.stdout.write(json.dumps({**shown, **further}))
            return
        for api, pair in further.items():
            shown |= {f"{api} {name}": value for name, value in pair.items()}
        for name, value in shown.items():
            self.stdout.write(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
        if not options["in_force"]:
            self.stdout.write("Its services are not in force: ask for their activation in the back office.")
        self.stdout.write("Keep the key and the authorization now; they are not shown again.")

    def _registered(self, options: dict[str, Any]) -> registration.Registered:
        return registration.register(
            name=options["name"],
            services=options["service"],
            channels=options["channel"],
            now=clock.now(),
            terms=registration.Terms(fee_permillage=_permillage(options["fee_permillage"])),
            time_zone=options["time_zone"],
            notify_url=_checked(options["notify_url"]),
            is_md5_allowed=options["md5"],
            settlement_currency=options["settlement_currency"],
            apis=options["api"],
            scopes=options["scope"] or credentials.ALL_SCOPES,
            is_in_force=options["in_force"],
            actor="create_merchant",
        )


def _permillage(text: str) -> Decimal:
    try:
        permillage = money.parse_plain(text)
    except money.MoneyError as fault:
        raise CommandError(f"--fee-permillage: {fault}") from fault
    if not 0 <= permillage < 1000 or money.decimals_used(permillage) > 4:
        raise CommandError("--fee-permillage must be from 0 to below 1000, with at most 4 decimals.")
    return permillage


def _checked(url: str) -> str:
    if not url:
        return ""
    try:
        destinations.check_url(url, settings.NOTIFICATION_PRIVATE_NETWORKS)
    except destinations.AddressRefused as refusal:
        raise CommandError(f"--notify-url: {refusal.reason}") from refusal
    return url
