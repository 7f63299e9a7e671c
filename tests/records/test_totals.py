"""A2: counts and balances are exact at every moment, while orders are made, ended, rolled back and folded."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.models import Count, Sum

from diamondpay.lib import clock, errors
from operations import placement
from records import checks, ledger, totals
from records.models import Account, BalanceRecord, Payment, Payout
from tests.support.desk import Desk, desk, open_desk, upstream

__all__ = ["desk", "upstream"]
FOLD_ROWS_MAX = 7


class Undo(Exception):
    """Takes back what was done."""


def fold(row_count_max: int = FOLD_ROWS_MAX) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT records_fold_order_totals(%s)", [row_count_max])
        cursor.execute("SELECT records_fold_account_totals(%s)", [row_count_max])


def compare() -> None:
    """Compare what readers say with the book itself, at one moment."""
    with totals.snapshot():
        for kind, model in ((totals.PAYMENTS, Payment), (totals.PAYOUTS, Payout)):
            counted = dict(model.objects.values_list("merchant").annotate(Count("pk")))
            for merchant_id, count in counted.items():
                assert totals.order_count(kind=kind, merchant_id=merchant_id) == count
        entries = BalanceRecord.objects.filter(sequence__isnull=True).values_list("account")
        booked = dict(entries.annotate(Sum("amount")))
        accounts = Account.objects.filter(is_chained=False).values_list("pk", flat=True)
        read = ledger.system_balances(accounts)
        assert {pk: balance for pk, balance in read.items() if balance} == {
            pk: total for pk, total in booked.items() if total
        }


def work(desk: Desk, seed: int, times: int) -> int:
    """Do so many random things; return how many were refused, which changes nothing."""
    dice = random.Random(seed)
    refused = 0

    def rolled_back() -> None:
        with transaction.atomic():
            desk.fund("5")
            raise Undo

    def pay() -> None:
        payment = desk.deposit(str(dice.randint(1, 500)), is_test=dice.random() < 0.3)
        desk.paid(payment, str(payment.requested_amount if dice.random() < 0.8 else 7))

    def fail() -> None:
        desk.failed(desk.deposit(is_test=dice.random() < 0.3))

    def pay_out() -> None:
        attempt = desk.payout(str(dice.randint(1, 50)), is_test=dice.random() < 0.3).attempts.get()
        dice.choice([desk.paid, desk.failed])(attempt)

    deeds: list[Callable[[], object]] = [pay, pay, fail, pay_out, pay_out, rolled_back, fold, desk.fund]
    try:
        for _time in range(times):
            try:
                dice.choice(deeds)()
            except (errors.DomainError, Undo):
                refused += 1
    finally:
        connection.close()
    return refused


@pytest.mark.django_db(transaction=True)
def test_readers_equal_the_book_while_it_changes_a2(desk: Desk) -> None:
    rival = open_desk(desk.upstream, "Rival")
    for each in (desk, rival):
        each.fund("100000")
    done = threading.Event()

    def read() -> int:
        looks = 0
        try:
            while not done.is_set():
                compare()
                looks += 1
        finally:
            connection.close()
        return looks

    with ThreadPoolExecutor(8) as pool:
        reader = pool.submit(read)
        workers = [pool.submit(work, each, seed, 50) for seed in range(3) for each in (desk, rival)]
        try:
            refused = sum(worker.result(timeout=60) for worker in workers)
        finally:
            done.set()
        assert reader.result(timeout=10) >= 3
    assert refused < 300
    compare()
    assert checks.violations() == []
    for _time in range(200):
        fold(50)
    compare()
    assert checks.violations() == []


@pytest.mark.django_db
def test_a_range_equals_the_sum_of_any_split_of_it_a2(desk: Desk) -> None:
    start = clock.now() - timedelta(days=40)
    for number in range(30):
        desk_now = start + timedelta(hours=29 * number, minutes=7 * number)
        order = desk.new_payment(str(number + 1))
        placed = placement.place_payment(order=order, now=desk_now)
        assert placed.created_at == desk_now
        if number == 20:
            fold(1000)
    end = start + timedelta(days=41)
    whole = count(desk, start, end)
    assert whole == Payment.objects.count() == 30
    dice = random.Random(7)
    for _time in range(25):
        cuts = sorted(start + timedelta(seconds=dice.randint(0, 41 * 86400)) for _cut in range(3))
        edges = [start, *cuts, end]
        assert sum(count(desk, a, b) for a, b in itertools.pairwise(edges)) == whole
    one = Payment.objects.order_by("pk")[5].created_at
    assert (count(desk, one, one), count(desk, end, start)) == (0, 0)
    assert count(desk, one, one + timedelta(microseconds=1)) == 1
    with pytest.raises(ValueError, match="two ends"):
        totals.order_count(kind=1, merchant_id=desk.registered.merchant.pk, start=start)


def count(desk: Desk, start: datetime, end: datetime) -> int:
    merchant_id = desk.registered.merchant.pk
    return totals.order_count(kind=totals.PAYMENTS, merchant_id=merchant_id, start=start, end=end)


@pytest.mark.django_db
def test_totals_tell_test_orders_and_statuses_apart_a2(desk: Desk) -> None:
    desk.fund()
    desk.paid(desk.deposit("100", is_test=True))
    desk.paid(desk.deposit("50"), "50")
    desk.deposit("10")
    desk.paid(desk.payout("100").attempts.get())
    fold(1000)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, is_test, status, order_count, requested_sum, actual_sum, fee_sum, credited_sum"
            " FROM records_orderdaytotal WHERE order_count <> 0 ORDER BY 1, 2, 3"
        )
        rows = cursor.fetchall()
    assert rows == [
        (1, False, 0, 1, Decimal(10), 0, 0, 0),
        (1, False, 1, 1, Decimal(50), Decimal(50), Decimal("0.40"), Decimal("49.60")),
        (1, True, 1, 1, Decimal(100), Decimal(100), Decimal("0.80"), Decimal("99.20")),
        (2, False, 1, 1, Decimal(100), Decimal(100), Decimal("0.80"), Decimal("100.80")),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_folders_never_meet_a2(desk: Desk) -> None:
    desk.paid(desk.deposit())
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            fold(1)
            held.set()
            go.wait(10)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(hold)
        held.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SELECT records_fold_order_totals(100), records_fold_account_totals(100)")
            assert cursor.fetchone() == (0, 0)
        compare()
        go.set()
        first.result(10)
    compare()
