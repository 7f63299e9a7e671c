"""The life of a file: refused, queued, built, cancelled, left by the dead, taken, expired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from merchants.models import Membership, Merchant
from merchants.registration import Registered
from records.exports import building, jobs
from records.models import ExportJob
from tests import factories
from tests.records.exporting import (
    State,
    asked,
    boss,
    content,
    filled,
    folder,
    made,
    nearly_full,
)

__all__ = ["boss", "filled", "folder"]

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"columns": ()}, "columns"), ({"columns": ("payment_id", "payment_id")}, "columns"),
        ({"columns": ("party_encrypted",)}, "columns"), ({"format": "xls"}, "format"),
        ({"zone": "Mars/X"}, "zone"),
        ({"query": "amount_min=1e3"}, "filters"), ({"query": "created_from=2026-02-30"}, "filters"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_words_and_leaves_no_job(
    change: dict[str, Any], field: str, boss: User
) -> None:
    wanted = {
        "kind": "payment",
        "query": "",
        "columns": ("payment_id",),
        "format": "xlsx",
        "zone": "UTC",
        **change,
    }
    with pytest.raises(errors.InvalidInput) as refused:
        jobs.request(wanted=jobs.Wanted(**{**wanted, **change}), user=boss, now=clock.now())
    assert list(refused.value.fields) == [field]
    assert not ExportJob.objects.exists()


def test_customer_service_may_look_and_not_export() -> None:
    with pytest.raises(errors.NotAllowed):
        asked(factories.make_customer_service())


def test_two_run_for_each_person_and_the_rest_wait(boss: User, filled: Registered, finance: User) -> None:
    first, second, third = (asked(boss) for _number in range(3))
    theirs = asked(finance)
    claimed = [jobs.claim(now=clock.now(), worker="w") for _number in range(4)]
    assert [job.pk if job else None for job in claimed] == [first.pk, second.pk, theirs.pk, None]
    jobs.fail(job=claimed[0], reason="x", now=clock.now())  # type: ignore[arg-type]
    following = jobs.claim(now=clock.now(), worker="w")
    assert following is not None
    assert following.pk == third.pk


def test_what_a_dead_worker_left_is_built_again_and_given_up_after_three(
    boss: User, filled: Registered
) -> None:
    """F14."""
    job = asked(boss)
    for attempt in range(1, 4):
        claimed = jobs.claim(now=clock.now(), worker="w")
        assert claimed is not None
        assert claimed.attempt_count == attempt
        assert jobs.take_back(now=clock.now()) == 0
        assert jobs.take_back(now=clock.now() + jobs.FIRST_LEASE * 2) == 1
    job.refresh_from_db()
    assert (job.state, job.leased_until) == (State.FAILED, None)
    assert job.error == "The file was begun 3 times, and each time its worker stopped."
    jobs.retry(job=job, user=boss, now=clock.now())
    assert building.build_next(worker="w") is not None
    job.refresh_from_db()
    assert job.state == State.DONE


def test_cancelling_while_it_is_built_leaves_nothing(boss: User, filled: Registered, folder: Path) -> None:
    job = asked(boss)
    claimed = jobs.claim(now=clock.now(), worker="w")
    assert claimed is not None
    jobs.cancel(job=job, user=boss, now=clock.now())
    building.build(job=claimed)
    job.refresh_from_db()
    assert (job.state, job.stored_name) == (State.CANCELLED, "")
    assert list(folder.iterdir()) == []
    with pytest.raises(errors.StatusConflict):
        jobs.cancel(job=job, user=boss, now=clock.now())


@pytest.mark.parametrize("form", ["xlsx", "csv"])
@pytest.mark.parametrize("byte_count", [0, 700, 1500])
def test_a_full_disk_ends_in_words_and_leaves_nothing(
    form: str, byte_count: int, boss: User, filled: Registered, folder: Path
) -> None:
    """F14."""
    job = asked(boss, form=form)
    with nearly_full(byte_count):
        building.build_next(worker="w")
    job.refresh_from_db()
    assert (job.state, job.stored_name, job.sha256) == (State.FAILED, "", "")
    assert job.error.startswith("There is no room left on the disk for this file. Nothing was kept")
    assert list(folder.iterdir()) == []
    jobs.retry(job=job, user=boss, now=clock.now())
    building.build_next(worker="w")
    job.refresh_from_db()
    assert job.state == State.DONE


def test_a_download_asks_again_for_the_right_to_it(boss: User, filled: Registered) -> None:
    clerk = factories.make_merchant_user(filled.merchant)
    job = made(clerk, columns=("payment_id", "merchant_id"))
    assert content(job, clerk)
    Membership.objects.filter(user=clerk).update(
        merchant=Merchant.objects.exclude(pk=filled.merchant.pk).get()
    )
    with pytest.raises(jobs.FileGone, match="rows that you may no longer see"):
        content(job, clerk)
    finance = factories.make_finance()
    theirs = made(finance, columns=("payment_id", "channel_id"))
    role = finance.groups.get()
    role.permissions.remove(role.permissions.get(codename="view_upstreamcall"))
    with pytest.raises(jobs.FileGone, match="column that you may no longer see"):
        content(theirs, User.objects.get(pk=finance.pk))
    finance.groups.clear()
    with pytest.raises(jobs.FileGone, match="no longer see these records"):
        content(theirs, User.objects.get(pk=finance.pk))


def test_a_file_expires_and_is_removed(boss: User, filled: Registered, folder: Path) -> None:
    job = made(boss)
    later = clock.now() + jobs.KEPT + timedelta(minutes=1)
    with pytest.raises(jobs.FileGone, match="expired"):
        jobs.take(job=job, user=boss, now=later)
    (folder / "99-left.part").write_bytes(b"half")
    assert (jobs.expire(now=clock.now()), jobs.expire(now=later)) == (0, 1)
    assert jobs.remove_left_over(now=clock.now()) == 0
    assert jobs.remove_left_over(now=later) == 1
    job.refresh_from_db()
    assert (job.state, job.stored_name, list(folder.iterdir())) == (State.EXPIRED, "", [])


def test_who_asked_for_and_took_which_file_is_audited(boss: User, filled: Registered) -> None:
    """A1."""
    job = made(boss, query="status=1", columns=("payment_id",), address="203.0.113.5")
    jobs.take(job=job, user=boss, now=clock.now(), address="203.0.113.6").close()
    rows = AuditRow.objects.filter(object_kind="exportjob", object_id=str(job.pk)).order_by("id")
    assert [(row.action, row.address, row.user) for row in rows] == [
        ("export.request", "203.0.113.5", boss), ("export.download", "203.0.113.6", boss),
    ]  # fmt: skip
    assert rows[1].after["sha256"] == job.sha256
    assert rows[0].after["filters"] == job.query
