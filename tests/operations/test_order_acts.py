"""The pages of direct acts on orders: what they show first, what they do, what they say came of it."""

from __future__ import annotations

import functools
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client

from channels.models import Channel
from channels.upstreams import base
from diamondpay.lib import clock, errors
from diamondpay.models import AuditRow, User
from operations import acts
from records import payer_links
from records.models import Payment, Payout, PayoutAttempt
from tests import factories
from tests.operations import act_forms
from tests.support.desk import Desk, desk, upstream
from tests.support.scripted_upstream import accepted, refused, unknown
from tests.support.together import at_once

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


def sent(client: Client, url: str, **typed: str) -> Any:
    """Open a page of a single step and press its button."""
    return client.post(url, {**act_forms.opened(client, url), "step": "do", "reason": "because", **typed})


def said(answer: Any) -> list[str]:
    """Return what the next page will say."""
    return [str(message) for message in get_messages(answer.wsgi_request)]


def signed_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def close_url(payment: Payment) -> str:
    return act_forms.url_of("close_payment", payment.payment_id)


def ask_url(payment: Payment) -> str:
    return act_forms.url_of("requery_payment", payment.payment_id)


@pytest.fixture
def in_review(desk: Desk) -> Payout:
    desk.fund()
    desk.audit("manual")
    return desk.payout()


def test_closing_shows_what_changes_and_the_button_names_act_and_amount(
    client: Client, desk: Desk, operator: User
) -> None:
    payment = desk.deposit("1234.5")
    shown = signed_in(client, operator).get(close_url(payment))
    assert act_forms.table(shown) == [
        ("status", "In Progress", "Closed"),
        ("the merchant is told", "–", "http://127.0.0.1:9/notify"),
        ("money that still comes", "is credited", "is credited as a late payment"),
    ]
    assert ">Close the order of 1,234.50 CNY</button>" in shown.content.decode()
    payment.refresh_from_db()
    assert (payment.status, AuditRow.objects.filter(object_kind="payment").count()) == (0, 0)


def test_closing_leads_back_to_the_order_with_words_and_an_audit_row_a1(
    client: Client, desk: Desk, operator: User
) -> None:
    payment = desk.deposit()
    answer = sent(signed_in(client, operator), close_url(payment))
    assert answer["Location"] == f"/admin/records/payment/{payment.pk}/change/"
    assert said(answer) == [f"{payment.payment_id} is closed."]
    row = AuditRow.objects.get(action="payment.close")
    assert (row.user, row.address, row.reason, row.after) == (operator, "127.0.0.1", "because", {"status": 3})


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\x00b"])
def test_a_reason_that_is_none_stays_beside_its_field(
    client: Client, desk: Desk, operator: User, reason: str
) -> None:
    payment = desk.deposit()
    answer = sent(signed_in(client, operator), close_url(payment), reason=reason)
    assert (answer.status_code, list(act_forms.complaints(answer))) == (200, ["reason"])
    assert answer.context["form"]["reason"].value() == reason
    payment.refresh_from_db()
    assert payment.status == 0


def test_a_deposit_that_is_paid_while_somebody_looks_is_not_closed(
    client: Client, desk: Desk, operator: User
) -> None:
    payment = desk.deposit()
    form = {**act_forms.opened(signed_in(client, operator), close_url(payment)), "step": "do", "reason": "x"}
    desk.paid(payment)
    answer = client.post(close_url(payment), form)
    assert "This order is Success already; it cannot be closed." in answer.content.decode()
    payment.refresh_from_db()
    assert (payment.status, AuditRow.objects.filter(action="payment.close").count()) == (1, 0)
    assert AuditRow.objects.filter(action="close_payment.refused").count() == 1


ANSWERS = [
    (base.UpstreamState.PAID, "The upstream answered: paid. The order is Success."),
    (base.UpstreamState.FAILED, "The upstream answered: failed. The order is Failed."),
    (base.UpstreamState.PENDING, "The upstream answered: in progress. The order is In Progress."),
    (base.UpstreamState.UNKNOWN, "The upstream answered: unknown. The order is In Progress."),
    (base.UpstreamState.NOT_FOUND, "The upstream answered: not known there. The order is In Progress."),
]


@pytest.mark.parametrize(("state", "words"), ANSWERS)
def test_asking_says_in_words_what_the_upstream_answered(
    client: Client, desk: Desk, operator: User, state: base.UpstreamState, words: str
) -> None:
    payment = desk.deposit()
    desk.upstream.knows(payment.payment_id, state, Decimal(100))
    answer = sent(signed_in(client, operator), ask_url(payment))
    assert said(answer) == [words]
    assert desk.upstream.queries == [payment.payment_id]


def test_asking_again_is_possible_after_a_few_seconds_only(
    client: Client, desk: Desk, operator: User
) -> None:
    payment = desk.deposit()
    form = {**act_forms.opened(signed_in(client, operator), ask_url(payment)), "step": "do", "reason": "x"}
    sent(client, ask_url(payment))
    page = client.get(f"/admin/records/payment/{payment.pk}/change/").content.decode()
    assert (ask_url(payment) in page, close_url(payment) in page) == (False, True)
    assert "asked a moment ago" in client.get(ask_url(payment)).content.decode()
    assert "asked a moment ago" in client.post(ask_url(payment), form).content.decode()
    assert desk.upstream.queries == [payment.payment_id]


def test_a_channel_with_wrong_settings_is_named_and_nothing_breaks(
    client: Client, desk: Desk, operator: User
) -> None:
    payment = desk.deposit()
    factories.set_terms(Channel.objects.filter(pk=payment.channel_id), upstream="gone")
    answer = sent(signed_in(client, operator), ask_url(payment))
    assert said(answer) == ["The upstream was not asked: the settings of channel scripted are wrong."]
    payment.refresh_from_db()
    assert payment.status == 0


class Watching(dict[str, base.Inquiry]):
    """Answers of an upstream, with whether a transaction was open while it was asked."""

    seen: list[bool]

    def get(self, reference: str, default: Any = None) -> Any:
        self.seen.append(connection.in_atomic_block)
        return super().get(reference, default)


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_an_upstream_is_asked_or_sent_to_n3(client: Client, desk: Desk) -> None:
    watching = Watching()
    watching.seen = []
    desk.upstream.inquiries = watching
    desk.upstream.before_answer = lambda _request: watching.seen.append(connection.in_atomic_block)
    desk.fund()
    desk.audit("manual")
    payment, payout = desk.deposit(), desk.payout()
    signed_in(client, factories.make_approver())
    sent(client, ask_url(payment))
    sent(client, act_forms.url_of("approve_payout", payout.payout_id))
    # The deposit's submission, the question, the payout's submission.
    assert watching.seen == [False, False, False]
    payout.refresh_from_db()
    assert (payout.status, payout.submitted_at is not None) == (0, True)


def _many(url: str, user: User, count: int) -> Counter[tuple[int, str]]:
    """Send one form many times at once."""
    client = Client()
    client.force_login(user)
    form = {**act_forms.opened(client, url), "step": "do", "reason": "because"}
    clients = [Client() for _number in range(count)]
    for each in clients:
        each.cookies = client.cookies
    answers = at_once([functools.partial(each.post, url, form) for each in clients])
    return Counter((answer.status_code, answer.headers.get("Location", "")) for answer in answers)


@pytest.mark.django_db(transaction=True)
def test_20_clicks_at_once_do_each_act_once_and_answer_alike_p8(desk: Desk) -> None:
    desk.fund("10000")
    desk.audit("manual")
    approver = factories.make_approver()
    asked, closed = desk.deposit(), desk.deposit()
    approved, rejected = desk.payout(), desk.payout()
    for url, order in (
        (ask_url(asked), asked), (close_url(closed), closed),
        (act_forms.url_of("approve_payout", approved.payout_id), approved),
        (act_forms.url_of("reject_payout", rejected.payout_id), rejected),
    ):  # fmt: skip
        page = f"/admin/records/{order._meta.model_name}/{order.pk}/change/"
        assert _many(url, approver, 20) == {(302, page): 20}
    assert desk.upstream.queries == [asked.payment_id]
    assert PayoutAttempt.objects.get().payout == approved
    assert desk.balances() == (Decimal(10000) - approved.debited_amount, approved.debited_amount)
    actions = Counter(AuditRow.objects.filter(user=approver).values_list("action", flat=True))
    assert actions == {
        "payment.requery": 1, "payment.close": 1, "payout.approve": 1, "payout.reject": 1,
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_of_those_who_approve_and_reject_at_once_one_wins_f8(desk: Desk) -> None:
    desk.fund("10000")
    desk.audit("manual")
    payout = desk.payout()
    clients = [signed_in(Client(), factories.make_finance(f"finance-{number}")) for number in range(8)]
    deeds = []
    for number, each in enumerate(clients):
        url = act_forms.url_of(("approve_payout", "reject_payout")[number % 2], payout.payout_id)
        form = {**act_forms.opened(each, url), "step": "do", "reason": "because"}
        deeds.append(functools.partial(each.post, url, form))
    assert Counter(answer.status_code for answer in at_once(deeds)) == {302: 1, 200: 7}
    assert AuditRow.objects.filter(action__in=["payout.approve", "payout.reject"]).count() == 1
    assert AuditRow.objects.filter(action__endswith=".refused").count() == 7
    payout.refresh_from_db()
    assert (payout.status, desk.balances()[1]) in ((0, payout.debited_amount), (4, Decimal(0)))


ENDS = [
    (accepted("UP-1"), 0, "is approved, and the upstream has accepted it."),
    (refused("closed account"), 2, "is approved; the upstream refused it: closed account."),
    (unknown(), 0, "is approved and sent; what the upstream made of it is not known yet."),
]


@pytest.mark.parametrize(("answered", "status", "words"), ENDS)
def test_approving_sends_and_says_what_came_of_it_p3(
    client: Client, desk: Desk, in_review: Payout, finance: User, answered: base.Submission, status: int,
    words: str,
) -> None:  # fmt: skip
    desk.upstream.answers.append(answered)
    url = act_forms.url_of("approve_payout", in_review.payout_id)
    shown = signed_in(client, finance).get(url)
    assert act_forms.table(shown) == [
        ("status", "Under Review", "In Progress"),
        ("sent to the upstream", "–", "100.00 CNY through scripted, at once"),
        ("available balance", "899.20 CNY", "899.20 CNY"),
        ("frozen balance", "100.80 CNY", "100.80 CNY"),
    ]
    assert ">Approve and send 100.00 CNY</button>" in shown.content.decode()
    assert said(sent(client, url)) == [f"{in_review.payout_id} {words}"]
    in_review.refresh_from_db()
    assert (in_review.status, desk.upstream.references()) == (status, [f"{in_review.payout_id}-1"])


def test_an_amount_that_a_rule_gives_to_two_people_is_not_approved_by_one_p6(
    client: Client, desk: Desk, finance: User
) -> None:
    desk.fund("1000000")
    desk.audit("manual")
    large, small = desk.payout("100000"), desk.payout("99999.99")
    signed_in(client, finance)
    for payout, is_offered in ((large, False), (small, True)):
        page = client.get(f"/admin/records/payout/{payout.pk}/change/").content.decode()
        url = act_forms.url_of("approve_payout", payout.payout_id)
        assert (url in page, act_forms.url_of("reject_payout", payout.payout_id) in page) == (
            is_offered,
            True,
        )
    url = act_forms.url_of("approve_payout", large.payout_id)
    assert "A payout of this amount is reviewed by two people" in client.get(url).content.decode()
    form = {"form_token": "a" * 32, "seen": "", "step": "do", "reason": "because"}
    assert "A payout of this amount is reviewed by two people" in client.post(url, form).content.decode()
    with pytest.raises(errors.FourEyesRequired):
        acts.approve_payout(
            payout_id=large.payout_id, user=finance, reason="x", address=None, now=clock.now()
        )
    large.refresh_from_db()
    assert (large.status, desk.upstream.requests) == (3, [])
    assert AuditRow.objects.filter(action="approve_payout.refused").count() == 1


def test_rejecting_shows_the_money_that_becomes_available_and_releases_it_p2(
    client: Client, desk: Desk, in_review: Payout, finance: User
) -> None:
    url = act_forms.url_of("reject_payout", in_review.payout_id)
    shown = signed_in(client, finance).get(url)
    assert act_forms.table(shown) == [
        ("status", "Under Review", "Review Rejected"),
        ("available balance", "899.20 CNY", "1,000.00 CNY"),
        ("frozen balance", "100.80 CNY", "0.00 CNY"),
        ("the merchant is told", "–", "http://127.0.0.1:9/notify"),
    ]
    assert ">Reject and release 100.80 CNY</button>" in shown.content.decode()
    assert said(sent(client, url)) == [
        f"{in_review.payout_id} is rejected, and its money is available again."
    ]
    assert (desk.balances(), desk.upstream.requests) == ((Decimal(1000), Decimal(0)), [])


def test_the_payment_page_opens_in_a_window_of_its_own_and_who_opened_it_is_kept_a1(
    client: Client, desk: Desk, operator: User
) -> None:
    payment = desk.deposit()
    url = act_forms.url_of("open_payment_page", payment.payment_id)
    page = signed_in(client, operator).get(f"/admin/records/payment/{payment.pk}/change/").content.decode()
    assert f'href="{url}" target="_blank" rel="noopener noreferrer">View payment page</a>' in page
    answer = client.get(url)
    assert answer["Location"] == payer_links.payment_page(payment)
    row = AuditRow.objects.get(action="payment.open_page")
    assert (row.user, row.object_id, row.address) == (operator, payment.payment_id, "127.0.0.1")


def test_a_qr_code_is_drawn_of_what_the_payer_scans_and_of_the_page(
    client: Client, desk: Desk, operator: User
) -> None:
    payment = desk.deposit()
    url = act_forms.url_of("show_payment_qr", payment.payment_id)
    text = signed_in(client, operator).get(url).content.decode()
    assert (text.count('class="qr"'), ">To pay</h2>" in text) == (1, False)
    Payment.objects.filter(pk=payment.pk).update(qr_text="upstream://pay/1")
    text = client.get(url).content.decode()
    assert (text.count('class="qr"'), ">To pay</h2>" in text, "upstream://" in text) == (2, True, False)
    assert AuditRow.objects.filter(action="payment.show_qr", user=operator).count() == 2


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "//evil.example", ""])
def test_an_upstreams_link_that_is_none_is_not_drawn(
    client: Client, desk: Desk, operator: User, link: str
) -> None:
    payment = desk.deposit()
    Payment.objects.filter(pk=payment.pk).update(link=link)
    url = act_forms.url_of("show_payment_qr", payment.payment_id)
    assert signed_in(client, operator).get(url).content.decode().count('class="qr"') == 1


@pytest.mark.parametrize("act", ["open_payment_page", "show_payment_qr"])
def test_a_payment_page_that_is_over_leads_back_with_words_and_is_not_written_down(
    client: Client, desk: Desk, operator: User, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    payment = desk.deposit()
    url = act_forms.url_of(act, payment.payment_id)
    now = clock.now()
    signed_in(client, operator)
    for minutes, is_alive in ((9, True), (10, False)):
        later = now + timedelta(minutes=minutes)
        monkeypatch.setattr("operations.order_acts.clock.now", lambda moment=later: moment)
        answer = client.get(url)
        is_home = answer.headers.get("Location") == f"/admin/records/payment/{payment.pk}/change/"
        assert is_home is not is_alive
    assert said(answer) == [f"The payment page of {payment.payment_id} is over; nobody can pay there now."]
    assert AuditRow.objects.filter(action__startswith="payment.").count() == 1
    assert client.post(url).status_code == 405
