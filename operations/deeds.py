"""What each kind of act does once it is approved: executed from its frozen evidence and nothing else."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from diamondpay.lib import clock, crypto, errors, money
from diamondpay.models import User
from merchants import credentials
from merchants.models import Merchant, MerchantChannel
from operations import new_rates, objects, terms
from operations.models import Act
from records import ledger, payments, payouts, submission, transfers
from records.models import Actor, ManualFreeze, Payment, Payout, PayoutAttempt

Followed = Callable[[], object]
Size = tuple[Decimal | None, str | None]
Faults = dict[str, errors.Words]
HANDOVER_CONTEXT = "operations.act.handover"
KEEP_OLD_KEYS = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What follows a deed: a call once its transaction stands, and a sealed key for who asked for it."""

    followed: Followed | None = None
    handover: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an act is asked to do, before anything of it is kept."""

    object_kind: str
    object_id: str
    evidence: Mapping[str, str]
    reason: str
    now: datetime


def _no_faults(_wanted: Wanted) -> Faults:
    return {}


def _never_stale(_obj: Any, _evidence: Mapping[str, str], _now: datetime) -> errors.Words | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One kind of act. `size` returns its amount and currency, by which the approval rule is found.

    `evidence` must be given; `faults` says what else is wrong with what is asked, by field. `stale` says why
    an act that waits can no longer be executed from its evidence, None while it can.
    """

    execute: Callable[[Act, User, datetime], Outcome | None]
    load: objects.Load
    size: Callable[[Any, Mapping[str, str]], Size]
    evidence: tuple[str, ...] = ()
    faults: Callable[[Wanted], Faults] = _no_faults
    stale: Callable[[Any, Mapping[str, str], datetime], errors.Words | None] = _never_stale


def _wallet(act: Act) -> MerchantChannel:
    return MerchantChannel.objects.get(pk=act.object_id)


def _amount(act: Act) -> Decimal:
    return money.parse_plain(act.evidence["amount"])


def _adjust_balance(act: Act, user: User, now: datetime) -> None:
    ledger.adjust(
        merchant_channel=_wallet(act),
        amount=_amount(act),
        reason=act.reason,
        request_id=act.request_id,
        now=now,
        operator=user,
        is_supplement=act.kind == Act.Kind.SUPPLEMENT_BALANCE,
    )


def _freeze_balance(act: Act, user: User, now: datetime) -> None:
    ledger.freeze(
        merchant_channel=_wallet(act),
        amount=_amount(act),
        reason=act.reason,
        request_id=act.request_id,
        now=now,
        operator=user,
    )


def _unfreeze_balance(act: Act, user: User, now: datetime) -> None:
    ledger.unfreeze(
        manual_freeze=ManualFreeze.objects.get(request_id=act.object_id),
        reason=act.reason,
        now=now,
        operator=user,
    )


def _transfer_balance(act: Act, user: User, now: datetime) -> None:
    transfers.execute(
        source=_wallet(act),
        destination=MerchantChannel.objects.get(pk=act.evidence["destination"]),
        amount=_amount(act),
        reason=act.reason,
        request_id=act.request_id,
        now=now,
        operator=user,
    )


def _fail_payout(act: Act, user: User, now: datetime) -> None:
    payouts.fail_by_hand(
        payout_pk=Payout.objects.get(payout_id=act.object_id).pk, user=user, reason=act.reason, now=now
    )


def _reinitiate_payout(act: Act, user: User, now: datetime) -> Outcome:
    attempt = payouts.reinitiate(
        payout_pk=Payout.objects.get(payout_id=act.object_id).pk,
        channel_id=act.evidence["channel"],
        user=user,
        reason=act.reason,
        now=now,
    )
    return Outcome(followed=functools.partial(_send, attempt.pk, clock.going_on_from(now)))


def _review_payout(act: Act, user: User, now: datetime) -> Outcome:
    attempt = payouts.approve(
        payout_pk=Payout.objects.get(payout_id=act.object_id).pk, user=user, reason=act.reason, now=now
    )
    return Outcome(followed=functools.partial(_send, attempt.pk, clock.going_on_from(now)))


def _send(attempt_pk: int, read_clock: clock.ReadClock) -> None:
    submission.submit_attempt(
        attempt=PayoutAttempt.objects.select_related("payout", "channel").get(pk=attempt_pk),
        read_clock=read_clock,
    )


def _supplement_payment(act: Act, user: User, now: datetime) -> None:
    """Credit what no callback told. Money put aside for this order leaves suspense first."""
    payment = payments.locked(Payment.objects.get(payment_id=act.object_id).pk)
    for case in payment.cases.select_related("posting").filter(
        posting__reversed_by__isnull=True, posting__kind="suspense"
    ):
        if case.posting is not None:
            ledger.reverse(posting=case.posting, remark=act.reason, now=now, operator=user)
    payments.settle(
        payment=payment,
        actual_amount=_amount(act),
        now=now,
        changed_by=Actor.OPERATOR,
        user=user,
        reason=act.reason,
        channel_order_no=act.evidence["channel_order_no"],
    )
    payment.cases.filter(status="open").update(
        status="closed", closed_at=now, closed_by=user, resolution=act.reason
    )


def _refund_payment(act: Act, user: User, now: datetime) -> None:
    payments.refund(
        payment=payments.locked(Payment.objects.get(payment_id=act.object_id).pk),
        is_fee_returned=act.evidence["fee"] == "return",
        now=now,
        user=user,
        reason=act.reason,
    )


def _change_terms(act: Act, user: User, now: datetime) -> None:
    row = objects.WITH_TERMS[act.object_kind](user, act.object_id, True)
    if row is None:
        raise errors.OrderUnknown
    terms.change(row=row, found=act.evidence, user=user, reason=act.reason, now=now)


def _activate_terms(act: Act, user: User, now: datetime) -> None:
    row = objects.WITH_TERMS[act.object_kind](user, act.object_id, True)
    if row is None:
        raise errors.OrderUnknown
    terms.activate(row=row, found=act.evidence, user=user, reason=act.reason, now=now)


def _rotate_credential(act: Act, user: User, now: datetime) -> Outcome:
    """Make the new key and seal it for the person who asked; who approves never sees it."""
    merchant, api, old = Merchant.objects.get(pk=act.object_id), act.evidence["api"], act.evidence["old_keys"]
    told: dict[str, Any] = {"merchant": merchant, "api": api, "now": now, "user": user, "reason": act.reason}
    scopes = tuple(filter(None, act.evidence.get("scopes", "").split(",")))
    if old == KEEP_OLD_KEYS:
        created = credentials.create(**told, scopes=scopes or credentials.ALL_SCOPES)
    else:
        created = credentials.rotate(**told, overlap_seconds=int(old), scopes=scopes)
    key = {
        "merchant": merchant.pk,
        "public_id": created.credential.public_id,
        "platform_key": created.platform_key,
        "authorization": created.authorization,
    }
    return Outcome(handover=crypto.encrypt(json.dumps(key), HANDOVER_CONTEXT))


def _of_wallet(wallet: MerchantChannel, evidence: Mapping[str, str]) -> Size:
    return Decimal(evidence["amount"]), wallet.currency_id


def _of_order(order: Payment | Payout, _evidence: Mapping[str, str]) -> Size:
    return order.requested_amount, order.currency_id


def _of_supplement(payment: Payment, evidence: Mapping[str, str]) -> Size:
    return Decimal(evidence["amount"]), payment.currency_id


def _of_refund(payment: Payment, _evidence: Mapping[str, str]) -> Size:
    return payment.settled_amount, payment.settlement_currency_id


def _of_freeze(freeze: ManualFreeze, _evidence: Mapping[str, str]) -> Size:
    return freeze.amount, freeze.currency_id


def _none(_obj: object, _evidence: Mapping[str, str]) -> Size:
    return None, None


def _terms_faults(wanted: Wanted) -> Faults:
    return terms.faults(wanted.object_kind, wanted.evidence)


def _activation_faults(wanted: Wanted) -> Faults:
    return terms.activation_faults(wanted.object_kind, wanted.evidence)


def _rate_faults(wanted: Wanted) -> Faults:
    return new_rates.faults_of(
        object_id=wanted.object_id, evidence=wanted.evidence, reason=wanted.reason, now=wanted.now
    )


def _nobody(_user: User, _object_id: str, _is_locked: bool) -> None:
    """Find nothing: what has terms is found by its kind, see `load`."""


DEEDS: Mapping[Act.Kind, Deed] = {
    Act.Kind.ADJUST_BALANCE: Deed(
        execute=_adjust_balance, load=objects.wallet, size=_of_wallet, evidence=("amount",)
    ),
    Act.Kind.SUPPLEMENT_BALANCE: Deed(
        execute=_adjust_balance, load=objects.wallet, size=_of_wallet, evidence=("amount",)
    ),
    Act.Kind.FREEZE_BALANCE: Deed(
        execute=_freeze_balance, load=objects.wallet, size=_of_wallet, evidence=("amount",)
    ),
    Act.Kind.UNFREEZE_BALANCE: Deed(execute=_unfreeze_balance, load=objects.freeze, size=_of_freeze),
    Act.Kind.TRANSFER_BALANCE: Deed(
        execute=_transfer_balance, load=objects.wallet, size=_of_wallet, evidence=("amount", "destination")
    ),
    Act.Kind.FAIL_PAYOUT: Deed(
        execute=_fail_payout, load=objects.payout, size=_of_order, evidence=("proof",)
    ),
    Act.Kind.REINITIATE_PAYOUT: Deed(
        execute=_reinitiate_payout, load=objects.payout, size=_of_order, evidence=("channel",)
    ),
    Act.Kind.REVIEW_PAYOUT: Deed(execute=_review_payout, load=objects.payout, size=_of_order),
    Act.Kind.SUPPLEMENT_PAYMENT: Deed(
        execute=_supplement_payment, load=objects.payment, size=_of_supplement,
        evidence=("amount", "channel_order_no", "proof"),
    ),
    Act.Kind.REFUND_PAYMENT: Deed(
        execute=_refund_payment, load=objects.payment, size=_of_refund, evidence=("fee",)
    ),
    Act.Kind.CHANGE_TERMS: Deed(
        execute=_change_terms, load=_nobody, size=_none, faults=_terms_faults, stale=terms.stale
    ),
    Act.Kind.ACTIVATE_TERMS: Deed(
        execute=_activate_terms, load=_nobody, size=_none, faults=_activation_faults, stale=terms.stale
    ),
    Act.Kind.ROTATE_CREDENTIAL: Deed(
        execute=_rotate_credential, load=objects.merchant, size=_none, evidence=("api", "old_keys")
    ),
    Act.Kind.ADD_RATE: Deed(
        execute=new_rates.make, load=objects.rate_pair, size=_none, evidence=("base", "quote", "rate"),
        faults=_rate_faults, stale=new_rates.stale,
    ),
}  # fmt: skip


def load(*, kind: str, object_kind: str, object_id: str, user: User, is_locked: bool = False) -> Any:
    """Return the object of an act within what the person may see, None where there is none."""
    if kind in (Act.Kind.CHANGE_TERMS, Act.Kind.ACTIVATE_TERMS):
        found = objects.WITH_TERMS.get(object_kind)
    else:
        found = DEEDS[Act.Kind(kind)].load
    return None if found is None else found(user, object_id, is_locked)
