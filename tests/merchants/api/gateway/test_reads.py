"""Lists, single orders and balances: content, signatures computed anew, totals, other merchants."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from diamondpay.lib import clock
from merchants import credentials
from merchants.api.gateway import errors
from records import payments, totals
from records.models import Actor, Payment, Payout
from tests import factories
from tests.merchants.api.gateway.conftest import Caller, fund
from tests.support.sandbox import Sandbox


def signature(item: dict[str, Any], key: str, digest: str) -> str:
    """Compute a signature as a merchant would, with nothing of ours."""
    text = "&".join(f"{name}={item[name]}" for name in sorted(item) if name != "sign" and item[name] != "")
    if digest == "md5":
        return hashlib.md5(f"{text}&{key}".encode(), usedforsecurity=False).hexdigest()
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def settled(caller: Caller, **changes: object) -> Payment:
    """Place a deposit and have it paid."""
    caller.post("/v1/payments", caller.payment(**changes))
    payment = payments.locked(Payment.objects.filter(merchant=caller.merchant).latest("id").pk)
    return payments.settle(
        payment=payment, actual_amount=payment.requested_amount, now=clock.now(), changed_by=Actor.CALLBACK
    )


def test_a_list_item_has_the_published_fields(sandbox: Sandbox, channel: str) -> None:
    caller = Caller(factories.make_merchant("Fees", channels=[channel], fee_permillage=8))
    payment = settled(caller, amount=400000)
    answer = caller.get("/v1/payments")
    item = answer["data"][0]
    assert item.pop("sign") == signature(item, caller.key, "hmac")
    assert answer == {
        "error_code": "0000",
        "total": 1,
        "data": [
            {
                "amount": 400000,
                "real_amount": 400000,
                "fee": 3200,
                "payment_id": payment.payment_id,
                "payment_cl_id": payment.merchant_order_no,
                "payment_cl_name": "王小头",
                "platform_id": caller.merchant.pk,
                "platform_channel_id": caller.wallets[0].pk,
                "status": 2,
                "memo": "",
                "create_time": int(payment.created_at.timestamp()),
                "update_time": int(payment.updated_at.timestamp()),
            }
        ],
    }


def test_lists_are_signed_with_md5_where_it_is_on(md5_caller: Caller) -> None:
    md5_caller.post("/v1/payments", md5_caller.payment())
    fund(md5_caller)
    md5_caller.post("/v1/payouts", md5_caller.payout())
    for path in ("/v1/payments", "/v1/payouts"):
        item = md5_caller.get(path)["data"][0]
        assert item["sign"] == signature(item, md5_caller.key, "md5")
        assert (item["fee"], item["memo"]) == (0, "")


def test_payout_lists_are_signed_in_v1_and_bare_in_v2(caller: Caller) -> None:
    fund(caller)
    caller.post("/v1/payouts", caller.payout())
    payout = Payout.objects.get()
    item = caller.get("/v1/payouts")["data"][0]
    assert item.pop("sign") == signature(item, caller.key, "hmac")
    assert item == {
        "amount": 10000,
        "fee": 0,
        "payout_id": payout.payout_id,
        "payout_cl_id": payout.merchant_order_no,
        "platform_id": caller.merchant.pk,
        "platform_channel_id": caller.wallets[0].pk,
        "status": 2,
        "memo": "",
        "create_time": int(payout.created_at.timestamp()),
        "update_time": int(payout.updated_at.timestamp()),
    }
    assert caller.get("/v2/payouts") == {"error_code": "0000", "data": [item], "total": 1}


def test_pages_are_newest_first_with_the_exact_total(caller: Caller) -> None:
    numbers = []
    for index in range(5):
        params = caller.payment(payment_cl_id=f"order{index}")
        caller.post("/v2/payments", params)
        numbers.append(params["payment_cl_id"])
    page = caller.get("/v1/payments", "?offset=1&limit=2")
    assert [item["payment_cl_id"] for item in page["data"]] == ["order3", "order2"]
    assert page["total"] == 5
    with connection.cursor() as cursor:
        cursor.execute("SELECT records_fold_order_totals(1000)")
    assert caller.get("/v1/payments", "?offset=5") == {"error_code": "0000", "data": [], "total": 5}


def test_ids_and_times_narrow_the_list(caller: Caller) -> None:
    payment = settled(caller)
    second = int(payment.created_at.timestamp())
    for query, count in (
        (f"payment_id={payment.payment_id}", 1),
        (f"payment_cl_id={payment.merchant_order_no}", 1),
        (f"payment_id={payment.payment_id}&payment_cl_id=other", 0),
        ("payment_id=PM99999999", 0),
        (f"create_time__gte={second}&create_time__lte={second}", 1),
        (f"create_time__gte={second + 1}&create_time__lte={second + 9}", 0),
        (f"create_time__gte={second - 9}&create_time__lte={second - 1}", 0),
        (f"create_time__gte={second + 100}", 1),
        (f"create_time__lte={second - 100}", 1),
    ):
        answer = caller.get("/v1/payments", f"?{query}")
        assert (answer["total"], len(answer["data"])) == (count, count), query


def test_totals_of_any_range_equal_a_count(caller: Caller) -> None:
    """The sums over days, hours, deltas and the ragged ends meet without a gap or an overlap."""
    caller.post("/v2/payments", caller.payment())
    now = clock.now()
    for hours in (0.01, 1, 3, 25, 49, 24 * 40):
        for shift in (timedelta(0), timedelta(minutes=17), timedelta(hours=-5)):
            start, end = now - timedelta(hours=hours) + shift, now + shift
            wanted = Payment.objects.filter(created_at__gte=start, created_at__lt=end).count()
            found = totals.order_count(
                kind=totals.PAYMENTS, merchant_id=caller.merchant.pk, start=start, end=end
            )
            assert found == wanted, (hours, shift)


def test_another_merchants_orders_are_unknown(caller: Caller, other_caller: Caller) -> None:
    payment = settled(caller)
    unknown = {"error_code": "0000", "data": [], "total": 0}
    assert other_caller.get("/v1/payments", f"?payment_id={payment.payment_id}") == unknown
    assert other_caller.get("/v1/payments") == unknown
    assert other_caller.get(f"/v2/payments/{payment.merchant_order_no}")["error_code"] == "0050"


def test_one_deposit_before_and_after_it_is_paid(caller: Caller) -> None:
    params = caller.payment(payment_cl_id="a/b-1")
    caller.post("/v2/payments", params)
    payment = Payment.objects.get()
    wanted = {
        "payment_id": payment.payment_id,
        "payment_cl_id": "a/b-1",
        "amount": 50000,
        "real_amount": 0,
        "fee": 0,
        "status": 1,
        "payment_cl_name": "王小头",
        "create_time": int(payment.created_at.timestamp()),
        "success_time": 0,
    }
    assert caller.get("/v2/payments/a/b-1") == {"error_code": "0000", "data": wanted}
    payments.settle(
        payment=payments.locked(payment.pk),
        actual_amount=Decimal(500),
        now=clock.now(),
        changed_by=Actor.CALLBACK,
    )
    payment.refresh_from_db()
    assert payment.completed_at is not None
    paid = {"real_amount": 50000, "status": 2, "success_time": int(payment.completed_at.timestamp())}
    assert caller.get("/v2/payments/a/b-1")["data"] == wanted | paid


def test_one_payout_has_its_error_only_once_it_failed(caller: Caller, sandbox: Sandbox) -> None:
    fund(caller)
    params = caller.payout()
    caller.post("/v2/payouts", params)
    detail = caller.get(f"/v2/payouts/{params['payout_cl_id']}")["data"]
    assert (detail["status"], detail["error_msg"], detail["success_time"]) == (2, "", 0)
    sandbox.behaviour("refuse")
    params = caller.payout()
    message = caller.post("/v2/payouts", params)["error_msg"]
    detail = caller.get(f"/v2/payouts/{params['payout_cl_id']}")["data"]
    assert (detail["status"], detail["error_msg"]) == (5, message)


def test_a_v1_balance_is_signed_inside_and_outside(md5_caller: Caller) -> None:
    fund(md5_caller, 123)
    data = md5_caller.get("/v1/platforms/balance")["data"]
    channels = data.pop("platform_channels")
    assert data.pop("sign") == signature(data, md5_caller.key, "md5")
    assert abs(data.pop("request_time") - clock.now().timestamp()) < 5
    assert data == {"platform_id": md5_caller.merchant.pk, "total": 1, "total_balance": 12300}
    assert channels[0].pop("sign") == signature(channels[0], md5_caller.key, "md5")
    assert channels == [
        {
            "platform_channel_id": md5_caller.wallets[0].pk,
            "channel_name": md5_caller.wallets[0].name or "Sandbox",
            "balance": 12300,
        }
    ]


def test_a_v2_balance_tells_available_and_frozen(caller: Caller) -> None:
    fund(caller)
    caller.post("/v2/payouts", caller.payout())
    assert caller.get("/v2/platforms/balance") == {
        "error_code": "0000",
        "data": {
            "platform_id": caller.merchant.pk,
            "total_balance": 90000,
            "total_frozen_balance": 10000,
        },
    }


def test_balances_in_several_currencies_are_never_added_up(channel: str, sandbox: Sandbox) -> None:
    factories.make_channel("thb", "THB", services=["SVC0046"], base_url=sandbox.base_url)
    caller = Caller(
        factories.make_merchant("Both", services=["SVC0001", "SVC0046"], channels=[channel, "thb"])
    )
    fund(caller, 10)
    answer = caller.get("/v2/platforms/balance")
    assert answer["error_code"] == "0002"
    assert "CNY, THB" in answer["error_msg"]
    assert caller.get("/v2/platforms/balance", "?currency=cny")["data"]["total_balance"] == 1000
    assert caller.get("/v1/platforms/balance", "?currency=THB")["data"]["total_balance"] == 0
    assert caller.get("/v2/platforms/balance", "?currency=USD")["error_code"] == "0002"


def test_a_list_costs_the_same_queries_for_one_and_for_many(
    caller: Caller, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(4):
        caller.post("/v2/payments", caller.payment())
    caller.get("/v1/payments")
    with django_assert_max_num_queries(2):
        assert len(caller.get("/v1/payments")["data"]) == 4


def test_during_a_rotation_each_token_gets_answers_signed_with_its_own_key(caller: Caller) -> None:
    caller.post("/v1/payments", caller.payment())
    made = credentials.rotate(merchant=caller.merchant, api="gateway", now=clock.now())
    for token, key in ((caller.token, caller.key), (made.authorization, made.platform_key)):
        item = caller.get("/v1/payments", token=token)["data"][0]
        assert item["sign"] == signature(item, key, "hmac")


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payouts", "/v2/payouts"])
def test_an_empty_list_is_a_success(caller: Caller, path: str) -> None:
    assert caller.get(path) == {"error_code": "0000", "data": [], "total": 0}


def test_a_number_beyond_64_bits_is_written_whole() -> None:
    answered = errors.answer({"data": [{"amount": 10**39, "name": "王\u2028\x7f"}]})
    assert answered.content.decode() == f'{{"data":[{{"amount":1{"0" * 39},"name":"王\u2028\x7f"}}]}}'


def test_an_answer_may_load_nothing_and_is_kept_nowhere(caller: Caller) -> None:
    headers = {"authorization": caller.token}
    response = caller.client.get("/gateway/api/v1/payments", headers=headers)
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", ["payment", "payout"])
def test_a_page_beyond_the_end_is_empty_and_still_tells_the_total(caller: Caller, kind: str) -> None:
    fund(caller)
    for _ in range(3):
        caller.post(f"/v1/{kind}s", caller.payment() if kind == "payment" else caller.payout())
    assert caller.get(f"/v1/{kind}s", "?offset=3") == {"error_code": "0000", "data": [], "total": 3}
    page = caller.get(f"/v1/{kind}s", "?offset=2")
    assert (len(page["data"]), page["total"]) == (1, 3)
