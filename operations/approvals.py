"""Four eyes: an act is asked for by one person, decided by another before it expires, and executed once,
exactly as it was approved (P6, P8).

What was asked for, and by which rule who decides until when, is frozen in the row; the database refuses a
decision by the same person, a second decision and a late one (`operations/sql/acts.sql`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from diamondpay import audit
from diamondpay.identity import refusals
from diamondpay.lib import crypto, errors, money, transactions
from diamondpay.models import User
from merchants import access
from operations import approval_rules, deeds, terms
from operations.deeds import DEEDS, Followed, Outcome
from operations.models import Act

HANDOVER_WAITS = timedelta(hours=24)


class ActExpired(errors.DomainError):
    """Nobody decided the act in time."""

    code = "act_expired"
    words = _("The time to decide this act is over. It has to be asked for again.")


def request(
    *,
    kind: Act.Kind,
    object_kind: str,
    object_id: str,
    evidence: Mapping[str, str],
    reason: str,
    request_id: str,
    user: User,
    now: datetime,
    address: str | None = None,
) -> Act:
    """Ask for an act; a repeated request id returns the first one (P8).

    Raises: InvalidInput without a reason or evidence, and when the request id stands for another act;
    NotAllowed; OrderUnknown for an object that is not the person's to see; NoRule.
    """
    wanted = deeds.Wanted(
        object_kind=object_kind, object_id=object_id, evidence=evidence, reason=reason, now=now
    )
    _refuse_faults(kind, wanted)
    if not (user.has_perm("operations.add_act") and user.has_perm(f"operations.ask_{kind}")):
        raise errors.NotAllowed
    obj = deeds.load(kind=kind, object_kind=object_kind, object_id=object_id, user=user)
    if obj is None:
        raise errors.OrderUnknown
    amount, currency_id = DEEDS[kind].size(obj, evidence)
    role_id, waits = approval_rules.deciders(kind=kind, currency_id=currency_id, amount=amount)
    try:
        with transaction.atomic():
            act = Act.objects.create(
                request_id=request_id,
                kind=kind,
                object_kind=object_kind,
                object_id=object_id,
                object_name=str(obj)[:128],
                evidence=dict(evidence),
                reason=reason,
                amount=amount,
                currency_id=currency_id,
                decider_role_id=role_id,
                expires_at=now + waits,
                requested_by=user,
                requested_at=now,
            )
            audit.write(
                action=f"act.request.{kind}",
                object_kind=object_kind,
                object_id=object_id,
                user=user,
                address=address,
                reason=reason,
                now=now,
                after={"request_id": request_id, **terms.told(evidence)},
            )
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) is None:
            raise
        return _first(refusal, request_id, (kind, object_kind, object_id, dict(evidence)))
    return act


def request_each(
    *,
    kind: Act.Kind,
    evidence: Mapping[Model, Mapping[str, str]],
    reason: str,
    request_id: str,
    user: User,
    now: datetime,
    address: str | None = None,
) -> list[Act]:
    """Ask for the same act on many objects that have no amount, each with its own evidence, all or none.

    The caller has locked the objects within what the person may see, and used up the form's token, of which
    each request takes its id. The number of statements does not grow with that of the objects.
    Raises: InvalidInput; NotAllowed; NoRule.
    """
    if not (user.has_perm("operations.add_act") and user.has_perm(f"operations.ask_{kind}")):
        raise errors.NotAllowed
    role_id, waits = approval_rules.deciders(kind=kind, currency_id=None, amount=None)
    asked = []
    for place, (obj, told) in enumerate(evidence.items()):
        wanted = deeds.Wanted(
            object_kind=str(obj._meta.model_name), object_id=str(obj.pk), evidence=told, reason=reason,
            now=now,
        )  # fmt: skip
        _refuse_faults(kind, wanted)
        asked.append(
            Act(
                request_id=f"{request_id}-{place}", kind=kind, object_kind=wanted.object_kind,
                object_id=wanted.object_id, object_name=str(obj)[:128], evidence=dict(told), reason=reason,
                decider_role_id=role_id, expires_at=now + waits, requested_by=user, requested_at=now,
            )
        )  # fmt: skip
    Act.objects.bulk_create(asked)
    for object_kind in {act.object_kind for act in asked}:
        audit.write_each(
            action=f"act.request.{kind}",
            object_kind=object_kind,
            after={
                act.object_id: {"request_id": act.request_id, **terms.told(act.evidence)}
                for act in asked
                if act.object_kind == object_kind
            },
            user=user,
            address=address,
            reason=reason,
            now=now,
        )
    return asked


def _first(refusal: IntegrityError, request_id: str, asked: tuple[object, ...]) -> Act:
    """Return the act that has the request id already, if it is the same one."""
    first = Act.objects.filter(request_id=request_id).first()
    if first is None:
        raise refusal
    if (first.kind, first.object_kind, first.object_id, first.evidence) != asked:
        raise errors.InvalidInput({"request_id": _("It was used for another act.")}) from refusal
    return first


def _refuse_faults(kind: Act.Kind, wanted: deeds.Wanted) -> None:
    """Raises: InvalidInput naming every fault."""
    deed, evidence = DEEDS[kind], wanted.evidence
    missing = {name for name in deed.evidence if not evidence.get(name, "").strip()}
    if not wanted.reason.strip():
        missing.add("reason")
    faults = deed.faults(wanted) | dict.fromkeys(missing, _("This is required."))
    if "amount" in deed.evidence and "amount" not in faults:
        try:
            money.parse_plain(evidence["amount"])
        except money.NotPlain as fault:
            faults["amount"] = fault.reason
    if faults:
        raise errors.InvalidInput(faults)


@refusals.noted(action="act.decide", object_kind="act", object_id="act_id")
def approve(*, act_id: int, user: User, reason: str, now: datetime, address: str | None = None) -> Act:
    """Approve and execute an act in one transaction; what must be sent to an upstream follows the commit.

    Raises: FourEyesRequired for the person who asked; NotAllowed for another role than decides;
    StatusConflict when it was decided before; ActExpired; whatever the deed raises.
    """
    try:
        act, followed = execute(act_id=act_id, user=user, reason=reason, now=now, address=address)
    except ActExpired:
        expire(act_id=act_id, now=now)
        raise
    if followed is not None:
        followed()
    return act


@transactions.atomic_with_retries
def execute(
    *, act_id: int, user: User, reason: str, now: datetime, address: str | None
) -> tuple[Act, Followed | None]:
    """Do the part of `approve` that is one transaction; the caller makes the call that follows its commit."""
    act, user = _undecided(act_id=act_id, user=user, reason=reason, now=now)
    outcome = DEEDS[Act.Kind(act.kind)].execute(act, user, now) or Outcome()
    act = _decided(act, Act.State.EXECUTED, user, reason, now, address, handover=outcome.handover)
    return act, outcome.followed


@refusals.noted(action="act.decide", object_kind="act", object_id="act_id")
def reject(*, act_id: int, user: User, reason: str, now: datetime, address: str | None = None) -> Act:
    """Refuse an act; nothing is done.

    Raises: FourEyesRequired; NotAllowed; StatusConflict; ActExpired.
    """
    try:
        return refuse(act_id=act_id, user=user, reason=reason, now=now, address=address)
    except ActExpired:
        expire(act_id=act_id, now=now)
        raise


@transactions.atomic_with_retries
def refuse(*, act_id: int, user: User, reason: str, now: datetime, address: str | None) -> Act:
    """Do the part of `reject` that is one transaction."""
    act, user = _undecided(act_id=act_id, user=user, reason=reason, now=now)
    return _decided(act, Act.State.REJECTED, user, reason, now, address)


def _undecided(*, act_id: int, user: User, reason: str, now: datetime) -> tuple[Act, User]:
    """Return an act that waits for a decision, locked, and the person as they are now.

    Locks: the act, before any order or account.
    """
    if not reason.strip():
        raise errors.InvalidInput({"reason": _("This is required.")})
    user = User.objects.get(pk=user.pk)
    act = access.visible_to(user, Act.objects.select_for_update()).filter(pk=act_id).first()
    if act is None:
        raise errors.OrderUnknown
    if act.requested_by_id == user.pk:
        raise errors.FourEyesRequired
    if not approval_rules.may_decide(user, act):
        raise errors.NotAllowed
    if act.state != Act.State.REQUESTED:
        raise errors.StatusConflict(
            order=act.request_id, current=Act.State(act.state).label, wanted=Act.State.EXECUTED.label
        )
    if act.expires_at is not None and act.expires_at <= now:
        raise ActExpired
    return act, user


def _decided(
    act: Act, state: Act.State, user: User, reason: str, now: datetime, address: str | None,
    *, handover: bytes | None = None,
) -> Act:  # fmt: skip
    Act.objects.filter(pk=act.pk).update(
        state=state,
        decided_by=user,
        decided_at=now,
        decision_reason=reason[:500],
        handover_encrypted=handover,
    )
    audit.write(
        action=f"act.{state}.{act.kind}",
        object_kind=act.object_kind,
        object_id=act.object_id,
        user=user,
        address=address,
        reason=reason,
        now=now,
        after={"request_id": act.request_id},
    )
    act.refresh_from_db()
    return act


@transactions.atomic_with_retries
def expire(*, act_id: int, now: datetime) -> bool:
    """End an act that nobody decided in time; say whether it was this call that did."""
    waiting = Act.objects.select_for_update().filter(
        pk=act_id, state=Act.State.REQUESTED, expires_at__lte=now
    )
    act = waiting.first()
    if act is None:
        return False
    Act.objects.filter(pk=act.pk).update(state=Act.State.EXPIRED, decided_at=now)
    audit.write(
        action=f"act.expired.{act.kind}",
        object_kind=act.object_kind,
        object_id=act.object_id,
        now=now,
        after={"request_id": act.request_id},
    )
    return True


def expire_due(*, now: datetime, row_count_max: int = 200) -> int:
    """End the acts whose time is over and the keys that nobody fetched; return how many acts ended."""
    due = Act.objects.filter(state=Act.State.REQUESTED, expires_at__lte=now).order_by("expires_at")
    ended = sum(expire(act_id=pk, now=now) for pk in list(due.values_list("pk", flat=True)[:row_count_max]))
    Act.objects.filter(
        kind=Act.Kind.ROTATE_CREDENTIAL,
        handover_encrypted__isnull=False,
        decided_at__lte=now - HANDOVER_WAITS,
    ).update(handover_encrypted=None)
    return ended


@transactions.atomic_with_retries
def fetch_key(*, act_id: int, user: User, now: datetime, address: str | None = None) -> dict[str, str]:
    """Return the new key of an executed act to the person who asked for it, once.

    Who approved it never sees it; what is stored is wiped here, and after a day.
    Raises: OrderUnknown for anybody else's act; NotAllowed; StatusConflict when there is no key (any more).
    """
    user = User.objects.get(pk=user.pk)
    act = (
        access.visible_to(user, Act.objects.select_for_update()).filter(pk=act_id, requested_by=user).first()
    )
    if act is None:
        raise errors.OrderUnknown
    if not user.has_perm(f"operations.ask_{act.kind}"):
        raise errors.NotAllowed
    if act.handover_encrypted is None:
        raise errors.StatusConflict(
            order=act.request_id, current=Act.State(act.state).label, wanted=_("Key handed over")
        )
    key: dict[str, str] = json.loads(crypto.decrypt(act.handover_encrypted, deeds.HANDOVER_CONTEXT))
    Act.objects.filter(pk=act.pk).update(handover_encrypted=None, handed_over_at=now)
    audit.write(
        action="act.handover.rotate_credential",
        object_kind=act.object_kind,
        object_id=act.object_id,
        user=user,
        address=address,
        now=now,
        after={"request_id": act.request_id, "key_id": key["public_id"]},
    )
    return key
