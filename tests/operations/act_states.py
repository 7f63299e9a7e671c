"""Every object that acts are done to, in every state it can be in, made by the real functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.utils import timezone

from channels import secrets
from channels.models import Channel, ChannelService, ExchangeRate
from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from merchants.models import Credential, Merchant, MerchantChannel, MerchantService, ServiceBound
from operations import approvals, terms
from operations.models import Act
from records import ledger, payments, payouts
from records.models import (
    Actor,
    Case,
    ManualFreeze,
    Notification,
    NotificationAttempt,
    Payment,
    Payout,
    PayoutAttempt,
    Posting,
    Proof,
)
from tests import factories
from tests.operations import term_rows
from tests.operations.act_scenes import SCENES, Scene, ask
from tests.records.test_resending import give_up
from tests.support.desk import Desk, open_desk
from tests.support.hostile_files import picture

Typed = Mapping[str, Any]
# The columns of the table: the shipped roles, staff without one, and an administrator of another merchant.
ROLES = ("administrator", "operations", "finance", "service", "merchant", "no_role", "elsewhere")


@dataclass(frozen=True, kw_only=True)
class Target:
    """An object in a state: what stands for it in the address, the row, what the page of its act is typed."""

    key: str
    row: Any = None
    typed: Typed = field(default_factory=dict)


def people(desk: Desk) -> dict[str, User]:
    """Return somebody for each column of the table."""
    rival = factories.make_merchant("Elsewhere", channels=["scripted"]).merchant
    return {
        "administrator": factories.make_approver(),
        "operations": factories.make_operator(),
        "finance": factories.make_finance(),
        "service": factories.make_customer_service(),
        "merchant": factories.make_merchant_user(desk.registered.merchant),
        "no_role": factories.make_user("nobody"),
        "elsewhere": factories.make_user("spy", is_superuser=True, merchants=[rival]),
    }


def _waits(kind: str, row: Payment | Payout, evidence: Mapping[str, str]) -> None:
    """Let somebody have asked for an act already."""
    approvals.request(
        kind=Act.Kind(kind), object_kind=str(row._meta.model_name), object_id=str(row), evidence=evidence,
        reason="asked before", request_id=f"before-{row}", now=clock.now(),
        user=factories.make_user(f"asker-{row}", is_superuser=True),
    )  # fmt: skip


def deposits(desk: Desk) -> dict[str, Payment]:
    """Return a deposit in every state."""
    desk.fund("1000")
    names = ("open", "open, supplement asked", "paid", "paid, refund asked", "refunded", "failed", "closed")
    found = {name: desk.deposit() for name in names}
    for name in ("paid", "paid, refund asked", "refunded"):
        desk.paid(found[name])
    desk.failed(found["failed"])
    now = clock.now()
    payments.close(payment_pk=found["closed"].pk, now=now, changed_by=Actor.EXPIRY, reason="over")
    payments.refund(
        payment=payments.locked(found["refunded"].pk), is_fee_returned=True, now=now, reason="so",
        user=factories.make_user("refunder", is_superuser=True),
    )  # fmt: skip
    _waits("supplement_payment", found["open, supplement asked"], supplement(found["open"]))
    _waits("refund_payment", found["paid, refund asked"], {"fee": "keep"})
    return found


def payouts_of(desk: Desk) -> dict[str, Payout]:
    """Return a payout in every state."""
    desk.fund("600000")
    factories.make_channel("second", upstream="scripted")
    found: dict[str, Payout] = {}
    for name, rule in (
        ("sent", "fail"), ("sent, failing asked", "fail"), ("held", "hold"), ("held, sending asked", "hold"),
        ("paid out", "fail"), ("failed", "fail"),
    ):  # fmt: skip
        desk.after_failure(rule)
        found[name] = payout = desk.payout()
        if name == "paid out":
            desk.paid(payout.attempts.get())
        elif not name.startswith("sent"):
            desk.failed(payout.attempts.get())
    desk.audit("manual")
    found |= {name: desk.payout() for name in ("in review", "rejected")}
    found |= {name: desk.payout("100000") for name in ("large in review", "large in review, asked")}
    boss = factories.make_user("boss", is_superuser=True)
    payouts.reject(payout_pk=found["rejected"].pk, user=boss, reason="no", now=clock.now())
    _waits("fail_payout", found["sent, failing asked"], {"proof": "letter"})
    _waits("reinitiate_payout", found["held, sending asked"], {"channel": "second"})
    _waits("review_payout", found["large in review, asked"], {})
    return found


def supplement(payment: Payment) -> dict[str, str]:
    """Return what the page that supplements a deposit is typed."""
    number = payment.channel_order_no or f"UP-{payment}"
    return {"amount": "60", "channel_order_no": number, "proof": "statement, line 7"}


def _window() -> dict[str, str]:
    now = clock.now().astimezone(timezone.get_fixed_timezone(480))
    since, until = now - timedelta(hours=12), now + timedelta(minutes=1)
    return {"since": f"{since:%Y-%m-%dT%H:%M}", "until": f"{until:%Y-%m-%dT%H:%M}"}


def proof() -> dict[str, Any]:
    """Return a file for a form, fresh, since one is read once."""
    return {"file": SimpleUploadedFile("slip.png", picture())}


def _orders(
    build: Callable[[Desk], Mapping[str, Any]], typed: Callable[[Any], Typed]
) -> Callable[[Desk], dict[str, Target]]:
    def targets(desk: Desk) -> dict[str, Target]:
        rows = build(desk)
        for row in rows.values():
            row.refresh_from_db()
        return {name: Target(key=str(row), row=row, typed=typed(row)) for name, row in rows.items()}

    return targets


def _untyped(_row: Any) -> Typed:
    return {}


# What the scenes' objects are.
OF_SCENES: Mapping[str, type[models.Model]] = {
    "merchant_channel": MerchantChannel, "merchant": Merchant, "merchantservice": MerchantService,
    "exchangerate": ExchangeRate,
}  # fmt: skip


def _scene(name: str) -> Callable[[Desk], dict[str, Target]]:
    """Return the object of a scene as it is."""

    def targets(desk: Desk) -> dict[str, Target]:
        scene = SCENES[name][1](desk)
        model = OF_SCENES[scene.object_kind]
        rows = (
            model._default_manager.filter(pk=scene.object_id)
            if scene.object_kind != "exchangerate"
            else model._default_manager.all()
        )
        found = Target(key=scene.object_id, row=rows.get(), typed=scene.typed)
        return {"there": found}

    return targets


def _freezes(desk: Desk) -> dict[str, Target]:
    desk.fund("100")
    user = factories.make_user("lifter", is_superuser=True)
    for name in ("in force", "lifted", "in force, lifting asked"):
        ledger.freeze(
            merchant_channel=desk.wallet,
            amount=Decimal(10),
            reason="seized",
            request_id=name,
            now=clock.now(),
        )
    lifted = ManualFreeze.objects.get(request_id="lifted")
    ledger.unfreeze(manual_freeze=lifted, reason="over", now=clock.now(), operator=user)
    approvals.request(
        kind=Act.Kind.UNFREEZE_BALANCE, object_kind="manual_freeze", object_id="in force, lifting asked",
        evidence={}, reason="r", request_id="before", user=user, now=clock.now(),
    )  # fmt: skip
    return {
        row.request_id: Target(key=row.request_id, row=row) for row in ManualFreeze.objects.order_by("pk")
    }


def _scene_and_asked(name: str) -> Callable[[Desk], dict[str, Target]]:
    """Return the object of a scene as it is, and one of another merchant of which the act was asked for."""

    def targets(desk: Desk) -> dict[str, Target]:
        there = _scene(name)(desk)
        (asked,) = _scene(name)(other := open_desk(desk.upstream, "Asked")).values()
        kind, _build = SCENES[name]
        scene = Scene(
            object_id=asked.key, evidence=dict(asked.typed),
            object_kind="merchant" if asked.key == other.registered.merchant.pk else "merchant_channel",
        )  # fmt: skip
        ask(kind, scene, factories.make_user("asker", is_superuser=True), request_id="before")
        return {**there, "there, asked": asked}

    return targets


def _terms_of(model: type[models.Model], field_name: str, value: str) -> Callable[[Desk], dict[str, Target]]:
    def targets(desk: Desk) -> dict[str, Target]:
        factories.bound_service(desk.wallet, "SVC0001", 1, 900)
        row: Any = model._default_manager.order_by("pk").last()
        wanted = {**terms.of(row), field_name: value}
        fresh = [term_rows.not_in_force(desk, model, number) for number in range(2)]
        _ask_terms("change_terms", row, {field_name: Decimal(value)})
        asked, row = row, term_rows.in_force(desk, model)
        return {
            "in force": Target(key=str(row.pk), row=row, typed={**terms.of(row), field_name: value}),
            "in force, asked": Target(key=str(asked.pk), row=asked, typed=wanted),
            "not in force": Target(key=str(fresh[0].pk), row=fresh[0], typed=wanted),
        }

    return targets


def _settings(_desk: Desk) -> dict[str, Target]:
    rows = {
        "in force": factories.make_channel("free", services=()),
        "in force, asked": factories.make_channel("asked", services=()),
        "not in force": factories.make_channel("fresh", services=()),
    }
    factories.set_terms(Channel.objects.filter(pk="fresh"), status="disabled", terms_since=None)
    rows["not in force"].refresh_from_db()
    other = secrets.seal_settings({"base_url": "http://127.0.0.1:8300"})
    _ask_terms("change_terms", rows["in force, asked"], {terms.SEALED: other})
    typed = {"setting_base_url": "http://127.0.0.1:8200", "setting_account": "sandbox"}
    return {name: Target(key=row.pk, row=row, typed=typed) for name, row in rows.items()}


def _activations_of(model: type[models.Model]) -> Callable[[Desk], dict[str, Target]]:
    def targets(desk: Desk) -> dict[str, Target]:
        factories.bound_service(desk.wallet, "SVC0001", 1, 900)
        rows = {
            "not in force": term_rows.not_in_force(desk, model, 0),
            "not in force, asked": term_rows.not_in_force(desk, model, 1),
            "in force": model._default_manager.filter(terms_since__isnull=False)[0],
        }
        _ask_terms("activate_terms", rows["not in force, asked"], {})
        return {name: Target(key=str(row.pk), row=row) for name, row in rows.items()}

    return targets


def _ask_terms(kind: str, row: Any, wanted: Mapping[str, Any]) -> None:
    """Let somebody have asked for other terms of a row, or for its activation."""
    approvals.request(
        kind=Act.Kind(kind), object_kind=terms.kind_of(row), object_id=str(row.pk), reason="asked before",
        evidence=terms.evidence(row, wanted), request_id=f"before-{row.pk}", now=clock.now(),
        user=factories.make_user(f"asker-{row.pk}", is_superuser=True),
    )  # fmt: skip


def _notifications(desk: Desk) -> dict[str, Target]:
    found = {}
    for name in ("retrying", "delivered", "failed", "being sent"):
        payment = desk.deposit()
        desk.paid(payment)
        row = Notification.objects.get(payment=payment)
        if name == "failed":
            give_up(row)
        elif name == "delivered":
            now = clock.now()
            Notification.objects.filter(pk=row.pk).update(
                state="success", due_at=None, finished_at=now, attempt_count=1
            )
            NotificationAttempt.objects.create(
                notification=row, number=1, started_at=now, finished_at=now, is_success=True, url=row.url
            )
        elif name == "being sent":
            until = clock.now() + timedelta(minutes=1)
            Notification.objects.filter(pk=row.pk).update(leased_until=until)
        row.refresh_from_db()
        found[name] = Target(key=str(row.pk), row=row)
    return found


def _merchant_with_failed(desk: Desk) -> dict[str, Target]:
    _notifications(desk)
    merchant = desk.registered.merchant
    return {"there": Target(key=merchant.pk, row=merchant, typed=_window())}


def _cases(desk: Desk) -> dict[str, Target]:
    for _number in range(2):
        payment = desk.deposit()
        desk.paid(payment, amount="7")
    still_open, closed = Case.objects.order_by("pk")
    Case.objects.filter(pk=closed.pk).update(
        status="closed", closed_at=clock.now(), resolution="seen",
        closed_by=factories.make_user("closer", is_superuser=True),
    )  # fmt: skip
    closed.refresh_from_db()
    return {
        "open": Target(key=str(still_open.pk), row=still_open),
        "closed": Target(key=str(closed.pk), row=closed),
    }


def _acts(desk: Desk) -> dict[str, Target]:
    """Return an act that waits, for finance and for administrators, and acts that wait no more."""
    asker = factories.make_user("asker", is_superuser=True)
    found = {}
    for name in ("waits for finance", "executed", "rejected"):
        found[name] = ask(SCENES["adjust"][0], SCENES["adjust"][1](desk), asker, request_id=name)
    found["waits for administrators"] = ask(
        SCENES["terms"][0], SCENES["terms"][1](desk), asker, request_id="terms"
    )
    second = factories.make_user("second", is_superuser=True)
    for name, decide in (("executed", approvals.approve), ("rejected", approvals.reject)):
        decide(act_id=found[name].pk, user=second, reason="seen", now=clock.now())
    for act in found.values():
        act.refresh_from_db()
    return {name: Target(key=str(act.pk), row=act) for name, act in found.items()}


# What each act is done to. Deposits' and payouts' acts meet every state of an order.
TARGETS: Mapping[str, Callable[[Desk], dict[str, Target]]] = {
    **{
        name: _orders(deposits, typed)
        for name, typed in {
            "open_payment_page": _untyped, "show_payment_qr": _untyped, "requery_payment": _untyped,
            "close_payment": _untyped, "upload_payment_proof": _untyped,
            "supplement_payment": supplement, "refund_payment": lambda _row: {"fee": "keep"},
        }.items()
    },
    **{
        name: _orders(payouts_of, typed)
        for name, typed in {
            "approve_payout": _untyped, "reject_payout": _untyped, "upload_proof": _untyped,
            "fail_payout": lambda _row: {"proof": "letter"},
            "reinitiate_payout": lambda _row: {"channel": "second"}, "review_payout": _untyped,
        }.items()
    },
    "adjust_balance": _scene_and_asked("adjust"),
    "supplement_balance": _scene_and_asked("supplement_balance"),
    "freeze_balance": _scene_and_asked("freeze"),
    "transfer_balance": _scene_and_asked("transfer"),
    "unfreeze_balance": _freezes,
    "rotate_credential": _scene_and_asked("key"),
    "add_rate": _scene("rate"),
    "activate_terms_merchantservice": _activations_of(MerchantService),
    "activate_terms_servicebound": _activations_of(ServiceBound),
    "activate_terms_channel": _activations_of(Channel),
    "activate_terms_channelservice": _activations_of(ChannelService),
    "change_terms_merchantservice": _terms_of(MerchantService, "fee_permillage", "5"),
    "change_terms_servicebound": _terms_of(ServiceBound, "upper_bound", "800"),
    "change_terms_channel": _terms_of(Channel, "payment_upper_bound", "800"),
    "change_terms_channelservice": _terms_of(ChannelService, "upper_bound", "800"),
    "change_settings_channel": _settings,
    "resend_notification": _notifications,
    "resend_failed_notifications": _merchant_with_failed,
    "close_case": _cases,
    "approve": _acts,
    "reject": _acts,
}  # fmt: skip


def snapshot() -> dict[str, Any]:
    """Return all that an act could change, by name; the trail without the notes of what was refused."""
    wallets = MerchantChannel.objects.order_by("pk").values_list("pk", flat=True)
    rows: Mapping[str, type[models.Model]] = {
        "deposits": Payment, "payouts": Payout, "attempts": PayoutAttempt, "notifications": Notification,
        "proofs": Proof, "cases": Case, "acts": Act, "freezes": ManualFreeze, "postings": Posting,
        "keys": Credential, "rates": ExchangeRate, "services": MerchantService, "bounds": ServiceBound,
        "channels": Channel, "channel services": ChannelService, "merchants": Merchant,
    }  # fmt: skip
    found: dict[str, Any] = {
        name: list(model._default_manager.order_by("pk").values()) for name, model in rows.items()
    }
    found["balances"] = ledger.balances(wallets)
    found["trail"] = AuditRow.objects.filter(is_refused=False).exclude(action__endswith=".refused").count()
    return found
