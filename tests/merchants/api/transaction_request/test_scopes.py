"""Scopes of keys over the transaction-request API, and what its answers say of limits."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from pytest_django import Settings

from diamondpay.lib import clock
from merchants.calls import journal
from merchants.models import ApiCall, Credential
from records import ledger
from records.models import Payment, Payout
from tests.merchants.api.transaction_request.conftest import Caller

SCOPES = {
    "read": ("read",), "deposit": ("deposit",), "payout": ("payout",), "all": ("read", "deposit", "payout"),
}  # fmt: skip


def give(caller: Caller, *scopes: str) -> None:
    """Let the caller's key do this and nothing else."""
    Credential.objects.filter(public_id=caller.access_key).update(
        **{f"may_{scope}": scope in scopes for scope in ("read", "deposit", "payout")}
    )


@pytest.mark.parametrize("held", SCOPES)
def test_a_key_does_what_its_scopes_say_and_nothing_else(caller: Caller, held: str) -> None:
    scopes = SCOPES[held]
    ledger.adjust(
        merchant_channel=caller.wallet, amount=Decimal(1000), reason="test money", request_id="fund",
        now=clock.now(),
    )  # fmt: skip
    give(caller, *scopes)
    answers = {
        "read": caller.get(merchantOrderNo="x"),
        "deposit": caller.post("deposit", caller.deposit()),
        "payout": caller.post("withdraw/bank-card", caller.withdrawal()),
    }
    for scope, answer in answers.items():
        is_refused = (answer.status, answer.code) == (403, "UNAUTHORIZED")
        assert is_refused is (scope not in scopes), (scope, answer.body)
        assert (f"lacks the scope “{scope}”" in answer.body["message"]) is is_refused
    assert (Payment.objects.count(), Payout.objects.count()) == ("deposit" in scopes, "payout" in scopes)


def test_every_answer_says_what_is_left_and_is_logged_with_its_code(
    caller: Caller, settings: Settings
) -> None:
    settings.REQUEST_LOG, settings.API_QUERIES_PER_MINUTE = True, 5
    answers = [
        caller.get(merchantOrderNo="x"), caller.post("nowhere", {}),
        caller.get(headers=caller.headers(signature="0" * 64)),
    ]  # fmt: skip
    assert [answers[0].headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining")] == ["5", "4"]
    assert all(1 <= int(answer.headers["RateLimit-Reset"]) <= 60 for answer in answers)
    assert journal.write_waiting(connection) == 3
    rows = list(ApiCall.objects.order_by("id").values_list("api", "code", "status", "is_proved"))
    assert rows == [
        ("transaction_request", "NOT_FOUND", 404, True), ("transaction_request", "NOT_FOUND", 404, False),
        ("transaction_request", "UNAUTHORIZED", 401, False),
    ]  # fmt: skip
