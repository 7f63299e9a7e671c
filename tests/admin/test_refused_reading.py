"""A1: who is refused a page that shows in clear what others mask stands in the trail, once a minute."""

from __future__ import annotations

import functools
from collections import Counter

import pytest
from django.test import Client

from diamondpay.models import AuditRow, User
from records.models import Payment
from tests import factories
from tests.support.desk import Desk, desk, open_desk, upstream
from tests.support.together import at_once

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
PAGES = ("open_payment_page", "show_payment_qr")


def told() -> list[tuple[str, str, str, str | None]]:
    """Return who was refused which object, and from where."""
    rows = AuditRow.objects.filter(action="page.refused", is_refused=True).order_by("id")
    return [(row.actor, row.object_kind, row.object_id, row.address) for row in rows]


@pytest.fixture
def payment(desk: Desk) -> Payment:
    return desk.deposit()


@pytest.mark.parametrize("page", PAGES)
def test_whoever_may_not_open_the_payers_page_is_noted(
    client: Client, auditor: User, payment: Payment, page: str
) -> None:
    client.force_login(auditor)
    url = f"/admin/acts/{page}/{payment.payment_id}/"
    assert client.get(url).status_code == 403
    assert told() == [("auditor", "payment", payment.payment_id, "127.0.0.1")]
    assert AuditRow.objects.get(is_refused=True).after == {"page": url, "method": "GET"}


@pytest.mark.parametrize("page", PAGES)
def test_another_merchants_person_finds_nothing_and_is_noted(
    client: Client, desk: Desk, payment: Payment, page: str
) -> None:
    rival = open_desk(desk.upstream, "Rival")
    client.force_login(factories.make_user("spy", is_superuser=True, merchants=[rival.registered.merchant]))
    assert client.get(f"/admin/acts/{page}/{payment.payment_id}/").status_code == 404
    assert told() == [("spy", "payment", payment.payment_id, "127.0.0.1")]


def test_whoever_may_not_take_a_proof_is_noted(client: Client) -> None:
    client.force_login(factories.make_user("nobody"))
    assert client.get("/admin/proofs/PRF1/").status_code == 403
    assert told() == [("nobody", "proof", "PRF1", "127.0.0.1")]


def test_what_no_table_can_hold_is_noted_without_it(client: Client) -> None:
    client.force_login(factories.make_user("nobody"))
    assert client.get("/admin/proofs/a%00b/").status_code == 403
    assert told() == [("nobody", "proof", "a\ufffdb", "127.0.0.1")]


def test_the_same_page_is_noted_once_a_minute_and_another_one_by_itself(
    client: Client, auditor: User, payment: Payment
) -> None:
    client.force_login(auditor)
    urls = [f"/admin/acts/{page}/{payment.payment_id}/" for page in PAGES]
    for url in [*urls, *urls, *urls]:
        assert client.get(url).status_code == 403
    pages = AuditRow.objects.filter(is_refused=True).order_by("id").values_list("after__page", flat=True)
    assert list(pages) == urls


def test_who_may_look_leaves_the_row_of_the_look_alone(
    client: Client, operator: User, payment: Payment
) -> None:
    client.force_login(operator)
    assert client.get(f"/admin/acts/show_payment_qr/{payment.payment_id}/").status_code == 200
    assert list(AuditRow.objects.filter(user=operator).values_list("action", flat=True)) == [
        "payment.show_qr"
    ]


def test_a_refused_page_that_shows_nothing_in_clear_is_not_noted(client: Client) -> None:
    client.force_login(factories.make_user("nobody"))
    assert client.get("/admin/auth/group/add/").status_code == 403
    assert client.get("/admin/nowhere/").status_code == 404
    assert told() == []


@pytest.mark.django_db(transaction=True)
def test_20_refused_looks_at_once_are_one_row(client: Client, desk: Desk) -> None:
    payment = desk.deposit()
    client.force_login(factories.make_auditor())
    clients = [Client() for _number in range(20)]
    for each in clients:
        each.cookies = client.cookies
    url = f"/admin/acts/show_payment_qr/{payment.payment_id}/"
    answers = at_once([functools.partial(each.get, url) for each in clients])
    assert Counter(answer.status_code for answer in answers) == {403: 20}
    assert told() == [("auditor", "payment", payment.payment_id, "127.0.0.1")]
