"""A whole DiamondPay as somebody else's upstream: its processes, the sandbox behind it, a proxy before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import platform as platforms
from tests.support import spoiling_proxy
from tests.support.platform import Platform
from tests.support.sandbox import Sandbox
from tests.support.spoiling_proxy import SpoilingProxy

ONE, TWO = "one", "two"
# Currency → its deposit service.
SERVICES = {"CNY": "SVC0001", "VND": "SVC0080", "IDR": "SVC0056", "BRL": "SVC0022", "USDT": "SVC0085"}
# Deposits may be paid with other sums; payouts of the tests need a wallet that is full.
_SETUP = """
import json
from decimal import Decimal
from channels.models import ChannelService
from diamondpay.lib import clock
from merchants import registration
from records import ledger
from tests.factories import founding, make_channel, set_terms

services = {services!r}
for currency, service in services.items():
    carried = (service, "SVC0004") if currency == "CNY" else (service,)
    make_channel(
        code=currency.lower(), currency=currency, base_url={base_url!r}, secret={secret!r}, services=carried,
    )
set_terms(ChannelService.objects.all(), tolerance_below=Decimal(50))
accounts = {{}}
for name in ("one", "two"):
    with founding():
        made = registration.register(
            name=name, services=[*services.values(), "SVC0004"],
            channels=[code.lower() for code in services], now=clock.now(), is_md5_allowed=True,
            is_in_force=True,
        )
    for wallet in made.wallets:
        if wallet.currency_id == "CNY":
            ledger.adjust(
                merchant_channel=wallet, amount=Decimal(1000000), reason="opening balance",
                request_id=f"opening-{{wallet.pk}}", now=clock.now(), actor="tests",
            )
    accounts[name] = {{
        "platform_id": made.merchant.pk, "platform_key": made.platform_key,
        "authorization": made.authorization,
    }}
print(json.dumps(accounts))
"""
_ENDED = """
    SELECT status <> 0 FROM (
        SELECT status FROM records_payment WHERE merchant_order_no = %(number)s
        UNION ALL SELECT status FROM records_payout WHERE merchant_order_no = %(number)s
    ) found
"""
_UPSTREAM_NUMBER = """
    SELECT payment_id FROM records_payment WHERE merchant_order_no = %(number)s
    UNION ALL
    SELECT attempt.reference FROM records_payoutattempt attempt
    JOIN records_payout payout ON payout.id = attempt.payout_id
    WHERE payout.merchant_order_no = %(number)s
"""


@dataclass
class GatewayUpstream:
    """One running DiamondPay with two merchants; `accounts` are their keys."""

    platform: Platform
    proxy: SpoilingProxy
    accounts: dict[str, dict[str, str]]

    def reset(self) -> None:
        """Let everything behave; orders of earlier tests stay."""
        self.proxy.mode = ""
        self.platform.sandbox.reset()
        self.platform.sandbox.behaviour("normal", payout_delay_seconds=600)
        self.set_open(is_open=True)
        self._execute(
            "UPDATE merchants_credential SET secret_encrypted = kept.secret FROM kept_secrets kept"
            " WHERE kept.id = merchants_credential.id"
        )

    def set_open(self, *, is_open: bool) -> None:
        """Let no channel carry anything, or let them all."""
        self._execute(
            "UPDATE channels_channel SET status = %(status)s", status="enabled" if is_open else "disabled"
        )

    def swap_keys(self) -> None:
        """Let both merchants' notifications be signed with a key that neither knows."""
        self._execute(
            "UPDATE merchants_credential SET secret_encrypted = kept.secret FROM kept_secrets kept"
            " WHERE kept.id <> merchants_credential.id"
        )

    def end(self, reference: str, *, is_paid: bool, amount_x100: int | None = None) -> None:
        """Let the sandbox behind it end an order, and wait until the platform knows it."""
        ((number,),) = self._rows(_UPSTREAM_NUMBER, number=reference)
        if is_paid:
            self.platform.sandbox.pay(number, amount=amount_x100)
        else:
            self.platform.sandbox.fail(number)
        self.platform.until(lambda: self._rows(_ENDED, number=reference) == [(True,)], what="the order's end")

    def keep_secrets(self) -> None:
        """Remember the keys, so that they can be put back."""
        self._execute(
            "CREATE TABLE kept_secrets AS SELECT id, secret_encrypted AS secret FROM merchants_credential"
        )

    def _rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self.platform.clone.connect_as_owner() as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def _execute(self, statement: str, **values: object) -> None:
        with self.platform.clone.connect_as_owner() as connection:
            connection.execute(statement.encode(), values)


@contextmanager
def running(*, home: Path, sandbox: Sandbox) -> Iterator[GatewayUpstream]:
    """Run one on a fresh database."""
    with platforms.running(home=home, sandbox=sandbox) as platform:
        script = _SETUP.format(
            services=SERVICES, base_url=sandbox.base_url, secret=sandbox.accounts["sandbox"]
        )
        accounts = json.loads(platform.command("shell", "--no-imports", "-c", script).splitlines()[-1])
        with spoiling_proxy.running(platform.port) as proxy:
            upstream = GatewayUpstream(platform, proxy, accounts)
            upstream.keep_secrets()
            yield upstream
