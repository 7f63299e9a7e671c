"""The pages of a new order as a person uses them, without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from diamondpay.models import User
from merchants.registration import Registered, Terms
from records.models import Payment, Payout
from tests import factories
from tests.admin import book
from tests.support.scripted_upstream import NAME, ScriptedUpstream

CARD = "6216667451674374"
DEFAULT_URL = "https://acme.example/told"
PAYMENT_PAGE = "/admin/operations/create/payment/"
PAYOUT_PAGE = "/admin/operations/create/payout/"


def make_owner(name: str = "Acme", **terms: str) -> Registered:
    """Register a merchant on the channel `scripted`, 2 ‰ fee, limits 500 – 20,000 unless told otherwise."""
    numbers = {"fee_permillage": "2", "lower_bound": "500", "upper_bound": "20000", **terms}
    amounts: dict[str, Any] = {name: Decimal(text) for name, text in numbers.items()}
    return factories.make_merchant(
        name, channels=[NAME], notify_url=DEFAULT_URL,
        terms=Terms(**amounts),
    )  # fmt: skip


@dataclass
class Form:
    """One opened form. `send` types, presses the button, and returns the answer."""

    client: Client
    url: str
    fields: dict[str, str] = field(default_factory=dict)
    order_no: str = ""

    def send(self, act: str, **typed: str) -> Any:
        return self.client.post(self.url, {**self.fields, "act": act, **typed})


def opened(client: Client, owner: Registered, *, is_payout: bool = False, **typed: str) -> Form:
    """Open the form of a bank-card order of 1,000 for the merchant and fill it in."""
    url = PAYOUT_PAGE if is_payout else PAYMENT_PAGE
    context = client.get(url).context
    fields = {
        "form": context["form_token"], "merchant": owner.merchant.pk,
        "service": "SVC0004" if is_payout else "SVC0001", "channel": owner.wallets[0].pk, "amount": "1000",
        "name": "Wang Wei", "number": CARD, **typed,
    }  # fmt: skip
    if not is_payout:
        fields.setdefault("remark_code", "AB12")
    return Form(client, url, fields, context["order_no"])


def faults(answer: Any) -> dict[str, str]:
    """Return what a form says is wrong, by field; "" for what is about the whole form."""
    context = answer.context
    found = {name: str(words) for name, words in context["complaints"].items()}
    return found | ({"": str(context["complaint"])} if context["complaint"] else {})


def orders() -> tuple[int, int]:
    """Return how many deposits and payouts there are."""
    return Payment.objects.count(), Payout.objects.count()


@pytest.fixture
def owner(upstream: ScriptedUpstream) -> Registered:
    """Acme on the scripted channel with 5,000 in its wallet."""
    factories.make_channel(NAME, upstream=NAME)
    found = make_owner()
    book.fund(found, "5000")
    return found


@pytest.fixture
def staff(client: Client) -> User:
    """Operations staff, signed in."""
    user = factories.make_operator()
    client.force_login(user)
    return user
