"""The sandbox's moods, its control API and its memory, over real HTTP against the real process."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from channels.upstreams.base import (
    Direction,
    PaymentRequest,
    PayoutRequest,
    SubmissionOutcome,
    UpstreamState,
)
from channels.upstreams.sandbox.adapter import SandboxAdapter
from tests.channels.upstreams.drivers import SandboxDriver
from tests.support import sandbox as sandboxes
from tests.support.callbacks import CallbackReceiver
from tests.support.sandbox import Sandbox


@pytest.fixture
def upstream(sandbox: Sandbox) -> SandboxDriver:
    """These tests are about the sandbox alone."""
    driver = SandboxDriver(sandbox)
    sandbox.reset()
    return driver


@pytest.fixture
def adapter(sandbox: Sandbox) -> SandboxAdapter:
    return SandboxAdapter(sandbox.settings())


def test_only_services_of_bank_cards_name_a_receiver(
    adapter: SandboxAdapter, payment: PaymentRequest
) -> None:
    card, qr = payment, replace(payment, reference=f"{payment.reference}Q", service="SVC0008")
    receiver = adapter.submit_payment(card).receiver
    assert receiver is not None
    assert receiver.card_number.isdigit()
    assert receiver.bank_code
    assert adapter.submit_payment(card).receiver == receiver
    submission = adapter.submit_payment(qr)
    assert submission.receiver is None
    assert submission.qr_text == submission.link


def test_a_payout_succeeds_by_itself(
    adapter: SandboxAdapter, payout: PayoutRequest, receiver: CallbackReceiver
) -> None:
    adapter.submit_payout(payout)
    message = adapter.parse_callback(receiver.wait_for(1)[0])
    assert (message.state, message.amount) == (UpstreamState.PAID, Decimal("1000.5"))


def test_a_payout_to_fail_fails_by_itself(
    adapter: SandboxAdapter, payout: PayoutRequest, receiver: CallbackReceiver
) -> None:
    adapter.submit_payout(replace(payout, recipient=replace(payout.recipient, name="FAIL")))
    message = adapter.parse_callback(receiver.wait_for(1)[0])
    assert (message.state, message.reason) == (
        UpstreamState.FAILED,
        "the recipient's bank refused the account",
    )


def test_a_payout_told_to_fail_first_does_not_succeed_later(
    sandbox: Sandbox, adapter: SandboxAdapter, payout: PayoutRequest, receiver: CallbackReceiver
) -> None:
    sandbox.behaviour("normal", payout_delay_seconds=0.6)
    adapter.submit_payout(payout)
    sandbox.fail(payout.reference)
    time.sleep(1)
    assert sandbox.order(payout.reference)["state"] == "failed"
    assert len(receiver.arrived()) == 1


def test_slow_answers_late(sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest) -> None:
    sandbox.behaviour("slow", delay_seconds=0.5)
    submission = adapter.submit_payment(payment)
    assert submission.outcome is SubmissionOutcome.ACCEPTED
    assert 500 <= submission.exchange.duration_ms < 2000


def test_a_lost_callback_never_comes_but_the_query_knows_f5(
    sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    """F5."""
    sandbox.behaviour("lost_callback")
    adapter.submit_payment(payment)
    assert sandbox.pay(payment.reference)["callbacks"] == []
    inquiry = adapter.query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert inquiry.state is UpstreamState.PAID
    time.sleep(0.3)
    assert receiver.arrived() == []


def test_a_double_callback_comes_twice_with_one_body_f3(
    sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    """F3."""
    sandbox.behaviour("double_callback")
    adapter.submit_payment(payment)
    sandbox.pay(payment.reference)
    first, second = receiver.wait_for(2)
    assert first.body == second.body
    assert adapter.parse_callback(first) == adapter.parse_callback(second)


@pytest.mark.parametrize("direction", list(Direction))
def test_reordered_calls_back_before_it_answers_f3(
    direction: Direction,
    sandbox: Sandbox,
    adapter: SandboxAdapter,
    payment: PaymentRequest,
    payout: PayoutRequest,
    receiver: CallbackReceiver,
) -> None:
    """F3: the callback is there, and answered, when the create call returns."""
    sandbox.behaviour("reordered")
    if direction is Direction.DEPOSIT:
        submission, reference = adapter.submit_payment(payment), payment.reference
    else:
        submission, reference = adapter.submit_payout(payout), payout.reference
    [callback] = receiver.arrived()
    message = adapter.parse_callback(callback)
    assert (message.reference, message.state) == (reference, UpstreamState.PAID)
    assert (submission.outcome, submission.channel_order_no) == (
        SubmissionOutcome.ACCEPTED,
        message.channel_order_no,
    )


@pytest.mark.parametrize(("ordered", "moved"), [("300", "299"), ("0.50", "1.5")])
def test_wrong_amount_moves_another_amount_d9(
    ordered: str, moved: str, sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest
) -> None:
    """D9."""
    sandbox.behaviour("wrong_amount")
    adapter.submit_payment(replace(payment, amount=Decimal(ordered)))
    sandbox.pay(payment.reference)
    inquiry = adapter.query(direction=Direction.DEPOSIT, reference=payment.reference)
    assert inquiry.amount == Decimal(moved)


def test_the_payer_may_be_asked_for_some_cents_more(
    sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest
) -> None:
    sandbox.behaviour("normal", display_amount_add=7)
    assert adapter.submit_payment(payment).display_amount == Decimal("300.07")
    assert sandbox.pay(payment.reference)["amount_paid"] == 30_007


def test_a_failed_order_may_be_paid_later_but_a_paid_one_is_final(
    sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    adapter.submit_payment(payment)
    sandbox.fail(payment.reference)
    receiver.wait_for(1)
    sandbox.pay(payment.reference)
    states = [adapter.parse_callback(callback).state for callback in receiver.wait_for(2)]
    assert states == [UpstreamState.FAILED, UpstreamState.PAID]
    for act in (sandbox.pay, sandbox.fail):
        with pytest.raises(AssertionError, match=r"HTTP 409 .*already paid"):
            act(payment.reference)
    sandbox.repeat(payment.reference)
    assert len(receiver.wait_for(3)) == 3


def test_one_of_many_payers_at_once_pays(
    sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest, receiver: CallbackReceiver
) -> None:
    submission = adapter.submit_payment(payment)
    path = f"/orders/{payment.reference}/pay"
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: sandbox.post(path).status_code, range(20)))
    assert sorted(statuses) == [200] + [409] * 19
    assert len(sandbox.order(payment.reference)["callbacks"]) == 1
    assert sandbox.order(payment.reference)["channel_order_no"] == submission.channel_order_no


def test_a_reference_of_two_accounts_has_to_be_told_apart(
    sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest
) -> None:
    adapter.submit_payment(payment)
    SandboxAdapter(sandbox.settings("sandbox-thb")).submit_payment(payment)
    with pytest.raises(AssertionError, match=r"HTTP 409 .*account=sandbox-thb&direction=deposit"):
        sandbox.pay(payment.reference)
    assert sandbox.pay(payment.reference, account="sandbox-thb")["state"] == "paid"
    assert sandbox.order(payment.reference, account="sandbox")["state"] == "pending"


def test_a_mode_is_one_accounts_alone(
    sandbox: Sandbox, adapter: SandboxAdapter, payment: PaymentRequest
) -> None:
    sandbox.behaviour("refuse", account="sandbox-thb")
    other = SandboxAdapter(sandbox.settings("sandbox-thb"))
    assert other.submit_payment(payment).outcome is SubmissionOutcome.REFUSED
    assert adapter.submit_payment(payment).outcome is SubmissionOutcome.ACCEPTED


def test_a_channel_names_its_account_in_json_and_in_a_form(sandbox: Sandbox) -> None:
    assert sandbox.post("/behaviour", json={"channel": "demo", "mode": "slow"}).json()["mode"] == "slow"
    told = sandbox.post("/behaviour", data={"account": "demo", "mode": "refuse", "delay_seconds": "1.5"})
    assert told.json() == {
        "account": "demo",
        "mode": "refuse",
        "delay_seconds": 1.5,
        "payout_delay_seconds": None,
        "display_amount_add": 0,
    }


def test_a_killed_sandbox_keeps_its_orders_and_sends_what_it_owes(
    tmp_path: Path, payment: PaymentRequest, payout: PayoutRequest, receiver: CallbackReceiver
) -> None:
    with sandboxes.running(tmp_path) as ours:
        adapter = SandboxAdapter(ours.settings())
        receiver.answers[:] = [replace(receiver.answers[0], http_status=500), receiver.answers[0]]
        placed = adapter.submit_payment(payment)
        ours.behaviour("normal", payout_delay_seconds=1)
        adapter.submit_payout(payout)
        ours.pay(payment.reference)
        receiver.wait_for(1)
        ours.kill()
        ours.start()
        told = {adapter.parse_callback(callback).reference for callback in receiver.wait_for(3)[1:]}
        assert told == {payment.reference, payout.reference}
        assert adapter.submit_payment(payment).channel_order_no == placed.channel_order_no
        assert ours.order(payout.reference)["state"] == "paid"
        assert ours.stop() == 0
