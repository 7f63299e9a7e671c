"""Cases: closed once, by a person, with what became of it (P8, A1)."""

from __future__ import annotations

import pytest

from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from records import cases
from records.models import Case
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def case(desk: Desk) -> Case:
    """A case of a deposit for which another amount came."""
    desk.paid(desk.deposit(), "60")
    return Case.objects.get()


def test_a_case_is_closed_with_who_when_and_what_became_of_it_a1(case: Case, operator: User) -> None:
    now = clock.now()
    cases.close(case=case, user=operator, resolution=" sent back ", address="203.0.113.9", now=now)
    case.refresh_from_db()
    assert (case.status, case.closed_at, case.closed_by, case.resolution) == (
        "closed", now, operator, "sent back",
    )  # fmt: skip
    row = AuditRow.objects.get(action="case.close")
    assert (row.object_id, row.user, row.address, row.reason, row.before, row.after) == (
        str(case.pk), operator, "203.0.113.9", "sent back", {"status": "open"}, {"status": "closed"},
    )  # fmt: skip


def test_a_case_is_closed_once_and_needs_a_resolution(case: Case, operator: User, finance: User) -> None:
    with pytest.raises(errors.InvalidInput, match="what became of it"):
        cases.close(case=case, user=operator, resolution="  ", address=None, now=clock.now())
    assert Case.objects.get().status == "open"
    cases.close(case=case, user=operator, resolution="sent back", address=None, now=clock.now())
    with pytest.raises(errors.StatusConflict):
        cases.close(case=case, user=finance, resolution="kept", address=None, now=clock.now())
    stored = Case.objects.get()
    assert (stored.resolution, stored.closed_by) == ("sent back", operator)
    assert AuditRow.objects.filter(action="case.close").count() == 1
