"""A book of any size for the back office, drawn in SQL with no trigger firing.

Deposits and a tenth as many payouts of very unequal merchants over 90 days, busy in the evening and quiet at
night, with all that hangs on them: history, attempts, postings, balance records, notifications and totals.
Every check of the book holds afterwards. The same number always draws the same order.
"""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from psycopg import sql

from benchmarks import backoffice_ledger, backoffice_load
from benchmarks.backoffice_stock import PAYMENT_MODEL, PAYOUT_MODEL, SLOT_COUNT, SLOTS
from benchmarks.stage import NotReady, Place
from diamondpay.lib import clock
from records.models import Account, Payment, Payout

DAYS = 90
PAYOUT_SHARE = 10
# Past this many deposits it pays to build the indexes afterwards and to write without care for a power cut.
LARGE = 200_000
# With all that hangs on one, its indexes, and what PostgreSQL writes beside them.
_BYTES_PER_DEPOSIT = 5_000
Statements = tuple[str, ...]

# The first row is the oldest. `u` runs evenly over the days; the wave makes evenings (Shanghai) busy and
# nights quiet, by a factor of about six, and keeps the order of the numbers.
_DRAWN = f"""
    SELECT *, end_at - (({DAYS} - u) - 0.7 / (2 * pi()) * (sin(2 * pi() * (u + day_part))
            - sin(2 * pi() * day_part))) * interval '86400 seconds' AS born_at
    FROM (
        SELECT number, hashint8extended(number, %(seed)s) AS h, hashint8extended(number, %(seed)s + 1) AS g,
            number * {DAYS}::float8 / %(count)s AS u, %(end)s::timestamptz AS end_at,
            extract(epoch FROM %(end)s::timestamptz)::float8 / 86400 AS day_part
        FROM generate_series(1, %(count)s::bigint) AS number
    ) AS numbered
"""  # noqa: S608 - our own constants
# Three amounts of eight are round prices; the others are log-normal, of 200 in the middle.
_AMOUNT = """
    greatest(1, round((CASE WHEN g & 7 < 3
        THEN (ARRAY[50, 100, 100, 200, 300, 500, 1000, 2000])[1 + (g >> 3 & 7)]
        ELSE exp(5.3 + 2 * ((h >> 34 & 1023) + (h >> 44 & 1023) + (h >> 54 & 511) * 2 - 1534.5) / 1023)
    END * slot.scale)::numeric, slot.decimals)) AS amount
"""
_MADE = f"""
    SELECT drawn.*, slot.*, {_AMOUNT}, (h >> 14 & 1048575) %% 100 AS lot, g >> 16 & 1023 < 10 AS test,
        g >> 26 & 1023 AS chance, lpad(((g >> 36 & 4194303) * 7919 %% 10000)::text, 4, '0') AS tail,
        sha256(int8send(g >> 36 & 4194303)) AS payer
    FROM ({_DRAWN}) AS drawn JOIN {SLOTS} AS slot ON slot.slot = drawn.h & {SLOT_COUNT - 1}
"""  # noqa: S608 - our own constants
# What deposits and payouts draw alike; every other column is the model's.
_SHARED = {
    "id": "made.number",
    "merchant_id": "made.merchant_id",
    "merchant_order_no": "to_char(made.born_at, 'YYMMDDHH24MISS') || lpad(made.number::text, 9, '0')",
    "channel_id": "made.channel_id",
    "merchant_channel_id": "made.wallet_id",
    "currency_id": "made.currency_id",
    "settlement_currency_id": "made.currency_id",
    "routing": "jsonb_build_object('channel', made.channel_id, 'merchant_channel', made.wallet_id,"
    " 'weight', 100, 'ruled_out', '[]'::jsonb)",
    "channel_order_no": "'4' || lpad((made.g & 9007199254740991)::text, 17, '0')",
    "requested_amount": "made.amount",
    "status": "made.status",
    "fee_permillage": "made.permillage",
    "party_name": "(ARRAY['Wang Wei', 'Li Na', 'Zhang Min', 'Liu Yang', 'Chen Jie', 'Somchai Rak',"
    " 'Ana Souza', 'Nguyen An'])[1 + (made.h >> 20 & 7)]",
    "account_masked": "CASE WHEN made.chance < 870 THEN '************' || made.tail ELSE '' END",
    "account_tail": "CASE WHEN made.chance < 870 THEN made.tail ELSE '' END",
    "account_hash": "CASE WHEN made.chance < 870 THEN made.payer END",
    "phone_masked": "CASE WHEN made.chance < 300 THEN '*******' || made.tail ELSE '' END",
    "phone_hash": "CASE WHEN made.chance < 300 THEN made.payer END",
    "is_test": "made.test",
    "notify_url": "CASE WHEN made.is_told THEN model.notify_url ELSE '' END",
    "created_at": "made.born_at",
    "submitted_at": "made.born_at + interval '400 milliseconds'",
    "recorded_at": "made.born_at",
    "completed_at": "made.ended_at",
    "updated_at": "coalesce(made.ended_at, made.born_at)",
    "next_query_at": "NULL",
}
_PAYMENT = {
    **_SHARED,
    "payment_id": "'PM' || lpad(made.number::text, 8, '0')",
    "service_id": "made.service_id",
    "actual_amount": "CASE WHEN made.status = 1 THEN made.amount END",
    "settled_amount": "CASE WHEN made.status = 1 THEN made.amount END",
    "fee": "CASE WHEN made.status = 1 THEN made.charge END",
    "credited_amount": "CASE WHEN made.status = 1 THEN made.amount - made.charge END",
    "credit_posting_id": "CASE WHEN made.status = 1 THEN %(posting)s::bigint + made.number END",
    "remark_code": "CASE made.service_id WHEN 'SVC0001'"
    " THEN upper(to_hex(made.h >> 20 & 268435455)) ELSE '' END",
    "expires_at": "made.born_at + interval '10 minutes'",
    "changed_by": "CASE made.status WHEN 0 THEN 'merchant' WHEN 3 THEN 'expiry' ELSE 'callback' END",
    "version": "CASE WHEN made.status = 0 THEN 0 ELSE 1 END",
}
# Of a hundred, 78 are paid, 10 closed, 8 failed and 4 open; an open one that is older than its ten minutes is
# closed by the clock, but for one in a thousand that nobody has looked after.
_PAYMENTS = f"""
    INSERT INTO records_payment ({{columns}}) SELECT {{values}} FROM (
        SELECT *, CASE WHEN status = 3 THEN born_at + interval '600 seconds'
                WHEN status <> 0 THEN born_at + (15 + chance * 0.57) * interval '1 second' END AS ended_at,
            round(amount * permillage / 1000, decimals) AS charge
        FROM (
            SELECT *, CASE WHEN lot < 78 THEN 1 WHEN lot < 88 THEN 3 WHEN lot < 96 THEN 2
                WHEN born_at > end_at - interval '10 minutes' OR chance = 7 THEN 0 ELSE 3 END AS status
            FROM ({_MADE}) AS made
        ) AS known
    ) AS made, {PAYMENT_MODEL} AS model
"""  # noqa: S608 - our own constants
_PAYOUT = {
    **_SHARED,
    "payout_id": "'POT' || lpad(made.number::text, 8, '0')",
    "service_id": "made.payout_service_id",
    "actual_amount": "CASE WHEN made.status = 1 THEN made.amount END",
    "fee": "made.charge",
    "debited_amount": "made.amount + made.charge",
    "freeze_posting_id": "%(posting)s::bigint + 2 * made.number",
    "resolve_posting_id": "CASE WHEN made.status IN (1, 2, 4)"
    " THEN %(posting)s::bigint + 2 * made.number + 1 END",
    "changed_by": "CASE made.status WHEN 0 THEN 'merchant' WHEN 3 THEN 'merchant' WHEN 4 THEN 'operator'"
    " ELSE 'callback' END",
    "version": "CASE WHEN made.status IN (0, 3) THEN 0 ELSE 1 END",
}
_PAYOUTS = f"""
    INSERT INTO records_payout ({{columns}}) SELECT {{values}} FROM (
        SELECT *, CASE WHEN status IN (1, 2, 4) THEN born_at + (30 + chance * 0.5) * interval '1 second' END
                AS ended_at,
            round(amount * permillage / 1000, decimals) AS charge
        FROM (
            SELECT *, CASE WHEN lot < 85 THEN 1 WHEN lot < 93 THEN 2 WHEN lot < 96 THEN 4
                WHEN born_at > end_at - interval '2 hours' OR chance = 7
                THEN CASE lot WHEN 99 THEN 3 ELSE 0 END
                ELSE 1 END AS status
            FROM ({_MADE}) AS made
        ) AS known
    ) AS made, {PAYOUT_MODEL} AS model
"""  # noqa: S608 - our own constants
_HISTORY: Statements = (
    """
    INSERT INTO records_statuschange
        (payment_id, version, to_status, changed_by, reason, created_at, recorded_at)
    SELECT id, 0, 0, 'merchant', '', created_at, created_at FROM records_payment
    """,
    """
    INSERT INTO records_statuschange
        (payment_id, version, from_status, to_status, changed_by, reason, created_at, recorded_at)
    SELECT id, 1, 0, status, changed_by, '', completed_at, completed_at FROM records_payment WHERE status <> 0
    """,
    """
    INSERT INTO records_statuschange
        (payout_id, version, to_status, changed_by, reason, created_at, recorded_at)
    SELECT id, 0, CASE WHEN status IN (3, 4) THEN 3 ELSE 0 END, 'merchant', '', created_at, created_at
    FROM records_payout
    """,
    """
    INSERT INTO records_statuschange
        (payout_id, version, from_status, to_status, changed_by, reason, created_at, recorded_at)
    SELECT id, 1, CASE WHEN status = 4 THEN 3 ELSE 0 END, status, changed_by, '', completed_at, completed_at
    FROM records_payout WHERE status IN (1, 2, 4)
    """,
)
_ATTEMPTS: Statements = (
    """
    INSERT INTO records_payoutattempt (payout_id, number, reference, channel_id, state, channel_order_no,
        reason, prepared_at, sent_at, accepted_at, finished_at, query_count)
    SELECT id, 1, payout_id || '-1', channel_id,
        CASE status WHEN 1 THEN 'succeeded' WHEN 2 THEN 'failed' ELSE 'sent' END, channel_order_no, '',
        created_at, created_at, submitted_at, completed_at, 0
    FROM records_payout WHERE status IN (0, 1, 2)
    """,
)
# The language of the wire is the dialect's; the content here is of its length and kind.
_NOTIFICATION = """
    INSERT INTO records_notification (webhook_id, merchant_id, {order}, order_no, order_version, order_status,
        dialect, sign_type, url, facts, state, attempt_count, attempt_count_max, created_at, finished_at,
        due_at, last_reason)
    SELECT {number} || '-1', merchant_id, id, {number}, 1, status, dialect, sign_type, notify_url,
        jsonb_build_object('{number}', {number}, 'cl_id', merchant_order_no, 'platform_id', merchant_id,
            'amount', requested_amount, 'status', status, 'update_time', completed_at),
        state, CASE state WHEN 'success' THEN 1 WHEN 'failed' THEN 6 ELSE 2 END, 6, completed_at,
        CASE WHEN state <> 'retrying' THEN completed_at + interval '1 second' END,
        CASE WHEN state = 'retrying' THEN now() + interval '1 hour' END,
        CASE WHEN state = 'success' THEN '' ELSE 'HTTP 500' END
    FROM (
        SELECT *, CASE
            WHEN id %% 97 = 0 AND completed_at > %(end)s::timestamptz - interval '1 day' THEN 'retrying'
            WHEN id %% 331 = 0 THEN 'failed' ELSE 'success' END AS state
        FROM {table} WHERE notify_url <> '' AND status IN (1, 2, {last})
    ) AS told
"""
_NOTIFICATIONS: Statements = (
    _NOTIFICATION.format(order="payment_id", number="payment_id", table="records_payment", last=3),
    _NOTIFICATION.format(order="payout_id", number="payout_id", table="records_payout", last=4),
    """
    INSERT INTO records_notificationattempt (notification_id, number, started_at, url, body, finished_at,
        is_success, http_status, answer, reason, duration_ms)
    SELECT id, number, created_at, url, facts::text, created_at + interval '120 milliseconds',
        state = 'success', CASE WHEN state = 'success' THEN 200 ELSE 500 END,
        CASE WHEN state = 'success' THEN 'success' ELSE 'error' END, last_reason, 120
    FROM records_notification, generate_series(1, attempt_count) AS number
    """,
)
_TOTALS: Statements = ("SELECT records_recount_totals()",)
_LARGEST = ("records_payment", "records_balancerecord", "records_posting", "records_statuschange")
_BOOK = (*_HISTORY, *_ATTEMPTS, *_NOTIFICATIONS, *_TOTALS)


def refill(place: Place, *, count: int) -> datetime:
    """Empty the book, and fill it with `count` deposits and a tenth as many payouts.

    Returns the moment of the newest order.
    Raises: NotReady when the disk has no room for so many.
    """
    if shutil.disk_usage(place.home).free < count * _BYTES_PER_DEPOSIT:
        raise NotReady(f"{count:,} deposits take {count * _BYTES_PER_DEPOSIT / 1e9:.0f} GB of free disk.")
    tables = _tables()
    is_large = count >= LARGE
    # Ten minutes before now an order closes, so nothing lies in the future.
    end = clock.now() - timedelta(minutes=11)
    moments = {"end": end, "start": end - timedelta(days=DAYS + 1)}
    payments = {**moments, "count": count, "seed": 1, "posting": 10**6}
    payouts = {**moments, "count": max(1, count // PAYOUT_SHARE), "seed": 5, "posting": 10**6 + count}
    with backoffice_load.careless(place) if is_large else nullcontext():
        _empty(place, tables)
        if is_large:
            backoffice_load.leave_indexes(place, tables)
        backoffice_load.together(
            place,
            ((_orders(_PAYMENTS, _PAYMENT, Payment),), payments),
            ((_orders(_PAYOUTS, _PAYOUT, Payout),), payouts),
        )
        ledger = (*backoffice_ledger.POSTINGS, *backoffice_ledger.ENTRIES)
        backoffice_load.together(place, (ledger, moments), (_BOOK, moments))
        backoffice_load.tidy(place, [*tables, "records_account"], has_indexes=not is_large)
    return end


def _empty(place: Place, tables: list[str]) -> None:
    with place.loader() as loader:
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        loader.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
        loader.execute("UPDATE records_account SET balance = 0, sequence = 0")


def _orders(statement: str, drawn: dict[str, str], model: Any) -> str:
    """Return the statement that inserts all columns of an order, drawn or as the model has them."""
    columns = [str(field.column) for field in model._meta.concrete_fields]
    values = [drawn.get(column, f'model."{column}"') for column in columns]
    return statement.format(columns=", ".join(f'"{column}"' for column in columns), values=", ".join(values))


def _tables() -> list[str]:
    """Return every table of the book but the accounts, which stay with their wallets; the largest first."""
    models = apps.get_app_config("records").get_models(include_auto_created=True)
    tables = [model._meta.db_table for model in models if model is not Account]
    return sorted(tables, key=lambda table: table not in _LARGEST)
