"""Placing deposits and payouts against a real sandbox: D1, D3, P1–P3, what is copied, what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from channels.upstreams import base
from diamondpay.lib import clock, errors
from merchants.models import Merchant
from merchants.registration import Registered, Terms
from operations import placement
from records import ledger, submission
from records.models import Case, Notification, Payment, Payout, Posting, StatusChange
from tests import factories
from tests.support.sandbox import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(sandbox: Sandbox) -> Registered:
    factories.make_channel(
        base_url=sandbox.base_url,
        account="sandbox",
        secret=sandbox.accounts["sandbox"],
        settings={"timeout_seconds": "1"},
    )
    return factories.make_merchant(
        "Acme", terms=Terms(fee_permillage=Decimal(8)), notify_url="http://127.0.0.1:9/n"
    )


NewPayment = Callable[..., placement.NewPayment]


@pytest.fixture
def new_payment(acme: Registered) -> NewPayment:
    def make(**changes: object) -> placement.NewPayment:
        order = placement.NewPayment(
            merchant=acme.merchant,
            service_id="SVC0001",
            merchant_order_no=f"T{clock.now().timestamp()}",
            amount=Decimal(100),
            party=base.Party(name="Wang"),
            sign_type="MD5",
            source="API_V1",
        )
        return dataclasses.replace(order, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def new_payout(acme: Registered) -> Callable[..., placement.NewPayout]:
    ledger.adjust(
        merchant_channel=acme.wallets[0],
        amount=Decimal(1000),
        reason="float",
        request_id="fund",
        now=clock.now(),
    )

    def make(**changes: object) -> placement.NewPayout:
        order = placement.NewPayout(
            merchant=acme.merchant,
            service_id="SVC0004",
            merchant_order_no=f"T{clock.now().timestamp()}",
            amount=Decimal(100),
            party=base.Party(name="Wang", account="6216667451674374"),
            sign_type="MD5",
            source="API_V1",
        )
        return dataclasses.replace(order, **changes)  # type: ignore[arg-type]

    return make


def balances(acme: Registered) -> tuple[Decimal, Decimal]:
    return ledger.balances([acme.wallets[0].pk])[acme.wallets[0].pk]


def later(seconds: int) -> None:
    """Let the sweeper run as it would so many seconds from now."""
    submission.query_due(now=clock.now() + timedelta(seconds=seconds))


def test_a_deposit_is_accepted_paid_and_credited_d2(
    acme: Registered, new_payment: NewPayment, sandbox: Sandbox
) -> None:
    payment = placement.place_payment(order=new_payment())
    assert (payment.status, payment.submitted_at is not None, payment.channel_order_no != "") == (
        0,
        True,
        True,
    )
    sandbox.pay(payment.payment_id)
    later(90)
    payment.refresh_from_db()
    assert (payment.status, payment.actual_amount, payment.fee, payment.credited_amount) == (
        1,
        Decimal(100),
        Decimal("0.80"),
        Decimal("99.20"),
    )
    assert balances(acme) == (Decimal("99.20"), Decimal(0))
    changes = StatusChange.objects.filter(payment=payment).order_by("version")
    assert [(change.from_status, change.to_status, change.changed_by) for change in changes] == [
        (None, 0, "merchant"),
        (0, 1, "query"),
    ]
    assert Notification.objects.get(payment=payment).state == "retrying"


def test_a_repeat_gives_the_same_order_and_other_content_is_refused_d1(
    acme: Registered, new_payment: NewPayment
) -> None:
    order = new_payment()
    first = placement.place_payment(order=order)
    assert placement.place_payment(order=order).pk == first.pk
    with pytest.raises(errors.DuplicateOrderNumber):
        placement.place_payment(order=dataclasses.replace(order, amount=Decimal(101)))
    Merchant.objects.filter(pk=acme.merchant.pk).update(is_repeat_refused=True)
    acme.merchant.refresh_from_db()
    with pytest.raises(errors.DuplicateOrderNumber):
        placement.place_payment(order=order)
    assert Payment.objects.count() == 1


def test_an_upstream_that_refuses_fails_the_deposit(new_payment: NewPayment, sandbox: Sandbox) -> None:
    sandbox.behaviour("refuse")
    payment = placement.place_payment(order=new_payment())
    assert (payment.status, payment.completed_at is not None, payment.error_message != "") == (2, True, True)
    assert Posting.objects.count() == 0


@pytest.mark.parametrize("mode", ["error_500_but_done", "timeout_but_done"])
def test_unknown_is_never_failed_and_is_resolved_by_asking_f7(
    acme: Registered, new_payment: NewPayment, sandbox: Sandbox, mode: str
) -> None:
    sandbox.behaviour(mode)
    payment = placement.place_payment(order=new_payment())
    assert (payment.status, payment.submitted_at) == (0, None)
    sandbox.behaviour("normal")
    sandbox.pay(payment.payment_id)
    later(31)  # never submitted as far as we know: handed over again, under the same reference
    later(150)
    payment.refresh_from_db()
    assert (payment.status, payment.credited_amount) == (1, Decimal("99.20"))
    assert sandbox.order(payment.payment_id)["channel_order_no"] == payment.channel_order_no


def test_another_amount_goes_to_suspense_and_is_never_credited_d9(
    acme: Registered, new_payment: NewPayment, sandbox: Sandbox
) -> None:
    payment = placement.place_payment(order=new_payment())
    sandbox.pay(payment.payment_id, amount=5000)
    later(90)
    payment.refresh_from_db()
    case = Case.objects.get(payment=payment)
    assert (payment.status, case.kind, case.amount, case.status) == (0, "wrong_amount", Decimal(50), "open")
    assert balances(acme) == (Decimal(0), Decimal(0))
    assert case.posting is not None
    entries = dict(case.posting.entries.values_list("account_kind", "amount"))
    assert entries == {"clearing": Decimal(-50), "suspense": Decimal(50)}


def test_a_payout_freezes_and_settles_p1_p2(
    acme: Registered, new_payout: Callable[..., placement.NewPayout], sandbox: Sandbox
) -> None:
    sandbox.behaviour("normal", payout_delay_seconds=600)
    payout = placement.place_payout(order=new_payout())
    assert (payout.status, balances(acme)) == (0, (Decimal("899.20"), Decimal("100.80")))
    sandbox.pay(payout.attempts.get().reference)
    later(60)
    payout.refresh_from_db()
    assert (payout.status, payout.actual_amount, balances(acme)) == (
        1,
        Decimal(100),
        (Decimal("899.20"), Decimal(0)),
    )
    assert payout.resolve_posting is not None
    entries = dict(payout.resolve_posting.entries.values_list("account_kind", "amount"))
    assert entries == {"frozen": Decimal("-100.80"), "clearing": Decimal(100), "fees": Decimal("0.80")}


def test_a_refused_payout_releases_the_money_p3(
    acme: Registered, new_payout: Callable[..., placement.NewPayout], sandbox: Sandbox
) -> None:
    sandbox.behaviour("refuse")
    payout = placement.place_payout(order=new_payout())
    assert (payout.status, balances(acme)) == (2, (Decimal(1000), Decimal(0)))
    assert payout.attempts.get().state == "failed"


def test_a_payout_without_the_money_is_refused_and_nothing_is_written(
    acme: Registered, new_payout: Callable[..., placement.NewPayout]
) -> None:
    order = new_payout(amount=Decimal(1000))
    with pytest.raises(errors.DomainError) as refusal:
        placement.place_payout(order=order)
    assert refusal.value.code in {"insufficient_balance", "no_channel_available"}
    assert (Payout.objects.count(), balances(acme)) == (0, (Decimal(1000), Decimal(0)))


def test_a_payout_that_stays_unknown_gets_a_case_and_stays_frozen_p5(
    acme: Registered, new_payout: Callable[..., placement.NewPayout], sandbox: Sandbox
) -> None:
    sandbox.behaviour("timeout_but_done", payout_delay_seconds=600)
    payout = placement.place_payout(order=new_payout())
    sandbox.stop()
    try:
        for hour in range(submission.UNKNOWN_QUERY_COUNT):
            later(3600 * (hour + 1))
        assert Case.objects.filter(payout=payout).count() == 1
    finally:
        sandbox.start()
    case = Case.objects.get(payout=payout)
    assert (case.kind, case.status, case.amount) == ("payout_unknown", "open", Decimal(100))
    payout.refresh_from_db()
    assert (payout.status, payout.attempts.get().state) == (0, "unknown")
    assert balances(acme) == (Decimal("899.20"), Decimal("100.80"))
