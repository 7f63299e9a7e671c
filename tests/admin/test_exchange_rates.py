"""The pages of exchange rates: finance adds one, nobody changes one, a bad one is told beside its field."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from channels import rates
from channels.models import ExchangeRate
from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from tests import factories
from tests.admin.forms import errors

pytestmark = pytest.mark.django_db
ADD = "admin:channels_exchangerate_add"
LIST = "admin:channels_exchangerate_changelist"


def typed(**changes: str) -> dict[str, str]:
    return {
        "base": "MTC", "quote": "CNY", "rate": "7.47", "valid_from_0": "", "valid_from_1": "",
        "reason": "the market", **changes,
    }  # fmt: skip


def make(rate: str = "7.47", *, hours: int = 0) -> ExchangeRate:
    now = clock.now()
    return rates.add(
        base="MTC", quote="CNY", rate=Decimal(rate), reason="start", now=now, actor="tests",
        valid_from=now + timedelta(hours=hours),
    )  # fmt: skip


def test_finance_adds_a_rate_with_its_audit_row(client: Client, finance: User) -> None:
    client.force_login(finance)
    response = client.post(reverse(ADD), typed())
    assert (response.status_code, response["location"]) == (302, reverse(LIST))
    made = ExchangeRate.objects.get()
    assert (made.rate, made.created_by, made.reason) == (Decimal("7.47"), finance, "the market")
    row = AuditRow.objects.get(action="exchangerate.create")
    assert (row.user, row.reason, row.object_id) == (finance, "the market", str(made.pk))
    assert rates.at(base="MTC", quote="CNY", moment=clock.now()) == Decimal("7.47")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate": "0"}, "rate"),
        ({"rate": "-1"}, "rate"),
        ({"rate": "1e3"}, "rate"),
        ({"rate": "７"}, "rate"),
        ({"rate": "0.0000000000000000001"}, "rate"),
        ({"quote": "MTC"}, "quote"),
        ({"base": "XXX"}, "base"),
        ({"reason": ""}, "reason"),
        ({"valid_from_0": "2001-01-01", "valid_from_1": "00:00:00"}, "valid_from"),
        ({"valid_from_0": "tomorrow", "valid_from_1": "00:00:00"}, "valid_from"),
    ],
)
def test_a_bad_rate_is_told_beside_its_field_and_kept_on_the_page(
    client: Client, finance: User, changes: dict[str, str], field: str
) -> None:
    client.force_login(finance)
    response = client.post(reverse(ADD), typed(**changes))
    assert response.status_code == 200
    assert list(errors(response)) == [field]
    assert "the market" in response.content.decode() or field == "reason"
    assert (ExchangeRate.objects.count(), AuditRow.objects.count()) == (0, 0)


def test_every_fault_is_told_at_once_in_words_for_people(client: Client, finance: User) -> None:
    client.force_login(finance)
    response = client.post(reverse(ADD), typed(base="", quote="", rate="0", reason=""))
    found = errors(response)
    assert sorted(found) == ["base", "quote", "rate", "reason"]
    assert found["rate"] == ["Give a rate above 0."]


def test_the_second_of_two_for_one_moment_changes_nothing(client: Client, finance: User) -> None:
    client.force_login(finance)
    tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
    at = {"valid_from_0": tomorrow, "valid_from_1": "12:00:00"}
    assert client.post(reverse(ADD), typed(**at)).status_code == 302
    again = client.post(reverse(ADD), typed(**at, rate="8"))
    assert again.status_code == 200
    assert ExchangeRate.objects.get().rate == Decimal("7.47")


def test_the_list_says_which_rate_is_in_force(client: Client, finance: User) -> None:
    make("7.1")
    make("7.47")
    make("8", hours=1)
    client.force_login(finance)
    page = client.get(reverse(LIST)).content.decode()
    assert "1 MTC = 7.47 CNY" in page
    words = [page.index(word) for word in ("to come", "in force", "over")]
    assert words == sorted(words)
    assert page.count('class="badge success"') == 1


@pytest.mark.parametrize("method", ["change", "delete"])
def test_nobody_changes_or_deletes_a_rate(client: Client, method: str) -> None:
    made = make()
    client.force_login(factories.make_user("boss", is_superuser=True))
    response = client.post(reverse(f"admin:channels_exchangerate_{method}", args=[made.pk]), typed(rate="9"))
    assert response.status_code == 403
    assert ExchangeRate.objects.get().rate == Decimal("7.47")


def test_operations_may_look_and_a_merchants_user_may_not(
    client: Client, operator: User, clerk: User
) -> None:
    made = make()
    page = reverse("admin:channels_exchangerate_change", args=[made.pk])
    client.force_login(operator)
    assert [client.get(url).status_code for url in (reverse(LIST), page, reverse(ADD))] == [200, 200, 403]
    client.force_login(clerk)
    assert [client.get(url).status_code for url in (reverse(LIST), page, reverse(ADD))] == [403, 403, 403]
