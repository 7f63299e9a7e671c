"""Telling merchants again and closing cases, through the pages (N1, P8, A1)."""

from __future__ import annotations

import functools
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from records.models import Case, Notification
from tests import factories
from tests.operations import act_forms
from tests.records.test_resending import failed
from tests.support.desk import Desk, desk, open_desk, upstream
from tests.support.together import at_once

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _signed_in(client: Client, operator: User) -> None:
    client.force_login(operator)


def resend_url(row: Notification) -> str:
    return act_forms.url_of("resend_notification", row.pk)


def all_url(desk: Desk) -> str:
    return act_forms.url_of("resend_failed_notifications", desk.registered.merchant.pk)


def window(*, hours: float = 24, ago: float = 0) -> dict[str, str]:
    """Return what is typed for a window of so many hours that ended so many hours ago, in Shanghai."""
    zone = timezone.get_fixed_timezone(480)
    until = clock.now().astimezone(zone) + timedelta(minutes=1) - timedelta(hours=ago)
    since = until - timedelta(hours=hours)
    return {"since": f"{since:%Y-%m-%dT%H:%M}", "until": f"{until:%Y-%m-%dT%H:%M}"}


def sent(client: Client, url: str, **typed: str) -> Any:
    return client.post(url, {**act_forms.opened(client, url), "step": "do", "reason": "because", **typed})


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def states() -> list[str]:
    return list(Notification.objects.order_by("id").values_list("state", flat=True))


def test_one_notification_is_resent_with_before_and_after_and_its_audit_row(
    client: Client, desk: Desk, operator: User
) -> None:
    row = failed(desk)
    shown = client.get(resend_url(row))
    assert act_forms.table(shown) == [
        ("status", "Failed", "Retrying"), ("next attempt", "–", "at once"),
        ("attempts at most", "6, 6 made", "7"),
    ]  # fmt: skip
    button = f">Tell {row.merchant_id} again of {row.order_no}</button>"
    assert button in shown.content.decode()
    answer = sent(client, resend_url(row))
    assert said(answer) == [f"The notification of {row.order_no} is sent again."]
    row.refresh_from_db()
    assert (row.state, row.attempt_count_max) == ("retrying", 7)
    audit = AuditRow.objects.get(action="notification.resend")
    assert (audit.user, audit.address, audit.reason) == (operator, "127.0.0.1", "because")


def test_pages_of_notification_and_order_offer_to_resend(client: Client, desk: Desk) -> None:
    row = failed(desk)
    assert resend_url(row) in client.get(f"/admin/records/notification/{row.pk}/change/").content.decode()
    latest = f"/admin/acts/resend_latest/{row.order_no}/"
    assert latest in client.get(f"/admin/records/payment/{row.payment_id}/change/").content.decode()
    assert client.get(latest)["Location"] == resend_url(row)
    open_order, unheard = desk.deposit(), desk.deposit(notify_url="")
    desk.paid(unheard)
    for order in (open_order, unheard):
        text = client.get(f"/admin/records/payment/{order.pk}/change/").content.decode()
        assert "resend_latest" not in text
        assert client.get(f"/admin/acts/resend_latest/{order.payment_id}/").status_code == 404


def test_one_that_is_being_sent_is_not_resent(client: Client, desk: Desk) -> None:
    payment = desk.deposit()
    desk.paid(payment)
    row = Notification.objects.get()
    form = {**act_forms.opened(client, resend_url(row)), "step": "do", "reason": "because"}
    lease = clock.now() + timedelta(seconds=60)
    Notification.objects.filter(pk=row.pk).update(leased_until=lease, due_at=lease)
    for answer in (client.get(resend_url(row)), client.post(resend_url(row), form)):
        assert "It is being sent at this moment." in answer.content.decode()
    assert not AuditRow.objects.filter(action="notification.resend").exists()
    page = client.get(f"/admin/records/notification/{row.pk}/change/").content.decode()
    assert resend_url(row) not in page


def test_all_that_failed_is_counted_first_and_then_resent(client: Client, desk: Desk, operator: User) -> None:
    rows = [failed(desk) for _ in range(12)]
    look = act_forms.looked(client, all_url(desk), **window())
    table = {label: (before, after) for label, before, after in act_forms.table(look)}
    assert table["failed, latest of their order"] == ("12", "all are due again")
    assert table["pace"] == ("–", "5 a second, the last after 2 s")
    facts = {str(label): str(value) for label, value in look.context["facts"]}
    assert re.findall(r">(PM\d+)</a>", facts["the first of them"]) == [row.order_no for row in rows[:10]]
    assert "and 2 more" in facts["the first of them"]
    assert ">Send 12 notifications again</button>" in look.content.decode()
    assert states() == ["failed"] * 12
    answer = client.post(all_url(desk), act_forms.sent_of(look, **window()))
    assert said(answer) == ["12 notifications are sent again."]
    assert answer["Location"] == (
        f"/admin/records/notification/?merchant={desk.registered.merchant.pk}&state=retrying"
    )
    assert client.get(answer["Location"]).status_code == 200
    assert states() == ["retrying"] * 12
    act = AuditRow.objects.get(action="notification.resend_failed")
    assert (act.user, act.reason, act.after["count"]) == (operator, "because", 12)


def test_what_failed_since_the_look_is_looked_at_once_more(client: Client, desk: Desk) -> None:
    failed(desk)
    look = act_forms.looked(client, all_url(desk), **window())
    failed(desk)
    answer = client.post(all_url(desk), act_forms.sent_of(look, **window()))
    assert "Nothing was done; look at it once more." in answer.content.decode()
    assert states() == ["failed", "failed"]


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"since": "", "until": "2026-01-02T00:00"}, "since", "This field is required."),
    ({"since": "yesterday", "until": "2026-01-02T00:00"}, "since", "Enter a valid date/time."),
    ({"since": "2026-13-40T00:00", "until": "2026-01-02T00:00"}, "since", "Enter a valid date/time."),
    ({"since": "2026-01-02T00:00", "until": "2026-01-02T00:00"}, "until", "after the beginning"),
    ({"since": "2026-01-01T00:00", "until": "2026-02-01T00:01"}, "until", "at most 31 days"),
    ({"since": "2999-01-01T00:00", "until": "2999-01-02T00:00"}, "since", "in the future"),
    ({"since": "0001-01-01T00:00", "until": "0001-01-02T00:00"}, "since", "No notification"),
    ({"since": "2020-01-01T00:00", "until": "2020-01-02T00:00"}, "since", "No notification"),
]


@pytest.mark.parametrize(("typed", "field", "words"), WRONG)
def test_a_window_that_is_not_possible_stays_beside_its_field(
    client: Client, desk: Desk, typed: dict[str, str], field: str, words: str
) -> None:
    failed(desk)
    look = act_forms.looked(client, all_url(desk), **typed)
    assert (look.status_code, list(act_forms.complaints(look))) == (200, [field])
    assert words in act_forms.complaints(look)[field][0]
    assert look.context["form"]["since"].value() == typed["since"]
    answer = client.post(all_url(desk), act_forms.sent_of(look, **typed))
    assert (answer.status_code, states()) == (200, ["failed"])


def test_the_merchant_is_chosen_by_number_or_from_the_list(client: Client, desk: Desk) -> None:
    merchant = desk.registered.merchant
    page = "/admin/resend-failed-notifications/"
    assert f'<option value="{merchant.pk} Acme">' in client.get(page).content.decode()
    for typed in (merchant.pk, f"  {merchant.pk.lower()} ", f"{merchant.pk} Acme"):
        assert client.get(page, {"merchant": typed})["Location"] == all_url(desk)
    for typed, words in (("PF9999", "There is no merchant"), ("", "Give the"), ("\x00", "no merchant")):
        answer = client.get(page, {"merchant": typed})
        assert (answer.status_code, words in answer.content.decode()) == (422, True)


def test_a_merchants_user_with_the_right_resends_their_own_alone(client: Client, desk: Desk) -> None:
    theirs = open_desk(desk.upstream, "Rival")
    rows = [failed(desk), failed(theirs)]
    rights = ["operations.resend_notification", "operations.resend_failed_notifications"]
    merchant = theirs.registered.merchant
    client.force_login(factories.make_user("spy", merchants=[merchant], permissions=rights))
    for url in (all_url(desk), resend_url(rows[0]), f"/admin/acts/resend_latest/{rows[0].order_no}/"):
        assert client.get(url).status_code == 404
    text = client.get("/admin/resend-failed-notifications/").content.decode()
    assert (merchant.pk in text, desk.registered.merchant.pk in text) == (True, False)
    answer = client.get("/admin/resend-failed-notifications/", {"merchant": desk.registered.merchant.pk})
    assert answer.status_code == 422
    act_forms.done(client, all_url(theirs), **window())
    assert states() == ["failed", "retrying"]


@pytest.mark.django_db(transaction=True)
def test_20_clicks_at_once_resend_once_p8(desk: Desk) -> None:
    for _ in range(3):
        failed(desk)
    client, operator = Client(), factories.make_operator("many")
    client.force_login(operator)
    typed = window()
    form = act_forms.sent_of(act_forms.looked(client, all_url(desk), **typed), **typed)
    clients = [Client() for _number in range(20)]
    for each in clients:
        each.cookies = client.cookies
    answers = at_once([functools.partial(each.post, all_url(desk), form) for each in clients])
    assert Counter(answer.status_code for answer in answers) == {302: 20}
    assert list(Notification.objects.values_list("attempt_count_max", flat=True)) == [7, 7, 7]
    assert AuditRow.objects.filter(action="notification.resend_failed").count() == 1


def test_a_case_is_closed_and_its_page_leads_to_what_else_can_be_done(
    client: Client, desk: Desk, operator: User
) -> None:
    payment = desk.deposit()
    desk.paid(payment, "60")
    case = Case.objects.get()
    url = act_forms.url_of("close_case", case.pk)
    assert url in client.get(f"/admin/records/case/{case.pk}/change/").content.decode()
    shown = client.get(url)
    assert act_forms.table(shown) == [
        ("case", "Open", "Closed"), ("money in suspense", "60.00 CNY", "stays in suspense"),
    ]  # fmt: skip
    number = re.escape(payment.payment_id)
    assert re.search(rf'href="/admin/acts/close_payment/{number}/">Close order', shown.content.decode())
    assert said(sent(client, url, reason="sent back by hand")) == ["The case is closed."]
    case.refresh_from_db()
    assert (case.status, case.closed_by, case.resolution) == ("closed", operator, "sent back by hand")
    assert "This case is closed already." in client.get(url).content.decode()
    assert url not in client.get(f"/admin/records/case/{case.pk}/change/").content.decode()


@pytest.mark.parametrize("role", ["Finance Staff", "Customer Service", "Merchant user", ""])
def test_who_may_not_resend_or_close_a_case_is_refused_and_noted_a1(
    client: Client, desk: Desk, role: str
) -> None:
    row = failed(desk)
    desk.paid(desk.deposit(), "60")
    case = Case.objects.get()
    client.force_login(factories.make_user("person", role=role, merchants=[desk.registered.merchant]))
    urls = [resend_url(row), all_url(desk), act_forms.url_of("close_case", case.pk)]
    assert [client.post(url, {"step": "do"}).status_code for url in urls] == [403, 403, 403]
    refused = AuditRow.objects.filter(action__endswith=".refused").values_list("action", flat=True)
    assert sorted(refused) == [
        "close_case.refused", "resend_failed_notifications.refused", "resend_notification.refused",
    ]  # fmt: skip
    assert (states(), Case.objects.get().status) == (["failed"], "open")
