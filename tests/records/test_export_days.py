"""Reconciliation of a day, and files that are made every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from diamondpay.lib import clock, errors
from diamondpay.models import User
from merchants.registration import Registered
from records.exports import building, jobs, schedules, sources
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
    ]
    assert {row[8] for row in data(job, boss)} == {"0.00"}


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
    assert sum(int(row[3]) for row in rows) == 8
    assert sum(Decimal(row[8]) for row in rows) == 2400
    assert [line[:4] for line in summed(job)] == [["CNY", "8", "6", "2,400.00"]]
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
