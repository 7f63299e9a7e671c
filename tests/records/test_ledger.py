"""L1–L8, P7, P8: what the book refuses, and what it does once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from diamondpay.lib import clock, errors
from merchants.models import MerchantChannel
from merchants.registration import Registered
from records import ledger, transfers
from records.models import Account, BalanceRecord, Posting, PostingKind
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Registered:
    return factories.make_merchant("Acme")


@pytest.fixture
def wallet(acme: Registered) -> MerchantChannel:
    return acme.wallets[0]


def fund(wallet: MerchantChannel, amount: str, request_id: str = "r1") -> Posting:
    return ledger.adjust(
        merchant_channel=wallet,
        amount=Decimal(amount),
        reason="opening",
        request_id=request_id,
        now=clock.now(),
    )


def balances(wallet: MerchantChannel) -> tuple[Decimal, Decimal]:
    return ledger.balances([wallet.pk])[wallet.pk]


def test_adjust_moves_the_balance_and_keeps_the_chain(wallet: MerchantChannel) -> None:
    fund(wallet, "100.50", "r1")
    fund(wallet, "-40.25", "r2")
    rows = BalanceRecord.objects.filter(merchant_channel=wallet).order_by("sequence")
    seen = [
        (row.sequence, row.balance_before, row.amount, row.balance_after, row.change_type) for row in rows
    ]
    assert seen == [
        (1, Decimal(0), Decimal("100.50"), Decimal("100.50"), "manual_adjustment"),
        (2, Decimal("100.50"), Decimal("-40.25"), Decimal("60.25"), "manual_adjustment"),
    ]
    assert balances(wallet) == (Decimal("60.25"), Decimal(0))
    adjustment = Account.objects.get(kind="adjustment", currency="CNY")
    assert ledger.system_balances([adjustment.pk]) == {adjustment.pk: Decimal("-60.25")}


def test_adjust_refuses_an_overdraft_l5_and_changes_nothing(wallet: MerchantChannel) -> None:
    fund(wallet, "10")
    with pytest.raises(errors.InsufficientBalance):
        fund(wallet, "-10.01", "r2")
    assert balances(wallet) == (Decimal(10), Decimal(0))
    assert Posting.objects.count() == 1


def test_adjust_does_the_same_request_once_l7_p8(wallet: MerchantChannel) -> None:
    fund(wallet, "10")
    with pytest.raises(ledger.EffectExists):
        fund(wallet, "10")
    assert balances(wallet) == (Decimal(10), Decimal(0))


@pytest.mark.parametrize(
    ("amount", "reason", "field"), [("0", "why", "amount"), ("1", "  ", "reason"), ("0.001", "why", "amount")]
)
def test_adjust_refuses_nonsense(wallet: MerchantChannel, amount: str, reason: str, field: str) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        ledger.adjust(
            merchant_channel=wallet, amount=Decimal(amount), reason=reason, request_id="r", now=clock.now()
        )
    assert list(refusal.value.fields) == [field]
    assert Posting.objects.count() == 0


def test_freeze_and_unfreeze_move_money_once_p2(wallet: MerchantChannel) -> None:
    fund(wallet, "10")
    frozen = ledger.freeze(
        merchant_channel=wallet, amount=Decimal(4), reason="court order", request_id="f1", now=clock.now()
    )
    assert balances(wallet) == (Decimal(6), Decimal(4))
    ledger.unfreeze(manual_freeze=frozen, reason="lifted", now=clock.now())
    assert balances(wallet) == (Decimal(10), Decimal(0))
    with pytest.raises(ledger.EffectExists):
        ledger.unfreeze(manual_freeze=frozen, reason="again", now=clock.now())
    assert balances(wallet) == (Decimal(10), Decimal(0))


def test_transfer_moves_both_legs_or_none_p7(wallet: MerchantChannel) -> None:
    other = factories.make_merchant("Rival").wallets[0]
    fund(wallet, "10")
    operator = factories.make_operator()
    transfers.execute(
        source=wallet,
        destination=other,
        amount=Decimal(7),
        reason="netting",
        request_id="t1",
        now=clock.now(),
        operator=operator,
    )
    assert (balances(wallet), balances(other)) == ((Decimal(3), Decimal(0)), (Decimal(7), Decimal(0)))
    kinds = (
        BalanceRecord.objects.filter(posting__kind="transfer")
        .order_by("amount")
        .values_list("change_type", flat=True)
    )
    assert list(kinds) == ["transfer_out", "transfer_in"]
    with pytest.raises(errors.InsufficientBalance):
        transfers.execute(
            source=wallet,
            destination=other,
            amount=Decimal(4),
            reason="netting",
            request_id="t2",
            now=clock.now(),
            operator=operator,
        )
    assert (balances(wallet), balances(other)) == ((Decimal(3), Decimal(0)), (Decimal(7), Decimal(0)))


def test_a_reversal_mirrors_once_and_is_never_reversed_l8(wallet: MerchantChannel) -> None:
    posting = fund(wallet, "10")
    reversal = ledger.reverse(posting=posting, remark="typed twice", now=clock.now())
    assert balances(wallet) == (Decimal(0), Decimal(0))
    with pytest.raises(ledger.EffectExists), transaction.atomic():
        ledger.reverse(posting=posting, remark="again", now=clock.now())
    with pytest.raises(DatabaseError, match="mirror"), transaction.atomic():
        ledger.reverse(posting=reversal, remark="undo the undo", now=clock.now())
        _commit_checks()


def _commit_checks() -> None:
    """Fire what waits for the commit; the test's own transaction never commits."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _unbalanced(wallet: MerchantChannel) -> None:
    accounts = ledger.accounts_of(merchant_channel_id=wallet.pk, channel_id="sandbox", currency_id="CNY")
    legs = [(accounts["available"], Decimal(5)), (accounts["fees"], Decimal(-4))]
    ledger.post(
        effect_key="x", kind=PostingKind.MANUAL_ADJUSTMENT, currency_id="CNY", legs=legs, now=clock.now()
    )


def _alone(wallet: MerchantChannel) -> None:
    accounts = ledger.accounts_of(merchant_channel_id=wallet.pk, channel_id="sandbox", currency_id="CNY")
    legs = [(accounts["available"], Decimal(5)), (accounts["fees"], Decimal(0))]
    ledger.post(
        effect_key="x", kind=PostingKind.MANUAL_ADJUSTMENT, currency_id="CNY", legs=legs, now=clock.now()
    )


@pytest.mark.parametrize("write", [_unbalanced, _alone])
def test_a_posting_that_does_not_balance_never_commits_l1(
    wallet: MerchantChannel, write: Callable[[MerchantChannel], None]
) -> None:
    with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
        write(wallet)
        _commit_checks()
    assert Posting.objects.count() == 0
    assert balances(wallet) == (Decimal(0), Decimal(0))


def test_an_entry_in_another_currency_is_refused_l1(wallet: MerchantChannel) -> None:
    accounts = ledger.accounts_of(merchant_channel_id=wallet.pk, channel_id="sandbox", currency_id="CNY")
    with pytest.raises(IntegrityError, match="is in CNY"), transaction.atomic():
        ledger.post(
            effect_key="x", kind=PostingKind.MANUAL_ADJUSTMENT, currency_id="THB", now=clock.now(),
            legs=[(accounts["available"], Decimal(5)), (accounts["adjustment"], Decimal(-5))],
        )  # fmt: skip
    assert Posting.objects.count() == 0


FORBIDDEN_TO_THE_APPLICATION = [
    "UPDATE records_account SET balance = 999 WHERE kind = 'available'",
    "INSERT INTO records_account (kind, currency_id, is_chained) VALUES ('fees', 'CNY', false)",
    "UPDATE records_balancerecord SET amount = 999",
    "DELETE FROM records_balancerecord",
    "UPDATE records_posting SET remark = 'x'",
    "DELETE FROM records_posting",
    "INSERT INTO records_statuschange SELECT * FROM records_statuschange",
    "UPDATE records_orderdaytotal SET order_count = 1",
    "INSERT INTO records_accountdelta (account_id, amount, entry_count) VALUES (1, 5, 1)",
    "TRUNCATE records_balancerecord CASCADE",
    "ALTER TABLE records_balancerecord DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "UPDATE diamondpay_auditrow SET reason = 'x'",
    "DELETE FROM django_migrations",
]


@pytest.mark.parametrize("statement", FORBIDDEN_TO_THE_APPLICATION)
def test_the_applications_role_cannot_tamper_l3_l6(wallet: MerchantChannel, statement: str) -> None:
    fund(wallet, "10")
    with pytest.raises(DatabaseError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(refusal.value.__cause__, psycopg.errors.InsufficientPrivilege)
    assert balances(wallet) == (Decimal(10), Decimal(0))


FORBIDDEN_TO_EVERYONE = [
    "UPDATE records_account SET balance = 999 WHERE kind = 'available'",
    "UPDATE records_balancerecord SET amount = 999",
    "DELETE FROM records_balancerecord",
    "DELETE FROM records_posting",
    "TRUNCATE records_balancerecord CASCADE",
    "UPDATE diamondpay_auditrow SET reason = 'x'",
    "DELETE FROM records_account",
    "UPDATE merchants_merchantchannel SET currency_id = 'THB'",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", FORBIDDEN_TO_EVERYONE)
def test_not_even_the_owner_rewrites_the_book_l3_l6(
    statement: str, owner_connection: psycopg.Connection
) -> None:
    wallet = factories.make_merchant("Acme").wallets[0]
    fund(wallet, "10")
    with pytest.raises(psycopg.Error, match=r"forbidden|only through an entry|keeps its"):
        owner_connection.execute(statement.encode())
    assert balances(wallet) == (Decimal(10), Decimal(0))


@pytest.mark.django_db(transaction=True)
def test_no_entry_slips_into_an_old_posting_l1(owner_connection: psycopg.Connection) -> None:
    wallet = factories.make_merchant("Acme").wallets[0]
    posting = fund(wallet, "10")
    account = Account.objects.get(merchant_channel=wallet, kind="available")
    with pytest.raises(IntegrityError, match="written with its posting"):
        BalanceRecord.objects.create(posting=posting, account=account, amount=Decimal(5))
    assert balances(wallet) == (Decimal(10), Decimal(0))
