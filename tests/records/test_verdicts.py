"""D6, D9: whatever an upstream says of an order ends in one outcome, and no money is dropped or doubled."""

from __future__ import annotations

from decimal import Decimal

import pytest

from channels.models import Channel
from channels.upstreams import base
from diamondpay.lib import clock
from records import verdicts
from records.models import Actor, Case, Payment, Posting, UpstreamCallback
from tests.support.desk import Desk, desk, system_balance, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
Outcome = UpstreamCallback.Outcome
State = base.UpstreamState


def of_unknown(
    *, amount: str | None = "70", number: str = "X-1", state: State = State.PAID, currency: str = "CNY"
) -> verdicts.Verdict:
    word = verdicts.Word(state, None if amount is None else Decimal(amount), currency, number)
    channel = Channel.objects.get(pk="scripted")
    return verdicts.on_unknown_order(channel=channel, reference="PM404", word=word, now=clock.now())


def suspense() -> Decimal:
    return system_balance("suspense", channel="scripted")


def test_money_for_an_unknown_order_waits_in_suspense_once_d6(desk: Desk) -> None:
    first = of_unknown()
    case = Case.objects.get()
    assert (first.outcome, case.kind, case.amount, case.currency_id, case.status) == (
        Outcome.SUSPENSE, "unknown_order", Decimal(70), "CNY", "open",
    )  # fmt: skip
    again = of_unknown()
    assert (again.outcome, again.case, suspense()) == (Outcome.DUPLICATE, case, Decimal(70))
    assert (Posting.objects.count(), Case.objects.count()) == (1, 1)
    other = of_unknown(number="X-2", amount="5")
    assert (other.outcome, suspense()) == (Outcome.SUSPENSE, Decimal(75))


def test_another_amount_under_the_same_number_is_no_duplicate_d6(desk: Desk) -> None:
    of_unknown()
    told = of_unknown(amount="71")
    assert (told.outcome, told.case is not None, suspense()) == (Outcome.SUSPENSE, True, Decimal(70))
    payment = desk.deposit()
    desk.paid(payment, "50")
    told = desk.paid(payment, "60")
    assert (told.outcome, payment.status, suspense()) == (Outcome.SUSPENSE, 0, Decimal(120))
    kinds = Case.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["unknown_order", "contradiction", "wrong_amount", "contradiction"]


@pytest.mark.parametrize(
    ("amount", "state"), [(None, State.PAID), ("0", State.PAID), ("70", State.FAILED), ("70", State.PENDING)]
)
def test_an_unknown_order_without_money_is_only_noted(desk: Desk, amount: str | None, state: State) -> None:
    assert of_unknown(amount=amount, state=state).outcome == Outcome.NOTED
    assert (Case.objects.count(), Posting.objects.count()) == (0, 0)


def test_an_unknown_order_in_another_currency_opens_a_case_and_books_nothing(desk: Desk) -> None:
    for _time in range(2):
        assert of_unknown(currency="THB").outcome == Outcome.SUSPENSE
    assert (Case.objects.get().kind, Posting.objects.count()) == ("unknown_order", 0)


@pytest.mark.parametrize("amount", [None, "0"])
def test_paid_without_an_amount_credits_nothing_d9(desk: Desk, amount: str | None) -> None:
    payment = desk.deposit()
    for _time in range(2):
        assert desk.says(payment, State.PAID, amount=amount).outcome == Outcome.SUSPENSE
    assert (Case.objects.get().kind, payment.status, Posting.objects.count()) == ("contradiction", 0, 0)


def test_another_currency_credits_nothing_d9(desk: Desk) -> None:
    payment = desk.deposit()
    for _time in range(2):
        assert desk.paid(payment, currency="THB").outcome == Outcome.SUSPENSE
    case = Case.objects.get(payment=payment)
    assert (case.kind, case.amount, payment.status, Posting.objects.count()) == (
        "wrong_currency", Decimal(100), 0, 0,
    )  # fmt: skip


def test_a_repeated_other_amount_is_booked_once_d9(desk: Desk) -> None:
    payment = desk.deposit()
    assert desk.paid(payment, "50").outcome == Outcome.SUSPENSE
    case = Case.objects.get(payment=payment)
    again = desk.paid(payment, "50")
    assert (again.outcome, again.case, suspense()) == (Outcome.DUPLICATE, case, Decimal(50))
    assert (Posting.objects.count(), desk.balances()) == (1, (Decimal(0), Decimal(0)))


def test_the_right_amount_after_a_wrong_one_is_not_booked_a_second_time_d9(desk: Desk) -> None:
    payment = desk.deposit()
    assert desk.paid(payment, "50").outcome == Outcome.SUSPENSE
    assert desk.paid(payment, "100").outcome == Outcome.SUSPENSE
    payment.refresh_from_db()
    assert (payment.status, desk.balances(), suspense()) == (0, (Decimal(0), Decimal(0)), Decimal(50))
    kinds = list(Case.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["wrong_amount", "contradiction"]
    assert Posting.objects.count() == 1


def test_a_second_payment_of_a_credited_order_waits_in_suspense_d6(desk: Desk) -> None:
    payment = desk.deposit()
    desk.paid(payment)
    told = desk.paid(payment, number="SECOND-1")
    case = Case.objects.get(payment=payment)
    assert (told.outcome, case.kind, case.amount) == (Outcome.SUSPENSE, "paid_again", Decimal(100))
    assert desk.paid(payment, number="SECOND-1").outcome == Outcome.DUPLICATE
    assert (suspense(), desk.balances()[0]) == (Decimal(100), Decimal("99.20"))


def test_another_amount_of_a_credited_order_is_a_contradiction_d6(desk: Desk) -> None:
    payment = desk.deposit()
    desk.paid(payment)
    told = desk.paid(payment, "120")
    assert (told.outcome, Case.objects.get().kind, suspense()) == (
        Outcome.SUSPENSE, "contradiction", Decimal(0),
    )  # fmt: skip
    assert (payment.actual_amount, desk.balances()[0]) == (Decimal(100), Decimal("99.20"))


def test_money_for_a_closed_order_with_another_amount_is_not_credited_d8_d9(desk: Desk) -> None:
    payment = desk.deposit()
    desk.failed(payment)
    assert desk.paid(payment, "99").outcome == Outcome.SUSPENSE
    assert (payment.status, payment.is_late, suspense()) == (2, False, Decimal(99))


@pytest.mark.parametrize("state", [State.PENDING, State.UNKNOWN, State.NOT_FOUND])
def test_what_is_no_end_changes_nothing(desk: Desk, state: State) -> None:
    desk.fund()
    payment, payout = desk.deposit(), desk.payout()
    before = Payment.objects.values().get(pk=payment.pk)
    assert desk.says(payment, state).outcome == Outcome.NOTED
    assert desk.says(payout.attempts.get(), state).outcome == Outcome.NOTED
    assert Payment.objects.values().get(pk=payment.pk) == before
    assert desk.balances() == (Decimal("899.20"), Decimal("100.80"))


def test_the_reasons_of_a_verdict_name_order_and_amounts(desk: Desk) -> None:
    payment = desk.deposit("100.50")
    word = verdicts.Word(State.PAID, Decimal("99.5"), "CNY", "N-1")
    told = verdicts.on_payment(payment_pk=payment.pk, word=word, now=clock.now(), changed_by=Actor.QUERY)
    assert payment.payment_id in told.reason
    assert "N-1" in told.reason  # under another number than the one it was given
    told = desk.paid(payment, "99.5")
    assert told.reason == f"Order {payment.payment_id} asked for 100.5 CNY; 99.5 were paid."
