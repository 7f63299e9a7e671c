"""P6, P8: the same rows asked for, and the same acts decided, by several people at one moment."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

import pytest
from django.test import Client

from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from merchants.models import MerchantService
from operations import activations, form_tokens
from operations.models import Act
from tests import factories
from tests.operations import term_rows
from tests.support.desk import Desk, desk, upstream
from tests.support.together import at_once

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db(transaction=True)

KIND = "merchantservice"


def ask(user: User, ids: list[str], token: str) -> int:
    found = activations.look(user=user, kind=KIND, ids=ids)
    return activations.ask(
        user=user, kind=KIND, ids=ids, seen=found.digest, reason="contract", token=token, now=clock.now(),
        address=None,
    )  # fmt: skip


def test_of_four_people_who_ask_for_the_same_rows_at_once_one_asks_p8(desk: Desk) -> None:
    ids = [str(term_rows.not_in_force(desk, MerchantService, number).pk) for number in (0, 1)]
    people = [factories.make_approver(f"asker{number}") for number in range(4)]
    seen = activations.look(user=people[0], kind=KIND, ids=ids).digest
    asked = at_once([
        functools.partial(
            activations.ask, user=user, kind=KIND, ids=ids, seen=seen, reason="contract",
            token=form_tokens.fresh(), now=clock.now(), address=None,
        )
        for user in people
    ])  # fmt: skip
    assert Counter(str(answer) if isinstance(answer, int) else type(answer).__name__ for answer in asked) == {
        "2": 1, "Changed": 3,
    }  # fmt: skip
    assert sorted(Act.objects.values_list("object_id", flat=True)) == sorted(ids)


def test_the_same_form_pressed_four_times_at_once_asks_once_p8(desk: Desk) -> None:
    ids = [str(term_rows.not_in_force(desk, MerchantService, number).pk) for number in (0, 1)]
    user, token = factories.make_approver("asker"), form_tokens.fresh()
    seen = activations.look(user=user, kind=KIND, ids=ids).digest
    asked = at_once([
        functools.partial(
            activations.ask, user=user, kind=KIND, ids=ids, seen=seen, reason="contract", token=token,
            now=clock.now(), address=None,
        )
    ] * 4)  # fmt: skip
    assert (asked, Act.objects.count()) == ([2, 2, 2, 2], 2)


def test_of_two_people_who_decide_the_same_acts_together_at_once_each_act_is_decided_once_p6(
    desk: Desk,
) -> None:
    ids = [str(term_rows.not_in_force(desk, MerchantService, number).pk) for number in (0, 1)]
    ask(factories.make_approver("asker"), ids, form_tokens.fresh())
    acts = list(Act.objects.order_by("id"))

    def decide(client: Client, sent: dict[str, Any]) -> Any:
        return client.post("/admin/acts-decide/", sent)

    deeds = []
    for name in ("one", "two"):
        client = Client()
        client.force_login(factories.make_approver(name))
        page = client.get("/admin/acts-decide/", {"row": [act.pk for act in acts]})
        sent = {
            "form_token": page.context["form_token"], "decision": "approve", "reason": name,
            "row": [act.pk for act in acts],
            **{line.seen_name: line.seen for line in page.context["lines"]},
        }  # fmt: skip
        deeds.append(functools.partial(decide, client, sent))
    assert [answer.status_code for answer in at_once(deeds)] == [302, 302]
    assert [act.state for act in Act.objects.order_by("id")] == ["executed", "executed"]
    assert AuditRow.objects.filter(action="act.executed.activate_terms").count() == 2
    assert (
        MerchantService.objects.filter(pk__in=ids, status="enabled", terms_since__isnull=False).count() == 2
    )
