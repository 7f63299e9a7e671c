"""`fund`: add to a wallet's balance by an adjustment with a reason; for demos and tests."""

from __future__ import annotations

import json
import secrets
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from diamondpay.lib import clock, errors, money
from merchants.models import MerchantChannel
from records import ledger


class Command(BaseCommand):
    """Posts a manual adjustment to a wallet. The same request id posts once."""

    help = "Add an amount to a wallet by a manual adjustment."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the wallet, the amount and the reason."""
        parser.add_argument("--wallet", required=True, metavar="PFC00000001")
        parser.add_argument("--amount", required=True, help="in the wallet's currency, such as 1250.50")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--request-id", default="", help="repeat it and nothing is posted twice")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Post and print the new balance. Raises: CommandError saying what is wrong."""
        wallet = MerchantChannel.objects.filter(pk=options["wallet"]).first()
        if wallet is None:
            raise CommandError(f"There is no wallet {options['wallet']}.")
        amount = _amount(options["amount"])
        try:
            posting = ledger.adjust(
                merchant_channel=wallet,
                amount=amount,
                reason=options["reason"],
                request_id=options["request_id"] or f"fund-{secrets.token_hex(8)}",
                now=clock.now(),
                actor="fund",
            )
        except errors.DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        available, _frozen = ledger.balances([wallet.pk])[wallet.pk]
        shown = {
            "platform_channel_id": wallet.pk,
            "currency": wallet.currency_id,
            "effect": posting.effect_key,
            "available": f"{available.normalize():f}",
        }
        if options["json"]:
            self.stdout.write(json.dumps(shown))
            return
        balance = f"{money.render(available, 0)} {wallet.currency_id}"
        self.stdout.write(f"{wallet.pk} has {balance} available ({posting.effect_key}).")


def _amount(text: str) -> Decimal:
    try:
        amount = money.parse_plain(text)
    except money.MoneyError as fault:
        raise CommandError(f"--amount: {fault}") from fault
    if amount <= 0:
        raise CommandError("--amount must be more than 0.")
    return amount
