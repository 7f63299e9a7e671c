"""The main road of a deposit, over real processes: D2, D5, D6, N1, F5."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

import httpx
import pytest

from tests.flows.conftest import MakeMerchant
from tests.support.platform import Platform
from tests.support.receiver import Merchant, Receiver, sign

_numbers = count(1)


def order_no() -> str:
    return f"flow_{next(_numbers)}"


@pytest.mark.parametrize("options", [(), ("--md5",)], ids=["hmac", "md5"])
def test_a_deposit_travels_the_whole_road(
    platform: Platform, make_merchant: MakeMerchant, receiver: Receiver, options: tuple[str, ...]
) -> None:
    merchant, printed = make_merchant(*options)
    number = order_no()
    answer = merchant.post(
        "/v1/payments",
        service_id="SVC0001",
        payment_cl_id=number,
        amount=10000,
        notify_url=receiver.url,
        name="王小头",
    )
    assert answer["error_code"] == "0000", answer
    created = answer["data"]["payment_info"]
    assert (created["amount"], created["display_amount"], created["payment_cl_id"]) == (10000, 10000, number)
    page = httpx.get(answer["data"]["link"], trust_env=False)
    assert (page.status_code, "100.00" in page.text, created["token"] in page.text) == (200, True, True)

    platform.sandbox.pay(created["payment_id"])
    platform.until(lambda: receiver.received, what="the notification")

    assert_told_and_booked(platform, merchant, receiver, number, created["payment_id"])
    available = "SELECT balance FROM records_account WHERE kind = 'available' AND merchant_channel_id = %s"
    assert platform.one(available, printed["platform_channel_ids"][0]) == Decimal("99.20")


def assert_told_and_booked(
    platform: Platform, merchant: Merchant, receiver: Receiver, number: str, payment_id: str
) -> None:
    """The merchant's view of a paid deposit of 100.00 at 8 ‰: notification, list, balance; one callback."""
    (body,) = receiver.verified(merchant)
    fields = ("payment_id", "payment_cl_id", "platform_id", "amount", "real_amount", "fee", "status")
    told = [body[name] for name in fields]
    assert told == [payment_id, number, merchant.platform_id, 10000, 10000, 80, 2]
    (item,) = merchant.get("/v1/payments", payment_cl_id=number)["data"]
    assert item["sign"] == sign(item, merchant.platform_key, sign_type=merchant.sign_type)
    assert (item["status"], item["real_amount"], item["fee"]) == (2, 10000, 80)
    balance = merchant.get("/v2/platforms/balance")["data"]
    assert (balance["total_balance"], balance["total_frozen_balance"]) == (9920, 0)
    callbacks = platform.rows("SELECT outcome FROM records_upstreamcallback WHERE reference = %s", payment_id)
    assert callbacks == [("credited",)]


def test_a_lost_callback_is_found_by_asking_f5(
    platform: Platform, make_merchant: MakeMerchant, receiver: Receiver
) -> None:
    merchant, _printed = make_merchant()
    platform.sandbox.behaviour("lost_callback")
    number = order_no()
    answer = merchant.post(
        "/v2/payments", service_id="SVC0001", payment_cl_id=number, amount=10000, notify_url=receiver.url
    )
    platform.sandbox.pay(answer["data"]["payment_id"])
    # The next query is a minute away; the test brings it near, as the database's owner alone can.
    platform.make_due(answer["data"]["payment_id"])
    platform.until(lambda: receiver.received, what="the notification")
    assert merchant.get(f"/v2/payments/{number}")["data"]["status"] == 2
    assert (
        platform.one("SELECT changed_by FROM records_payment WHERE merchant_order_no = %s", number) == "query"
    )


def test_a_doubled_callback_credits_once_f3(
    platform: Platform, make_merchant: MakeMerchant, receiver: Receiver
) -> None:
    merchant, _printed = make_merchant()
    platform.sandbox.behaviour("double_callback")
    answer = merchant.post(
        "/v2/payments", service_id="SVC0001", payment_cl_id=order_no(), amount=10000, notify_url=receiver.url
    )
    payment_id = answer["data"]["payment_id"]
    platform.sandbox.pay(payment_id)
    rows = "SELECT outcome FROM records_upstreamcallback WHERE reference = %s ORDER BY outcome"
    platform.until(lambda: len(platform.rows(rows, payment_id)) == 2, what="both callbacks")
    platform.until(lambda: receiver.received, what="the notification")
    assert platform.rows(rows, payment_id) == [("credited",), ("duplicate",)]
    assert merchant.get("/v2/platforms/balance")["data"]["total_balance"] == 9920
    assert len(receiver.received) == 1


def test_a_forged_callback_is_kept_and_refused_d6(
    platform: Platform, make_merchant: MakeMerchant, receiver: Receiver
) -> None:
    merchant, _printed = make_merchant()
    platform.sandbox.behaviour("bad_signature")
    answer = merchant.post(
        "/v2/payments", service_id="SVC0001", payment_cl_id=order_no(), amount=10000, notify_url=receiver.url
    )
    before = platform.one("SELECT coalesce(max(id), 0) FROM records_upstreamcallback")
    platform.sandbox.pay(answer["data"]["payment_id"])
    outcome = "SELECT outcome FROM records_upstreamcallback WHERE id > %s LIMIT 1"
    platform.until(lambda: platform.rows(outcome, before), what="the forged callback")
    assert platform.rows(outcome, before) == [("refused",)]
    assert merchant.get("/v2/platforms/balance")["data"]["total_balance"] == 0
