"""Merchants hear how an order over a chain goes on: what is new, once, and the newest alone."""

from __future__ import annotations

from typing import Any

import pytest

from diamondpay.lib import clock, crash
from records import chain_watch, delivery, payments
from records.models import Actor, ChainCursor, ChainPayment, Notification, Payment, PaymentStatus
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node

__all__ = ["node"]

pytestmark = pytest.mark.django_db
URL = "https://acme.example/told"
PENDING, CONFIRMING, PARTIAL, PAID, FAILED = 1, 2, 3, 0, 4


def told() -> list[tuple[int, str, str]]:
    """Return the API's status, the state and the id of every notification, oldest first."""
    rows = Notification.objects.order_by("id")
    return [(row.facts["paymentStatus"], row.state, row.webhook_id) for row in rows]


def place(scene: scenes.Scene, amount: str = "100", **more: Any) -> Payment:
    """Place an order whose merchant wants to be told, with a key that signs."""
    return scene.place(amount, notify_url=URL, **more)


def test_a_payment_that_is_seen_is_told_at_once_and_only_once(node: Node) -> None:
    scene = scenes.make(node)
    payment = place(scene)
    scene.watch()
    assert told() == []
    tx_hash = scene.pay(payment, 100_000_000, confirm=False)
    for _time in range(3):
        scene.watch()
    assert told() == [(CONFIRMING, "retrying", f"{payment.payment_id}-0-P1")]
    facts = Notification.objects.get().facts
    assert (facts["transferHash"], facts["settlementAmount"]) == (tx_hash, None)
    assert ChainPayment.objects.get().told == "confirming"


def test_the_end_takes_the_place_of_what_nobody_was_told_yet(node: Node) -> None:
    scene = scenes.make(node)
    payment = place(scene)
    scene.pay(payment, 100_000_000, confirm=False)
    scene.watch()
    node.mine(scenes.CONFIRMATIONS)
    scene.watch()
    assert scenes.credited(payment)[0] == PaymentStatus.SUCCESS
    assert told() == [
        (CONFIRMING, "replaced", f"{payment.payment_id}-0-P1"),
        (PAID, "retrying", f"{payment.payment_id}-1"),
    ]


def test_a_part_is_told_as_partly_paid_with_what_arrived(node: Node) -> None:
    scene = scenes.make(node)
    payment = place(scene)
    scene.pay(payment, 20_000_000)
    scene.watch()
    scene.pay(payment, 5_000_000, confirm=False)
    scene.watch()
    node.mine(scenes.CONFIRMATIONS)
    scene.watch()
    number = payment.payment_id
    assert told() == [
        (PARTIAL, "replaced", f"{number}-0-P1"), (CONFIRMING, "replaced", f"{number}-0-P2"),
        (PARTIAL, "retrying", f"{number}-0-P3"),
    ]  # fmt: skip
    assert [row.facts["settlementAmount"] for row in Notification.objects.order_by("id")] == [
        "20000000", "20000000", "25000000",
    ]  # fmt: skip


def test_what_is_confirmed_at_the_first_look_is_told_as_paid_alone(node: Node) -> None:
    scene = scenes.make(node)
    payment = place(scene)
    scene.pay(payment, 60_000_000)
    scene.watch()
    assert told() == [(PAID, "retrying", f"{payment.payment_id}-1")]


def test_a_payment_that_vanishes_with_its_block_is_told_as_pending_again(node: Node) -> None:
    scene = scenes.make(node)
    payment = place(scene)
    with node.replaced():
        scene.pay(payment, 100_000_000, confirm=False)
        scene.watch()
    node.mine(5)
    scene.watch()
    assert [row[:2] for row in told()] == [(CONFIRMING, "replaced"), (PENDING, "retrying")]
    assert Notification.objects.latest("id").facts["transferHash"] is None


def test_nobody_is_told_who_did_not_ask_or_whose_language_has_no_words_for_it(node: Node) -> None:
    scene = scenes.make(node)
    silent = scene.place("100", "T1")
    gateway = place(scene, number="T2", dialect="gateway.v2")
    for payment in (silent, gateway):
        scene.pay(payment, 10_000_000, confirm=False)
    scene.watch()
    assert told() == []
    assert set(ChainPayment.objects.values_list("told", flat=True)) == {"confirming"}


def test_news_waits_for_older_news_that_is_on_its_way(node: Node) -> None:
    scene = scenes.make(node, apis=["payment_detail"])
    payment = place(scene)
    scene.pay(payment, 20_000_000, confirm=False)
    scene.watch()
    sendings, _ended = delivery.claim(now=clock.now(), worker="one", count=5)
    assert len(sendings) == 1
    node.mine(scenes.CONFIRMATIONS)
    scene.watch()
    assert [row[:2] for row in told()] == [(CONFIRMING, "retrying"), (PARTIAL, "retrying")]
    assert delivery.claim(now=clock.now(), worker="two", count=5) == ([], 0)


def test_a_watcher_that_dies_before_it_tells_leaves_it_to_the_next(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scenes.make(node)
    payment = place(scene)
    scene.pay(payment, 20_000_000)

    class Killed(BaseException):
        """The process is gone."""

    def die(name: str) -> None:
        if name == "chain.confirmed":
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(crash, "point", die)
        with pytest.raises(Killed):
            scene.watch()
    assert told() == []
    ChainCursor.objects.update(claimed_until=None)
    scene.watch()
    chain_watch.watch_all()
    assert [row[0] for row in told()] == [PARTIAL]


def test_an_order_that_was_closed_is_told_of_once_and_not_how_it_goes_on(node: Node) -> None:
    scene = scenes.make(node)
    payment = place(scene)
    scene.watch()
    payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.SYSTEM, reason="tests")
    scene.pay(payment, 20_000_000, confirm=False)
    scene.watch()
    assert [row[0] for row in told()] == [FAILED]
    assert scenes.credited(payment) == (PaymentStatus.CLOSED, None, None)
    assert ChainPayment.objects.get().seen_units == 20_000_000
