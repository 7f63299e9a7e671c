"""Whom and what the back office's book is about: channels, merchants of very different sizes, two models.

Everything here is made on the product's own roads; only the shares of the lanes are drawn.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from decimal import Decimal

import psycopg
from psycopg import sql

from benchmarks import instant_upstream
from benchmarks.stage import Place
from channels.models import Channel, ChannelService, Currency
from channels.secrets import seal_settings
from channels.upstreams import base
from diamondpay.lib import clock
from diamondpay.lib import owner as schema_owner
from merchants import registration
from merchants.models import Merchant, MerchantChannel
from merchants.registration import Registered
from operations import placement
from records import ledger
from records.models import Account, Payment, Payout, SignType, Source

PAYMENT_MODEL, PAYOUT_MODEL, SLOTS = "benchmark_payment", "benchmark_payout", "benchmark_slot"
SLOT_COUNT = 16_384
NOTIFY_URL = "https://merchant.example/told"
# Every third merchant is told of its orders; the others ask.
_TOLD_EVERY = 3


@dataclass(frozen=True, kw_only=True)
class Market:
    """What travels in one currency: `scale` is what an amount of 1 is worth there."""

    currency: str
    channel_count: int
    deposits: tuple[str, ...]
    payout: str
    scale: int
    decimals: int = 2


MARKETS = (
    Market(
        currency="CNY", channel_count=12, deposits=("SVC0001", "SVC0005", "SVC0008", "SVC0010"),
        payout="SVC0004", scale=1,
    ),
    Market(currency="THB", channel_count=3, deposits=("SVC0046",), payout="SVC0082", scale=5),
    Market(currency="BRL", channel_count=2, deposits=("SVC0022",), payout="SVC0023", scale=1),
    Market(
        currency="VND", channel_count=2, deposits=("SVC0080",), payout="SVC0081", scale=3500, decimals=0
    ),
    Market(currency="USDT", channel_count=1, deposits=("SVC0085",), payout="SVC0086", scale=1),
)  # fmt: skip
_MARKET_OF = {market.currency: market for market in MARKETS}


@dataclass(frozen=True)
class Lane:
    """What one slot of the drawing stands for; the fields are the columns of the table of slots."""

    merchant_id: str
    wallet_id: str
    service_id: str
    payout_service_id: str
    channel_id: str
    currency_id: str
    decimals: int
    scale: int
    permillage: int
    available_id: int
    frozen_id: int
    clearing_id: int
    fees_id: int
    adjustment_id: int
    is_told: bool


_SLOT_TABLE = f"""
    CREATE TABLE {SLOTS} (
        slot integer PRIMARY KEY, merchant_id text, wallet_id text, service_id text, payout_service_id text,
        channel_id text, currency_id text, decimals integer, scale integer, permillage integer,
        available_id bigint, frozen_id bigint, clearing_id bigint, fees_id bigint, adjustment_id bigint,
        is_told boolean
    )
"""


def prepare(place: Place, *, merchant_count: int) -> list[Merchant]:
    """Make channels, merchants and their lanes, and keep one real deposit and payout as models.

    Returns the merchants, the greatest first.
    """
    with schema_owner.connected():
        channels = _make_channels()
        registered = [
            _register(number, channels=_chosen(number, channels), count=merchant_count)
            for number in range(merchant_count)
        ]
    lanes = _lanes([each.merchant for each in registered])
    payment, payout = _models(registered[0])
    with place.owner() as owner:
        owner.execute(_SLOT_TABLE)
        with owner.cursor() as cursor, cursor.copy(f"COPY {SLOTS} FROM STDIN") as copy:
            for slot, lane in enumerate(_drawn(lanes)):
                copy.write_row((slot, *astuple(lane)))
        owner.execute(f"ANALYZE {SLOTS}")
        _keep(owner, PAYMENT_MODEL, "records_payment", payment.pk)
        _keep(owner, PAYOUT_MODEL, "records_payout", payout.pk)
    return [each.merchant for each in registered]


def _keep(owner: psycopg.Connection, table: str, source: str, pk: int) -> None:
    names = sql.Identifier(table), sql.Identifier(source), sql.Literal(pk)
    owner.execute(sql.SQL("CREATE TABLE {} AS SELECT * FROM {} WHERE id = {}").format(*names))


def _make_channels() -> list[Channel]:
    made, in_force = [], {"status": "enabled", "terms_since": clock.now()}
    for market in MARKETS:
        for number in range(1, market.channel_count + 1):
            code = f"{market.currency.lower()}-{number}"
            channel = Channel.objects.create(
                code=code,
                name=f"{market.currency} {number}",
                upstream=instant_upstream.NAME,
                settings_encrypted=seal_settings({}),
                currency=Currency.objects.get(pk=market.currency),
                **in_force,
            )
            ChannelService.objects.bulk_create(
                ChannelService(channel=channel, service_id=service, **in_force)
                for service in (*market.deposits, market.payout)
            )
            made.append(channel)
    return made


def _chosen(number: int, channels: Sequence[Channel]) -> list[Channel]:
    """Give the greatest merchants six channels and the others three, spread over all channels."""
    count = 6 if number < 20 else 3
    # The first channel carries the model and the filter that is measured, so the greatest has it.
    return [channels[(number * 7 + step * 3) % len(channels)] for step in range(count)]


def _register(number: int, *, channels: Sequence[Channel], count: int) -> Registered:
    markets = [
        _MARKET_OF[currency] for currency in dict.fromkeys(channel.currency_id for channel in channels)
    ]
    return registration.register(
        name=f"Merchant {number + 1:0{len(str(count))}d}",
        services=[service for market in markets for service in (*market.deposits, market.payout)],
        channels=[channel.code for channel in channels],
        now=clock.now(),
        terms=registration.Terms(fee_permillage=Decimal(5 + number % 20)),
        notify_url=NOTIFY_URL,
        is_in_force=True,
        actor="benchmarks",
    )


def _lanes(merchants: Sequence[Merchant]) -> list[tuple[float, Lane]]:
    """Return every lane with its share: a merchant's falls with its rank, a service's with its place."""
    system = {
        (account.kind, account.channel_id or account.currency_id): account.pk
        for account in Account.objects.filter(is_chained=False)
    }
    wallet_accounts = {
        (account.kind, account.merchant_channel_id): account.pk
        for account in Account.objects.filter(is_chained=True)
    }
    wallets: dict[str, list[MerchantChannel]] = {}
    for wallet in MerchantChannel.objects.order_by("id"):
        wallets.setdefault(wallet.merchant_id, []).append(wallet)
    found = []
    for rank, merchant in enumerate(merchants):
        for place, wallet in enumerate(wallets[merchant.pk]):
            market = _MARKET_OF[wallet.currency_id]
            for step, service in enumerate(market.deposits[: 4 if rank < 20 else 2]):
                lane = Lane(
                    merchant.pk, wallet.pk, service, market.payout, wallet.channel_id, market.currency,
                    market.decimals, market.scale, 5 + rank % 20,
                    wallet_accounts["available", wallet.pk], wallet_accounts["frozen", wallet.pk],
                    system["clearing", wallet.channel_id], system["fees", market.currency],
                    system["adjustment", market.currency], rank % _TOLD_EVERY == 0,
                )  # fmt: skip
                found.append((1 / ((rank + 1) * (place + 1) * (step + 1)), lane))
    return found


def _drawn(lanes: Sequence[tuple[float, Lane]]) -> Iterator[Lane]:
    """Yield as many lanes as there are slots, each as often as its share says."""
    whole = sum(share for share, _lane in lanes)
    passed, number = 0.0, -1
    for slot in range(SLOT_COUNT):
        while passed <= slot / SLOT_COUNT and number < len(lanes) - 1:
            number += 1
            passed += lanes[number][0] / whole
        yield lanes[number][1]


def _models(owner: Registered) -> tuple[Payment, Payout]:
    """Place one deposit and one payout as the API does; the others copy what is not drawn."""
    wallet = owner.wallets[0]
    ledger.adjust(
        merchant_channel=wallet, amount=Decimal(1000), reason="opening", now=clock.now(),
        request_id="opening", actor="benchmarks",
    )  # fmt: skip
    party = base.Party(name="Wang Xiao", account="6222020200011112222", phone="13800138000")
    signed, source = SignType.HMAC_SHA256, Source.API_V1
    number = secrets.token_hex(8)
    payment = placement.place_payment(
        order=placement.NewPayment(
            merchant=owner.merchant, amount=Decimal(100), party=party, service_id="SVC0001",
            merchant_order_no=f"model-{number}", notify_url=NOTIFY_URL, sign_type=signed, source=source,
        )
    )  # fmt: skip
    payout = placement.place_payout(
        order=placement.NewPayout(
            merchant=owner.merchant, amount=Decimal(100), party=party, service_id="SVC0004",
            merchant_order_no=f"model-{number}", merchant_channel_id=wallet.pk,
            notify_url=NOTIFY_URL, sign_type=signed, source=source,
        )
    )  # fmt: skip
    return payment, payout
