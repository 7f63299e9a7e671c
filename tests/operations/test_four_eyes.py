"""Each act × each role × each state: who may ask, who may decide, what changed and what did not (P6, P8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from operations import approvals
from operations.models import Act, ApprovalRule
from tests import factories
from tests.operations import act_scenes
from tests.operations.act_scenes import NAMES, OF_ADMINISTRATORS, ask, made, state
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

ROLES = ("Super Administrator", "Operations Staff", "Finance Staff", "Customer Service", "Merchant user", "")


def person(role: str, desk: Desk, name: str = "person") -> User:
    merchants = [desk.registered.merchant] if role == "Merchant user" else []
    return factories.make_user(name, role=role, merchants=merchants)


def decide(act: Act, user: User, verb: str = "approve", **changes: Any) -> Act:
    return getattr(approvals, verb)(  # type: ignore[no-any-return]
        **{"act_id": act.pk, "user": user, "reason": "seen", "now": clock.now(), **changes}
    )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", NAMES)
def test_who_may_ask(desk: Desk, name: str, role: str) -> None:
    kind, scene = made(name, desk)
    before, user = state(desk), person(role, desk)
    may = act_scenes.askers(name)
    if role in may:
        ask(kind, scene, user)
    else:
        with pytest.raises(errors.NotAllowed):
            ask(kind, scene, user)
    assert (Act.objects.count(), state(desk)) == (int(role in may), before)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", NAMES)
def test_who_may_approve_and_what_it_does(desk: Desk, name: str, role: str) -> None:
    kind, scene = made(name, desk)
    before, user = state(desk), person(role, desk)
    act = ask(kind, scene, factories.make_approver("asker"))
    may = {"Super Administrator"} if name in OF_ADMINISTRATORS else {"Super Administrator", "Finance Staff"}
    if role in may:
        decide(act, user)
        assert state(desk) == act_scenes.expected(before, scene.after)
    else:
        with pytest.raises((errors.NotAllowed, errors.OrderUnknown)):
            decide(act, user)
        assert state(desk) == before
    act.refresh_from_db()
    assert (act.state, act.decided_by) == (("executed", user) if role in may else ("requested", None))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ["adjust", "key"])
def test_who_may_reject_and_that_nothing_is_done(desk: Desk, name: str, role: str) -> None:
    kind, scene = made(name, desk)
    before, user = state(desk), person(role, desk)
    act = ask(kind, scene, factories.make_approver("asker"))
    may = {"Super Administrator"} if name in OF_ADMINISTRATORS else {"Super Administrator", "Finance Staff"}
    if role in may:
        decide(act, user, "reject")
    else:
        with pytest.raises((errors.NotAllowed, errors.OrderUnknown)):
            decide(act, user, "reject")
    act.refresh_from_db()
    assert (act.state, state(desk)) == ("rejected" if role in may else "requested", before)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_decides_their_own_not_even_a_superuser_p6(desk: Desk, name: str) -> None:
    kind, scene = made(name, desk)
    root = factories.make_user("root", role="Super Administrator", is_superuser=True)
    act, before = ask(kind, scene, root), state(desk)
    for verb in ("approve", "reject"):
        with pytest.raises(errors.FourEyesRequired):
            decide(act, root, verb)
    with pytest.raises(IntegrityError, match="act_four_eyes"), transaction.atomic():
        Act.objects.filter(pk=act.pk).update(state="executed", decided_by=root, decided_at=clock.now())
    act.refresh_from_db()
    assert (act.state, state(desk)) == ("requested", before)


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("name", NAMES)
def test_a_decided_act_is_decided_for_good_p8(
    desk: Desk, name: str, first: str, finance: User, approver: User
) -> None:
    kind, scene = made(name, desk)
    act = ask(kind, scene, factories.make_approver("asker"))
    decide(act, approver, first)
    after = state(desk)
    for verb in ("approve", "reject"):
        with pytest.raises(errors.StatusConflict):
            decide(act, factories.make_approver(f"late-{verb}"), verb)
    assert state(desk) == after
    assert AuditRow.objects.filter(action__regex=r"^act\.(executed|rejected)\.").count() == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_act_whose_time_is_over_is_expired_and_does_nothing(desk: Desk, name: str, approver: User) -> None:
    kind, scene = made(name, desk)
    act, before = ask(kind, scene, factories.make_approver("asker")), state(desk)
    assert act.expires_at is not None
    for verb in ("approve", "reject"):
        with pytest.raises((approvals.ActExpired, errors.StatusConflict)):
            decide(act, approver, verb, now=act.expires_at)
    act.refresh_from_db()
    assert (act.state, act.decided_by, state(desk)) == ("expired", None, before)
    row = AuditRow.objects.get(action=f"act.expired.{kind}")
    assert (row.actor, row.user, row.object_id) == ("system", None, scene.object_id)


def test_the_sweeper_expires_exactly_those_whose_time_is_over(desk: Desk, operator: User) -> None:
    kind, scene = made("adjust", desk)
    first, second = ask(kind, scene, operator, "r1"), ask(kind, scene, operator, "r2")
    assert first.expires_at is not None
    assert second.expires_at is not None
    assert approvals.expire_due(now=first.expires_at - timedelta(seconds=1)) == 0
    assert approvals.expire_due(now=first.expires_at) == 1
    assert approvals.expire_due(now=first.expires_at) == 0
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.decided_at, second.state) == ("expired", first.expires_at, "requested")


_CHANGE = "UPDATE operations_act SET {} WHERE id = %({})s"
_DECIDED = "state = 'executed', decided_by_id = {}, decided_at = {}"
_COPIED = "kind, object_kind, object_id, evidence, reason, requested_by_id, requested_at, decision_reason"
FORBIDDEN = [
    *(
        _CHANGE.format(what, "act")
        for what in (
            "requested_by_id = %(other)s", "evidence = '{\"amount\": \"9999\"}'", "kind = 'freeze_balance'",
            "amount = 1", "decider_role_id = NULL", "expires_at = expires_at + interval '9 days'",
            _DECIDED.format("requested_by_id", "now()"), _DECIDED.format("NULL", "now()"),
            _DECIDED.format("%(other)s", "now() + interval '9 days'"),
            "state = 'expired', decided_at = now()",
        )
    ),
    *(
        _CHANGE.format(what, "done")
        for what in (
            "state = 'requested', decided_by_id = NULL, decided_at = NULL", "state = 'rejected'",
            "decision_reason = 'else'", "handover_encrypted = 'x'", "state = state",
        )
    ),
    "DELETE FROM operations_act WHERE id = %(act)s",
    "DELETE FROM operations_formtoken",
    "DELETE FROM operations_approvalrule",
    "TRUNCATE operations_act",
    (
        f"INSERT INTO operations_act (request_id, state, decided_by_id, decided_at, {_COPIED}) "
        f"SELECT 'forged', 'executed', %(other)s, now(), {_COPIED} FROM operations_act WHERE id = %(act)s"
    ),
]  # fmt: skip


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_plain_sql_of_the_application_cannot_forge_a_decision_p6(
    desk: Desk, operator: User, approver: User, statement: str
) -> None:
    kind, scene = made("adjust", desk)
    act, done = ask(kind, scene, operator, "r1"), ask(kind, scene, operator, "r2")
    decide(done, approver)
    before = list(Act.objects.order_by("pk").values())
    told = {"act": act.pk, "done": done.pk, "other": approver.pk}
    with pytest.raises(Exception, match=r"permission denied|act_|decided|frozen|begins|time of"):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, told)
    assert list(Act.objects.order_by("pk").values()) == before


def test_a_rule_that_changes_meanwhile_changes_no_act_that_waits(
    desk: Desk, operator: User, finance: User, approver: User
) -> None:
    kind, scene = made("adjust", desk)
    act, before = ask(kind, scene, operator), state(desk)
    rule = ApprovalRule.objects.get(kind=kind)
    rule.role = operator.groups.get()
    rule.save()
    with pytest.raises(errors.FourEyesRequired):
        decide(act, operator)
    other = factories.make_operator("other")
    with pytest.raises(errors.NotAllowed):
        decide(act, other)
    assert state(desk) == before
    decide(act, finance)
    act.refresh_from_db()
    assert (act.state, act.decider_role.name if act.decider_role else "") == ("executed", "Finance Staff")
