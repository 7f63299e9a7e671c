"""Why an object's state does not allow an act now, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _t

from channels import secrets
from channels.models import Channel
from channels.upstreams import registry
from diamondpay.lib import crypto, errors
from operations import terms
from operations.models import Act
from records import ledger
from records.models import ManualFreeze, Payment, PaymentStatus, Payout, PayoutStatus

Kind = Act.Kind


def of(*, kind: Act.Kind, obj: Any, object_kind: str, object_id: str) -> errors.Words | None:
    """Return what stands in the way of asking for an act: the object's state, or the same act that waits."""
    found = of_state(kind, obj)
    if found is not None or kind in _MANY:
        return found
    same = Act.objects.filter(kind=kind, object_kind=object_kind, object_id=object_id)
    if same.filter(state=Act.State.REQUESTED).exists():
        return asked_already()
    return None


def asked_already() -> str:
    """Return what is said of an object for which the same act waits."""
    return _t("This was asked for already and waits for a decision.")


def of_state(kind: Act.Kind, obj: Any) -> str | None:
    """Return what in an object's state stands in the way of an act, whoever asked for it."""
    check = _CHECKS.get(kind)
    return check(obj) if check is not None else None


def _in_progress(payout: Payout) -> str | None:
    if payout.status != PayoutStatus.IN_PROGRESS:
        return _t("The payout is not in progress: %s.") % payout.get_status_display()
    return None


def _held(payout: Payout) -> str | None:
    if payout.status == PayoutStatus.IN_PROGRESS and payout.is_held:
        return None
    return _t("Only a held payout, whose last attempt has definitely failed, is sent again.")


def _under_review(payout: Payout) -> str | None:
    if payout.status != PayoutStatus.UNDER_REVIEW:
        return _t("The payout is not under review: %s.") % payout.get_status_display()
    return None


def _not_paid(payment: Payment) -> str | None:
    if payment.status == PaymentStatus.SUCCESS:
        return _t("The deposit is Success already; nothing is missing.")
    return None


def _refundable(payment: Payment) -> str | None:
    if payment.status != PaymentStatus.SUCCESS:
        return _t("Only a deposit that is Success can be refunded.")
    if ledger.is_posted(f"payment:{payment.payment_id}:refund"):
        return _t("The deposit was refunded already.")
    return None


def _in_force(freeze: ManualFreeze) -> str | None:
    return _t("This freeze was lifted already.") if freeze.lifted_by_id is not None else None


def _changeable(row: Any) -> str | None:
    return str(terms.NotInForce.words) if terms.row_since(row) is None else None


def _not_in_force(row: Any) -> str | None:
    if terms.row_since(row) is not None:
        return str(terms.InForce.words)
    return _incomplete(row) if isinstance(row, Channel) else None


def _incomplete(channel: Channel) -> str | None:
    """Say what a channel lacks to speak to its upstream: in force, it would take orders and send none."""
    try:
        secrets.adapter_of(channel)
    except ValueError as fault:
        return _t("Its settings are incomplete: %s") % fault
    except (crypto.CannotDecrypt, registry.UnknownUpstream):
        return _t("Its settings cannot be used. Set them anew on its own page.")
    return None


_CHECKS: Mapping[Act.Kind, Callable[[Any], str | None]] = {
    Kind.FAIL_PAYOUT: _in_progress,
    Kind.REINITIATE_PAYOUT: _held,
    Kind.REVIEW_PAYOUT: _under_review,
    Kind.SUPPLEMENT_PAYMENT: _not_paid,
    Kind.REFUND_PAYMENT: _refundable,
    Kind.UNFREEZE_BALANCE: _in_force,
    Kind.CHANGE_TERMS: _changeable,
    Kind.ACTIVATE_TERMS: _not_in_force,
}
# Acts of which several may wait for one object: a wallet is adjusted many times, a rate planned ahead.
_MANY = frozenset(
    {
        Kind.ADJUST_BALANCE, Kind.SUPPLEMENT_BALANCE, Kind.FREEZE_BALANCE, Kind.TRANSFER_BALANCE,
        Kind.ADD_RATE,
    }
)  # fmt: skip
