"""Orders over the sandbox's practice chain: its channels and terms, and a few orders paid with its wallet.

The chain is listed by the demo alone. Its addresses are of a test mnemonic that wallets' makers publish,
so that nobody takes them for somebody's: what is sent to them on a real chain is lost.
"""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from channels import rates, secrets
from channels.models import Chain, Channel, ChannelService, Service, Token
from channels.upstreams.evm import keccak
from channels.upstreams.sandbox import practice
from diamondpay.lib import clock, money
from merchants import registration
from merchants.models import Merchant, MerchantService
from operations import chain_orders
from records import chain_payments
from records.models import ChainPayment, Payment

CHAIN_ID = 900
CODE = "PRACTICE"
NAME = "Practice chain"
# m/44'/60'/0'/0 of "test test test test test test test test test test test junk", as its public key.
XPUB = (
    "xpub6DyUKdwoLWmUJ4Tn9Bbsdtx7B5Ws18mEN19e5HT52ikE53FiUheSQXrZUNPovqfyKmw4579A1Mm3GXXKM39N64uooBfJ4tNAzFsEbo"
    "dRTx4"
)
SHARED_ADDRESS = keccak.checksummed(b"practice shared addr")
# Whoever starts the demo in the morning still finds open orders in the evening.
EXPIRY_SECONDS = 24 * 3600
TOLERANCE_BELOW, TOLERANCE_ABOVE = Decimal(50), Decimal(20)
FEE_PERMILLAGE = Decimal(6)
_RATES = (("USDT", "CNY", "7.18"), ("USDC", "CNY", "7.17"), ("ETH", "CNY", "21500"),
          ("USDT", "USD", "1"), ("USDC", "USD", "0.999"), ("ETH", "USD", "2995"))  # fmt: skip
_SECONDS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLine:
    """A channel on the practice chain: dedicated addresses, or fixed amounts at a shared one."""

    code: str
    name: str
    currency: str
    service: str
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An order, the token its payer picks, what part of the asked amount is sent, and in which coin.

    A part of None leaves it to the visitor.
    """

    symbol: str
    amount: str
    description: str
    pick: str = ""
    part: str | None = None
    sent_in: str = ""


LINES = (
    ChainLine(code="practice-cny", name="Practice chain, quoted in CNY", currency="CNY", service="SVC0095"),
    ChainLine(code="practice-eth", name="Practice chain, ETH", currency="ETH", service="SVC0093"),
    ChainLine(
        code="practice-usdc", name="Practice chain, USDC at one address", currency="USDC", service="SVC0092",
        is_shared=True,
    ),
)  # fmt: skip
STORIES = (
    Story(symbol="CNY", amount="200", description="Season pass"),
    Story(symbol="USDC", amount="25", description="Starter pack"),
    Story(symbol="ETH", amount="0.05", description="Collector's box"),
    Story(symbol="CNY", amount="300", description="Gift card", pick="USDT", part="0.2"),
    Story(symbol="CNY", amount="120", description="Monthly card", pick="USDT", part="1"),
    Story(symbol="ETH", amount="0.02", description="Skin", part="1"),
    Story(symbol="USDC", amount="40", description="Expansion", part="1"),
    Story(symbol="CNY", amount="80", description="Paid twice as much", pick="USDC", part="2"),
    Story(symbol="ETH", amount="0.01", description="Paid in another token", part="1", sent_in="USDT"),
)


def node_url() -> str:
    """Return where the practice chain's node listens now."""
    return f"http://127.0.0.1:{settings.SANDBOX_PORT}{practice.NODE_PATH}"


def open_all(*, merchant: Merchant, actor: str, now: datetime) -> None:
    """List the chain, open its channels, and give a merchant their services and wallets, all in force.

    That is the schema's owner's to do (`diamondpay.lib.owner`).
    """
    _list_chain()
    for base, quote, rate in _RATES:
        rates.add(base=base, quote=quote, rate=Decimal(rate), reason="Demo", now=now, actor=actor)
    for line in LINES:
        channel = _open_channel(line, now)
        registration.open_wallet(merchant=merchant, channel=channel)
        MerchantService.objects.create(
            merchant=merchant,
            service_id=line.service,
            fee_permillage=FEE_PERMILLAGE,
            status=MerchantService.Status.ENABLED,
            terms_since=now,
        )
    Service.objects.filter(pk__in=[line.service for line in LINES]).update(expiry_seconds=EXPIRY_SECONDS)


def _list_chain() -> None:
    chain = Chain.objects.create(
        chain_id=CHAIN_ID, code=CODE, name=NAME, symbol="ETH", confirmations=practice.CONFIRMATIONS,
        network_id=practice.NETWORK,
    )  # fmt: skip
    for coin in practice.COINS:
        contract = keccak.read_address(coin.contract) if coin.contract else ""
        Token.objects.create(
            chain=chain, name=coin.name, symbol=coin.symbol, address=contract, decimals=coin.decimals,
            currency_id=coin.symbol,
        )  # fmt: skip


def _open_channel(line: ChainLine, now: datetime) -> Channel:
    own = {"shared_address": SHARED_ADDRESS} if line.is_shared else {"xpub": XPUB}
    sealed = {"chain": CODE, "node_url": node_url(), "private_node": "yes", **own}
    channel = Channel.objects.create(
        code=line.code,
        name=line.name,
        upstream="evm",
        settings_encrypted=secrets.seal_settings(sealed),
        currency_id=line.currency,
        status=Channel.Status.ENABLED,
        terms_since=now,
    )
    ChannelService.objects.create(
        channel=channel,
        service_id=line.service,
        tolerance_below=TOLERANCE_BELOW,
        tolerance_above=TOLERANCE_ABOVE,
        status=ChannelService.Status.ENABLED,
        terms_since=now,
    )
    return channel


def moved_channels() -> list[Channel]:
    """Return the channels whose node listens elsewhere now, pointed there and not saved yet."""
    moved = []
    for channel in Channel.objects.filter(pk__in=[line.code for line in LINES], upstream="evm"):
        values = secrets.settings_of(channel)
        is_ours = values.get("node_url", "").startswith("http://127.0.0.1:")
        if is_ours and values["node_url"] != node_url():
            channel.settings_encrypted = secrets.seal_settings({**values, "node_url": node_url()})
            moved.append(channel)
    return moved


def place(*, merchant: Merchant, number_prefix: str) -> int:
    """Place the orders and let their payers pay; return how many there are, none without the chain.

    Done twice, they are the same orders, and nobody pays twice.
    """
    if not Chain.objects.filter(pk=CHAIN_ID).exists():
        return 0
    for number, story in enumerate(STORIES, start=1):
        payment = chain_orders.place(
            merchant=merchant,
            chain_id=CHAIN_ID,
            quote_symbol=story.symbol,
            is_legal_tender=story.symbol == "CNY",
            quote_amount=Decimal(story.amount),
            out_trade_no=f"{number_prefix}-CHAIN-{number}",
            description=story.description,
        )
        if story.pick:
            token = Token.objects.get(chain=CHAIN_ID, symbol=story.pick)
            chain_payments.pick_token(payment_pk=payment.pk, token_pk=token.pk, now=clock.now())
        if story.part is not None:
            _pay(payment, Decimal(story.part), story.sent_in)
    return len(STORIES)


def _pay(payment: Payment, part: Decimal, sent_in: str) -> None:
    """Send a part of what is asked for with the practice wallet, as the payer would.

    Raises: LookupError for an order whose token was not picked.
    """
    # What the order itself remembers is from before its payer picked a token.
    expected = ChainPayment.objects.select_related("token").get(pk=payment.pk)
    receiving = chain_payments.receiving_of(payment)
    if receiving is None or expected.token is None or expected.expected_units is None:
        raise LookupError(f"order {payment.payment_id} asks for nothing yet")
    request, amount = receiving.qr_text, chain_payments.amount_of(expected.expected_units, expected.token)
    fields = {"amount": f"{money.quantise(amount * part, expected.token.decimals):f}"}
    if sent_in:
        coin = next(coin for coin in practice.COINS if coin.symbol == sent_in)
        request = f"ethereum:{coin.contract}@{practice.NETWORK}/transfer?address={receiving.address}"
    # A wallet that outlived an older demo has seen the same numbers, but not at the same time.
    key = f"demo-{payment.payment_id}-{int(payment.created_at.timestamp())}"
    _post({"request": request, "key": key, **fields})


def _post(fields: Mapping[str, str]) -> None:
    """Send the wallet's form. Raises: urllib.error.URLError."""
    address = f"http://127.0.0.1:{settings.SANDBOX_PORT}{practice.WALLET_PATH}"
    body = urllib.parse.urlencode(fields).encode("ascii")
    with urllib.request.urlopen(address, data=body, timeout=_SECONDS_MAX) as answer:
        answer.read()
