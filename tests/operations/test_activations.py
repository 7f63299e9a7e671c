"""Initial terms are two people's (P6): born not in force, put in force once by an executed act, in the
database too; and no change of terms in force passes without its act.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from channels.models import Channel, ChannelService
from diamondpay.lib import clock, errors, in_force, transactions
from diamondpay.models import AuditRow, User
from merchants.models import MerchantService, ServiceBound
from operations import approvals, terms
from operations.models import Act
from operations.service_options import by_service
from tests import factories
from tests.operations import term_rows
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

Kind = Act.Kind
MODELS = (MerchantService, ServiceBound, Channel, ChannelService)
TERM = {
    MerchantService: "fee_permillage", ServiceBound: "upper_bound", Channel: "payment_upper_bound",
    ChannelService: "upper_bound",
}  # fmt: skip
SWITCHED = (MerchantService, Channel, ChannelService)


def ask(row: Any, user: User, *, kind: Act.Kind = Kind.ACTIVATE_TERMS, **wanted: Any) -> Act:
    return approvals.request(
        kind=kind, object_kind=terms.kind_of(row), object_id=str(row.pk), reason="contract", user=user,
        evidence=terms.evidence(row, wanted), request_id=f"{kind}-{row.pk}-{wanted}", now=clock.now(),
    )  # fmt: skip


def approve(act: Act, user: User) -> Act:
    done = approvals.approve(act_id=act.pk, user=user, reason="as agreed", now=clock.now())
    committed()
    return done


def committed() -> None:
    """Let the database look at what it looks at when a transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def refused(deed: Callable[[], object], constraint: str) -> None:
    """Try to do something past the second person as the application's role, up to the commit."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        deed()
        committed()
    assert str(transactions.constraint_name(refusal.value)).endswith(constraint)


def stored(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = type(row)._default_manager.filter(pk=row.pk).values().get()
    return found


@pytest.mark.parametrize("model", MODELS)
def test_a_new_row_is_put_in_force_by_two_with_exactly_its_terms_p6(
    desk: Desk, model: Any, approver: User
) -> None:
    row = term_rows.not_in_force(desk, model)
    before = stored(row)
    act = ask(row, factories.make_approver("asker"))
    assert stored(row) == before
    approve(act, approver)
    act.refresh_from_db()
    switched = {"status": "enabled"} if model in SWITCHED else {}
    assert stored(row) == {**before, "terms_since": act.decided_at, **switched}
    kind = terms.kind_of(row)
    (audited,) = AuditRow.objects.filter(action=f"{kind}.activate")
    assert (audited.user, audited.object_kind, audited.object_id) == (approver, kind, str(row.pk))
    assert audited.after[TERM[model]] == terms.of(row)[TERM[model]]


@pytest.mark.parametrize("model", MODELS)
def test_the_database_lets_no_row_begin_in_force_p6(desk: Desk, model: Any) -> None:
    row = term_rows.not_in_force(desk, model)
    values = {name: value for name, value in stored(row).items() if name not in ("id", "terms_since")}
    values |= {"code": "other"} if model is Channel else {"service_id": "SVC0010"}
    before = list(model._default_manager.order_by("pk").values())
    refused(
        lambda: model._default_manager.create(**values, terms_since=clock.now()), "terms_begin_not_in_force"
    )
    if model in SWITCHED:
        on = {**values, "status": "enabled"}
        refused(lambda: model._default_manager.create(**on), "off_before_in_force")
    assert list(model._default_manager.order_by("pk").values()) == before


@pytest.mark.parametrize("model", MODELS)
def test_the_database_puts_nothing_in_force_without_its_act_p6(
    desk: Desk, model: Any, approver: User
) -> None:
    row = term_rows.not_in_force(desk, model)
    rows, before = model._default_manager.filter(pk=row.pk), stored(row)
    refused(lambda: rows.update(terms_since=clock.now()), "terms_have_act")
    if model in SWITCHED:
        refused(lambda: rows.update(status="enabled"), "off_before_in_force")
    act = ask(row, factories.make_approver("asker"))
    refused(lambda: rows.update(terms_since=act.requested_at), "terms_have_act")

    def with_other_terms() -> None:
        """Let the act be executed, and put other terms in force than it says."""
        now = clock.now()
        Act.objects.filter(pk=act.pk).update(
            state="executed", decided_by=approver, decided_at=now, decision_reason="forged"
        )
        rows.update(terms_since=now, **{TERM[model]: 777})

    refused(with_other_terms, "terms_have_act")
    assert stored(row) == before


@pytest.mark.parametrize("model", MODELS)
def test_the_database_changes_no_terms_in_force_without_their_act_p6(
    desk: Desk, model: Any, approver: User
) -> None:
    row = term_rows.in_force(desk, model)
    rows, before = model._default_manager.filter(pk=row.pk), stored(row)
    refused(lambda: rows.update(**{TERM[model]: 777}), "terms_have_act")
    refused(lambda: rows.update(**{TERM[model]: 777}, terms_since=clock.now()), "terms_have_act")
    refused(lambda: rows.update(terms_since=None, **({"status": "disabled"} if model in SWITCHED else {})),
            "terms_stay")  # fmt: skip
    refused(lambda: rows._raw_delete("default"), "terms_stay")
    if model is not Channel:
        refused(lambda: rows.update(service_id="SVC0003"), "terms_stay")
    assert stored(row) == before
    act = ask(row, factories.make_approver("asker"), kind=Kind.CHANGE_TERMS, **{TERM[model]: Decimal(950)})
    approve(act, approver)
    act.refresh_from_db()
    assert stored(row) == {**before, TERM[model]: Decimal(950), "terms_since": act.decided_at}


def test_an_act_that_was_executed_once_changes_nothing_a_second_time_p8(desk: Desk, approver: User) -> None:
    row = factories.activate_service(desk.registered.merchant, "SVC0005", fee_permillage=4)
    asker = factories.make_approver("asker")
    first = approve(ask(row, asker, kind=Kind.CHANGE_TERMS, fee_permillage=5), approver)
    row.refresh_from_db()
    approve(ask(row, asker, kind=Kind.CHANGE_TERMS, fee_permillage=4), approver)
    rows, before = MerchantService.objects.filter(pk=row.pk), stored(row)
    refused(lambda: rows.update(fee_permillage=5, terms_since=first.decided_at), "terms_stay")
    refused(lambda: rows.update(fee_permillage=5), "terms_have_act")
    assert stored(row) == before


def test_one_person_edits_terms_before_and_what_was_asked_for_is_then_stale(
    desk: Desk, approver: User
) -> None:
    row = term_rows.not_in_force(desk, MerchantService)
    act = ask(row, factories.make_approver("asker"))
    MerchantService.objects.filter(pk=row.pk).update(fee_permillage=1)
    committed()
    before = stored(row)
    with pytest.raises(terms.Stale):
        approve(act, approver)
    act.refresh_from_db()
    assert (act.state, stored(row)) == ("requested", before)


def test_nobody_activates_what_they_asked_for_nor_activates_twice_p6_p8(desk: Desk, approver: User) -> None:
    row = term_rows.not_in_force(desk, MerchantService)
    asker = factories.make_user("root", is_superuser=True)
    first, second = ask(row, asker), approvals.request(
        kind=Kind.ACTIVATE_TERMS, object_kind="merchantservice", object_id=str(row.pk), reason="again",
        evidence=terms.evidence(row, {}), request_id="second", user=asker, now=clock.now(),
    )  # fmt: skip
    with pytest.raises(errors.FourEyesRequired):
        approve(first, asker)
    assert stored(row)["terms_since"] is None
    approve(first, approver)
    before = stored(row)
    with pytest.raises(terms.InForce):
        approve(second, approver)
    assert stored(row) == before


@pytest.mark.parametrize(
    "evidence",
    [{}, {"before.fee_permillage": "6"}, {"after.fee_permillage": "1"}, {"before.status": "enabled"}],
)
def test_an_activation_is_asked_for_with_all_its_terms_and_nothing_else(
    desk: Desk, evidence: dict[str, str]
) -> None:
    row = term_rows.not_in_force(desk, MerchantService)
    whole = terms.evidence(row, {}) if "after.fee_permillage" in evidence else {}
    with pytest.raises(errors.InvalidInput):
        approvals.request(
            kind=Kind.ACTIVATE_TERMS, object_kind="merchantservice", object_id=str(row.pk), reason="r",
            evidence={**whole, **evidence}, request_id="r", user=factories.make_approver("asker"),
            now=clock.now(),
        )  # fmt: skip
    assert not Act.objects.exists()


def test_terms_that_are_not_in_force_are_no_acts_matter(desk: Desk, approver: User) -> None:
    row = term_rows.not_in_force(desk, MerchantService)
    act = ask(row, factories.make_approver("asker"), kind=Kind.CHANGE_TERMS, fee_permillage=9)
    before = stored(row)
    with pytest.raises(terms.NotInForce):
        approve(act, approver)
    assert stored(row) == before


def test_nothing_runs_on_what_is_not_in_force(desk: Desk, approver: User) -> None:
    merchant, wallet = desk.registered.merchant, desk.wallet
    service = MerchantService.objects.select_related("service__currency").get(
        merchant=merchant, service="SVC0001"
    )
    bound = ServiceBound.objects.create(merchant_channel=wallet, service_id="SVC0001", upper_bound=50)

    def upper() -> Decimal:
        (option,) = by_service(merchant=merchant, activated=[service])["SVC0001"]
        assert option.range is not None
        return option.range.upper

    assert upper() == 0
    assert desk.deposit("60").requested_amount == 60
    approve(ask(bound, factories.make_approver("asker")), approver)
    assert upper() == 50
    with pytest.raises(errors.AmountAboveMaximum):
        desk.deposit("60")


def test_the_page_of_a_new_row_says_who_decides_and_leads_to_asking(
    client: Client, desk: Desk, approver: User
) -> None:
    client.force_login(approver)
    row = term_rows.not_in_force(desk, MerchantService)
    page = client.get(f"/admin/merchants/merchantservice/{row.pk}/change/").content.decode()
    url = f"/admin/acts/activate_terms_merchantservice/{row.pk}/"
    assert str(in_force.NOT_IN_FORCE) in page
    assert f'href="{url}">Ask for activation</a>' in page
    asked = client.get(url)
    rows = [(str(each.label), str(each.before), str(each.after)) for each in asked.context["rows"]]
    assert rows[0] == ("in force since", "not in force", "its approval")
    assert [(label, after) for label, _before, after in rows[1:3]] == [
        ("fee type", "Permillage"), ("fee ‰", "6 ‰"),
    ]  # fmt: skip
    sent = {"form_token": asked.context["form_token"], "seen": asked.context["seen"], "reason": "contract"}
    assert client.post(url, {**sent, "step": "do"}).status_code == 302
    waiting = client.get("/admin/acts-waiting/").content.decode()
    assert "First activation" in waiting
    assert stored(row)["terms_since"] is None


def test_who_posts_that_a_new_row_is_enabled_is_told_who_decides_and_changes_nothing(
    client: Client, desk: Desk, approver: User
) -> None:
    client.force_login(approver)
    row = term_rows.not_in_force(desk, MerchantService)
    url, before = f"/admin/merchants/merchantservice/{row.pk}/change/", stored(row)
    opened = client.get(url).context["adminform"].form
    sent = {name: opened[name].value() for name in opened.fields} | {"status": "enabled"}
    answer = client.post(url, {name: value for name, value in sent.items() if value is not None})
    assert answer.status_code == 200
    assert answer.context["errors"].as_data()
    assert answer.context["adminform"].form.errors == {"status": [str(in_force.NOT_IN_FORCE)]}
    sent |= {"status": "disabled", "fee_permillage": "9", "terms_since": "2020-01-01"}
    assert client.post(url, {k: v for k, v in sent.items() if v is not None}).status_code == 302
    assert stored(row) == {**before, "fee_permillage": Decimal(9)}


def test_who_may_not_ask_is_told_and_led_nowhere(client: Client, desk: Desk, operator: User) -> None:
    client.force_login(operator)
    rows = [term_rows.not_in_force(desk, model) for model in MODELS]
    pages = [
        f"/admin/{row._meta.app_label}/{row._meta.model_name}/{tail}"
        for row in rows
        for tail in ("", f"{row.pk}/change/")
    ]
    for url in (*pages, "/admin/channels/channel/scripted/change/"):
        page = client.get(url)
        assert page.status_code == 200, url
        assert "not in force" in page.content.decode(), url
        assert "/admin/acts/activate_terms" not in page.content.decode(), url
