"""What the book promises, in plain Python: statuses, balances and suspense, without a database.

Written from the promises (D, P, L) and not from the code. Units: major units of one currency with 2 decimals.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
PERMILLAGE, FIXED = Decimal(8), Decimal("0.10")
TOLERANCE_BELOW = Decimal(5)

IN_PROGRESS, SUCCESS, FAILED, CLOSED = 0, 1, 2, 3
UNDER_REVIEW, REJECTED = 3, 4
LIVE = ("prepared", "sent", "unknown")


def fee_of(amount: Decimal) -> Decimal:
    """Return 8 ‰ and 0.10, rounded once."""
    return (amount * PERMILLAGE / 1000 + FIXED).quantize(CENT, ROUND_HALF_UP)


class Refused(Exception):
    """The platform must refuse this and change nothing."""


@dataclass
class Deposit:
    wallet: str
    requested: Decimal
    number: str = ""
    status: int = IN_PROGRESS
    actual: Decimal | None = None
    version: int = 0
    suspended: dict[str, Decimal] = field(default_factory=dict)


@dataclass
class Attempt:
    channel: str
    number: str
    state: str


@dataclass
class Payout:
    wallet: str
    amount: Decimal
    hold_after_failure: bool
    status: int
    is_held: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    told: int = 0

    @property
    def debited(self) -> Decimal:
        return self.amount + fee_of(self.amount)


@dataclass
class Model:
    """Balances by name: each wallet's, each channel's, and the system's."""

    channel: str
    balances: defaultdict[tuple[str, str], Decimal] = field(
        default_factory=lambda: defaultdict(lambda: Decimal(0))
    )
    suspended: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    lifted: set[str] = field(default_factory=set)

    def move(self, amount: Decimal, source: tuple[str, str], target: tuple[str, str]) -> None:
        """Move money from one account to another; a wallet never goes below zero."""
        left = self.balances[source] - amount
        right = self.balances[target] + amount
        for name, balance in ((source, left), (target, right)):
            if name[0] in ("available", "frozen") and balance < 0:
                raise Refused(name)
        self.balances[source], self.balances[target] = left, right

    def place_deposit(self, wallet: str, amount: Decimal, answer: str) -> Deposit:
        if fee_of(amount) >= amount:
            raise Refused("the fee would take everything")
        deposit = Deposit(wallet, amount)
        if answer == "refused":
            self.end(deposit, FAILED)
        return deposit

    def end(self, deposit: Deposit, status: int) -> None:
        if deposit.status != IN_PROGRESS:
            raise Refused("not in progress")
        deposit.status, deposit.version = status, deposit.version + 1

    def fail_deposit(self, deposit: Deposit) -> None:
        if deposit.status == IN_PROGRESS:
            self.end(deposit, FAILED)

    def pay(self, deposit: Deposit, amount: Decimal, number: str) -> str:
        """Return the outcome of a paid callback."""
        is_own = not number or not deposit.number or number == deposit.number
        lowest = deposit.requested * (100 - TOLERANCE_BELOW) / 100
        if deposit.status == SUCCESS and is_own:
            return "duplicate" if amount == deposit.actual else "suspense"
        key = number or f"order {id(deposit)}"
        is_new = (self.channel, key) not in self.suspended
        if deposit.status != SUCCESS and is_own and is_new and lowest <= amount <= deposit.requested:
            deposit.number = deposit.number or number
            self.credit(deposit, amount)
            return "credited"
        if not is_new:
            return "duplicate" if self.suspended[self.channel, key] == amount else "suspense"
        self.suspended[self.channel, key] = deposit.suspended[key] = amount
        self.move(amount, ("clearing", self.channel), ("suspense", self.channel))
        return "suspense"

    def credit(self, deposit: Deposit, amount: Decimal) -> None:
        if deposit.status == SUCCESS:
            raise Refused("credited already")
        fee = min(fee_of(amount), amount)
        self.move(amount - fee, ("clearing", self.channel), ("available", deposit.wallet))
        self.move(fee, ("clearing", self.channel), ("fees", ""))
        deposit.status, deposit.actual = SUCCESS, amount
        deposit.version += 1

    def supplement(self, deposit: Deposit, amount: Decimal) -> None:
        """Credit by hand; money in suspense for this order leaves it first."""
        if deposit.status == SUCCESS:
            raise Refused("credited already")
        for put_aside in deposit.suspended.values():
            self.move(put_aside, ("suspense", self.channel), ("clearing", self.channel))
        deposit.suspended.clear()
        self.credit(deposit, amount)

    def adjust(self, wallet: str, amount: Decimal) -> None:
        self.move(amount, ("adjustment", ""), ("available", wallet))

    def place_payout(self, payout: Payout) -> Payout:
        self.move(payout.debited, ("available", payout.wallet), ("frozen", payout.wallet))
        return payout

    def send(self, payout: Payout, channel: str, number: str, answer: str) -> None:
        """Send an attempt and hear the upstream's answer."""
        attempt = Attempt(channel, number, "unknown" if answer == "unknown" else "sent")
        payout.attempts.append(attempt)
        payout.is_held = False
        if answer == "refused":
            self.fail_attempt(payout, attempt)

    def fail_attempt(self, payout: Payout, attempt: Attempt) -> None:
        if attempt.state not in LIVE:
            return
        attempt.state = "failed"
        if payout.hold_after_failure:
            payout.is_held = True
        else:
            self.release(payout, FAILED)

    def pay_attempt(self, payout: Payout, attempt: Attempt, amount: Decimal) -> None:
        if amount != payout.amount or attempt.state == "succeeded":
            return
        if attempt.state == "failed":
            if (attempt.channel, attempt.number) not in self.suspended:
                self.suspended[attempt.channel, attempt.number] = amount
                self.move(amount, ("suspense", attempt.channel), ("clearing", attempt.channel))
            return
        self.move(payout.amount, ("frozen", payout.wallet), ("clearing", attempt.channel))
        self.move(payout.debited - payout.amount, ("frozen", payout.wallet), ("fees", ""))
        attempt.state, payout.status = "succeeded", SUCCESS
        payout.is_held, payout.told = False, payout.told + 1

    def release(self, payout: Payout, status: int) -> None:
        self.move(payout.debited, ("frozen", payout.wallet), ("available", payout.wallet))
        payout.status, payout.is_held, payout.told = status, False, payout.told + 1

    def fail_by_hand(self, payout: Payout) -> None:
        if payout.status != IN_PROGRESS:
            raise Refused("not in progress")
        for attempt in payout.attempts:
            attempt.state = "failed"
        self.release(payout, FAILED)

    def review(self, payout: Payout, *, is_approved: bool, number: str, answer: str) -> None:
        if payout.status != UNDER_REVIEW:
            raise Refused("not under review")
        if not is_approved:
            self.release(payout, REJECTED)
            return
        payout.status = IN_PROGRESS
        self.send(payout, self.channel, number, answer)

    def reinitiate(self, payout: Payout, channel: str, number: str, answer: str) -> None:
        if payout.status != IN_PROGRESS or not payout.is_held:
            raise Refused("not held")
        self.send(payout, channel, number, answer)

    def freeze(self, wallet: str, amount: Decimal) -> None:
        self.move(amount, ("available", wallet), ("frozen", wallet))

    def lift(self, key: str, wallet: str, amount: Decimal) -> None:
        if key in self.lifted:
            raise Refused("lifted before")
        self.move(amount, ("frozen", wallet), ("available", wallet))
        self.lifted.add(key)
