"""How the demo's deposits go. Each story places one order and leads it to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal

from channels.upstreams.base import UpstreamState
from channels.upstreams.sandbox import wire
from diamondpay.run import demo_upstream
from diamondpay.run.demo_plan import Planned
from diamondpay.run.demo_scene import Scene, Story, swept, waiting
from operations.models import Act
from records.models import Payment

_REFUSALS = (
    "no collecting account is free for this amount",
    "the payer's bank is under maintenance",
    "daily volume of this account is reached",
)
_FAILURES = ("the payer cancelled", "the payer's bank declined", "risk control of the upstream")
_MINUTE = timedelta(minutes=1)


def paid(scene: Scene, order: Planned) -> Story:
    """The payer pays what was asked for; the upstream calls back."""
    payment = scene.place_payment(order, at=order.at)
    at = order.at + waiting(order.dice(), 20, 540)
    yield at
    scene.call_back_payment(payment, at=at)


def expired(scene: Scene, order: Planned) -> Story:
    """Nobody pays."""
    payment = scene.place_payment(order, at=order.at)
    yield from _expires(scene, payment)


def _expires(scene: Scene, payment: Payment) -> Story:
    at = swept(payment.expires_at)
    yield at
    scene.expire(at=at)


def failed(scene: Scene, order: Planned) -> Story:
    """The upstream reports a failure."""
    throw = order.dice()
    payment = scene.place_payment(order, at=order.at)
    at = order.at + waiting(throw, 15, 300)
    yield at
    scene.call_back_payment(payment, at=at, state=UpstreamState.FAILED, reason=throw.choice(_FAILURES))


def refused(scene: Scene, order: Planned) -> Story:
    """The upstream does not take the order."""
    scene.refuse_next(order.dice().choice(_REFUSALS))
    scene.place_payment(order, at=order.at)
    yield from ()


def paid_late(scene: Scene, order: Planned) -> Story:
    """The payer pays after the order was closed: a late payment (D8)."""
    payment = scene.place_payment(order, at=order.at)
    yield from _expires(scene, payment)
    at = payment.expires_at + waiting(order.dice(), 300, 80 * 60)
    yield at
    scene.call_back_payment(payment, at=at)


def found_by_query(scene: Scene, order: Planned) -> Story:
    """The callback is lost; the worker's question finds the payment (F5)."""
    payment = scene.place_payment(order, at=order.at)
    scene.knows(
        payment.payment_id,
        state=UpstreamState.PAID,
        amount=payment.requested_amount,
        currency=payment.currency_id,
    )
    at = swept(payment.next_query_at or order.at)
    yield at
    scene.sweep(at=at)


def told_twice(scene: Scene, order: Planned) -> Story:
    """The upstream repeats its callback: one credit, one duplicate."""
    yield from paid(scene, order)
    payment = _placed(scene, order)
    at = (payment.completed_at or order.at) + timedelta(seconds=4)
    yield at
    scene.call_back_payment(payment, at=at)


def answered_late(scene: Scene, order: Planned) -> Story:
    """Nobody knows whether the upstream has the order until it is handed over again (F1)."""
    scene.say_nothing_next(is_deaf=bool(order.number % 2))
    payment = scene.place_payment(order, at=order.at)
    at = swept(payment.next_query_at or order.at)
    yield at
    scene.sweep(at=at)
    at += waiting(order.dice(), 20, 300)
    yield at
    scene.call_back_payment(payment, at=at)


def wrong_amount(scene: Scene, order: Planned) -> Story:
    """The payer sends another amount: it goes into suspense, and the order expires (D9)."""
    throw = order.dice()
    payment = scene.place_payment(order, at=order.at)
    at = order.at + waiting(throw, 30, 400)
    yield at
    scene.call_back_payment(payment, at=at, amount=_another(payment, throw.choice(("0.5", "0.9", "1.1"))))
    yield from _expires(scene, payment)


def supplemented(scene: Scene, order: Planned) -> Story:
    """As before, and then two people credit what really came."""
    yield from wrong_amount(scene, order)
    payment = _placed(scene, order)
    case = payment.cases.get()
    at = payment.expires_at + 20 * _MINUTE
    yield at
    act = scene.ask(
        Act.Kind.SUPPLEMENT_PAYMENT,
        request_id=f"demo-supplement-{order.number}",
        object_kind="payment",
        object_id=payment.payment_id,
        reason="The payer sent a receipt; the amount differs.",
        at=at,
        amount=wire.amount_text(case.amount or payment.requested_amount),
        channel_order_no=demo_upstream.channel_order_no(payment.payment_id),
        proof="The upstream's statement and the payer's receipt.",
    )
    at += 12 * _MINUTE
    yield at
    scene.agree(act, at=at, reason="Receipt and statement agree.")


def paid_again(scene: Scene, order: Planned) -> Story:
    """The payer pays twice: the second payment goes into suspense."""
    yield from paid(scene, order)
    payment = _placed(scene, order)
    at = (payment.completed_at or order.at) + 3 * _MINUTE
    yield at
    other = demo_upstream.channel_order_no(f"{payment.payment_id} again")
    scene.call_back_payment(payment, at=at, number=other)


def wrong_currency(scene: Scene, order: Planned) -> Story:
    """The upstream reports another currency: nothing is credited."""
    payment = scene.place_payment(order, at=order.at)
    at = order.at + 2 * _MINUTE
    yield at
    scene.call_back_payment(payment, at=at, currency="USD")
    yield from _expires(scene, payment)


def contradicted(scene: Scene, order: Planned) -> Story:
    """The upstream takes back what it said: the credit stays, a case is opened."""
    yield from paid(scene, order)
    payment = _placed(scene, order)
    at = (payment.completed_at or order.at) + 9 * _MINUTE
    yield at
    scene.call_back_payment(payment, at=at, state=UpstreamState.FAILED, reason="reversed by the bank")


def unknown_order(scene: Scene, order: Planned) -> Story:
    """Money comes for an order that we do not have, beside one that is paid as it should be."""
    yield from paid(scene, order)
    at = order.at + 15 * _MINUTE
    yield at
    scene.call_back_unknown(
        channel_code="sandbox", reference="PM-OF-SOMEBODY-ELSE", amount=order.amount, at=at
    )


def forged(scene: Scene, order: Planned) -> Story:
    """Somebody forges a callback: it is refused. Then the real one comes."""
    payment = scene.place_payment(order, at=order.at)
    at = order.at + _MINUTE
    yield at
    scene.call_back_payment(payment, at=at, is_forged=True)
    at += 2 * _MINUTE
    yield at
    scene.call_back_payment(payment, at=at)


def tolerated(scene: Scene, order: Planned) -> Story:
    """A little less arrives than was asked for, within what the channel tolerates: that is credited."""
    payment = scene.place_payment(order, at=order.at)
    at = order.at + 2 * _MINUTE
    yield at
    scene.call_back_payment(payment, at=at, amount=_another(payment, "0.995"))


def closed_by_hand(scene: Scene, order: Planned) -> Story:
    """An operator closes the order."""
    payment = scene.place_payment(order, at=order.at)
    at = order.at + 4 * _MINUTE
    yield at
    scene.close(payment, reason="The payer asked for another service.", at=at)


def _placed(scene: Scene, order: Planned) -> Payment:
    return Payment.objects.get(merchant=scene.merchants[order.shop.key], merchant_order_no=order.order_no)


def _another(payment: Payment, factor: str) -> Decimal:
    step = Decimal(1) if payment.currency_id == "VND" else Decimal("0.01")
    asked: Decimal = payment.requested_amount
    return (asked * Decimal(factor)).quantize(step, rounding=ROUND_DOWN)


STORIES: Mapping[str, Callable[[Scene, Planned], Story]] = {
    story.__name__: story
    for story in (
        *(paid, expired, failed, refused, paid_late, found_by_query, told_twice, answered_late),
        *(wrong_amount, supplemented, paid_again, wrong_currency, contradicted, unknown_order),
        *(forged, tolerated, closed_by_hand),
    )
} | {"test_order": paid}
