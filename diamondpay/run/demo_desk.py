"""What people do by hand in the demo's two weeks: funding, adjustments, freezes and transfers, all with four
eyes; and what waits for a second person at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from diamondpay.run import demo_cast
from diamondpay.run.demo_plan import Window
from diamondpay.run.demo_scene import Scene, Story
from operations.models import Act

_MINUTE = timedelta(minutes=1)
_FREEZE = "demo-freeze-lotus"
Deed = Callable[[Scene, datetime], Story]


def deeds(window: Window, *, window_count: int) -> list[tuple[datetime, Deed]]:
    """Return what is done by hand in a window, and when."""
    found = [deed for part, deed in _DEEDS if int(part * window_count) == window.number]
    if window.is_last:
        found += _LAST
    timed = [(window.start + 30 * _MINUTE + 9 * place * _MINUTE, deed) for place, deed in enumerate(found)]
    return [(window.start + _MINUTE, _fund), *timed] if window.number == 0 else timed


def _fund(scene: Scene, at: datetime) -> Story:
    """Every wallet is funded before the first order."""
    asked = []
    for shop in demo_cast.SHOPS:
        for channel_code, amount in zip(shop.channels, shop.funds, strict=True):
            wallet = scene.wallet(shop, channel_code)
            asked.append(
                scene.ask(
                    Act.Kind.ADJUST_BALANCE,
                    request_id=f"demo-fund-{wallet.pk}",
                    object_id=wallet.pk,
                    reason="First funding by bank transfer.",
                    at=at,
                    amount=amount,
                )
            )
    at += 5 * _MINUTE
    yield at
    for act in asked:
        scene.agree(act, at=at)


def _two_people(
    kind: Act.Kind, *, shop: str, channel: str, request_id: str, reason: str, amount: str, to: str = ""
) -> Deed:
    """Return a deed on a wallet that one person asks for and another approves ten minutes later."""

    def deed(scene: Scene, at: datetime) -> Story:
        act = _asked(scene, at, kind, shop, channel, request_id, reason, amount, to)
        at += 4 * _MINUTE
        yield at
        scene.agree(act, at=at)

    return deed


def _asked(
    scene: Scene,
    at: datetime,
    kind: Act.Kind,
    shop: str,
    channel: str,
    request_id: str,
    reason: str,
    amount: str,
    to: str = "",
) -> Act:
    evidence = {"amount": amount}
    if to:
        evidence["destination"] = scene.wallet(demo_cast.SHOP_BY_KEY[to], channel).pk
    wallet = scene.wallet(demo_cast.SHOP_BY_KEY[shop], channel)
    return scene.ask(kind, request_id=request_id, object_id=wallet.pk, reason=reason, at=at, **evidence)


def _unfreeze(scene: Scene, at: datetime) -> Story:
    act = scene.ask(
        Act.Kind.UNFREEZE_BALANCE,
        request_id="demo-unfreeze-lotus",
        object_id=_FREEZE,
        object_kind="manual_freeze",
        reason="The enquiry is closed.",
        at=at,
    )
    at += 4 * _MINUTE
    yield at
    scene.agree(act, at=at)


def _rejected(scene: Scene, at: datetime) -> Story:
    act = _asked(
        scene,
        at,
        Act.Kind.ADJUST_BALANCE,
        "harbour",
        "sandbox-usdt",
        "demo-adjust-rejected",
        "Bonus as agreed by phone.",
        "5000",
    )
    at += 4 * _MINUTE
    yield at
    scene.decline(act, at=at, reason="Nothing of this in writing.")


def _expired(scene: Scene, at: datetime) -> Story:
    """Asked for late in the evening, and nobody decided within the day."""
    act = _asked(
        scene,
        at,
        Act.Kind.ADJUST_BALANCE,
        "harbour",
        "sandbox-usdt",
        "demo-adjust-expired",
        "Fee of a test transfer, to be given back.",
        "12",
    )
    at = (act.expires_at or at) + _MINUTE
    yield at
    scene.expire_acts(at=at)


def _waiting(scene: Scene, at: datetime) -> Story:
    """Asked for, and nobody has decided yet."""
    _asked(
        scene,
        at,
        Act.Kind.ADJUST_BALANCE,
        "harbour",
        "sandbox-usdt",
        "demo-adjust-waiting",
        "Network fee of a returned payout.",
        "-40",
    )
    yield from ()


_DEEDS: tuple[tuple[float, Deed], ...] = (
    (
        0.3,
        _two_people(
            Act.Kind.FREEZE_BALANCE,
            shop="lotus",
            channel="sandbox",
            request_id=_FREEZE,
            reason="Enquiry of the bank about three deposits.",
            amount="5000",
        ),
    ),
    (
        0.4,
        _two_people(
            Act.Kind.TRANSFER_BALANCE,
            shop="lotus",
            channel="sandbox",
            request_id="demo-transfer-1",
            reason="Settlement between the two shops, first half.",
            amount="20000",
            to="siam",
        ),
    ),
    (
        0.5,
        _two_people(
            Act.Kind.ADJUST_BALANCE,
            shop="carioca",
            channel="sandbox-brl",
            request_id="demo-adjust-chargeback",
            reason="Chargeback of a Pix deposit.",
            amount="-150",
        ),
    ),
    (
        0.55,
        _two_people(
            Act.Kind.SUPPLEMENT_BALANCE,
            shop="siam",
            channel="sandbox-thb",
            request_id="demo-supplement-balance",
            reason="Deposit that the upstream reported by letter only.",
            amount="2500",
        ),
    ),
    (0.6, _unfreeze),
    (0.62, _expired),
    (0.65, _rejected),
    (
        0.7,
        _two_people(
            Act.Kind.TRANSFER_BALANCE,
            shop="siam",
            channel="sandbox",
            request_id="demo-transfer-2",
            reason="Settlement between the two shops, correction.",
            amount="3000",
            to="lotus",
        ),
    ),
)
_LAST: tuple[Deed, ...] = (
    _two_people(
        Act.Kind.FREEZE_BALANCE,
        shop="mekong",
        channel="sandbox-vnd",
        request_id="demo-freeze-mekong",
        reason="Order of the court until the hearing.",
        amount="10000000",
    ),
    _waiting,
)
