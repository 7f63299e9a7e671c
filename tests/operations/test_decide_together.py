"""Many acts are decided on one page, each by the deed of its own page, with four eyes for each (P6, P8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels.models import Channel, ExchangeRate
from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from merchants.models import MerchantService
from operations import approvals, terms
from operations.models import Act
from tests import factories
from tests.operations import act_scenes, term_rows
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

URL = "/admin/acts-decide/"


def ask(row: Any, user: User, **more: Any) -> Act:
    """Ask for the first activation of a row."""
    asked = {
        "kind": Act.Kind.ACTIVATE_TERMS, "object_kind": terms.kind_of(row), "object_id": str(row.pk),
        "evidence": terms.evidence(row, {}), "reason": "contract", "request_id": f"r-{row.pk}", "user": user,
        "now": clock.now(),
    }  # fmt: skip
    return approvals.request(**{**asked, **more})


@pytest.fixture
def services(desk: Desk) -> list[MerchantService]:
    """Two services that are not in force."""
    return [term_rows.not_in_force(desk, MerchantService, number) for number in (0, 1)]


@pytest.fixture
def three(client: Client, desk: Desk, services: list[MerchantService]) -> list[Act]:
    """Two activations that another person asked for and one of the administrator who is signed in."""
    asker, own = factories.make_approver("asker"), factories.make_approver("own")
    client.force_login(own)
    channel = term_rows.not_in_force(desk, Channel)
    return [*(ask(row, asker) for row in services), ask(channel, own)]


def opened(client: Client, acts: list[Act]) -> Any:
    return client.get(URL, {"row": [act.pk for act in acts]})


def sent_of(page: Any, decision: str, **typed: Any) -> dict[str, Any]:
    """Return what the form of the page sends."""
    lines = page.context["lines"]
    return {
        "form_token": page.context["form_token"], "decision": decision, "reason": "as agreed",
        "row": [line.act.pk for line in lines if not line.why_not_approved],
        "reject_row": [line.act.pk for line in lines if line.why_not_approved],
        **{line.seen_name: line.seen for line in lines}, **typed,
    }  # fmt: skip


def states(acts: list[Act]) -> list[str]:
    return [Act.objects.get(pk=act.pk).state for act in acts]


def in_force() -> int:
    return MerchantService.objects.filter(
        service__in=("SVC0005", "SVC0006"), terms_since__isnull=False
    ).count()


def left_out(page: Any) -> list[tuple[int, str]]:
    return [(line.act.pk, line.why_not) for line in page.context["left_out"]]


def told(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_many_are_approved_together_and_the_own_one_is_not_p6(client: Client, three: list[Act]) -> None:
    page = opened(client, three)
    assert [line.act for line in page.context["lines"]] == three[:2]
    assert left_out(page) == [
        (three[2].pk, "This is your own request. Another person decides it; that holds for everybody.")
    ]
    rows = [(str(row.label), str(row.after)) for row in page.context["lines"][0].rows]
    assert rows[:3] == [("in force since", "its approval"), ("fee type", "Permillage"), ("fee ‰", "6 ‰")]
    answer = client.post(URL, sent_of(page, "approve"), follow=True)
    assert told(answer) == ["Approved and executed: 2."]
    assert answer.redirect_chain == [("/admin/acts-waiting/", 302)]
    assert (states(three), in_force()) == (["executed", "executed", "requested"], 2)
    decided = Act.objects.get(pk=three[0].pk)
    assert (decided.decided_by.get_username(), decided.decision_reason) == ("own", "as agreed")  # type: ignore[union-attr]
    assert AuditRow.objects.filter(action="act.executed.activate_terms").count() == 2


def test_the_own_request_sent_among_others_is_refused_by_itself_p6(client: Client, three: list[Act]) -> None:
    page = opened(client, three)
    own = three[2]
    sent = sent_of(page, "approve", row=[act.pk for act in three])
    sent[f"seen_{own.pk}"] = page.context["lines"][0].seen
    answer = client.post(URL, sent, follow=True)
    assert told(answer)[0] == "Approved and executed: 2."
    assert "This is your own request." in told(answer)[1]
    assert answer.redirect_chain[0][0].startswith(f"{URL}?")
    assert states(three) == ["executed", "executed", "requested"]
    assert AuditRow.objects.filter(action="approve.refused", object_id=str(own.pk)).count() == 1


def test_the_same_form_sent_twice_decides_once_p8(client: Client, three: list[Act]) -> None:
    sent = sent_of(opened(client, three), "approve")
    answers = [client.post(URL, sent, follow=True) for _time in range(2)]
    assert [told(answer) for answer in answers] == [["Approved and executed: 2."]] * 2
    assert AuditRow.objects.filter(action="act.executed.activate_terms").count() == 2
    turned = client.post(URL, {**sent, "decision": "reject"}, follow=True)
    assert len(told(turned)) == 2
    assert states(three) == ["executed", "executed", "requested"]


def test_many_are_rejected_together_and_nothing_is_done(client: Client, three: list[Act]) -> None:
    answer = client.post(URL, sent_of(opened(client, three), "reject"), follow=True)
    assert told(answer) == ["Rejected: 2. Nothing was done."]
    assert (states(three), in_force()) == (["rejected", "rejected", "requested"], 0)


def test_one_that_changed_after_the_page_was_shown_leaves_the_others_decided(
    client: Client, three: list[Act], services: list[MerchantService]
) -> None:
    sent = sent_of(opened(client, three), "approve")
    MerchantService.objects.filter(pk=services[0].pk).update(fee_permillage=1)
    answer = client.post(URL, sent, follow=True)
    assert told(answer) == ["Approved and executed: 1.", f"{three[0]}: {terms.Stale.words}"]
    assert states(three) == ["requested", "executed", "requested"]
    again = opened(client, three)
    (line,) = again.context["lines"]
    assert (line.act, line.why_not_approved) == (three[0], str(terms.Stale.words))
    client.post(URL, sent_of(again, "reject"))
    assert states(three) == ["rejected", "executed", "requested"]


def test_a_table_other_than_the_one_seen_is_not_approved(client: Client, three: list[Act]) -> None:
    first, second = three[:2]
    page = opened(client, three)
    sent = sent_of(page, "approve", **{f"seen_{first.pk}": "0" * 32})
    answer = client.post(URL, sent, follow=True)
    assert told(answer) == [
        "Approved and executed: 1.",
        f"{first}: This changed after you looked at it. Nothing was done; look at it once more.",
    ]
    assert states([first, second]) == ["requested", "executed"]


@pytest.mark.parametrize("scene", sorted(set(act_scenes.NAMES) - {"terms", "activation", "rate"}))
def test_what_moves_money_or_hands_over_a_key_is_decided_on_its_own_page(
    client: Client, desk: Desk, approver: User, scene: str
) -> None:
    kind, made = act_scenes.made(scene, desk)
    act = act_scenes.ask(kind, made, factories.make_approver("asker"))
    client.force_login(approver)
    before = act_scenes.state(desk)
    page = opened(client, [act])
    words = "Acts that move money or hand a key over are decided one by one, on their own page."
    assert (page.context["lines"], left_out(page)) == ([], [(act.pk, words)])
    for decision in ("approve", "reject"):
        sent = {
            "form_token": page.context["form_token"], "decision": decision, "reason": "r", "row": act.pk,
        }  # fmt: skip
        assert told(client.post(URL, sent, follow=True)) == [f"{act}: {words}"]
    assert (states([act]), act_scenes.state(desk)) == (["requested"], before)


def test_terms_and_rates_are_decided_together(client: Client, desk: Desk, approver: User) -> None:
    asker = factories.make_approver("asker")
    acts = [
        act_scenes.ask(*act_scenes.made(name, desk), asker, request_id=name)
        for name in ("terms", "rate", "activation")
    ]
    client.force_login(approver)
    client.post(URL, sent_of(opened(client, acts), "approve"))
    assert (states(acts), ExchangeRate.objects.latest("id").request_id) == (["executed"] * 3, "rate")
    assert desk.registered.merchant.merchant_services.get(service="SVC0001").fee_permillage == 5


def test_who_decides_by_role_decides_no_act_of_another_role(
    client: Client, three: list[Act], finance: User
) -> None:
    client.force_login(finance)
    page = opened(client, three)
    assert page.context["lines"] == []
    assert {words for _pk, words in left_out(page)} == {
        "This act is decided by the role “Super Administrator”."
    }
    sent = {"form_token": page.context["form_token"], "decision": "approve", "reason": "r"}
    client.post(URL, {**sent, "row": [act.pk for act in three]})
    assert states(three) == ["requested"] * 3


def test_an_act_whose_time_is_over_is_not_decided(client: Client, desk: Desk, three: list[Act]) -> None:
    rows = Act.objects.filter(pk=three[0].pk)
    late = ask(
        term_rows.not_in_force(desk, Channel, 1),
        factories.make_approver("late"), now=clock.now() - timedelta(hours=80),
    )  # fmt: skip
    page = opened(client, [*rows, late])
    assert left_out(page) == [(late.pk, str(approvals.ActExpired.words))]
    client.post(URL, sent_of(page, "approve", row=[late.pk]))
    assert states([late]) == ["requested"]


def test_a_hundred_are_shown_in_as_many_statements_as_two_and_101_are_refused(
    client: Client, desk: Desk, approver: User
) -> None:
    asker = factories.make_approver("asker")
    row = term_rows.not_in_force(desk, MerchantService)
    acts = [ask(row, asker, request_id=f"r{number}") for number in range(101)]
    client.force_login(approver)
    opened(client, acts[:1])
    counts = []
    for chosen in (acts[:2], acts[:100]):
        with CaptureQueriesContext(connection) as asked:
            assert len(opened(client, chosen).context["lines"]) == len(chosen)
        counts.append(len(asked))
    assert counts[0] == counts[1]
    page = opened(client, acts)
    assert (page.context["lines"], "More than 100 acts are chosen." in page.content.decode()) == ([], True)
    sent = {"form_token": "a" * 32, "decision": "reject", "reason": "r", "row": [act.pk for act in acts]}
    assert client.post(URL, sent).status_code == 200
    assert set(states(acts)) == {"requested"}


@pytest.mark.parametrize(
    "rows", ["0", "-1", "9" * 30, "1-999999999999", "\x00", "a'b", "１２", "", "None", "²"]
)
def test_hostile_ids_choose_no_act_and_break_nothing(client: Client, three: list[Act], rows: str) -> None:
    for name in ("row", "rows", "reject_row"):
        assert client.get(URL, {name: rows}).status_code == 200
        for decision in ("approve", "reject", "burn", ""):
            sent = {name: rows, "reason": "r", "decision": decision, "form_token": "a" * 32}
            assert client.post(URL, sent, follow=True).status_code == 200
    assert states(three) == ["requested"] * 3


def test_a_form_without_token_or_reason_decides_nothing(client: Client, three: list[Act]) -> None:
    page = opened(client, three)
    bare = client.post(URL, sent_of(page, "approve", reason=" "))
    assert bare.context["form"].errors == {"reason": ["This field is required."]}
    shapeless = client.post(URL, sent_of(page, "approve", form_token="x"))
    assert "This form has no token." in shapeless.content.decode()
    assert (states(three), in_force()) == (["requested"] * 3, 0)


def test_who_decides_no_acts_is_refused_and_sees_no_boxes(
    client: Client, three: list[Act], operator: User
) -> None:
    client.force_login(operator)
    sent = {"row": three[0].pk, "reason": "r", "decision": "approve", "form_token": "a" * 32}
    assert (client.get(URL).status_code, client.post(URL, sent).status_code) == (403, 403)
    assert AuditRow.objects.filter(action="approve.refused", user=operator).count() == 1
    assert 'name="row"' not in client.get("/admin/acts-waiting/").content.decode()
    assert states(three) == ["requested"] * 3
