"""What an address holds of the coin is compared with what was read: nothing is left out unnoticed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from records import chain_watch
from records.models import Case, ChainCursor, ChainPayment, ChainTransfer, Payment, PaymentStatus, Posting
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node

__all__ = ["node"]

pytestmark = pytest.mark.django_db
ETHER = 10**18
IN_PROGRESS, SUCCESS = PaymentStatus.IN_PROGRESS, PaymentStatus.SUCCESS


def leave_out(node: Node, address: str) -> None:
    """Have the node leave out, of every block it tells, the transactions to an address."""

    def fault(method: str, answer: Any) -> Any:
        if method != "eth_getBlockByNumber" or not answer:
            return answer
        kept = [
            each for each in answer["transactions"] if isinstance(each, str) or each["to"] != address.lower()
        ]
        return {**answer, "transactions": kept}

    node.fault = fault


def placed(node: Node) -> tuple[scenes.Scene, Payment]:
    """An order of one ether at an address of its own, the chain having been read."""
    scene = scenes.make(node, currency="ETH")
    payment = scene.place("1", symbol="ETH")
    node.mine(scenes.CONFIRMATIONS)
    scene.watch()
    return scene, payment


def test_a_transfer_that_the_node_leaves_out_opens_one_case_and_books_nothing(node: Node) -> None:
    scene, payment = placed(node)
    leave_out(node, payment.chain_payment.address)
    scene.pay(payment, ETHER // 4, symbol="ETH", confirm=False)
    scene.watch()
    # Not yet as deep as transfers must be to count.
    assert Case.objects.count() == 0
    node.mine(scenes.CONFIRMATIONS)
    for _time in range(2):
        scene.watch()
        node.mine(1)
    case = Case.objects.get()
    assert (case.kind, case.payment_id, case.amount) == (
        Case.Kind.CONTRADICTION, payment.pk, Decimal("0.25"),
    )  # fmt: skip
    assert f"{ETHER // 4} units of ETH more" in case.summary
    assert (ChainTransfer.objects.count(), Posting.objects.count()) == (0, 0)
    assert scenes.credited(payment) == (IN_PROGRESS, None, None)


def test_what_was_read_opens_no_case_before_and_after_the_credit(node: Node) -> None:
    scene, payment = placed(node)
    for part in (4, 4, 2):
        scene.pay(payment, ETHER // part, symbol="ETH")
        scene.watch()
    node.mine(scenes.CONFIRMATIONS)
    scene.watch()
    assert scenes.credited(payment)[0] == SUCCESS
    found = ChainPayment.objects.get()
    assert found.balance_block == (ChainCursor.objects.get().block_number or 0) - scenes.CONFIRMATIONS + 1
    # The last part came after the credit.
    assert [case.kind for case in Case.objects.all()] == [Case.Kind.PAID_AGAIN]


def test_an_address_that_was_emptied_opens_no_case(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, payment = placed(node)
    scene.pay(payment, ETHER // 4, symbol="ETH")
    node.fault = lambda method, answer: "0x0" if method == "eth_getBalance" else answer
    scene.watch()
    assert (Case.objects.count(), ChainPayment.objects.get().detail) == (0, "partial")


@pytest.mark.parametrize("answer", [None, "0x", "many", -1])
def test_a_node_that_keeps_no_such_state_is_read_all_the_same(node: Node, answer: object) -> None:
    scene, payment = placed(node)
    before = ChainPayment.objects.get().balance_block
    node.fault = lambda method, told: answer if method == "eth_getBalance" else told
    scene.pay(payment, ETHER, symbol="ETH")
    scene.watch()
    assert scenes.credited(payment)[0] == SUCCESS
    assert (Case.objects.count(), ChainCursor.objects.get().fault) == (0, "")
    assert ChainPayment.objects.get().balance_block == before


def test_only_orders_that_may_be_paid_in_the_coin_are_asked_for(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    node.pay(payment.chain_payment.address, ETHER)
    node.mine(scenes.CONFIRMATIONS)
    chain_watch.watch(channel=scene.channel)
    assert "eth_getBalance" not in node.answered
    # What was sent in the wrong coin is read, and has its own case.
    assert Case.objects.get().kind == Case.Kind.WRONG_CURRENCY
