"""Creating test payouts: nothing moves before the review, exactly what it named moves after it, once."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from diamondpay.models import AuditRow, User
from merchants.models import Merchant, MerchantService
from merchants.registration import Registered
from operations import create_kinds, create_tokens
from records import ledger, parties
from records.models import Payout, PayoutAttempt, Posting
from tests import factories
from tests.operations import creating
from tests.operations.creating import CARD, PAYOUT_PAGE, faults, opened, orders, owner, staff
from tests.support.scripted_upstream import ScriptedUpstream, refused, upstream

__all__ = ["owner", "staff", "upstream"]
pytestmark = pytest.mark.django_db


def balances(owner: Registered) -> tuple[Decimal, Decimal]:
    """Return available and frozen."""
    return ledger.balances([owner.wallets[0].pk])[owner.wallets[0].pk]


def reviewed(client: Client, owner: Registered, **typed: str) -> Any:
    """Fill the form in and press the button that shows what it will do."""
    return opened(client, owner, is_payout=True, **typed).send("review")


def decide(client: Client, review: Any, act: str = "send") -> Any:
    """Press a button of the review."""
    return client.post(PAYOUT_PAGE, {"sealed": review.context["sealed"], "act": act})


def text_of(answer: Any) -> str:
    """Return what a page says, without its markup."""
    main = answer.content.decode().partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def test_the_review_tells_before_and_after_and_moves_nothing(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    answer = reviewed(client, owner)
    text = text_of(answer)
    for words in (
        "Available 5,000.00 CNY 3,998.00 CNY", "Frozen 0.00 CNY 1,002.00 CNY", "Fee 2.00 CNY",
        "Freeze 1,002.00 CNY and send", "************4374", "Wang Wei", creating.DEFAULT_URL,
        "500 – 20,000 CNY (both bounds: service)",
    ):  # fmt: skip
        assert words in text
    assert CARD not in answer.content.decode()
    assert (orders(), balances(owner), upstream.requests) == ((0, 0), (Decimal(5000), Decimal(0)), [])


def test_what_was_confirmed_is_frozen_and_sent(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    answer = decide(client, reviewed(client, owner))
    payout = Payout.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/admin/records/payout/{payout.pk}/change/")
    assert (payout.requested_amount, payout.fee, payout.debited_amount, payout.status) == (
        Decimal(1000), Decimal(2), Decimal(1002), 0,
    )  # fmt: skip
    assert (payout.is_test, payout.placed_by, payout.source) == (True, staff, "MerchantBackend")
    assert parties.party_of(payout).account == CARD
    assert balances(owner) == (Decimal(3998), Decimal(1002))
    assert upstream.references() == [PayoutAttempt.objects.get().reference]
    row = AuditRow.objects.get(action="payout.place")
    assert (row.user, row.object_id, row.after["amount"]) == (staff, payout.payout_id, "1000")
    assert CARD not in str(row.after)
    page = client.get(answer.url).content.decode()
    assert f"1,002.00 CNY are frozen, and the test payout {payout.payout_id} is sent." in page
    assert f"{PAYOUT_PAGE}like/{payout.payout_id}/" in page


def test_going_back_keeps_what_was_typed(client: Client, owner: Registered, staff: User) -> None:
    answer = decide(client, reviewed(client, owner), act="back")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert [text for text in ("1000", "Wang Wei", CARD) if f'value="{text}"' not in page] == []
    assert (orders(), balances(owner)) == ((0, 0), (Decimal(5000), Decimal(0)))


@pytest.mark.parametrize(
    ("audit", "amount", "status", "button"),
    [
        ("manual", "0", 3, "Freeze 1,002.00 CNY and hand in for review"),
        ("auto", "999.99", 3, "Freeze 1,002.00 CNY and hand in for review"),
        ("auto", "1000", 0, "Freeze 1,002.00 CNY and send"),
    ],
)
def test_a_payout_that_needs_a_review_is_frozen_and_waits(
    client: Client, owner: Registered, staff: User, audit: str, amount: str, status: int, button: str
) -> None:
    Merchant.objects.update(payout_audit=audit, payout_audit_amount=amount)
    review = reviewed(client, owner)
    assert button in text_of(review)
    answer = decide(client, review)
    payout = Payout.objects.get()
    assert (payout.status, payout.attempts.count(), balances(owner)[1]) == (
        status, 0 if status == 3 else 1, Decimal(1002),
    )  # fmt: skip
    assert ("waits for its review" in client.get(answer.url).content.decode()) == (status == 3)


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        (
            {"amount": "4990.02"}, "amount",
            "The wallet has 5,000.00 available, and 5,000.00 would be frozen (4,990.02 + fee 9.98).",
        ),
        (
            {"amount": "5000"}, "amount",
            "The wallet has 5,000.00 available, and 5,010.00 would be frozen (5,000.00 + fee 10.00).",
        ),
        (
            {"amount": "20001"}, "amount",
            "The amount 20,001 is outside what is allowed: 500 – 20,000 CNY (both bounds: service).",
        ),
        ({"number": ""}, "number", "This service requires it."),
        ({"bank": "nowhere"}, "bank", "Choose a bank from the list."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_the_review(
    client: Client, owner: Registered, staff: User, typed: dict[str, str], field: str, words: str
) -> None:
    answer = reviewed(client, owner, **typed)
    if typed == {"amount": "4990.02"}:
        # Exactly the whole balance is allowed.
        assert "Freeze 5,000.00 CNY and send" in text_of(answer)
    else:
        assert (answer.status_code, faults(answer)[field]) == (422, words)
    assert (orders(), balances(owner)) == ((0, 0), (Decimal(5000), Decimal(0)))


def test_a_fee_that_changed_after_the_review_is_refused_and_nothing_is_frozen(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    review = reviewed(client, owner)
    factories.set_terms(MerchantService.objects.filter(service="SVC0004"), fee_permillage=3)
    answer = decide(client, review)
    assert faults(answer) == {"amount": "The fee is 3.00 now. Look at the amounts again before you send it."}
    assert (orders(), balances(owner), upstream.requests) == ((0, 0), (Decimal(5000), Decimal(0)), [])
    again = opened(client, owner, is_payout=True, form=answer.context["form_token"]).send("review")
    assert "Freeze 1,003.00 CNY and send" in text_of(again)


def test_a_balance_that_was_taken_meanwhile_is_told(client: Client, owner: Registered, staff: User) -> None:
    first, second = reviewed(client, owner, amount="3000"), reviewed(client, owner, amount="3000")
    decide(client, first)
    assert faults(decide(client, second)) == {
        "amount": "The wallet has 1,994.00 available, and 3,006.00 would be frozen (3,000.00 + fee 6.00)."
    }
    assert (orders(), balances(owner)) == ((0, 1), (Decimal(1994), Decimal(3006)))


def test_a_review_confirmed_three_times_freezes_once(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    review = reviewed(client, owner)
    assert len({decide(client, review).url for _press in range(3)}) == 1
    assert (orders(), balances(owner), len(upstream.requests)) == ((0, 1), (Decimal(3998), Decimal(1002)), 1)
    assert Posting.objects.filter(kind="balance_freeze").count() == 1


def test_an_upstream_that_refuses_releases_the_money_and_is_told(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    upstream.answers = [refused("no such account")]
    page = client.get(decide(client, reviewed(client, owner)).url).content.decode()
    assert f"The upstream refused {Payout.objects.get().payout_id} at once: no such account." in page
    assert balances(owner) == (Decimal(5000), Decimal(0))


def test_a_review_is_sealed_for_its_person_and_cannot_be_made_up(
    client: Client, owner: Registered, staff: User
) -> None:
    review = reviewed(client, owner)
    sealed = review.context["sealed"]
    for text in ("", "x", "é", sealed[:-8], sealed[:40] + "AAAA" + sealed[44:]):
        answer = client.post(PAYOUT_PAGE, {"sealed": text, "act": "send"})
        assert faults(answer)[""] == "What you confirmed was not reviewed by you here. Nothing was placed."
    client.force_login(factories.make_operator("other"))
    assert "" in faults(decide(client, review))
    assert (orders(), balances(owner)) == ((0, 0), (Decimal(5000), Decimal(0)))
    with pytest.raises(create_tokens.BadForm):
        create_tokens.reviewed_of(sealed, kind=create_kinds.PAYMENT, user=staff)


def test_a_payout_is_never_placed_past_its_review(client: Client, owner: Registered, staff: User) -> None:
    for act in ("place", "", "refresh", "delete"):
        assert opened(client, owner, is_payout=True).send(act).status_code == 200
    assert (orders(), balances(owner)) == ((0, 0), (Decimal(5000), Decimal(0)))
