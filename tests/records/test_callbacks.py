"""D6: a callback is stored as it came before anything else, verified, and given exactly one outcome."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from channels.models import Channel
from diamondpay.lib import clock, errors
from records import callbacks
from records.models import Case, Payment, Posting, UpstreamCallback
from tests import factories
from tests.support.desk import Desk, desk, upstream
from tests.support.scripted_upstream import HEADERS, callback_body

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
Outcome = UpstreamCallback.Outcome
SECRET = factories.SANDBOX_SECRET


def receive(
    body: bytes, headers: dict[str, str] = HEADERS, *, channel: str = "scripted", now: datetime | None = None
) -> callbacks.Received:
    return callbacks.receive(
        channel_code=channel,
        headers=headers,
        body=body,
        source_address="203.0.113.7",
        now=now or clock.now(),
    )


def stored(received: callbacks.Received) -> UpstreamCallback:
    return UpstreamCallback.objects.get(pk=received.callback.pk)


def at_the_sandbox(desk: Desk) -> Payment:
    """Return a deposit whose channel speaks the sandbox's signed language from here on."""
    factories.make_channel()
    payment = desk.deposit()
    sandbox = Channel.objects.get(pk="sandbox")
    factories.set_terms(
        Channel.objects.filter(pk="scripted"), upstream="sandbox",
        settings_encrypted=bytes(sandbox.settings_encrypted),
    )  # fmt: skip
    return payment


def signed(body: bytes, *, at: datetime, secret: str = SECRET, account: str = "sandbox") -> dict[str, str]:
    """Sign a callback as the sandbox's documentation says."""
    timestamp = str(int(at.timestamp()))
    text = b"\n".join([b"callback", account.encode(), timestamp.encode(), body])
    signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {
        "x-sandbox-key": account,
        "x-sandbox-timestamp": timestamp,
        "x-sandbox-signature": signature,
    }


def sandbox_body(payment: Payment, amount: str = "100", currency: str = "CNY") -> bytes:
    return json.dumps(
        {
            "event_id": "EV1",
            "direction": "deposit",
            "reference": payment.payment_id,
            "channel_order_no": payment.channel_order_no,
            "state": "paid",
            "amount": amount,
            "currency": currency,
            "reason": "",
        }
    ).encode()


def test_a_paid_callback_is_credited_and_answered_yes_d6(desk: Desk) -> None:
    payment = desk.deposit()
    received = receive(callback_body(payment.payment_id, amount="100"))
    row = stored(received)
    assert (row.outcome, row.payment, row.reference, row.due_at, row.answered_at is not None) == (
        Outcome.CREDITED, payment, payment.payment_id, None, True,
    )  # fmt: skip
    assert (row.source_address, bytes(row.body), row.headers) == (
        "203.0.113.7", callback_body(payment.payment_id, amount="100"), HEADERS,
    )  # fmt: skip
    assert (received.answer.http_status, received.answer.body) == (200, "yes")
    again = receive(callback_body(payment.payment_id, amount="100"))
    assert (stored(again).outcome, again.answer.http_status) == (Outcome.DUPLICATE, 200)
    assert (desk.balances(), Posting.objects.count()) == ((Decimal("99.20"), Decimal(0)), 1)


def test_a_genuine_sandbox_callback_is_credited(desk: Desk) -> None:
    payment, now = at_the_sandbox(desk), clock.now()
    body = sandbox_body(payment)
    assert stored(receive(body, signed(body, at=now), now=now)).outcome == Outcome.CREDITED


FORGERIES = ["tampered", "wrong secret", "unsigned", "stale", "of the future", "other account", "cut"]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_callback_is_kept_and_refused_d6(desk: Desk, forgery: str) -> None:
    payment, now = at_the_sandbox(desk), clock.now()
    body = sandbox_body(payment)
    shift = {"stale": -301, "of the future": 301}.get(forgery, 0)
    headers = signed(
        body,
        at=now + timedelta(seconds=shift),
        secret="another secret" if forgery == "wrong secret" else SECRET,
        account="else" if forgery == "other account" else "sandbox",
    )
    if forgery == "unsigned":
        headers = {}
    if forgery == "tampered":
        body = body.replace(b'"100"', b'"900"')
    if forgery == "cut":
        body = body[:-1]
    received = receive(body, headers, now=now)
    row = stored(received)
    assert (row.outcome, bytes(row.body), row.payment) == (Outcome.REFUSED, body, None)
    assert row.reason != ""
    assert (received.answer.http_status, row.due_at) == (503, None)
    payment.refresh_from_db()
    assert (payment.status, Posting.objects.count(), Case.objects.count()) == (0, 0, 0)


def test_a_megabyte_is_kept_in_part_and_refused_d6(desk: Desk) -> None:
    payment, now = at_the_sandbox(desk), clock.now()
    body = sandbox_body(payment) + b" " * 1024 * 1024
    row = stored(receive(body, signed(body, at=now), now=now))
    assert (row.outcome, len(bytes(row.body)), row.body_bytes) == (Outcome.REFUSED, 262144, len(body))
    payment.refresh_from_db()
    assert payment.status == 0


def test_one_upstream_cannot_speak_for_anothers_orders(desk: Desk) -> None:
    payment = desk.deposit()
    factories.make_channel("second", upstream="scripted")
    row = stored(receive(callback_body(payment.payment_id, amount="100"), channel="second"))
    payment.refresh_from_db()
    assert (row.outcome, row.payment, payment.status) == (Outcome.SUSPENSE, None, 0)
    assert Case.objects.get().kind == "unknown_order"
    assert desk.balances() == (Decimal(0), Decimal(0))


def test_an_unknown_channel_stores_nothing(desk: Desk, client: Client) -> None:
    with pytest.raises(errors.ChannelUnknown):
        receive(b"{}", channel="nobody")
    answer = client.post("/callbacks/nobody", b"{}", content_type="application/json")
    assert (answer.status_code, answer["content-type"]) == (404, "application/json")
    assert UpstreamCallback.objects.count() == 0


def test_an_unknown_order_ends_in_suspense_and_is_answered_yes_d6(desk: Desk) -> None:
    received = receive(callback_body("PM99999999", amount="70"))
    row = stored(received)
    assert (row.outcome, row.case, row.reference) == (Outcome.SUSPENSE, Case.objects.get(), "PM99999999")
    assert received.answer.http_status == 200
    again = stored(receive(callback_body("PM99999999", amount="70")))
    assert (again.outcome, again.case, Posting.objects.count()) == (Outcome.DUPLICATE, row.case, 1)


@pytest.mark.parametrize(
    ("told", "kind"),
    [({"amount": "99"}, "wrong_amount"), ({"amount": "100", "currency": "THB"}, "wrong_currency")],
)
def test_a_wrong_amount_or_currency_ends_in_a_case_d9(desk: Desk, told: dict[str, str], kind: str) -> None:
    payment = desk.deposit()
    row = stored(receive(callback_body(payment.payment_id, **told)))
    payment.refresh_from_db()
    assert (row.outcome, payment.status) == (Outcome.SUSPENSE, 0)
    assert row.case is not None
    assert (row.case.kind, row.case.status) == (kind, "open")


def test_a_payouts_callback_settles_its_attempt(desk: Desk) -> None:
    desk.fund()
    attempt = desk.payout().attempts.get()
    row = stored(receive(callback_body(attempt.reference, amount="100", direction="payout")))
    assert (row.outcome, row.attempt, row.payment) == (Outcome.SETTLED, attempt, None)
    assert desk.balances() == (Decimal("899.20"), Decimal(0))


def test_what_cannot_be_considered_is_answered_no_and_considered_again_d6(desk: Desk) -> None:
    payment, now = desk.deposit(), clock.now()
    unreadable = b"not what the adapter's contract allows"
    received = receive(unreadable, now=now)
    assert (stored(received).outcome, received.answer.http_status) == (Outcome.WAITING, 503)
    assert callbacks.reconsider_due(now=now) == 0
    # A worker died between storing and considering; the sweeper finds the row.
    row = UpstreamCallback.objects.create(
        channel_id="scripted",
        received_at=now,
        headers=HEADERS,
        body=callback_body(payment.payment_id, amount="100"),
        body_bytes=1,
        due_at=now + timedelta(seconds=20),
    )
    assert callbacks.reconsider_due(now=now + timedelta(seconds=20)) == 1
    row.refresh_from_db()
    assert (row.outcome, row.try_count, row.answered_at is not None) == (Outcome.CREDITED, 1, True)
    waiting = stored(received)
    assert (waiting.outcome, waiting.try_count) == (Outcome.WAITING, 1)
    assert waiting.due_at == now + timedelta(seconds=40)
    assert desk.balances()[0] == Decimal("99.20")


def test_the_outcome_of_a_callback_is_written_once_d6(desk: Desk) -> None:
    row = stored(receive(callback_body(desk.deposit().payment_id, amount="100")))
    for changes in ({"outcome": "waiting"}, {"reason": "else"}, {"case": None, "due_at": clock.now()}):
        with pytest.raises(IntegrityError, match="kept as it came"), transaction.atomic():
            UpstreamCallback.objects.filter(pk=row.pk).update(**changes)
    assert stored(receive(b"", {})).outcome == Outcome.REFUSED


def test_a_callback_considered_again_keeps_its_first_outcome_d6(desk: Desk) -> None:
    row = stored(receive(callback_body(desk.deposit().payment_id, amount="100")))
    assert callbacks.consider(callback=row, now=clock.now()) == Outcome.CREDITED
    again = UpstreamCallback.objects.get(pk=row.pk)
    assert (again.outcome, again.answered_at) == (Outcome.CREDITED, row.answered_at)
    assert Posting.objects.count() == 1


def test_callbacks_travel_over_http(desk: Desk, client: Client) -> None:
    payment = desk.deposit()
    body = callback_body(payment.payment_id, amount="100")
    answer = client.post(
        "/callbacks/scripted", body, content_type="application/json", headers={"X-Script": "genuine"}
    )
    assert (answer.status_code, answer.content) == (200, b"yes")
    assert client.get("/callbacks/scripted").status_code == 405
    forged = client.post("/callbacks/scripted", body, content_type="application/json")
    assert (forged.status_code, forged.content) == (503, b"no")
    flood = client.post("/callbacks/scripted", b"x" * 1024 * 1024, content_type="text/plain")
    assert (flood.status_code, UpstreamCallback.objects.count()) == (503, 3)
