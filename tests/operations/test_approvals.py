"""P5–P8: asked for by one person, decided by another, done once and exactly as it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from operations import approvals
from operations.models import Act
from records import ledger, payments
from records.models import Actor, BalanceTransfer, Case, ManualFreeze, Notification, Posting
from tests import factories
from tests.support.desk import Desk, desk, open_desk, system_balance, upstream
from tests.support.scripted_upstream import unknown

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

Kind = Act.Kind


def ask(kind: Act.Kind, object_id: str, user: User, request_id: str = "r1", **evidence: str) -> Act:
    return approvals.request(
        kind=kind,
        object_kind="object",
        object_id=object_id,
        evidence=evidence,
        reason="because",
        request_id=request_id,
        user=user,
        now=clock.now(),
    )


def approve(act: Act, user: User) -> Act:
    return approvals.approve(act_id=act.pk, user=user, reason="seen", now=clock.now())


def state_of(act: Act) -> tuple[str, int | None]:
    act.refresh_from_db()
    return act.state, act.decided_by_id


def test_an_adjustment_happens_only_when_a_second_person_approves_p6(
    desk: Desk, operator: User, approver: User
) -> None:
    act = ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, amount="250.50")
    assert (desk.balances(), state_of(act)) == ((Decimal(0), Decimal(0)), ("requested", None))
    approve(act, approver)
    assert desk.balances() == (Decimal("250.50"), Decimal(0))
    assert (state_of(act), act.decision_reason) == (("executed", approver.pk), "seen")
    posting = Posting.objects.get()
    assert (posting.effect_key, posting.operator, posting.remark) == ("adjust:r1", approver, "because")
    assert list(
        AuditRow.objects.filter(action__startswith="act.").order_by("id").values_list("action", "user")
    ) == [
        ("act.request.adjust_balance", operator.pk),
        ("act.executed.adjust_balance", approver.pk),
    ]


@pytest.mark.parametrize("is_superuser", [False, True])
def test_nobody_decides_their_own_act_p6(desk: Desk, is_superuser: bool) -> None:
    boss = factories.make_user("boss", role="Super Administrator", is_superuser=is_superuser)
    act = ask(Kind.ADJUST_BALANCE, desk.wallet.pk, boss, amount="1")
    with pytest.raises(errors.FourEyesRequired):
        approve(act, boss)
    with pytest.raises(errors.FourEyesRequired):
        approvals.reject(act_id=act.pk, user=boss, reason="no", now=clock.now())
    # By SQL as the application's role, past every line of Python.
    with pytest.raises(IntegrityError, match="act_four_eyes"), transaction.atomic():
        Act.objects.filter(pk=act.pk).update(state="executed", decided_by=boss, decided_at=clock.now())
    assert (state_of(act), desk.balances()) == (("requested", None), (Decimal(0), Decimal(0)))


def test_an_act_is_decided_once_p8(desk: Desk, operator: User, approver: User, finance: User) -> None:
    act = ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, amount="10")
    approve(act, approver)
    for decide in (approvals.approve, approvals.reject):
        with pytest.raises(errors.StatusConflict):
            decide(act_id=act.pk, user=finance, reason="too", now=clock.now())
    assert (state_of(act), desk.balances()[0]) == (("executed", approver.pk), Decimal(10))
    refused = ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, "r2", amount="10")
    approvals.reject(act_id=refused.pk, user=finance, reason="no", now=clock.now())
    with pytest.raises(errors.StatusConflict):
        approve(refused, approver)
    assert (state_of(refused), desk.balances()[0]) == (("rejected", finance.pk), Decimal(10))


def test_what_was_asked_for_cannot_be_changed_p6(desk: Desk, operator: User, approver: User) -> None:
    act = ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, amount="10")
    for changes in ({"evidence": {"amount": "9999"}}, {"requested_by": approver}, {"kind": "freeze_balance"}):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            Act.objects.filter(pk=act.pk).update(**changes)
    approve(act, approver)
    with pytest.raises(IntegrityError, match="decided once"), transaction.atomic():
        Act.objects.filter(pk=act.pk).update(decision_reason="else")
    assert desk.balances()[0] == Decimal(10)


def test_a_double_click_asks_once_p8(desk: Desk, operator: User) -> None:
    first = ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, amount="10")
    assert ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, amount="10") == first
    assert (Act.objects.count(), AuditRow.objects.filter(action__startswith="act.").count()) == (1, 1)


def test_the_same_request_id_for_something_else_is_refused_p8(desk: Desk, operator: User) -> None:
    ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, amount="10")
    with pytest.raises(errors.DomainError):
        ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, amount="11")
    assert Act.objects.get().evidence == {"amount": "10"}


def test_an_act_needs_a_reason_p8(desk: Desk, operator: User) -> None:
    with pytest.raises(errors.InvalidInput):
        approvals.request(
            kind=Kind.ADJUST_BALANCE,
            object_kind="wallet",
            object_id=desk.wallet.pk,
            evidence={"amount": "1"},
            reason="  ",
            request_id="r",
            user=operator,
            now=clock.now(),
        )
    assert Act.objects.count() == 0


INCOMPLETE: list[tuple[Act.Kind, Mapping[str, str]]] = [
    (Kind.ADJUST_BALANCE, {}),
    (Kind.ADJUST_BALANCE, {"amount": "1e3"}),
    (Kind.FREEZE_BALANCE, {"amount": "ten"}),
    (Kind.TRANSFER_BALANCE, {"amount": "1"}),
    (Kind.REINITIATE_PAYOUT, {}),
    (Kind.SUPPLEMENT_PAYMENT, {"amount": "100"}),
    (Kind.SUPPLEMENT_PAYMENT, {"amount": "100", "channel_order_no": "N-1"}),
    (Kind.FAIL_PAYOUT, {}),
]


@pytest.mark.parametrize(("kind", "evidence"), INCOMPLETE)
def test_an_act_without_its_evidence_is_not_asked_for_p5_p8(
    desk: Desk, operator: User, kind: Act.Kind, evidence: Mapping[str, str]
) -> None:
    with pytest.raises(errors.InvalidInput):
        ask(kind, "anything", operator, **evidence)
    assert (Act.objects.count(), AuditRow.objects.filter(action__startswith="act.").count()) == (0, 0)


def test_a_deed_that_is_refused_leaves_the_act_waiting(desk: Desk, operator: User, approver: User) -> None:
    act = ask(Kind.ADJUST_BALANCE, desk.wallet.pk, operator, amount="-1")
    with pytest.raises(errors.InsufficientBalance):
        approve(act, approver)
    assert (state_of(act), Posting.objects.count()) == (("requested", None), 0)


def test_freeze_and_unfreeze_need_two_people_each(desk: Desk, operator: User, approver: User) -> None:
    desk.fund("100")
    approve(ask(Kind.FREEZE_BALANCE, desk.wallet.pk, operator, "f1", amount="30"), approver)
    assert desk.balances() == (Decimal(70), Decimal(30))
    approve(ask(Kind.UNFREEZE_BALANCE, "f1", operator, "u1"), approver)
    assert (desk.balances(), ManualFreeze.objects.get().lifted_by is not None) == (
        (Decimal(100), Decimal(0)),
        True,
    )
    again = ask(Kind.UNFREEZE_BALANCE, "f1", operator, "u2")
    with pytest.raises(ledger.EffectExists):
        approve(again, approver)
    assert (desk.balances(), state_of(again)) == ((Decimal(100), Decimal(0)), ("requested", None))


def test_a_transfer_moves_both_legs_p7(desk: Desk, operator: User, approver: User) -> None:
    rival = open_desk(desk.upstream, "Rival")
    desk.fund("100")
    act = ask(Kind.TRANSFER_BALANCE, desk.wallet.pk, operator, amount="40", destination=rival.wallet.pk)
    approve(act, approver)
    assert (desk.balances()[0], rival.balances()[0]) == (Decimal(60), Decimal(40))
    assert BalanceTransfer.objects.get().request_id == "r1"


def test_failing_a_payout_by_hand_releases_it_p5(desk: Desk, operator: User, approver: User) -> None:
    desk.fund()
    desk.upstream.answers.append(unknown())
    payout = desk.payout()
    act = ask(Kind.FAIL_PAYOUT, payout.payout_id, operator, proof="letter of the bank, 22 November")
    assert desk.balances()[1] == Decimal("100.80")
    approve(act, approver)
    payout.refresh_from_db()
    assert (payout.status, payout.changed_by_user, desk.balances()) == (
        2,
        approver,
        (Decimal(1000), Decimal(0)),
    )
    assert Notification.objects.get(payout=payout).order_status == 2


def test_a_held_payout_is_reinitiated_and_sent_p3(desk: Desk, operator: User, approver: User) -> None:
    desk.fund()
    desk.after_failure("hold")
    factories.make_channel("second", upstream="scripted")
    payout = desk.payout()
    desk.failed(payout.attempts.get())
    approve(ask(Kind.REINITIATE_PAYOUT, payout.payout_id, operator, channel="second"), approver)
    states = payout.attempts.order_by("number").values_list("number", "channel", "state")
    assert list(states) == [(1, "scripted", "failed"), (2, "second", "sent")]
    assert desk.upstream.references() == [f"{payout.payout_id}-1", f"{payout.payout_id}-2"]


def test_a_review_decided_as_an_act_sends_the_payout_p6(desk: Desk, operator: User, approver: User) -> None:
    desk.fund()
    desk.audit("manual")
    payout = desk.payout(placed_by=approver)
    act = ask(Kind.REVIEW_PAYOUT, payout.payout_id, operator)
    with pytest.raises(errors.FourEyesRequired):
        approve(act, approver)
    assert (state_of(act), desk.upstream.requests) == (("requested", None), [])
    approve(act, factories.make_finance("judge"))
    payout.refresh_from_db()
    assert (payout.status, desk.upstream.references()) == (0, [f"{payout.payout_id}-1"])


@pytest.mark.parametrize("is_late", [False, True])
def test_a_supplement_takes_the_money_out_of_suspense_and_credits_it_d9(
    desk: Desk, operator: User, approver: User, is_late: bool
) -> None:
    payment = desk.deposit()
    desk.paid(payment, "60")
    if is_late:
        payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="")
    act = ask(
        Kind.SUPPLEMENT_PAYMENT, payment.payment_id, operator,
        amount="60", channel_order_no=payment.channel_order_no, proof="bank statement",
    )  # fmt: skip
    approve(act, approver)
    payment.refresh_from_db()
    assert (payment.status, payment.actual_amount, payment.credited_amount, payment.is_late) == (
        1, Decimal(60), Decimal("59.52"), is_late,
    )  # fmt: skip
    assert system_balance("suspense", channel="scripted") == Decimal(0)
    assert system_balance("clearing", channel="scripted") == Decimal(-60)
    case = Case.objects.get(payment=payment)
    assert (case.status, case.closed_by, case.resolution) == ("closed", approver, "because")
    keys = list(Posting.objects.order_by("pk").values_list("effect_key", flat=True))
    number = f"suspense:scripted:{payment.channel_order_no}"
    assert keys == [number, f"reverse:{number}", f"payment:{payment.payment_id}:credit"]


def test_a_supplement_never_credits_twice_l7(desk: Desk, operator: User, approver: User) -> None:
    payment = desk.deposit()
    act = ask(
        Kind.SUPPLEMENT_PAYMENT, payment.payment_id, operator, amount="100", channel_order_no="N-1",
        proof="bank statement",
    )  # fmt: skip
    desk.paid(payment)
    with pytest.raises(errors.StatusConflict):
        approve(act, approver)
    assert (state_of(act), desk.balances()[0]) == (("requested", None), Decimal("99.20"))
