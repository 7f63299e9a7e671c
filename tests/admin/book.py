"""Rows of every record for one merchant, made by the real functions; the upstream cannot be reached."""

from __future__ import annotations

import hashlib
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from channels.models import Token
from channels.upstreams import base
from diamondpay.lib import clock, crypto, uploads
from diamondpay.models import User
from merchants.models import ApiCall, Merchant, MerchantChannel, MerchantService
from merchants.registration import Registered
from operations import approvals, placement
from operations.models import Act, FormToken
from records import cases, ledger, payments, payouts, proofs, transfers
from records.models import (
    Actor,
    Case,
    ChainTransfer,
    ExportJob,
    ExportSchedule,
    ExportTemplate,
    Notification,
    NotificationAttempt,
    Payment,
    Payout,
    Proof,
    UpstreamCallback,
)
from tests import factories
from tests.support import hostile_files

# Nothing listens there, so every order's fate is unknown until the test decides it.
NOWHERE = "http://127.0.0.1:9"
SENDER, RECEIVER = f"0x{40 * '1'}", f"0x{40 * '2'}"
CARD = "6222021234567890123"
PARTY = base.Party(name="Zhang Wei", account=CARD, phone="13812345678", id_number="110101199003074514")


def merchant(name: str) -> Registered:
    """Register a merchant on the channel `sandbox`, whose upstream cannot be reached."""
    if not MerchantChannel.objects.filter(channel_id="sandbox").exists():
        factories.make_channel(base_url=NOWHERE)
    return factories.make_merchant(name, fee_permillage=3, notify_url="https://acme.example/told")


def daytime() -> str:
    """Return a zone without summer time where it is between 5 and 19 o'clock.

    There today and yesterday both have a morning, whenever a test runs.
    """
    places = ("Asia/Tokyo", "America/Sao_Paulo", "Pacific/Honolulu")
    return next(place for place in places if 5 <= clock.now().astimezone(ZoneInfo(place)).hour < 19)


def deposit(
    owner: Registered, number: str, *, amount: str = "300", is_paid: bool = True, now: datetime | None = None
) -> Payment:
    """Place a deposit, now or at another time, and, unless told otherwise, let it be paid at once."""
    payment = placement.place_payment(
        now=now,
        order=placement.NewPayment(
            merchant=owner.merchant, service_id="SVC0001", merchant_order_no=number, amount=Decimal(amount),
            party=PARTY, sign_type="HMAC-SHA256", source="API_V1", notify_url="https://acme.example/told",
        )
    )  # fmt: skip
    if is_paid:
        with transaction.atomic():
            return payments.settle(
                payment=payments.locked(payment.pk), actual_amount=Decimal(amount), now=now or clock.now(),
                changed_by=Actor.CALLBACK, channel_order_no=f"UP-{payment.payment_id}",
            )  # fmt: skip
    return payment


def settled(payment: Payment, amount: str) -> Payment:
    """Let another amount arrive for a deposit that waits."""
    with transaction.atomic():
        return payments.settle(
            payment=payments.locked(payment.pk), actual_amount=Decimal(amount), now=clock.now(),
            changed_by=Actor.CALLBACK,
        )  # fmt: skip


def payout(
    owner: Registered, number: str, *, amount: str = "100", is_paid: bool = True, now: datetime | None = None
) -> Payout:
    """Place a payout on the merchant's wallet and, unless told otherwise, let it be paid at once."""
    placed = placement.place_payout(
        now=now,
        order=placement.NewPayout(
            merchant=owner.merchant, service_id="SVC0004", merchant_order_no=number, amount=Decimal(amount),
            party=PARTY, sign_type="HMAC-SHA256", source="API_V1", notify_url="https://acme.example/told",
            merchant_channel_id=owner.wallets[0].pk,
        )
    )  # fmt: skip
    if is_paid:
        with transaction.atomic():
            attempt, locked = payouts.locked_attempt(placed.attempts.get().pk)
            return payouts.settle(
                payout=locked, attempt=attempt, actual_amount=Decimal(amount), now=now or clock.now(),
                changed_by=Actor.CALLBACK, channel_order_no=f"UP-{placed.payout_id}",
            )  # fmt: skip
    return placed


def deposits_of_every_state(owner: Registered) -> dict[str, Payment | Payout]:
    """Make a deposit in each state."""
    now = clock.now()
    open_one, failed, closed = (deposit(owner, f"d-{n}", is_paid=False) for n in range(3))
    with transaction.atomic():
        payments.fail(
            payment=payments.locked(failed.pk),
            now=now,
            changed_by=Actor.CALLBACK,
            reason="payer's bank said no",
        )
    late = deposit(owner, "d-late", is_paid=False)
    for payment in (closed, late):
        payments.close(payment_pk=payment.pk, now=now, changed_by=Actor.EXPIRY, reason="Expired.")
    settled(late, "300")
    return {
        "deposit open": open_one, "deposit failed": failed, "deposit closed": closed, "deposit late": late,
        "deposit paid": deposit(owner, "d-paid"),
    }  # fmt: skip


def payouts_of_every_state(owner: Registered, boss: User) -> dict[str, Payment | Payout]:
    """Make a payout in each state."""
    terms = MerchantService.objects.filter(merchant=owner.merchant, service_id="SVC0004")
    found: dict[str, Payment | Payout] = {
        "payout paid": payout(owner, "p-paid"),
        "payout unknown": payout(owner, "p-unknown", is_paid=False),
    }  # fmt: skip
    for name, rule in (("failed", "fail"), ("held", "hold")):
        factories.set_terms(terms, after_failure=rule)
        failing = payout(owner, f"p-{name}", is_paid=False)
        with transaction.atomic():
            attempt, locked = payouts.locked_attempt(failing.attempts.get().pk)
            payouts.attempt_failed(
                payout=locked,
                attempt=attempt,
                reason="no such account",
                now=clock.now(),
                changed_by=Actor.QUERY,
            )
        found[f"payout {name}"] = failing
    owner.merchant.payout_audit = "manual"
    owner.merchant.save()
    found["payout in review"] = payout(owner, "p-review", is_paid=False)
    rejected = payout(owner, "p-rejected", is_paid=False)
    payouts.reject(payout_pk=rejected.pk, user=boss, reason="unknown recipient", now=clock.now())
    return {**found, "payout rejected": rejected}


def fund(owner: Registered, amount: str = "100000", *, request_id: str = "") -> None:
    """Put money on the merchant's first wallet."""
    ledger.adjust(
        merchant_channel=owner.wallets[0], amount=Decimal(amount), reason="opening", now=clock.now(),
        request_id=request_id or f"fund-{owner.merchant.pk}", actor="tests",
    )  # fmt: skip


def files(user: User) -> None:
    """Write a file that somebody asked for, a template and a schedule."""
    now = user.date_joined
    ExportJob.objects.create(requested_by=user, kind="payment", format="csv", zone="UTC", requested_at=now)
    chosen = ExportTemplate.objects.create(owner=user, kind="payment", name="theirs")
    ExportSchedule.objects.create(
        owner=user, kind="payment", name="theirs", template=chosen, time_of_day=time(6), zone="UTC"
    )


def fill(owner: Registered, other: Registered, user: User, *, start: int, count: int) -> None:
    """Write `count` of every record for the merchant, numbered from `start`; transfers go to `other`."""
    now, wallet = clock.now(), owner.wallets[0]
    for number in range(start, start + count):
        key = f"{owner.merchant.pk}-{number}"
        paid, sent = deposit(owner, f"D-{key}"), payout(owner, f"P-{key}")
        _messages(owner.merchant, paid, key)
        request_id = f"fr-{key}"
        ledger.freeze(
            merchant_channel=wallet,
            amount=Decimal(1),
            reason="why",
            request_id=request_id,
            now=now,
            operator=user,
        )
        transfers.execute(
            source=wallet, destination=other.wallets[0], amount=Decimal(2), reason="why",
            request_id=f"tr-{key}",
            now=now, operator=user,
        )  # fmt: skip
        approvals.request(
            kind=Act.Kind.FAIL_PAYOUT, object_kind="payout", object_id=sent.payout_id,
            evidence={"proof": "seen"}, reason="why",
            request_id=f"act-{key}", user=user, now=now,
        )  # fmt: skip
        proof(sent, user)
        call(owner, key)
    FormToken.objects.create(
        token=crypto.random_key(32), user=user, act="close", object_id=owner.merchant.pk, used_at=clock.now()
    )
    factories.make_rate("7.47")
    fold()
    fund(owner, "1", request_id=f"late-{owner.merchant.pk}-{start}")
    deposit(owner, f"D-{owner.merchant.pk}-last-{start}", is_paid=False)


def proof(payout: Payout, user: User) -> Proof:
    """Upload a proof of a payout."""
    file = uploads.harmless(name="slip.png", content=hostile_files.picture())
    return proofs.keep(
        order=payout, file=file, uploaded_sha256="0" * 64, note="bank slip",
        request_id=f"proof-{payout.payout_id}", user=user, address=None, now=clock.now(),
    )  # fmt: skip


def call(owner: Registered, key: str) -> ApiCall:
    """Write into the request log that the merchant asked for one of its orders."""
    return ApiCall.objects.create(
        merchant=owner.merchant, credential=owner.credential, is_proved=True, api="gateway", method="GET",
        path=f"/gateway/api/v2/payments/D-{key}", address="203.0.113.7", status=200, code="0000",
        duration_ms=12, request="", answer=f'{{"error_code":"0000","data":{{"payment_cl_id":"D-{key}"}}}}',
        lost_before=0, created_at=clock.now(),
    )  # fmt: skip


def fold() -> None:
    """Move what the totals' deltas hold into the totals, as the worker does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT records_fold_order_totals(10000), records_fold_account_totals(10000)")


def _messages(merchant: Merchant, payment: Payment, key: str) -> None:
    """Write what an upstream said of a deposit, the case that came of it, and a sending of its news."""
    now = clock.now()
    UpstreamCallback.objects.create(
        channel_id=payment.channel_id, received_at=now, source_address="203.0.113.9", headers={"x": "y"},
        body=f'{{"account": "{CARD}", "reference": "{payment.payment_id}"}}'.encode(), body_bytes=80,
        due_at=now + timedelta(hours=1), payment=payment,
    )  # fmt: skip
    cases.open_once(
        key=f"case-{key}", kind=Case.Kind.PAID_AGAIN, summary="paid twice", now=now,
        channel_id=payment.channel_id,
        payment=payment, amount=Decimal("300"), currency_id="CNY",
    )  # fmt: skip
    ChainTransfer.objects.create(
        chain_id=2, tx_hash=f"0x{hashlib.sha256(key.encode()).hexdigest()}", log_index=0,
        channel_id=payment.channel_id,
        token=Token.objects.get(chain=2, symbol="USDT"), from_address=SENDER, to_address=RECEIVER,
        units=1_500_000, block_number=100, block_hash=f"0x{64 * '0'}", block_time=now, payment=payment,
        seen_at=now,
    )  # fmt: skip
    notification = Notification.objects.get(payment=payment)
    Notification.objects.filter(pk=notification.pk).update(attempt_count=1)
    NotificationAttempt.objects.create(
        notification=notification, number=1, started_at=now,
        url="https://acme.example/told", body='{"status": 1}',
    )  # fmt: skip
