"""What the page of an order keeps from whom: secrets and numbers from all, the upstream's side by role."""

from __future__ import annotations

import pytest
from django.test import Client

from diamondpay import audit
from diamondpay.lib import clock
from diamondpay.models import User
from merchants.registration import Registered
from operations import acts as deeds
from records.models import Notification, NotificationAttempt, Payment, UpstreamCallback
from tests import factories
from tests.admin import book
from tests.admin.test_lists import url_of
from tests.admin.test_order_page import callback_of, fact, page, sending_of, titles

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


def test_no_page_of_an_order_shows_a_planted_secret_or_number(
    client: Client, boss: User, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1")
    account = {"card_no": book.CARD, "id_number": book.PARTY.id_number, "tel": book.PARTY.phone}
    for body in (
        f'{{"sign": "{SIGNATURE}", "key": "{KEY}", "x": "{book.CARD}"}}',
        f"sign={SIGNATURE}&card_no={book.CARD}",
        f"Authorization: {KEY}\nid {book.PARTY.id_number}", f"<sign>{SIGNATURE}</sign>", f'{{"key": "{KEY}',
    ):  # fmt: skip
        callback_of(payment, body.encode())
    notification = Notification.objects.get(payment=payment)
    sending_of(notification, 1, body=f'{{"sign":"{SIGNATURE}","platform_id":"PF"}}',
               answer=f"key={KEY}&phone={book.PARTY.phone}")  # fmt: skip
    Notification.objects.filter(pk=notification.pk).update(attempt_count=1)
    audit.write(
        action="payment.note", object_kind="payment", object_id=payment.payment_id, user=boss,
        now=clock.now(), before=account, after={"authorization": KEY, "credential": {"a": SIGNATURE}},
    )  # fmt: skip
    canaries = (SIGNATURE, KEY, book.CARD, book.PARTY.id_number, book.PARTY.phone, factories.SANDBOX_SECRET)
    callbacks = UpstreamCallback.objects.filter(payment=payment)
    pages = [url_of(Payment, "change", payment.pk)]
    pages += [url_of(UpstreamCallback, "change", row.pk) for row in callbacks]
    pages += [url_of(type(row), "change", row.pk) for row in NotificationAttempt.objects.all()]
    for url in pages:
        text = client.get(url).content.decode()
        assert [secret for secret in canaries if secret in text or secret[:12] in text] == []
    assert "203.0.113.9" in client.get(pages[0]).content.decode()


def test_a_merchants_user_sees_their_order_and_nothing_between_us_and_the_upstream(
    client: Client, owner: Registered, operator: User
) -> None:
    payment = book.deposit(owner, "a1", is_paid=False)
    callback_of(payment, b'{"told": "by the upstream"}')
    deeds.close_payment(
        payment_id=payment.payment_id, user=operator, reason="gave up", address=None, now=clock.now()
    )
    client.force_login(factories.make_merchant_user(owner.merchant, "their-clerk"))
    response = page(client, payment)
    assert titles(response) == [
        "Created: In Progress", "In Progress → Closed", "Notification of Closed waits to be sent",
    ]  # fmt: skip
    main = response.content.decode().partition("<main")[2]
    hidden = ("sandbox", "told", operator.username, "203.0.113.9", "/upstreamcall", "/auditrow")
    assert [word for word in hidden if word in main.replace("acme.example/told", "")] == []
    assert fact(response, "wallet")[0].endswith(f">{owner.wallets[0].pk}</a>")


def test_bodies_of_calls_and_callbacks_each_need_their_own_permission(
    client: Client, owner: Registered
) -> None:
    payment = book.deposit(owner, "a1", is_paid=False)
    callback_of(payment, b"{}")
    shown = {}
    for seen in ("payment", "upstreamcall", "upstreamcallback"):
        user = factories.make_user(
            f"sees-{seen}", permissions=["records.view_payment", f"records.view_{seen}"]
        )
        client.force_login(user)
        shown[seen] = [(event.kind, len(event.bodies)) for event in page(client, payment).context["events"]]
    assert shown == {
        "payment": [], "upstreamcall": [("call", 2)], "upstreamcallback": [("callback", 1)],
    }  # fmt: skip


def test_another_merchants_order_and_one_that_is_none_get_the_same_words(
    client: Client, owner: Registered
) -> None:
    theirs = book.deposit(book.merchant("Rival"), "b1")
    client.force_login(factories.make_merchant_user(owner.merchant, "clerk-of-acme"))
    for key in (str(theirs.pk), "999999", "x", "%00", "9" * 30, theirs.payment_id):
        response = client.get(f"/admin/records/payment/{key}/change/", follow=True)
        assert response.redirect_chain == [("/admin/", 302)]
        assert "or you may not see it" in response.content.decode()
        assert "Rival" not in response.content.decode()


def test_neighbours_are_never_another_merchants(client: Client, owner: Registered) -> None:
    mine = book.deposit(owner, "a1")
    book.deposit(book.merchant("Rival"), "b1")
    client.force_login(factories.make_merchant_user(owner.merchant, "clerk-of-acme"))
    shown = page(client, mine, "?list=created%3Dany").context["neighbours"]
    assert (shown.newer, shown.older) == ("", "")
