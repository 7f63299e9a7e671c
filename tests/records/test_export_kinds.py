"""Another list becomes exportable by declaring its columns; everything else is there."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client

from diamondpay.lib.columns import Table
from diamondpay.models import AuditRow, User
from merchants.registration import Registered
from records.exports import kinds
from records.exports.adminlists import AdminList
from tests import factories
from tests.records.exporting import ZONE, asked, boss, data, filled, folder, made, summed

__all__ = ["boss", "filled", "folder"]

pytestmark = pytest.mark.django_db
_table = Table(AuditRow)
TRAIL = AdminList(
    kind="auditrow",
    model=AuditRow,
    columns=(
        _table.moment("created_at"),
        _table.text("actor"),
        _table.text("action"),
        _table.identifier("object_id"),
        _table.text("address", permission="diamondpay.change_auditrow"),
    ),
    group=("object_kind",),
)


@pytest.fixture(autouse=True)
def trail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the audit trail be exportable while a test runs."""
    monkeypatch.setattr(kinds, "KINDS", {**kinds.KINDS})
    kinds.add(TRAIL, key="auditrow")
    monkeypatch.setattr(type(admin.site.get_model_admin(AuditRow)), "export_kind", "auditrow")


def test_a_declared_list_is_exported_with_its_own_filters_and_order(
    client: Client, boss: User, filled: Registered
) -> None:
    client.force_login(boss)
    page = client.get("/admin/diamondpay/auditrow/?object_kind=payout").content.decode()
    assert "/admin/exports/new/auditrow/?object_kind=payout" in page
    job = made(boss, "auditrow", "object_kind=payout", form="csv")
    rows = AuditRow.objects.filter(object_kind="payout").order_by("-created_at", "-id")
    assert data(job, boss) == [
        [f"{row.created_at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}", row.actor, row.action, row.object_id, ""]
        for row in rows
    ]
    assert summed(job) == [["payout", str(rows.count())]]
    assert rows.count() > 1


def test_what_the_person_may_not_see_is_absent_there_too(filled: Registered) -> None:
    reader = factories.make_finance()
    assert not kinds.KINDS["auditrow"].is_open_to(reader)
    able = factories.make_user(
        "able", permissions=["diamondpay.view_auditrow", "records.add_exportjob", "records.view_exportjob"]
    )
    assert "address" not in {each.key for each in kinds.KINDS["auditrow"].offered(able)}
    job = asked(able, "auditrow", "object_kind=payout")
    assert job.columns == ["created_at", "actor", "action", "object_id"]


def test_a_second_kind_of_the_same_name_is_refused() -> None:
    kinds.add(TRAIL, key="auditrow")
    with pytest.raises(ValueError, match="already called 'payment'"):
        kinds.add(TRAIL, key="payment")
