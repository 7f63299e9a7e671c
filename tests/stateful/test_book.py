"""L, D and P together: whatever happens in whatever order, the database says what the model says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar

import pytest
from django.db import connection
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from channels.models import ChannelService
from channels.upstreams import base
from diamondpay.lib import clock, errors
from diamondpay.models import User
from merchants.models import MerchantService
from merchants.registration import Terms
from operations import acts, approvals
from operations.models import Act
from records import checks, ledger, payments, totals, transfers, verdicts
from records import models as rows
from records.models import Account, Actor, ManualFreeze, Notification
from tests import factories
from tests.stateful import model
from tests.stateful.model import Deposit, Model, Payout
from tests.support.desk import Desk, upstream
from tests.support.scripted_upstream import NAME, ScriptedUpstream, refused, unknown

__all__ = ["upstream"]

EXAMPLES, STEPS = 30, 45
_numbers = count(1)
cents = st.integers(1, 60_000).map(lambda units: Decimal(units) / 100)
answers = st.sampled_from(["accepted", "unknown", "refused"])
wallets = st.sampled_from(["acme", "rival"])
SUBMISSIONS: dict[str, Callable[[], base.Submission]] = {"unknown": unknown, "refused": refused}


class BookMachine(RuleBasedStateMachine):
    """Acme and Rival on a channel of their own; Acme's held payouts may go out on a second one."""

    outside: ClassVar[ScriptedUpstream]
    operator: ClassVar[User]
    approver: ClassVar[User]
    deposits = Bundle("deposits")
    payouts = Bundle("payouts")
    freezes = Bundle("freezes")

    def __init__(self) -> None:
        super().__init__()
        run = next(_numbers)
        self.codes = f"one{run}", f"two{run}"
        for code in self.codes:
            factories.make_channel(code, upstream=NAME)
        carried = ChannelService.objects.filter(channel__in=self.codes)
        factories.set_terms(carried, tolerance_below=model.TOLERANCE_BELOW)
        terms = Terms(fee_type="mixed", fee_permillage=model.PERMILLAGE, fee_fixed=model.FIXED)
        self.desks = {
            name: Desk(factories.make_merchant(name, channels=[self.codes[0]], terms=terms), self.outside)
            for name in ("acme", "rival")
        }
        self.model = Model(channel=self.codes[0])
        own = Account.objects.filter(is_chained=False, currency="CNY", channel__in=self.codes)
        shared = Account.objects.filter(kind__in=["fees", "adjustment"], currency="CNY")
        self.accounts = {(row.kind, row.channel_id or ""): row.pk for row in own | shared}
        booked = ledger.system_balances(self.accounts.values())
        self.before = {kind: booked[self.accounts[kind, ""]] for kind in ("fees", "adjustment")}
        for name in self.desks:
            self.adjust(name, Decimal(1000), 1)
        self.placed: list[tuple[rows.Payment, Deposit]] = []
        self.paid_out: list[tuple[rows.Payout, Payout]] = []

    def same(self, ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[object, object] | None:
        """Do it here and in the model; both must refuse it, or neither. None when refused."""
        try:
            expected = theirs()
        except model.Refused:
            with pytest.raises(errors.DomainError):
                ours()
            return None
        return ours(), expected

    def will_answer(self, answer: str) -> None:
        self.outside.answers[:] = [SUBMISSIONS[answer]()] if answer in SUBMISSIONS else []

    @rule(target=deposits, wallet=wallets, amount=cents, answer=answers)
    def place_deposit(self, wallet: str, amount: Decimal, answer: str) -> Any:
        self.will_answer(answer)
        done = self.same(
            lambda: self.desks[wallet].deposit(str(amount)),
            lambda: self.model.place_deposit(wallet, amount, answer),
        )
        if done is None:
            return multiple()
        payment, deposit = done
        assert isinstance(payment, rows.Payment)
        assert isinstance(deposit, Deposit)
        deposit.number = payment.channel_order_no
        assert deposit.number == (f"UP-{payment.payment_id}" if answer == "accepted" else "")
        self.placed.append((payment, deposit))
        return payment, deposit

    @rule(order=deposits)
    def pay_deposit(self, order: tuple[rows.Payment, Deposit]) -> None:
        payment, deposit = order
        self.hear_paid(payment, deposit, deposit.requested, f"UP-{payment.payment_id}")

    @rule(
        order=deposits,
        share=st.sampled_from(["1", "0.95", "0.94", "0.5", "1.01"]),
        number=st.sampled_from(["UP", "ELSE", ""]),
    )
    def pay_otherwise(self, order: tuple[rows.Payment, Deposit], share: str, number: str) -> None:
        payment, deposit = order
        amount = (deposit.requested * Decimal(share)).quantize(model.CENT) or model.CENT
        self.hear_paid(payment, deposit, amount, number and f"{number}-{payment.payment_id}")

    def hear_paid(self, payment: rows.Payment, deposit: Deposit, amount: Decimal, number: str) -> None:
        word = verdicts.Word(base.UpstreamState.PAID, amount, "CNY", number)
        was = deposit.status
        verdict = verdicts.on_payment(
            payment_pk=payment.pk, word=word, now=clock.now(), changed_by=Actor.CALLBACK
        )
        event(f"paid: {verdict.outcome}, status was {was}")
        assert verdict.outcome == self.model.pay(deposit, amount, number)

    @rule(order=deposits)
    def fail_deposit(self, order: tuple[rows.Payment, Deposit]) -> None:
        payment, deposit = order
        word = verdicts.Word(base.UpstreamState.FAILED, None, "", "")
        verdicts.on_payment(payment_pk=payment.pk, word=word, now=clock.now(), changed_by=Actor.QUERY)
        self.model.fail_deposit(deposit)

    @rule(order=deposits, is_expiry=st.booleans())
    def close_deposit(self, order: tuple[rows.Payment, Deposit], is_expiry: bool) -> None:
        payment, deposit = order
        if is_expiry:
            payments.close_expired(now=payment.expires_at)
            for other, expected in self.placed:
                if expected.status == model.IN_PROGRESS and other.expires_at <= payment.expires_at:
                    self.model.end(expected, model.CLOSED)
            return
        self.same(
            lambda: acts.close_payment(
                payment_id=payment.payment_id, user=self.approver, reason="x", address=None, now=clock.now()
            ),
            lambda: self.model.end(deposit, model.CLOSED),
        )

    def decide(self, kind: Act.Kind, object_id: str, **evidence: str) -> object:
        """Ask as one person, approve as another."""
        act = approvals.request(
            kind=kind, object_kind="object", object_id=object_id, evidence=evidence, reason="x",
            request_id=f"R{next(_numbers)}", user=self.operator, now=clock.now(),
        )  # fmt: skip
        return approvals.approve(act_id=act.pk, user=self.approver, reason="x", now=clock.now())

    @rule(order=deposits, amount=cents)
    def supplement(self, order: tuple[rows.Payment, Deposit], amount: Decimal) -> None:
        payment, deposit = order
        number = f"UP-{payment.payment_id}"
        done = self.same(
            lambda: self.decide(
                Act.Kind.SUPPLEMENT_PAYMENT, payment.payment_id,
                amount=f"{amount:f}", channel_order_no=number, proof="bank statement",
            ),
            lambda: self.model.supplement(deposit, amount),
        )  # fmt: skip
        if done is not None:
            deposit.number = deposit.number or number

    @rule(wallet=wallets, amount=cents, sign=st.sampled_from([1, -1]))
    def adjust(self, wallet: str, amount: Decimal, sign: int) -> None:
        signed = amount * sign
        self.same(
            lambda: self.decide(Act.Kind.ADJUST_BALANCE, self.desks[wallet].wallet.pk, amount=f"{signed:f}"),
            lambda: self.model.adjust(wallet, signed),
        )

    @rule(
        target=payouts, wallet=wallets, amount=cents, answer=answers, review=st.booleans(), hold=st.booleans()
    )
    def place_payout(self, wallet: str, amount: Decimal, answer: str, review: bool, hold: bool) -> Any:
        desk = self.desks[wallet]
        desk.audit("manual" if review else "disabled")
        services = MerchantService.objects.filter(merchant=desk.registered.merchant)
        factories.set_terms(services, after_failure="hold" if hold else "fail")
        self.will_answer(answer)
        status = model.UNDER_REVIEW if review else model.IN_PROGRESS
        done = self.same(
            lambda: desk.payout(f"{amount:f}"),
            lambda: self.model.place_payout(Payout(wallet, amount, hold, status)),
        )
        if done is None:
            return multiple()
        row, expected = done
        assert isinstance(row, rows.Payout)
        assert isinstance(expected, Payout)
        if not review:
            self.model.send(expected, self.codes[0], f"UP-{row.payout_id}-1", answer)
        self.paid_out.append((row, expected))
        return row, expected

    @rule(order=payouts, is_approved=st.booleans(), answer=answers)
    def review(self, order: tuple[rows.Payout, Payout], is_approved: bool, answer: str) -> None:
        row, expected = order
        self.will_answer(answer)
        deed = acts.approve_payout if is_approved else acts.reject_payout
        number = f"UP-{row.payout_id}-1"
        self.same(
            lambda: deed(
                payout_id=row.payout_id, user=self.approver, reason="x", address=None, now=clock.now()
            ),
            lambda: self.model.review(expected, is_approved=is_approved, number=number, answer=answer),
        )

    @rule(order=payouts, which=st.integers(0, 3), word=st.sampled_from(["paid", "failed", "less"]))
    def hear_of_attempt(self, order: tuple[rows.Payout, Payout], which: int, word: str) -> None:
        row, expected = order
        if not expected.attempts:
            return
        number = which % len(expected.attempts)
        attempt = expected.attempts[number]
        amount = expected.amount - (model.CENT if word == "less" else 0)
        state = base.UpstreamState.FAILED if word == "failed" else base.UpstreamState.PAID
        told = verdicts.Word(state, amount, "CNY", attempt.number)
        pk = row.attempts.get(number=number + 1).pk
        event(f"attempt {word}, was {attempt.state}, payout was {expected.status}")
        verdicts.on_attempt(attempt_pk=pk, word=told, now=clock.now(), changed_by=Actor.CALLBACK)
        if word == "failed":
            self.model.fail_attempt(expected, attempt)
        else:
            self.model.pay_attempt(expected, attempt, amount)

    @rule(order=payouts)
    def fail_by_hand(self, order: tuple[rows.Payout, Payout]) -> None:
        row, expected = order
        self.same(
            lambda: self.decide(Act.Kind.FAIL_PAYOUT, row.payout_id, proof="letter"),
            lambda: self.model.fail_by_hand(expected),
        )

    @rule(order=payouts, channel=st.integers(0, 1), answer=answers)
    def reinitiate(self, order: tuple[rows.Payout, Payout], channel: int, answer: str) -> None:
        row, expected = order
        self.will_answer(answer)
        code, number = self.codes[channel], f"UP-{row.payout_id}-{len(expected.attempts) + 1}"
        self.same(
            lambda: self.decide(Act.Kind.REINITIATE_PAYOUT, row.payout_id, channel=code),
            lambda: self.model.reinitiate(expected, code, number, answer),
        )

    @rule(target=freezes, wallet=wallets, amount=cents)
    def freeze(self, wallet: str, amount: Decimal) -> Any:
        key = f"FR{next(_numbers)}"
        done = self.same(
            lambda: ledger.freeze(
                merchant_channel=self.desks[wallet].wallet,
                amount=amount,
                reason="x",
                request_id=key,
                now=clock.now(),
            ),
            lambda: self.model.freeze(wallet, amount),
        )
        return multiple() if done is None else (key, wallet, amount)

    @rule(frozen=freezes)
    def unfreeze(self, frozen: tuple[str, str, Decimal]) -> None:
        key, wallet, amount = frozen
        self.same(
            lambda: ledger.unfreeze(
                manual_freeze=ManualFreeze.objects.get(request_id=key), reason="x", now=clock.now()
            ),
            lambda: self.model.lift(key, wallet, amount),
        )

    @rule(source=wallets, amount=cents)
    def transfer(self, source: str, amount: Decimal) -> None:
        target = "rival" if source == "acme" else "acme"
        self.same(
            lambda: transfers.execute(
                source=self.desks[source].wallet, destination=self.desks[target].wallet, amount=amount,
                reason="x", request_id=f"T{next(_numbers)}", now=clock.now(), operator=self.operator,
            ),
            lambda: self.model.move(amount, ("available", source), ("available", target)),
        )  # fmt: skip

    @rule(count_max=st.integers(1, 30))
    def fold(self, count_max: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT records_fold_order_totals(%s), records_fold_account_totals(%s)", [count_max] * 2
            )

    @invariant()
    def balances_agree(self) -> None:
        pks = {name: desk.wallet.pk for name, desk in self.desks.items()}
        kept = ledger.balances(pks.values())
        for name, pk in pks.items():
            assert kept[pk] == (self.model.balances["available", name], self.model.balances["frozen", name])
        booked = ledger.system_balances(self.accounts.values())
        for key, account in self.accounts.items():
            before = self.before.get(key[0], Decimal(0))
            assert booked[account] - before == self.model.balances[key], key

    @invariant()
    def orders_agree(self) -> None:
        told = Counter(Notification.objects.values_list("order_no", flat=True))
        found = {
            row.pk: (row.status, row.actual_amount, row.version, row.channel_order_no, told[row.payment_id])
            for row in rows.Payment.objects.filter(pk__in=[row.pk for row, _deposit in self.placed])
        }
        assert found == {
            row.pk: (deposit.status, deposit.actual, deposit.version, deposit.number, deposit.version)
            for row, deposit in self.placed
        }
        attempts = rows.PayoutAttempt.objects.filter(payout__in=[row.pk for row, _payout in self.paid_out])
        states: defaultdict[int, list[str]] = defaultdict(list)
        for payout_pk, state in attempts.order_by("payout", "number").values_list("payout", "state"):
            states[int(payout_pk)].append(state)
        sent = {
            row.pk: (row.status, row.is_held, states[row.pk], told[row.payout_id])
            for row in rows.Payout.objects.filter(pk__in=[row.pk for row, _payout in self.paid_out])
        }
        assert sent == {
            row.pk: (payout.status, payout.is_held, [each.state for each in payout.attempts], payout.told)
            for row, payout in self.paid_out
        }

    def teardown(self) -> None:
        for name, desk in self.desks.items():
            pk = desk.registered.merchant.pk
            held = [deposit for _row, deposit in self.placed if deposit.wallet == name]
            sent = [payout for _row, payout in self.paid_out if payout.wallet == name]
            assert totals.order_count(kind=totals.PAYMENTS, merchant_id=pk) == len(held)
            assert totals.order_count(kind=totals.PAYOUTS, merchant_id=pk) == len(sent)
        assert checks.violations() == []


@pytest.mark.django_db(transaction=True)
def test_the_database_agrees_with_the_model_whatever_happens(upstream: ScriptedUpstream) -> None:
    BookMachine.outside = upstream
    BookMachine.operator = factories.make_operator()
    BookMachine.approver = factories.make_user("boss", is_superuser=True)
    run_state_machine_as_test(
        BookMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert checks.violations() == []
