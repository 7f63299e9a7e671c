"""Another list becomes exportable by declaring its columns; everything else is there."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client

from diamondpay.lib.columns import Table
from diamondpay.models import User
from merchants.registration import Registered
from operations.models import Act
from records.exports import kinds
from records.exports.adminlists import AdminList
from tests import factories
from tests.records.exporting import ZONE, asked, boss, data, filled, folder, made, summed

__all__ = ["boss", "filled", "folder"]

pytestmark = pytest.mark.django_db
_table = Table(Act)
ACTS = AdminList(
    kind="act",
    model=Act,
    columns=(
        _table.moment("requested_at"),
        _table.identifier("request_id"),
        _table.identifier("object_id"),
        _table.text("reason"),
        _table.text("decision_reason", permission="operations.change_act"),
    ),
    group=("object_kind",),
)


@pytest.fixture(autouse=True)
def acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the list of acts be exportable while a test runs."""
    monkeypatch.setattr(kinds, "KINDS", {**kinds.KINDS})
    kinds.add(ACTS, key="act")
    monkeypatch.setattr(type(admin.site.get_model_admin(Act)), "export_kind", "act")


def test_a_declared_list_is_exported_with_its_own_filters_and_order(
    client: Client, boss: User, filled: Registered
) -> None:
    client.force_login(boss)
    page = client.get("/admin/operations/act/?state=requested").content.decode()
    assert "/admin/exports/new/act/?state=requested" in page
    job = made(boss, "act", "state=requested", form="csv")
    rows = Act.objects.filter(state="requested").order_by("-requested_at", "-id")
    assert data(job, boss) == [
        [
            f"{row.requested_at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}",
            row.request_id,
            row.object_id,
            row.reason,
            "",
        ]
        for row in rows
    ]
    assert summed(job) == [["payout", str(rows.count())]]
    assert rows.count() > 1


def test_what_the_person_may_not_see_is_absent_there_too(filled: Registered) -> None:
    reader = factories.make_customer_service()
    assert not kinds.KINDS["act"].is_open_to(reader)
    able = factories.make_user(
        "able", permissions=["operations.view_act", "records.add_exportjob", "records.view_exportjob"]
    )
    assert "decision_reason" not in {each.key for each in kinds.KINDS["act"].offered(able)}
    job = asked(able, "act", "state=requested")
    assert job.columns == ["requested_at", "request_id", "object_id", "reason"]


def test_a_second_kind_of_the_same_name_is_refused() -> None:
    kinds.add(ACTS, key="act")
    with pytest.raises(ValueError, match="already called 'payment'"):
        kinds.add(ACTS, key="payment")
