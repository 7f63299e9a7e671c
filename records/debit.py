"""What a paid payout takes out of the book. `records.payouts` decides that and when."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from diamondpay.models import User
from records import ledger
from records.models import Payout, PayoutAttempt, Posting, PostingKind


def post(
    *,
    payout: Payout,
    attempt: PayoutAttempt,
    actual_amount: Decimal,
    now: datetime,
    operator: User | None,
    remark: str,
) -> Posting:
    """Take what is frozen: to the channel that paid (through the exchange account, if converted) and fees.

    Units: actual_amount in major units of the order's currency; what is frozen is in the wallet's.
    Raises: ledger.EffectExists.
    Locks: the accounts in ascending id.
    """
    accounts = ledger.accounts_of(
        merchant_channel_id=payout.merchant_channel_id,
        channel_id=attempt.channel_id,
        currency_id=payout.settlement_currency_id,
    )
    if payout.settlement_currency_id == payout.currency_id:
        counterpart = accounts["clearing"]
    else:
        counterpart = accounts["exchange"]
        _post_exchange(payout=payout, attempt=attempt, actual_amount=actual_amount, now=now)
    fee = payout.fee or Decimal(0)
    return ledger.post(
        effect_key=f"payout:{payout.payout_id}:resolve",
        kind=PostingKind.PAYOUT_DEBIT,
        currency_id=payout.settlement_currency_id,
        legs=[
            (accounts["frozen"], -payout.debited_amount),
            (counterpart, payout.debited_amount - fee),
            (accounts["fees"], fee),
        ],
        now=now,
        payout_pk=payout.pk,
        order_no=payout.payout_id,
        operator=operator,
        remark=remark,
    )


def _post_exchange(*, payout: Payout, attempt: PayoutAttempt, actual_amount: Decimal, now: datetime) -> None:
    """Book what the channel paid out, in the order's currency, against that currency's exchange account."""
    exchange = ledger.system_accounts_of(channel_id=attempt.channel_id, currency_id=payout.currency_id)
    ledger.post(
        effect_key=f"payout:{payout.payout_id}:exchange",
        kind=PostingKind.EXCHANGE,
        currency_id=payout.currency_id,
        legs=[(exchange["exchange"], -actual_amount), (exchange["clearing"], actual_amount)],
        now=now,
        payout_pk=payout.pk,
        order_no=payout.payout_id,
    )
