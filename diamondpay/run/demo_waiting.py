"""What waits for a person when the demo is first opened: acts of kinds that the plan has none of, a batch."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from channels.models import Service
from diamondpay.models import User
from diamondpay.run import demo_cast, demo_people
from diamondpay.run.demo_setup import Stage
from merchants.models import Merchant, MerchantService
from operations import approvals, terms
from operations.batches import acts, columns
from operations.batches.models import BatchPayout
from operations.models import Act
from records.models import Payment, PaymentStatus

BATCH_ROWS = 12
_ORDER_NO = "SALARY-DEMO-{:04}"


def ask(stage: Stage) -> None:
    """Ask for a refund, another fee, a new key, rate and service, and hand in a file of payouts.

    Done twice, they are the same acts and the same batch. Those who decide are other people.
    """
    now = stage.script.ends_at
    shop = demo_cast.SHOPS[0]
    merchant = stage.merchants[shop.key]
    _ask_for_refund(merchant, now)
    _ask_for_fee(MerchantService.objects.get(merchant=merchant, service=shop.deposits[0][0]), now)
    approvals.request(
        kind=Act.Kind.ROTATE_CREDENTIAL, object_kind="merchant", object_id=merchant.pk,
        evidence={"api": "gateway", "old_keys": "86400"}, reason="Their developer left; keys are replaced.",
        request_id="demo-waiting-key", user=_person("approver"), now=now,
    )  # fmt: skip
    approvals.request(
        kind=Act.Kind.ADD_RATE, object_kind="exchangerate", object_id="USDT-CNY",
        evidence={"base": "USDT", "quote": "CNY", "rate": "7.12", "valid_from": ""},
        reason="Rate of this week.", request_id="demo-waiting-rate", user=_person("finance"), now=now,
    )  # fmt: skip
    _ask_for_activation(stage.merchants[demo_cast.SHOPS[1].key], now)
    if not BatchPayout.objects.filter(merchant=merchant).exists():
        _hand_in(shop, merchant, now)


def _person(username: str) -> User:
    return User.objects.get(username=username)


def _ask_for_refund(merchant: Merchant, now: datetime) -> None:
    """Ask to give a deposit back, the newest that was paid; asked before, it stays that one."""
    if Act.objects.filter(request_id="demo-waiting-refund").exists():
        return
    paid = Payment.objects.filter(merchant=merchant, status=PaymentStatus.SUCCESS).order_by("-id")[0]
    approvals.request(
        kind=Act.Kind.REFUND_PAYMENT, object_kind="payment", object_id=paid.payment_id,
        evidence={"fee": "return"}, reason="Paid twice by mistake, says the merchant.",
        request_id="demo-waiting-refund", user=_person("operator"), now=now,
    )  # fmt: skip


def _ask_for_fee(service: MerchantService, now: datetime) -> None:
    if Act.objects.filter(request_id="demo-waiting-fee").exists():
        return
    approvals.request(
        kind=Act.Kind.CHANGE_TERMS, object_kind="merchantservice", object_id=str(service.pk),
        evidence=terms.evidence(service, {"fee_permillage": service.fee_permillage - 1}),
        reason="Agreed with the merchant for more than 10,000 orders a month.",
        request_id="demo-waiting-fee", user=_person("approver"), now=now,
    )  # fmt: skip


def _ask_for_activation(merchant: Merchant, now: datetime) -> None:
    """Activate one more service of a merchant, which is not in force until a second person says so."""
    if Act.objects.filter(request_id="demo-waiting-activation").exists():
        return
    activated = merchant.merchant_services.values("service")
    service = Service.objects.exclude(pk__in=activated).order_by("pk")[0]
    with transaction.atomic():
        row = MerchantService.objects.create(merchant=merchant, service=service, fee_permillage=Decimal(6))
        approvals.request(
            kind=Act.Kind.ACTIVATE_TERMS, object_kind="merchantservice", object_id=str(row.pk),
            evidence=terms.evidence(row, {}), reason="Contract of this week.",
            request_id="demo-waiting-activation", user=_person("approver"), now=now,
        )  # fmt: skip


def _hand_in(shop: demo_cast.Shop, merchant: Merchant, now: datetime) -> None:
    """Hand in a file of payouts, which then waits for its confirmation."""
    service = Service.objects.get(pk=shop.payouts[0])
    found = columns.columns_of(service)
    lines = [[_cell(column.key, shop, number) for column in found] for number in range(1, BATCH_ROWS + 1)]
    file = io.StringIO()
    csv.writer(file).writerows([[column.heading for column in found], *lines])
    acts.upload(
        wanted=acts.Upload(
            merchant_id=merchant.pk, service_id=service.pk, merchant_channel_id="",
            name="salaries-of-the-week.csv", content=file.getvalue().encode("utf-8-sig"),
        ),
        user=_person("operator"), address=None, now=now,
    )  # fmt: skip


def _cell(key: str, shop: demo_cast.Shop, number: int) -> str:
    throw = demo_people.dice("batch", shop.key, number)
    party = demo_people.party(shop.currency, throw)
    values = {
        columns.ORDER_NO: _ORDER_NO.format(number),
        columns.AMOUNT: str(demo_people.amount(shop.currency, throw)),
        columns.Field.NAME.value: party.name,
        columns.Field.NUMBER.value: party.account,
        columns.Field.BANK.value: party.bank_code,
    }
    return values.get(key, "")
