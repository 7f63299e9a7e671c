"""What the benchmarks work on: an instant channel, merchants, real deposits, and many more like them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from decimal import Decimal

from django.db import connection
from psycopg import sql
from psycopg.errors import QueryCanceled

from benchmarks import instant_upstream
from benchmarks.stage import Place
from channels.models import Channel, ChannelService, Currency, Service
from channels.secrets import seal_settings
from channels.upstreams import base
from diamondpay.lib import clock, owner
from merchants import registration
from merchants.registration import Registered
from operations import placement
from records import checks
from records.models import Payment, SignType, Source

SERVICE = "SVC0001"
FEE_PERMILLAGE = Decimal(8)
CHECK_SECONDS_MAX = 60
# Columns of a deposit that tell it from the one it was made after.
_OWN_COLUMNS = {
    "id": "number",
    "payment_id": "'PM' || number",
    "merchant_order_no": "'BENCH-' || number",
    "channel_order_no": "'UP-PM' || number",
    "next_query_at": "NULL",
    "expires_at": "clock_timestamp() + interval '1 day'",
}
PAYMENT_COLUMNS = [str(field.column) for field in Payment._meta.concrete_fields]
_MULTIPLY = """
    INSERT INTO records_payment ({columns}) SELECT {values}
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number
    JOIN unnest(%(models)s::bigint[]) WITH ORDINALITY AS chosen (id, position)
        ON chosen.position = 1 + (number - %(first)s) %% %(model_count)s
    JOIN records_payment AS model ON model.id = chosen.id
"""


def make_channel() -> Channel:
    """Make the channel whose upstream answers at once."""
    in_force = {"status": "enabled", "terms_since": clock.now()}
    with owner.connected():
        channel = Channel.objects.create(
            code=instant_upstream.NAME,
            name="Instant",
            upstream=instant_upstream.NAME,
            settings_encrypted=seal_settings({}),
            currency=Currency.objects.get(pk="CNY"),
            **in_force,
        )
        service = Service.objects.get(pk=SERVICE)
        ChannelService.objects.create(channel=channel, service=service, **in_force)
    return channel


def make_merchants(count: int) -> list[Registered]:
    """Register merchants, each with one wallet on the instant channel and a fee of 8 ‰."""
    with owner.connected():
        return [
            registration.register(
                name=f"Benchmark {number + 1}",
                services=[SERVICE],
                channels=[instant_upstream.NAME],
                now=clock.now(),
                terms=registration.Terms(fee_permillage=FEE_PERMILLAGE),
                is_in_force=True,
                actor="benchmarks",
            )
            for number in range(count)
        ]


def place_deposit(merchant: Registered, *, notify_url: str = "") -> Payment:
    """Place a deposit of 100.00 on the same road as the API's."""
    return placement.place_payment(
        order=placement.NewPayment(
            merchant=merchant.merchant,
            service_id=SERVICE,
            merchant_order_no=f"first-{secrets.token_hex(8)}",
            amount=Decimal(100),
            party=base.Party(name="Wang Xiao", account="6222020200011112222", phone="13800138000"),
            notify_url=notify_url,
            sign_type=SignType.HMAC_SHA256,
            source=Source.API_V1,
        )
    )


def multiply(place: Place, *, models: Sequence[Payment], count: int) -> range:
    """Insert `count` open deposits like the models, in turn, with every trigger firing; return their ids.

    Deposit `first + i` is like model `i % len(models)`. Nobody asks the upstream about them.
    """
    first = reserve_payment_numbers(count)
    values = [
        sql.SQL(_OWN_COLUMNS[column]) if column in _OWN_COLUMNS else sql.Identifier("model", column)
        for column in PAYMENT_COLUMNS
    ]
    statement = sql.SQL(_MULTIPLY).format(
        columns=sql.SQL(", ").join(sql.Identifier(column) for column in PAYMENT_COLUMNS),
        values=sql.SQL(", ").join(values),
    )
    parameters = {
        "first": first,
        "last": first + count - 1,
        "models": [model.pk for model in models],
        "model_count": len(models),
    }
    with place.owner() as owner:
        owner.execute(statement, parameters)
        owner.execute("ANALYZE records_payment")
    return range(first, first + count)


def book_note(place: Place) -> str:
    """Return whether every check of the book holds after what was measured, and which took too long."""
    broken: list[str] = []
    unfinished: list[str] = []
    with place.owner() as owner:
        owner.execute(f"SET statement_timeout = '{CHECK_SECONDS_MAX}s'")
        for check in checks.CHECKS:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(check.view))
            try:
                row = owner.execute(query).fetchone()
            except QueryCanceled:
                unfinished.append(check.view)
            else:
                if row != (0,):
                    broken.append(check.view)
    if broken:
        return f"Afterwards the book did NOT hold: {', '.join(broken)}."
    if not unfinished:
        return f"Afterwards all {len(checks.CHECKS)} checks of the book held."
    held = len(checks.CHECKS) - len(unfinished)
    return (
        f"Afterwards {held} of {len(checks.CHECKS)} checks of the book held; not finished within "
        f"{CHECK_SECONDS_MAX} s: {', '.join(unfinished)}."
    )


def reserve_payment_numbers(count: int) -> int:
    """Take a run of payment numbers; return the first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(taken.number), max(taken.number) FROM ("
            "SELECT nextval('payment_number') AS number FROM generate_series(1, %s)) taken",
            [count],
        )
        first, last = cursor.fetchone()
    if last - first + 1 != count:
        raise RuntimeError("somebody else placed orders meanwhile")
    return int(first)
