"""Comparing what an address holds of a chain's own coin with what was read to arrive there.

A token's transfers are borne out by events that cannot be left out unnoticed. The coin's are transactions of
a block and nothing else: a node may leave one out, and what a contract passes on is in no block at all. Both
show in the balance. More than was read opens a case on the order and books nothing: a person must look. Less
says nothing, for whoever has the keys may have moved it.

The balance is asked at the depth where transfers count, by the block's hash, and a few addresses at a time:
those that were not compared for longest. A node that does not keep that state is not believed less for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext as _t

from channels.models import Chain, Token
from channels.upstreams.chain import NATIVE, ChainUnreadable, ChainUpstream
from diamondpay.lib import money, transactions
from records import cases, chain_payments
from records.models import Case, ChainCursor, ChainPayment, ChainQuote, ChainTransfer

ADDRESSES_AT_ONCE = 100
# What was sent in the last moments is deep enough only after the order's time.
AFTER_END = timedelta(hours=2)
logger = logging.getLogger(__name__)


def compare_due(*, chain: Chain, cursor: ChainCursor, upstream: ChainUpstream, now: datetime) -> int:
    """Compare the balances that are due, and open the cases that follow; return how many were compared.

    No transaction is open while the node is asked.
    """
    coin = Token.objects.filter(chain=chain, address=NATIVE).first()
    block = _deep_enough(cursor, chain)
    if coin is None or block is None:
        return 0
    number, block_hash = block
    due = list(_due(cursor, coin, number, now)[:ADDRESSES_AT_ONCE])
    if not due:
        return 0
    addresses = [found.address for found in due]
    try:
        held = upstream.balances(block_hash=block_hash, addresses=addresses)
    except ChainUnreadable as fault:
        logger.warning("Balances of channel %s are not compared: %s", cursor.pk, fault)
        return 0
    _write(due=due, held=held, coin=coin, number=number, now=now)
    return len(due)


def _deep_enough(cursor: ChainCursor, chain: Chain) -> tuple[int, str] | None:
    """Return number and hash of the newest block whose transfers count, None where it was not read."""
    if cursor.block_number is None:
        return None
    wanted = cursor.block_number - chain.confirmations + 1
    return next(((number, digest) for number, digest in reversed(cursor.recent) if number == wanted), None)


def _due(cursor: ChainCursor, coin: Token, number: int, now: datetime) -> QuerySet[ChainPayment]:
    """Return the orders with an address of their own that may be paid in the coin, or lately could."""
    # Both ways lead by an index to the few orders that matter now, however many there were.
    is_lately = Q(is_open=True) | Q(watched_until__gt=now - AFTER_END + chain_payments.WATCHED_AFTER_END)
    is_offered = Exists(ChainQuote.objects.filter(chain_payment=OuterRef("pk"), token=coin))
    in_coin = Q(token=coin) | Q(is_offered, token__isnull=True)
    behind = Q(balance_block__isnull=True) | Q(balance_block__lt=number)
    found = ChainPayment.objects.filter(
        is_lately, in_coin, behind, channel=cursor.pk, mode=ChainPayment.Mode.DEDICATED
    )
    return found.select_related("payment").order_by(F("balance_block").asc(nulls_first=True), "pk")


@transactions.atomic_with_retries
def _write(
    *, due: Sequence[ChainPayment], held: Sequence[int], coin: Token, number: int, now: datetime
) -> None:
    arrived = ChainTransfer.objects.filter(
        token=coin, to_address__in=[found.address for found in due], block_number__lte=number
    ).exclude(state=ChainTransfer.State.ORPHANED)
    sums = arrived.values("to_address").annotate(units_read=Sum("units"))
    read: dict[str, Decimal] = {row["to_address"]: row["units_read"] for row in sums}
    for found, units in zip(due, held, strict=True):
        more = Decimal(units) - read.get(found.address, Decimal(0))
        if more > 0:
            _open_case(found, coin, more, now)
    ChainPayment.objects.filter(pk__in=[found.pk for found in due]).update(balance_block=number)


def _open_case(found: ChainPayment, coin: Token, more: Decimal, now: datetime) -> None:
    try:
        amount = chain_payments.amount_of(more, coin)
    except money.AmountTooLarge:
        amount = None
    cases.open_once(
        key=f"chain-balance:{found.payment.payment_id}",
        kind=Case.Kind.CONTRADICTION,
        summary=_t(
            "The address of order %(order)s holds %(units)s units of %(symbol)s more than was read to "
            "arrive: a contract passed them on, or the node leaves transfers out."
        )
        % {"order": found.payment.payment_id, "units": more, "symbol": coin.symbol},
        now=now,
        payment=found.payment,
        channel_id=found.channel_id,
        amount=amount,
        currency_id=coin.currency_id,
    )
