"""The whole road of a merchant that uses the client package, over real processes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from diamondpay_client import Client, PayoutStatus, SignatureInvalid, notification
from tests.flows.conftest import MakeMerchant
from tests.support.platform import Platform
from tests.support.receiver import Receiver


@pytest.mark.parametrize("options", [(), ("--md5",)], ids=["hmac", "md5"])
def test_a_merchant_takes_money_and_pays_it_out_with_the_client(
    platform: Platform, make_merchant: MakeMerchant, receiver: Receiver, options: tuple[str, ...]
) -> None:
    merchant, _printed = make_merchant(*options)
    with Client(
        url=merchant.url, platform_id=merchant.platform_id, platform_key=merchant.platform_key,
        authorization=merchant.authorization, sign_type=merchant.sign_type,
    ) as client:  # fmt: skip
        created = client.create_deposit(
            service_id="SVC0001", order_no="in/1", amount=Decimal("100.00"), notify_url=receiver.url
        )
        platform.sandbox.pay(created.id)
        platform.until(lambda: receiver.received, what="the notification")
        headers, body = receiver.received[0]
        told = notification(headers=headers, body=body, keys=[merchant.platform_key])
        assert (told.order_no, told.is_paid, told.real_amount, told.fee) == (
            "in/1",
            True,
            Decimal(100),
            Decimal("0.80"),
        )
        assert client.deposit("in/1").is_paid
        with pytest.raises(SignatureInvalid):
            notification(headers=headers, body=body + b" ", keys=[merchant.platform_key])

        client.create_payout(
            service_id="SVC0004", order_no="out-1", amount=50, name="Wang", number="6216667451674374",
            notify_url=receiver.url,
        )  # fmt: skip
        platform.until(lambda: client.payout("out-1").is_paid, what="the payout to be paid")
        (listed,) = client.payouts(payout_cl_id="out-1").items
        assert (listed.status, client.balance().frozen) == (int(PayoutStatus.SUCCESS), Decimal(0))
        assert client.balance().available == Decimal("99.20") - 50 - listed.fee
