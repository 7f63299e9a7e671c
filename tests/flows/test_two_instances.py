"""Two whole instances, one the other's upstream, the sandbox or a chain behind the second: every order is in
both books.

Merchant → A → B → sandbox, and back by callbacks: the sandbox tells B, B tells A, A tells the merchant.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import count

import pytest

from tests.flows import chain_pair, instances
from tests.flows.chain_pair import ChainPair
from tests.flows.instances import PROTOCOLS, Pair, Site, until
from tests.support import receiver as receivers
from tests.support import runs
from tests.support.evm import node as evm_node
from tests.support.evm import scenes
from tests.support.receiver import Receiver

_numbers = count(1)
ACCOUNT = "6216667451674374"
# What a deposit and a payout of 100 move at A (8 ‰) and at B (3 ‰).
NOTHING = (Decimal(0), Decimal(0))
DEPOSITED = (Decimal("99.20"), Decimal("99.70"))
PAID_OUT = (Decimal("-100.80"), Decimal("-100.30"))
# The merchant's number, and the one under which the order is known further down.
PAYMENTS = """
    SELECT merchant_order_no, payment_id, status, requested_amount, actual_amount FROM records_payment
"""
PAYOUTS = """
    SELECT payout.merchant_order_no, attempt.reference, payout.status, payout.requested_amount,
        payout.actual_amount
    FROM records_payout payout JOIN records_payoutattempt attempt ON attempt.payout_id = payout.id
"""
# What B's order of a number of A's waits for; how often A asked about its own.
DETAIL = """
    SELECT detail FROM records_chainpayment expected
    JOIN records_payment payment ON payment.id = expected.payment_id WHERE payment.merchant_order_no = %s
"""
ASKED = """
    SELECT count(*) FROM records_upstreamcall call
    JOIN records_payment payment ON payment.id = call.payment_id
    WHERE payment.payment_id = %s AND call.purpose = 'query'
"""
ATTEMPT_STATE = "SELECT state FROM records_payoutattempt WHERE reference = %s"


@pytest.fixture(scope="module")
def running_pair() -> Iterator[Pair]:
    """Both instances, for all tests here."""
    folder = runs.current() / "home" / f"pair-{os.getpid()}"
    try:
        with instances.running(folder) as pair:
            yield pair
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def pair(running_pair: Pair) -> Pair:
    """Both instances, nothing lost between them."""
    running_pair.reset()
    return running_pair


@pytest.fixture(scope="module")
def running_chain(running_pair: Pair) -> Iterator[ChainPair]:
    """The same two over the payment-detail API, with an EVM node behind B."""
    with evm_node.running() as node:
        yield chain_pair.introduced(running_pair, node)


@pytest.fixture
def over_chain(pair: Pair, running_chain: ChainPair) -> ChainPair:
    """Both instances, nothing lost between them."""
    return running_chain


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The merchant's notify_url."""
    with receivers.listening() as listening:
        yield listening


def deposit(pair: Pair, receiver: Receiver, protocol: str) -> str:
    """Place a deposit of 100.00 at A; return A's number."""
    answer = pair.merchants[protocol].post(
        "/v2/payments", service_id="SVC0001", payment_cl_id=f"two_{next(_numbers)}", amount=10000,
        notify_url=receiver.url, name="王小头",
    )  # fmt: skip
    assert answer["error_code"] == "0000", answer
    number: str = answer["data"]["payment_id"]
    return number


def payout(pair: Pair, receiver: Receiver, protocol: str) -> str:
    """Place a payout of 100.00 at A; return A's number."""
    answer = pair.merchants[protocol].post(
        "/v2/payouts", service_id="SVC0004", payout_cl_id=f"two_{next(_numbers)}", amount=10000,
        notify_url=receiver.url, name="李四", number=ACCOUNT, bank_code="ICBC",
    )  # fmt: skip
    assert answer["error_code"] == "0000", answer
    number: str = answer["data"]["payout_id"]
    return number


def told(pair: Pair, receiver: Receiver, protocol: str) -> list[int]:
    """Return the statuses of which the merchant was told, once he was, each signed with his key."""
    until(lambda: receiver.received, what="the notification of A's merchant")
    return [body["status"] for body in receiver.verified(pair.merchants[protocol])]


def moved(pair: Pair, protocol: str, before: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    """Return by how much what is available changed at A and at B."""
    now = available(pair, protocol)
    return now[0] - before[0], now[1] - before[1]


def available(pair: Pair, protocol: str) -> tuple[Decimal, Decimal]:
    """Return what A's merchant has at A, and A at B; nothing may be frozen."""
    at_a = pair.a.available(pair.wallets_at_a[protocol])
    at_b = pair.b.available(pair.wallets_at_b[protocol])
    assert (at_a[1], at_b[1]) == NOTHING
    return at_a[0], at_b[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_deposit_goes_through_both_books_and_back(pair: Pair, receiver: Receiver, protocol: str) -> None:
    before = available(pair, protocol)
    number = deposit(pair, receiver, protocol)
    pair.b.pay(pair.at_b("payment", number))
    assert told(pair, receiver, protocol) == [2]
    assert moved(pair, protocol, before) == DEPOSITED
    by = "SELECT changed_by FROM records_payment WHERE payment_id = %s"
    assert pair.a.one(by, number) == "callback"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_payout_goes_through_both_books_and_back(pair: Pair, receiver: Receiver, protocol: str) -> None:
    before = available(pair, protocol)
    number = payout(pair, receiver, protocol)
    pair.b.pay(f"{pair.at_b('payout', f'{number}-1')}-1")
    assert told(pair, receiver, protocol) == [3]
    assert moved(pair, protocol, before) == PAID_OUT


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_payout_that_fails_gives_the_money_back_in_both_books(
    pair: Pair, receiver: Receiver, protocol: str
) -> None:
    before = available(pair, protocol)
    number = payout(pair, receiver, protocol)
    pair.b.fail(f"{pair.at_b('payout', f'{number}-1')}-1")
    assert told(pair, receiver, protocol) == [5]
    assert moved(pair, protocol, before) == NOTHING


def test_callbacks_that_are_lost_between_them_are_found_by_asking_f5(pair: Pair, receiver: Receiver) -> None:
    """Both protocols at once, for one sweep."""
    before = {protocol: available(pair, protocol) for protocol in PROTOCOLS}
    numbers = [deposit(pair, receiver, protocol) for protocol in PROTOCOLS]
    pair.a.proxy.mode = "swallows"
    status = "SELECT status FROM records_payment WHERE payment_id = %s"
    for number in numbers:
        theirs = pair.at_b("payment", number)
        pair.b.pay(theirs)
        until(functools.partial(is_one, pair.b, status, theirs), what="the credit at B")
        assert pair.a.one(status, number) == 0
    for number in numbers:
        pair.a.make_due(number)
    until(lambda: len(receiver.received) == 2, what="both notifications")
    assert [body["status"] for body in receiver.bodies()] == [2, 2]
    assert all(moved(pair, protocol, before[protocol]) == DEPOSITED for protocol in PROTOCOLS)
    by = "SELECT changed_by FROM records_payment WHERE payment_id = ANY(%s)"
    assert pair.a.rows(by, numbers) == [("query",), ("query",)]


def is_one(site: Site, statement: str, number: str) -> bool:
    """Say whether an order has the status Success."""
    return bool(site.one(statement, number) == 1)


def test_answers_that_are_lost_leave_payouts_unknown_until_they_are_found_f7(
    pair: Pair, receiver: Receiver
) -> None:
    """Both protocols at once; the callbacks are lost as well, so that only asking can find them."""
    before = {protocol: available(pair, protocol) for protocol in PROTOCOLS}
    pair.b.proxy.mode = "resets"
    numbers = [payout(pair, receiver, protocol) for protocol in PROTOCOLS]
    assert {pair.a.one(ATTEMPT_STATE, f"{number}-1") for number in numbers} == {"unknown"}
    assert {pair.a.available(wallet)[1] for wallet in pair.wallets_at_a.values()} == {Decimal("100.80")}
    pair.b.proxy.mode, pair.a.proxy.mode = "", "swallows"
    for number in numbers:
        pair.b.pay(f"{pair.at_b('payout', f'{number}-1')}-1")
    frozen = [*pair.wallets_at_b.values()]
    until(lambda: not any(pair.b.available(wallet)[1] for wallet in frozen), what="the end at B")
    for number in numbers:
        pair.a.make_due(number)
    until(lambda: len(receiver.received) == 2, what="both notifications")
    assert [body["status"] for body in receiver.bodies()] == [3, 3]
    assert all(moved(pair, protocol, before[protocol]) == PAID_OUT for protocol in PROTOCOLS)


def test_what_is_placed_while_b_is_down_is_unknown_and_found_later_f7(pair: Pair, receiver: Receiver) -> None:
    """B's web processes are killed; its supervisor starts new ones a moment later."""
    before = {protocol: available(pair, protocol) for protocol in PROTOCOLS}
    pair.b.kill_web()
    numbers = [payout(pair, receiver, protocol) for protocol in PROTOCOLS]
    assert {pair.a.one(ATTEMPT_STATE, f"{number}-1") for number in numbers} == {"unknown"}
    until(lambda: pair.b.terminal.get("/healthz")[0] == 200, what="B")
    assert pair.b.rows("SELECT 1 FROM records_payout WHERE merchant_order_no = ANY(%s)", sent(numbers)) == []
    for number in numbers:
        pair.a.make_due(number)
    for number in numbers:
        pair.b.pay(f"{pair.at_b('payout', f'{number}-1')}-1")
    until(lambda: len(receiver.received) == 2, what="both notifications")
    assert [body["status"] for body in receiver.bodies()] == [3, 3]
    assert all(moved(pair, protocol, before[protocol]) == PAID_OUT for protocol in PROTOCOLS)


def sent(numbers: list[str]) -> list[str]:
    """Return the numbers under which A sends its first attempts to B."""
    return [f"{number}-1" for number in numbers]


def test_both_books_hold_the_same_orders_and_keep_every_promise(pair: Pair, receiver: Receiver) -> None:
    """Every order so far, whichever tests came before, with the same sums and ends in both books."""
    for protocol in PROTOCOLS:
        pair.b.pay(pair.at_b("payment", deposit(pair, receiver, protocol)))
        pair.b.pay(f"{pair.at_b('payout', f'{payout(pair, receiver, protocol)}-1')}-1")
    until(lambda: len(receiver.received) == 4, what="all four notifications")
    payments_a, payments_b = pair.a.rows(PAYMENTS), pair.b.rows(PAYMENTS)
    payouts_a, payouts_b = pair.a.rows(PAYOUTS), pair.b.rows(PAYOUTS)
    assert (len(payments_a) >= 2, len(payouts_a) >= 2) == (True, True)
    assert {ours[1:] for ours in payments_a} == {(theirs[0], *theirs[2:]) for theirs in payments_b}
    assert {ours[1:] for ours in payouts_a} == {(theirs[0], *theirs[2:]) for theirs in payouts_b}
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda site: site.terminal.manage("verify_ledger"), (pair.a, pair.b)))
    assert [answer.returncode for answer in answers] == [0, 0], answers


def chain_deposit(over_chain: ChainPair, receiver: Receiver) -> str:
    """Place a deposit of 10.00 USDT at A, which places it at B over the payment-detail API."""
    answer = over_chain.merchant.post(
        "/v2/payments", service_id=chain_pair.SERVICE, payment_cl_id=f"two_{next(_numbers)}", amount=1000,
        notify_url=receiver.url,
    )  # fmt: skip
    assert answer["error_code"] == "0000", answer
    number: str = answer["data"]["payment_id"]
    link = over_chain.pair.a.one("SELECT link FROM records_payment WHERE payment_id = %s", number)
    assert link.startswith(f"{over_chain.pair.b.proxy.url}/gateway/portal/")
    return number


def told_over_chain(over_chain: ChainPair, receiver: Receiver) -> list[tuple[int, int]]:
    """Return status and amount of each notification of A's merchant, once there is one."""
    until(lambda: receiver.received, what="the notification of A's merchant")
    return [(body["status"], body["real_amount"]) for body in receiver.verified(over_chain.merchant)]


def gained(over_chain: ChainPair, before: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    """Return by how much what is available grew at A and at B."""
    now = over_chain.available()
    return now[0] - before[0], now[1] - before[1]


def test_a_payment_on_a_chain_goes_through_both_books_and_back(
    over_chain: ChainPair, receiver: Receiver
) -> None:
    before, pair = over_chain.available(), over_chain.pair
    number = chain_deposit(over_chain, receiver)
    assert over_chain.expected(number)[1] == 10_000_000
    over_chain.pay(number, 10_000_000)
    until(lambda: pair.b.rows(DETAIL, number) == [("confirming",)], what="the transfer at B")
    status = "SELECT status FROM records_payment WHERE payment_id = %s"
    # Not deep enough yet: neither of them believes in it.
    assert (pair.a.one(status, number), gained(over_chain, before)) == (0, NOTHING)
    over_chain.node.mine(scenes.CONFIRMATIONS - 1)
    assert told_over_chain(over_chain, receiver) == [(2, 1000)]
    assert gained(over_chain, before) == (Decimal("9.92"), Decimal("9.97"))
    assert pair.a.one("SELECT changed_by FROM records_payment WHERE payment_id = %s", number) == "callback"


def test_what_arrives_in_two_parts_is_credited_together_and_found_by_asking_f5(
    over_chain: ChainPair, receiver: Receiver
) -> None:
    """Less than half first, then the rest, less than was asked for; and B's callbacks are lost."""
    before, pair = over_chain.available(), over_chain.pair
    number = chain_deposit(over_chain, receiver)
    pair.a.proxy.mode = "swallows"
    over_chain.pay(number, 4_000_000)
    over_chain.node.mine(scenes.CONFIRMATIONS - 1)
    until(lambda: pair.b.rows(DETAIL, number) == [("partial",)], what="the part at B")
    pair.a.make_due(number)
    until(lambda: pair.a.one(ASKED, number), what="A's question")
    assert gained(over_chain, before) == NOTHING
    over_chain.pay(number, 5_500_000)
    over_chain.node.mine(scenes.CONFIRMATIONS - 1)
    status = "SELECT status FROM records_payment WHERE merchant_order_no = %s"
    until(lambda: pair.b.one(status, number) == 1, what="the credit at B")
    pair.a.make_due(number)
    assert told_over_chain(over_chain, receiver) == [(2, 950)]
    # 9.5 less 8 ‰, and less 3 ‰.
    assert gained(over_chain, before) == (Decimal("9.424"), Decimal("9.4715"))


def test_both_books_are_sound_after_payments_on_a_chain(over_chain: ChainPair, receiver: Receiver) -> None:
    number = chain_deposit(over_chain, receiver)
    over_chain.pay(number, 10_000_000)
    over_chain.node.mine(scenes.CONFIRMATIONS - 1)
    assert told_over_chain(over_chain, receiver) == [(2, 1000)]
    sites = (over_chain.pair.a, over_chain.pair.b)
    own = f"{PAYMENTS} WHERE currency_id = 'USDT'"
    ours, theirs = (site.rows(own) for site in sites)
    assert {row[1:] for row in ours} == {(row[0], *row[2:]) for row in theirs}
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda site: site.terminal.manage("verify_ledger"), sites))
    assert [answer.returncode for answer in answers] == [0, 0], answers
