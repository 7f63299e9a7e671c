"""The page of one order: its whole life in order of time, its arithmetic, nothing a person may not see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.http import urlencode

from channels.models import Currency
from diamondpay.lib import acts, clock
from diamondpay.models import Preference, User
from merchants.registration import Registered
from operations import acts as deeds
from operations import approvals
from operations.models import Act
from records import submission
from records.admin import facts, parts
from records.models import (
    Notification,
    NotificationAttempt,
    Payment,
    Payout,
    PayoutAttempt,
    UpstreamCallback,
)
from tests import factories
from tests.admin import book
from tests.admin.test_lists import url_of

pytestmark = pytest.mark.django_db

SIGNATURE = "c2lnbmF0dXJlLWNhbmFyeS0wMTIzNDU2Nzg5"
KEY = "platformKeyCanary0123456789ABCDEFGH"


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def owner(db: None) -> Registered:
    """A merchant with money whose upstream cannot be reached."""
    owner = book.merchant("Acme")
    book.fund(owner)
    return owner


def page(client: Client, order: Payment | Payout, query: str = "") -> Any:
    """Open an order's page."""
    response = client.get(f"{url_of(type(order), 'change', order.pk)}{query}")
    assert response.status_code == 200
    return response


def titles(response: Any) -> list[str]:
    """Return what happened, in the page's order."""
    return [str(event.title) for event in response.context["events"]]


def fact(response: Any, label: str) -> tuple[str, str]:
    """Return a fact's value and note as text."""
    found = {str(item.label): item for section in response.context["sections"] for item in section.facts}
    return str(found[label].value), str(found[label].note)


def offered_at(status: int) -> Callable[[Any, Any], bool]:
    """Return an act's condition: the order has this status."""
    return lambda _user, order: bool(order.status == status)


def callback_of(payment: Payment, body: bytes, *, seconds: int = 0) -> UpstreamCallback:
    """Write a callback that named the deposit and waits for its outcome."""
    now = clock.now() + timedelta(seconds=seconds)
    return UpstreamCallback.objects.create(
        channel_id=payment.channel_id, received_at=now, source_address="203.0.113.9", body=body,
        headers={"Authorization": f"Bearer {KEY}", "x-sign": SIGNATURE}, body_bytes=len(body),
        due_at=now + timedelta(hours=1), payment=payment,
    )  # fmt: skip


def sending_of(notification: Notification, number: int, *, body: str = "{}", answer: str = "") -> None:
    """Write one sending of a notification that the merchant did not acknowledge."""
    sent = NotificationAttempt.objects.create(
        notification=notification, number=number, started_at=clock.now(), url=notification.url, body=body
    )
    NotificationAttempt.objects.filter(pk=sent.pk).update(
        finished_at=clock.now(), is_success=False, answer=answer, reason="connection refused", duration_ms=3
    )


def test_the_deposit_page_tells_its_whole_life_in_order_of_time(
    client: Client, boss: User, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1")
    response = page(client, payment)
    assert titles(response) == [
        "Created: In Progress", "Sent to the upstream: unknown", "Booked: deposit credit",
        "In Progress → Success", "Notification of Success waits to be sent",
    ]  # fmt: skip
    events = response.context["events"]
    assert [event.who for event in events[3:4]] == ["Upstream callback"]
    assert events[2].measures == ("Available +299.10 CNY",)
    assert events[1].bodies[0][0] == "Request"
    assert payment.payment_id in events[1].bodies[0][1]
    text = response.content.decode()
    assert f'data-copy="{payment.payment_id}"' in text
    assert f'data-copy="{payment.merchant_order_no}"' in text
    assert payment.channel_order_no in text


def test_the_deposit_page_shows_how_each_amount_comes_about(
    client: Client, boss: User, owner: Registered
) -> None:
    response = page(client, book.deposit(owner, "a1", amount="333.33"))
    assert fact(response, "fee") == (
        '<span class="amount">1.00 <small>CNY</small></span>',
        "3 ‰ of 333.33 = 1.00, rounded half up (exactly 0.99999)",
    )
    assert "332.33" in fact(response, "credited amount")[0]
    assert fact(response, "limits at creation")[0] == "any amount"
    assert fact(response, "account")[0] == "***************0123"
    assert fact(response, "chosen") == ("sandbox", "weight 100")
    rows = response.context["entries"]["rows"]
    assert [(row["account"], row["change"]) for row in rows if row["wallet"].startswith("PFC")] == [
        ("Available", "Deposit credit")
    ]
    wallet = next(row for row in rows if row["account"] == "Available")
    assert "+332.33" in wallet["amount"]
    assert ("100,000.00" in wallet["before"], "100,332.33" in wallet["after"]) == (True, True)


def test_a_mixed_fee_is_explained_as_the_rule_is_written() -> None:
    order = Payment(
        fee_type="mixed", fee_permillage=Decimal("3.0000"), fee_fixed=Decimal(1), fee=Decimal("1.90"),
        settled_amount=Decimal(300), settlement_currency=Currency(code="CNY", exponent=2),
    )  # fmt: skip
    assert facts.fee_words(order) == "3 ‰ of 300.00 + 1.00 = 1.90, rounded half up"
    assert facts.fee_by_rule(order) == Decimal("1.90")
    order.fee_type = "fixed"
    assert facts.fee_words(order) == "fixed: 1.00"
    order.fee_type, order.settled_amount, order.fee = "mixed", None, None
    assert facts.fee_words(order) == "3 ‰ of what arrives, rounded half up + 1.00"


def test_the_payout_page_shows_its_attempts_its_acts_and_both_postings(
    client: Client, boss: User, owner: Registered
) -> None:
    payout = book.payout(owner, "p1")
    approvals.request(
        kind=Act.Kind.FAIL_PAYOUT, object_kind="payout", object_id=payout.payout_id,
        evidence={"proof": "statement", "key": KEY}, reason="bank says no", request_id="r1", user=boss,
        now=clock.now(),
    )  # fmt: skip
    response = page(client, payout)
    reference = f"{payout.payout_id}-1"
    assert titles(response) == [
        "Created: In Progress", "Booked: balance freeze", "Attempt 1 at sandbox sent",
        "Sent to the upstream: unknown", "Attempt 1 succeeded", "Booked: payout debit",
        "In Progress → Success", "Notification of Success waits to be sent",
        "Asked for: Mark a payout as failed",
    ]  # fmt: skip
    act = response.context["events"][-1]
    assert (act.who, act.why) == ("boss", "bank says no")
    assert act.bodies == (("Evidence", '{\n "key": "***",\n "proof": "statement"\n}'),)
    assert response.context["events"][2].link.text == reference
    assert [row["change"] for row in response.context["entries"]["rows"]].count("Balance freeze") == 2
    assert fact(response, "debited amount")[1] == "requested + fee, frozen when the order was made"


def test_a_persons_deed_stands_on_the_timeline_with_its_audit_row(
    client: Client, boss: User, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1", is_paid=False)
    deeds.close_payment(
        payment_id=payment.payment_id, user=boss, reason="payer gave up", address="192.0.2.7", now=clock.now()
    )
    response = page(client, payment)
    audited, closed = response.context["events"][-3:-1]
    assert (audited.title, audited.who, audited.why) == (
        "Audited: payment.close", "boss · 192.0.2.7", "payer gave up",
    )  # fmt: skip
    assert (closed.title, closed.who, closed.why) == (
        "In Progress → Closed", "Operator (boss)", "payer gave up",
    )  # fmt: skip


def test_a_deposit_that_is_stuck_says_what_is_known(client: Client, boss: User, owner: Registered) -> None:
    payment = book.deposit(owner, "a1", is_paid=False)
    submission.query_payment(payment=payment)
    callback_of(payment, b"{}")
    payment.refresh_from_db()
    told = [str(note.text) for note in page(client, payment).context["notes"]]
    assert told[0].endswith("the upstream has not accepted it yet, or its answer was lost.")
    assert told[1].startswith("Upstream answered at ")
    assert payment.next_query_at is not None
    with timezone.override("Asia/Shanghai"):
        assert f"; next query {parts.clock_time(payment.next_query_at, clock.now())}." in told[1]
    assert told[2].startswith("The last callback came at ")


def test_a_payout_whose_fate_is_unknown_says_how_often_the_upstream_was_asked(
    client: Client, boss: User, owner: Registered
) -> None:
    payout = book.payout(owner, "p1", is_paid=False)
    for _time in range(4):
        attempt = PayoutAttempt.objects.select_related("channel", "payout").get(payout=payout)
        submission.query_attempt(attempt=attempt)
    told = [str(note.text) for note in page(client, payout).context["notes"]]
    assert told[0].endswith("; 100.30 CNY are frozen.")
    assert told[1].startswith(f"What became of attempt {payout.payout_id}-1 is unknown")
    assert told[2].startswith("Upstream asked 4 times, last answer at ")
    assert ": unknown (" in told[2]
    assert "; next query " in told[2]
    assert told[3] == "No callback has come from the upstream."


def test_a_payout_in_review_and_a_merchant_not_told_say_so(
    client: Client, boss: User, owner: Registered
) -> None:
    owner.merchant.payout_audit = "manual"
    owner.merchant.save()
    waiting = book.payout(owner, "p1", is_paid=False)
    note = page(client, waiting).context["notes"][0]
    assert (note.tone, str(note.text).split(" for ")[0]) == ("review", "Waits")
    paid = book.deposit(owner, "a1")
    notification = Notification.objects.get(payment=paid)
    for number in range(1, 7):
        sending_of(notification, number)
    Notification.objects.filter(pk=notification.pk).update(
        state="failed",
        attempt_count=6,
        due_at=None,
        finished_at=clock.now(),
        last_reason="connection refused",
    )
    told = page(client, paid).context["notes"][-1]
    words = "The merchant was not told: all 6 attempts failed. connection refused"
    assert (told.tone, told.text) == ("failed", words)


def test_another_amount_than_requested_is_named(client: Client, boss: User, owner: Registered) -> None:
    payment = book.deposit(owner, "a1", is_paid=False)
    book.settled(payment, "299.5")
    response = page(client, payment)
    assert fact(response, "actual amount")[1] == "0.50 less than requested"
    assert "299.50 were paid instead of 300.00" in str(response.context["notes"][0].text)


def test_an_order_opens_by_its_number_in_the_address_as_well(
    client: Client, boss: User, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1")
    response = client.get(f"/admin/records/payment/{payment.payment_id.lower()}/change/")
    assert response.context["number"] == payment.payment_id
    assert client.post(url_of(Payment, "change", payment.pk)).status_code == 403


def test_pages_take_a_fixed_number_of_queries_however_much_belongs_to_the_order(
    client: Client, boss: User, owner: Registered
) -> None:
    payment, payout = book.deposit(owner, "a1"), book.payout(owner, "p1")

    def counted(order: Payment | Payout) -> int:
        with CaptureQueriesContext(connection) as captured:
            page(client, order)
        statements = [query["sql"] for query in captured]
        # Five of them bound the time that any other may take.
        assert len(statements) <= 28
        return sum(f'FROM "{room}_' in text for text in statements for room in ("records", "operations"))

    counted(payment)
    # One of a paid deposit's asks whether its refund was asked for already.
    assert (counted(payment), counted(payout)) == (12, 12)
    for number in range(20):
        callback_of(payment, b"{}", seconds=number)
    assert counted(payment) == 12
    # Of more than 25 the last are fetched by a second query.
    now = clock.now()
    UpstreamCallback.objects.bulk_create(
        UpstreamCallback(
            channel_id="sandbox", received_at=now, body=b"x" * 1000, body_bytes=1000, payment=payment,
            due_at=now + timedelta(hours=1),
        )
        for _number in range(1000)
    )  # fmt: skip
    assert counted(payment) == 13


def test_very_many_callbacks_show_the_first_and_the_last_and_lead_to_all(
    client: Client, boss: User, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1", is_paid=False)
    made = [callback_of(payment, b"%d" % number, seconds=number) for number in range(60)]
    response = page(client, payment)
    shown = [event for event in response.context["events"] if event.kind == "callback"]
    assert [event.at for event in shown] == [made[n].received_at for n in [*range(10), *range(45, 60)]]
    more = next(event for event in response.context["events"] if event.kind == "more")
    assert more.title == "Further callbacks are left out."
    everything = client.get(more.link.url)
    assert everything.status_code == 200
    assert more.link.url == f"{url_of(UpstreamCallback)}?q={payment.payment_id}"


def test_times_stand_in_the_viewers_zone_and_name_it(client: Client, boss: User, owner: Registered) -> None:
    Preference.objects.create(user=boss, key="time_zone", value="Asia/Kolkata")
    payment = book.deposit(owner, "a1")
    text = page(client, payment).content.decode()
    local = payment.created_at + timedelta(hours=5, minutes=30)
    assert f"{local:%Y-%m-%d %H:%M:%S} +0530" in text
    assert "times in Asia/Kolkata" in text


def test_the_orders_before_and_after_are_those_of_the_list_one_came_from(
    client: Client, boss: User, owner: Registered
) -> None:
    placed = [book.deposit(owner, f"n{number}", is_paid=number != 2) for number in range(5)]
    query = urlencode({"list": "created=any&status=1"})
    shown = page(client, placed[1], f"?{query}").context["neighbours"]
    assert shown.newer == f"{url_of(Payment, 'change', placed[3].pk)}?{query}"
    assert shown.older == f"{url_of(Payment, 'change', placed[0].pk)}?{query}"
    # Also from an order that the list no longer holds, and at the list's ends.
    assert page(client, placed[2], f"?{query}").context["neighbours"].newer == shown.newer
    newest = page(client, placed[4], f"?{query}").context["neighbours"]
    assert (newest.newer, bool(newest.older)) == ("", True)
    text = page(client, placed[1], f"?{query}").content.decode()
    assert 'rel="prev"' in text
    assert 'rel="next"' in text
    without = page(client, placed[1])
    assert (without.context["neighbours"].newer, without.context["neighbours"].older) == ("", "")


@pytest.mark.parametrize(
    "query", ["status=abc", "created=x", "x" * 3000, "%00", "nonsense=1", "after=zz", "q=%"]
)
def test_an_unreadable_list_in_the_address_leaves_the_page_as_it_is(
    client: Client, boss: User, owner: Registered, query: str
) -> None:
    payment = book.deposit(owner, "a1")
    response = page(client, payment, f"?{urlencode({'list': query})}")
    assert response.context["number"] == payment.payment_id


def test_what_can_be_done_now_is_offered_as_links(
    client: Client, boss: User, owner: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = acts.Registry()
    for name, status in (("close", 0), ("refund", 1)):
        act = acts.Act(
            name=name, label=name.title(), permission="operations.close_payment",
            url_name="admin:records_payment_change", is_offered=offered_at(status),
        )  # fmt: skip
        registry.register(act)
    monkeypatch.setattr(acts, "allowed", registry.allowed)
    payment = book.deposit(owner, "a1")
    assert page(client, payment).context["acts"] == [
        {
            "name": "refund", "label": "Refund", "opens_window": False,
            "url": f"/admin/records/payment/{payment.payment_id}/change/",
        }
    ]  # fmt: skip
    client.force_login(factories.make_user("reader", permissions=["records.view_payment"]))
    assert page(client, payment).context["acts"] == []
