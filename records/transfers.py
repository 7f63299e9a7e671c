"""Transfers between merchants' wallets: both legs or none, one currency (P7)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from diamondpay import audit
from diamondpay.lib import errors, transactions
from diamondpay.models import User
from merchants.models import MerchantChannel
from records import ledger
from records.models import Account, BalanceTransfer, PostingKind


@transactions.atomic_with_retries
def execute(
    *,
    source: MerchantChannel,
    destination: MerchantChannel,
    amount: Decimal,
    reason: str,
    request_id: str,
    now: datetime,
    operator: User | None,
) -> BalanceTransfer:
    """Move money from one merchant's wallet to another's.

    Units: major units of the wallets' one currency.
    Raises: InvalidInput (same merchant, other currency, amount, reason), InsufficientBalance, EffectExists
    on a repeated request id.
    Locks: both available accounts, in ascending id.
    """
    _refuse_nonsense(source=source, destination=destination, amount=amount, reason=reason)
    available = dict(
        Account.objects.filter(merchant_channel__in=[source, destination], kind="available").values_list(
            "merchant_channel_id", "id"
        )
    )
    posting = ledger.post(
        effect_key=f"transfer:{request_id}",
        kind=PostingKind.TRANSFER,
        currency_id=source.currency_id,
        legs=[(available[source.pk], -amount), (available[destination.pk], amount)],
        now=now,
        remark=reason,
        operator=operator,
    )
    transfer = BalanceTransfer.objects.create(
        request_id=request_id,
        source=source,
        destination=destination,
        source_merchant_id=source.merchant_id,
        destination_merchant_id=destination.merchant_id,
        amount=amount,
        currency_id=source.currency_id,
        posting=posting,
        reason=reason,
        operator=operator,
        created_at=now,
    )
    audit.write(
        action="transfers.execute",
        object_kind="transfer",
        object_id=request_id,
        user=operator,
        reason=reason,
        now=now,
        after={
            "source": source.pk,
            "destination": destination.pk,
            "amount": str(amount),
            "currency": source.currency_id,
        },
    )
    return transfer


def _refuse_nonsense(
    *, source: MerchantChannel, destination: MerchantChannel, amount: Decimal, reason: str
) -> None:
    """Name everything that is wrong with a transfer at once. Raises: InvalidInput."""
    problems: dict[str, errors.Words] = {}
    if source.merchant_id == destination.merchant_id:
        problems["destination"] = _("A transfer needs two different merchants.")
    elif source.currency_id != destination.currency_id:
        problems["destination"] = _("Both wallets must have the same currency.")
    if amount <= 0:
        problems["amount"] = _("The amount must be positive.")
    if not reason.strip():
        problems["reason"] = _("This is required.")
    if problems:
        raise errors.InvalidInput(problems)
