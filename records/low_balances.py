"""Wallets and channels whose balance is below what payouts took in a day, in one statement.

It costs what payouts of a day touch, and returns what a panel shows: the database finds the lowest ones and
says how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from records import periods, totals
from records.models import Account, PayoutStatus

DAY = timedelta(hours=24)
# What a payout order has taken or will take from its wallet: all but failed and rejected ones.
_TAKING = [int(each) for each in (PayoutStatus.IN_PROGRESS, PayoutStatus.SUCCESS, PayoutStatus.UNDER_REVIEW)]
_OF_HOURS = """
    SELECT merchant, channel, currency, settlement_currency, requested_sum, credited_sum FROM {table}
    WHERE kind = %s AND hour >= %s AND hour < %s AND status = ANY(%s)
"""
# Of payouts that are converted only what has been debited is known in the wallet's currency. What a channel
# holds is a total: what is folded and what is not.
_STATEMENT = """
    WITH taken AS MATERIALIZED (
        SELECT merchant, channel, settlement_currency AS currency,
            sum(CASE WHEN currency = settlement_currency THEN requested_sum ELSE credited_sum END) AS amount
        FROM ({hours} UNION ALL {deltas}) AS payouts GROUP BY merchant, channel, settlement_currency
    ), low AS (
        SELECT 'wallet' AS kind, wallet.id AS name, wallet.merchant_id AS merchant, taken.currency,
            account.balance, taken.amount
        FROM taken
        JOIN merchants_merchantchannel AS wallet
            ON wallet.merchant_id = taken.merchant AND wallet.channel_id = taken.channel
        JOIN records_account AS account ON account.merchant_channel_id = wallet.id
            AND account.kind = 'available' AND account.currency_id = taken.currency
        WHERE account.balance < taken.amount AND account.id IN ({wallets})
        UNION ALL
        SELECT 'channel', account.channel_id, '', sent.currency, -coalesce(held.balance, 0), sent.amount
        FROM (SELECT channel, currency, sum(amount) AS amount FROM taken GROUP BY channel, currency) AS sent
        JOIN records_account AS account ON account.channel_id = sent.channel
            AND account.kind = 'clearing' AND account.currency_id = sent.currency
        LEFT JOIN (
            SELECT account_id, sum(amount) AS balance FROM (
                SELECT account_id, balance AS amount FROM records_accounttotal
                UNION ALL SELECT account_id, amount FROM records_accountdelta
            ) AS parts GROUP BY account_id
        ) AS held ON held.account_id = account.id
        WHERE -coalesce(held.balance, 0) < sent.amount AND account.id IN ({channels})
    )
    SELECT kind, ranked.name, merchant, currency, unit.exponent, balance, amount, row_count
    FROM (
        SELECT *, count(*) OVER (PARTITION BY kind) AS row_count, row_number() OVER (
            PARTITION BY kind ORDER BY balance / nullif(amount, 0) NULLS FIRST, name
        ) AS place
        FROM low
    ) AS ranked JOIN channels_currency AS unit ON unit.code = ranked.currency
    WHERE place <= %s ORDER BY kind DESC, place
"""


@dataclass(frozen=True, kw_only=True)
class Low:
    """A balance below what payouts took in a day. Units: major units of the currency.

    `name` is a wallet's id, or the code of a channel, which has no merchant.
    """

    name: str
    merchant_id: str
    currency_id: str
    exponent: int
    balance: Decimal
    taken: Decimal

    @property
    def is_channel(self) -> bool:
        """Whether this is the money at a channel."""
        return not self.merchant_id


@dataclass(frozen=True, kw_only=True)
class Lowest:
    """The lowest balances, wallets first, and how many are low in all."""

    rows: tuple[Low, ...]
    count: int


def lowest(
    *,
    wallets: QuerySet[Account],
    channels: QuerySet[Account],
    now: datetime,
    row_count: int,
) -> Lowest:
    """Return the lowest of the wallets' available accounts, and of the channels' clearing accounts.

    A wallet is low when it holds less than its merchant's payouts on its channel took in the last 24 full
    hours (all but failed and rejected ones); a channel, whose money is what the book says has come in through
    it and not gone out, when it holds less than its payouts took. At most `row_count` of each are returned,
    those first that hold the smallest share of what was taken.
    """
    # Whole hours, so that no order itself is read.
    end = periods.rounded_up(now, periods.HOUR)
    hours: list[Any] = [totals.PAYOUTS, end - DAY, end, _TAKING]
    of_wallets, of_channels = _ids(wallets), _ids(channels)
    statement = _STATEMENT.format(
        hours=_OF_HOURS.format(table="records_orderhourtotal"),
        deltas=_OF_HOURS.format(table="records_orderdelta"),
        wallets=of_wallets[0],
        channels=of_channels[0],
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*hours, *hours, *of_wallets[1], *of_channels[1], row_count])
        found = cursor.fetchall()
    return Lowest(
        rows=tuple(
            Low(
                name=name, merchant_id=merchant, currency_id=currency, exponent=exponent, balance=balance,
                taken=taken,
            )
            for _kind, name, merchant, currency, exponent, balance, taken, _count in found
        ),
        count=sum({row[0]: int(row[-1]) for row in found}.values()),
    )  # fmt: skip


def _ids(accounts: QuerySet[Account]) -> tuple[str, Sequence[Any]]:
    try:
        return accounts.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return "SELECT NULL::bigint", ()
