"""Reconciliation of a day, and files that are made every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from decimal import Decimal
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from diamondpay.lib import clock, errors
from diamondpay.models import SavedView, User
from merchants.registration import Registered
from records.exports import building, channel_day, jobs, schedules, sources
from records.models import Account, ExportJob, ExportSchedule, ExportTemplate, Payment
from tests import factories
from tests.records.exporting import (
    ZONE,
    State,
    asked,
    boss,
    data,
    filled,
    folder,
    made,
    nearly_full,
    offered,
    summed,
)

__all__ = ["boss", "filled", "folder"]

pytestmark = pytest.mark.django_db


def test_a_merchants_day_opens_and_closes_with_the_books_balances(boss: User, filled: Registered) -> None:
    job = made(boss, "merchantday", f"merchant={filled.merchant.pk}&day=today", form="csv")
    lines = summed(job)
    wallet = filled.wallets[0]
    balances = dict(Account.objects.filter(merchant_channel=wallet).values_list("kind", "balance"))
    found = {line[1]: line[3:] for line in lines if line[:1] == [wallet.pk]}
    assert {kind: Decimal(line[3].replace(",", "")) for kind, line in found.items()} == {
        "Available": balances["available"], "Frozen": balances["frozen"],
    }  # fmt: skip
    assert [line[0] for line in found.values()] == ["0.00", "0.00"]
    assert [line[4] for line in found.values()] == ["agrees", "agrees"]
    assert sum(Decimal(row[5]) for row in data(job, boss)) == balances["available"] + balances["frozen"]
    eve = made(boss, "merchantday", f"merchant={filled.merchant.pk}&day=yesterday", form="csv")
    assert data(eve, boss) == []


def test_a_channels_day_compares_our_orders_with_its_clearing_account(boss: User, filled: Registered) -> None:
    job = made(boss, "channelday", "channel=sandbox&day=today", form="csv")
    lines = summed(job)
    assert [line for line in lines if line[:1] == ["CNY"]] == [
        ["CNY", "Deposit credit", "6", "-1,800.00", "-1,800.00", "0", "0", "agrees"],
        ["CNY", "Payout debit", "6", "600.00", "600.00", "0", "0", "agrees"],
        ["CNY", "Deposits", "6", "-1,800.00", "6", "-1,800.00", "agrees"],
        ["CNY", "Payouts", "6", "600.00", "6", "600.00", "agrees"],
    ]
    assert {row[8] for row in data(job, boss)} == {"0.00"}


def test_a_channels_day_tells_of_an_order_without_an_entry_and_of_an_entry_without_an_order() -> None:
    """The database lets neither happen; the rows begin at the entries, and could not show the first."""
    entry = {"currency_id": "CNY", "count": 2, "booked": Decimal(-600)}
    table = channel_day.orders_beside_entries(
        [{**entry, "change_type": "deposit_credit"}, {**entry, "change_type": "deposit_refund"}],
        paid=[{"unit": "CNY", "count": 3, "total": Decimal(-900)}],
        sent=[{"unit": "JPY", "count": 1, "total": Decimal(50)}],
        decimals={"CNY": 2, "JPY": 0},
    )
    assert [[cell.value for cell in row] for row in table.rows] == [
        ["CNY", "Deposits", 3, Decimal(-900), 2, Decimal(-600), "DOES NOT AGREE"],
        ["JPY", "Payouts", 1, Decimal(50), 0, Decimal(0), "DOES NOT AGREE"],
    ]


@pytest.mark.parametrize(
    "query", ["merchant=PF9999&day=today", "merchant=&day=", "day=2026-02-30&merchant=PF0001"]
)
def test_a_day_that_cannot_be_meant_is_refused(query: str, boss: User, filled: Registered) -> None:
    with pytest.raises(errors.InvalidInput):
        asked(boss, "merchantday", query)


def schedule(owner: User, recipients: Sequence[User], **options: Any) -> ExportSchedule:
    """Make a schedule of all deposits of the day before, whose time has come."""
    template = ExportTemplate.objects.create(
        owner=owner, kind="payment", name="all", columns=list(offered("payment", owner)), format="csv"
    )
    now = clock.now()
    found = ExportSchedule.objects.create(
        owner=owner, name="daily", kind="payment", query="created=today", template=template, zone=ZONE.key,
        time_of_day="06:00", next_run_at=now, **options,
    )  # fmt: skip
    found.recipients.set(recipients)
    found.refresh_from_db()
    return found


def test_a_schedule_makes_one_file_for_each_recipient_of_what_they_may_see(
    boss: User, filled: Registered
) -> None:
    clerk = factories.make_merchant_user(filled.merchant)
    daily = schedule(boss, [boss, clerk])
    assert schedules.run_due(now=clock.now()) == 2
    assert schedules.run_due(now=clock.now()) == 0
    while building.build_next(worker="w") is not None:
        pass
    found = {job.requested_by: job for job in ExportJob.objects.filter(schedule=daily)}
    assert {user: job.state for user, job in found.items()} == {boss: State.DONE, clerk: State.DONE}
    assert (len(data(found[boss], boss)), len(data(found[clerk], clerk))) == (8, 4)
    assert found[boss].expires_at - found[boss].finished_at == jobs.KEPT_SCHEDULED  # type: ignore[operator]
    daily.refresh_from_db()
    assert daily.next_run_at is not None
    assert daily.next_run_at.astimezone(ZONE).strftime("%H:%M") == "06:00"
    assert daily.next_run_at > clock.now()


def test_a_schedule_tells_who_may_not_have_it_any_more_and_serves_the_others(
    boss: User, filled: Registered
) -> None:
    gone = factories.make_customer_service()
    daily = schedule(boss, [boss, gone])
    assert schedules.run_due(now=clock.now()) == 1
    daily.refresh_from_db()
    assert (daily.failure_count, daily.last_error) == (1, "service: You are not allowed to do this.")
    building.build_next(worker="w")
    daily.refresh_from_db()
    assert daily.failure_count == 1
    daily.recipients.remove(gone)
    ExportSchedule.objects.update(next_run_at=clock.now())
    assert schedules.run_due(now=clock.now()) == 1
    building.build_next(worker="w")
    daily.refresh_from_db()
    assert (daily.failure_count, daily.last_error) == (0, "")


@pytest.mark.parametrize(
    ("zone", "at", "after", "wanted"),
    [
        ("Asia/Shanghai", "06:00", "2026-01-01T00:00", "2026-01-01T22:00"),
        ("Europe/Berlin", "02:30", "2026-03-28T12:00", "2026-03-29T01:30"),
        ("Europe/Berlin", "02:30", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("Europe/Berlin", "02:30", "2026-10-25T00:30", "2026-10-26T01:30"),
    ],
)
def test_a_time_of_day_comes_once_a_day_whatever_the_clocks_do(
    zone: str, at: str, after: str, wanted: str
) -> None:
    """A2."""
    found = schedules.next_run(
        time_of_day=time.fromisoformat(at), zone=ZoneInfo(zone),
        after=datetime.fromisoformat(f"{after}+00:00"),
    )  # fmt: skip
    assert f"{found:%Y-%m-%dT%H:%M}" == wanted


def test_a_refused_source_fails_in_words(boss: User, filled: Registered) -> None:
    job = asked(boss)
    User.objects.filter(pk=boss.pk).update(is_superuser=False)
    building.build_next(worker="w")
    job.refresh_from_db()
    assert (job.state, job.error) == (State.FAILED, "boss may no longer export these records.")
    assert sources.currency_decimals()["CNY"] == 2
    assert Payment.objects.count() == 8


@pytest.mark.parametrize("by", ["service", "channel", "merchant", "hour", "day", "month"])
def test_statistics_go_into_a_file_as_their_page_shows_them(by: str, boss: User, filled: Registered) -> None:
    job = made(boss, "statistics", f"kind=payment&by={by}&created=today", form="csv")
    rows = data(job, boss)
    assert sum(int(row[4]) for row in rows) == 8
    assert sum(Decimal(row[9]) for row in rows) == 2400
    assert [line[:5] for line in summed(job)] == [["CNY", "CNY", "8", "6", "2,400.00"]]
    if by == "merchant":
        assert [row[1] for row in rows] == ["Acme", "Other"]


@pytest.mark.parametrize(
    "query", ["by=nothing", "kind=case", "created=someday", "by=hour&created=last_month"]
)
def test_statistics_that_cannot_be_meant_are_refused(query: str, boss: User) -> None:
    with pytest.raises(errors.InvalidInput):
        asked(boss, "statistics", query)


def test_the_home_page_tells_its_owner_of_a_scheduled_file_that_failed(
    client: Client, boss: User, finance: User, filled: Registered
) -> None:
    daily = schedule(finance, [finance])
    client.force_login(finance)
    assert "Scheduled files that failed" not in client.get("/admin/").content.decode()
    ExportSchedule.objects.filter(pk=daily.pk).update(failure_count=3, last_error="The disk is full.")
    page = client.get("/admin/").content.decode()
    assert "Scheduled files that failed" in page
    assert "The disk is full." in page
    client.force_login(factories.make_finance("colleague"))
    assert "The disk is full." not in client.get("/admin/").content.decode()


def test_a_scheduled_file_that_fails_is_tried_three_times_and_then_shown_and_the_next_success_clears_it(
    client: Client, boss: User, filled: Registered
) -> None:
    daily = schedule(boss, [boss])
    assert schedules.run_due(now=clock.now()) == 1
    job = ExportJob.objects.get(schedule=daily)
    states = []
    with nearly_full(0):
        for _attempt in range(3):
            building.build_next(worker="w")
            job.refresh_from_db()
            states.append(job.state)
    assert states == [State.QUEUED, State.QUEUED, State.FAILED]
    daily.refresh_from_db()
    assert (daily.failure_count, daily.last_error) == (1, job.error)
    client.force_login(boss)
    assert job.error in unescape(client.get("/admin/").content.decode())
    ExportSchedule.objects.update(next_run_at=clock.now())
    schedules.run_due(now=clock.now())
    building.build_next(worker="w")
    daily.refresh_from_db()
    assert (daily.failure_count, daily.last_error) == (0, "")


def test_a_schedule_takes_the_filters_of_a_saved_view(client: Client, boss: User, finance: User) -> None:
    client.force_login(finance)
    template = ExportTemplate.objects.create(
        owner=finance, kind="payment", name="all", columns=["payment_id"], format="csv"
    )
    query = "created=yesterday&status=1&columns=fee&view=3&p=2"
    views = [
        SavedView.objects.create(owner=finance, page=page, name="paid", query=query)
        for page in ("payment", "payout")
    ]
    theirs = SavedView.objects.create(owner=boss, page="payment", name="theirs", query="status=0")
    typed = {
        "name": "daily", "kind": "payment", "template": template.pk, "time_of_day": "06:00",
        "is_active": "on", "zone": "Asia/Shanghai", "recipients": [finance.pk], "query": "",
    }  # fmt: skip
    url = "/admin/records/exportschedule/add/"
    for wrong in (views[1], theirs):
        assert client.post(url, {**typed, "view": wrong.pk}).status_code == 200
    assert not ExportSchedule.objects.exists()
    assert client.post(url, {**typed, "view": views[0].pk}).status_code == 302
    assert ExportSchedule.objects.get().query == "created=yesterday&status=1"
