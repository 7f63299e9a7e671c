"""Placing orders over a chain: what is answered, repeats, refusals; nothing of what is refused is written."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from channels.models import Chain, Token
from merchants.models import Credential, Merchant
from records import payer_links
from records.models import ChainPayment, Notification, Payment
from tests import factories
from tests.merchants.api.payment_detail.conftest import (
    NOTIFY_URL,
    MakeOverChain,
    OverChain,
    book,
    new_order,
)

pytestmark = pytest.mark.django_db


def test_an_order_is_placed_and_answered_with_its_page_and_address(
    over_chain: OverChain, settings: Settings
) -> None:
    asked = new_order("order-1", quoteAmount="10.5", redirectionUrl="https://shop.example/thanks")
    answer = over_chain.create(asked)
    assert answer.status == 200
    payment = Payment.objects.get()
    found = ChainPayment.objects.get(pk=payment.pk)
    assert answer.data == {
        "outPaymentNo": payment.payment_id,
        "paymentUrl": payer_links.payment_page(payment).removeprefix(settings.PUBLIC_URL),
        "userWalletAddress": found.address,
    }
    assert (payment.merchant_order_no, payment.requested_amount, payment.notify_url, payment.dialect) == (
        "order-1", Decimal("10.5"), NOTIFY_URL, "payment_detail.v1",
    )  # fmt: skip
    assert (found.chain_id, found.token, found.expected_units, found.description, found.redirect_url) == (
        99, over_chain.scene.token("USDT"), 10_500_000, "A book", "https://shop.example/thanks",
    )  # fmt: skip
    assert over_chain.client.get(answer.data["paymentUrl"]).status_code == 200


def test_an_order_in_fiat_waits_for_the_payers_choice_of_a_token(make_over_chain: MakeOverChain) -> None:
    factories.make_rate("0.9998", "USDC", "USD")
    factories.make_rate("3000", "ETH", "USD")
    shop = make_over_chain(currency="USD")
    payment = shop.placed("order-1", isLegalTender=1, quoteCurrencySymbol="USD", quoteAmount="100")
    found = ChainPayment.objects.get(pk=payment.pk)
    assert (found.token, found.expected_units, payment.currency_id) == (None, None, "USD")


def test_the_same_again_is_the_same_order_whatever_was_closed_since(over_chain: OverChain) -> None:
    first = over_chain.create(new_order("order-1"))
    before = book()
    assert over_chain.create(new_order("order-1")).data == first.data
    assert over_chain.create(json.dumps(new_order("order-1"), indent=3).encode()).data == first.data
    Token.objects.filter(chain=99).update(status=Token.Status.CLOSED)
    assert over_chain.create(new_order("order-1")).data == first.data
    Chain.objects.filter(pk=99).update(status=Chain.Status.CLOSED)
    assert over_chain.create(new_order("order-1")).data == first.data
    assert over_chain.create(new_order("order-2")).status == 400
    assert book() == before


def test_the_repeat_of_an_order_passes_when_its_address_is_looked_up_in_vain(
    over_chain: OverChain, settings: Settings
) -> None:
    first = over_chain.create(new_order("order-1"))
    settings.NOTIFICATION_PRIVATE_NETWORKS = []
    assert over_chain.create(new_order("order-1")).data == first.data
    assert over_chain.create(new_order("order-2")).status == 400
    assert Payment.objects.count() == 1


OTHER: list[dict[str, Any]] = [
    {"description": "Another book"},
    {"quoteAmount": "10.01"},
    {"quoteCurrencySymbol": "ETH"},
    {"quoteCurrencySymbol": "DOGE"},
    {"chainId": 12345},
    {"isLegalTender": 1, "quoteCurrencySymbol": "USD"},
    {"isLegalTender": 1},
    {"notifyUrl": "http://127.0.0.1:8/"},
    {"redirectionUrl": "https://shop.example/thanks"},
]


@pytest.mark.parametrize("change", OTHER, ids=json.dumps)
def test_another_content_under_a_number_is_409(change: dict[str, Any], over_chain: OverChain) -> None:
    over_chain.placed("order-1")
    before = book()
    assert over_chain.create(new_order("order-1", **change)).status == 409
    assert book() == before


def test_the_same_amount_in_other_digits_is_the_same_order(over_chain: OverChain) -> None:
    first = over_chain.create(new_order("order-1", quoteAmount="10.50"))
    assert over_chain.create(new_order("order-1", quoteAmount="10.5")).data == first.data


def test_the_number_of_an_order_of_another_api_is_taken(over_chain: OverChain) -> None:
    over_chain.scene.place("10", "order-1", dialect="gateway.v1")
    before = book()
    assert over_chain.create(new_order("order-1")).status == 409
    assert book() == before


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"chainId": 12345}, "chainId: There is no such chain, or it is closed."),
    ({"chainId": 1}, "chainId: There is no such chain, or it is closed."),
    ({"quoteCurrencySymbol": "DOGE"}, "quoteCurrencySymbol: The chain has no such token, or it is closed."),
    ({"quoteCurrencySymbol": "USD"}, "quoteCurrencySymbol: The chain has no such token, or it is closed."),
    ({"isLegalTender": 1}, "isLegalTender: This currency is not legal tender."),
    ({"isLegalTender": 1, "quoteCurrencySymbol": "QQQ"}, "quoteCurrencySymbol: There is no such currency."),
    ({"quoteAmount": "0.0000001"}, "quoteAmount: The amount has more decimals than the currency."),
]


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=str)
def test_what_makes_no_sense_is_named_in_the_apis_own_words(
    change: dict[str, Any], words: str, over_chain: OverChain
) -> None:
    before = book()
    answer = over_chain.create(new_order(**change))
    assert (answer.status, answer.words) == (400, words)
    assert book() == before


def test_what_is_not_switched_on_cannot_be_served(over_chain: OverChain) -> None:
    before = book()
    answer = over_chain.create(new_order(quoteCurrencySymbol="USDC"))
    assert (answer.status, book()) == (503, before)


def test_a_key_that_may_only_read_places_nothing(over_chain: OverChain) -> None:
    Credential.objects.filter(public_id=over_chain.key).update(may_deposit=False)
    before = book()
    answer = over_chain.create(new_order())
    assert (answer.status, book()) == (403, before)
    assert "lacks the scope “deposit”" in answer.words
    assert over_chain.detail(outTradeNo="none").status == 404


def test_a_disabled_merchant_places_nothing(over_chain: OverChain) -> None:
    Merchant.objects.update(status=Merchant.Status.DISABLED)
    assert over_chain.create(new_order()).status == 403
    assert Payment.objects.count() == 0


def test_the_signature_covers_every_byte_of_the_body(over_chain: OverChain) -> None:
    path, body = "/payment/createPaymentOrder", json.dumps(new_order("order-1")).encode()
    headers = over_chain.headers("POST", path, body)
    for changed in (body.replace(b'"10"', b'"11"'), body + b" ", b"", b"{}"):
        assert over_chain.send("POST", path, changed, headers=headers).status == 401
    # Of a POST the query string is signed too.
    assert over_chain.send("POST", f"{path}?a=1", body, headers=headers).status == 401
    assert (Payment.objects.count(), Notification.objects.count()) == (0, 0)
