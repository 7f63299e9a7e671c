"""Rules as data: which one holds, who edits them, what they may not say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from channels import reference
from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from operations import acts, approval_rules, approvals
from operations.models import Act, ApprovalRule
from tests import factories
from tests.admin import forms
from tests.operations.act_scenes import NAMES, ask, made, state
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

ADJUST = Act.Kind.ADJUST_BALANCE


@pytest.fixture
def boss(client: Client) -> User:
    """A Super Administrator by role, signed in."""
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


def rule_of(amount: str, currency: str | None = "CNY") -> str:
    """Return the role that decides an adjustment."""
    role_id, _waits = approval_rules.deciders(kind=ADJUST, currency_id=currency, amount=Decimal(amount))
    return "" if role_id is None else Group.objects.get(pk=role_id).name


def make_rule(**changes: Any) -> ApprovalRule:
    role = Group.objects.get(name=changes.pop("role", "Super Administrator"))
    return ApprovalRule.objects.create(kind=ADJUST, role=role, **changes)


def test_the_narrowest_active_rule_holds() -> None:
    ApprovalRule.objects.filter(kind=ADJUST).update(amount_to=Decimal(1000))
    make_rule(amount_from=Decimal(1000))
    make_rule(currency_id="CNY", amount_from=Decimal(500))
    make_rule(currency_id="CNY", amount_from=Decimal(200), is_active=False, role="Operations Staff")
    found = {amount: rule_of(amount) for amount in ("499.99", "500", "-500", "1000")}
    finance, boss = "Finance Staff", "Super Administrator"
    assert found == {"499.99": finance, "500": boss, "-500": boss, "1000": boss}
    assert (rule_of("999.99", "USDT"), rule_of("1000", "USDT")) == (finance, boss)


def test_what_no_rule_covers_cannot_be_asked_for(desk: Desk, operator: User) -> None:
    kind, scene = made("adjust", desk)
    ApprovalRule.objects.filter(kind=kind).update(is_active=False)
    with pytest.raises(approval_rules.NoRule):
        ask(kind, scene, operator)
    assert (Act.objects.count(), AuditRow.objects.filter(action__startswith="act.").count()) == (0, 0)


def test_an_act_waits_as_long_as_its_rule_says(desk: Desk, operator: User) -> None:
    kind, scene = made("adjust", desk)
    ApprovalRule.objects.filter(kind=kind).update(expiry_hours=3)
    act = ask(kind, scene, operator)
    assert act.expires_at is not None
    assert (act.expires_at - act.requested_at).total_seconds() == 3 * 3600


def test_a_change_of_a_rule_is_audited(client: Client, boss: User) -> None:
    rule = ApprovalRule.objects.get(kind=ADJUST)
    url = reverse("admin:operations_approvalrule_change", args=[rule.pk])
    answer = client.post(url, {**forms.opened(client, url), "expiry_hours": "48"})
    rule.refresh_from_db()
    assert (answer.status_code, rule.expiry_hours) == (302, 48)
    row = AuditRow.objects.get(action="approvalrule.change")
    assert (row.user, row.before, row.after) == (boss, {"expiry_hours": 24}, {"expiry_hours": 48})


WRONG = [
    ({"amount_from": "-1"}, "amount_from", "Give 0 or more."),
    ({"amount_from": "10", "amount_to": "10"}, "amount_to", "Give more than the amount"),
    ({"expiry_hours": "0"}, "expiry_hours", "greater than or equal to 1"),
    ({"amount_from": "1e9"}, "amount_from", "Write a plain decimal number"),
    ({}, "amount_from", "Another active rule holds for some of these amounts."),
    ({"role": "Customer Service"}, "role", "Select a valid choice"),
]


@pytest.mark.parametrize(("typed", "field", "words"), WRONG)
def test_a_rule_that_makes_no_sense_is_refused_beside_its_field(
    client: Client, boss: User, typed: dict[str, str], field: str, words: str
) -> None:
    role = Group.objects.get(name=typed.get("role", "Finance Staff"))
    whole = {"kind": ADJUST, "amount_from": "5", "amount_to": "0", "expiry_hours": "24", "is_active": "on"}
    url, before = reverse("admin:operations_approvalrule_add"), ApprovalRule.objects.count()
    answer = client.post(url, {**whole, **typed, "role": role.pk})
    assert (answer.status_code, ApprovalRule.objects.count()) == (200, before)
    assert words in forms.errors(answer)[field][0]


def test_an_empty_form_of_a_rule_changes_nothing(client: Client, boss: User) -> None:
    rule = ApprovalRule.objects.get(kind=ADJUST)
    url = reverse("admin:operations_approvalrule_change", args=[rule.pk])
    before = ApprovalRule.objects.values().get(pk=rule.pk)
    assert client.post(url, {}).status_code == 200
    assert ApprovalRule.objects.values().get(pk=rule.pk) == before


def test_others_look_at_rules_and_change_none(client: Client, operator: User) -> None:
    client.force_login(operator)
    rule = ApprovalRule.objects.get(kind=ADJUST)
    assert client.get(reverse("admin:operations_approvalrule_changelist")).status_code == 200
    url = reverse("admin:operations_approvalrule_change", args=[rule.pk])
    assert client.post(url, {"expiry_hours": "700"}).status_code == 403
    rule.refresh_from_db()
    assert rule.expiry_hours == 24


def test_a_payout_of_a_large_amount_needs_two_people() -> None:
    found = {
        (currency, amount): approval_rules.find(
            kind=Act.Kind.REVIEW_PAYOUT, currency_id=currency, amount=Decimal(amount)
        )
        is not None
        for currency, amount in (
            ("CNY", "99999.99"),
            ("CNY", "100000"),
            ("USDT", "10000"),
            ("THB", "499999.99"),
            ("THB", "500000"),
        )
    }
    assert found == {
        ("CNY", "99999.99"): False, ("CNY", "100000"): True, ("USDT", "10000"): True,
        ("THB", "499999.99"): False, ("THB", "500000"): True,
    }  # fmt: skip


def test_a_large_payout_is_not_approved_by_one_person_alone(desk: Desk, finance: User) -> None:
    desk.fund("200000")
    desk.audit("manual")
    payout = desk.payout("100000")
    with pytest.raises(errors.FourEyesRequired):
        acts.approve_payout(
            payout_id=payout.payout_id, user=finance, reason="known", address=None, now=clock.now()
        )
    payout.refresh_from_db()
    assert (payout.status, desk.upstream.requests) == (3, [])


def test_every_reference_currency_has_its_rule_of_reviews() -> None:
    rules = ApprovalRule.objects.filter(kind=Act.Kind.REVIEW_PAYOUT, is_active=True)
    assert sorted(rules.values_list("currency", flat=True)) == sorted(
        code for code, *_rest in reference.CURRENCIES
    )
    assert all(rule.amount_from > 0 and rule.role.name == "Finance Staff" for rule in rules)


def test_a_rule_that_people_made_stays_when_ours_are_shipped() -> None:
    rules = ApprovalRule.objects.filter(kind=Act.Kind.REVIEW_PAYOUT)
    count = rules.count()
    rules.filter(currency="THB").update(amount_from=Decimal(7))
    approval_rules.ship(apps=apps, using="default", rules_shipped=approval_rules.SHIPPED_FOR_REVIEWS)
    assert (rules.get(currency="THB").amount_from, rules.count()) == (Decimal(7), count)


def test_in_a_currency_without_a_rule_no_payout_is_one_persons(
    desk: Desk, client: Client, finance: User, approver: User
) -> None:
    ApprovalRule.objects.filter(kind=Act.Kind.REVIEW_PAYOUT, currency="CNY").update(is_active=False)
    desk.fund("1000")
    desk.audit("manual")
    payout = desk.payout("1")
    with pytest.raises(errors.FourEyesRequired, match="No approval rule says from which amount in CNY"):
        acts.approve_payout(
            payout_id=payout.payout_id, user=finance, reason="known", address=None, now=clock.now()
        )
    client.force_login(finance)
    shown = client.get(reverse("admin:act_approve_payout", args=[payout.payout_id])).content.decode()
    assert "No approval rule says from which amount in CNY" in shown
    page = client.get(reverse("admin:records_payout_change", args=[payout.pk])).content.decode()
    assert reverse("admin:act_review_payout", args=[payout.payout_id]) in page
    payout.refresh_from_db()
    assert (payout.status, desk.upstream.requests) == (3, [])
    act = approvals.request(
        kind=Act.Kind.REVIEW_PAYOUT, object_kind="payout", object_id=payout.payout_id, evidence={},
        reason="known", request_id="r1", user=finance, now=clock.now(),
    )  # fmt: skip
    approvals.approve(act_id=act.pk, user=approver, reason="seen", now=clock.now())
    payout.refresh_from_db()
    assert (payout.status, len(desk.upstream.requests)) == (0, 1)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "review"])
def test_an_act_of_a_currency_or_amount_that_no_rule_covers_is_refused_in_words(
    desk: Desk, name: str, approver: User
) -> None:
    kind, scene = made(name, desk)
    # What is left holds for another currency, and in this one from a large amount on.
    role = Group.objects.get(name="Finance Staff")
    ApprovalRule.objects.filter(kind=kind).update(is_active=False)
    for currency, amount in (("THB", 0), ("CNY", 10**9)):
        ApprovalRule.objects.create(kind=kind, role=role, currency_id=currency, amount_from=Decimal(amount))
    before = state(desk)
    with pytest.raises(approval_rules.NoRule, match="No active approval rule says who decides this"):
        ask(kind, scene, approver)
    assert (Act.objects.count(), state(desk)) == (0, before)
