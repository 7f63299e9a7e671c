"""A merchant with very many deposits, loaded by SQL with no trigger firing.

Orders, history, postings and totals: nothing is left out, so every check of the book
holds afterwards, as if each order had been placed and paid.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

from benchmarks import stock
from benchmarks.stage import Place
from records.models import Account, Payment

DAYS = 90
# Of a hundred orders these many are paid, closed and failed; the rest is open.
_STATUS = "CASE WHEN lot < 78 THEN 1 WHEN lot < 88 THEN 3 WHEN lot < 96 THEN 2 ELSE 0 END"
_OWN_COLUMNS = {
    "id": "made.number",
    "payment_id": "'PM' || made.number",
    "merchant_order_no": "'ORDER-' || made.number",
    "channel_order_no": "'UP-PM' || made.number",
    "requested_amount": "made.amount",
    "status": "made.status",
    "actual_amount": "CASE WHEN made.status = 1 THEN made.amount END",
    "settled_amount": "CASE WHEN made.status = 1 THEN made.amount END",
    "fee": "CASE WHEN made.status = 1 THEN made.fee END",
    "credited_amount": "CASE WHEN made.status = 1 THEN made.amount - made.fee END",
    "credit_posting_id": "CASE WHEN made.status = 1 THEN %(posting)s::bigint + made.number - %(first)s END",
    "created_at": "made.born_at",
    "submitted_at": "made.born_at + interval '1 second'",
    "recorded_at": "made.born_at",
    "expires_at": "made.born_at + interval '1 hour'",
    "completed_at": "made.ended_at",
    "updated_at": "coalesce(made.ended_at, made.born_at)",
    "changed_by": "CASE made.status WHEN 0 THEN 'merchant' WHEN 3 THEN 'expiry' ELSE 'callback' END",
    "version": "CASE WHEN made.status = 0 THEN 0 ELSE 1 END",
    "next_query_at": "NULL",
}
# hashint8 spreads like chance and is the same in every run.
_PAYMENTS = f"""
    INSERT INTO records_payment ({{columns}}) SELECT {{values}}
    FROM (
        SELECT *, round(amount * 8 / 1000, 2) AS fee,
            CASE WHEN status <> 0 THEN born_at + (60 + lot * 5) * interval '1 second' END AS ended_at
        FROM (
            SELECT *, {_STATUS} AS status FROM (
                SELECT number, abs(hashint8(number)::bigint) %% 100 AS lot,
                    10 + (abs(hashint8(number * 7)::bigint) %% 500000)::numeric / 100 AS amount,
                    now() - interval '1 hour' - (%(first)s::bigint + %(count)s - number)
                        * (interval '{DAYS} days' / %(count)s) AS born_at
                FROM generate_series(%(first)s::bigint, %(first)s::bigint + %(count)s - 1) AS number
            ) AS drawn
        ) AS known
    ) AS made, records_payment AS model
    WHERE model.id = %(model)s
"""  # noqa: S608 - our own constants
_MINE = "FROM records_payment WHERE id >= %(first)s AND id < %(first)s::bigint + %(count)s"
_HISTORY = (
    f"""
    INSERT INTO records_statuschange
        (payment_id, version, to_status, changed_by, reason, created_at, recorded_at)
    SELECT id, 0, 0, 'merchant', '', created_at, created_at {_MINE}
    """,
    f"""
    INSERT INTO records_statuschange
        (payment_id, version, from_status, to_status, changed_by, reason, created_at, recorded_at)
    SELECT id, 1, 0, status, changed_by, '', completed_at, completed_at {_MINE} AND status <> 0
    """,
)
_POSTINGS = f"""
    INSERT INTO records_posting
        (id, effect_key, kind, currency_id, payment_id, order_no, remark, created_at, recorded_at,
        recorded_xid)
    SELECT credit_posting_id, 'payment:' || payment_id || ':credit', 'deposit_credit', currency_id, id,
        payment_id, '', completed_at, completed_at, 0
    {_MINE} AND status = 1
"""
_ENTRY_COLUMNS = """
    posting_id, account_id, account_kind, sequence, amount, balance_before, balance_after, change_type,
    currency_id, merchant_id, merchant_channel_id, channel_id, order_no, created_at, recorded_at
"""
_WALLET_ENTRIES = f"""
    INSERT INTO records_balancerecord ({_ENTRY_COLUMNS})
    SELECT credit_posting_id, %(available)s, 'available', sequence, credited_amount, after - credited_amount,
        after, 'deposit_credit', currency_id, merchant_id, merchant_channel_id, channel_id, payment_id,
        completed_at, completed_at
    FROM (
        SELECT *, row_number() OVER in_order AS sequence, sum(credited_amount) OVER in_order AS after
        {_MINE} AND status = 1 WINDOW in_order AS (ORDER BY id)
    ) AS chain
"""  # noqa: S608 - our own constants
_SYSTEM_ENTRIES = f"""
    INSERT INTO records_balancerecord ({_ENTRY_COLUMNS})
    SELECT credit_posting_id, account.id, account.kind, NULL, leg.amount, NULL, NULL, 'deposit_credit',
        mine.currency_id, NULL, NULL, account.channel_id, payment_id, completed_at, completed_at
    FROM (SELECT * {_MINE} AND status = 1) AS mine,
        LATERAL (VALUES (%(clearing)s, -settled_amount), (%(fees)s, mine.fee)) AS leg (account_id, amount),
        records_account AS account
    WHERE account.id = leg.account_id AND leg.amount <> 0
"""  # noqa: S608 - our own constants
_BALANCES = (
    f"""
    UPDATE records_account SET (balance, sequence) =
        (SELECT coalesce(sum(credited_amount), 0), count(*) {_MINE} AND status = 1)
    WHERE id = %(available)s
    """,  # noqa: S608 - our own constants
    f"""
    INSERT INTO records_accounttotal AS total (account_id, balance, entry_count)
    SELECT account_id, sum(amount), count(*) FROM records_balancerecord
    WHERE account_id IN (%(clearing)s, %(fees)s) AND posting_id IN (SELECT credit_posting_id {_MINE})
    GROUP BY account_id
    ON CONFLICT (account_id) DO UPDATE SET
        balance = total.balance + excluded.balance, entry_count = total.entry_count + excluded.entry_count
    """,  # noqa: S608 - our own constants
)
_ORDER_TOTALS = f"""
    INSERT INTO {{table}} ({{period}} kind, merchant, service, channel, currency, settlement_currency,
        is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum)
    SELECT {{period_of}} 1, merchant_id, service_id, channel_id, currency_id, settlement_currency_id,
        is_test, status, count(*), sum(requested_amount), sum(coalesce(actual_amount, 0)),
        sum(coalesce(fee, 0)), sum(coalesce(credited_amount, 0))
    {_MINE} GROUP BY {{period_of}} merchant_id, service_id, channel_id, currency_id, settlement_currency_id,
        is_test, status
"""
_PERIODS = {
    "records_orderhourtotal": ("hour, ", "date_trunc('hour', created_at, 'UTC'), "),
    "records_orderdaytotal": ("day, ", "(created_at AT TIME ZONE 'UTC')::date, "),
    "records_ordertotal": ("", ""),
}
_TABLES = (
    "records_payment", "records_statuschange", "records_posting", "records_balancerecord", *_PERIODS,
    "records_platformtotal", "records_summarytotal", "records_amounttotal",
)  # fmt: skip


def load(place: Place, *, model: Payment, count: int) -> None:
    """Give the model's merchant `count` more deposits over the last 90 days; its wallet must be unused."""
    accounts = _accounts(model)
    first = stock.reserve_payment_numbers(count)
    with place.loader() as loader:
        parameters = {
            **accounts,
            "first": first,
            "count": count,
            "model": model.pk,
            "posting": _reserve_postings(loader, count),
        }
        loader.execute(_payments(), parameters)
        loader.execute("ANALYZE records_payment")
        for statement in (*_HISTORY, _POSTINGS, _WALLET_ENTRIES, _SYSTEM_ENTRIES):
            loader.execute(statement.encode(), parameters)
        # Without it the planner takes the new rows for a handful and joins them one by one.
        loader.execute("ANALYZE records_balancerecord")
        for statement in _BALANCES:
            loader.execute(statement.encode(), parameters)
        for table, (period, period_of) in _PERIODS.items():
            text = _ORDER_TOTALS.format(table=table, period=period, period_of=period_of)
            loader.execute(text.encode(), parameters)
        loader.execute("SELECT records_refill_totals()")


def tidy(place: Place) -> None:
    """Do what the worker and autovacuum do sooner or later, so that it does not happen while we measure."""
    with place.owner() as owner:
        # The models' own orders first, then what stands above the merchants' totals.
        owner.execute("SELECT records_fold_order_totals(1000000)")
        owner.execute("SELECT records_refill_totals()")
        for table in _TABLES:
            owner.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))


def _payments() -> sql.Composed:
    values = [
        sql.SQL(_OWN_COLUMNS[column]) if column in _OWN_COLUMNS else sql.Identifier("model", column)
        for column in stock.PAYMENT_COLUMNS
    ]
    return sql.SQL(_PAYMENTS).format(
        columns=sql.SQL(", ").join(sql.Identifier(column) for column in stock.PAYMENT_COLUMNS),
        values=sql.SQL(", ").join(values),
    )


def _accounts(model: Payment) -> Mapping[str, int]:
    wallet = Account.objects.get(merchant_channel_id=model.merchant_channel_id, kind=Account.Kind.AVAILABLE)
    clearing = Account.objects.get(
        channel_id=model.channel_id, kind=Account.Kind.CLEARING, currency_id=model.currency_id
    )
    fees = Account.objects.get(kind=Account.Kind.FEES, currency_id=model.currency_id)
    return {"available": wallet.pk, "clearing": clearing.pk, "fees": fees.pk}


def _reserve_postings(loader: psycopg.Connection, count: int) -> int:
    """Take a run of posting ids; return the first."""
    row = loader.execute(
        "SELECT min(taken.id), setval(pg_get_serial_sequence('records_posting', 'id'), min(taken.id) + %s)"
        " FROM (SELECT nextval(pg_get_serial_sequence('records_posting', 'id')) AS id) AS taken",
        [count],
    ).fetchone()
    return int(row[0]) if row else 0
