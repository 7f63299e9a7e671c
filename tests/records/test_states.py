"""D3–D5, P1–P4: the whole matrix of moves, in code and by SQL as the application's role and as the owner."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, connection, models, transaction

from diamondpay.lib import clock, errors, transactions
from diamondpay.models import User
from records import attempts, ledger, payments, payouts
from records.models import (
    PAYMENT_MOVES,
    Actor,
    Payment,
    PaymentStatus,
    Payout,
    PayoutAttempt,
    PayoutStatus,
    Posting,
    PostingKind,
)
from records.models.payouts import ATTEMPT_MOVES
from tests import factories
from tests.support.desk import Desk, desk, upstream
from tests.support.scripted_upstream import unknown

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

DENIED = "permission denied"


class Undo(Exception):
    """Takes back what a try has done."""


def refusal(write: Callable[[], object]) -> str:
    """Say which rule refuses a write, at once or at the commit; empty when none does. Nothing of it stays."""
    try:
        with transaction.atomic():
            write()
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            raise Undo
    except Undo:
        return ""
    except DatabaseError as failure:
        if isinstance(failure.__cause__, psycopg.errors.InsufficientPrivilege):
            return DENIED
        return transactions.constraint_name(failure) or str(failure)


def update(order: models.Model, **changes: object) -> str:
    return refusal(lambda: type(order).objects.filter(pk=order.pk).update(**changes))  # type: ignore[attr-defined]


def payment_in(desk: Desk, status: int) -> Payment:
    payment = desk.deposit()
    if status == PaymentStatus.SUCCESS:
        desk.paid(payment)
    if status == PaymentStatus.FAILED:
        desk.failed(payment)
    if status == PaymentStatus.CLOSED:
        payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="")
    payment.refresh_from_db()
    assert payment.status == status
    return payment


def payout_in(desk: Desk, status: int) -> Payout:
    desk.fund()
    in_review = status in (PayoutStatus.UNDER_REVIEW, PayoutStatus.REVIEW_REJECTED)
    desk.audit("manual" if in_review else "disabled")
    payout = desk.payout()
    if status == PayoutStatus.SUCCESS:
        desk.paid(payout.attempts.get())
    if status == PayoutStatus.FAILED:
        desk.failed(payout.attempts.get())
    if status == PayoutStatus.REVIEW_REJECTED:
        judge = factories.make_finance("judge")
        payouts.reject(payout_pk=payout.pk, user=judge, reason="no", now=clock.now())
    payout.refresh_from_db()
    assert payout.status == status
    return payout


# What the application's role is told for each move of a status by hand, without posting and notification.
PAYMENT_REFUSALS = {
    (0, 1): "payment_credit_agrees",
    (0, 2): "status_change_is_notified",
    (0, 3): "status_change_is_notified",
    **dict.fromkeys([(1, 0), (1, 2), (1, 3)], "payment_success_final"),
    **dict.fromkeys([(2, 0), (2, 1), (2, 3), (3, 0), (3, 1), (3, 2)], "payment_moves"),
    **dict.fromkeys([(0, 4), (2, 4), (3, 4)], "payment_moves"),
    (1, 4): "payment_success_final",
}


@pytest.mark.parametrize(("source", "target"), sorted(PAYMENT_REFUSALS))
def test_no_deposit_moves_by_hand_d3_d5(desk: Desk, source: int, target: int) -> None:
    payment = payment_in(desk, source)
    changes = {"status": target, "completed_at": clock.now()}
    assert update(payment, **changes) == PAYMENT_REFUSALS[source, target]
    if target == 1 and source in (2, 3):
        assert update(payment, **changes, is_late=True) == "payment_credit_agrees"
    payment.refresh_from_db()
    assert payment.status == source


def settle(payment: Payment) -> Payment:
    return payments.settle(
        payment=payment, actual_amount=Decimal(100), now=clock.now(), changed_by=Actor.QUERY
    )


def fail(payment: Payment) -> Payment:
    return payments.fail(payment=payment, now=clock.now(), changed_by=Actor.QUERY, reason="no")


def close(payment: Payment) -> Payment:
    return payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="")


DEEDS: Mapping[PaymentStatus, Callable[[Payment], Payment]] = {
    PaymentStatus.SUCCESS: settle,
    PaymentStatus.FAILED: fail,
    PaymentStatus.CLOSED: close,
}


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.product(PaymentStatus, DEEDS)), ids=lambda status: status.name
)
def test_deposits_walk_the_table_and_nothing_else_d3(
    desk: Desk, source: PaymentStatus, target: PaymentStatus
) -> None:
    payment = payment_in(desk, source)
    if PAYMENT_MOVES.allows(source, target):
        moved = DEEDS[target](payment)
        assert (moved.status, moved.version) == (target, payment_version(source) + 1)
        assert moved.is_late == (target == PaymentStatus.SUCCESS and source != PaymentStatus.IN_PROGRESS)
    else:
        with pytest.raises(errors.StatusConflict):
            DEEDS[target](payment)
        payment.refresh_from_db()
        assert (payment.status, payment.version) == (source, payment_version(source))


def payment_version(status: PaymentStatus) -> int:
    return 0 if status == PaymentStatus.IN_PROGRESS else 1


PAYOUT_REFUSALS = {
    (0, 1): "payout_resolve_agrees",
    (0, 2): "payout_resolve_agrees",
    (3, 0): "",
    (3, 4): "payout_resolve_agrees",
    **dict.fromkeys([(0, 3), (0, 4), (3, 1), (3, 2), (0, 5), (3, 5)], "payout_moves"),
    **{(s, t): "payout_final" for s in (1, 2, 4) for t in (0, 1, 2, 3, 4, 5) if s != t},
}


@pytest.mark.parametrize(("source", "target"), sorted(PAYOUT_REFUSALS))
def test_no_payout_ends_by_hand_p2_p3(desk: Desk, source: int, target: int) -> None:
    payout = payout_in(desk, source)
    changes = {"status": target, "completed_at": clock.now(), "actual_amount": Decimal(100)}
    assert update(payout, **changes) == PAYOUT_REFUSALS[source, target]


def test_a_payout_ends_only_with_its_own_resolution_p2(desk: Desk) -> None:
    payout, other = payout_in(desk, 0), payout_in(desk, 2)
    ended = {"completed_at": clock.now(), "actual_amount": Decimal(100)}
    for posting in (payout.freeze_posting, other.resolve_posting):
        assert update(payout, status=2, resolve_posting=posting, **ended) == "payout_resolve_agrees"
    payments_posting = payment_in(desk, 1).credit_posting
    deposit = payment_in(desk, 0)
    amounts = {
        "actual_amount": Decimal(100),
        "settled_amount": Decimal(100),
        "fee": Decimal("0.80"),
        "credited_amount": Decimal("99.20"),
        "completed_at": clock.now(),
    }
    assert update(deposit, status=1, credit_posting=payments_posting, **amounts) == "payment_credit_agrees"


@pytest.mark.parametrize(
    ("status", "kind", "rule"),
    [
        (1, PostingKind.PAYOUT_DEBIT, "payout_success_has_attempt"),
        (1, PostingKind.BALANCE_UNFREEZE, "payout_resolve_agrees"),
        (2, PostingKind.BALANCE_UNFREEZE, "payout_no_live_attempt"),
        (2, PostingKind.PAYOUT_DEBIT, "payout_resolve_agrees"),
    ],
)
def test_an_end_agrees_with_attempt_and_posting_p2_p3(
    desk: Desk, status: int, kind: PostingKind, rule: str
) -> None:
    payout = payout_in(desk, 0)
    assert refusal(lambda: end_in_silence(payout, status, kind)) == rule


def end_in_silence(payout: Payout, status: int, kind: PostingKind) -> None:
    """Post a resolution and set the status as the application's role can, and tell nobody."""
    accounts = ledger.accounts_of(
        merchant_channel_id=payout.merchant_channel_id, channel_id="scripted", currency_id="CNY"
    )
    to = "clearing" if kind == PostingKind.PAYOUT_DEBIT else "available"
    posting = ledger.post(
        effect_key=f"payout:{payout.payout_id}:resolve",
        kind=kind,
        currency_id="CNY",
        payout_pk=payout.pk,
        legs=[(accounts["frozen"], -payout.debited_amount), (accounts[to], payout.debited_amount)],
        now=clock.now(),
    )
    Payout.objects.filter(pk=payout.pk).update(
        status=status, completed_at=clock.now(), actual_amount=Decimal(100), resolve_posting=posting
    )


@pytest.mark.parametrize("status", [1, 2, 4])
def test_no_payout_ends_in_silence_d5_n1(desk: Desk, status: int) -> None:
    payout = payout_in(desk, 3) if status == 4 else attempt_in(desk, "sent").payout
    kind = PostingKind.PAYOUT_DEBIT if status == 1 else PostingKind.BALANCE_UNFREEZE

    def end() -> None:
        now = clock.now()
        state = "succeeded" if status == 1 else "failed"
        PayoutAttempt.objects.filter(payout=payout).update(state=state, finished_at=now)
        end_in_silence(payout, status, kind)

    assert refusal(end) == "status_change_is_notified"


def test_a_stale_look_at_an_order_moves_nothing_d8(desk: Desk) -> None:
    seen = desk.deposit()
    desk.paid(Payment.objects.get(pk=seen.pk))
    with pytest.raises(errors.StatusConflict):
        fail(seen)
    seen.refresh_from_db()
    assert (seen.status, seen.version) == (1, 1)


def attempt_in(desk: Desk, state: str) -> PayoutAttempt:
    """Return an attempt in a state, made by the real functions."""
    desk.fund()
    desk.after_failure("hold")
    if state == "prepared":
        desk.audit("manual")
        judge = factories.make_finance("judge")
        payout = desk.payout()
        return payouts.approve(payout_pk=payout.pk, user=judge, reason="ok", now=clock.now())
    if state == "unknown":
        desk.upstream.answers.append(unknown())
    attempt = desk.payout().attempts.get()
    if state == "succeeded":
        desk.paid(attempt)
    if state == "failed":
        desk.failed(attempt)
    assert attempt.state == state
    return attempt


STATES = ("prepared", "sent", "unknown", "succeeded", "failed")


@pytest.mark.parametrize(
    ("source", "target"), [pair for pair in itertools.product(STATES, STATES) if pair[0] != pair[1]]
)
def test_attempts_walk_their_table_and_nothing_else_p4(desk: Desk, source: str, target: str) -> None:
    attempt = attempt_in(desk, source)
    finished = attempt.finished_at or (clock.now() if target in ("succeeded", "failed") else None)
    refused = update(attempt, state=target, finished_at=finished)
    assert refused == ("" if ATTEMPT_MOVES.allows(source, target) else "attempt_moves")


def test_the_results_of_an_attempt_are_set_once_l6(desk: Desk) -> None:
    attempt = attempt_in(desk, "succeeded")
    later = clock.now() + timedelta(seconds=1)
    for changes in (
        {"sent_at": later}, {"accepted_at": later}, {"finished_at": later}, {"channel_order_no": "else"},
    ):  # fmt: skip
        assert update(attempt, **changes) == "attempt_results_once"
    for fixed in ({"reference": "else"}, {"number": 9}, {"channel_id": "else"}, {"prepared_at": later}):
        assert update(attempt, **fixed) == DENIED


def test_a_second_live_attempt_is_impossible_p4(desk: Desk) -> None:
    for state in ("prepared", "sent", "unknown"):
        attempt = attempt_in(desk, state)
        desk.audit("disabled")
        User.objects.filter(username="judge").update(username=state)
        again = {"number": 2, "reference": f"{attempt.reference}x", "channel_id": "scripted"}
        row = PayoutAttempt(payout=attempt.payout, prepared_at=clock.now(), **again)
        assert refusal(row.save) == "attempt_live_once"
    ended = attempt_in(desk, "succeeded").payout
    row = PayoutAttempt(payout=ended, prepared_at=clock.now(), number=2, reference="x", channel_id="scripted")
    assert refusal(row.save) == "attempt_born_prepared"
    with pytest.raises(errors.StatusConflict):
        attempts.prepare(payout=ended, channel_id="scripted", now=clock.now())


def copied(order: Payment | Payout, **changes: object) -> str:
    """Say which rule refuses another row of the same order."""
    fields = {field.attname: getattr(order, field.attname) for field in order._meta.concrete_fields}
    again = {"id": 10**9, "merchant_order_no": "copy", "channel_order_no": ""}
    again[f"{type(order).__name__.lower()}_id"] = "COPY"
    row = type(order)(**{**fields, **again, **changes})
    return refusal(lambda: row.save(force_insert=True))


def test_orders_are_born_open_and_a_payout_with_its_own_freeze_p1(desk: Desk) -> None:
    success = payment_in(desk, 1)
    for status in (1, 2, 3):
        assert copied(success, status=status) == "payment_born_in_progress"
    assert copied(payment_in(desk, 0)) == ""
    assert copied(payment_in(desk, 0), merchant_order_no=success.merchant_order_no) == (
        "payment_merchant_order_no_once"
    )
    payout = payout_in(desk, 0)
    for status in (1, 2, 4):
        assert copied(payout, status=status) == "payout_born_open"
    assert copied(payout) == "payout_freezes_at_birth"
    stranger = Posting.objects.filter(kind="manual_adjustment").first()
    assert copied(payout, freeze_posting_id=stranger.pk if stranger else 0) == "payout_freezes_at_birth"


FIXED_FOR_PAYMENTS = [
    "payment_id", "merchant_id", "merchant_order_no", "service_id", "channel_id",
    "merchant_channel_id", "currency_id", "settlement_currency_id", "unit_price", "requested_amount",
    "quoted_amount", "payment_method",
    "fee_type", "fee_permillage", "fee_fixed", "limit_lower_bound", "limit_upper_bound",
    "tolerance_below", "tolerance_above", "request_hash", "notify_url", "is_test", "placed_by_id",
    "created_at",
]  # fmt: skip
FIXED_FOR_PAYOUTS = [
    "payout_id", "merchant_id", "merchant_order_no", "service_id", "merchant_channel_id",
    "currency_id", "settlement_currency_id", "unit_price", "requested_amount",
    "quoted_amount", "payment_method", "fee", "debited_amount",
    "fee_type", "fee_permillage", "fee_fixed", "limit_lower_bound", "limit_upper_bound",
    "request_hash", "notify_url", "is_test", "placed_by_id", "created_at", "freeze_posting_id",
]  # fmt: skip


def other_value(column: str) -> str:
    """Return an SQL expression that differs from what the column holds."""
    if column in ("is_test",):
        return f"NOT {column}"
    if column == "created_at":
        return "created_at + interval '1 second'"
    if column == "request_hash":
        return r"'\x00'::bytea"
    numbers = ("unit_price", "amount", "fee", "limit", "tolerance", "permillage", "placed_by", "posting")
    if column != "fee_type" and any(word in column for word in numbers):
        return f"coalesce({column}, 0) + 1"
    return f"{column} || 'x'"


@pytest.mark.django_db(transaction=True)
def test_not_even_the_owner_changes_terms_d4(desk: Desk, owner_connection: psycopg.Connection) -> None:
    payment_in(desk, 0)
    payout_in(desk, 0)
    for table, columns in (("payment", FIXED_FOR_PAYMENTS), ("payout", FIXED_FOR_PAYOUTS)):
        for column in columns:
            statement = f"UPDATE records_{table} SET {column} = {other_value(column)}"
            with pytest.raises(psycopg.IntegrityError) as refused:
                owner_connection.execute(statement.encode())
            assert refused.value.diag.constraint_name == f"{table}_terms_fixed", statement


def test_the_application_may_not_even_try_to_change_terms_d4(desk: Desk) -> None:
    payment, payout = payment_in(desk, 0), payout_in(desk, 0)
    assert update(payment, requested_amount=Decimal(1)) == DENIED
    assert update(payment, merchant_order_no="else") == DENIED
    assert update(payment, party_encrypted=b"") == DENIED
    assert update(payment, version=5) == DENIED
    assert update(payout, debited_amount=Decimal(1)) == DENIED
    assert update(payout, after_failure="hold") == DENIED
    assert refusal(lambda: Payment.objects.filter(pk=payment.pk)._raw_delete("default")) == DENIED
