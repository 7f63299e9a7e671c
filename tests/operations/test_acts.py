"""What a person may do with one order: permission, scope, reason, audit row, deed (A1, P3, P6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission

from channels.upstreams import base
from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from operations import acts
from records.models import Notification, Payment, Payout
from tests import factories
from tests.support.desk import Desk, desk, upstream
from tests.support.scripted_upstream import refused

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

ADDRESS = "203.0.113.9"


def close(payment: Payment, user: User, reason: str = "asked by the merchant") -> Payment:
    return acts.close_payment(
        payment_id=payment.payment_id, user=user, reason=reason, address=ADDRESS, now=clock.now()
    )


def approve(payout: Payout, user: User, reason: str = "known recipient") -> Payout:
    return acts.approve_payout(
        payout_id=payout.payout_id, user=user, reason=reason, address=ADDRESS, now=clock.now()
    )


def reject(payout: Payout, user: User, reason: str = "unknown recipient") -> Payout:
    return acts.reject_payout(
        payout_id=payout.payout_id, user=user, reason=reason, address=ADDRESS, now=clock.now()
    )


@pytest.fixture
def in_review(desk: Desk) -> Payout:
    desk.fund()
    desk.audit("manual")
    return desk.payout()


def audited() -> list[tuple[str, str, int | None, str | None, str]]:
    """Return what orders' audit rows say was done; what was refused is proved with the refusals."""
    done = AuditRow.objects.filter(is_refused=False, object_kind__in=["payment", "payout"])
    rows = done.order_by("pk")
    return list(rows.values_list("action", "object_id", "user", "address", "reason"))


def test_close_payment_closes_and_writes_who_why_and_from_where_a1(desk: Desk, operator: User) -> None:
    payment = desk.deposit()
    closed = close(payment, operator)
    assert (closed.status, closed.changed_by, closed.changed_by_user) == (3, "operator", operator)
    assert audited() == [("payment.close", payment.payment_id, operator.pk, ADDRESS, "asked by the merchant")]
    row = AuditRow.objects.get(action="payment.close")
    assert (row.before, row.after) == ({"status": 0}, {"status": 3})
    assert Notification.objects.get(payment=payment).order_status == 3


def test_close_payment_refuses_a_paid_order_and_writes_nothing(desk: Desk, operator: User) -> None:
    payment = desk.deposit()
    desk.paid(payment)
    with pytest.raises(errors.StatusConflict):
        close(payment, operator)
    payment.refresh_from_db()
    assert (payment.status, audited(), desk.balances()[0]) == (1, [], Decimal("99.20"))


@pytest.mark.parametrize("deed", [approve, reject])
def test_reviews_need_the_permission_and_a_reason(
    desk: Desk, in_review: Payout, operator: User, finance: User, deed: Callable[..., Payout]
) -> None:
    with pytest.raises(errors.NotAllowed):
        deed(in_review, operator)
    with pytest.raises(errors.InvalidInput):
        deed(in_review, finance, "  ")
    in_review.refresh_from_db()
    assert (in_review.status, audited(), desk.upstream.requests) == (3, [], [])


def test_closing_needs_the_permission_and_a_reason(desk: Desk, operator: User, auditor: User) -> None:
    payment = desk.deposit()
    with pytest.raises(errors.NotAllowed):
        close(payment, auditor)
    with pytest.raises(errors.InvalidInput):
        close(payment, operator, "")
    payment.refresh_from_db()
    assert (payment.status, audited()) == (0, [])


def test_another_merchants_order_is_unknown(desk: Desk, in_review: Payout) -> None:
    rival = factories.make_merchant("Rival", channels=["scripted"]).merchant
    spy = factories.make_user("spy", merchants=[rival], permissions=["operations.close_payment"])
    payment = desk.deposit()
    with pytest.raises(errors.OrderUnknown):
        close(payment, spy)
    # These are the platform's: whoever belongs to a merchant holds no such right, whatever they were given.
    given = Permission.objects.filter(codename__in=("review_payout", "requery_payment"))
    spy.user_permissions.add(*given)
    for deed in (approve, reject):
        with pytest.raises(errors.NotAllowed):
            deed(in_review, User.objects.get(pk=spy.pk))
    with pytest.raises(errors.NotAllowed):
        acts.requery_payment(
            payment_id=payment.payment_id,
            user=User.objects.get(pk=spy.pk),
            reason="why",
            address=None,
            now=clock.now(),
        )
    assert (audited(), desk.upstream.queries) == ([], [])


def test_approve_payout_sends_it_after_the_commit_p3(desk: Desk, in_review: Payout, finance: User) -> None:
    payout = approve(in_review, finance)
    assert (payout.status, payout.submitted_at is not None) == (0, True)
    assert desk.upstream.references() == [f"{payout.payout_id}-1"]
    assert audited() == [("payout.approve", payout.payout_id, finance.pk, ADDRESS, "known recipient")]
    with pytest.raises(errors.StatusConflict):
        reject(in_review, finance)
    assert (desk.balances()[1], len(audited())) == (Decimal("100.80"), 1)


def test_an_approved_payout_that_the_upstream_refuses_fails(
    desk: Desk, in_review: Payout, finance: User
) -> None:
    desk.upstream.answers.append(refused("closed account"))
    payout = approve(in_review, finance)
    assert (payout.status, payout.error_message, desk.balances()) == (
        2, "closed account", (Decimal(1000), Decimal(0)),
    )  # fmt: skip


def test_reject_payout_releases_the_money_p3(desk: Desk, in_review: Payout, finance: User) -> None:
    payout = reject(in_review, finance)
    assert (payout.status, desk.balances(), desk.upstream.requests) == (4, (Decimal(1000), Decimal(0)), [])
    assert audited() == [("payout.reject", payout.payout_id, finance.pk, ADDRESS, "unknown recipient")]


@pytest.mark.parametrize("deed", [approve, reject])
def test_not_even_a_superuser_reviews_what_they_placed_p6(desk: Desk, deed: Callable[..., Payout]) -> None:
    desk.fund()
    desk.audit("manual")
    root = factories.make_user("root", is_superuser=True)
    payout = desk.payout(placed_by=root)
    with pytest.raises(errors.FourEyesRequired):
        deed(payout, root)
    payout.refresh_from_db()
    placed = ("payout.place", payout.payout_id, root.pk, None, "")
    assert (payout.status, audited()) == (3, [placed])


def test_requery_applies_what_the_upstream_says(desk: Desk, operator: User) -> None:
    payment = desk.deposit()
    desk.upstream.knows(payment.payment_id, base.UpstreamState.PAID, Decimal(100))
    asked = acts.requery_payment(
        payment_id=payment.payment_id, user=operator, reason="payer calls", address=ADDRESS, now=clock.now()
    )
    assert (asked.status, asked.changed_by, desk.balances()[0]) == (1, "query", Decimal("99.20"))
    assert audited() == [("payment.requery", payment.payment_id, operator.pk, ADDRESS, "payer calls")]


def requery(payment: Payment, user: User, *, seconds: float = 0) -> Payment:
    now = clock.now() + timedelta(seconds=seconds)
    return acts.requery_payment(
        payment_id=payment.payment_id, user=user, reason="payer calls", address=None, now=now
    )


def test_an_upstream_is_asked_by_people_once_in_a_few_seconds(
    desk: Desk, operator: User, approver: User
) -> None:
    payment, other = desk.deposit(), desk.deposit()
    requery(payment, operator)
    for user in (operator, approver):
        with pytest.raises(acts.TooSoon):
            requery(payment, user, seconds=acts.REQUERY_SECONDS - 1)
    assert desk.upstream.queries == [payment.payment_id]
    requery(other, operator)
    requery(payment, approver, seconds=acts.REQUERY_SECONDS + 1)
    assert desk.upstream.queries == [payment.payment_id, other.payment_id, payment.payment_id]
    assert len(audited()) == 3


def test_a_credited_deposit_is_not_asked_about(desk: Desk, operator: User) -> None:
    payment = desk.deposit()
    desk.paid(payment)
    with pytest.raises(errors.StatusConflict):
        requery(payment, operator)
    assert (desk.upstream.queries, audited()) == ([], [])


def test_a_closed_deposit_that_was_paid_after_all_is_found_by_asking_d8(desk: Desk, operator: User) -> None:
    payment = desk.deposit()
    close(payment, operator)
    desk.upstream.knows(payment.payment_id, base.UpstreamState.PAID, Decimal(100))
    asked = requery(payment, operator)
    assert (asked.status, asked.is_late, desk.balances()[0]) == (1, True, Decimal("99.20"))


def test_asking_needs_its_own_permission(desk: Desk, finance: User) -> None:
    payment = desk.deposit()
    with pytest.raises(errors.NotAllowed):
        requery(payment, finance)
    assert (desk.upstream.queries, audited()) == ([], [])
