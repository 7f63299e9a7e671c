"""The list of API calls: its filters, whose rows it shows, and what it says is missing."""

from __future__ import annotations

import pytest
from django.test import Client

from diamondpay.models import User
from merchants.models import ApiCall
from merchants.registration import Registered
from tests import factories
from tests.admin import book
from tests.admin.test_lists import rows

pytestmark = pytest.mark.django_db
LIST = "/admin/merchants/apicall/"


def test_filters_by_merchant_code_path_and_time(client: Client, acme: Registered, rival: Registered) -> None:
    client.force_login(factories.make_operator())
    ours, theirs = book.call(acme, "1"), book.call(rival, "2")
    ApiCall.objects.create(
        merchant=acme.merchant, is_proved=False, api="gateway", method="POST",
        path="/gateway/api/v1/payments", status=200, code="0004", duration_ms=3, request="",
        answer="", lost_before=0, created_at=ours.created_at,
    )  # fmt: skip
    for query, wanted in (
        (f"merchant={rival.merchant.pk}", [theirs.pk]), (f"path={ours.path}", [ours.pk]),
        ("code=0000", [theirs.pk, ours.pk]), (f"code=0004&merchant={rival.merchant.pk}", []),
        ("created=yesterday", []),
    ):  # fmt: skip
        assert [row.pk for row in rows(client.get(f"{LIST}?{query}"))] == wanted, query


def test_a_merchants_user_sees_the_own_calls_and_no_others(
    client: Client, acme: Registered, rival: Registered, clerk: User
) -> None:
    ours, theirs = book.call(acme, "1"), book.call(rival, "2")
    client.force_login(clerk)
    assert [row.pk for row in rows(client.get(LIST))] == [ours.pk]
    assert "payment_cl_id" in client.get(f"{LIST}{ours.pk}/change/").content.decode()
    assert client.get(f"{LIST}{theirs.pk}/change/").status_code == 302
    answer = client.get(f"{LIST}?merchant={rival.merchant.pk}")
    assert rows(answer) == []
    assert "Rival" not in answer.content.decode()


def test_who_sees_all_is_told_how_many_calls_are_missing(
    client: Client, acme: Registered, clerk: User
) -> None:
    call = book.call(acme, "1")
    ApiCall.objects.create(
        merchant=None, is_proved=False, api="gateway", method="GET", path="/gateway/api/v1/payments",
        status=200, code="0005", duration_ms=1, request="", answer="", lost_before=7,
        created_at=call.created_at,
    )  # fmt: skip
    words = "7 calls of the last day were answered as always and are not in this log."
    client.force_login(factories.make_operator())
    assert words in client.get(LIST).content.decode()
    client.force_login(clerk)
    assert words not in client.get(LIST).content.decode()
