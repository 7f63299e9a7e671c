"""For each kind of act: an object it can be done to, its evidence, and the whole state it must or must not
change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from channels.models import ExchangeRate
from diamondpay.lib import clock, money
from diamondpay.models import User
from merchants import credentials
from merchants.models import MerchantService
from operations import approvals, terms
from operations.models import Act
from records import ledger
from records.models import ManualFreeze, Payment, Payout, Posting
from tests import factories
from tests.support.desk import Desk, open_desk
from tests.support.scripted_upstream import unknown

Kind = Act.Kind


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An object, the evidence of the act and what its page is typed; `after` is what the act changes."""

    object_id: str
    object_kind: str = "merchant_channel"
    evidence: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    page: str = ""
    after: Mapping[str, Any] = field(default_factory=dict)


def state(desk: Desk) -> dict[str, Any]:
    """Return everything an act could change."""
    orders: list[Payment | Payout] = [*Payment.objects.order_by("id"), *Payout.objects.order_by("id")]
    service = desk.registered.merchant.merchant_services.get(service="SVC0001")
    return {
        "wallets": {
            wallet: tuple(str(amount.normalize()) if amount else "0" for amount in pair)
            for wallet, pair in ledger.balances(
                desk.wallet.__class__.objects.order_by("pk").values_list("pk", flat=True)
            ).items()
        },
        "orders": [(str(order), order.status, order.channel_id) for order in orders],
        "postings": Posting.objects.count(),
        "freezes": ManualFreeze.objects.filter(lifted_by__isnull=True).count(),
        "fee": str(service.fee_permillage.normalize()),
        "in force": MerchantService.objects.filter(status="enabled", terms_since__isnull=False).count(),
        "keys": len(credentials.live(desk.registered.merchant.pk, "gateway", clock.now())),
        "sent": len(desk.upstream.requests),
        "rates": [
            money.plain(rate) for rate in ExchangeRate.objects.order_by("pk").values_list("rate", flat=True)
        ],
    }


def ask(kind: Act.Kind, scene: Scene, user: User, request_id: str = "r1") -> Act:
    """Ask for the act of a scene."""
    return approvals.request(
        kind=kind, object_kind=scene.object_kind, object_id=scene.object_id, evidence=scene.evidence,
        reason="because", request_id=request_id, user=user, now=clock.now(),
    )  # fmt: skip


def _wallet(desk: Desk, amount: str, available: str, frozen: str = "0") -> Scene:
    desk.fund("100")
    return Scene(
        object_id=desk.wallet.pk, evidence={"amount": amount}, typed={"amount": amount},
        after={"wallets": {desk.wallet.pk: (available, frozen)}, "postings": 1},
    )  # fmt: skip


def _adjust(desk: Desk) -> Scene:
    return _wallet(desk, "25.50", "125.5")


def _take(desk: Desk) -> Scene:
    return _wallet(desk, "-40", "6E+1")


def _freeze(desk: Desk) -> Scene:
    scene = _wallet(desk, "30", "7E+1", "3E+1")
    return Scene(**{**scene.__dict__, "after": {**scene.after, "freezes": 1}})


def _unfreeze(desk: Desk) -> Scene:
    desk.fund("100")
    ledger.freeze(
        merchant_channel=desk.wallet, amount=Decimal(30), reason="seized", request_id="f1", now=clock.now()
    )
    return Scene(
        object_id="f1", object_kind="manual_freeze",
        after={"wallets": {desk.wallet.pk: ("1E+2", "0")}, "postings": 1, "freezes": -1},
    )  # fmt: skip


def _transfer(desk: Desk) -> Scene:
    rival = open_desk(desk.upstream, "Rival")
    scene = _wallet(desk, "40", "6E+1")
    return Scene(
        object_id=scene.object_id, evidence={"amount": "40", "destination": rival.wallet.pk},
        typed={"amount": "40", "destination": rival.wallet.pk},
        after={"wallets": {desk.wallet.pk: ("6E+1", "0"), rival.wallet.pk: ("4E+1", "0")}, "postings": 1},
    )  # fmt: skip


def _fail(desk: Desk) -> Scene:
    desk.fund("1000")
    desk.upstream.answers.append(unknown())
    payout = desk.payout()
    return Scene(
        object_id=payout.payout_id, object_kind="payout", evidence={"proof": "letter"},
        typed={"proof": "letter"},
        after={
            "wallets": {desk.wallet.pk: ("1E+3", "0")}, "postings": 1,
            "orders": [(payout.payout_id, 2, "scripted")],
        },
    )  # fmt: skip


def _reinitiate(desk: Desk) -> Scene:
    desk.fund("1000")
    desk.after_failure("hold")
    factories.make_channel("second", upstream="scripted")
    payout = desk.payout()
    desk.failed(payout.attempts.get())
    return Scene(
        object_id=payout.payout_id, object_kind="payout", evidence={"channel": "second"},
        typed={"channel": "second"}, after={"orders": [(payout.payout_id, 0, "second")], "sent": 1},
    )  # fmt: skip


def _review(desk: Desk) -> Scene:
    desk.fund("1000")
    desk.audit("manual")
    payout = desk.payout()
    return Scene(
        object_id=payout.payout_id, object_kind="payout",
        after={"orders": [(payout.payout_id, 0, "scripted")], "sent": 1},
    )  # fmt: skip


def _supplement(desk: Desk) -> Scene:
    payment = desk.deposit()
    evidence = {"amount": "60", "channel_order_no": payment.channel_order_no, "proof": "statement, line 7"}
    return Scene(
        object_id=payment.payment_id, object_kind="payment", evidence=evidence, typed=evidence,
        after={
            "wallets": {desk.wallet.pk: ("59.52", "0")}, "postings": 1,
            "orders": [(payment.payment_id, 1, "scripted")],
        },
    )  # fmt: skip


def _refund(desk: Desk) -> Scene:
    desk.fund("50")
    payment = desk.deposit()
    desk.paid(payment)
    return Scene(
        object_id=payment.payment_id, object_kind="payment", evidence={"fee": "keep"}, typed={"fee": "keep"},
        after={"wallets": {desk.wallet.pk: ("49.2", "0")}, "postings": 1},
    )  # fmt: skip


def _terms(desk: Desk) -> Scene:
    row = MerchantService.objects.get(merchant=desk.registered.merchant, service="SVC0001")
    wanted = {**terms.of(row), "fee_permillage": "5"}
    return Scene(
        object_id=str(row.pk), object_kind="merchantservice", evidence=terms.evidence(row, wanted),
        typed=wanted, page="change_terms_merchantservice", after={"fee": "5"},
    )  # fmt: skip


def _activation(desk: Desk) -> Scene:
    row = MerchantService.objects.create(
        merchant=desk.registered.merchant, service_id="SVC0005", fee_permillage=Decimal(6)
    )
    return Scene(
        object_id=str(row.pk), object_kind="merchantservice", evidence=terms.evidence(row, {}),
        page="activate_terms_merchantservice", after={"in force": 1},
    )  # fmt: skip


def _key(desk: Desk) -> Scene:
    evidence = {"api": "gateway", "old_keys": "86400"}
    return Scene(
        object_id=desk.registered.merchant.pk, object_kind="merchant", evidence=evidence, typed=evidence,
        after={"keys": 1},
    )  # fmt: skip


def _rate(_desk: Desk) -> Scene:
    factories.make_rate("7.47")
    wanted = {"base": "MTC", "quote": "CNY", "rate": "7.5"}
    return Scene(
        object_id="MTC-CNY", object_kind="exchangerate", evidence={**wanted, "valid_from": ""}, typed=wanted,
        after={"rates": ["7.47", "7.5"]},
    )  # fmt: skip


SCENES: Mapping[str, tuple[Act.Kind, Callable[[Desk], Scene]]] = {
    "adjust": (Kind.ADJUST_BALANCE, _adjust),
    "adjust_down": (Kind.ADJUST_BALANCE, _take),
    "supplement_balance": (Kind.SUPPLEMENT_BALANCE, _adjust),
    "freeze": (Kind.FREEZE_BALANCE, _freeze),
    "unfreeze": (Kind.UNFREEZE_BALANCE, _unfreeze),
    "transfer": (Kind.TRANSFER_BALANCE, _transfer),
    "fail": (Kind.FAIL_PAYOUT, _fail),
    "reinitiate": (Kind.REINITIATE_PAYOUT, _reinitiate),
    "review": (Kind.REVIEW_PAYOUT, _review),
    "supplement": (Kind.SUPPLEMENT_PAYMENT, _supplement),
    "refund": (Kind.REFUND_PAYMENT, _refund),
    "terms": (Kind.CHANGE_TERMS, _terms),
    "activation": (Kind.ACTIVATE_TERMS, _activation),
    "key": (Kind.ROTATE_CREDENTIAL, _key),
    "rate": (Kind.ADD_RATE, _rate),
}
NAMES = sorted(SCENES)
# What only administrators ask for and decide.
OF_ADMINISTRATORS = frozenset({"terms", "activation", "key"})
# What they and finance ask for.
OF_FINANCE = frozenset({"rate"})


def askers(name: str) -> set[str]:
    """Return the roles that may ask for the act of a scene."""
    others = {"Finance Staff"} if name in OF_FINANCE else {"Operations Staff", "Finance Staff"}
    return {"Super Administrator"} | (set() if name in OF_ADMINISTRATORS else others)


def made(name: str, desk: Desk) -> tuple[Act.Kind, Scene]:
    """Return the kind of a scene and the scene, set."""
    kind, build = SCENES[name]
    return kind, build(desk)


def expected(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state that follows: counts are added, everything else is replaced."""
    found = dict(before)
    for name, value in after.items():
        if isinstance(value, int):
            found[name] = found[name] + value
        elif isinstance(value, dict):
            found[name] = {**found[name], **value}
        else:
            found[name] = value
    return found
