"""A merchant that is paid over a chain of the test's own node, made by the real functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from channels.models import Chain, Channel, ChannelService, Token
from diamondpay.lib import clock
from merchants.models import Merchant
from merchants.registration import Registered
from operations import chain_orders
from records import chain_watch
from records.models import Payment
from tests import factories
from tests.support.evm.node import NETWORK, Node

# m/44'/60'/0'/0 of BIP-32's first test vector as its public key: nobody keeps money there.
XPUB = (
    "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7"
    "WEGuduB"
)
SHARED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
SERVICES = {"USDT": "SVC0085", "USDC": "SVC0092", "ETH": "SVC0093", "USD": "SVC0094"}
CONFIRMATIONS = 3


@dataclass(frozen=True)
class Scene:
    """A chain with three tokens on a node, a channel of a currency, and a merchant on it."""

    node: Node
    chain: Chain
    channel: Channel
    registered: Registered

    @property
    def merchant(self) -> Merchant:
        """Who is paid."""
        return self.registered.merchant

    def token(self, symbol: str) -> Token:
        """Return a token of the chain."""
        return Token.objects.get(chain=self.chain, symbol=symbol)

    def place(self, amount: str, number: str = "T1", *, symbol: str = "USDT", **more: Any) -> Payment:
        """Place an order quoted in a token, or in USD."""
        return chain_orders.place(
            merchant=self.merchant,
            chain_id=self.chain.pk,
            quote_symbol=symbol,
            is_legal_tender=symbol in ("USD", "CNY"),
            quote_amount=Decimal(amount),
            out_trade_no=number,
            **more,
        )

    def pay(self, payment: Payment, units: int, *, symbol: str = "USDT", confirm: bool = True) -> str:
        """Pay so many units to the order's address; by default so many blocks follow that it counts."""
        to = payment.chain_payment.address
        token = self.token(symbol)
        tx_hash = self.node.pay_token(token.address, to, units) if token.address else self.node.pay(to, units)
        if confirm:
            self.node.mine(CONFIRMATIONS - 1)
        return tx_hash

    def watch(self) -> None:
        """Let the channel's chain be looked at once."""
        chain_watch.watch(channel=self.channel)


def make(
    node: Node,
    *,
    currency: str = "USDT",
    tolerance: tuple[int, int] = (50, 20),
    wallet_currency: str = "",
    is_shared: bool = False,
    code: str = "evm",
    services: Sequence[str] = (),
    apis: Sequence[str] = (),
) -> Scene:
    """Make chain, channel and merchant; `is_shared` collects fixed amounts at one address."""
    chain = _chain(node)
    carried = [*services, SERVICES[currency]]
    own = {"shared_address": SHARED} if is_shared else {"xpub": XPUB}
    channel = factories.make_channel(
        code,
        currency=currency,
        upstream="evm",
        services=carried,
        settings={"chain": chain.code, "node_url": node.url, "private_node": "yes", **own},
    )
    below, above = tolerance
    of_channel = ChannelService.objects.filter(channel=channel)
    factories.set_terms(of_channel, tolerance_below=below, tolerance_above=above)
    registered = factories.make_merchant(
        "Acme", services=carried, channels=[code], settlement_currency=wallet_currency, apis=list(apis)
    )
    return Scene(node=node, chain=chain, channel=channel, registered=registered)


def _chain(node: Node) -> Chain:
    chain, is_new = Chain.objects.get_or_create(
        chain_id=99,
        defaults={
            "code": "LOCAL", "name": "Local", "symbol": "ETH", "confirmations": CONFIRMATIONS,
            "network_id": NETWORK,
        },
    )  # fmt: skip
    if is_new:
        for symbol, decimals, address in (
            ("ETH", 18, ""), ("USDT", 6, node.deploy()), ("USDC", 6, node.deploy()),
        ):  # fmt: skip
            Token.objects.create(
                chain=chain, name=symbol, symbol=symbol, address=address, decimals=decimals,
                currency_id=symbol,
            )  # fmt: skip
    return chain


def credited(payment: Payment) -> tuple[int, Decimal | None, Decimal | None]:
    """Return status, what arrived and what was credited, as they stand in the book."""
    payment.refresh_from_db()
    return payment.status, payment.actual_amount, payment.credited_amount


def now() -> Any:
    """Return the database's time."""
    return clock.now()
