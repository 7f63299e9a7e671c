"""Addresses and amounts that many orders ask for at once."""

from __future__ import annotations

import functools
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from channels import secrets
from diamondpay.lib import clock, errors
from records import payments
from records.models import Actor, Case, ChainPayment, ChainTransfer, Payment, PaymentStatus
from tests import factories
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node
from tests.support.together import at_once

__all__ = ["node"]

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 20


def test_twenty_orders_of_one_amount_at_once_wait_for_twenty_amounts(node: Node) -> None:
    scene = scenes.make(node, is_shared=True)
    deeds = [functools.partial(scene.place, "10", f"T{number}") for number in range(THREADS)]
    placed = at_once(deeds)
    assert all(isinstance(order, Payment) for order in placed)
    units = sorted(int(found.expected_units) for found in ChainPayment.objects.all())
    assert len(set(units)) == THREADS
    assert units[0] >= 10_000_000
    assert units[-1] < 10_000_000 + 999
    # Each payer is told exactly the amount that tells him from the others.
    told = sorted(int(order.display_amount.scaleb(6)) for order in Payment.objects.all())
    assert told == units


def test_twenty_orders_at_once_get_twenty_addresses(node: Node) -> None:
    scene = scenes.make(node)
    at_once([functools.partial(scene.place, "10", f"T{number}") for number in range(THREADS)])
    found = ChainPayment.objects.all()
    assert {order.derivation_index for order in found} == set(range(THREADS))
    assert len({order.address for order in found}) == THREADS


def test_when_every_amount_is_taken_an_order_is_refused_in_words(node: Node) -> None:
    scene = scenes.make(node, is_shared=True)
    _steps(scene, 2)
    scene.place("10", "T1")
    scene.place("10", "T2")
    with pytest.raises(errors.NoChannelAvailable, match="Too many payments of this amount"):
        scene.place("10", "T3")
    assert (Payment.objects.count(), ChainPayment.objects.count()) == (2, 2)
    # Another amount has room.
    assert scene.place("11", "T4").status == PaymentStatus.IN_PROGRESS


def test_a_fixed_amount_pays_its_order_and_no_other(node: Node) -> None:
    scene = scenes.make(node, is_shared=True)
    orders = [scene.place("10", f"T{number}") for number in range(3)]
    second = ChainPayment.objects.get(pk=orders[1].pk)
    scene.pay(orders[1], int(second.expected_units))
    scene.watch()
    assert [scenes.credited(order)[0] for order in orders] == [0, 1, 0]
    assert orders[1].actual_amount == Decimal(second.expected_units).scaleb(-6)


def test_an_amount_that_nobody_waits_for_is_put_aside(node: Node) -> None:
    scene = scenes.make(node, is_shared=True)
    payment = scene.place("10")
    scene.pay(payment, 10_555_555)
    scene.watch()
    case = Case.objects.get()
    assert (case.kind, case.amount) == (Case.Kind.UNKNOWN_ORDER, Decimal("10.555555"))
    assert ChainTransfer.objects.get().payment_id is None
    assert scenes.credited(payment)[0] == PaymentStatus.IN_PROGRESS


def test_what_was_sent_before_an_order_was_made_does_not_pay_it(node: Node) -> None:
    scene = scenes.make(node, is_shared=True)
    _steps(scene, 1)
    first = scene.place("10")
    scene.pay(first, 10_000_000)
    _close(first)
    # The chain is read only now, when another order waits for the same amount.
    second = scene.place("10", "T2", now=clock.now() + timedelta(minutes=3))
    assert ChainPayment.objects.get(pk=second.pk).expected_units == 10_000_000
    scene.watch()
    assert [scenes.credited(order)[0] for order in (first, second)] == [PaymentStatus.CLOSED, 0]
    assert Case.objects.get().kind == Case.Kind.UNKNOWN_ORDER


def test_an_amount_rests_for_a_day_while_there_are_others(node: Node) -> None:
    scene = scenes.make(node, is_shared=True)
    _steps(scene, 2)
    given = []
    for number in range(3):
        order = scene.place("10", f"T{number}")
        given.append(ChainPayment.objects.get(pk=order.pk).expected_units)
        _close(order)
    # There are two: the third order takes one that has not rested rather than none.
    assert (set(given[:2]), given[2] in given[:2]) == ({10_000_000, 10_000_001}, True)


def _close(order: Payment) -> None:
    payments.close(payment_pk=order.pk, now=clock.now(), changed_by=Actor.SYSTEM, reason="tests")


def test_what_an_order_expects_is_never_changed_again(node: Node) -> None:
    scene = scenes.make(node, is_shared=True)
    payment = scene.place("10")
    expected = ChainPayment.objects.get(pk=payment.pk).expected_units
    with pytest.raises(IntegrityError, match="fixed"), transaction.atomic():
        ChainPayment.objects.filter(pk=payment.pk).update(expected_units=expected + 1)
    assert ChainPayment.objects.get(pk=payment.pk).expected_units == expected


def _steps(scene: scenes.Scene, count: int) -> None:
    settings = {**secrets.settings_of(scene.channel), "amount_steps": str(count)}
    scene.channel.settings_encrypted = secrets.seal_settings(settings)
    rows = type(scene.channel).objects.filter(pk=scene.channel.pk)
    factories.set_terms(rows, settings_encrypted=scene.channel.settings_encrypted)
