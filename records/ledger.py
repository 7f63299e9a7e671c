"""The one writer of the book: every posting passes through `post`.

Python names the accounts and amounts; the database locks the accounts, moves the balances and refuses what
must not be (`records/sql/ledger.sql`). Every function here runs inside its caller's transaction or opens
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, connection
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models import Currency
from diamondpay import audit
from diamondpay.lib import errors, money, transactions
from diamondpay.models import User
from merchants.models import MerchantChannel
from records.models import Account, BalanceRecord, ManualFreeze, Payment, Posting, PostingKind

OVERDRAFT = "account_not_overdrawn"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The ids of the accounts that one order can touch, by kind."""

    by_kind: Mapping[str, int]

    def __getitem__(self, kind: str) -> int:
        return self.by_kind[kind]


def accounts_of(*, merchant_channel_id: str, channel_id: str, currency_id: str) -> Accounts:
    """Return the wallet's two accounts, the channel's and the system's, in one query.

    Raises: LedgerRefused when one of them is missing, which only a currency that disagrees can cause.
    """
    rows = Account.objects.filter(
        Q(merchant_channel_id=merchant_channel_id)
        | Q(channel_id=channel_id, currency_id=currency_id, kind__in=["clearing", "suspense"])
        | Q(currency_id=currency_id, kind__in=["fees", "adjustment", "exchange"])
    ).values_list("kind", "id")
    found = dict(rows)
    if not {"available", "frozen", "fees", "adjustment", "exchange"} <= found.keys():
        raise errors.LedgerRefused(_("The wallet has no accounts in this currency."))
    return Accounts(found)


def system_accounts_of(*, channel_id: str, currency_id: str) -> Accounts:
    """Return the channel's and the system's accounts in a currency."""
    rows = Account.objects.filter(
        Q(channel_id=channel_id, currency_id=currency_id, kind__in=["clearing", "suspense"])
        | Q(currency_id=currency_id, kind__in=["fees", "adjustment", "exchange"])
    ).values_list("kind", "id")
    return Accounts(dict(rows))


def post(
    *,
    effect_key: str,
    kind: PostingKind,
    currency_id: str,
    legs: Iterable[tuple[int, Decimal]],
    now: datetime,
    payment: Payment | None = None,
    payout_pk: int | None = None,
    order_no: str = "",
    remark: str = "",
    operator: User | None = None,
    reverses: Posting | None = None,
) -> Posting:
    """Write one posting and its entries; legs of zero are left out.

    Raises: InsufficientBalance when a merchant account would become negative; EffectExists when this effect
    was posted before. Both leave the caller's transaction to be rolled back.
    Locks: the chained accounts of the legs, in ascending id.
    """
    try:
        posting = Posting.objects.create(
            effect_key=effect_key,
            kind=kind,
            currency_id=currency_id,
            created_at=now,
            payment=payment,
            payout_id=payout_pk,
            order_no=order_no,
            remark=remark,
            operator=operator,
            reverses=reverses,
        )
        BalanceRecord.objects.bulk_create(
            BalanceRecord(posting=posting, account_id=account_id, amount=amount)
            for account_id, amount in sorted(legs)
            if amount != 0
        )
    except IntegrityError as refusal:
        constraint = transactions.constraint_name(refusal)
        if constraint == OVERDRAFT:
            raise errors.InsufficientBalance from refusal
        if constraint and constraint.startswith("records_posting_effect_key"):
            raise EffectExists(effect_key) from refusal
        raise
    return posting


class EffectExists(errors.LedgerRefused):
    """This effect stands in the book already (L7)."""

    def __init__(self, effect_key: str) -> None:
        self.effect_key = effect_key
        super().__init__(_("This effect is already in the book."), details={"effect_key": effect_key})


def reverse(*, posting: Posting, remark: str, now: datetime, operator: User | None = None) -> Posting:
    """Write the mirror of a posting (L8): at most once, never of a reversal.

    Raises: EffectExists when it is reversed already.
    """
    legs = [
        (account_id, -amount) for account_id, amount in posting.entries.values_list("account_id", "amount")
    ]
    return post(
        effect_key=f"reverse:{posting.effect_key}",
        kind=PostingKind.REVERSAL,
        currency_id=posting.currency_id,
        legs=legs,
        now=now,
        payment=posting.payment,
        payout_pk=posting.payout_id,
        order_no=posting.order_no,
        remark=remark,
        operator=operator,
        reverses=posting,
    )


def _amount_of(wallet: MerchantChannel, amount: Decimal) -> Decimal:
    exponent = Currency.objects.values_list("exponent", flat=True).get(pk=wallet.currency_id)
    if money.decimals_used(amount) > exponent:
        raise errors.InvalidInput({"amount": _("The amount has more decimals than the currency.")})
    return amount


@transactions.atomic_with_retries
def adjust(
    *,
    merchant_channel: MerchantChannel,
    amount: Decimal,
    reason: str,
    request_id: str,
    now: datetime,
    operator: User | None = None,
    actor: str = "",
    is_supplement: bool = False,
) -> Posting:
    """Add to a wallet's available balance, or take from it with a negative amount; a repeated request id
    changes nothing (P8).

    Units: major units of the wallet's currency.
    Raises: InvalidInput (zero, too many decimals, no reason), InsufficientBalance, EffectExists.
    """
    if amount == 0 or not reason.strip():
        raise errors.InvalidInput({"amount" if amount == 0 else "reason": _("This is required.")})
    accounts = accounts_of(
        merchant_channel_id=merchant_channel.pk,
        channel_id=merchant_channel.channel_id,
        currency_id=merchant_channel.currency_id,
    )
    amount = _amount_of(merchant_channel, amount)
    posting = post(
        effect_key=f"{'supplement' if is_supplement else 'adjust'}:{request_id}",
        kind=PostingKind.MANUAL_SUPPLEMENT if is_supplement else PostingKind.MANUAL_ADJUSTMENT,
        currency_id=merchant_channel.currency_id,
        legs=[(accounts["available"], amount), (accounts["adjustment"], -amount)],
        now=now,
        remark=reason,
        operator=operator,
    )
    audit.write(
        action="ledger.adjust",
        object_kind="merchant_channel",
        object_id=merchant_channel.pk,
        user=operator,
        actor=actor,
        reason=reason,
        after={"amount": str(amount), "currency": merchant_channel.currency_id, "request_id": request_id},
        now=now,
    )
    return posting


@transactions.atomic_with_retries
def freeze(
    *,
    merchant_channel: MerchantChannel,
    amount: Decimal,
    reason: str,
    request_id: str,
    now: datetime,
    operator: User | None = None,
) -> ManualFreeze:
    """Move part of a wallet's available balance to its frozen one by hand.

    Raises: InvalidInput, InsufficientBalance, EffectExists.
    """
    if amount <= 0 or not reason.strip():
        raise errors.InvalidInput({"amount" if amount <= 0 else "reason": _("This is required.")})
    accounts = accounts_of(
        merchant_channel_id=merchant_channel.pk,
        channel_id=merchant_channel.channel_id,
        currency_id=merchant_channel.currency_id,
    )
    amount = _amount_of(merchant_channel, amount)
    posting = post(
        effect_key=f"freeze:{request_id}",
        kind=PostingKind.BALANCE_FREEZE,
        currency_id=merchant_channel.currency_id,
        legs=[(accounts["available"], -amount), (accounts["frozen"], amount)],
        now=now,
        remark=reason,
        operator=operator,
    )
    audit.write(
        action="ledger.freeze",
        object_kind="merchant_channel",
        object_id=merchant_channel.pk,
        user=operator,
        reason=reason,
        after={"amount": str(amount), "currency": merchant_channel.currency_id, "request_id": request_id},
        now=now,
    )
    return ManualFreeze.objects.create(
        request_id=request_id,
        merchant_channel=merchant_channel,
        amount=amount,
        currency_id=merchant_channel.currency_id,
        posting=posting,
        reason=reason,
        operator=operator,
        created_at=now,
    )


@transactions.atomic_with_retries
def unfreeze(
    *, manual_freeze: ManualFreeze, reason: str, now: datetime, operator: User | None = None
) -> Posting:
    """Lift a manual freeze, once.

    Raises: EffectExists when it was lifted before.
    """
    wallet = manual_freeze.merchant_channel
    accounts = accounts_of(
        merchant_channel_id=wallet.pk, channel_id=wallet.channel_id, currency_id=wallet.currency_id
    )
    posting = post(
        effect_key=f"unfreeze:{manual_freeze.request_id}",
        kind=PostingKind.BALANCE_UNFREEZE,
        currency_id=manual_freeze.currency_id,
        legs=[(accounts["frozen"], -manual_freeze.amount), (accounts["available"], manual_freeze.amount)],
        now=now,
        remark=reason,
        operator=operator,
    )
    ManualFreeze.objects.filter(pk=manual_freeze.pk).update(lifted_by=posting)
    audit.write(
        action="ledger.unfreeze",
        object_kind="merchant_channel",
        object_id=wallet.pk,
        user=operator,
        reason=reason,
        after={"amount": str(manual_freeze.amount), "request_id": manual_freeze.request_id},
        now=now,
    )
    return posting


def balances(merchant_channel_ids: Iterable[str]) -> dict[str, tuple[Decimal, Decimal]]:
    """Return available and frozen balance of each wallet, in one query."""
    found: dict[str, dict[str, Decimal]] = {}
    rows = Account.objects.filter(merchant_channel_id__in=list(merchant_channel_ids)).values_list(
        "merchant_channel_id", "kind", "balance"
    )
    for wallet_id, kind, balance in rows:
        found.setdefault(str(wallet_id), {})[kind] = balance
    return {wallet_id: (kinds["available"], kinds["frozen"]) for wallet_id, kinds in found.items()}


def system_balances(account_ids: Iterable[int]) -> dict[int, Decimal]:
    """Return the balances of system accounts at this moment: folded totals plus what is not folded yet, in
    one statement.
    """
    ids = list(account_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT account_id, sum(amount) FROM (
                SELECT account_id, balance AS amount FROM records_accounttotal WHERE account_id = ANY(%(ids)s)
                UNION ALL SELECT account_id, amount FROM records_accountdelta WHERE account_id = ANY(%(ids)s)
            ) parts GROUP BY account_id
            """,
            {"ids": ids},
        )
        found = dict(cursor.fetchall())
    return {account_id: found.get(account_id, Decimal(0)) for account_id in ids}
