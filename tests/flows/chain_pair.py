"""A pair of instances where A is B's merchant over the payment-detail API, and B is paid over a chain.

Behind B stands a real EVM node in the test's own process; A knows of the chain only what B tells it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.flows.instances import Pair, Site, until
from tests.support.evm import scenes
from tests.support.evm.node import NETWORK, Node
from tests.support.receiver import Merchant

CHAIN, SERVICE = 99, scenes.SERVICES["USDT"]
# Half to a fifth more is credited as it is, at both.
_OPEN = """
import json
from decimal import Decimal
from channels.models import Chain, ChannelService, Token
from diamondpay.lib import clock
from merchants import registration
from tests.factories import founding, make_channel, set_terms

settings = {settings!r}
if {token!r}:
    Chain.objects.create(
        chain_id={chain}, code="LOCAL", name="Local", symbol="ETH", confirmations={confirmations},
        network_id={network},
    )
    Token.objects.create(
        chain_id={chain}, name="Tether", symbol="USDT", address={token!r}, decimals=6, currency_id="USDT"
    )
channel = make_channel(
    code="chain", currency="USDT", upstream={upstream!r}, services=[{service!r}], settings=settings
)
set_terms(ChannelService.objects.filter(channel=channel), tolerance_below=50, tolerance_above=20)
with founding():
    made = registration.register(
        name="Over chain", services=[{service!r}], channels=["chain"], apis={apis!r}, now=clock.now(),
        terms=registration.Terms(fee_permillage=Decimal({permillage})), is_in_force=True, actor="tests",
    )
print(json.dumps({{
    "platform_id": made.merchant.pk, "platform_key": made.platform_key, "authorization": made.authorization,
    "wallet": made.wallets[0].pk,
    "pair": [[one.credential.public_id, one.platform_key] for one in made.further.values()],
}}))
"""
_EXPECTED = """
    SELECT expected.address, expected.expected_units FROM records_chainpayment expected
    JOIN records_payment payment ON payment.id = expected.payment_id WHERE payment.merchant_order_no = %s
"""


@dataclass
class ChainPair:
    """Both instances, the node behind B, and A's merchant."""

    pair: Pair
    node: Node
    token: str
    merchant: Merchant
    wallet_at_a: str
    wallet_at_b: str

    def expected(self, number: str) -> tuple[str, int]:
        """Return where B awaits an order of A's, and how many units."""
        found = until(lambda: self.pair.b.rows(_EXPECTED, number), what=f"{number} at B")
        return found[0][0], int(found[0][1])

    def pay(self, number: str, units: int) -> str:
        """Let the payer pay an order of A's on the chain; return the transaction."""
        address, _units = self.expected(number)
        return self.node.pay_token(self.token, address, units)

    def available(self) -> tuple[Decimal, Decimal]:
        """Return what A's merchant has at A, and A at B; nothing may be frozen."""
        at_a, at_b = self.pair.a.available(self.wallet_at_a), self.pair.b.available(self.wallet_at_b)
        assert (at_a[1], at_b[1]) == (Decimal(0), Decimal(0))
        return at_a[0], at_b[0]


def introduced(pair: Pair, node: Node) -> ChainPair:
    """Give B a chain and a merchant that is A, and A a channel that is B."""
    token = node.deploy()
    settings = {"chain": "LOCAL", "node_url": node.url, "private_node": "yes", "xpub": scenes.XPUB}
    at_b = _open(
        pair.b, token=token, upstream="evm", settings=settings, apis=["payment_detail"], permillage=3
    )
    ((key, secret),) = at_b["pair"]
    theirs = {
        "base_url": pair.b.proxy.url, "key": key, "secret": secret, "chain_id": str(CHAIN),
        "token_symbol": "USDT", "decimals": "6", "timeout_seconds": "5",
    }  # fmt: skip
    at_a = _open(pair.a, token="", upstream="payment_detail", settings=theirs, apis=[], permillage=8)
    keys = {name: at_a[name] for name in ("platform_id", "platform_key", "authorization")}
    return ChainPair(
        pair=pair,
        node=node,
        token=token,
        merchant=Merchant(url=pair.a.terminal.url, **keys),
        wallet_at_a=at_a["wallet"],
        wallet_at_b=at_b["wallet"],
    )


def _open(site: Site, **values: Any) -> dict[str, Any]:
    fixed = {"chain": CHAIN, "service": SERVICE, "network": NETWORK, "confirmations": scenes.CONFIRMATIONS}
    answer = site.terminal.manage("shell", "--no-imports", "-c", _OPEN.format(**fixed, **values))
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found
