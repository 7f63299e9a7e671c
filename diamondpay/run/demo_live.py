"""Deposits in progress at the real sandbox, so that a person can play their payers."""

from __future__ import annotations

import urllib.error
import urllib.request

from django.conf import settings

from diamondpay.run import demo_cast, demo_chain, demo_people
from diamondpay.run.demo_setup import Stage
from operations import placement
from records.models import Source

PER_SHOP = 5
_SECONDS_MAX = 2


def place(stage: Stage) -> int:
    """Place a few deposits of every shop through the sandbox, and those over its practice chain.

    None when it does not answer. Returns how many.
    Placed twice, they are the same orders. Their merchants are not told: nobody listens at their address.
    """
    if not _sandbox_answers():
        return 0
    for shop in demo_cast.SHOPS:
        for number in range(1, PER_SHOP + 1):
            throw = demo_people.dice("live", shop.key, number)
            party = demo_people.party(shop.currency, throw)
            placement.place_payment(
                order=placement.NewPayment(
                    merchant=stage.merchants[shop.key],
                    service_id=shop.deposits[number % len(shop.deposits)][0],
                    merchant_order_no=f"{shop.number_prefix}-LIVE-{number}",
                    amount=demo_people.amount(shop.currency, throw),
                    party=party,
                    bank=party.bank_code,
                    sign_type=shop.sign_type,
                    dialect=shop.dialect,
                    source=Source.API_V1,
                )
            )
    shop = demo_cast.SHOPS[0]
    over_chain = demo_chain.place(merchant=stage.merchants[shop.key], number_prefix=shop.number_prefix)
    return PER_SHOP * len(demo_cast.SHOPS) + over_chain


def _sandbox_answers() -> bool:
    address = f"http://127.0.0.1:{settings.SANDBOX_PORT}/healthz"
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS_MAX) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
