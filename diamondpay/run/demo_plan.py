"""What happens in the demo's two weeks, decided beforehand: the same orders on every machine.

The weeks are cut into windows. Whatever begins in a window ends in it, so that a window can be written in one
transaction: nobody, and no worker, ever sees one half done, and a killed demo goes on with the next window.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from channels.upstreams import base
from diamondpay.run import demo_cast, demo_people
from diamondpay.run.demo_cast import Shop

DAYS = 14
WINDOWS_MAX = 84
WINDOWS_MIN = 4
ORDERS_PER_WINDOW = 60
PAYOUT_SHARE = 0.24
# Of the payouts that a person has to review.
REJECTED_SHARE = 0.07
# The last minutes of a window are for what is still open in it; long stories need more.
CLOSING = timedelta(minutes=11)
PAYOUT_CLOSING = timedelta(minutes=30)
LONG_CLOSING = timedelta(minutes=150)
# Wallets are funded before the first order.
OPENING = timedelta(minutes=12)

# An order number ends with its place in the plan.
NUMBER_DIGITS = 6
DEPOSIT, PAYOUT = "deposit", "payout"
# Of a thousand deposits, in this order.
DEPOSIT_STORIES = (
    ("paid", 782),
    ("expired", 105),
    ("failed", 24),
    ("refused", 14),
    ("paid_late", 15),
    ("found_by_query", 18),
    ("told_twice", 14),
    ("answered_late", 8),
    ("wrong_amount", 5),
    ("supplemented", 3),
    ("paid_again", 1),
    ("closed_by_hand", 4),
    ("test_order", 7),
)
PAYOUT_STORIES = (
    ("paid_out", 900),
    ("refused_out", 30),
    ("failed_out", 40),
    ("unknown_out", 15),
    ("lost_out", 15),
)
# Rare things that a demo must have, however few its orders are: story, shop.
SPECIALS = (
    ("paid", "lotus"),
    ("paid_late", "lotus"),
    ("supplemented", "lotus"),
    ("paid_again", "siam"),
    ("wrong_currency", "lotus"),
    ("contradicted", "carioca"),
    ("unknown_order", "lotus"),
    ("forged", "siam"),
    ("tolerated", "harbour"),
    ("test_order", "lotus"),
    ("found_by_query", "mekong"),
    ("answered_late", "siam"),
    ("told_twice", "carioca"),
    ("closed_by_hand", "harbour"),
    ("wrong_amount", "mekong"),
    ("refused", "siam"),
    ("failed", "lotus"),
    ("expired", "carioca"),
    ("paid_out", "lotus"),
    ("reviewed_out", "siam"),
    ("rejected_out", "siam"),
    ("rejected_out", "lotus"),
    ("refused_out", "carioca"),
    ("failed_out", "harbour"),
    ("unknown_out", "carioca"),
    ("lost_out", "harbour"),
    ("paid_after_end", "carioca"),
    ("reinitiated_out", "mekong"),
    ("failed_by_hand", "mekong"),
    ("wrong_amount_out", "harbour"),
)
# What a person finds still open: at the end of the two weeks.
LAST = (
    ("waits_for_review", "siam"),
    ("waits_for_review", "siam"),
    ("waits_for_review", "lotus"),
    ("stuck_out", "carioca"),
    ("held_out", "mekong"),
)
LONG = frozenset(
    {"paid_late", "supplemented", "wrong_amount", "reviewed_out", "rejected_out", "reinitiated_out"}
    | {"failed_by_hand", "wrong_amount_out", "paid_after_end", "unknown_order"}
)
_OUT = frozenset(story for story, _share in PAYOUT_STORIES) | {
    story for story, _shop in (*SPECIALS, *LAST) if story.endswith("_out")
} | {"paid_after_end", "failed_by_hand", "waits_for_review"}  # fmt: skip
_HOUR_WEIGHTS = (7, 8, 9, 9, 10, 9, 8, 8, 9, 9, 10, 11, 12, 13, 13, 12, 10, 8, 5, 3, 2, 2, 3, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One order of the plan. `number` counts from 1 through the whole demo."""

    number: int
    at: datetime
    story: str
    shop: Shop
    direction: str
    service_id: str
    amount: Decimal
    party: base.Party
    order_no: str

    def dice(self) -> random.Random:
        """Return the dice that decide about this order's details."""
        return demo_people.dice("order", self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of the two weeks. Half-open: an order at `end` belongs to the next one."""

    number: int
    start: datetime
    end: datetime
    orders: tuple[Planned, ...]
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What fixes the plan: how many orders, and when they end."""

    order_count: int
    ends_at: datetime

    @property
    def window_count(self) -> int:
        """Return into how many windows the time is cut."""
        return min(max(self.order_count // ORDERS_PER_WINDOW, WINDOWS_MIN), WINDOWS_MAX)

    def window_start(self, number: int) -> datetime:
        """Return when a window begins; the one behind the last begins at the end."""
        return self.ends_at - timedelta(days=DAYS) * (self.window_count - number) / self.window_count


def windows(script: Script) -> Iterator[Window]:
    """Return the windows in their order."""
    specials = _specials(script)
    number = itertools.count(1)
    for index, count in enumerate(_counts(script)):
        start, end = script.window_start(index), script.window_start(index + 1)
        orders = [
            _planned(number=n, special=specials.get(n), start=start if index else start + OPENING, end=end)
            for n in itertools.islice(number, count)
        ]
        yield Window(
            number=index,
            start=start,
            end=end,
            orders=tuple(sorted(orders, key=lambda order: order.at)),
            is_last=index == script.window_count - 1,
        )


def _counts(script: Script) -> list[int]:
    """Return how many orders each window has: more in the evening, and a little more each day."""
    shares = []
    for index in range(script.window_count):
        start, end = script.window_start(index), script.window_start(index + 1)
        hours = max(1, round((end - start) / timedelta(hours=1)))
        weight = sum(_HOUR_WEIGHTS[(start + timedelta(hours=hour)).hour] for hour in range(hours))
        wave = demo_people.dice("window", index).uniform(0.9, 1.1)
        shares.append(weight * wave * (0.8 + 0.4 * index / script.window_count))
    total, placed, counts = sum(shares), 0, []
    for done in itertools.accumulate(shares):
        upto = round(script.order_count * done / total)
        counts.append(upto - placed)
        placed = upto
    return counts


def _specials(script: Script) -> dict[int, tuple[str, str]]:
    """Spread what must be there over all orders; the open ends come last."""
    spread = max(script.order_count - len(LAST), len(SPECIALS))
    found = {1 + spread * place // len(SPECIALS): special for place, special in enumerate(SPECIALS)}
    return found | {script.order_count - place: last for place, last in enumerate(LAST)}


def _planned(*, number: int, special: tuple[str, str] | None, start: datetime, end: datetime) -> Planned:
    throw = demo_people.dice("plan", number)
    if special is None:
        shop = throw.choices(demo_cast.SHOPS, [shop.share for shop in demo_cast.SHOPS])[0]
        stories = PAYOUT_STORIES if throw.random() < PAYOUT_SHARE else DEPOSIT_STORIES
        story = throw.choices([name for name, _share in stories], [share for _name, share in stories])[0]
        if story == "paid_out" and shop.payout_audit == "manual" and throw.random() < REJECTED_SHARE:
            story = "rejected_out"
    else:
        story, shop = special[0], demo_cast.SHOP_BY_KEY[special[1]]
    direction = PAYOUT if story in _OUT else DEPOSIT
    if direction == PAYOUT:
        service_id, factor = shop.payouts[0], 1.3
    else:
        service_id, factor = throw.choice(shop.deposits)[0], 1.0
    amount = demo_people.amount(shop.currency, throw, factor=factor)
    if (story, shop.key) in (("rejected_out", "lotus"), ("waits_for_review", "lotus")):
        amount += Decimal(shop.payout_audit_amount)
    closing = LONG_CLOSING if story in LONG else PAYOUT_CLOSING if direction == PAYOUT else CLOSING
    at = _moment(throw, start, end - closing)
    return Planned(
        number=number,
        at=at,
        story=story,
        shop=shop,
        direction=direction,
        service_id=service_id,
        amount=amount,
        party=demo_people.party(shop.currency, throw),
        order_no=f"{shop.number_prefix}{at:%y%m%d}{number:0{NUMBER_DIGITS}d}",
    )


def _moment(throw: random.Random, start: datetime, end: datetime) -> datetime:
    """Return a moment between the two, likelier in a busy hour."""
    while True:
        at = start + (end - start) * throw.random()
        if throw.random() * max(_HOUR_WEIGHTS) <= _HOUR_WEIGHTS[at.hour]:
            return at.replace(microsecond=at.microsecond // 1000 * 1000)
