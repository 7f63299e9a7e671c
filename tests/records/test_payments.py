"""D1–D9 and L9: what a deposit may become, with exact amounts, and what it refuses without a trace."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from channels.upstreams import base
from diamondpay.lib import clock, errors
from merchants.models import MerchantChannel, MerchantService
from records import ledger, payments
from records.models import Actor, Case, Notification, Payment, Posting, PostingKind, StatusChange
from records.models import UpstreamCallback as Callback
from tests import factories
from tests.support.desk import Desk, desk, later, system_balance, upstream
from tests.support.scripted_upstream import accepted, refused, unknown

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
Outcome = Callback.Outcome


def amounts(payment: Payment) -> tuple[int, object, object, object, object]:
    payment.refresh_from_db()
    return (
        payment.status,
        payment.actual_amount,
        payment.settled_amount,
        payment.fee,
        payment.credited_amount,
    )


def history(payment: Payment) -> list[tuple[int | None, int, str]]:
    changes = StatusChange.objects.filter(payment=payment).order_by("version")
    return [(change.from_status, change.to_status, change.changed_by) for change in changes]


def entries(posting: Posting | None) -> dict[str, Decimal]:
    assert posting is not None
    return dict(posting.entries.values_list("account_kind", "amount"))


def close(payment: Payment) -> Payment:
    return payments.close(
        payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="Expired without a payment."
    )


def test_settle_credits_exactly_once_and_leaves_its_trace_d2_d5(desk: Desk) -> None:
    payment = desk.deposit("1234.56")
    assert desk.paid(payment, "1234.56").outcome == Outcome.CREDITED
    # 8 ‰ of 1234.56 is 9.87648, rounded once.
    assert amounts(payment) == (
        1, Decimal("1234.56"), Decimal("1234.56"), Decimal("9.88"), Decimal("1224.68"),
    )  # fmt: skip
    assert (payment.is_late, payment.version, payment.next_query_at) == (False, 1, None)
    assert payment.credit_posting is not None
    assert payment.credit_posting.effect_key == f"payment:{payment.payment_id}:credit"
    assert entries(payment.credit_posting) == {
        "clearing": Decimal("-1234.56"),
        "available": Decimal("1224.68"),
        "fees": Decimal("9.88"),
    }
    assert history(payment) == [(None, 0, "merchant"), (0, 1, "callback")]
    told = Notification.objects.get(payment=payment)
    assert (told.order_version, told.order_status, told.state) == (1, 1, "retrying")
    assert desk.balances() == (Decimal("1224.68"), Decimal(0))


def test_a_success_must_agree_with_its_credit_even_by_sql_d2(desk: Desk) -> None:
    payment, now = desk.deposit(), clock.now()
    accounts = ledger.accounts_of(
        merchant_channel_id=desk.wallet.pk, channel_id="scripted", currency_id="CNY"
    )
    with pytest.raises(IntegrityError, match=r"has no credit of 99\.2"), transaction.atomic():
        posting = ledger.post(
            effect_key=f"payment:{payment.payment_id}:credit",
            kind=PostingKind.DEPOSIT_CREDIT,
            currency_id="CNY",
            legs=[(accounts["clearing"], Decimal(-50)), (accounts["available"], Decimal(50))],
            now=now,
            payment=payment,
        )
        Payment.objects.filter(pk=payment.pk).update(
            status=1, credit_posting=posting, completed_at=now, actual_amount=Decimal(100),
            settled_amount=Decimal(100), fee=Decimal("0.80"), credited_amount=Decimal("99.20"),
        )  # fmt: skip
        # As the commit does, which no test that rolls back ever comes to.
        connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert (amounts(payment)[0], desk.balances()[0]) == (0, Decimal(0))


def test_a_credit_locks_the_wallet_last_of_all(desk: Desk) -> None:
    """Whoever else pays into the wallet waits from its entry to the commit, and for nothing in between."""
    payment = desk.deposit()
    with CaptureQueriesContext(connection) as captured:
        settled = payments.settle(
            payment=payment, actual_amount=Decimal(100), now=clock.now(), changed_by=Actor.QUERY
        )
    assert settled.status == 1
    written = [
        re.findall(r"INTO (\w+)|UPDATE (\w+) SET", str(query["sql"])) for query in captured.captured_queries
    ]
    tables = ["".join(found) for (found,) in filter(None, written)]
    assert tables == ["records_posting", "records_payment", "records_notification", "records_balancerecord"]
    assert written[-1]


def test_a_repeated_paid_is_a_duplicate_and_changes_nothing_d6(desk: Desk) -> None:
    payment = desk.deposit()
    desk.paid(payment)
    before = Payment.objects.values().get(pk=payment.pk)
    assert desk.paid(payment).outcome == Outcome.DUPLICATE
    assert Payment.objects.values().get(pk=payment.pk) == before
    assert (Posting.objects.count(), Notification.objects.count(), Case.objects.count()) == (1, 1, 0)
    assert desk.balances() == (Decimal("99.20"), Decimal(0))


@pytest.mark.parametrize("end", ["failed", "closed"])
def test_money_after_the_end_is_a_late_payment_d3_d8(desk: Desk, end: str) -> None:
    payment = desk.deposit()
    if end == "failed":
        desk.failed(payment)
    else:
        close(payment)
    assert desk.paid(payment).outcome == Outcome.CREDITED
    assert amounts(payment) == (1, Decimal(100), Decimal(100), Decimal("0.80"), Decimal("99.20"))
    assert (payment.is_late, payment.version, payment.error_message) == (True, 2, "")
    ended = 2 if end == "failed" else 3
    assert [change[:2] for change in history(payment)] == [(None, 0), (0, ended), (ended, 1)]
    told = Notification.objects.filter(payment=payment).order_by("order_version")
    assert [(row.order_version, row.order_status) for row in told] == [(1, ended), (2, 1)]
    assert desk.balances() == (Decimal("99.20"), Decimal(0))


def test_success_is_final_d3(desk: Desk) -> None:
    payment = desk.deposit()
    desk.paid(payment)
    before = Payment.objects.values().get(pk=payment.pk)
    with pytest.raises(errors.StatusConflict):
        close(payment)
    with pytest.raises(errors.StatusConflict):
        payments.fail(payment=payment, now=clock.now(), changed_by=Actor.QUERY, reason="no")
    with pytest.raises(errors.StatusConflict):
        payments.settle(payment=payment, actual_amount=Decimal(100), now=clock.now(), changed_by=Actor.QUERY)
    assert Payment.objects.values().get(pk=payment.pk) == before
    assert (Posting.objects.count(), StatusChange.objects.count()) == (1, 2)


def test_an_upstream_that_fails_what_it_paid_opens_one_case_d6(desk: Desk) -> None:
    payment = desk.deposit()
    desk.paid(payment)
    for _time in range(2):
        verdict = desk.failed(payment)
        assert (verdict.outcome, verdict.case is not None) == (Outcome.NOTED, True)
    case = Case.objects.get(payment=payment)
    assert (case.kind, case.status, case.posting) == ("contradiction", "open", None)
    assert (payment.status, desk.balances()) == (1, (Decimal("99.20"), Decimal(0)))


def test_failed_twice_is_a_duplicate(desk: Desk) -> None:
    payment = desk.deposit()
    assert desk.failed(payment).outcome == Outcome.NOTED
    assert (payment.status, payment.completed_at is None, payment.next_query_at is None) == (2, False, False)
    assert desk.failed(payment).outcome == Outcome.DUPLICATE
    assert (Posting.objects.count(), Notification.objects.count()) == (0, 1)


@pytest.mark.parametrize(
    ("paid", "is_credited"),
    [("94.99", False), ("95.00", True), ("95.01", True), ("100", True), ("110", True), ("110.01", False)],
)
def test_the_tolerance_holds_at_its_edges_d9(desk: Desk, paid: str, is_credited: bool) -> None:
    desk.tolerate(below="5", above="10")
    payment = desk.deposit()
    verdict = desk.paid(payment, paid)
    if is_credited:
        fee = {"95.00": "0.76", "95.01": "0.76", "100": "0.80", "110": "0.88"}[paid]
        credited = Decimal(paid) - Decimal(fee)
        assert amounts(payment) == (1, Decimal(paid), Decimal(paid), Decimal(fee), credited)
        assert (verdict.outcome, desk.balances()) == (Outcome.CREDITED, (credited, Decimal(0)))
    else:
        assert (verdict.outcome, amounts(payment)) == (Outcome.SUSPENSE, (0, None, None, None, None))
        assert desk.balances() == (Decimal(0), Decimal(0))
        assert system_balance("suspense", channel="scripted") == Decimal(paid)


def test_what_the_payer_was_asked_to_send_is_what_is_expected_d9(desk: Desk) -> None:
    desk.upstream.answers.append(accepted("", display_amount=Decimal("100.37")))
    payment = desk.deposit()
    assert (payment.requested_amount, payment.display_amount) == (Decimal(100), Decimal("100.37"))
    assert desk.paid(payment, "100").outcome == Outcome.SUSPENSE
    desk.upstream.answers.append(accepted("", display_amount=Decimal("100.37")))
    other = desk.deposit()
    assert desk.paid(other, "100.37").outcome == Outcome.CREDITED
    assert amounts(other) == (1, Decimal("100.37"), Decimal("100.37"), Decimal("0.80"), Decimal("99.57"))


def test_the_fee_never_exceeds_what_arrived_l9(desk: Desk) -> None:
    factories.set_terms(
        MerchantService.objects.filter(service="SVC0001"), fee_type="fixed", fee_fixed=Decimal(40)
    )
    desk.tolerate(below="90")
    payment = desk.deposit("50")
    desk.paid(payment, "10")
    assert amounts(payment) == (1, Decimal(10), Decimal(10), Decimal(10), Decimal(0))
    assert entries(payment.credit_posting) == {"clearing": Decimal(-10), "fees": Decimal(10)}
    assert desk.balances() == (Decimal(0), Decimal(0))


def settled_elsewhere(desk: Desk, *, currency: str, unit_price: str, amount: str) -> Payment:
    """Make a CNY deposit that is settled in another currency, as a table of rates would have it."""
    pattern = desk.deposit(amount)
    other = factories.make_merchant("Abroad", channels=["elsewhere"]).merchant
    wallet = MerchantChannel.objects.create(
        id="PFC09000001", merchant=other, channel=pattern.channel, currency_id=currency
    )
    copied = (
        "service", "channel", "currency_id", "requested_amount", "fee_type", "fee_permillage", "fee_fixed",
        "source", "dialect", "sign_type", "notify_url", "request_hash", "expires_at", "changed_by",
    )  # fmt: skip
    columns = {name: getattr(pattern, name) for name in copied}
    columns |= {
        "merchant": other,
        "merchant_order_no": "abroad",
        "merchant_channel": wallet,
        "settlement_currency_id": currency,
        "unit_price": Decimal(unit_price),
    }
    return payments.create(columns=columns, party=base.Party(), now=clock.now())


def test_another_settlement_currency_is_converted_once_and_exchanged_l9(desk: Desk) -> None:
    payment = settled_elsewhere(desk, currency="USDT", unit_price="7.2", amount="100")
    assert desk.paid(payment, "100", number="").outcome == Outcome.CREDITED
    # 100 / 7.2 = 13.8888…, to 6 decimals; 8 ‰ of it is 0.111111112.
    assert amounts(payment) == (
        1, Decimal(100), Decimal("13.888889"), Decimal("0.111111"), Decimal("13.777778"),
    )  # fmt: skip
    assert entries(payment.credit_posting) == {
        "exchange": Decimal("-13.888889"), "available": Decimal("13.777778"), "fees": Decimal("0.111111"),
    }  # fmt: skip
    exchanged = Posting.objects.get(effect_key=f"payment:{payment.payment_id}:exchange")
    assert (exchanged.currency_id, entries(exchanged)) == (
        "CNY", {"clearing": Decimal(-100), "exchange": Decimal(100)},
    )  # fmt: skip
    assert ledger.balances(["PFC09000001"]) == {"PFC09000001": (Decimal("13.777778"), Decimal(0))}
    assert desk.paid(payment, "100", number="").outcome == Outcome.DUPLICATE
    assert Posting.objects.count() == 2


def test_a_conversion_is_rounded_once_to_eighteen_decimals_l9(desk: Desk) -> None:
    payment = settled_elsewhere(desk, currency="ETH", unit_price="0.7", amount="123456789.13")
    desk.paid(payment, "123456789.13", number="")
    assert payment.settled_amount == Decimal("176366841.614285714285714286")
    assert payment.fee == Decimal("1410934.732914285714285714")
    assert payment.credited_amount == Decimal("174955906.881371428571428572")


def test_a_refused_submission_fails_the_order_and_says_why(desk: Desk) -> None:
    desk.upstream.answers.append(refused("card is blocked"))
    payment = desk.deposit()
    assert (payment.status, payment.error_message, payment.submitted_at) == (2, "card is blocked", None)
    assert [change[:2] for change in history(payment)] == [(None, 0), (0, 2)]
    assert Notification.objects.get(payment=payment).order_status == 2


def test_an_answer_after_the_callback_fills_in_only_what_is_empty_f3(desk: Desk) -> None:
    def pay_first(request: base.PaymentRequest | base.PayoutRequest) -> None:
        desk.paid(Payment.objects.get(payment_id=request.reference))

    desk.upstream.before_answer = pay_first
    payment = desk.deposit()
    assert amounts(payment) == (1, Decimal(100), Decimal(100), Decimal("0.80"), Decimal("99.20"))
    assert (payment.submitted_at is not None, payment.next_query_at) == (True, None)
    desk.upstream.before_answer = None
    desk.upstream.answers.append(unknown())
    assert desk.deposit().submitted_at is None


def test_a_refusal_after_the_callback_changes_nothing_f3(desk: Desk) -> None:
    def pay_first(request: base.PaymentRequest | base.PayoutRequest) -> None:
        desk.paid(Payment.objects.get(payment_id=request.reference))

    desk.upstream.before_answer = pay_first
    desk.upstream.answers.append(refused())
    payment = desk.deposit()
    assert (payment.status, payment.error_message, desk.balances()[0]) == (1, "", Decimal("99.20"))


def test_a_number_of_another_order_is_not_taken_d7(desk: Desk) -> None:
    first = desk.deposit()
    desk.upstream.answers.append(accepted(first.channel_order_no))
    second = desk.deposit()
    assert (second.status, second.channel_order_no, second.submitted_at is not None) == (0, "", True)
    case = Case.objects.get(payment=second)
    assert (case.kind, case.status) == ("contradiction", "open")
    first.refresh_from_db()
    assert first.channel_order_no == f"UP-{first.payment_id}"


def test_one_upstream_order_never_credits_two_orders_d7(desk: Desk) -> None:
    first = desk.deposit()
    desk.paid(first)
    desk.upstream.answers.append(accepted(""))
    second = desk.deposit()
    verdict = desk.paid(second, number=first.channel_order_no)
    assert (verdict.outcome, second.status) == (Outcome.SUSPENSE, 0)
    assert Case.objects.get(payment=second).kind == "contradiction"
    assert desk.balances() == (Decimal("99.20"), Decimal(0))


def test_paid_under_another_number_goes_to_suspense_d7(desk: Desk) -> None:
    payment = desk.deposit()
    verdict = desk.paid(payment, number="ELSE-1")
    case = Case.objects.get(payment=payment)
    assert (verdict.outcome, case.kind, case.amount, payment.status) == (
        Outcome.SUSPENSE, "contradiction", Decimal(100), 0,
    )  # fmt: skip
    assert entries(case.posting) == {"clearing": Decimal(-100), "suspense": Decimal(100)}


def test_an_expired_order_closes_and_is_still_asked_for_d8(desk: Desk) -> None:
    payment = desk.deposit()
    assert payments.close_expired(now=payment.expires_at - timedelta(seconds=1)) == 0
    assert payments.close_expired(now=payment.expires_at) == 1
    payment.refresh_from_db()
    assert (payment.status, payment.changed_by, payment.next_query_at is not None) == (3, "expiry", True)
    assert payments.close_expired(now=payment.expires_at) == 0
    desk.upstream.knows(payment.payment_id, base.UpstreamState.PAID, Decimal(100))
    later(3600)
    payment.refresh_from_db()
    assert (payment.status, payment.is_late, payment.changed_by) == (1, True, "query")


def test_a_callback_that_never_comes_is_found_within_five_minutes_f5(desk: Desk) -> None:
    payment = desk.deposit()
    desk.upstream.knows(payment.payment_id, base.UpstreamState.PENDING)
    asked_at = []
    for seconds in range(0, 1500, 10):
        seen = len(desk.upstream.queries)
        later(seconds)
        if len(desk.upstream.queries) > seen:
            asked_at.append(seconds)
    gaps = [after - before for before, after in zip([0, *asked_at], asked_at, strict=False)]
    assert asked_at[0] <= 70
    assert max(gaps) <= 290
    desk.upstream.knows(payment.payment_id, base.UpstreamState.PAID, Decimal(100))
    later(1500 + 290)
    assert amounts(payment)[0] == 1


def test_later_terms_do_not_reach_an_order_d4(desk: Desk) -> None:
    payment, other = desk.deposit(), desk.deposit()
    factories.set_terms(MerchantService.objects.filter(service="SVC0001"), fee_permillage=Decimal(500))
    desk.tolerate(below="90")
    assert desk.paid(payment, "50").outcome == Outcome.SUSPENSE
    desk.paid(other)
    assert amounts(other) == (1, Decimal(100), Decimal(100), Decimal("0.80"), Decimal("99.20"))
