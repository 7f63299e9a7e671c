"""The transaction-request API's language, and what is told in it: progress and ends, and any 2xx is a yes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from pytest_django import Settings

from channels.upstreams.base import CallbackAnswer
from diamondpay.lib import clock, crypto
from merchants import credentials
from records import attempts, notifications, payments, payouts
from records.dialects import transaction_request as dialect
from records.models import Actor, Notification, Payment, PaymentStatus, Payout, PayoutStatus
from tests import factories
from tests.support import callbacks
from tests.support.desk import Desk, desk, upstream
from tests.support.scripted_upstream import accepted, refused, unknown

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
API = "transaction_request"
EMPTY = CallbackAnswer(http_status=204, content_type="text/plain", body="")
NO = CallbackAnswer(http_status=500, content_type="text/plain", body="no")


@pytest.fixture(autouse=True)
def _loopback(settings: Settings) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Iterator[callbacks.CallbackReceiver]:
    with callbacks.receiving() as found:
        found.answers = [EMPTY]
        yield found


@pytest.fixture
def key(desk: Desk) -> credentials.Created:
    """Acme's pair of this API."""
    return credentials.create(merchant=desk.registered.merchant, api=API, now=clock.now(), actor="tests")


def words(order: Payment | Payout) -> list[str]:
    """Return the statuses that are told of an order, in order."""
    told = Notification.objects.filter(order_no=getattr(order, "payment_id", "") or order.payout_id)  # type: ignore[union-attr]
    return [str(found.facts["status"]) for found in told.order_by("order_version")]


def deposit(desk: Desk, url: str = "http://127.0.0.1:9/", **changes: str) -> Payment:
    return desk.deposit(notify_url=url, dialect=dialect.V2.name, **changes)


def payout(desk: Desk, url: str = "http://127.0.0.1:9/") -> Payout:
    return desk.payout(notify_url=url, dialect=dialect.V2.name)


def test_every_stored_status_has_its_word() -> None:
    both = (False, True)
    deposits = [[dialect.payment_status(status=s, is_submitted=b) for b in both] for s in PaymentStatus]
    withdrawals = [[dialect.payout_status(status=s, is_submitted=b) for b in both] for s in PayoutStatus]
    assert deposits == [
        ["Matching", "InProgress"], ["Finished"] * 2, ["Failed"] * 2, ["Cancelled"] * 2,
    ]  # fmt: skip
    assert withdrawals == [
        ["Matching", "InProgress"], ["Finished"] * 2, ["Failed"] * 2, ["Reviewing"] * 2, ["Cancelled"] * 2,
    ]  # fmt: skip


def test_codes_are_unique_reversible_and_of_one_kind() -> None:
    numbers = [1, 2, 145, 10**9, 2**63 - 1]
    for kind in (dialect.DEPOSIT, dialect.WITHDRAW):
        codes = [dialect.request_code(trade_type=kind, number=number) for number in numbers]
        assert [dialect.opened_code(code) for code in codes] == [(kind, number) for number in numbers]
        assert all(len(code) == 32 and code == code.lower() for code in codes)
    deposit_code = dialect.request_code(trade_type=dialect.DEPOSIT, number=7)
    assert deposit_code != dialect.request_code(trade_type=dialect.WITHDRAW, number=7)
    for text in ("", "x", deposit_code[:-1], deposit_code.upper(), f"{deposit_code}0", "0" * 32):
        assert dialect.opened_code(text) is None


def test_a_code_stays_when_the_encryption_key_is_rotated(settings: Settings) -> None:
    before = crypto.seal_number(145, "x")
    settings.ENCRYPTION_KEYS = [b"n" * 32, *settings.ENCRYPTION_KEYS]
    assert crypto.seal_number(145, "x") == before
    with pytest.raises(ValueError, match="64 bits"):
        crypto.seal_number(2**64, "x")


def test_internal_numbers_are_unique_and_look_like_the_seeds() -> None:
    numbers = [*range(1, 20_000), *range(36**9 - 50, 36**9 + 50)]
    made = {dialect.internal_order_no(trade_type=dialect.DEPOSIT, number=number) for number in numbers}
    assert len(made) == len(numbers)
    one = dialect.internal_order_no(trade_type=dialect.WITHDRAW, number=1)
    assert (one[:5], len(one)) == ("AT-W-", len("AT-D-3TEHN1X9U"))
    assert one == dialect.internal_order_no(trade_type=dialect.WITHDRAW, number=1)


def test_internal_numbers_lead_back_to_their_order_and_nothing_else_does() -> None:
    for number in [*range(1, 2_000), *range(36**9 - 50, 36**9 + 50), 7 * 36**9 + 3]:
        for kind in (dialect.DEPOSIT, dialect.WITHDRAW):
            text = dialect.internal_order_no(trade_type=kind, number=number)
            assert dialect.opened_internal_order_no(text) == (kind, number)
    for text in (
        "",
        "AT-D-",
        "AT-X-3TEHN1X9U",
        "AT-D-3TEHN1X9",
        "AT-D-03TEHN1X9U",
        "at-d-3tehn1x9u",
        "3TEHN1X9U",
    ):
        assert dialect.opened_internal_order_no(text) is None


def test_a_body_carries_exact_numbers_its_moment_and_a_signature() -> None:
    facts: dict[str, object] = {"requestAmount": "1234.560000000000000001", "status": "Finished"}
    body = dialect.V2.body(
        facts=facts, sign_type="HMAC-SHA256", secret="s3cret", access_key="KEY", timestamp_ms=1741725033033
    )
    assert b'"requestAmount":1234.560000000000000001,' in body
    found = json.loads(body)
    wanted = hmac.new(b"s3cret", b"KEY_1741725033033", hashlib.sha256).hexdigest().upper()
    assert (found["timestamp"], found["signature"]) == (1741725033033, wanted)


@pytest.mark.parametrize(
    ("status", "is_yes"), [(200, True), (204, True), (299, True), (199, False), (301, False)]
)
def test_any_2xx_is_a_yes_whatever_it_says(status: int, is_yes: bool) -> None:
    assert dialect.V2.is_acknowledged(http_status=status, answer="<html>")[0] is is_yes


def test_a_deposit_is_told_in_progress_and_at_its_end(desk: Desk) -> None:
    payment = deposit(desk)
    assert words(payment) == ["InProgress"]
    desk.paid(payment)
    assert words(payment) == ["InProgress", "Finished"]


def test_other_dialects_are_not_told_of_progress(desk: Desk) -> None:
    desk.deposit(notify_url="http://127.0.0.1:9/")
    desk.fund()
    desk.payout(notify_url="http://127.0.0.1:9/")
    assert not Notification.objects.exists()


def test_what_was_not_accepted_is_not_told_as_in_progress(desk: Desk) -> None:
    desk.upstream.answers = [unknown(), refused("closed")]
    matching, failed = deposit(desk), deposit(desk)
    assert (words(matching), words(failed)) == ([], ["Failed"])


def test_a_deposit_that_was_paid_before_the_answer_came_is_told_its_end_alone(desk: Desk) -> None:
    def pay_first(request: object) -> None:
        desk.paid(Payment.objects.get(payment_id=request.reference))  # type: ignore[attr-defined]

    desk.upstream.before_answer = pay_first
    payment = deposit(desk)
    assert (payment.status, words(payment)) == (1, ["Finished"])


def test_a_closed_and_late_paid_deposit_is_told_every_step(desk: Desk) -> None:
    payment = deposit(desk)
    now = clock.now()
    payments.close(
        payment_pk=payment.pk, now=now, changed_by=Actor.EXPIRY, reason="Expired without a payment."
    )
    desk.paid(payment)
    assert words(payment) == ["InProgress", "Cancelled", "Finished"]
    told = Notification.objects.get(order_version=1).facts
    assert (told["endedReason"], told["transactionAmount"]) == ("Expired without a payment.", "0")


def test_what_a_person_wrote_of_a_close_is_not_told(desk: Desk) -> None:
    payment = deposit(desk)
    user = factories.make_operator()
    payments.close(
        payment_pk=payment.pk, now=clock.now(), changed_by=Actor.OPERATOR, user=user, reason="fraud suspected"
    )
    assert Notification.objects.get(order_version=1).facts["endedReason"] == "Closed."


def test_a_payout_is_told_in_progress_once_and_at_its_end(desk: Desk) -> None:
    desk.fund()
    order = payout(desk)
    assert words(order) == ["InProgress"]
    desk.paid(order.attempts.get())
    assert words(order) == ["InProgress", "Finished"]


def test_a_reviewed_payout_is_not_told_before_it_is_on_its_way(desk: Desk) -> None:
    desk.fund()
    desk.audit("manual")
    order = payout(desk)
    assert words(order) == []
    user = factories.make_finance()
    payouts.approve(payout_pk=order.pk, user=user, reason="good", now=clock.now())
    assert words(order) == []
    rejected = payout(desk)
    payouts.reject(payout_pk=rejected.pk, user=user, reason="internal words", now=clock.now())
    told = Notification.objects.get(order_no=rejected.payout_id).facts
    assert (told["status"], told["endedReason"], told["transactionFee"]) == (
        "Cancelled",
        "Rejected in review.",
        "0",
    )


def test_a_held_payout_that_is_sent_again_is_told_in_progress_once(desk: Desk) -> None:
    desk.fund()
    desk.after_failure("hold")
    order = payout(desk)
    desk.failed(order.attempts.get())
    again = payouts.reinitiate(
        payout_pk=order.pk, channel_id="scripted", user=factories.make_operator(), reason="x", now=clock.now()
    )
    attempts.claim_sending(attempt_pk=again.pk, now=clock.now())
    answer = accepted(f"UP-{again.reference}")
    payouts.submitted(attempt_pk=again.pk, submission=answer, now=clock.now())
    assert words(order) == ["InProgress"]


def test_a_webhook_is_proven_by_an_independent_receiver(
    desk: Desk, key: credentials.Created, receiver: callbacks.CallbackReceiver
) -> None:
    payment = deposit(desk, receiver.url)
    desk.paid(payment)
    summary = notifications.deliver_due(now=clock.now())
    assert (summary.success_count, summary.failed_count) == (2, 0)
    first, second = receiver.arrived()
    assert [json.loads(arrived.body)["status"] for arrived in (first, second)] == ["InProgress", "Finished"]
    secret = key.platform_key.encode()
    for arrived in (first, second):
        body = json.loads(arrived.body, parse_float=Decimal)
        moment = f"{key.credential.public_id}_{body['timestamp']}".encode()
        assert body["signature"] == hmac.new(secret, moment, hashlib.sha256).hexdigest().upper()
        signed = (
            f"{arrived.headers['webhook-id']}.{arrived.headers['webhook-timestamp']}.".encode() + arrived.body
        )
        mac = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        assert arrived.headers["webhook-signature"] == f"v1,{mac}"
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


def test_a_payouts_end_waits_for_the_first_try_at_its_progress(
    desk: Desk, key: credentials.Created, receiver: callbacks.CallbackReceiver
) -> None:
    desk.fund()
    order = payout(desk, receiver.url)
    desk.paid(order.attempts.get())
    receiver.answers = [NO, EMPTY]
    notifications.deliver_due(now=clock.now())
    assert [json.loads(arrived.body)["status"] for arrived in receiver.arrived()] == [
        "InProgress",
        "Finished",
    ]
    states = Notification.objects.order_by("order_version").values_list("state", flat=True)
    assert list(states) == ["retrying", "success"]


def test_an_endless_yes_is_a_yes(
    desk: Desk, key: credentials.Created, receiver: callbacks.CallbackReceiver
) -> None:
    receiver.answers = [CallbackAnswer(http_status=200, content_type="text/plain", body="x" * 100_000)]
    deposit(desk, receiver.url)
    assert notifications.deliver_due(now=clock.now()).success_count == 1


def test_without_a_pair_of_this_api_nothing_is_sent_and_the_reason_is_kept(
    desk: Desk, receiver: callbacks.CallbackReceiver
) -> None:
    deposit(desk, receiver.url)
    notifications.deliver_due(now=clock.now())
    assert "no live key" in Notification.objects.get().last_reason
    assert receiver.arrived() == []
