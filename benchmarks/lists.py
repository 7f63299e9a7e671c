"""(b) A page of the gateway's list with its total, beside the bare query and beside an untuned DRF list."""

from __future__ import annotations

import hashlib
import hmac
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from wsgiref.util import setup_testing_defaults

import psycopg
from django.test.utils import override_settings

from benchmarks import report, stage, stock, volume
from benchmarks.wsgi import application
from merchants.registration import Registered

TITLE = "(b) One page of the gateway's list, with total"
BARE_AIM, UNTUNED_AIM, GROWTH_AIM = 3.0, 3.0, 1.5
_ROWS = """
    SELECT requested_amount, actual_amount, fee, payment_id, merchant_order_no, party_name,
        merchant_channel_id, status, submitted_at, memo, created_at, updated_at
    FROM records_payment WHERE merchant_id = %s ORDER BY created_at DESC, id DESC LIMIT %s
"""
_TOTAL = """
    SELECT (SELECT coalesce(sum(order_count), 0) FROM records_ordertotal WHERE merchant = %(m)s AND kind = 1)
        + (SELECT coalesce(sum(order_count), 0) FROM records_orderdelta WHERE merchant = %(m)s AND kind = 1)
"""
_HOW_WE_RUN = (
    "In process and in turn: ours and the untuned list run through the whole WSGI application with all its "
    "middleware and the pool of connections."
)
_HOW_BARE_RUNS = (
    "Bare is psycopg with prepared statements, one query for the rows and one for the total, an HMAC of each "
    "row and one json.dumps. Its body was compared with ours, byte for byte. It asks nobody who they are."
)
_HOW_UNTUNED_RUNS = (
    "Untuned is a ModelSerializer in a ListAPIView with LimitOffsetPagination and its COUNT: the same "
    "fields, no authentication, no signatures."
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    orders: tuple[int, ...]
    limits: tuple[int, ...]
    runs: int


SIZES = {
    "full": Sizes(orders=(10_000, 100_000, 1_000_000), limits=(25, 500), runs=60),
    "quick": Sizes(orders=(10_000, 100_000), limits=(25, 500), runs=40),
    "smallest": Sizes(orders=(100, 600), limits=(25, 500), runs=2),
}
Key = tuple[int, int, str]


class AnswersDiffer(Exception):
    """Ours and the bare answer are not the same, so their times cannot be compared."""


def measure(*, place: stage.Place, sizes: Sizes) -> report.Report:
    """Load the merchants, then time all contestants in turn."""
    stock.make_channel()
    merchants = dict(zip(sizes.orders, stock.make_merchants(len(sizes.orders)), strict=True))
    for count, merchant in merchants.items():
        # The deposit that is the model of the others counts too.
        volume.load(place, model=stock.place_deposit(merchant), count=count - 1)
    volume.tidy(place)
    with place.application() as connection, override_settings(ROOT_URLCONF="benchmarks.untuned"):
        medians = _medians(connection, merchants, sizes)
    figures = [figure for limit in sizes.limits for figure in _figures(medians, limit, sizes.orders)]
    return report.Report(
        title=TITLE,
        sizes=f"Merchants with {', '.join(f'{count:,}' for count in sizes.orders)} deposits in one table, "
        f"pages of {' and '.join(map(str, sizes.limits))}; medians of {sizes.runs} runs of each "
        "after 5 of warm-up.",
        figures=tuple(figures),
        notes=(_HOW_WE_RUN, _HOW_BARE_RUNS, _HOW_UNTUNED_RUNS, stock.book_note(place)),
    )


def _medians(
    connection: psycopg.Connection, merchants: dict[int, Registered], sizes: Sizes
) -> dict[Key, float]:
    """Return the median of each contestant's times in milliseconds."""
    times: dict[Key, list[float]] = defaultdict(list)
    contestants = {
        (count, limit, name): call
        for count, merchant in merchants.items()
        for limit in sizes.limits
        for name, call in _contestants(connection, merchant, limit).items()
    }
    for count in merchants:
        for limit in sizes.limits:
            if contestants[count, limit, "ours"]() != contestants[count, limit, "bare"]():
                raise AnswersDiffer(f"{count} deposits, page of {limit}")
    for run in range(-5, sizes.runs):
        for key, call in contestants.items():
            started = time.perf_counter()
            call()
            ended = time.perf_counter()
            if run >= 0:
                times[key].append((ended - started) * 1000)
    return {key: statistics.median(found) for key, found in times.items()}


def _contestants(
    connection: psycopg.Connection, merchant: Registered, limit: int
) -> dict[str, Callable[[], bytes]]:
    merchant_id = merchant.merchant.pk

    def ours() -> bytes:
        return _get("/gateway/api/v1/payments", f"limit={limit}", merchant.authorization)

    def untuned() -> bytes:
        return _get(f"/untuned/{merchant_id}/payments", f"limit={limit}")

    def bare() -> bytes:
        return _bare(connection, merchant_id, merchant.platform_key.encode(), limit)

    return {"ours": ours, "bare": bare, "untuned": untuned}


def _get(path: str, query: str, authorization: str = "") -> bytes:
    """Ask the WSGI application in this process, as a server would. Raises: AnswersDiffer unless it is 200."""
    environ: dict[str, object] = {"PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1"}
    if authorization:
        environ["HTTP_AUTHORIZATION"] = authorization
    setup_testing_defaults(environ)
    answer = application(environ, _start_response)
    body = b"".join(answer)
    # Closing is what gives the connection back to the pool.
    answer.close()
    if answer.status_code != 200:
        raise AnswersDiffer(f"{path} answered {answer.status_code}: {body[:300]!r}")
    return body


def _start_response(status: str, headers: object, fault: object = None) -> Callable[[bytes], object]:
    """Take status and headers as a server does; nothing is ever written through what is returned."""
    return bytes


def _bare(connection: psycopg.Connection, merchant_id: str, key: bytes, limit: int) -> bytes:
    """Return the page as whoever knows exactly what is in it would write it by hand."""
    rows = connection.execute(_ROWS, [merchant_id, limit]).fetchall()
    total = connection.execute(_TOTAL, {"m": merchant_id}).fetchone()
    items = []
    for amount, actual, fee, number, own, name, wallet, status, submitted_at, memo, created, updated in rows:
        item = {
            "amount": int(amount * 100),
            "real_amount": int((actual or 0) * 100),
            "fee": int((fee or 0) * 100),
            "payment_id": number,
            "payment_cl_id": own,
            "payment_cl_name": name,
            "platform_id": merchant_id,
            "platform_channel_id": wallet,
            "status": (1 if submitted_at else 0) if status == 0 else (0, 2, 4, 3)[status],
            "memo": memo,
            "create_time": int(created.timestamp()),
            "update_time": int(updated.timestamp()),
        }
        text = "&".join(f"{field}={item[field]}" for field in sorted(item) if item[field] != "")
        item["sign"] = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        items.append(item)
    answer = {"error_code": "0000", "data": items, "total": int(total[0]) if total else 0}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _figures(medians: dict[Key, float], limit: int, orders: tuple[int, ...]) -> list[report.Figure]:
    figures = []
    for count in orders:
        ours, bare, untuned = (medians[count, limit, name] for name in ("ours", "bare", "untuned"))
        what = f"page of {limit}, {count:,} orders"
        figures.append(
            report.Figure(
                what=what,
                ours=f"{ours:.2f} ms",
                baseline=f"bare query + signing + JSON: {bare:.2f} ms",
                ratio=ours / bare,
                ratio_text=f"{ours / bare:.2f} ×",
                aims=(report.at_most(ours / bare, BARE_AIM, f"≤ {BARE_AIM:g} × bare"),),
            )
        )
        figures.append(
            report.Figure(
                what=what,
                ours=f"{ours:.2f} ms",
                baseline=f"untuned DRF list: {untuned:.2f} ms",
                ratio=untuned / ours,
                ratio_text=f"{untuned / ours:.2f} × faster",
                aims=(report.at_least(untuned / ours, UNTUNED_AIM, f"≥ {UNTUNED_AIM:g} × faster"),),
            )
        )
    least, most = medians[orders[0], limit, "ours"], medians[orders[-1], limit, "ours"]
    figures.append(
        report.Figure(
            what=f"page of {limit}, growth to {orders[-1]:,} orders",
            ours=f"{most:.2f} ms",
            baseline=f"ours with {orders[0]:,} orders: {least:.2f} ms",
            ratio=most / least,
            ratio_text=f"{most / least:.2f} ×",
            aims=(report.at_most(most / least, GROWTH_AIM, f"≤ {GROWTH_AIM:g} ×"),),
        )
    )
    return figures
