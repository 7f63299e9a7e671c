"""fund and verify_ledger."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import psycopg
import pytest
from django.core.management import CommandError, call_command

from diamondpay.models import AuditRow
from merchants.registration import Registered
from records import checks, ledger
from records.models import Posting
from tests import factories


def run(*words: str) -> str:
    output = io.StringIO()
    call_command(*words, stdout=output)
    return output.getvalue()


def test_fund_adds_to_the_wallet_with_its_reason(acme: Registered) -> None:
    wallet = acme.wallets[0].pk
    words = ("fund", "--wallet", wallet, "--amount", "1250.50", "--reason", "demo", "--request-id", "r1")
    assert json.loads(run(*words, "--json")) == {
        "platform_channel_id": wallet,
        "currency": "CNY",
        "effect": "adjust:r1",
        "available": "1250.5",
    }
    assert ledger.balances([wallet])[wallet] == (Decimal("1250.5"), Decimal(0))
    row = AuditRow.objects.get(object_kind="merchant_channel")
    assert (row.actor, row.reason) == ("fund", "demo")


def test_fund_prints_a_sentence(acme: Registered) -> None:
    wallet = acme.wallets[0].pk
    answer = run("fund", "--wallet", wallet, "--amount", "1000", "--reason", "demo", "--request-id", "r2")
    assert answer == f"{wallet} has 1,000 CNY available (adjust:r2).\n"


def test_the_same_request_funds_once(acme: Registered) -> None:
    wallet = acme.wallets[0].pk
    words = ("fund", "--wallet", wallet, "--amount", "10", "--reason", "demo", "--request-id", "r3")
    run(*words)
    with pytest.raises(CommandError):
        run(*words)
    assert ledger.balances([wallet])[wallet] == (Decimal(10), Decimal(0))


@pytest.mark.parametrize(
    ("wallet", "amount", "words"),
    [
        ("PFC99999999", "10", "There is no wallet PFC99999999."),
        ("", "0", "--amount must be more than 0."),
        ("", "-5", "--amount must be more than 0."),
        ("", "1e3", "--amount: Write a plain decimal"),
        ("", "１２", "--amount: Write a plain decimal"),
        ("", "0.001", "amount: The amount has more decimals than the currency."),
    ],
)
def test_fund_refuses_in_words_and_posts_nothing(
    acme: Registered, wallet: str, amount: str, words: str
) -> None:
    with pytest.raises(CommandError) as caught:
        run("fund", "--wallet", wallet or acme.wallets[0].pk, f"--amount={amount}", "--reason", "demo")
    assert str(caught.value).startswith(words)
    assert not Posting.objects.exists()


@pytest.mark.django_db
def test_verify_ledger_prints_every_check_with_its_count() -> None:
    lines = run("verify_ledger").splitlines()
    assert len(lines) == len(checks.CHECKS) + 1
    assert lines[0].split()[:2] == ["L1", "0"]
    assert lines[-1] == f"All {len(checks.CHECKS)} checks hold."
    assert json.loads(run("verify_ledger", "--json")) == {check.view: 0 for check in checks.CHECKS}


@pytest.mark.tampers
@pytest.mark.django_db(transaction=True)
def test_verify_ledger_exits_with_1_when_a_balance_was_edited(owner_connection: psycopg.Connection) -> None:
    """L3."""
    wallet = factories.make_merchant("Acme").wallets[0].pk
    owner_connection.execute("ALTER TABLE records_account DISABLE TRIGGER USER")
    owner_connection.execute(
        "UPDATE records_account SET balance = 1 WHERE merchant_channel_id = %s AND kind = 'available'",
        [wallet],
    )
    output = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("verify_ledger", stdout=output)
    assert caught.value.code == 1
    lines = output.getvalue().splitlines()
    assert [line.split()[:2] for line in lines if line.split()[1] == "1"] == [["L3", "1"], ["L3", "1"]]
    assert lines[-1] == f"2 of {len(checks.CHECKS)} checks found rows that break a promise."
