"""The postings and balance records of a drawn book: openings, credits, freezes and what resolved them.

Wallets' entries are chained in the order of time, as the database chains them when money really moves.
"""

from __future__ import annotations

from benchmarks.backoffice_stock import SLOTS

_LANES = f"""
    SELECT DISTINCT ON (wallet_id) wallet_id, merchant_id, channel_id, currency_id, available_id, frozen_id,
        clearing_id, fees_id, adjustment_id, scale
    FROM {SLOTS} ORDER BY wallet_id, slot
"""  # noqa: S608 - our own constants
_WALLETS = "benchmark_wallet"
# Every wallet opens with more than it will ever pay out.
_OPENING = 1_000_000_000
_POSTING = """
    INSERT INTO records_posting (id, effect_key, kind, currency_id, payment_id, payout_id, order_no, remark,
        created_at, recorded_at, recorded_xid)
"""
POSTINGS = (
    f"""
    CREATE TABLE {_WALLETS} AS
    SELECT row_number() OVER (ORDER BY wallet_id) AS number, lane.* FROM ({_LANES}) AS lane
    """,  # noqa: S608 - our own constants
    f"""
    {_POSTING} SELECT number, 'adjust:opening-' || wallet_id, 'manual_adjustment', currency_id, NULL, NULL,
        '', 'opening', %(start)s::timestamptz, %(start)s::timestamptz, 0 FROM {_WALLETS}
    """,  # noqa: S608 - our own constants
    f"""
    {_POSTING} SELECT credit_posting_id, 'payment:' || payment_id || ':credit', 'deposit_credit', currency_id,
        id, NULL, payment_id, '', completed_at, completed_at, 0 FROM records_payment WHERE status = 1
    """,  # noqa: S608 - our own constants
    f"""
    {_POSTING} SELECT freeze_posting_id, 'payout:' || payout_id || ':freeze', 'balance_freeze', currency_id,
        NULL, id, payout_id, '', created_at, created_at, 0 FROM records_payout
    """,  # noqa: S608 - our own constants
    f"""
    {_POSTING} SELECT resolve_posting_id, 'payout:' || payout_id || ':resolve',
        CASE status WHEN 1 THEN 'payout_debit' ELSE 'balance_unfreeze' END, currency_id,
        NULL, id, payout_id, '', completed_at, completed_at, 0 FROM records_payout WHERE status IN (1, 2, 4)
    """,  # noqa: S608 - our own constants
)
_LEG = (
    "SELECT {posting} AS posting_id, {amount} AS amount, {kind} AS change_type, {number} AS order_no,"
    " {at} AS at"
)


def _leg(*, account: str, table: str, posting: str, amount: str, kind: str, number: str, at: str) -> str:
    """Return the entries of one kind on one of the wallets' accounts, named by its column."""
    leg = _LEG.format(posting=posting, amount=amount, kind=kind, number=number, at=at)
    source = f"{table} AS source JOIN {_WALLETS} AS wallet ON wallet.wallet_id = source.merchant_channel_id"
    return f"{leg}, wallet.{account} AS account_id, wallet.* FROM {source}"


_CREDIT = {"table": "records_payment", "posting": "credit_posting_id", "number": "payment_id"}
_FREEZE = {"table": "records_payout", "posting": "freeze_posting_id", "number": "payout_id"}
_RESOLVE = {**_FREEZE, "posting": "resolve_posting_id", "at": "completed_at"}
_FROZEN = {**_FREEZE, "kind": "'balance_freeze'", "at": "source.created_at"}
_RESOLVED = "CASE status WHEN 1 THEN 'payout_debit' ELSE 'balance_unfreeze' END"
_AVAILABLE_LEGS = (
    f"""
    SELECT number AS posting_id, {_OPENING}::numeric * scale AS amount, 'manual_adjustment' AS change_type,
        '' AS order_no, %(start)s::timestamptz AS at, available_id AS account_id, wallet.*
    FROM {_WALLETS} AS wallet
    """,  # noqa: S608 - our own constants
    _leg(
        account="available_id",
        **_CREDIT,
        amount="credited_amount",
        kind="'deposit_credit'",
        at="completed_at",
    )
    + " WHERE source.status = 1",
    _leg(account="available_id", **_FROZEN, amount="-debited_amount"),
    _leg(account="available_id", **_RESOLVE, amount="debited_amount", kind=_RESOLVED)
    + " WHERE source.status IN (2, 4)",
)
_FROZEN_LEGS = (
    _leg(account="frozen_id", **_FROZEN, amount="debited_amount"),
    _leg(account="frozen_id", **_RESOLVE, amount="-debited_amount", kind=_RESOLVED)
    + " WHERE source.status IN (1, 2, 4)",
)
_ENTRY = """
    INSERT INTO records_balancerecord (posting_id, account_id, account_kind, sequence, amount, balance_before,
        balance_after, change_type, currency_id, merchant_id, merchant_channel_id, channel_id, order_no,
        created_at, recorded_at)
"""


def _chained(kind: str, legs: tuple[str, ...]) -> str:
    return f"""
        {_ENTRY}
        SELECT posting_id, account_id, '{kind}', sequence, amount, after - amount, after, change_type,
            currency_id, merchant_id, wallet_id, channel_id, order_no, at, at
        FROM (
            SELECT *, row_number() OVER chain AS sequence, sum(amount) OVER chain AS after
            FROM ({" UNION ALL ".join(legs)}) AS leg
            WINDOW chain AS (PARTITION BY account_id ORDER BY at, posting_id ROWS UNBOUNDED PRECEDING)
        ) AS linked ORDER BY at, posting_id
    """  # noqa: S608 - our own constants


# Columns of the wallet, the account's kind, and what the entry says, of each entry on a system account.
_SYSTEM_LEGS = (
    ("adjustment", f"-{_OPENING}::numeric * scale", ""),
    ("clearing", "-settled_amount", _CREDIT["table"]),
    ("fees", "fee", _CREDIT["table"]),
    ("clearing", "debited_amount - fee", _FREEZE["table"]),
    ("fees", "fee", _FREEZE["table"]),
)


def _system(kind: str, amount: str, table: str) -> str:
    channel = "wallet.channel_id" if kind == "clearing" else "NULL"
    if not table:
        said = "number, 'manual_adjustment', '', %(start)s::timestamptz"
        source = f"{_WALLETS} AS wallet"
    else:
        said = (
            "credit_posting_id, 'deposit_credit', payment_id, completed_at"
            if table == _CREDIT["table"]
            else "resolve_posting_id, 'payout_debit', payout_id, completed_at"
        )
        source = (
            f"{table} AS source JOIN {_WALLETS} AS wallet ON wallet.wallet_id = source.merchant_channel_id"
            f" WHERE source.status = 1 AND {amount} <> 0"
        )
    posting, change_type, order_no, at = said.split(", ")
    return f"""
        {_ENTRY}
        SELECT {posting}, wallet.{kind}_id, '{kind}', NULL, {amount}, NULL, NULL, {change_type},
            wallet.currency_id, NULL, NULL, {channel}, {order_no}, {at}, {at}
        FROM {source}
    """  # noqa: S608 - our own constants


ENTRIES = (
    _chained("available", _AVAILABLE_LEGS),
    _chained("frozen", _FROZEN_LEGS),
    *(_system(*leg) for leg in _SYSTEM_LEGS),
    """
    UPDATE records_account AS account SET balance = moved.balance, sequence = moved.sequence
    FROM (
        SELECT account_id, sum(amount) AS balance, count(*) AS sequence FROM records_balancerecord
        WHERE sequence IS NOT NULL GROUP BY account_id
    ) AS moved WHERE moved.account_id = account.id
    """,
    """
    INSERT INTO records_accounttotal (account_id, balance, entry_count)
    SELECT account_id, sum(amount), count(*) FROM records_balancerecord WHERE sequence IS NULL
    GROUP BY account_id
    """,
    f"DROP TABLE {_WALLETS}",
)
