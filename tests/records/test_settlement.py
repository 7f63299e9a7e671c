"""Orders settled in another currency than they are paid in: MTC wallets on a CNY channel (L9)."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from channels import rates
from channels.models import Channel
from diamondpay.lib import clock, errors, transactions
from merchants import registration
from merchants.models import MerchantService
from operations import routing
from records import checks, credit, payments, payouts
from records.admin import facts
from records.models import Actor, Case, Payment, Payout, PayoutAttempt, Posting, UpstreamCallback
from tests import factories
from tests.support.desk import Desk, desk, system_balance, upstream
from tests.support.scripted_upstream import refused

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
Outcome = UpstreamCallback.Outcome


@pytest.fixture
def abroad(desk: Desk) -> Desk:
    """A merchant whose wallet on the CNY channel is in MTC, 8 ‰ fee; 1 MTC = 7.47 CNY."""
    rates.add(base="MTC", quote="CNY", rate=Decimal("7.47"), reason="start", now=clock.now(), actor="tests")
    terms = registration.Terms(fee_permillage=Decimal(8))
    made = factories.make_merchant("Abroad", channels=["scripted"], terms=terms, settlement_currency="MTC")
    return Desk(made, desk.upstream)


def entries(posting: Posting | None) -> dict[str, Decimal]:
    assert posting is not None
    return {entry.account_kind: entry.amount for entry in posting.entries.all()}


def attempt_of(payout: Payout) -> PayoutAttempt:
    return PayoutAttempt.objects.select_related("payout", "channel").get(payout=payout)


def test_a_deposit_is_converted_at_the_price_it_was_made_at_l9(abroad: Desk) -> None:
    payment = abroad.deposit("1234.56")
    assert (payment.settlement_currency_id, payment.unit_price) == ("MTC", Decimal("7.47"))
    rates.add(base="MTC", quote="CNY", rate=Decimal(9), reason="new", now=clock.now(), actor="tests")
    assert abroad.paid(payment, "1234.56").outcome == Outcome.CREDITED
    amounts = (payment.settled_amount, payment.fee, payment.credited_amount)
    assert amounts == (Decimal("165.27"), Decimal("1.32"), Decimal("163.95"))
    assert abroad.balances() == (Decimal("163.95"), Decimal(0))
    assert abroad.deposit("100").unit_price == 9


def test_a_payout_freezes_and_debits_settlement_units_l9(abroad: Desk) -> None:
    abroad.fund("200")
    payout = abroad.payout("747")
    assert (payout.requested_amount, payout.fee, payout.debited_amount) == (
        747,
        Decimal("0.8"),
        Decimal("100.8"),
    )
    assert abroad.balances() == (Decimal("99.2"), Decimal("100.8"))
    assert abroad.paid(attempt_of(payout), "747").outcome == Outcome.SETTLED
    payout.refresh_from_db()
    assert entries(payout.resolve_posting) == {
        "frozen": Decimal("-100.8"), "exchange": Decimal(100), "fees": Decimal("0.8"),
    }  # fmt: skip
    exchanged = Posting.objects.get(effect_key=f"payout:{payout.payout_id}:exchange")
    assert (exchanged.currency_id, entries(exchanged)) == (
        "CNY", {"exchange": Decimal(-747), "clearing": Decimal(747)},
    )  # fmt: skip
    assert abroad.balances() == (Decimal("99.2"), Decimal(0))
    assert system_balance("clearing", channel="scripted") == Decimal(747)
    assert system_balance("exchange", currency="MTC") == Decimal(100)
    assert abroad.paid(attempt_of(payout), "747").outcome == Outcome.DUPLICATE


def test_a_failed_payout_releases_its_settlement_units_p2(abroad: Desk) -> None:
    abroad.fund("200")
    abroad.upstream.answers = [refused("closed")]
    payout = abroad.payout("747")
    assert (payout.status, abroad.balances()) == (2, (Decimal(200), Decimal(0)))
    assert not Posting.objects.filter(effect_key__endswith=":exchange").exists()


def test_a_held_payout_is_sent_again_over_its_channel_p3(abroad: Desk) -> None:
    abroad.fund("200")
    abroad.after_failure("hold")
    abroad.upstream.answers = [refused("closed")]
    payout = abroad.payout("747")
    operator = factories.make_operator()
    attempt = payouts.reinitiate(
        payout_pk=payout.pk, channel_id="scripted", user=operator, reason="again", now=clock.now()
    )
    assert (attempt.number, attempt.channel_id) == (2, "scripted")


def test_the_balance_is_asked_for_in_settlement_units(abroad: Desk) -> None:
    abroad.fund("100.79")
    with pytest.raises(errors.InsufficientBalance):
        abroad.payout("747")
    assert abroad.balances() == (Decimal("100.79"), Decimal(0))
    assert abroad.payout("739.53").debited_amount == Decimal("99.79")


def test_without_a_rate_nothing_is_placed_and_the_merchant_is_told_so(desk: Desk) -> None:
    made = factories.make_merchant("Early", channels=["scripted"], settlement_currency="MTC")
    early = Desk(made, desk.upstream)
    with pytest.raises(rates.NoRate, match="1 MTC in CNY"):
        early.deposit()
    with pytest.raises(rates.NoRate):
        early.payout()
    assert not Payment.objects.exists()
    assert desk.upstream.requests == []


def test_a_wallet_without_a_rate_is_passed_over_with_the_reason(desk: Desk) -> None:
    factories.make_channel("other", upstream="scripted", weight=200)
    merchant = desk.registered.merchant
    channel = Channel.objects.get(pk="other")
    registration.open_wallet(merchant=merchant, channel=channel, currency="MTC")
    payment = desk.deposit()
    assert (payment.channel_id, payment.unit_price) == ("scripted", 1)
    assert [out["reason"] for out in payment.routing["ruled_out"]] == [routing.Reason.NO_RATE]


@pytest.mark.parametrize(("amount", "fee"), [("0.03", "0"), ("7.47", "1")])
def test_a_deposit_that_would_credit_nothing_is_refused(amount: str, fee: str, abroad: Desk) -> None:
    factories.set_terms(
        MerchantService.objects.filter(merchant=abroad.registered.merchant),
        fee_type="fixed",
        fee_fixed=Decimal(fee),
    )
    with pytest.raises(errors.AmountBelowMinimum):
        abroad.deposit(amount)
    assert not Payment.objects.filter(merchant=abroad.registered.merchant).exists()


def test_money_that_is_worth_nothing_becomes_a_case_l9_d6(abroad: Desk) -> None:
    abroad.tolerate(below="100")
    payment = abroad.deposit("1")
    verdict = abroad.paid(payment, "0.03")
    assert (verdict.outcome, payment.status) == (Outcome.SUSPENSE, 0)
    case = Case.objects.get()
    assert (case.kind, case.amount, case.currency_id) == ("wrong_amount", Decimal("0.03"), "CNY")
    assert "cannot be credited as 0 MTC" in case.summary
    assert system_balance("suspense", channel="scripted") == Decimal("0.03")
    assert abroad.paid(payment, "0.03").outcome == Outcome.DUPLICATE
    assert Case.objects.count() == 1


def test_money_more_exact_than_its_currency_becomes_a_case_l9_d6(desk: Desk) -> None:
    desk.tolerate(below="1", above="1")
    payment = desk.deposit("100")
    assert desk.paid(payment, "100.001").outcome == Outcome.SUSPENSE
    assert (payment.status, Case.objects.get().kind) == (0, "wrong_amount")
    assert desk.balances() == (Decimal(0), Decimal(0))


def test_settling_by_hand_what_is_worth_nothing_is_refused_and_changes_nothing_l9(abroad: Desk) -> None:
    payment = abroad.deposit("100")
    before = Posting.objects.count()
    with pytest.raises(credit.NotCreditable), transaction.atomic():
        payments.settle(
            payment=payments.locked(payment.pk), actual_amount=Decimal("0.01"), now=clock.now(),
            changed_by=Actor.OPERATOR,
        )  # fmt: skip
    payment.refresh_from_db()
    assert (payment.status, Posting.objects.count()) == (0, before)


def test_an_amount_quoted_in_units_is_kept_beside_its_price(abroad: Desk) -> None:
    payment = abroad.deposit("165.27", quoted_in="MTC")
    assert (payment.quoted_amount, payment.requested_amount) == (Decimal("165.27"), Decimal("1234.57"))
    abroad.paid(payment, "1234.57")
    assert payment.settled_amount == Decimal("165.27")
    with pytest.raises(errors.InvalidInput, match="decimals"):
        abroad.deposit("1.001", quoted_in="MTC")
    with pytest.raises(errors.InvalidInput):
        abroad.deposit("1", quoted_in="QQQ")


def test_the_order_page_explains_the_price_and_finds_the_fee_right(abroad: Desk, client: Client) -> None:
    abroad.fund("200")
    payout = abroad.payout("100", quoted_in="MTC")
    assert facts.fee_words(payout) == "8 ‰ of 100.00 = 0.80, rounded half up"
    assert facts.fee_by_rule(payout) == payout.fee
    client.force_login(factories.make_finance())
    page = client.get(reverse("admin:records_payout_change", args=[payout.pk])).content.decode()
    for words in ("1 MTC = 7.47 CNY", "requested ÷ rate + fee", "Asked for", "100.80", "747.00"):
        assert words in page
    assert "The stored fee is" not in page


def test_a_price_of_one_between_two_currencies_still_rounds_to_the_settlement_l9(desk: Desk) -> None:
    rates.add(base="KRW", quote="CNY", rate=Decimal(1), reason="odd", now=clock.now(), actor="tests")
    terms = registration.Terms()
    made = factories.make_merchant("Odd", channels=["scripted"], terms=terms, settlement_currency="KRW")
    odd = Desk(made, desk.upstream)
    payment = odd.deposit("100.50")
    assert odd.paid(payment, "100.50").outcome == Outcome.CREDITED
    assert (payment.settled_amount, payment.actual_amount) == (101, Decimal("100.50"))


@pytest.mark.tampers
@pytest.mark.django_db(transaction=True)
def test_the_audit_finds_a_payout_that_debits_another_sum_l9(
    abroad: Desk, owner_connection: psycopg.Connection
) -> None:
    abroad.fund("200")
    payout = abroad.payout("747")
    owner_connection.execute(b"ALTER TABLE records_payout DISABLE TRIGGER payout_guard")
    owner_connection.execute(b"UPDATE records_payout SET requested_amount = 748")
    assert ("check_l9_payout_amounts", 1) in checks.violations()
    owner_connection.execute(b"UPDATE records_payout SET requested_amount = 747")
    assert checks.violations() == []
    assert payout.unit_price == Decimal("7.47")


@pytest.mark.tampers
@pytest.mark.django_db(transaction=True)
def test_the_audit_finds_a_conversion_that_is_booked_on_one_side_l9(
    abroad: Desk, owner_connection: psycopg.Connection
) -> None:
    payment = abroad.deposit("747")
    abroad.paid(payment, "747")
    owner_connection.execute(b"ALTER TABLE records_posting DISABLE TRIGGER posting_append_only")
    owner_connection.execute(
        b"UPDATE records_posting SET effect_key = 'lost:' || id WHERE effect_key LIKE '%:exchange'"
    )
    assert ("check_l9_conversions_are_exchanged", 1) in checks.violations()


def test_one_currency_has_one_price_in_the_database_too(desk: Desk) -> None:
    payment = desk.deposit()
    columns = {field.attname: getattr(payment, field.attname) for field in Payment._meta.concrete_fields}
    columns |= {
        "id": payment.pk + 10**6,
        "payment_id": "PMX",
        "merchant_order_no": "x",
        "channel_order_no": "",
    }
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Payment.objects.create(**{**columns, "unit_price": Decimal(2)})
    assert transactions.constraint_name(refusal.value) == "payment_one_currency_one_price"
