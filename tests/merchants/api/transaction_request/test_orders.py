"""Placing and reading orders: the arithmetic of the seed's example, currency modes, review, repeats."""

from __future__ import annotations

import json
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from channels import rates
from channels.upstreams import base
from diamondpay.lib import clock
from merchants.models import Merchant
from operations import order_query, placement
from records import ledger, search, submission
from records.models import Payment, Payout, PayoutStatus, Posting
from tests import factories
from tests.merchants.api.transaction_request.conftest import Caller, MakeCaller, book, fund
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.django_db


def test_a_deposit_is_created_at_the_rate_in_force(caller: Caller) -> None:
    body = caller.deposit()
    answer = caller.post("deposit", body)
    assert (answer.status, answer.code, answer.body["message"], answer.body["version"]) == (
        200, "SUCCESS", "", "2.0",
    )  # fmt: skip
    payment = Payment.objects.get()
    data = answer.data
    told = {name: data[name] for name in ("requestAmount", "unitPrice", "paymentAmount", "transactionAmount")}
    assert told == {
        "requestAmount": Decimal("1234.56"), "unitPrice": Decimal("7.47"),
        "paymentAmount": Decimal("1234.56"), "transactionAmount": 0,
    }  # fmt: skip
    assert (data["status"], data["tradeType"], data["source"], data["paymentMethod"]) == (
        "InProgress", "Deposit", "API_V2", "BankCard",
    )  # fmt: skip
    assert (data["requestCurrency"], data["fiatCurrency"], data["clientName"]) == ("CNY", "CNY", "TEST_USER")
    assert data["expiredAt"] - data["createdAt"] == 2 * 3600 * 1000
    assert data["internalOrderNo"].startswith("AT-D-")
    assert len(data["requestCode"]) == 32
    assert caller.client.get(urlsplit(data["paymentUrl"]).path).status_code == 200
    assert (payment.settlement_currency_id, payment.unit_price) == ("MTC", Decimal("7.47"))
    assert payment.payment_method == "BankCard"


def paid(sandbox: Sandbox, payment: Payment, amount: int | None = None) -> Payment:
    """Let the payer pay, and ask the upstream."""
    sandbox.pay(payment.payment_id, amount=amount)
    submission.query_payment(payment=Payment.objects.select_related("channel").get(pk=payment.pk))
    payment.refresh_from_db()
    return payment


def test_the_seeds_example_comes_out_to_the_cent_l9(caller: Caller, sandbox: Sandbox) -> None:
    created = caller.post("deposit", caller.deposit(merchantOrderNo="TEST_ORDER")).data
    payment = paid(sandbox, Payment.objects.get())
    data = caller.get(merchantOrderNo="TEST_ORDER").data
    names = ("transactionAmount", "transactionFee", "receivedAmount", "paymentAmount", "unitPrice")
    assert [str(data[name]) for name in names] == ["165.27", "4.96", "160.31", "1234.56", "7.47"]
    assert data["status"] == "Finished"
    assert data["requestCode"] == created["requestCode"]
    assert (data["endedReason"], data["endedAt"] is not None) == ("", True)
    assert ledger.balances([caller.wallet.pk]) == {caller.wallet.pk: (Decimal("160.31"), Decimal(0))}
    assert payment.credited_amount == Decimal("160.31")


def test_numbers_on_the_wire_are_the_decimals_themselves(caller: Caller, sandbox: Sandbox) -> None:
    answer = caller.post("deposit", caller.deposit())
    paid(sandbox, Payment.objects.get())
    raw = caller.get(requestCode=answer.data["requestCode"]).raw
    assert b'"requestAmount":1234.56,' in raw
    assert b'"transactionAmount":165.27,"receivedAmount":160.31,"transactionFee":4.96,' in raw


def test_an_amount_in_settlement_units_is_paid_at_the_price(caller: Caller, sandbox: Sandbox) -> None:
    body = caller.deposit(depositCurrency="MTC", depositAmount=165.27)
    data = caller.post("deposit", body).data
    assert (data["requestAmount"], data["requestCurrency"]) == (Decimal("165.27"), "MTC")
    assert (data["paymentAmount"], data["fiatCurrency"]) == (Decimal("1234.57"), "CNY")
    paid(sandbox, Payment.objects.get())
    found = caller.get(merchantOrderNo=body["merchantOrderNo"]).data
    assert (found["transactionAmount"], found["receivedAmount"]) == (Decimal("165.27"), Decimal("160.31"))


def test_the_rate_is_fixed_when_the_order_is_made(caller: Caller, sandbox: Sandbox) -> None:
    body = caller.deposit()
    caller.post("deposit", body)
    rates.add(base="MTC", quote="CNY", rate=Decimal(8), reason="new", now=clock.now(), actor="tests")
    paid(sandbox, Payment.objects.get())
    first = caller.get(merchantOrderNo=body["merchantOrderNo"]).data
    second = caller.post("deposit", caller.deposit()).data
    assert (first["unitPrice"], first["transactionAmount"]) == (Decimal("7.47"), Decimal("165.27"))
    assert second["unitPrice"] == 8


def test_a_repeat_at_another_moment_is_the_same_order_also_after_the_rate_changed_d1(caller: Caller) -> None:
    body = caller.deposit(depositCurrency="MTC", depositAmount=100)
    first = caller.post("deposit", body).data
    rates.add(base="MTC", quote="CNY", rate=Decimal(9), reason="new", now=clock.now(), actor="tests")
    again = caller.post("deposit", body).data
    assert again == first
    assert Payment.objects.count() == 1


def test_a_withdrawal_debits_settlement_units_and_pays_fiat(caller: Caller, sandbox: Sandbox) -> None:
    fund(caller, 200)
    body = caller.withdrawal()
    data = caller.post("withdraw/bank-card", body).data
    assert (data["status"], data["tradeType"], data["unitPrice"]) == (
        "InProgress",
        "Withdraw",
        Decimal("7.47"),
    )
    assert (data["transactionAmount"], data["transactionFee"], data["receivedAmount"]) == (100, 3, 0)
    assert ledger.balances([caller.wallet.pk])[caller.wallet.pk] == (Decimal(97), Decimal(103))
    payout = Payout.objects.get()
    attempt = payout.attempts.select_related("channel", "payout").get()
    sandbox.pay(attempt.reference)
    submission.query_attempt(attempt=attempt)
    found = caller.get(merchantOrderNo=body["merchantOrderNo"]).data
    assert (found["status"], found["receivedAmount"], found["paymentAmount"]) == ("Finished", 747, 747)
    assert (found["transactionAmount"], found["transactionFee"]) == (100, 3)
    assert ledger.balances([caller.wallet.pk])[caller.wallet.pk] == (Decimal(97), Decimal(0))
    exchanged = Posting.objects.get(effect_key=f"payout:{payout.payout_id}:exchange")
    assert exchanged.currency_id == "CNY"


def test_a_withdrawal_in_settlement_units_sends_their_price(caller: Caller) -> None:
    fund(caller, 200)
    body = caller.withdrawal(withdrawCurrency="MTC", withdrawAmount="100.00")
    data = caller.post("withdraw/bank-card", body).data
    assert (data["requestAmount"], data["requestCurrency"], data["paymentAmount"]) == (100, "MTC", 747)
    assert Payout.objects.get().debited_amount == Decimal(103)


def test_a_review_can_be_asked_for_and_never_taken_away(caller: Caller) -> None:
    fund(caller, 1000)
    asked = caller.post("withdraw/bank-card", caller.withdrawal(requiresReview=True)).data
    assert asked["status"] == "Reviewing"
    Merchant.objects.filter(pk=caller.merchant.pk).update(payout_audit="manual")
    kept = caller.post("withdraw/bank-card", caller.withdrawal(requiresReview=False)).data
    assert kept["status"] == "Reviewing"
    assert set(Payout.objects.values_list("status", flat=True)) == {PayoutStatus.UNDER_REVIEW}


def test_a_refused_withdrawal_gives_everything_back_and_says_why(caller: Caller, sandbox: Sandbox) -> None:
    fund(caller, 200)
    sandbox.behaviour("refuse")
    data = caller.post("withdraw/bank-card", caller.withdrawal()).data
    assert (data["status"], data["transactionAmount"], data["transactionFee"]) == ("Failed", 0, 0)
    assert data["endedReason"]
    assert ledger.balances([caller.wallet.pk])[caller.wallet.pk] == (Decimal(200), Decimal(0))


def test_a_merchant_without_a_wallet_in_units_is_settled_in_fiat(make_caller: MakeCaller) -> None:
    plain = make_caller("Plain", settlement_currency="")
    data = plain.post("deposit", plain.deposit()).data
    assert (data["unitPrice"], data["requestCurrency"]) == (1, "CNY")
    before = book()
    refused = plain.post("deposit", plain.deposit(depositCurrency="MTC"))
    assert (refused.status, refused.code, book()) == (503, "SERVICE_UNAVAILABLE", before)


def test_orders_of_other_roads_are_found_here_and_ours_there(caller: Caller) -> None:
    order = placement.NewPayment(
        merchant=caller.merchant, service_id="SVC0001", merchant_order_no="by-gateway",
        amount=Decimal(100), party=base.Party(), sign_type="HMAC-SHA256", source="API_V1",
    )  # fmt: skip
    placement.place_payment(order=order)
    assert caller.get(merchantOrderNo="by-gateway").data["source"] == "API_V1"
    ours = caller.deposit()
    caller.post("deposit", ours)
    response = caller.client.get(
        "/gateway/api/v1/payments", headers={"authorization": caller.registered.authorization}
    )
    listed = [item["payment_cl_id"] for item in json.loads(response.content)["data"]]
    assert listed == [ours["merchantOrderNo"], "by-gateway"]


@pytest.mark.parametrize("first", ["deposit", "withdraw/bank-card"])
def test_the_number_of_one_kind_is_refused_for_the_other_and_nothing_doubles(
    caller: Caller, first: str
) -> None:
    fund(caller)
    bodies = {
        "deposit": caller.deposit(merchantOrderNo="N1"),
        "withdraw/bank-card": caller.withdrawal(merchantOrderNo="N1"),
    }
    (second,) = bodies.keys() - {first}
    made = caller.post(first, bodies[first])
    assert made.code == "SUCCESS"
    before = (book(), ledger.balances([caller.wallet.pk]))
    refused = caller.post(second, bodies[second])
    assert (refused.status, refused.code) == (409, "DUPLICATE_ORDER_NO")
    assert caller.post(first, bodies[first]).data["requestCode"] == made.data["requestCode"]
    assert (book(), ledger.balances([caller.wallet.pk])) == before
    assert caller.get(merchantOrderNo="N1").data["tradeType"] == made.data["tradeType"]


@pytest.mark.parametrize("kind", ["deposit", "withdraw/bank-card"])
def test_staff_find_an_order_by_the_numbers_that_the_merchant_was_told(
    caller: Caller, make_caller: MakeCaller, kind: str
) -> None:
    fund(caller)
    told = caller.post(kind, caller.deposit() if kind == "deposit" else caller.withdrawal()).data
    order: Payment | Payout = Payment.objects.get() if kind == "deposit" else Payout.objects.get()
    operator = factories.make_operator()
    clerk = factories.make_merchant_user(make_caller("Rival").merchant)
    for text in (
        told["requestCode"],
        told["internalOrderNo"],
        told["requestCode"].upper(),
        f" {told['internalOrderNo'].lower()}",
    ):
        found = search.find(text=text, user=operator, now=clock.now())
        assert [hit.row for hit in (*found.payments, *found.payouts)] == [order]
        (line,) = order_query.find(text=text, user=operator).lines
        assert (line.order, [str(key) for key in line.keys]) == (order, ["request code or internal no."])
        nothing = search.find(text=text, user=clerk, now=clock.now())
        assert (nothing.payments, nothing.payouts) == ((), ())
        assert order_query.find(text=text, user=clerk).found_count == 0
