"""The test callback: signed and marked, shown with what came back, and never sent where it must not go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from diamondpay.models import AuditRow, User
from merchants.models import Credential
from merchants.registration import Registered
from records.models import Notification, Payment
from tests import factories
from tests.lib import servers
from tests.support.receiver import Merchant, listening

pytestmark = pytest.mark.django_db
PAGE = "/admin/own-callback-test/"


@pytest.fixture
def member(client: Client, clerk: User, settings: Settings) -> User:
    """Acme's user, signed in, where callbacks may go to loopback."""
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    client.force_login(clerk)
    return clerk


def send(client: Client, url: str, **typed: str) -> Any:
    """Send the page's form."""
    return client.post(PAGE, {"api": "gateway", "sign_type": "HMAC-SHA256", "url": url, **typed})


def test_the_callback_is_signed_marked_and_harmless_and_its_answer_is_shown(
    client: Client, acme: Registered, member: User
) -> None:
    with listening() as receiver:
        response = send(client, receiver.url)
    us = Merchant("", acme.merchant.pk, acme.platform_key, acme.authorization)
    [body] = receiver.verified(us)
    assert body["payment_cl_id"].startswith("TEST-CALLBACK-")
    assert (body["status"], body["real_amount"], body["fee"]) == (3, 0, 0)
    assert receiver.received[0][0]["x-test-notification"] == "1"
    trial = response.context["trial"]
    assert (trial.is_acknowledged, trial.status, trial.answer) == (True, 200, '{"error_code": "0000"}')
    assert (Payment.objects.count(), Notification.objects.count()) == (0, 0)
    row = AuditRow.objects.get(user=member)
    assert (row.action, row.after) == ("merchant.test_callback", {"url": receiver.url, "api": "gateway"})


def test_md5_callbacks_carry_exactly_the_listed_fields(
    client: Client, acme: Registered, member: User
) -> None:
    acme.merchant.is_md5_allowed = True
    acme.merchant.save(update_fields=["is_md5_allowed"])
    with listening() as receiver:
        assert send(client, receiver.url, sign_type="MD5").context["trial"].is_acknowledged
    [body] = receiver.bodies()
    assert set(body) == {
        "payment_id", "payment_cl_id", "platform_id", "amount", "real_amount", "fee", "status",
        "create_time", "update_time", "sign",
    }  # fmt: skip


def test_a_merchant_of_the_other_api_is_told_in_its_language(client: Client, settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    owner = factories.make_merchant("Order", apis=["transaction_request"])
    client.force_login(factories.make_merchant_user(owner.merchant))
    with listening() as receiver:
        trial = send(client, receiver.url, api="transaction_request").context["trial"]
    [body] = receiver.bodies()
    assert (body["status"], body["receivedAmount"], trial.is_acknowledged) == ("Cancelled", 0, True)


def test_a_merchant_of_the_payment_detail_api_is_told_in_its_language(
    client: Client, settings: Settings
) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    owner = factories.make_merchant("Order", apis=["payment_detail"])
    pair = owner.further["payment_detail"]
    client.force_login(factories.make_merchant_user(owner.merchant))
    with listening() as receiver:
        receiver.answers[:] = [(200, "success")]
        trial = send(client, receiver.url, api="payment_detail").context["trial"]
    (headers, raw) = receiver.received[0]
    body = json.loads(raw)
    assert (body["paymentStatus"], body["settlementAmount"], trial.is_acknowledged) == (4, None, True)
    assert (headers["x-test-notification"], headers["x-pay-key"]) == ("1", pair.credential.public_id)
    message = f"{headers['x-pay-timestamp']}POST{urlsplit(receiver.url).path or '/'}".encode() + raw
    wanted = hmac.new(pair.platform_key.encode(), message, hashlib.sha256).digest()
    assert headers["x-pay-sign"] == base64.b64encode(wanted).decode()


def test_what_a_receiver_answers_wrongly_is_said_in_words(
    client: Client, acme: Registered, member: User
) -> None:
    with listening() as receiver:
        receiver.answers[:] = [(500, "<script>alert(1)</script>")]
        response = send(client, receiver.url)
    assert not response.context["trial"].is_acknowledged
    assert "&lt;script&gt;alert(1)" in response.content.decode()
    assert "<script>alert" not in response.content.decode()


REFUSED = (
    "file:///etc/passwd", "gopher://127.0.0.1/", "http://127.0.0.1:{port}/", "http://localhost:{port}/",
    "http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://0177.0.0.1:{port}/",
    "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/", "http://[fe80::1]:{port}/", "http://0.0.0.0:{port}/",
    "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://192.168.0.1/",
    "http://224.0.0.1/", "http://user:pw@127.0.0.1:{port}/", "http://8.8.8.8@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@8.8.8.8/", "http://127.0.0.1:{port}/\r\nX: y",
)  # fmt: skip


def test_nothing_goes_where_notifications_may_not_go(
    client: Client, acme: Registered, clerk: User, settings: Settings
) -> None:
    """The whole table, with a trap that would hear a connection."""
    settings.NOTIFICATION_PRIVATE_NETWORKS = []
    client.force_login(clerk)
    with servers.serving(servers.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as trap:
        for number, address in enumerate(REFUSED):
            if number % 4 == 0:
                owner = factories.make_merchant(f"M{number}")
                client.force_login(factories.make_merchant_user(owner.merchant, f"clerk{number}"))
            response = send(client, address.format(port=trap.port))
            assert response.status_code == 200
            assert response.context["form"].errors.get("url"), address
            assert "trial" not in response.context
        assert (trap.connection_count, trap.requests) == (0, [])
    # What is no address by its form is not even noted: it may hold a password.
    assert "pw@" not in str(list(AuditRow.objects.values()))


def test_five_a_minute_are_enough(client: Client, acme: Registered, member: User) -> None:
    with listening() as receiver:
        for _call in range(5):
            assert "trial" in send(client, receiver.url).context
        refused = send(client, receiver.url)
    assert "trial" not in refused.context
    assert "Five test callbacks a minute" in refused.context["form"].non_field_errors()[0]
    assert (len(receiver.received), AuditRow.objects.filter(user=member).count()) == (5, 5)


def test_a_receiver_that_hangs_is_left_after_the_deadline(
    client: Client, acme: Registered, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("records.trial_callbacks.SECONDS_MAX", 0.5)
    with servers.serving(servers.hanging) as server:
        trial = send(client, server.url).context["trial"]
    assert (trial.is_acknowledged, trial.status, trial.reason) == (False, None, "timeout after 0.5 s")


def test_only_a_merchants_own_user_with_the_right_sends_one(client: Client, acme: Registered) -> None:
    for user, status in (
        (factories.make_operator(), 403),
        (factories.make_user("boss", is_superuser=True), 200),
    ):
        client.force_login(user)
        assert client.get(PAGE).status_code == status
        with listening() as receiver:
            assert send(client, receiver.url, merchant=acme.merchant.pk).status_code == status
        assert receiver.received == []
    assert not AuditRow.objects.filter(action="merchant.test_callback").exists()


def test_without_a_live_key_the_page_says_so_and_sends_nothing(
    client: Client, acme: Registered, member: User
) -> None:
    Credential.objects.update(ends_at=acme.credential.created_at)
    with listening() as receiver:
        response = send(client, receiver.url)
    assert "There is no live key to sign with." in response.content.decode()
    assert receiver.received == []


def test_a_merchant_chosen_in_the_form_is_one_of_the_persons_own(
    client: Client, acme: Registered, rival: Registered, member: User
) -> None:
    with listening() as receiver:
        send(client, receiver.url, merchant=rival.merchant.pk)
    assert [json.loads(body)["platform_id"] for _headers, body in receiver.received] == [acme.merchant.pk]
