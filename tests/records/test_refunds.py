"""L7: a deposit is given back once, all that arrived, and stays Success."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from diamondpay.lib import clock, errors
from diamondpay.models import User
from records import ledger, payments
from records.models import Actor, Notification, Payment, Posting, PostingKind
from tests.records.test_payments import settled_elsewhere
from tests.support.desk import Desk, desk, system_balance, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(desk: Desk) -> Payment:
    """A deposit of 100, credited with 99.20, and 50 on the wallet besides."""
    desk.fund("50")
    payment = desk.deposit()
    desk.paid(payment)
    return payment


def refund(payment: Payment, user: User, *, is_fee_returned: bool = False) -> Posting:
    return payments.refund(
        payment=payments.locked(payment.pk), is_fee_returned=is_fee_returned, now=clock.now(), user=user,
        reason="paid by mistake",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("is_fee_returned", "wallet", "fees"), [(False, "49.20", "0.80"), (True, "50.00", "0.00")]
)
def test_a_refund_takes_what_arrived_from_wallet_and_fees_l7(
    desk: Desk, paid: Payment, approver: User, is_fee_returned: bool, wallet: str, fees: str
) -> None:
    posting = refund(paid, approver, is_fee_returned=is_fee_returned)
    assert (posting.effect_key, posting.kind) == (f"payment:{paid.payment_id}:refund", "deposit_refund")
    assert (posting.operator, posting.order_no, posting.remark) == (
        approver, paid.payment_id, "paid by mistake",
    )  # fmt: skip
    assert (desk.balances(), system_balance("fees")) == ((Decimal(wallet), Decimal(0)), Decimal(fees))
    assert system_balance("clearing", channel="scripted") == Decimal(0)
    paid.refresh_from_db()
    assert (paid.status, paid.credited_amount, Notification.objects.count()) == (1, Decimal("99.20"), 1)


def test_a_refund_happens_once_l7(desk: Desk, paid: Payment, approver: User) -> None:
    refund(paid, approver)
    with pytest.raises(ledger.EffectExists), transaction.atomic():
        refund(paid, approver, is_fee_returned=True)
    assert (desk.balances()[0], Posting.objects.filter(kind="deposit_refund").count()) == (
        Decimal("49.20"),
        1,
    )


@pytest.mark.parametrize("is_closed", [False, True])
def test_only_a_deposit_that_is_success_is_refunded(desk: Desk, approver: User, is_closed: bool) -> None:
    payment = desk.deposit()
    if is_closed:
        payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="")
    with pytest.raises(errors.StatusConflict):
        refund(payment, approver)
    assert Posting.objects.count() == 0


def test_a_refund_never_overdraws_the_wallet_l5(desk: Desk, paid: Payment, approver: User) -> None:
    payout = desk.payout("100")
    before = desk.balances()
    with pytest.raises(errors.InsufficientBalance), transaction.atomic():
        refund(paid, approver)
    assert (payout.status, desk.balances()) == (0, before)
    assert not Posting.objects.filter(kind="deposit_refund").exists()


def test_a_converted_deposit_is_given_back_in_its_own_currency_l9(desk: Desk, approver: User) -> None:
    payment = settled_elsewhere(desk, currency="USDT", unit_price="7.2", amount="100")
    desk.paid(payment, "100", number="")
    payment.refresh_from_db()
    posting = refund(payment, approver, is_fee_returned=True)
    assert dict(posting.entries.values_list("account_kind", "amount")) == {
        "exchange": Decimal("13.888889"), "available": Decimal("-13.777778"), "fees": Decimal("-0.111111"),
    }  # fmt: skip
    exchanged = Posting.objects.get(effect_key=f"payment:{payment.payment_id}:refund-exchange")
    assert dict(exchanged.entries.values_list("account_kind", "amount")) == {
        "clearing": Decimal(100), "exchange": Decimal(-100),
    }  # fmt: skip
    assert ledger.balances(["PFC09000001"]) == {"PFC09000001": (Decimal(0), Decimal(0))}


FORGED = [
    ("99.20", "0", "payment:{}:refund"),
    ("100", "0", "payment:{}:again"),
    ("200", "0", "payment:{}:refund"),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("wallet", "fees", "key"), FORGED)
def test_the_database_refuses_a_refund_of_another_amount_or_key_l7(
    desk: Desk, wallet: str, fees: str, key: str
) -> None:
    desk.fund("500")
    payment = desk.deposit()
    desk.paid(payment)
    before = desk.balances()
    accounts = ledger.accounts_of(
        merchant_channel_id=desk.wallet.pk, channel_id="scripted", currency_id="CNY"
    )
    taken, fee = Decimal(wallet), Decimal(fees)
    with pytest.raises(IntegrityError, match=r"refund|Success"), transaction.atomic():
        ledger.post(
            effect_key=key.format(payment.payment_id), kind=PostingKind.DEPOSIT_REFUND, currency_id="CNY",
            legs=[
                (accounts["available"], -taken), (accounts["fees"], -fee),
                (accounts["clearing"], taken + fee),
            ],
            now=clock.now(), payment=payment, order_no=payment.payment_id,
        )  # fmt: skip
    assert (desk.balances(), Posting.objects.filter(kind="deposit_refund").count()) == (before, 0)
