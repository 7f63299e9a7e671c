"""P8: one form of a new order pressed 50 times at one moment is one order, by real requests."""

from __future__ import annotations

import functools
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from diamondpay.models import AuditRow, User
from merchants.registration import Registered
from records import ledger
from records.models import Payment, Payout, Posting
from tests.operations.creating import PAYOUT_PAGE, opened, owner, staff
from tests.support.scripted_upstream import ScriptedUpstream, upstream
from tests.support.together import at_once

__all__ = ["owner", "staff", "upstream"]
pytestmark = pytest.mark.django_db(transaction=True)

PRESSES = 50


def pressed(client: Client, url: str, fields: dict[str, str]) -> tuple[int, str]:
    """Send the form on a connection of its own and return status and where it leads."""
    own = Client()
    own.cookies = client.cookies
    answer: Any = own.post(url, fields)
    return answer.status_code, answer.headers.get("Location", "")


def test_50_presses_of_one_deposit_form_are_one_order_p8(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    form = opened(client, owner)
    press = functools.partial(pressed, client, form.url, {**form.fields, "act": "place"})
    answers = at_once([press] * PRESSES)
    payment = Payment.objects.get()
    assert Counter(answers) == {(302, f"/admin/records/payment/{payment.pk}/change/"): PRESSES}
    assert (len(upstream.requests), AuditRow.objects.filter(action="payment.place").count()) == (1, 1)


def test_50_presses_of_one_reviewed_payout_freeze_once_p8(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    review = opened(client, owner, is_payout=True).send("review")
    fields = {"sealed": review.context["sealed"], "act": "send"}
    answers = at_once([functools.partial(pressed, client, PAYOUT_PAGE, fields)] * PRESSES)
    payout = Payout.objects.get()
    assert Counter(answers) == {(302, f"/admin/records/payout/{payout.pk}/change/"): PRESSES}
    assert ledger.balances([owner.wallets[0].pk]) == {owner.wallets[0].pk: (Decimal(3998), Decimal(1002))}
    assert (len(upstream.requests), Posting.objects.filter(kind="balance_freeze").count()) == (1, 1)
    assert AuditRow.objects.filter(action="payout.place").count() == 1
