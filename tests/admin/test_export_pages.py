"""The pages of files: nobody reaches another's job or file by any road, and bad input gets words."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from diamondpay.lib import clock
from diamondpay.models import AuditRow, Preference, User
from merchants.registration import Registered
from records.exports import building, jobs
from records.models import ExportJob, ExportSchedule, ExportTemplate
from tests import factories
from tests.lib import spreadsheets
from tests.records.exporting import ZONE, State, asked, boss, data, filled, folder, made

__all__ = ["boss", "filled", "folder"]

pytestmark = pytest.mark.django_db
NEW = "/admin/exports/new/payment/"


def typed(client: Client, url: str = NEW, **changes: Any) -> dict[str, Any]:
    """Return what the form of a file sends when nothing is touched."""
    choice = client.get(url).context["choice"]
    return {
        "query": client.get(url).context["query"], "order": [each.key for each in choice.order],
        "chosen": list(choice.chosen), "format": choice.format, "zone": "Asia/Shanghai", **changes,
    }  # fmt: skip


def test_a_small_file_is_ready_before_the_next_page_is_shown(
    client: Client, finance: User, filled: Registered
) -> None:
    client.force_login(finance)
    answer = client.post(NEW, typed(client, f"{NEW}?status=1", make="1"), follow=True)
    job = ExportJob.objects.get()
    assert answer.redirect_chain == [(f"/admin/records/exportjob/{job.pk}/change/", 302)]
    assert "Download" in answer.content.decode()
    file: Any = client.get(f"/admin/exports/{job.pk}/file/")
    assert file["Content-Disposition"] == f'attachment; filename="{job.file_name}"'
    assert file["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in file["Cache-Control"]
    rows = spreadsheets.sheets(b"".join(file.streaming_content))["Deposit orders"]
    assert len(rows) == 1 + 6
    assert AuditRow.objects.get(action="export.download").address == "127.0.0.1"


def test_columns_are_moved_by_buttons_and_the_choice_is_remembered(
    client: Client, finance: User, filled: Registered
) -> None:
    client.force_login(finance)
    moved = client.post(NEW, typed(client, move="up:merchant_id"))
    assert [each.key for each in moved.context["choice"].order[:3]] == [
        "payment_id", "merchant_id", "merchant_order_no",
    ]  # fmt: skip
    order = [each.key for each in moved.context["choice"].order]
    client.post(NEW, typed(client, order=order, chosen=["merchant_id", "fee"], format="csv", make="1"))
    assert ExportJob.objects.get().columns == ["merchant_id", "fee"]
    assert Preference.objects.get(key="export:payment").value == {
        "columns": ["merchant_id", "fee"], "format": "csv",
    }  # fmt: skip
    again = client.get(NEW).context["choice"]
    assert (again.chosen, again.format) == (("merchant_id", "fee"), "csv")


def test_a_template_is_shared_with_a_role_and_with_nobody_else(client: Client, finance: User) -> None:
    client.force_login(finance)
    role = finance.groups.get()
    client.post(NEW, typed(client, chosen=["fee"], save="1", name="month end", role=str(role.pk)))
    template = ExportTemplate.objects.get()
    assert (template.owner, template.shared_with, template.columns) == (finance, role, ["fee"])
    client.force_login(factories.make_finance("colleague"))
    used = client.post(NEW, typed(client, use="1", template=str(template.pk)))
    assert used.context["choice"].chosen == ("fee",)
    client.force_login(factories.make_approver("other"))
    assert list(client.get(NEW).context["templates"]) == []
    used = client.post(NEW, typed(client, use="1", template=str(template.pk)))
    assert used.context["choice"].chosen != ("fee",)


def test_what_a_merchants_user_names_reaches_no_other_merchant(client: Client, filled: Registered) -> None:
    clerk = factories.make_merchant_user(filled.merchant)
    client.force_login(clerk)
    client.post(NEW, typed(client, save="1", name="mine", role=str(clerk.groups.get().pk)))
    assert ExportTemplate.objects.get().shared_with is None


@pytest.mark.parametrize("page", ["progress", "file", "cancel", "retry"])
def test_anothers_job_and_file_are_unknown(page: str, client: Client, boss: User, filled: Registered) -> None:
    """Cross-merchant attempts on the addresses of jobs and files."""
    clerk = factories.make_merchant_user(filled.merchant)
    job = made(clerk, columns=("payment_id",))
    for other in (factories.make_merchant_user(filled.merchant, "colleague"), boss, factories.make_finance()):
        client.force_login(other)
        call = client.get if page in ("progress", "file") else client.post
        assert call(f"/admin/exports/{job.pk}/{page}/").status_code == 404
    job.refresh_from_db()
    assert job.state == State.DONE
    assert not AuditRow.objects.filter(action="export.download").exists()


def test_a_job_page_of_anothers_is_for_superusers_alone_and_offers_nothing(
    client: Client, boss: User, filled: Registered
) -> None:
    clerk = factories.make_merchant_user(filled.merchant)
    job = made(clerk, columns=("payment_id",))
    client.force_login(factories.make_finance())
    assert client.get(f"/admin/records/exportjob/{job.pk}/change/").status_code == 302
    client.force_login(boss)
    shown = client.get(f"/admin/records/exportjob/{job.pk}/change/")
    assert shown.status_code == 200
    assert f"/admin/exports/{job.pk}/file/" not in shown.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "amount_min=1e3",
        "created_from=2026-02-30",
        "status=99",
        "merchant=%00",
        "nonsense=1",
        "q=" + "x" * 300,
    ],
)
def test_filters_that_cannot_be_read_get_words(
    query: str, client: Client, finance: User, filled: Registered
) -> None:
    client.force_login(finance)
    shown = client.get(f"{NEW}?{query}")
    assert shown.status_code == 200
    answer = client.post(NEW, typed(client, query=query, make="1"))
    assert answer.status_code in (302, 422)
    assert ExportJob.objects.exists() == (answer.status_code == 302)


@pytest.mark.parametrize(
    "change",
    [
        {"chosen": []}, {"chosen": ["party_encrypted"]}, {"zone": "Mars/X"}, {"zone": ""},
        {"order": ["x"] * 500}, {"format": "exe"}, {"move": "sideways:fee"}, {"move": "up"},
        {"template": "-1", "use": "1"},
        {"template": "9" * 40, "use": "1"}, {"save": "1", "name": ""}, {"save": "1", "name": "\x00"},
        {"save": "1", "name": "n" * 101}, {"save": "1", "name": "n", "role": "9" * 40},
    ],
)  # fmt: skip
def test_a_form_that_nobody_could_send_gets_words_and_never_an_error(
    change: dict[str, Any], client: Client, finance: User, filled: Registered
) -> None:
    client.force_login(finance)
    assert client.post(NEW, typed(client, **change)).status_code in (200, 422)
    assert client.post(NEW, typed(client, make="1", **change)).status_code in (302, 422)


def test_unknown_kinds_and_jobs_are_refused(client: Client, finance: User) -> None:
    client.force_login(finance)
    assert client.get("/admin/exports/new/user/").status_code == 403
    assert client.get("/admin/exports/99999999999999999999/progress/").status_code == 404
    client.force_login(factories.make_customer_service())
    assert client.get(NEW).status_code == 403


def test_a_job_is_cancelled_and_made_again_by_its_buttons(
    client: Client, finance: User, filled: Registered
) -> None:
    client.force_login(finance)
    job = asked(finance)
    client.post(f"/admin/exports/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    again = client.post(f"/admin/exports/{job.pk}/cancel/", follow=True)
    assert "cannot become" in again.content.decode()
    client.post(f"/admin/exports/{job.pk}/retry/")
    job.refresh_from_db()
    assert job.state == State.DONE


def test_an_expired_file_leads_back_to_its_page_with_words(
    client: Client, finance: User, filled: Registered
) -> None:
    client.force_login(finance)
    job = made(finance)
    jobs.expire(now=job.expires_at)  # type: ignore[arg-type]
    answer = client.get(f"/admin/exports/{job.pk}/file/", follow=True)
    assert "This file has expired." in answer.content.decode()
    assert "Make it again" in answer.content.decode()


def test_a_reconciliation_file_is_asked_for_by_owner_and_day(
    client: Client, finance: User, filled: Registered
) -> None:
    client.force_login(finance)
    page = "/admin/reconciliation/"
    assert client.get(page).status_code == 200
    today = clock.now().astimezone(ZONE).date().isoformat()
    answer = client.post(page, {"of": filled.merchant.pk, "day": today, "format": "xlsx"}, follow=True)
    assert "Balances of the day" in answer.content.decode()
    for wrong in ({"of": "PF9999"}, {"day": "2999-01-01"}, {"day": "x"}, {"format": "exe"}):
        typed_in = {"of": filled.merchant.pk, "day": today, "format": "xlsx", **wrong}
        assert client.post(page, typed_in).status_code == 422
    typed_in = {"of": "sandbox", "day": today, "format": "csv"}
    assert client.post(f"{page}?kind=channelday", typed_in).status_code == 302
    client.force_login(factories.make_merchant_user(filled.merchant))
    assert "channelday" not in client.get(page).content.decode()


def test_a_schedule_is_made_by_hand_and_checked(client: Client, finance: User, filled: Registered) -> None:
    client.force_login(finance)
    client.post(NEW, typed(client, save="1", name="daily columns"))
    template = ExportTemplate.objects.get()
    data = {
        "name": "daily", "kind": "payment", "query": "created=yesterday", "template": template.pk,
        "time_of_day": "06:00", "zone": "Asia/Shanghai", "recipients": [finance.pk], "is_active": "on",
    }  # fmt: skip
    url = "/admin/records/exportschedule/add/"
    wrong = ({"query": "created=someday"}, {"query": "nonsense=1"}, {"kind": "payout"}, {"zone": "Mars"})
    for change in wrong:
        assert client.post(url, {**data, **change}).status_code == 200
    barred = factories.make_customer_service()
    assert client.post(url, {**data, "recipients": [barred.pk]}).status_code == 200
    assert not ExportSchedule.objects.exists()
    assert client.post(url, data).status_code == 302
    schedule = ExportSchedule.objects.get()
    assert (schedule.owner, schedule.next_run_at is not None) == (finance, True)
    assert AuditRow.objects.filter(action="exportschedule.create", user=finance).exists()


def test_a_third_file_says_what_it_waits_for(
    client: Client, finance: User, filled: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every file is too large for the request, so that it waits for a worker.
    monkeypatch.setattr(building, "SMALL_ROWS_MAX", -1)
    client.force_login(finance)
    for _number in range(3):
        client.post(NEW, typed(client, make="1"))
    first, second, third = ExportJob.objects.order_by("pk")
    assert "It begins in a moment." in client.get(f"/admin/exports/{first.pk}/progress/").content.decode()
    waiting = client.get(f"/admin/exports/{third.pk}/progress/").content.decode()
    assert "2 files wait before this one." in waiting
    assert [jobs.claim(now=clock.now(), worker="w") for _number in range(3)] == [first, second, None]
    waiting = client.get(f"/admin/exports/{third.pk}/progress/").content.decode()
    assert "Two of your files are being made. This one begins when one of them is ready." in waiting
    assert "3 files" in client.get("/admin/exports/indicator/").content.decode()


@pytest.mark.parametrize("page", ["services", "success-rate"])
def test_both_statistics_lead_to_a_file_of_what_they_show(
    page: str, client: Client, finance: User, filled: Registered
) -> None:
    client.force_login(finance)
    shown = client.get(f"/admin/statistics/{page}/?created=today").content.decode()
    found = re.search(r'href="(/admin/exports/new/statistics/[^"]*)"', shown)
    assert found is not None
    url = unescape(found[1])
    answer = client.post(url, typed(client, url, make="1"), follow=True)
    job = ExportJob.objects.get()
    assert "Download" in answer.content.decode()
    assert job.state == State.DONE
    assert sum(int(row[4]) for row in data(job, finance)) == 8


def test_the_form_of_a_schedule_asks_once_for_all_kinds_of_records(
    client: Client, finance: User, django_assert_max_num_queries: Any
) -> None:
    client.force_login(finance)
    url = "/admin/records/exportschedule/add/"
    client.get(url)
    with django_assert_max_num_queries(20):
        assert client.get(url).status_code == 200
