"""F6, F8, P2, P4: one balance, one attempt, one decision, however many want it at once."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection

from diamondpay.lib import clock, errors
from diamondpay.models import User
from operations import approvals, placement
from operations.models import Act
from records import callbacks, payouts, submission, transfers
from records.models import Case, Notification, Payment, Payout, PayoutAttempt, Posting
from tests import factories
from tests.support.desk import Desk, desk, open_desk, upstream
from tests.support.sandbox import Sandbox, sandbox, sandbox_process
from tests.support.scripted_upstream import HEADERS, callback_body, unknown
from tests.support.together import at_once

__all__ = ["desk", "sandbox", "sandbox_process", "upstream"]
pytestmark = pytest.mark.django_db(transaction=True)


def call_back(reference: str) -> callbacks.Received:
    return callbacks.receive(
        channel_code="scripted",
        headers=HEADERS,
        body=callback_body(reference, amount="100", direction="payout"),
        source_address=None,
        now=clock.now(),
    )


def act_on(payout: Payout, kind: Act.Kind, user: User, **evidence: str) -> Act:
    return approvals.request(
        kind=kind,
        object_kind="payout",
        object_id=payout.payout_id,
        evidence=evidence,
        reason="because",
        request_id=f"{kind}-{payout.payout_id}",
        user=user,
        now=clock.now(),
    )


def test_of_20_payouts_of_the_whole_balance_one_is_accepted_f8(desk: Desk) -> None:
    desk.fund("100.80")
    orders = [desk.new_payout() for _order in range(20)]
    placed = at_once([functools.partial(placement.place_payout, order=order) for order in orders])
    assert Counter(type(item).__name__ for item in placed) == {"Payout": 1, "InsufficientBalance": 19}
    assert (Payout.objects.count(), desk.balances()) == (1, (Decimal(0), Decimal("100.80")))
    assert len(desk.upstream.requests) == 1


def test_payouts_transfers_and_adjustments_never_overdraw_l5_f8(desk: Desk) -> None:
    rival = open_desk(desk.upstream, "Rival")
    desk.fund("500")
    operator = factories.make_operator()

    def move(number: int) -> object:
        return transfers.execute(
            source=desk.wallet, destination=rival.wallet, amount=Decimal(90), reason="netting",
            request_id=f"t{number}", now=clock.now(), operator=operator,
        )  # fmt: skip

    deeds: list[Callable[[], object]] = [functools.partial(move, number) for number in range(8)]
    deeds += [functools.partial(desk.payout, "90") for _order in range(8)]
    answers = at_once(deeds)
    refused = [answer for answer in answers if isinstance(answer, errors.DomainError)]
    available, frozen = desk.balances()
    done = (Payout.objects.count(), Posting.objects.filter(kind="transfer").count())
    assert (sum(done), len(refused)) == (5, 11)
    assert (frozen, rival.balances()[0]) == (done[0] * Decimal("90.72"), done[1] * Decimal(90))
    assert available == 500 - frozen - rival.balances()[0] >= 0


def test_opposite_transfers_lock_in_one_order_and_never_meet_p7(desk: Desk) -> None:
    rival = open_desk(desk.upstream, "Rival")
    pair = (desk, rival)
    for each in pair:
        each.fund("100")
    operator = factories.make_operator()
    deeds = [
        functools.partial(
            transfers.execute,
            source=pair[number % 2].wallet,
            destination=pair[1 - number % 2].wallet,
            amount=Decimal(1 + number % 2),
            reason="netting",
            request_id=f"t{number}",
            now=clock.now(),
            operator=operator,
        )
        for number in range(40)
    ]
    answers = at_once(deeds)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert (desk.balances()[0], rival.balances()[0]) == (Decimal(120), Decimal(80))
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert cursor.fetchone() == (0,)


def test_repeats_of_one_payout_freeze_once_d1_p1(desk: Desk) -> None:
    desk.fund("1000")
    order = desk.new_payout()
    placed = at_once([functools.partial(placement.place_payout, order=order)] * 8)
    assert len({item.pk for item in placed if isinstance(item, Payout)}) == 1
    assert (desk.balances(), len(desk.upstream.requests)) == ((Decimal("899.20"), Decimal("100.80")), 1)


def test_two_approvers_at_once_execute_once_f8(desk: Desk) -> None:
    operator, first, second = (factories.make_approver(name) for name in ("ann", "bob", "cyd"))
    act = approvals.request(
        kind=Act.Kind.ADJUST_BALANCE,
        object_kind="wallet",
        object_id=desk.wallet.pk,
        evidence={"amount": "10"},
        reason="because",
        request_id="r",
        user=operator,
        now=clock.now(),
    )
    answers = at_once(
        [
            functools.partial(approvals.approve, act_id=act.pk, user=user, reason="ok", now=clock.now())
            for user in (first, second)
            for _click in range(3)
        ]
    )
    assert Counter(type(item).__name__ for item in answers) == {"Act": 1, "StatusConflict": 5}
    assert desk.balances()[0] == Decimal(10)


@pytest.mark.parametrize("number", range(3))
def test_approve_and_reject_at_once_have_one_winner_f8(desk: Desk, number: int) -> None:
    desk.fund("1000")
    desk.audit("manual")
    payout = desk.payout()
    users = [factories.make_user(name) for name in ("ann", "bob")]
    deeds: list[Callable[[], object]] = [
        functools.partial(decide, payout_pk=payout.pk, user=user, reason="so", now=clock.now())
        for decide, user in zip((payouts.approve, payouts.reject), users, strict=True)
    ]
    answers = at_once(deeds if number % 2 else deeds[::-1])
    assert Counter(isinstance(item, errors.StatusConflict) for item in answers) == {True: 1, False: 1}
    payout.refresh_from_db()
    released = payout.status == 4
    assert payout.status in (0, 4)
    assert payout.attempts.count() == (0 if released else 1)
    assert desk.balances()[1] == (Decimal(0) if released else Decimal("100.80"))


@pytest.mark.parametrize("number", range(4))
def test_failing_by_hand_meets_the_success_callback_p2_p3(desk: Desk, number: int) -> None:
    desk.fund("1000")
    desk.upstream.answers.append(unknown())
    payout = desk.payout()
    operator, approver = factories.make_operator(), factories.make_approver()
    act = act_on(payout, Act.Kind.FAIL_PAYOUT, operator, proof="letter")
    deeds: list[Callable[[], object]] = [
        functools.partial(approvals.approve, act_id=act.pk, user=approver, reason="ok", now=clock.now()),
        functools.partial(call_back, f"{payout.payout_id}-1"),
    ]
    at_once(deeds if number % 2 else deeds[::-1])
    payout.refresh_from_db()
    assert Notification.objects.filter(payout=payout).count() == 1
    if payout.status == 1:
        assert (desk.balances(), Case.objects.count()) == ((Decimal("899.20"), Decimal(0)), 0)
    else:
        assert (payout.status, Case.objects.get().kind) == (2, "paid_after_end")
        assert desk.balances() == (Decimal(1000), Decimal(0))


def test_two_reinitiations_at_once_prepare_one_attempt_p4(desk: Desk) -> None:
    desk.fund("1000")
    desk.after_failure("hold")
    payout = desk.payout()
    desk.failed(payout.attempts.get())
    user = factories.make_operator()
    again = functools.partial(
        payouts.reinitiate,
        payout_pk=payout.pk,
        channel_id="scripted",
        user=user,
        reason="so",
        now=clock.now(),
    )
    answers = at_once([again] * 6)
    assert Counter(type(item).__name__ for item in answers) == {"PayoutAttempt": 1, "StatusConflict": 5}
    assert payout.attempts.count() == 2


def prepared(desk: Desk) -> PayoutAttempt:
    """Return an attempt that nobody has sent yet."""
    desk.fund("1000")
    desk.audit("manual")
    judge = factories.make_finance("judge")
    attempt = payouts.approve(payout_pk=desk.payout().pk, user=judge, reason="ok", now=clock.now())
    return PayoutAttempt.objects.select_related("payout", "channel").get(pk=attempt.pk)


def test_two_workers_send_one_prepared_attempt_once_p4(desk: Desk) -> None:
    attempt = prepared(desk)
    at_once([functools.partial(submission.submit_attempt, attempt=attempt)] * 6)
    assert desk.upstream.references() == [attempt.reference]


def test_two_sweepers_send_one_prepared_attempt_once_over_http_p4(desk: Desk, sandbox: Sandbox) -> None:
    attempt = prepared(desk)
    factories.make_channel(
        base_url=sandbox.base_url, secret=sandbox.accounts["sandbox"], settings={"timeout_seconds": "5"}
    )
    channel = type(attempt.channel).objects.get(pk="sandbox")
    factories.set_terms(
        type(channel).objects.filter(pk="scripted"), upstream="sandbox",
        settings_encrypted=bytes(channel.settings_encrypted),
    )  # fmt: skip
    due = attempt.next_query_at
    assert due is not None
    taken = at_once([functools.partial(submission.query_due, now=due)] * 4)
    assert sorted(count for count in taken if isinstance(count, int)) == [0, 0, 0, 1]
    attempt.refresh_from_db()
    assert attempt.channel_order_no == sandbox.order(attempt.reference)["channel_order_no"]
    assert attempt.upstream_calls.count() == 1


def test_one_number_sent_as_deposits_and_withdrawals_at_once_makes_one_of_each_d1(desk: Desk) -> None:
    desk.fund("1000")
    deposit, payout = desk.new_payment(merchant_order_no="N1"), desk.new_payout(merchant_order_no="N1")
    calls = [functools.partial(placement.place_payment, order=deposit)] * 8
    more = [functools.partial(placement.place_payout, order=payout)] * 8
    answers = at_once([call for pair in zip(calls, more, strict=True) for call in pair])
    assert Counter(type(answer).__name__ for answer in answers) == {"Payment": 8, "Payout": 8}
    assert (Payment.objects.count(), Payout.objects.count(), PayoutAttempt.objects.count()) == (1, 1, 1)
    assert Posting.objects.filter(kind="balance_freeze").count() == 1
    assert desk.balances() == (Decimal("899.20"), Decimal("100.80"))
    assert sorted(desk.upstream.references()) == sorted(
        [Payment.objects.get().payment_id, PayoutAttempt.objects.get().reference]
    )
