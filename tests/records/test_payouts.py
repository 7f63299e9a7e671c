"""P1–P6: frozen at birth, resolved once, unknown until proven, four eyes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from channels.upstreams import base
from diamondpay.lib import clock, errors
from records import attempts, payouts
from records.models import Case, Notification, Payout, PayoutAttempt, Posting, StatusChange, UpstreamCallback
from tests import factories
from tests.support.desk import Desk, desk, later, system_balance, upstream
from tests.support.scripted_upstream import accepted, refused, unknown

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
Outcome = UpstreamCallback.Outcome

FROZEN = (Decimal("899.20"), Decimal("100.80"))
SETTLED = (Decimal("899.20"), Decimal(0))
RELEASED = (Decimal(1000), Decimal(0))


@pytest.fixture(autouse=True)
def funded(desk: Desk) -> None:
    desk.fund("1000")


def attempt_of(payout: Payout, number: int = 1) -> PayoutAttempt:
    return payout.attempts.get(number=number)


def history(payout: Payout) -> list[tuple[int | None, int, str]]:
    changes = StatusChange.objects.filter(payout=payout).order_by("version")
    return [(change.from_status, change.to_status, change.changed_by) for change in changes]


def legs(posting: Posting | None) -> dict[str, Decimal]:
    assert posting is not None
    return dict(posting.entries.values_list("account_kind", "amount"))


def test_create_freezes_amount_and_fee_and_sends_one_attempt_p1_p4(desk: Desk) -> None:
    payout = desk.payout()
    assert (payout.status, payout.fee, payout.debited_amount) == (0, Decimal("0.80"), Decimal("100.80"))
    assert desk.balances() == FROZEN
    assert legs(payout.freeze_posting) == {"available": Decimal("-100.80"), "frozen": Decimal("100.80")}
    attempt = attempt_of(payout)
    assert (attempt.reference, attempt.state, attempt.accepted_at is not None) == (
        f"{payout.payout_id}-1", "sent", True,
    )  # fmt: skip
    assert desk.upstream.references() == [attempt.reference]
    assert Notification.objects.count() == 0


def test_success_settles_the_freeze_once_p2(desk: Desk) -> None:
    payout = desk.payout()
    attempt = attempt_of(payout)
    assert desk.paid(attempt).outcome == Outcome.SETTLED
    payout.refresh_from_db()
    assert (payout.status, payout.actual_amount, attempt.state) == (1, Decimal(100), "succeeded")
    assert legs(payout.resolve_posting) == {
        "frozen": Decimal("-100.80"), "clearing": Decimal(100), "fees": Decimal("0.80"),
    }  # fmt: skip
    assert history(payout) == [(None, 0, "merchant"), (0, 1, "callback")]
    assert Notification.objects.get(payout=payout).order_status == 1
    assert desk.paid(attempt).outcome == Outcome.DUPLICATE
    assert (desk.balances(), Posting.objects.count(), Case.objects.count()) == (SETTLED, 3, 0)


def test_failure_releases_when_the_rule_says_fail_p3(desk: Desk) -> None:
    payout = desk.payout()
    attempt = attempt_of(payout)
    assert desk.failed(attempt).outcome == Outcome.NOTED
    payout.refresh_from_db()
    assert (payout.status, payout.is_held, payout.actual_amount, attempt.state) == (2, False, None, "failed")
    assert legs(payout.resolve_posting) == {"frozen": Decimal("-100.80"), "available": Decimal("100.80")}
    assert (desk.balances(), Notification.objects.get(payout=payout).order_status) == (RELEASED, 2)
    assert desk.failed(attempt).outcome == Outcome.DUPLICATE
    assert Posting.objects.count() == 3


def test_failure_holds_when_the_rule_says_hold_p3(desk: Desk) -> None:
    desk.after_failure("hold")
    payout = desk.payout()
    desk.failed(attempt_of(payout))
    payout.refresh_from_db()
    assert (payout.status, payout.is_held, desk.balances()) == (0, True, FROZEN)
    case = Case.objects.get(payout=payout)
    assert (case.kind, case.amount, case.status) == ("payout_held", Decimal(100), "open")
    assert (Notification.objects.count(), history(payout)) == (0, [(None, 0, "merchant")])


def test_a_held_payout_goes_out_on_another_channel_p3_p4(desk: Desk) -> None:
    desk.after_failure("hold")
    factories.make_channel("second", upstream="scripted")
    payout = desk.payout()
    desk.failed(attempt_of(payout))
    operator = factories.make_operator()
    attempt = payouts.reinitiate(
        payout_pk=payout.pk, channel_id="second", user=operator, reason="other bank", now=clock.now()
    )
    payout.refresh_from_db()
    assert (payout.channel_id, payout.is_held, attempt.reference, attempt.state) == (
        "second", False, f"{payout.payout_id}-2", "prepared",
    )  # fmt: skip
    later(31)
    assert desk.paid(attempt).outcome == Outcome.SETTLED
    assert (system_balance("clearing", channel="second"), desk.balances()) == (Decimal(100), SETTLED)
    assert system_balance("clearing", channel="scripted") == Decimal(0)


def test_reinitiate_refuses_while_an_attempt_may_still_pay_p4(desk: Desk) -> None:
    desk.after_failure("hold")
    operator = factories.make_operator()
    payout = desk.payout()
    for _state in ("sent", "unknown"):
        with pytest.raises(errors.StatusConflict):
            payouts.reinitiate(
                payout_pk=payout.pk, channel_id="scripted", user=operator, reason="now", now=clock.now()
            )
        PayoutAttempt.objects.filter(payout=payout).update(state="unknown")
    with pytest.raises(errors.StatusConflict):
        attempts.prepare(payout=payout, channel_id="scripted", now=clock.now())
    assert payout.attempts.count() == 1


def test_reinitiate_refuses_a_channel_that_cannot_carry_the_payout_p4(desk: Desk) -> None:
    desk.after_failure("hold")
    factories.make_channel("baht", currency="THB", upstream="scripted")
    payout = desk.payout()
    desk.failed(attempt_of(payout))
    operator = factories.make_operator()
    for channel_id in ("baht", "no-such-channel"):
        with pytest.raises(errors.DomainError):
            payouts.reinitiate(
                payout_pk=payout.pk, channel_id=channel_id, user=operator, reason="now", now=clock.now()
            )
    payout.refresh_from_db()
    assert (payout.channel_id, payout.is_held, payout.attempts.count()) == ("scripted", True, 1)


def test_unknown_stays_frozen_until_it_is_proven_p5(desk: Desk) -> None:
    desk.upstream.answers.append(unknown())
    payout = desk.payout()
    attempt = attempt_of(payout)
    assert (payout.status, attempt.state, attempt.reason) == (0, "unknown", "no answer within 15 s")
    desk.upstream.knows(attempt.reference, base.UpstreamState.UNKNOWN)
    for seconds in (60, 600, 6000, 60000):
        later(seconds)
        assert (desk.balances(), attempt_of(payout).state) == (FROZEN, "unknown")
    assert desk.upstream.references() == [attempt.reference]
    desk.upstream.knows(attempt.reference, base.UpstreamState.PAID, Decimal(100))
    later(600000)
    payout.refresh_from_db()
    assert (payout.status, payout.changed_by, desk.balances()) == (1, "query", SETTLED)


@pytest.mark.parametrize("is_idempotent", [True, False])
def test_an_unheard_of_attempt_is_sent_again_only_where_that_is_safe_p4(
    desk: Desk, is_idempotent: bool
) -> None:
    desk.upstream.is_submit_idempotent = is_idempotent
    desk.upstream.answers.append(unknown())
    attempt = attempt_of(desk.payout())
    desk.upstream.knows(attempt.reference, base.UpstreamState.NOT_FOUND)
    later(60)
    assert desk.upstream.references() == [attempt.reference] * (2 if is_idempotent else 1)
    attempt.refresh_from_db()
    assert (attempt.accepted_at is not None, desk.balances()) == (is_idempotent, FROZEN)


def test_resending_stops_after_three_rounds_with_one_case_p4_p5(desk: Desk) -> None:
    desk.upstream.answers += [unknown()] * 9
    payout = desk.payout()
    attempt = attempt_of(payout)
    desk.upstream.knows(attempt.reference, base.UpstreamState.NOT_FOUND)
    sent, opened = [], []
    for round_number in range(1, 7):
        later(round_number * 10_000)
        sent.append(len(desk.upstream.references()))
        opened.append(Case.objects.count())
    assert (sent, opened) == ([2, 3, 4, 4, 4, 4], [0, 0, 0, 1, 1, 1])
    case = Case.objects.get()
    assert (case.kind, case.payout, case.amount, case.currency_id) == (
        Case.Kind.PAYOUT_UNKNOWN, payout, Decimal(100), "CNY",
    )  # fmt: skip
    assert "it does not know the order, sent again 3 times" in case.summary
    assert (len(desk.upstream.queries), attempt_of(payout).state, desk.balances()) == (6, "unknown", FROZEN)
    desk.upstream.knows(attempt.reference, base.UpstreamState.PAID, Decimal(100))
    later(100_000)
    payout.refresh_from_db()
    assert (payout.status, desk.balances()) == (1, SETTLED)


def test_what_the_upstream_once_knew_is_no_round_of_sending_again_p4(desk: Desk) -> None:
    desk.upstream.answers += [unknown()] * 9
    attempt = attempt_of(desk.payout())
    for number, state in enumerate((base.UpstreamState.UNKNOWN, base.UpstreamState.PENDING) * 2, start=1):
        desk.upstream.knows(attempt.reference, state)
        later(number * 10_000)
    desk.upstream.knows(attempt.reference, base.UpstreamState.NOT_FOUND)
    later(90_000)
    assert desk.upstream.references() == [attempt.reference] * 2


def test_a_refused_submission_fails_the_attempt(desk: Desk) -> None:
    desk.upstream.answers.append(refused("closed account"))
    payout = desk.payout()
    assert (payout.status, payout.error_message, desk.balances()) == (2, "closed account", RELEASED)
    assert (attempt_of(payout).state, history(payout)[-1]) == ("failed", (0, 2, "submission"))


def test_success_after_failure_never_flips_the_payout_p3(desk: Desk) -> None:
    payout = desk.payout()
    attempt = attempt_of(payout)
    desk.failed(attempt)
    assert desk.paid(attempt).outcome == Outcome.SUSPENSE
    payout.refresh_from_db()
    case = Case.objects.get(payout=payout)
    assert (payout.status, case.kind, case.amount, attempt.state) == (
        2, "paid_after_end", Decimal(100), "failed",
    )  # fmt: skip
    assert legs(case.posting) == {"clearing": Decimal(100), "suspense": Decimal(-100)}
    assert desk.paid(attempt).outcome == Outcome.DUPLICATE
    assert (desk.balances(), Case.objects.count(), Posting.objects.count()) == (RELEASED, 1, 4)


def test_failure_after_success_opens_a_case_and_keeps_the_money_out_p3(desk: Desk) -> None:
    payout = desk.payout()
    attempt = attempt_of(payout)
    desk.paid(attempt)
    assert desk.failed(attempt).outcome == Outcome.NOTED
    assert (Case.objects.get(payout=payout).kind, desk.balances()) == ("contradiction", SETTLED)


@pytest.mark.parametrize(("amount", "currency"), [("99.99", "CNY"), ("100.01", "CNY"), ("100", "THB")])
def test_another_amount_or_currency_stays_frozen_with_a_case_p5(
    desk: Desk, amount: str, currency: str
) -> None:
    payout = desk.payout()
    attempt = attempt_of(payout)
    for _time in range(2):
        assert desk.paid(attempt, amount, currency=currency).outcome == Outcome.SUSPENSE
    payout.refresh_from_db()
    assert (payout.status, attempt.state, desk.balances()) == (0, "sent", FROZEN)
    assert Case.objects.get(payout=payout).kind == "payout_amount"
    assert Posting.objects.count() == 2


def test_settle_itself_refuses_another_amount(desk: Desk) -> None:
    payout = desk.payout()
    with pytest.raises(errors.LedgerRefused):
        payouts.settle(
            payout=payout,
            attempt=attempt_of(payout),
            actual_amount=Decimal("99.99"),
            now=clock.now(),
            changed_by="query",  # type: ignore[arg-type]
        )
    assert (desk.balances(), attempt_of(payout).state) == (FROZEN, "sent")


def test_a_number_of_another_attempt_is_not_taken_d7(desk: Desk) -> None:
    first = desk.payout()
    number = attempt_of(first).channel_order_no
    desk.upstream.answers.append(accepted(number))
    second = desk.payout()
    attempt = attempt_of(second)
    assert (second.status, attempt.channel_order_no, attempt.accepted_at is not None) == (0, "", True)
    assert Case.objects.get(payout=second).kind == "contradiction"
    assert desk.paid(attempt, number=number).outcome == Outcome.SUSPENSE
    second.refresh_from_db()
    assert (second.status, desk.balances()) == (0, (Decimal("798.40"), Decimal("201.60")))


def test_review_waits_and_approval_sends_p3(desk: Desk) -> None:
    desk.audit("manual")
    payout = desk.payout()
    assert (payout.status, payout.attempts.count(), desk.balances()) == (3, 0, FROZEN)
    assert desk.upstream.requests == []
    attempt = payouts.approve(
        payout_pk=payout.pk, user=factories.make_finance(), reason="known", now=clock.now()
    )
    payout.refresh_from_db()
    assert (payout.status, attempt.state, Notification.objects.count()) == (0, "prepared", 0)
    later(31)
    assert desk.upstream.references() == [attempt.reference]
    assert history(payout) == [(None, 3, "merchant"), (3, 0, "operator")]


def test_a_rejected_review_releases_and_tells_p3(desk: Desk) -> None:
    desk.audit("auto", "99.99")
    payout = desk.payout()
    finance = factories.make_finance()
    payouts.reject(payout_pk=payout.pk, user=finance, reason="unknown recipient", now=clock.now())
    payout.refresh_from_db()
    assert (payout.status, payout.error_message, desk.balances()) == (4, "unknown recipient", RELEASED)
    assert Notification.objects.get(payout=payout).order_status == 4
    with pytest.raises(errors.StatusConflict):
        payouts.approve(payout_pk=payout.pk, user=finance, reason="after all", now=clock.now())
    assert (payout.attempts.count(), Posting.objects.count()) == (0, 3)


@pytest.mark.parametrize(("amount", "status"), [("100", 0), ("100.01", 3)])
def test_the_audit_amount_itself_needs_no_review(desk: Desk, amount: str, status: int) -> None:
    desk.audit("auto", "100")
    assert desk.payout(amount).status == status


@pytest.mark.parametrize("is_superuser", [False, True])
def test_nobody_reviews_what_they_placed_p6(desk: Desk, is_superuser: bool) -> None:
    desk.audit("manual")
    boss = factories.make_user("boss", is_superuser=is_superuser)
    payout = desk.payout(placed_by=boss)
    for decide in (payouts.approve, payouts.reject):
        with pytest.raises(errors.FourEyesRequired):
            decide(payout_pk=payout.pk, user=boss, reason="mine", now=clock.now())
    for changes in ({"status": 0}, {"status": 4}):
        with pytest.raises(IntegrityError, match="another person"), transaction.atomic():
            Payout.objects.filter(pk=payout.pk).update(
                changed_by_user=boss, changed_by="operator", completed_at=clock.now(), **changes
            )
    payout.refresh_from_db()
    assert (payout.status, desk.balances()) == (3, FROZEN)


def test_fail_by_hand_ends_every_live_attempt_and_releases_once_p5(desk: Desk) -> None:
    desk.upstream.answers.append(unknown())
    payout = desk.payout()
    finance = factories.make_finance()
    payouts.fail_by_hand(payout_pk=payout.pk, user=finance, reason="bank letter", now=clock.now())
    payout.refresh_from_db()
    assert (payout.status, attempt_of(payout).state, desk.balances()) == (2, "failed", RELEASED)
    assert history(payout)[-1] == (0, 2, "operator")
    with pytest.raises(errors.StatusConflict):
        payouts.fail_by_hand(payout_pk=payout.pk, user=finance, reason="again", now=clock.now())
    assert desk.paid(attempt_of(payout)).outcome == Outcome.SUSPENSE
    assert desk.balances() == RELEASED


def test_a_payout_beyond_the_balance_leaves_nothing_l5(desk: Desk) -> None:
    with pytest.raises(errors.InsufficientBalance):
        desk.payout("992.07")
    assert (Payout.objects.count(), Posting.objects.count(), desk.balances()) == (0, 1, RELEASED)
    # 992.06 + 7.94 fee is the whole balance.
    assert (desk.payout("992.06").status, desk.balances()) == (0, (Decimal(0), Decimal(1000)))
