"""What the API says, with amounts as `Decimal` in whole currency units and times in UTC."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

Item = TypeVar("Item")


class DepositStatus(enum.IntEnum):
    """States of a deposit. CLOSED and FAILED may still become SUCCESS, when the money comes late."""

    PENDING = 0
    PROCESSING = 1
    SUCCESS = 2
    CLOSED = 3
    FAILED = 4


class PayoutStatus(enum.IntEnum):
    """States of a payout. SUCCESS, CANCELLED and FAILED are final."""

    RESERVED = 0
    PENDING = 1
    PROCESSING = 2
    SUCCESS = 3
    CANCELLED = 4
    FAILED = 5
    UNDER_REVIEW = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedDeposit:
    """A deposit that was taken; send the payer to `link` within ten minutes."""

    id: str
    order_no: str
    amount: Decimal
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedPayout:
    """A payout that was accepted, which does not mean paid."""

    id: str
    order_no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """A deposit. `status` is an int, so that a state that this version does not know is no error."""

    id: str
    order_no: str
    amount: Decimal
    real_amount: Decimal
    fee: Decimal
    status: int
    created_at: datetime

    @property
    def is_paid(self) -> bool:
        """Say whether the money is there. Credit `real_amount`."""
        return self.status == DepositStatus.SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """A payout; `error` says why one failed."""

    id: str
    order_no: str
    amount: Decimal
    fee: Decimal
    status: int
    error: str
    created_at: datetime

    @property
    def is_paid(self) -> bool:
        """Say whether the recipient has the money."""
        return self.status == PayoutStatus.SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """A part of a list, newest first; `total` counts all that fit."""

    items: Sequence[Item]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What can be paid out, and what open payouts hold."""

    available: Decimal
    frozen: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What we were told of an order. Repeats have the same `webhook_id`; `real_amount` is a deposit's."""

    webhook_id: str
    id: str
    order_no: str
    is_payout: bool
    amount: Decimal
    real_amount: Decimal | None
    fee: Decimal
    status: int
    updated_at: datetime

    @property
    def is_paid(self) -> bool:
        """Say whether the deposit arrived, or the payout did."""
        return self.status == (PayoutStatus.SUCCESS if self.is_payout else DepositStatus.SUCCESS)
