"""What was refused stands in the trail, once, after the rollback; a flood does not fill it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from diamondpay.identity import refusals
from diamondpay.identity.tries import Rule
from diamondpay.lib import errors
from diamondpay.models import AuditRow, User
from merchants.registration import Registered
from operations import acts, approvals
from operations.models import Act
from records.models import Account
from tests import factories

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def refuse(user: User | None = None, *, address: str = "203.0.113.9", now: datetime = NOW) -> bool:
    """Write one refusal."""
    return refusals.write(
        action="page.refused", object_kind="page", object_id="", now=now, user=user, actor="nobody",
        address=address,
    )  # fmt: skip


def test_one_source_fills_thirty_rows_an_hour_and_no_more() -> None:
    assert [refuse() for _each in range(33)] == [True] * 30 + [False] * 3
    assert AuditRow.objects.filter(is_refused=True).count() == 30
    assert refuse(address="203.0.113.8")
    # The next row that is written says how many were left out.
    assert refuse(now=NOW + timedelta(hours=2))
    newest = AuditRow.objects.latest("id")
    assert (newest.address, newest.is_refused, newest.after) == ("203.0.113.9", True, {"left_out_before": 3})


def test_a_person_is_a_source_wherever_they_are() -> None:
    user = factories.make_operator()
    written = [refuse(user, address=f"203.0.113.{number}") for number in range(32)]
    assert written == [True] * 30 + [False] * 2


def test_the_whole_world_fills_three_thousand_rows_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Rule(kind="refusals", limit=5, window=timedelta(hours=1), lock=timedelta(hours=1))
    monkeypatch.setattr(refusals, "OF_ALL", few)
    assert [refuse(address=f"203.0.113.{number}") for number in range(7)] == [True] * 5 + [False] * 2


def test_a_decision_on_ones_own_act_is_refused_and_noted_and_changes_nothing(
    acme: Registered, approver: User
) -> None:
    wallet = acme.wallets[0]
    act = approvals.request(
        kind=Act.Kind.ADJUST_BALANCE, object_kind="merchant_channel", object_id=wallet.pk,
        evidence={"amount": "5"}, reason="x", request_id="a-1", user=approver, now=NOW,
    )  # fmt: skip
    for decide in (approvals.approve, approvals.reject):
        with pytest.raises(errors.FourEyesRequired):
            decide(act_id=act.pk, user=approver, reason="mine", now=NOW)
    act.refresh_from_db()
    balances = {account.balance for account in Account.objects.filter(merchant=acme.merchant)}
    assert (act.state, balances) == (Act.State.REQUESTED, {Decimal(0)})
    rows = list(AuditRow.objects.filter(is_refused=True))
    assert [(row.action, row.object_id, row.user) for row in rows] == [
        ("act.decide", str(act.pk), approver)
    ] * 2
    assert rows[0].reason == str(errors.FourEyesRequired())


def test_closing_an_order_without_the_right_is_noted_with_its_number_and_address(
    acme: Registered, finance: User
) -> None:
    with pytest.raises(errors.NotAllowed):
        acts.close_payment(payment_id="PM1", user=finance, reason="x", address="203.0.113.9", now=NOW)
    row = AuditRow.objects.get(is_refused=True)
    assert (row.action, row.object_kind, row.object_id, row.address, row.actor) == (
        "payment.close", "payment", "PM1", "203.0.113.9", "finance",
    )  # fmt: skip
