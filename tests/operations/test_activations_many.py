"""Many first activations are asked for on one page: each is a request of its own, the form asks once (P8)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels.models import Channel, ChannelService
from diamondpay.models import AuditRow, User
from merchants.models import Merchant, MerchantChannel, MerchantService, ServiceBound
from operations import terms
from operations.models import Act, FormToken
from tests import factories
from tests.operations import term_rows
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

MODELS = (MerchantService, ServiceBound, Channel, ChannelService)
URL = "/admin/activations/merchantservice/"


@pytest.fixture
def asker(client: Client) -> User:
    """An administrator who is signed in."""
    user = factories.make_approver("asker")
    client.force_login(user)
    return user


def url_of(model: Any) -> str:
    return f"/admin/activations/{model._meta.model_name}/"


def many(desk: Desk, count: int) -> list[MerchantService]:
    """Return so many services of as many merchants, none in force."""
    merchants = Merchant.objects.bulk_create(
        Merchant(id=f"PFX{number}", name="Shop", organisation_id=90_000 + number) for number in range(count)
    )
    return MerchantService.objects.bulk_create(
        MerchantService(merchant=each, service_id="SVC0005", fee_permillage=6) for each in merchants
    )


def sent_of(page: Any, **typed: str) -> dict[str, str]:
    """Return what the form of the page sends."""
    context = page.context
    kept = {"form_token": context["form_token"], "seen": context["seen"], "rows": context["chosen"]}
    return {**kept, "reason": "contract", **typed}


def left_out(page: Any) -> dict[str, str]:
    return {name: str(why) for name, _url, why in page.context["left_out"]}


@pytest.mark.parametrize("model", MODELS)
def test_each_chosen_row_is_asked_for_with_its_own_frozen_terms_p8(
    client: Client, desk: Desk, asker: User, model: Any
) -> None:
    rows = [term_rows.not_in_force(desk, model, number) for number in (0, 1)]
    page = client.get(url_of(model), {"row": [row.pk for row in rows]})
    assert [shown["name"] for shown in page.context["rows"]] == [str(row) for row in rows]
    assert client.post(url_of(model), sent_of(page)).status_code == 302
    acts = list(Act.objects.order_by("id"))
    assert [(act.object_id, act.evidence) for act in acts] == [
        (str(row.pk), terms.evidence(row, {})) for row in rows
    ]
    assert {(act.kind, act.state, act.reason, act.requested_by) for act in acts} == {
        ("activate_terms", "requested", "contract", asker)
    }
    audited = AuditRow.objects.filter(action="act.request.activate_terms", user=asker).order_by("id")
    assert [(row.object_id, row.reason) for row in audited] == [(str(row.pk), "contract") for row in rows]
    assert not model._default_manager.filter(
        pk__in=[row.pk for row in rows], terms_since__isnull=False
    ).exists()


def test_the_same_form_sent_twice_asks_once_p8(client: Client, desk: Desk, asker: User) -> None:
    rows = [term_rows.not_in_force(desk, MerchantService, number) for number in (0, 1)]
    sent = sent_of(client.get(URL, {"row": [row.pk for row in rows]}))
    answers = [client.post(URL, sent) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert (Act.objects.count(), FormToken.objects.count()) == (2, 1)
    other = client.post(URL, {**sent, "reason": "another"})
    assert "already sent with other content" in other.content.decode()
    assert Act.objects.count() == 2


def test_rows_that_cannot_be_asked_for_are_named_with_the_reason_and_left_out(
    client: Client, desk: Desk, asker: User
) -> None:
    fresh, asked = (term_rows.not_in_force(desk, Channel, number) for number in (0, 1))
    client.post(url_of(Channel), sent_of(client.get(url_of(Channel), {"row": asked.pk})))
    bare = Channel.objects.create(code="bare", name="Bare", upstream="gateway", currency_id="CNY")
    page = client.get(url_of(Channel), {"row": [fresh.pk, asked.pk, bare.pk, "scripted", "nobody"]})
    assert [row["name"] for row in page.context["rows"]] == [fresh.pk]
    words = left_out(page)
    assert words.pop(bare.pk).startswith("Its settings are incomplete: ")
    assert words == {
        asked.pk: "This was asked for already and waits for a decision.",
        "scripted": str(terms.InForce.words),
    }
    assert page.context["unknown_count"] == 1
    assert client.post(url_of(Channel), sent_of(page)).status_code == 302
    assert sorted(Act.objects.values_list("object_id", flat=True)) == sorted([asked.pk, fresh.pk])


def test_a_row_that_changed_after_the_page_was_shown_stops_the_whole_form(
    client: Client, desk: Desk, asker: User
) -> None:
    first, second = (term_rows.not_in_force(desk, MerchantService, number) for number in (0, 1))
    sent = sent_of(client.get(URL, {"row": [first.pk, second.pk]}))
    MerchantService.objects.filter(pk=second.pk).update(fee_permillage=1)
    again = client.post(URL, sent)
    assert (again.status_code, Act.objects.count(), FormToken.objects.count()) == (200, 0, 0)
    assert "This changed after you looked at it." in again.content.decode()
    assert client.post(URL, sent_of(again)).status_code == 302
    evidence = Act.objects.get(object_id=str(second.pk)).evidence
    assert evidence["before.fee_permillage"] == "1"


def test_500_rows_are_asked_for_in_as_many_statements_as_2_and_501_are_refused(
    client: Client, desk: Desk, asker: User
) -> None:
    ids = [row.pk for row in many(desk, 501)]
    few = sent_of(client.get(URL, {"rows": f"{ids[498]}-{ids[499]}"}))
    whole = sent_of(client.get(URL, {"rows": f"{ids[0]}-{ids[497]}"}))
    counts = []
    for sent in (few, whole):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.post(URL, sent).status_code == 302
        counts.append(len(asked))
    assert (counts[0], Act.objects.count()) == (counts[1], 500)
    refused = client.get(URL, {"rows": f"{ids[0]}-{ids[500]}"})
    assert (refused.status_code, refused.context["rows"]) == (200, [])
    assert "More than 500 rows are chosen." in refused.content.decode()
    posted = client.post(URL, {**whole, "rows": f"{ids[0]}-{ids[500]}", "form_token": "b" * 32})
    assert ("More than 500 rows are chosen." in posted.content.decode(), Act.objects.count()) == (True, 500)


@pytest.mark.parametrize(
    "rows",
    [
        "0",
        "-1",
        "9" * 30,
        "1-999999999999",
        "\x00",
        "a'b",
        "5-1",
        "１２",
        "",
        " ",
        "1,,2",
        "None",
        "12 or 1=1",
    ],
)
def test_hostile_ids_choose_nothing_and_break_nothing(
    client: Client, desk: Desk, asker: User, rows: str
) -> None:
    for model in MODELS:
        for name in ("row", "rows"):
            assert client.get(url_of(model), {name: rows}).status_code == 200
            answer = client.post(url_of(model), {name: rows, "reason": "r", "form_token": "a" * 32})
            assert answer.status_code == 200
    assert (Act.objects.count(), FormToken.objects.count()) == (0, 0)


def test_a_reason_is_asked_for_and_nothing_is_asked_without_it(
    client: Client, desk: Desk, asker: User
) -> None:
    row = term_rows.not_in_force(desk, MerchantService)
    page = client.post(URL, sent_of(client.get(URL, {"row": row.pk}), reason=" "))
    assert page.context["form"].errors == {"reason": ["This field is required."]}
    assert (page.context["chosen"], Act.objects.count()) == (str(row.pk), 0)


def test_who_may_not_ask_is_refused_and_the_attempt_is_kept(
    client: Client, desk: Desk, operator: User
) -> None:
    row = term_rows.not_in_force(desk, MerchantService)
    client.force_login(operator)
    assert client.get(URL, {"row": row.pk}).status_code == 403
    assert client.post(URL, {"rows": str(row.pk), "reason": "r", "form_token": "a" * 32}).status_code == 403
    refused = AuditRow.objects.get(action="activate_terms_many.refused")
    assert (refused.user, refused.is_refused, Act.objects.count()) == (operator, True, 0)
    page = client.get("/admin/merchants/merchantservice/").content.decode()
    assert ("/admin/activations/" in page, 'name="row"' in page) == (False, False)


def test_a_member_of_a_merchant_finds_no_rows_of_another(client: Client, desk: Desk) -> None:
    rival = factories.make_merchant("Rival", channels=["scripted"])
    member = factories.make_user("member", merchants=[rival.merchant], is_superuser=True)
    client.force_login(member)
    row = term_rows.not_in_force(desk, MerchantService)
    page = client.get(URL, {"row": row.pk})
    assert (page.context["rows"], page.context["unknown_count"]) == ([], 1)
    posted = client.post(
        URL, {"rows": str(row.pk), "reason": "r", "form_token": "a" * 32, "seen": page.context["seen"]}
    )
    assert (posted.status_code, Act.objects.count()) == (200, 0)


def test_the_list_offers_boxes_for_rows_not_in_force_and_all_that_its_filters_find(
    client: Client, desk: Desk, asker: User
) -> None:
    first, second = (term_rows.not_in_force(desk, MerchantService, number) for number in (0, 1))
    page = client.get("/admin/merchants/merchantservice/?service=SVC0006")
    text = page.content.decode()
    assert (f'value="{second.pk}" form="choice"' in text, f'value="{first.pk}" form' in text) == (True, False)
    found = client.get(page.context["choice"]["found_url"])
    assert [row["name"] for row in found.context["rows"]] == [str(second)]
    everything = client.get(URL, {"found": ""})
    assert [row["name"] for row in everything.context["rows"]] == [str(first), str(second)]
    wrong = client.get(URL, {"found": "service=SVC0006&nonsense=1"})
    assert (wrong.context["rows"], "These filters cannot be read." in wrong.content.decode()) == ([], True)
    in_force = client.get("/admin/merchants/merchantservice/?in_force=1")
    assert "choice" not in in_force.context


def test_the_first_column_still_leads_to_the_row_and_the_box_leads_nowhere(
    client: Client, desk: Desk, asker: User
) -> None:
    row = term_rows.not_in_force(desk, ServiceBound)
    text = client.get("/admin/merchants/servicebound/").content.decode()
    assert f'href="/admin/merchants/servicebound/{row.pk}/change/"' in text
    assert MerchantChannel.objects.get(pk=desk.wallet.pk).pk in text
    assert f'aria-label="Choose {row}"' in text
