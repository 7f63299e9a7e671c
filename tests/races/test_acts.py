"""F8, P6, P8: several people, or an upstream and a person, want to end the same thing at one moment."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client

from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow
from merchants.models import MerchantService
from operations import approvals, terms
from operations.models import Act, FormToken
from records import callbacks
from records.models import Posting
from tests import factories
from tests.operations import act_forms
from tests.operations.act_scenes import Scene, ask, expected, made, state
from tests.support.desk import Desk, desk, open_desk, upstream
from tests.support.scripted_upstream import HEADERS, callback_body
from tests.support.together import at_once

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db(transaction=True)


def approving(act: Act, name: str) -> Callable[[], object]:
    user = factories.make_approver(name)
    return functools.partial(approvals.approve, act_id=act.pk, user=user, reason="ok", now=clock.now())


def rejecting(act: Act, name: str) -> Callable[[], object]:
    user = factories.make_approver(name)
    return functools.partial(approvals.reject, act_id=act.pk, user=user, reason="no", now=clock.now())


@pytest.mark.parametrize("number", range(4))
def test_approving_meets_rejecting_and_one_of_them_wins_f8(desk: Desk, number: int) -> None:
    kind, scene = made("adjust", desk)
    act = ask(kind, scene, factories.make_operator())
    deeds = [approving(act, "ann"), rejecting(act, "bob")]
    answers = at_once(deeds if number % 2 else deeds[::-1])
    assert Counter(type(item).__name__ for item in answers) == {"Act": 1, "StatusConflict": 1}
    act.refresh_from_db()
    assert desk.balances()[0] == {"executed": Decimal("125.50"), "rejected": Decimal(100)}[act.state]


@pytest.mark.parametrize("number", range(4))
def test_approving_meets_expiry_and_one_of_them_wins(desk: Desk, number: int) -> None:
    kind, scene = made("adjust", desk)
    act = ask(kind, scene, factories.make_operator())
    assert act.expires_at is not None
    ending = functools.partial(approvals.expire, act_id=act.pk, now=act.expires_at)
    deeds: list[Callable[[], object]] = [approving(act, "ann"), ending]
    at_once(deeds if number % 2 else deeds[::-1])
    act.refresh_from_db()
    assert desk.balances()[0] == {"executed": Decimal("125.50"), "expired": Decimal(100)}[act.state]


@pytest.mark.parametrize("number", range(4))
def test_a_supplement_meets_the_late_callback_and_credits_once_l7(desk: Desk, number: int) -> None:
    kind, scene = made("supplement", desk)
    payment_id, number_there = scene.object_id, scene.evidence["channel_order_no"]
    scene = Scene(**{**scene.__dict__, "evidence": {**scene.evidence, "amount": "100"}})
    act = ask(kind, scene, factories.make_operator())
    deeds: list[Callable[[], object]] = [
        approving(act, "ann"),
        functools.partial(
            callbacks.receive, channel_code="scripted", headers=HEADERS, source_address=None, now=clock.now(),
            body=callback_body(payment_id, amount="100", number=number_there),
        ),
    ]  # fmt: skip
    at_once(deeds if number % 2 else deeds[::-1])
    act.refresh_from_db()
    assert act.state in ("executed", "requested")
    assert desk.balances()[0] == Decimal("99.20")
    assert Posting.objects.filter(effect_key=f"payment:{payment_id}:credit").count() == 1


def test_two_refunds_of_one_deposit_at_once_are_one_l7(desk: Desk) -> None:
    kind, scene = made("refund", desk)
    operator = factories.make_operator()
    acts = [ask(kind, scene, operator, request_id) for request_id in ("r1", "r2")]
    answers = at_once([approving(act, f"judge{number}") for number, act in enumerate(acts)])
    assert Counter(type(item).__name__ for item in answers) == {"Act": 1, "EffectExists": 1}
    assert desk.balances()[0] == Decimal("49.20")
    assert sorted(Act.objects.values_list("state", flat=True)) == ["executed", "requested"]


def test_two_changes_of_the_same_terms_at_once_leave_the_second_stale(desk: Desk) -> None:
    row = MerchantService.objects.get(merchant=desk.registered.merchant, service="SVC0001")
    asker = factories.make_approver("asker")
    acts = [
        ask(
            Act.Kind.CHANGE_TERMS,
            Scene(
                object_id=str(row.pk), object_kind="merchantservice",
                evidence=terms.evidence(row, {"fee_permillage": Decimal(fee)}),
            ),
            asker, f"r{fee}",
        )
        for fee in (5, 6)
    ]  # fmt: skip
    answers = at_once([approving(act, f"judge{number}") for number, act in enumerate(acts)])
    assert Counter(type(item).__name__ for item in answers) == {"Act": 1, "Stale": 1}
    executed = Act.objects.get(state="executed")
    assert state(desk)["fee"] == executed.evidence["after.fee_permillage"]


def test_two_who_approve_one_activation_at_once_are_one_p8(desk: Desk) -> None:
    kind, scene = made("activation", desk)
    before = state(desk)
    act = ask(kind, scene, factories.make_approver("asker"))
    answers = at_once([approving(act, f"judge{number}") for number in range(8)])
    assert Counter(type(item).__name__ for item in answers) == {"Act": 1, "StatusConflict": 7}
    assert state(desk) == expected(before, scene.after)
    assert AuditRow.objects.filter(action="merchantservice.activate").count() == 1


def test_a_key_fetched_by_many_tabs_at_once_is_shown_in_one(desk: Desk) -> None:
    kind, scene = made("key", desk)
    asker = factories.make_approver("asker")
    act = ask(kind, scene, asker)
    approving(act, "ann")()
    fetch = functools.partial(approvals.fetch_key, act_id=act.pk, user=asker, now=clock.now())
    answers = at_once([fetch] * 8)
    assert Counter(isinstance(item, errors.StatusConflict) for item in answers) == {True: 7, False: 1}


def test_50_clicks_on_one_approval_execute_once_and_answer_alike_p8(desk: Desk) -> None:
    kind, scene = made("adjust", desk)
    act = ask(kind, scene, factories.make_operator())
    client = Client()
    client.force_login(factories.make_approver())
    url = act_forms.url_of("approve", act.pk)
    sent = {**act_forms.opened(client, url), "step": "do", "reason": "seen"}
    clients = [Client() for _number in range(50)]
    for each in clients:
        each.cookies = client.cookies
    answers = at_once([functools.partial(each.post, url, sent) for each in clients])
    assert Counter((answer.status_code, answer["Location"]) for answer in answers) == {
        (302, f"/admin/operations/act/{act.pk}/change/"): 50
    }
    assert (desk.balances()[0], FormToken.objects.count()) == (Decimal("125.50"), 1)


def test_50_posts_of_one_transfer_ask_once_and_move_nothing_p7_p8(desk: Desk) -> None:
    rival = open_desk(desk.upstream, "Rival")
    desk.fund("100")
    client = Client()
    client.force_login(factories.make_operator())
    url = act_forms.url_of("transfer_balance", desk.wallet.pk)
    answers = act_forms.done_at_once(client, url, count=50, amount="40", destination=rival.wallet.pk)
    act = Act.objects.get()
    assert Counter((answer.status_code, answer["Location"]) for answer in answers) == {
        (302, f"/admin/operations/act/{act.pk}/change/"): 50
    }
    assert (act.state, FormToken.objects.count()) == ("requested", 1)
    assert (desk.balances()[0], rival.balances()[0]) == (Decimal(100), Decimal(0))


def test_two_approvers_of_one_transfer_move_both_legs_once_p7_f8(desk: Desk) -> None:
    kind, scene = made("transfer", desk)
    before = state(desk)
    act = ask(kind, scene, factories.make_operator())
    answers = at_once([approving(act, "ann"), approving(act, "bob")])
    assert Counter(type(item).__name__ for item in answers) == {"Act": 1, "StatusConflict": 1}
    assert state(desk) == expected(before, scene.after)
