"""The audit trail: found by who, what, object, time, address and outcome; read in words; taken as a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from diamondpay import audit
from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from merchants.registration import Registered
from records import audit_trail
from records.exports import kinds
from tests import factories
from tests.admin.test_lists import rows
from tests.lib import spreadsheets

pytestmark = pytest.mark.django_db
LIST = "/admin/diamondpay/auditrow/"


@pytest.fixture
def boss(client: Client) -> User:
    """A Super Administrator by role, signed in."""
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


@pytest.fixture
def trail(boss: User, operator: User) -> list[AuditRow]:
    """Four rows: two deeds and a refusal of the operator, and one of a command."""
    now = clock.now()

    def write(ago: int, action: str, kind: str, key: str, **more: Any) -> AuditRow:
        return audit.write(
            action=action, object_kind=kind, object_id=key, now=now - timedelta(hours=ago), **more
        )

    return [
        write(1, "payment.close", "payment", "PM1", user=operator, address="203.0.113.1", reason="twice"),
        write(2, "merchant.change", "merchant", "PF0001", user=operator, address="203.0.113.2"),
        write(30, "payment.close", "payment", "PM2", user=operator, address="203.0.113.1", is_refused=True),
        write(60 * 24, "user.change", "user", str(operator.pk), actor="create_user"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [0, 1, 2, 3]),
        ({"actor": "operator"}, [0, 1, 2]),
        ({"what": "payment.close"}, [0, 2]),
        ({"what": ["payment.close", "merchant.change"]}, [0, 1, 2]),
        ({"is_refused": "1"}, [2]),
        ({"is_refused": "0", "actor": "operator"}, [0, 1]),
        ({"address": "203.0.113.1"}, [0, 2]),
        ({"object_kind": "merchant"}, [1]),
        ({"q": "PM2"}, [2]),
        ({"created": "7d", "what": "payment.close"}, [0, 2]),
        ({"what": "never.done"}, []),
    ],
)
def test_rows_are_found_by(
    client: Client, trail: list[AuditRow], query: dict[str, Any], found: list[int]
) -> None:
    assert [row.pk for row in rows(client.get(LIST, query))] == [trail[number].pk for number in found]


def test_an_address_that_is_none_is_refused_in_words(client: Client, trail: list[AuditRow]) -> None:
    answer = client.get(LIST, {"address": "nowhere"})
    assert "“nowhere” is not an IP address." in answer.content.decode()
    assert rows(answer) == []


def test_the_filter_offers_what_was_ever_done_in_words(client: Client, trail: list[AuditRow]) -> None:
    (control,) = (each for each in client.get(LIST).context["cl"].controls if each.name == "what")
    assert [(value, words) for value, words, _set in control.options] == [
        ("merchant.change", "Changed: merchant"), ("payment.close", "Deposit order: close"),
        ("user.change", "Changed: user"),
    ]  # fmt: skip


def test_the_list_says_what_was_refused(client: Client, trail: list[AuditRow]) -> None:
    text = client.get(LIST, {"is_refused": "1"}).content.decode()
    assert "refused" in text.partition("<tbody>")[2].lower()


def test_a_row_shows_before_and_after_as_a_table_and_leads_to_its_object(
    client: Client, boss: User, acme: Registered
) -> None:
    page = f"/admin/merchants/merchant/{acme.merchant.pk}/change/"
    row = audit.write(
        action="merchant.change", object_kind="merchant", object_id=acme.merchant.pk, now=clock.now(),
        user=boss, before={"name": "Acme", "is_md5_allowed": True, "status": "active"},
        after={"name": "Acme <b>Ltd</b>", "is_md5_allowed": False, "status": "disabled"},
    )  # fmt: skip
    answer = client.get(f"{LIST}{row.pk}/change/")
    found = {each.label: (each.before, each.after) for each in answer.context["changes"]}
    assert found["Name"] == ("Acme", "Acme <b>Ltd</b>")
    assert ("Yes", "No") in found.values()
    text = answer.content.decode()
    assert "Acme &lt;b&gt;Ltd&lt;/b&gt;" in text
    assert f'href="{page}"' in text


def test_lists_of_names_show_what_came_and_went(client: Client, boss: User) -> None:
    row = audit.write(
        action="user.change", object_kind="user", object_id="1", now=clock.now(), user=boss,
        before={"groups": ["A", "B"]}, after={"groups": ["B", "C"]},
    )  # fmt: skip
    (change,) = audit_trail.changes(row)
    assert (change.label, change.gone, change.added) == ("Groups", ("A",), ("C",))
    assert audit_trail.summary(row) == "Groups: − A, + C"


@pytest.mark.parametrize(
    ("kind", "key"),
    [("payment", "PM404"), ("merchant", "PF9999"), ("nothing", "1"), ("user", "x"), ("user", "")],
)
def test_a_row_of_something_that_is_not_there_still_opens(
    client: Client, boss: User, kind: str, key: str
) -> None:
    row = audit.write(action=f"{kind}.change", object_kind=kind, object_id=key, now=clock.now(), user=boss)
    answer = client.get(f"{LIST}{row.pk}/change/")
    assert (answer.status_code, answer.context["object_url"]) == (200, "")


def test_the_trail_is_taken_as_a_file_that_holds_what_the_list_shows(
    client: Client, trail: list[AuditRow], boss: User
) -> None:
    boss.groups.get().permissions.add(*Group.objects.get(name="Finance Staff").permissions.all())
    url = "/admin/exports/new/auditrow/"
    form: Any = client.get(f"{url}?actor=operator&is_refused=0").context
    chosen = list(form["choice"].chosen)
    typed = {
        "query": form["query"], "order": chosen, "chosen": chosen, "format": "xlsx", "zone": "UTC",
        "make": "1",
    }  # fmt: skip
    job = client.post(url, typed, follow=True).redirect_chain[-1][0].split("/")[-3]
    answer: Any = client.get(f"/admin/exports/{job}/file/")
    sheet = spreadsheets.sheets(b"".join(answer.streaming_content))["Audit rows"]
    assert [line[2:5] for line in sheet[1:]] == [
        ["operator", "Deposit order: close", None], ["operator", "Changed: merchant", None],
    ]  # fmt: skip


def test_who_may_not_see_the_trail_gets_no_file_of_it(client: Client, finance: User) -> None:
    client.force_login(finance)
    assert client.get("/admin/exports/new/auditrow/").status_code == 403
    assert not kinds.KINDS["auditrow"].is_open_to(finance)
    assert client.get(LIST).status_code == 403


def test_each_filter_is_served_by_an_index(trail: list[AuditRow]) -> None:
    plans = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
        )
        for condition in (
            "actor = 'x'",
            "action = 'x'",
            "address = '203.0.113.1'",
            "object_id = 'x'",
            "is_refused",
        ):
            cursor.execute(
                f"EXPLAIN SELECT id FROM diamondpay_auditrow WHERE {condition} "
                "ORDER BY created_at DESC, id DESC LIMIT 50"
            )
            plans.append("\n".join(line for (line,) in cursor.fetchall()))
    names = ["audit_of_actor", "audit_of_action", "audit_of_address", "audit_of_id", "audit_refused"]
    assert [name in plan for name, plan in zip(names, plans, strict=True)] == [True] * 5
    assert not any("Sort" in plan for plan in plans)


def test_the_newest_come_first_and_the_history_of_an_object_is_whole(client: Client, boss: User) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    for number in range(3):
        audit.write(
            action="merchant.change", object_kind="merchant", object_id="PF1",
            now=long_ago + timedelta(days=number), user=boss,
        )  # fmt: skip
    answer = client.get("/admin/merchants/merchant/PF1/history/", follow=True)
    assert [row.created_at.day for row in rows(answer)] == [3, 2, 1]
