"""Reading an order through its whole life, whichever API made it, and asking to be told of it."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from diamondpay.lib import clock
from merchants.models import Merchant
from records import payments, telling
from records.dialects import payment_detail as dialect
from records.models import Notification, Payment, PaymentStatus
from tests import factories
from tests.merchants.api.payment_detail.conftest import NOTIFY_URL, Caller, MakeCaller, book, paid
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.django_db


def test_an_order_of_the_gateway_api_is_told_with_nulls_for_what_only_a_chain_has(caller: Caller) -> None:
    payment = caller.place("order-1")
    created = payment.created_at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%d %H:%M:%S")
    assert caller.detail(outTradeNo="order-1").data == {
        "orgId": caller.merchant.organisation_id,
        "outTradeNo": "order-1",
        "outPaymentNo": payment.payment_id,
        "chainId": None,
        "currencyId": None,
        "description": "",
        "isLegalTender": 1,
        "quoteCurrencySymbol": "CNY",
        "quoteAmount": "1234.56",
        "paymentStatus": 1,
        "paymentType": None,
        "expectedAmount": "123456",
        "settlementAmount": None,
        "settlementCurrencySymbol": None,
        "transferHash": None,
        "userWalletAddress": None,
        "fromAddress": None,
        "blockTime": None,
        "createTime": created,
    }


def test_a_paid_order_tells_what_arrived(caller: Caller, sandbox: Sandbox) -> None:
    payment = paid(sandbox, caller.place("order-1"))
    for numbers in (
        {"outTradeNo": "order-1"},
        {"outPaymentNo": payment.payment_id},
        {"outTradeNo": "order-1", "outPaymentNo": payment.payment_id},
    ):
        data = caller.detail(**numbers).data
        assert (data["paymentStatus"], data["settlementAmount"], data["settlementCurrencySymbol"]) == (
            0, "123456", "CNY",
        )  # fmt: skip


def test_a_refund_makes_it_refunded_l7(caller: Caller, sandbox: Sandbox) -> None:
    payment = paid(sandbox, caller.place("order-1"))
    user = factories.make_user("approver-of-refunds")
    payments.refund(payment=payment, is_fee_returned=True, now=clock.now(), user=user, reason="wrong payer")
    data = caller.detail(outTradeNo="order-1").data
    assert (data["paymentStatus"], data["settlementAmount"]) == (5, "123456")


STATUSES = [
    (PaymentStatus.SUCCESS, "pending", False, 0),
    (PaymentStatus.SUCCESS, "pending", True, 5),
    (PaymentStatus.IN_PROGRESS, "pending", False, 1),
    (PaymentStatus.IN_PROGRESS, "confirming", False, 2),
    (PaymentStatus.IN_PROGRESS, "partial", False, 3),
    (PaymentStatus.FAILED, "partial", False, 4),
    (PaymentStatus.CLOSED, "confirming", False, 4),
]


@pytest.mark.parametrize(("status", "detail", "is_refunded", "code"), STATUSES)
def test_every_status_has_its_code(status: int, detail: str, is_refunded: bool, code: int) -> None:
    assert dialect.payment_status(status=status, detail=detail, is_refunded=is_refunded) == code


UNITS = [
    ("1", 6, "1000000"),
    ("0.000001", 6, "1"),
    ("12345678901234567890.5", 18, "12345678901234567890500000000000000000"),
    ("1.239", 2, "123"),
    ("150000", 0, "150000"),
]


@pytest.mark.parametrize(("amount", "decimals", "text"), UNITS)
def test_units_are_whole_numbers_and_never_more_than_there_is(amount: str, decimals: int, text: str) -> None:
    assert dialect.units(Decimal(amount), decimals) == text


def test_times_are_in_the_merchants_zone(make_caller: MakeCaller) -> None:
    tokyo = make_caller("Tokyo", time_zone="Asia/Tokyo")
    payment = tokyo.place("order-1")
    wanted = payment.created_at.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%d %H:%M:%S")
    assert tokyo.detail(outTradeNo="order-1").data["createTime"] == wanted


def test_numbers_of_two_orders_name_none(caller: Caller) -> None:
    caller.place("order-1")
    other = caller.place("order-2")
    answer = caller.detail(outTradeNo="order-1", outPaymentNo=other.payment_id)
    assert answer.status == 404


def test_asking_leaves_one_notification_as_the_order_is_now(caller: Caller) -> None:
    payment = caller.place("order-1")
    assert caller.get("/payment/notify", outTradeNo="order-1").status == 200
    told = Notification.objects.get()
    assert (told.payment_id, told.url, told.order_version, told.dialect) == (
        payment.pk, NOTIFY_URL, payment.version, "gateway.v1",
    )  # fmt: skip
    assert told.asked_at is not None
    assert (told.state, told.facts["payment_cl_id"], told.facts["status"]) == ("retrying", "order-1", 1)


def test_asking_again_within_half_a_minute_is_429_and_leaves_nothing(caller: Caller) -> None:
    payment = caller.place("order-1")
    now = clock.now()
    telling.tell_now(payment=payment, now=now)
    before = book()
    with pytest.raises(telling.ToldJustNow) as refused:
        telling.tell_now(payment=payment, now=now)
    assert 1 <= refused.value.retry_after <= 30
    assert book() == before


def test_asking_is_beside_what_the_changes_tell_n1(caller: Caller, sandbox: Sandbox) -> None:
    payment = paid(sandbox, caller.place("order-1"))
    assert caller.get("/payment/notify", outPaymentNo=payment.payment_id).status == 200
    rows = Notification.objects.order_by("pk").values_list("order_version", "asked_at")
    assert [(version, asked is None) for version, asked in rows] == [
        (payment.version, True), (payment.version, False),
    ]  # fmt: skip


def test_asking_about_an_order_without_an_address_says_so(caller: Caller) -> None:
    caller.place("order-1", notify_url="")
    answer = caller.get("/payment/notify", outTradeNo="order-1")
    assert (answer.status, Notification.objects.count()) == (400, 0)
    assert "without an address to notify" in answer.words


def test_a_disabled_merchant_reads_nothing(caller: Caller) -> None:
    caller.place("order-1")
    Merchant.objects.filter(pk=caller.merchant.pk).update(status=Merchant.Status.DISABLED)
    assert caller.detail(outTradeNo="order-1").status == 403
    assert Payment.objects.count() == 1
