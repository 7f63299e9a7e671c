"""What needs a person's eye: orders that stay open, notifications given up, balances running low.

Every question costs the same at any size: it is answered by an index that holds little else, or by totals,
and says "more than a hundred" rather than count on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, IntegerField, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext

from records import ledger, periods, totals
from records.models import (
    Account,
    Case,
    Notification,
    Payment,
    PaymentStatus,
    Payout,
    PayoutAttempt,
    PayoutStatus,
)

COUNT_MAX = 100
# The sweeper closes an expired deposit within seconds; one that is older than this has been forgotten.
EXPIRED_GRACE = timedelta(minutes=2)
PAYOUT_AGE = timedelta(minutes=30)
DAY = timedelta(hours=24)
# By merchant, channel and currency.
Taken = Mapping[tuple[str, str, str], Decimal]
# What a payout order has taken or will take from its wallet: all but failed and rejected ones.
_TAKING = (PayoutStatus.IN_PROGRESS, PayoutStatus.SUCCESS, PayoutStatus.UNDER_REVIEW)


@dataclass(frozen=True, kw_only=True)
class Low:
    """A balance below what its payouts took in a day. Units: major units of the currency."""

    channel_id: str
    merchant_id: str
    wallet_id: str
    currency_id: str
    exponent: int
    balance: Decimal
    taken: Decimal


def stuck_deposits(now: datetime) -> QuerySet[Payment]:
    """Return deposits still in progress although they expired minutes ago, the longest overdue first."""
    overdue = Payment.objects.filter(status=PaymentStatus.IN_PROGRESS, expires_at__lt=now - EXPIRED_GRACE)
    return overdue.select_related("currency").order_by("expires_at")


def stuck_payouts(now: datetime) -> QuerySet[Payout]:
    """Return payouts in progress for more than half an hour, oldest first; `is_unknown` marks those of which
    nobody knows whether the upstream paid.
    """
    unknown = PayoutAttempt.objects.filter(payout=OuterRef("pk"), state=PayoutAttempt.State.UNKNOWN)
    slow = Payout.objects.filter(status=PayoutStatus.IN_PROGRESS, created_at__lt=now - PAYOUT_AGE)
    return slow.select_related("currency").annotate(is_unknown=Exists(unknown)).order_by("created_at")


def waiting_reviews() -> QuerySet[Payout]:
    """Return payouts under review, oldest first."""
    waiting = Payout.objects.filter(status=PayoutStatus.UNDER_REVIEW)
    return waiting.select_related("currency").order_by("created_at")


def failed_notifications(since: datetime) -> QuerySet[Notification]:
    """Return notifications made since then that were given up after their last attempt, newest first."""
    failed = Notification.objects.filter(state=Notification.State.FAILED, created_at__gte=since)
    return failed.order_by("-created_at", "-id")


def open_cases() -> QuerySet[Case]:
    """Return open cases, newest first."""
    return Case.objects.filter(status=Case.Status.OPEN).select_related("currency").order_by("-opened_at")


class _Count(Subquery):
    """How many rows a queryset has, as a column of another statement."""

    template = "(SELECT count(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def first(queryset: QuerySet[Any], *, row_count: int) -> tuple[list[Any], str]:
    """Return the first rows, and how many there are in all, in words past a hundred; never counts further.

    One statement: the count is a column that is worked out once.
    """
    counted = _Count(queryset.order_by().values("pk")[: COUNT_MAX + 1])
    rows = list(queryset.annotate(row_count=counted)[:row_count])
    found = rows[0].row_count if rows else 0
    return rows, str(found) if found <= COUNT_MAX else gettext("more than %d") % COUNT_MAX


def low_wallets(accounts: QuerySet[Account], *, taken: Taken) -> list[Low]:
    """Return the wallets among the available accounts that hold less than their merchant's payouts on their
    channel took in the last 24 hours (amounts of all but failed and rejected ones), emptiest first.
    """
    merchant_ids = {merchant for merchant, _channel, _currency in taken}
    rows = accounts.filter(kind=Account.Kind.AVAILABLE, merchant__in=merchant_ids)
    found = [
        Low(
            channel_id=channel_id, merchant_id=merchant_id, wallet_id=wallet_id, currency_id=currency_id,
            exponent=exponent, balance=balance,
            taken=taken.get((merchant_id, channel_id, currency_id), Decimal(0)),
        )
        for merchant_id, wallet_id, channel_id, currency_id, exponent, balance in rows.values_list(
            "merchant_id", "merchant_channel_id", "merchant_channel__channel_id", "currency_id",
            "currency__exponent", "balance",
        )
    ]  # fmt: skip
    return _emptiest(found)


def low_channels(*, taken: Taken) -> list[Low]:
    """Return the channels whose money at the upstream is less than their payouts of the last 24 hours took,
    emptiest first. That money is what the book's clearing account says has come in and not gone out.
    """
    of_channel: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for (_merchant, channel_id, currency_id), amount in taken.items():
        of_channel[channel_id, currency_id] += amount
    accounts = list(
        Account.objects.filter(kind=Account.Kind.CLEARING, channel__in={key[0] for key in of_channel})
        .select_related("currency")
    )  # fmt: skip
    balances = ledger.system_balances(account.pk for account in accounts)
    found = [
        Low(
            channel_id=str(account.channel_id), merchant_id="", wallet_id="",
            currency_id=account.currency_id, exponent=account.currency.exponent,
            balance=-balances[account.pk],
            taken=of_channel.get((str(account.channel_id), account.currency_id), Decimal(0)),
        )
        for account in accounts
    ]  # fmt: skip
    return _emptiest(found)


def taken_in_a_day(now: datetime) -> Taken:
    """Return what payouts of the last 24 full hours took, by merchant, channel and the wallet's currency.

    Of payouts that are converted only what has been debited is known in that currency.
    """
    # Whole hours, so that no order itself is read.
    end = periods.rounded_up(now, periods.HOUR)
    figures = totals.figures(
        kind=totals.PAYOUTS, start=end - DAY, end=end, statuses=[int(status) for status in _TAKING],
        group_by=["merchant", "channel"],
    )  # fmt: skip
    taken: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in figures:
        merchant_id, channel_id = row.group
        is_converted = row.currency != row.settlement_currency
        amount = row.credited_sum if is_converted else row.requested_sum
        taken[merchant_id, channel_id, row.settlement_currency] += amount
    return taken


def _emptiest(found: Iterable[Low]) -> list[Low]:
    low = [each for each in found if each.balance < each.taken]
    return sorted(low, key=lambda each: (each.balance / each.taken, each.wallet_id, each.channel_id))
