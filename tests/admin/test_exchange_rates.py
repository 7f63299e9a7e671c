"""Exchange rates: asked for by one person, approved by another, and a history that nobody changes (P6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from channels import rates
from channels.models import ExchangeRate
from diamondpay.lib import clock, errors, transactions
from diamondpay.models import AuditRow, Preference, User
from operations import approvals, new_rates
from operations.models import Act
from tests import factories
from tests.operations import act_forms

pytestmark = pytest.mark.django_db
LIST = "admin:channels_exchangerate_changelist"
NEW = "/admin/acts/add_rate/new/"
TYPED = {"base": "MTC", "quote": "CNY", "rate": "7.47"}


def make(rate: str = "7.47", *, hours: int = 0) -> ExchangeRate:
    now = clock.now()
    return rates.add(
        base="MTC", quote="CNY", rate=Decimal(rate), reason="start", now=now, actor="tests",
        valid_from=now + timedelta(hours=hours),
    )  # fmt: skip


def asked(user: User, *, request_id: str = "r1", now: datetime | None = None, **changes: str) -> Act:
    evidence = {**TYPED, "valid_from": "", **changes}
    return approvals.request(
        kind=Act.Kind.ADD_RATE, object_kind="exchangerate",
        object_id=f"{evidence['base']}-{evidence['quote']}", evidence=evidence, reason="the market",
        request_id=request_id, user=user, now=now or clock.now(),
    )  # fmt: skip


def decide(act: Act, user: User, now: datetime | None = None) -> Act:
    return approvals.approve(act_id=act.pk, user=user, reason="seen", now=now or clock.now())


def test_one_of_finance_asks_and_another_approves(client: Client, finance: User) -> None:
    make("7")
    client.force_login(finance)
    assert f'href="{NEW}"' in client.get(reverse(LIST)).content.decode()
    looked = act_forms.looked(client, NEW, **TYPED)
    assert act_forms.table(looked)[0][1:] == ("1 MTC = 7 CNY", "1 MTC = 7.47 CNY")
    assert act_forms.table(looked)[2] == ("difference", "–", "+6.71 %")
    assert act_forms.done(client, NEW, **TYPED).status_code == 302
    act = Act.objects.get()
    assert (act.object_id, act.evidence) == ("MTC-CNY", {**TYPED, "valid_from": ""})
    assert (ExchangeRate.objects.count(), act.state) == (1, "requested")
    second = factories.make_finance("second")
    before = clock.now()
    assert decide(act, second).state == "executed"
    made = ExchangeRate.objects.latest("id")
    assert (made.rate, made.created_by, made.reason, made.request_id) == (
        Decimal("7.47"), second, "because", act.request_id,
    )  # fmt: skip
    assert made.valid_from >= before
    page = client.get(f"/admin/operations/act/{act.pk}/change/")
    said = [(str(label), str(value)) for label, value in page.context["evidence"]]
    assert said == [
        ("one unit of", "MTC"), ("costs in", "CNY"), ("rate", "7.47"), ("in force from", "its approval"),
    ]  # fmt: skip
    assert "What was asked for" in page.content.decode()
    assert AuditRow.objects.get(action="exchangerate.create", user=second).reason == "because"
    assert rates.at(base="MTC", quote="CNY", moment=clock.now()) == Decimal("7.47")


def test_a_planned_rate_begins_when_it_says(client: Client, finance: User, approver: User) -> None:
    Preference.objects.create(user=finance, key="time_zone", value="Asia/Shanghai")
    client.force_login(finance)
    day = (clock.now() + timedelta(days=2)).astimezone(ZoneInfo("Asia/Shanghai")).date()
    answer = act_forms.done(client, NEW, **TYPED, valid_from=f"{day}T09:00")
    assert answer.status_code == 302, act_forms.complaints(answer)
    decide(Act.objects.get(), approver)
    start = datetime(day.year, day.month, day.day, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert ExchangeRate.objects.get().valid_from == start


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate": "0"}, "rate"), ({"rate": "-1"}, "rate"), ({"rate": "1e3"}, "rate"),
        ({"rate": "７"}, "rate"), ({"rate": "0.0000000000000000001"}, "rate"),
        ({"quote": "MTC"}, "quote"), ({"base": "QQQ"}, "base"), ({"reason": ""}, "reason"),
        ({"valid_from": "2001-01-01T00:00"}, "valid_from"), ({"valid_from": "tomorrow"}, "valid_from"),
    ],
)  # fmt: skip
def test_a_bad_rate_is_told_beside_its_field_and_kept_on_the_page(
    client: Client, finance: User, changes: dict[str, str], field: str
) -> None:
    client.force_login(finance)
    typed = {**TYPED, "reason": "the market", **changes}
    response = client.post(NEW, {**act_forms.opened(client, NEW), "step": "look", **typed})
    assert response.status_code == 200
    assert list(act_forms.complaints(response)) == [field]
    assert "the market" in response.content.decode() or field == "reason"
    assert (ExchangeRate.objects.count(), Act.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate": "0"}, "rate"), ({"rate": "7,4"}, "rate"), ({"rate": ""}, "rate"), ({"base": "QQQ"}, "base"),
        ({"quote": "MTC"}, "quote"), ({"valid_from": "soon"}, "valid_from"),
        ({"valid_from": "2099-01-01T00:00:00"}, "valid_from"),
        ({"valid_from": "2001-01-01T00:00:00+00:00"}, "valid_from"), ({"more": "1"}, "evidence"),
    ],
)  # fmt: skip
def test_evidence_that_is_no_rate_cannot_be_asked_for_by_any_road(
    finance: User, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        asked(finance, **changes)  # type: ignore[arg-type]
    assert field in refusal.value.fields
    assert Act.objects.count() == 0


def test_nobody_approves_their_own_rate_by_form_url_or_sql_p6(client: Client) -> None:
    root = factories.make_user("root", is_superuser=True)
    act = asked(root)
    client.force_login(root)
    url = act_forms.url_of("approve", act.pk)
    assert "This is your own request." in client.get(url).content.decode()
    form = {"form_token": "a" * 32, "seen": "x", "step": "do", "reason": "mine"}
    assert client.post(url, form).status_code == 200
    with pytest.raises(errors.FourEyesRequired):
        decide(act, root)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Act.objects.filter(pk=act.pk).update(state="executed", decided_by=root, decided_at=clock.now())
    assert transactions.constraint_name(refusal.value) == "act_four_eyes"
    act.refresh_from_db()
    assert (act.state, ExchangeRate.objects.count()) == ("requested", 0)


@pytest.mark.parametrize("changes", [{}, {"rate": Decimal(8)}, {"quote": "HKD"}, {"request_id": "r2"}])
def test_the_database_takes_no_rate_of_a_person_without_its_act_p6(
    finance: User, approver: User, changes: dict[str, Any]
) -> None:
    if changes:
        decide(asked(finance, base="USDT"), approver)
    count, now = ExchangeRate.objects.count(), clock.now()
    row = {
        "base": "USDT", "quote": "CNY", "rate": Decimal("7.47"), "request_id": "r1", "reason": "alone",
        "now": now, "user": approver, **changes,
    }  # fmt: skip
    with pytest.raises((IntegrityError, errors.DomainError)) as refusal, transaction.atomic():
        rates.add(**row)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    names = {"exchange_rate_has_act", "exchange_rate_once_for_act"}
    assert transactions.constraint_name(refusal.value) in names  # type: ignore[arg-type, operator]
    assert ExchangeRate.objects.count() == count


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "changes",
    [
        {}, {"rate": Decimal(8)}, {"base": "USDC"}, {"quote": "HKD"}, {"valid_from": 1}, {"user": "finance"},
        {"request_id": "r2"},
    ],
)  # fmt: skip
def test_the_database_takes_of_an_act_only_the_rate_that_was_approved_p6(
    finance: User, approver: User, owner_connection: psycopg.Connection, changes: dict[str, Any]
) -> None:
    act = decide(asked(finance, base="USDT"), approver)
    assert act.decided_at is not None
    # Out of the way of the unique request id, which would stop every second rate of the act before the look.
    owner_connection.execute("ALTER TABLE channels_exchangerate DISABLE TRIGGER USER")
    owner_connection.execute("DELETE FROM channels_exchangerate")
    owner_connection.execute("ALTER TABLE channels_exchangerate ENABLE TRIGGER USER")
    row: dict[str, Any] = {
        "base": "USDT", "quote": "CNY", "rate": Decimal("7.47"), "request_id": "r1", "reason": "again",
        "now": act.decided_at, "user": approver, **changes,
    }  # fmt: skip
    if "valid_from" in changes:
        row["valid_from"] = act.decided_at + timedelta(seconds=1)
    if "user" in changes:
        row["user"] = finance
    if not changes:
        assert rates.add(**row).rate == Decimal("7.47")
        return
    with pytest.raises(IntegrityError) as refusal:
        rates.add(**row)
    assert transactions.constraint_name(refusal.value) == "exchange_rate_has_act"
    assert ExchangeRate.objects.count() == 0


def test_a_rate_whose_moment_has_passed_is_refused_and_can_be_rejected(
    client: Client, finance: User, approver: User
) -> None:
    start = clock.now() - timedelta(minutes=1)
    act = asked(finance, valid_from=start.isoformat(), now=start - timedelta(hours=1))
    with pytest.raises(new_rates.TooLate):
        decide(act, approver)
    with pytest.raises(new_rates.TooLate):
        decide(act, approver, now=start)
    client.force_login(approver)
    for url in (
        reverse("admin:operations_act_change", args=[act.pk]), act_forms.url_of("approve", act.pk)
    ):  # fmt: skip
        assert str(new_rates.TooLate.words) in client.get(url).content.decode()
    act.refresh_from_db()
    assert (act.state, ExchangeRate.objects.count()) == ("requested", 0)
    rejected = approvals.reject(act_id=act.pk, user=approver, reason="late", now=clock.now())
    assert (rejected.state, ExchangeRate.objects.count()) == ("rejected", 0)


def test_the_second_of_two_for_one_moment_changes_nothing(finance: User, approver: User) -> None:
    start = (clock.now() + timedelta(days=1)).isoformat()
    first, second = (
        asked(finance, request_id=name, rate=rate, valid_from=start)
        for name, rate in (("a", "7"), ("b", "8"))
    )
    decide(first, approver)
    with pytest.raises(errors.InvalidInput, match="begins at this very moment"):
        decide(second, approver)
    second.refresh_from_db()
    assert (second.state, ExchangeRate.objects.get().rate) == ("requested", Decimal(7))


def test_the_list_says_which_rate_is_in_force_and_leads_to_the_next(client: Client, finance: User) -> None:
    make("7.1")
    made = make("7.47")
    make("8", hours=1)
    client.force_login(finance)
    page = client.get(reverse(LIST)).content.decode()
    assert "1 MTC = 7.47 CNY" in page
    words = [page.index(word) for word in ("to come", "in force", "over")]
    assert words == sorted(words)
    assert page.count('class="badge success"') == 1
    record = client.get(reverse("admin:channels_exchangerate_change", args=[made.pk])).content.decode()
    assert 'href="/admin/acts/add_rate/MTC-CNY/"' in record
    opened = client.get("/admin/acts/add_rate/MTC-CNY/").content.decode()
    assert "1 MTC = 8 CNY" in opened


@pytest.mark.parametrize("name", ["add", "change", "delete"])
def test_nobody_adds_changes_or_deletes_a_rate_alone(client: Client, name: str) -> None:
    made = make()
    client.force_login(factories.make_user("boss", is_superuser=True))
    url = reverse(f"admin:channels_exchangerate_{name}", args=[] if name == "add" else [made.pk])
    response = client.post(url, {**TYPED, "rate": "9", "reason": "alone"})
    assert response.status_code == 403
    assert ExchangeRate.objects.get().rate == Decimal("7.47")


@pytest.mark.parametrize("pair", ["MTC", "MTC-", "MTC-QQQ", "MTC-MTC", "x" * 70])
def test_a_pair_that_is_none_is_not_found(client: Client, finance: User, pair: str) -> None:
    client.force_login(finance)
    assert client.get(f"/admin/acts/add_rate/{pair}/").status_code == 404


def test_operations_staff_look_on(client: Client, operator: User) -> None:
    make()
    client.force_login(operator)
    page = client.get(reverse(LIST))
    assert page.status_code == 200
    assert NEW not in page.content.decode()
    assert client.get(NEW).status_code == 403
