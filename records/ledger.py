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
from django.utils.translation import gettext_lazy as _

from channels.models import Currency
from diamondpay import audit
from diamondpay.lib import errors, money, sql, transactions
from diamondpay.models import User
from merchants.models import MerchantChannel
from records.models import Account, ManualFreeze, Payment, Posting, PostingKind

OVERDRAFT = "account_not_overdrawn"


# Three look-ups by index; one condition that covers all three would read every account.
_SYSTEM_ACCOUNTS = """
    SELECT kind, id FROM records_account
    WHERE channel_id = %(channel)s AND currency_id = %(currency)s AND kind IN ('clearing', 'suspense')
    UNION ALL SELECT kind, id FROM records_account
    WHERE currency_id = %(currency)s AND kind IN ('fees', 'adjustment', 'exchange')
"""
_WALLET_ACCOUNTS = "SELECT kind, id FROM records_account WHERE merchant_channel_id = %(wallet)s"
_ACCOUNTS = f"{_WALLET_ACCOUNTS} UNION ALL {_SYSTEM_ACCOUNTS}"
_IS_POSTED = "SELECT EXISTS (SELECT FROM records_posting WHERE effect_key = %(effect_key)s)"
_POSTING = """
    INSERT INTO records_posting (effect_key, kind, currency_id, payment_id, payout_id, reverses_id, order_no,
        remark, operator_id, created_at)
    VALUES (%(effect_key)s, %(kind)s, %(currency)s, %(payment)s, %(payout)s, %(reverses)s, %(order_no)s,
        %(remark)s, %(operator)s, %(now)s)
    RETURNING id
"""
# The trigger fills everything else. Rows are inserted in the order of the arrays.
_ENTRIES = """
    INSERT INTO records_balancerecord (posting_id, account_id, amount, account_kind, change_type, order_no)
    SELECT %(posting)s::bigint, account_id, amount, '', '', ''
    FROM unnest(%(accounts)s::bigint[], %(amounts)s::numeric[]) AS legs (account_id, amount)
    RETURNING id
"""


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
    wanted = {"wallet": merchant_channel_id, "channel": channel_id, "currency": currency_id}
    found: dict[str, int] = dict(sql.rows(_ACCOUNTS, wanted))
    if not {"available", "frozen", "fees", "adjustment", "exchange"} <= found.keys():
        raise errors.LedgerRefused(_("The wallet has no accounts in this currency."))
    return Accounts(found)


def system_accounts_of(*, channel_id: str, currency_id: str) -> Accounts:
    """Return the channel's and the system's accounts in a currency."""
    return Accounts(dict(sql.rows(_SYSTEM_ACCOUNTS, {"channel": channel_id, "currency": currency_id})))


def is_posted(effect_key: str) -> bool:
    """Say whether this effect stands in the book."""
    return bool(sql.rows(_IS_POSTED, {"effect_key": effect_key})[0][0])


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
    posting = begin(
        effect_key=effect_key,
        kind=kind,
        currency_id=currency_id,
        now=now,
        payment=payment,
        payout_pk=payout_pk,
        order_no=order_no,
        remark=remark,
        operator=operator,
        reverses=reverses,
    )
    enter(posting=posting, legs=legs)
    return posting


def begin(
    *,
    effect_key: str,
    kind: PostingKind,
    currency_id: str,
    now: datetime,
    payment: Payment | None = None,
    payout_pk: int | None = None,
    order_no: str = "",
    remark: str = "",
    operator: User | None = None,
    reverses: Posting | None = None,
) -> Posting:
    """Write a posting whose entries follow in the same transaction (`enter`); it locks no account yet.

    Whoever has more to write does it in between, so that a busy wallet is locked for the shortest time.
    Without balanced entries the commit is refused (L1).
    Raises: EffectExists when this effect was posted before.
    """
    posting = Posting(
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
    written = {
        "effect_key": effect_key,
        "kind": str(kind),
        "currency": currency_id,
        "payment": posting.payment_id,
        "payout": payout_pk,
        "reverses": posting.reverses_id,
        "order_no": order_no,
        "remark": remark,
        "operator": posting.operator_id,
        "now": now,
    }
    try:
        posting.pk = sql.rows(_POSTING, written)[0][0]
    except IntegrityError as refusal:
        constraint = transactions.constraint_name(refusal)
        if constraint and constraint.startswith("records_posting_effect_key"):
            raise EffectExists(effect_key) from refusal
        raise
    posting._state.adding, posting._state.db = False, connection.alias
    return posting


def enter(*, posting: Posting, legs: Iterable[tuple[int, Decimal]]) -> None:
    """Write the entries of a posting that was begun in this transaction; legs of zero are left out.

    Raises: InsufficientBalance when a merchant account would become negative.
    Locks: the chained accounts of the legs, in ascending id.
    """
    moved = sorted((account_id, amount) for account_id, amount in legs if amount != 0)
    entries = {
        "posting": posting.pk,
        "accounts": [account_id for account_id, _amount in moved],
        "amounts": [amount for _account_id, amount in moved],
    }
    try:
        sql.rows(_ENTRIES, entries)
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) == OVERDRAFT:
            raise errors.InsufficientBalance from refusal
        raise


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
