"""F14: the clock of an application's host may be ten minutes off; every window is the database's."""

from __future__ import annotations

import ast
import datetime as dt
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from diamondpay.environment import ROOT
from diamondpay.lib import clock
from records import payments
from records.models import Notification, Payment, PaymentStatus
from tests.support.desk import Desk, desk, upstream
from tests.support.receiver import Merchant

__all__ = ["desk", "upstream"]
_numbers = count(1)
ROOMS = ("channels", "merchants", "records", "operations", "diamondpay")
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "gmtime", "localtime"}
OWNERS = {"datetime", "date", "timezone", "time", "dt"}
# What reads its host's clock, and why it may.
MAY_READ = {
    "channels/upstreams/gateway/exchanges.py": "the time a request was sent, to another house",
    "channels/upstreams/payment_detail/signing.py": "the time a request was sent, to another house",
    "channels/upstreams/transaction_request/signing.py": "the time a request was sent, to another house",
    "channels/upstreams/sandbox/adapter.py": "the time a request was sent, and an answer to it came",
    "channels/upstreams/sandbox/control.py": "the upstream that is played: another house",
    "channels/upstreams/sandbox/courier.py": "the upstream that is played: another house",
    "channels/upstreams/sandbox/pages.py": "the upstream that is played: another house",
    "channels/upstreams/sandbox/signed_api.py": "the upstream that is played: another house",
    "diamondpay/celery.py": "beat's sign of life, which the worker bounds by the database's clock",
    "diamondpay/lib/admin_columns.py": "whether a date is shown with its year",
    "diamondpay/run/broker.py": "the order of files in one folder of one host",
    "operations/act_pages.py": "whether an act is offered; the deed reads the database's",
    "operations/order_acts.py": "whether a payment page is offered; the page reads the database's",
}


def clock_readings(path: Path) -> Iterator[int]:
    """Yield the lines on which a file asks its host for the time of day."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        converts = node.func.attr in ("localtime", "gmtime") and bool(node.args)
        if node.func.attr in CLOCKS and name in OWNERS and not converts:
            yield node.lineno


def test_nobody_in_the_rooms_reads_the_hosts_clock_f14() -> None:
    files = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    found = {str(path.relative_to(ROOT)): list(clock_readings(path)) for path in files}
    readers = {path: lines for path, lines in found.items() if lines}
    assert readers.keys() == MAY_READ.keys(), readers


@pytest.fixture(params=[600, -600], ids=["ten minutes fast", "ten minutes slow"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Set this process's clock wrong, by so many seconds."""
    right_time, right_now, seconds = time.time, dt.datetime.now, int(request.param)
    right_class: type = dt.datetime

    class Wrong(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, right_class)

    class WrongDatetime(dt.datetime, metaclass=Wrong):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return right_now(tz) + timedelta(seconds=seconds)

    monkeypatch.setattr(time, "time", lambda: right_time() + seconds)
    monkeypatch.setattr(dt, "datetime", WrongDatetime)
    return seconds


@pytest.mark.django_db
def test_an_order_lives_by_the_databases_clock_f14(wrong_clock: int, desk: Desk) -> None:
    before = clock.now()
    payment, other = desk.deposit(), desk.deposit()
    lifetime = payment.expires_at - payment.created_at
    assert before <= payment.created_at <= clock.now()
    assert payments.close_expired(now=clock.now()) == 0
    assert payments.close_expired(now=before + lifetime + timedelta(minutes=1)) == 2
    desk.paid(payment)
    assert (payment.status, payment.is_late) == (PaymentStatus.SUCCESS, True)
    told = Notification.objects.filter(payment__in=[payment, other]).order_by("id")
    *closed, credited = (row.due_at for row in told)
    assert closed == [before + lifetime + timedelta(minutes=1)] * 2
    assert credited is not None
    assert before <= credited <= clock.now()


@pytest.mark.django_db
def test_a_signature_is_fresh_by_the_databases_clock_f14(
    wrong_clock: int, desk: Desk, client: Client, settings: Settings
) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    made = desk.registered
    merchant = Merchant(
        url="", platform_id=made.merchant.pk, platform_key=made.platform_key, authorization=made.authorization
    )
    true_time = int(clock.now().timestamp())

    def asked_at(request_time: int) -> str:
        signed = merchant.signed(
            amount=10000, payment_cl_id=f"f14_{next(_numbers)}", name="Wang", service_id="SVC0001",
            notify_url="http://127.0.0.1:9/n", request_time=request_time,
        )  # fmt: skip
        answer = client.post("/gateway/api/v2/payments", json.dumps(signed), content_type="application/json")
        return str(answer.json()["error_code"])

    assert asked_at(true_time) == "0000"
    assert asked_at(true_time + wrong_clock) == "0004"
    assert Payment.objects.count() == 1
