"""(g) One order by its number, over each API, beside the bare query, signature and JSON."""

from __future__ import annotations

import base64
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

from benchmarks import report, stage, stock
from benchmarks.wsgi import application
from diamondpay.lib import clock
from merchants import credentials
from merchants.models import Credential
from merchants.registration import Registered
from records.models import Payment

TITLE = "(g) One order over each API"
BARE_AIM = 3.0
WARM_UP = 5
_ROW = """
    SELECT payment_id, merchant_order_no, requested_amount, actual_amount, fee, status, submitted_at,
        settled_amount, credited_amount, unit_price, currency_id, settlement_currency_id, payment_method,
        party_name, source, expires_at, created_at, updated_at, completed_at
    FROM records_payment WHERE merchant_id = %s AND merchant_order_no = %s
"""
_HOW = (
    "In process and in turn. Ours runs through the whole WSGI application with all its middleware, finds out "
    "who calls, and signs its answer."
)
_HOW_BARE = (
    "Bare is psycopg with a prepared statement for the one row, an HMAC of the call, another of the answer, "
    "and one json.dumps of as many fields. It asks nobody who they are."
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    orders: int
    runs: int


SIZES = {
    "full": Sizes(orders=100_000, runs=400),
    "quick": Sizes(orders=10_000, runs=200),
    "smallest": Sizes(orders=100, runs=2),
}


class Unanswered(Exception):
    """A call was not answered as it should be, so its time says nothing."""


def measure(*, place: stage.Place, sizes: Sizes) -> report.Report:
    """Load one merchant, then ask for its first order over each API and by hand, in turn."""
    stock.make_channel()
    (merchant,) = stock.make_merchants(1)
    first = stock.place_deposit(merchant)
    stock.multiply(place, models=[first], count=sizes.orders - 1)
    with place.application() as connection:
        medians = _medians(_contestants(connection, merchant, first), sizes.runs)
    bare = medians.pop("bare")
    return report.Report(
        title=TITLE,
        sizes=f"{sizes.orders:,} deposits of one merchant; medians of {sizes.runs} runs of each after "
        f"{WARM_UP} of warm-up.",
        figures=tuple(_figure(name, ours, bare) for name, ours in medians.items()),
        notes=(_HOW, _HOW_BARE, stock.book_note(place)),
    )


def _contestants(
    connection: psycopg.Connection, merchant: Registered, order: Payment
) -> dict[str, Callable[[], bytes]]:
    now, number = clock.now(), order.merchant_order_no
    made = {
        api: credentials.create(merchant=merchant.merchant, api=api, now=now, actor="benchmarks")
        for api in (Credential.Api.TRANSACTION_REQUEST, Credential.Api.PAYMENT_DETAIL)
    }
    requests, details = made[Credential.Api.TRANSACTION_REQUEST], made[Credential.Api.PAYMENT_DETAIL]

    def gateway() -> bytes:
        headers = {"authorization": merchant.authorization, "x-call-id": "benchmark-of-queries"}
        return _get(f"/gateway/api/v2/payments/{number}", "", headers)

    def request() -> bytes:
        moment, key = str(time.time_ns() // 1_000_000), requests.credential.public_id
        signature = hmac.new(requests.platform_key.encode(), f"{key}_{moment}".encode(), hashlib.sha256)
        headers = {"access-key": key, "timestamp": moment, "signature": signature.hexdigest().upper()}
        return _get("/api/v2/merchant/transaction-request", f"merchantOrderNo={number}", headers)

    def detail() -> bytes:
        moment, query = str(int(time.time())), f"outTradeNo={number}"
        message = f"{moment}GET/payment/detail?{query}".encode()
        signature = hmac.new(details.platform_key.encode(), message, hashlib.sha256).digest()
        headers = {
            "x-pay-key": details.credential.public_id,
            "x-pay-timestamp": moment,
            "x-pay-sign": base64.b64encode(signature).decode(),
        }
        return _get("/payment/detail", query, headers)

    def bare() -> bytes:
        return _bare(connection, merchant, number)

    return {"gateway": gateway, "transaction-request": request, "payment-detail": detail, "bare": bare}


def _medians(contestants: dict[str, Callable[[], bytes]], runs: int) -> dict[str, float]:
    """Return the median of each contestant's times in milliseconds."""
    times: dict[str, list[float]] = defaultdict(list)
    for run in range(-WARM_UP, runs):
        for name, call in contestants.items():
            started = time.perf_counter()
            call()
            ended = time.perf_counter()
            if run >= 0:
                times[name].append((ended - started) * 1000)
    return {name: statistics.median(found) for name, found in times.items()}


def _get(path: str, query: str, headers: dict[str, str]) -> bytes:
    """Ask the WSGI application in this process, as a server would. Raises: Unanswered unless it is 200."""
    environ: dict[str, object] = {"PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1"}
    environ |= {f"HTTP_{name.replace('-', '_').upper()}": value for name, value in headers.items()}
    setup_testing_defaults(environ)
    answer = application(environ, _start_response)
    body = b"".join(answer)
    # Closing is what gives the connection back to the pool.
    answer.close()
    if answer.status_code != 200:
        raise Unanswered(f"{path} answered {answer.status_code}: {body[:300]!r}")
    return body


def _start_response(status: str, headers: object, fault: object = None) -> Callable[[bytes], object]:
    """Take status and headers as a server does; nothing is ever written through what is returned."""
    return bytes


def _bare(connection: psycopg.Connection, merchant: Registered, number: str) -> bytes:
    """Return the order as whoever knows exactly what is in it would write it by hand."""
    key = merchant.platform_key.encode()
    call = hmac.new(key, number.encode(), hashlib.sha256).hexdigest()
    row = connection.execute(_ROW, [merchant.merchant.pk, number]).fetchone()
    if row is None:
        raise Unanswered(f"{number} is not in the book")
    fields = [value if isinstance(value, int) else str(value) for value in row]
    body = json.dumps({"code": 200, "data": dict(enumerate(fields))}, separators=(",", ":")).encode()
    hmac.new(key, call.encode() + body, hashlib.sha256).hexdigest()
    return body


def _figure(name: str, ours: float, bare: float) -> report.Figure:
    return report.Figure(
        what=f"{name} API",
        ours=f"{ours:.2f} ms",
        baseline=f"bare query + signing + JSON: {bare:.2f} ms",
        ratio=ours / bare,
        ratio_text=f"{ours / bare:.2f} ×",
        aims=(report.at_most(ours / bare, BARE_AIM, f"≤ {BARE_AIM:g} × bare"),),
    )
