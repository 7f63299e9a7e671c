"""Each act by its pages: asked for by one, seen and decided by another, refused for oneself (P6, P8)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from merchants import credentials
from merchants.models import Credential, MerchantService
from operations import approvals
from operations.models import Act
from records import payments
from records.models import Actor, Payment
from tests import factories
from tests.operations import act_forms, act_scenes
from tests.operations.act_scenes import NAMES, Scene, ask, made, state
from tests.support.desk import Desk, desk, open_desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


def page_of(kind: Act.Kind, scene: Scene) -> str:
    return act_forms.url_of(scene.page or str(kind), scene.object_id)


def asked(client: Client, kind: Act.Kind, scene: Scene) -> Act:
    """Ask by the page; acts without fields of their own stand on one page."""
    url = page_of(kind, scene)
    if scene.typed:
        answer = act_forms.done(client, url, **scene.typed)
    else:
        answer = client.post(url, {**act_forms.opened(client, url), "step": "do", "reason": "because"})
    assert answer.status_code == 302, act_forms.complaints(answer)
    return Act.objects.get()


def decided(client: Client, act: Act, name: str) -> Any:
    url = act_forms.url_of(name, act.pk)
    return client.post(url, {**act_forms.opened(client, url), "step": "do", "reason": "seen"})


@pytest.mark.parametrize("name", NAMES)
def test_one_person_asks_and_another_approves_on_the_pages(
    client: Client, desk: Desk, approver: User, name: str
) -> None:
    kind, scene = made(name, desk)
    before = state(desk)
    client.force_login(factories.make_approver("asker"))
    act = asked(client, kind, scene)
    assert (act.kind, act.evidence, state(desk)) == (kind, dict(scene.evidence), before)
    client.force_login(approver)
    shown = client.get(act_forms.url_of("approve", act.pk))
    assert act_forms.table(shown)
    answer = decided(client, act, "approve")
    assert (answer.status_code, state(desk)) == (302, act_scenes.expected(before, scene.after))
    row = AuditRow.objects.get(action=f"act.executed.{kind}")
    assert (row.user, row.address, row.reason) == (approver, "127.0.0.1", "seen")


@pytest.mark.parametrize("name", NAMES)
def test_rejecting_on_the_page_does_nothing(client: Client, desk: Desk, approver: User, name: str) -> None:
    kind, scene = made(name, desk)
    act, before = ask(kind, scene, factories.make_approver("asker")), state(desk)
    client.force_login(approver)
    assert decided(client, act, "reject").status_code == 302
    act.refresh_from_db()
    assert (act.state, act.decision_reason, state(desk)) == ("rejected", "seen", before)


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_ones_own_act_is_explained_and_refused_by_form_and_by_url_p6(
    client: Client, desk: Desk, verb: str
) -> None:
    kind, scene = made("adjust", desk)
    root = factories.make_user("root", is_superuser=True)
    act, before = ask(kind, scene, root), state(desk)
    client.force_login(root)
    url = act_forms.url_of(verb, act.pk)
    page = client.get(reverse("admin:operations_act_change", args=[act.pk])).content.decode()
    assert "This is your own request. Another person decides it; that holds for everybody." in page
    assert f'href="{url}"' not in page
    assert "This is your own request." in client.get(url).content.decode()
    answer = client.post(url, {"form_token": "a" * 32, "seen": "x", "step": "do", "reason": "mine"})
    act.refresh_from_db()
    assert (answer.status_code, act.state, state(desk)) == (200, "requested", before)
    row = AuditRow.objects.get(action=f"{verb}.refused")
    assert (row.user, row.object_id, row.reason) == (root, str(act.pk), "mine")


def test_the_page_of_the_decision_shows_the_balances_of_now(
    client: Client, desk: Desk, operator: User, approver: User
) -> None:
    kind, scene = made("adjust", desk)
    act = ask(kind, scene, operator)
    desk.fund("900")
    client.force_login(approver)
    shown = client.get(act_forms.url_of("approve", act.pk))
    assert act_forms.table(shown) == [("available balance", "1,000.00 CNY", "1,025.50 CNY")]
    assert "Approve: Manual adjustment 25.50 CNY" in shown.content.decode()
    record = client.get(reverse("admin:operations_act_change", args=[act.pk])).content.decode()
    assert "1,025.50" in record


def test_a_deed_that_is_refused_stands_in_words_and_leaves_the_act_waiting(
    client: Client, desk: Desk, operator: User, approver: User
) -> None:
    kind, scene = made("adjust_down", desk)
    act = ask(kind, scene, operator)
    payout = desk.payout("90")
    client.force_login(approver)
    answer = decided(client, act, "approve")
    assert act_forms.complaints(answer) == {"__all__": ["The available balance is not sufficient."]}
    act.refresh_from_db()
    assert (act.state, payout.status, desk.balances()[0].normalize()) == (
        "requested",
        0,
        100 - payout.debited_amount,
    )


def test_terms_that_changed_meanwhile_are_stale_and_stay(client: Client, desk: Desk, approver: User) -> None:
    kind, scene = made("terms", desk)
    act = ask(kind, scene, factories.make_approver("asker"))
    factories.set_terms(MerchantService.objects.filter(pk=scene.object_id), fee_permillage=7)
    client.force_login(approver)
    record = client.get(reverse("admin:operations_act_change", args=[act.pk])).content.decode()
    assert "The terms have changed since this was asked for." in record
    answer = decided(client, act, "approve")
    assert "The terms have changed since this was asked for." in answer.content.decode()
    act.refresh_from_db()
    assert (act.state, state(desk)["fee"]) == ("requested", "7")


def test_a_new_key_is_fetched_once_by_who_asked_and_by_nobody_else(
    client: Client, desk: Desk, approver: User
) -> None:
    kind, scene = made("key", desk)
    asker = factories.make_approver("asker")
    act = ask(kind, scene, asker)
    client.force_login(approver)
    answer = decided(client, act, "approve")
    new = Credential.objects.latest("id")
    secret = credentials.secret_of(new)
    url, record = (
        reverse("admin:act_key", args=[act.pk]),
        reverse("admin:operations_act_change", args=[act.pk]),
    )
    assert secret not in answer.content.decode() + client.get(record).content.decode()
    assert client.post(url).status_code == 404
    client.force_login(asker)
    assert secret not in client.get(record).content.decode()
    assert client.get(url).status_code == 405
    shown = client.post(url)
    assert (shown.content.decode().count(secret), "no-store" in shown["Cache-Control"]) == (1, True)
    assert client.post(url).status_code == 302
    act.refresh_from_db()
    assert (act.handover_encrypted, act.handed_over_at is not None) == (None, True)
    told = "".join(f"{row.before}{row.after}{row.reason}" for row in AuditRow.objects.all())
    assert secret not in told
    assert AuditRow.objects.get(action="act.handover.rotate_credential").user == asker


def test_a_key_that_nobody_fetches_is_wiped_after_a_day(desk: Desk, approver: User) -> None:
    kind, scene = made("key", desk)
    act = approvals.approve(
        act_id=ask(kind, scene, factories.make_approver("asker")).pk,
        user=approver,
        reason="ok",
        now=clock.now(),
    )
    assert act.decided_at is not None
    approvals.expire_due(now=act.decided_at + approvals.HANDOVER_WAITS * 0.99)
    act.refresh_from_db()
    assert act.handover_encrypted is not None
    approvals.expire_due(now=act.decided_at + approvals.HANDOVER_WAITS)
    act.refresh_from_db()
    assert act.handover_encrypted is None


def test_an_order_offers_its_acts_and_not_twice(client: Client, desk: Desk, operator: User) -> None:
    kind, scene = made("supplement", desk)
    client.force_login(operator)
    page = reverse("admin:records_payment_change", args=[Payment.objects.get().pk])
    assert f'href="{page_of(kind, scene)}"' in client.get(page).content.decode()
    act = asked(client, kind, scene)
    assert f'href="{page_of(kind, scene)}"' not in client.get(page).content.decode()
    assert "This was asked for already" in client.get(page_of(kind, scene)).content.decode()
    assert Act.objects.get() == act


STATES = [
    ("supplement_payment", "paid", "The deposit is Success already"),
    ("refund_payment", "open", "Only a deposit that is Success can be refunded."),
    ("refund_payment", "closed", "Only a deposit that is Success can be refunded."),
    ("refund_payment", "refunded", "The deposit was refunded already."),
]


@pytest.mark.parametrize(("name", "status", "words"), STATES)
def test_a_state_that_does_not_allow_the_act_is_explained(
    client: Client, desk: Desk, operator: User, approver: User, name: str, status: str, words: str
) -> None:
    payment = desk.deposit()
    if status == "closed":
        payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="")
    elif status != "open":
        desk.paid(payment)
    if status == "refunded":
        desk.fund("50")
        payments.refund(
            payment=payments.locked(payment.pk),
            is_fee_returned=True,
            now=clock.now(),
            user=approver,
            reason="so",
        )
    client.force_login(operator)
    url = act_forms.url_of(name, payment.payment_id)
    assert words in client.get(url).content.decode()
    before = state(desk)
    client.post(url, {"form_token": "a" * 32, "step": "do", "seen": "", "reason": "r", "fee": "keep"})
    assert (Act.objects.count(), state(desk)) == (0, before)


def test_another_merchants_objects_are_unknown(client: Client, desk: Desk) -> None:
    rival = open_desk(desk.upstream, "Rival")
    spy = factories.make_user("spy", is_superuser=True, merchants=[rival.registered.merchant])
    client.force_login(spy)
    kind, scene = made("supplement", desk)
    for name, object_id in (
        (str(kind), scene.object_id), ("adjust_balance", desk.wallet.pk),
        ("rotate_credential", desk.registered.merchant.pk), ("change_terms_channel", "scripted"),
    ):  # fmt: skip
        assert client.get(act_forms.url_of(name, object_id)).status_code == 404
    answer = act_forms.looked(
        client, act_forms.url_of("transfer_balance", rival.wallet.pk), amount="1", destination=desk.wallet.pk
    )
    assert act_forms.complaints(answer)["destination"] == ["There is no such wallet."]
