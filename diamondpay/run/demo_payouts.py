"""How the demo's payouts go. Each story places one order and leads it to its end, or leaves it to people."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timedelta

from channels.upstreams.base import UpstreamState
from diamondpay.run.demo_plan import Planned
from diamondpay.run.demo_scene import Scene, Story, is_under_review, last_attempt, swept, waiting
from operations import placement
from operations.models import Act
from records.models import Payout

_REFUSALS = ("the account does not exist", "the recipient's name does not match", "the bank is not reachable")
_REJECTIONS = ("The recipient is on the watch list.", "The amount does not fit this merchant's business.")
_MINUTE = timedelta(minutes=1)
# Where a story's payout stands once it is placed and, if need be, reviewed.
_Placing = Generator[datetime, None, tuple[Payout, datetime]]


def _placed(scene: Scene, order: Planned, cue: Callable[[], None] | None = None) -> _Placing:
    """Place the payout, approved where it must be; `cue` tells how its submission is answered."""
    needs_review = placement.needs_review(merchant=scene.merchants[order.shop.key], amount=order.amount)
    if cue is not None and not needs_review:
        cue()
    payout, at = scene.place_payout(order, at=order.at), order.at
    if is_under_review(payout):
        at += waiting(order.dice(), 60, 15 * 60)
        yield at
        if cue is not None:
            cue()
        scene.review(payout, is_approved=True, reason="Recipient and amount are known.", at=at)
        payout.refresh_from_db()
    return payout, at


def paid_out(scene: Scene, order: Planned) -> Story:
    """The upstream pays and calls back."""
    payout, at = yield from _placed(scene, order)
    at += waiting(order.dice(), 15, 8 * 60)
    yield at
    scene.call_back_attempt(last_attempt(payout), at=at)


def rejected_out(scene: Scene, order: Planned) -> Story:
    """Finance rejects the payout; the money is released."""
    payout = scene.place_payout(order, at=order.at)
    at = order.at + waiting(order.dice(), 300, 50 * 60)
    yield at
    scene.review(payout, is_approved=False, reason=order.dice().choice(_REJECTIONS), at=at)


def refused_out(scene: Scene, order: Planned) -> Story:
    """The upstream refuses the payout: it fails and is released, or is held for a person (P3)."""
    reason = order.dice().choice(_REFUSALS)
    payout, at = yield from _placed(scene, order, lambda: scene.refuse_next(reason))
    yield from _unless_held(scene, order, payout, at)


def failed_out(scene: Scene, order: Planned) -> Story:
    """The upstream takes the payout and reports later that it failed."""
    payout, at = yield from _placed(scene, order)
    at += waiting(order.dice(), 30, 8 * 60)
    yield at
    reason = order.dice().choice(_REFUSALS)
    scene.call_back_attempt(last_attempt(payout), at=at, state=UpstreamState.FAILED, reason=reason)
    yield from _unless_held(scene, order, payout, at)


def _unless_held(scene: Scene, order: Planned, payout: Payout, at: datetime) -> Story:
    """Have a held payout sent again within the half hour; its money must not lie frozen for days."""
    payout.refresh_from_db()
    if payout.is_held:
        yield from _reinitiated(scene, order, payout, at)


def unknown_out(scene: Scene, order: Planned) -> Story:
    """No answer, yet the upstream has paid: the question finds it (P5)."""
    payout, _at = yield from _placed(scene, order, lambda: scene.say_nothing_next(is_deaf=False))
    attempt = last_attempt(payout)
    scene.knows(
        attempt.reference,
        state=UpstreamState.PAID,
        amount=payout.requested_amount,
        currency=payout.currency_id,
    )
    at = swept(attempt.next_query_at or order.at)
    yield at
    scene.sweep(at=at)


def lost_out(scene: Scene, order: Planned) -> Story:
    """No answer, and the upstream never heard of it: it is sent again under the same reference."""
    payout, _at = yield from _placed(scene, order, lambda: scene.say_nothing_next(is_deaf=True))
    at = swept(last_attempt(payout).next_query_at or order.at)
    yield at
    scene.sweep(at=at)
    at += 2 * _MINUTE
    yield at
    scene.call_back_attempt(last_attempt(payout), at=at)


def paid_after_end(scene: Scene, order: Planned) -> Story:
    """The payout has failed and is released, and then the upstream says that it was paid."""
    payout, at = yield from _placed(scene, order)
    at += 3 * _MINUTE
    yield at
    scene.call_back_attempt(
        last_attempt(payout), at=at, state=UpstreamState.FAILED, reason="returned by the bank"
    )
    at += 20 * _MINUTE
    yield at
    scene.call_back_attempt(last_attempt(payout), at=at)


def held_out(scene: Scene, order: Planned) -> Story:
    """Refused and held: a person has to decide, and nobody has yet."""
    yield from _placed(scene, order, lambda: scene.refuse_next("the account is frozen"))


def reinitiated_out(scene: Scene, order: Planned) -> Story:
    """Refused, held, and sent again after two people agreed."""
    payout, at = yield from _placed(scene, order, lambda: scene.refuse_next("the bank is not reachable"))
    yield from _reinitiated(scene, order, payout, at)


def _reinitiated(scene: Scene, order: Planned, payout: Payout, at: datetime) -> Story:
    at += 8 * _MINUTE
    yield at
    act = scene.ask(
        Act.Kind.REINITIATE_PAYOUT,
        request_id=f"demo-reinitiate-{order.number}",
        object_kind="payout",
        object_id=payout.payout_id,
        reason="The recipient's bank is reachable again.",
        at=at,
        channel=payout.channel_id,
    )
    at += 5 * _MINUTE
    yield at
    scene.agree(act, at=at)
    at += 2 * _MINUTE
    yield at
    scene.call_back_attempt(last_attempt(payout), at=at)


def failed_by_hand(scene: Scene, order: Planned) -> Story:
    """Refused, held, and given up by two people; the money is released."""
    payout, at = yield from _placed(scene, order, lambda: scene.refuse_next("the account does not exist"))
    yield from _given_up(scene, order, payout, at)


def wrong_amount_out(scene: Scene, order: Planned) -> Story:
    """The upstream reports another amount than was asked for, and then that it was a mistake of its own."""
    payout, at = yield from _placed(scene, order)
    at += 2 * _MINUTE
    yield at
    scene.call_back_attempt(last_attempt(payout), at=at, amount=payout.requested_amount - 1)
    yield from _given_up(scene, order, payout, at)


def _given_up(scene: Scene, order: Planned, payout: Payout, at: datetime) -> Story:
    at += 25 * _MINUTE
    yield at
    act = scene.ask(
        Act.Kind.FAIL_PAYOUT,
        request_id=f"demo-fail-{order.number}",
        object_kind="payout",
        object_id=payout.payout_id,
        reason="The upstream confirmed in writing that nothing was paid.",
        at=at,
        proof="Letter of the upstream",
    )
    at += 15 * _MINUTE
    yield at
    scene.agree(act, at=at, reason="Their letter is in the file.")


def waits_for_review(scene: Scene, order: Planned) -> Story:
    """Placed, and nobody has decided yet."""
    scene.place_payout(order, at=order.at)
    yield from ()


def stuck_out(scene: Scene, order: Planned) -> Story:
    """The upstream took it and says nothing more: frozen until somebody proves what happened."""
    yield from _placed(scene, order)


STORIES: Mapping[str, Callable[[Scene, Planned], Story]] = {
    story.__name__: story
    for story in (
        *(paid_out, rejected_out, refused_out, failed_out, unknown_out, lost_out, paid_after_end),
        *(held_out, reinitiated_out, failed_by_hand, wrong_amount_out, waits_for_review, stuck_out),
    )
} | {"reviewed_out": paid_out}
