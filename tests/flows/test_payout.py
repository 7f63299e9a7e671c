"""The main road of a payout, over real processes: P1–P5, F7."""

from __future__ import annotations

from itertools import count

import pytest

from tests.flows.conftest import MakeMerchant
from tests.support.platform import Platform
from tests.support.receiver import Merchant, Receiver, sign

_numbers = count(1)
ACCOUNT = "6216667451674374"


@pytest.fixture
def funded(platform: Platform, make_merchant: MakeMerchant) -> Merchant:
    """A merchant with 1,000.00 CNY."""
    merchant, printed = make_merchant()
    wallet = printed["platform_channel_ids"][0]
    platform.command("fund", "--wallet", wallet, "--amount", "1000", "--reason", "opening balance")
    return merchant


def place(merchant: Merchant, receiver: Receiver, *, name: str = "Wang") -> tuple[str, str]:
    """Place a payout of 100.00; return the merchant's number and ours."""
    number = f"payout_{next(_numbers)}"
    answer = merchant.post(
        "/v1/payouts",
        service_id="SVC0004",
        payout_cl_id=number,
        amount=10000,
        name=name,
        number=ACCOUNT,
        notify_url=receiver.url,
    )
    assert answer["error_code"] == "0000", answer
    return number, answer["data"]["payout_id"]


def balance(merchant: Merchant) -> tuple[int, int]:
    """Return available and frozen balance, × 100."""
    found = merchant.get("/v2/platforms/balance")["data"]
    return found["total_balance"], found["total_frozen_balance"]


def test_a_payout_travels_the_whole_road(platform: Platform, funded: Merchant, receiver: Receiver) -> None:
    platform.sandbox.behaviour("normal", payout_delay_seconds=600)
    number, payout_id = place(funded, receiver)
    assert balance(funded) == (89920, 10080)
    assert funded.get(f"/v2/payouts/{number}")["data"]["status"] == 2
    platform.sandbox.pay(f"{payout_id}-1")
    platform.until(lambda: receiver.received, what="the notification")
    (body,) = receiver.verified(funded)
    told = {
        name: body[name] for name in ("payout_id", "payout_cl_id", "platform_id", "amount", "fee", "status")
    }
    assert told == {
        "payout_id": payout_id,
        "payout_cl_id": number,
        "platform_id": funded.platform_id,
        "amount": 10000,
        "fee": 80,
        "status": 3,
    }
    assert balance(funded) == (89920, 0)
    (item,) = funded.get("/v1/payouts", payout_cl_id=number)["data"]
    assert (item["status"], item["sign"]) == (3, sign(item, funded.platform_key, sign_type="HMAC-SHA256"))


def test_a_payout_that_fails_gives_the_money_back(
    platform: Platform, funded: Merchant, receiver: Receiver
) -> None:
    number, _payout_id = place(funded, receiver, name="FAIL")
    platform.until(lambda: receiver.received, what="the notification")
    (body,) = receiver.verified(funded)
    assert (body["payout_cl_id"], body["status"], body["error_msg"] != "") == (number, 5, True)
    assert balance(funded) == (100000, 0)


@pytest.mark.parametrize("mode", ["error_500_but_done", "timeout_but_done"])
def test_an_unknown_payout_stays_frozen_until_it_is_proven_p5_f7(
    platform: Platform, funded: Merchant, receiver: Receiver, mode: str
) -> None:
    platform.sandbox.behaviour(mode, payout_delay_seconds=600)
    _number, payout_id = place(funded, receiver)
    assert balance(funded) == (89920, 10080)
    state = "SELECT state FROM records_payoutattempt WHERE reference = %s"
    assert platform.one(state, f"{payout_id}-1") == "unknown"
    platform.sandbox.behaviour("lost_callback")
    platform.sandbox.pay(f"{payout_id}-1")
    platform.make_due(payout_id)
    platform.until(lambda: receiver.received, what="the notification")
    assert [body["status"] for body in receiver.verified(funded)] == [3]
    assert balance(funded) == (89920, 0)
    attempts = platform.rows(
        "SELECT state FROM records_payoutattempt WHERE reference LIKE %s", f"{payout_id}-%"
    )
    assert attempts == [("succeeded",)]


REVIEW = """
from django.utils import timezone
from operations import acts
from tests import factories
acts.reject_payout(
    payout_id="{payout_id}", user=factories.make_user("reviewer", is_superuser=True), reason="unknown",
    address=None, now=timezone.now(),
)
"""
MANUAL_AUDIT = """
from merchants.models import Merchant
Merchant.objects.filter(pk="{platform_id}").update(payout_audit="manual")
"""


def test_a_review_that_rejects_gives_the_money_back_p3(
    platform: Platform, funded: Merchant, receiver: Receiver
) -> None:
    platform.shell(MANUAL_AUDIT.format(platform_id=funded.platform_id))
    number, payout_id = place(funded, receiver)
    assert (balance(funded), funded.get(f"/v2/payouts/{number}")["data"]["status"]) == ((89920, 10080), 6)
    platform.shell(REVIEW.format(payout_id=payout_id))
    platform.until(lambda: receiver.received, what="the notification")
    assert [body["status"] for body in receiver.verified(funded)] == [4]
    assert balance(funded) == (100000, 0)
    assert not platform.sandbox.has_order(f"{payout_id}-1")
