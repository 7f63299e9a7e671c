"""One order of the payment-detail API asked for by many at one moment, by real signed requests."""

from __future__ import annotations

import functools
from collections import Counter

import pytest
from django.test import Client
from pytest_django import Settings

from records.models import ChainKey, ChainPayment, Payment, UpstreamCall
from tests.merchants.api.payment_detail.conftest import Answer, OverChain, new_order
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node
from tests.support.together import at_once

__all__ = ["node"]

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 20


@pytest.fixture
def shop(node: Node, settings: Settings) -> OverChain:
    """A merchant who is paid over a chain, and may have callbacks on loopback."""
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    scene = scenes.make(node, apis=["payment_detail"])
    return OverChain(scene.registered, scene=scene)


def asked(shop: OverChain, amount: str) -> Answer:
    """Ask on a connection of its own."""
    own = OverChain(shop.registered, Client(), scene=shop.scene)
    return own.create(new_order("order-1", quoteAmount=amount))


def test_twenty_times_the_same_at_once_is_one_order_d1(shop: OverChain) -> None:
    answers = at_once([functools.partial(asked, shop, "10")] * THREADS)
    payment, found = Payment.objects.get(), ChainPayment.objects.get()
    assert Counter(answer.status for answer in answers) == {200: THREADS}
    told = {(answer.data["outPaymentNo"], answer.data["userWalletAddress"]) for answer in answers}
    assert told == {(payment.payment_id, found.address)}
    assert len({answer.data["paymentUrl"] for answer in answers}) == 1
    assert ChainKey.objects.get().next_index == 1
    assert UpstreamCall.objects.count() == 1


def test_two_contents_at_once_under_one_number_are_one_order_and_refusals_d1(shop: OverChain) -> None:
    amounts = [str(10 + number % 2) for number in range(THREADS)]
    answers = at_once([functools.partial(asked, shop, amount) for amount in amounts])
    won = str(int(Payment.objects.get().requested_amount))
    for amount, answer in zip(amounts, answers, strict=True):
        assert answer.status == (200 if amount == won else 409)
    assert ChainPayment.objects.count() == 1
