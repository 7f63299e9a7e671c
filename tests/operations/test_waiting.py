"""The lists that lead to acts: what waits, the oldest first, and the wallets that can be acted on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from diamondpay import celery
from diamondpay.lib import clock
from diamondpay.models import User
from operations import tasks
from operations.models import Act
from records.models import Payment
from tests import factories
from tests.operations import act_forms
from tests.operations.act_scenes import ask, made
from tests.support.desk import Desk, desk, open_desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

WAITING = "/admin/acts-waiting/"
BALANCES = "/admin/balance-operations/"


def shown(client: Client, **asked: str) -> list[int]:
    return [row["number"] for row in client.get(WAITING, asked).context["rows"]]


@pytest.fixture
def three(client: Client, desk: Desk, operator: User, finance: User) -> list[Act]:
    """An adjustment and a freeze asked for by operations, an adjustment by finance, who is signed in."""
    kind, scene = made("adjust", desk)
    freeze, freezing = made("freeze", desk)
    client.force_login(finance)
    return [
        ask(kind, scene, operator, "r1"),
        ask(freeze, freezing, operator, "r2"),
        ask(kind, scene, finance, "r3"),
    ]


def test_acts_wait_the_oldest_first_and_can_be_narrowed(client: Client, three: list[Act]) -> None:
    first, second, own = (act.pk for act in three)
    assert shown(client) == [first, second, own]
    assert shown(client, kind="adjust_balance") == [first, own]
    assert (shown(client, whose="own"), shown(client, whose="others")) == ([own], [first, second])
    assert shown(client, kind="no-such-kind", whose="?") == [first, second, own]
    assert shown(client, kind="refund_payment") == []
    text = client.get(WAITING).content.decode()
    assert ("(you)" in text, "25.50" in text, "Finance Staff" in text) == (True, True, True)


def test_a_decided_act_waits_no_longer_and_one_whose_time_is_over_says_so(
    client: Client, three: list[Act], desk: Desk, finance: User
) -> None:
    first, second, own = three
    url = act_forms.url_of("reject", first.pk)
    client.post(url, {**act_forms.opened(client, url), "step": "do", "reason": "no"})
    assert shown(client) == [second.pk, own.pk]
    later = clock.now() - timedelta(hours=30)
    kind, scene = made("adjust", desk)
    old = act_of_the_past(kind, scene, finance, later)
    row = client.get(WAITING).context["rows"][0]
    assert (row["number"], row["is_over"], row["age"]) == (old.pk, True, "1 d 6 h")
    tasks.expire_acts()
    assert shown(client) == [second.pk, own.pk]


def act_of_the_past(kind: Any, scene: Any, user: User, now: Any) -> Act:
    return Act.objects.create(
        request_id="old", kind=kind, object_kind=scene.object_kind, object_id=scene.object_id,
        evidence=dict(scene.evidence), reason="long ago", requested_by=user, requested_at=now,
        expires_at=now + timedelta(hours=24),
    )  # fmt: skip


def test_the_waiting_list_costs_the_same_however_many_wait(
    client: Client, three: list[Act], desk: Desk, operator: User
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(WAITING)
        return len(captured)

    few = queries()
    kind, scene = made("adjust", desk)
    for number in range(12):
        ask(kind, scene, operator, f"more{number}")
    assert (len(shown(client)), queries()) == (15, few)


def test_the_sweeper_is_woken_every_minute() -> None:
    assert tasks.expire_acts.name == "operations.tasks.expire_acts"
    assert celery.BEAT_SCHEDULE["operations.tasks.expire_acts"]["schedule"] == 60


def test_wallets_are_found_by_number_merchant_and_channel_and_offer_what_may_be_asked(
    client: Client, desk: Desk, operator: User
) -> None:
    desk.fund("100")
    rival = open_desk(desk.upstream, "Rival")
    client.force_login(operator)

    def found(text: str) -> list[str]:
        return [row["wallet"] for row in client.get(BALANCES, {"q": text}).context["rows"]]

    assert found("") == found("scripted") == [desk.wallet.pk, rival.wallet.pk]
    assert found(desk.wallet.pk.lower()) == found("acm") == [desk.wallet.pk]
    assert found(rival.registered.merchant.pk) == [rival.wallet.pk]
    assert found("%") == found("nobody") == found("a\x00b") == []
    labels = [str(act["label"]) for act in client.get(BALANCES).context["rows"][0]["acts"]]
    assert labels == ["Adjust balance", "Supplement balance", "Freeze", "Transfer"]


def test_a_member_of_one_merchant_finds_no_wallet_of_another(client: Client, desk: Desk) -> None:
    rival = open_desk(desk.upstream, "Rival")
    client.force_login(factories.make_user("spy", is_superuser=True, merchants=[rival.registered.merchant]))
    assert [row["wallet"] for row in client.get(BALANCES).context["rows"]] == [rival.wallet.pk]
    assert client.get(BALANCES, {"q": desk.wallet.pk}).context["rows"] == []


def test_an_act_whose_order_was_paid_meanwhile_is_not_offered_for_approval(
    client: Client, desk: Desk, finance: User, operator: User
) -> None:
    kind, scene = made("supplement", desk)
    act = ask(kind, scene, operator)
    client.force_login(finance)
    record = reverse("admin:operations_act_change", args=[act.pk])
    assert act_forms.url_of("approve", act.pk) in client.get(record).content.decode()
    desk.paid(Payment.objects.get())
    page = client.get(record).content.decode()
    assert (act_forms.url_of("approve", act.pk) in page, act_forms.url_of("reject", act.pk) in page) == (
        False,
        True,
    )
    assert "Success already" in client.get(act_forms.url_of("approve", act.pk)).content.decode()
