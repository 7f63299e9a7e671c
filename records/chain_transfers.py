"""The one writer of transfers over chains: seen, orphaned, confirmed, booked.

Sums follow by triggers. A transfer is one row for ever (its transaction and its place in it), and is booked
once: what becomes of it is decided by `records.verdicts`, as for every other upstream.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F
from django.utils.translation import gettext as _t

from channels.models import Chain, Channel, Token
from channels.upstreams import base
from channels.upstreams.chain import Block, Transfer
from diamondpay.lib import crash, money, sql, transactions
from records import cases, chain_payments, payments, verdicts
from records.models import (
    Actor,
    Case,
    ChainCursor,
    ChainPayment,
    ChainQuote,
    ChainTransfer,
    Payment,
    PaymentStatus,
)

# Hashes of so many blocks are kept: more than any chain asks confirmations of.
RECENT_MAX = 256
# A chain's clock and ours may differ by so much.
CLOCKS_APART = timedelta(minutes=2)
logger = logging.getLogger(__name__)
State = ChainTransfer.State

_UPSERT = """
    INSERT INTO records_chaintransfer AS known
        (chain_id, tx_hash, log_index, channel_id, token_id, from_address, to_address, units, block_number,
         block_hash, block_time, state, payment_id, effect, seen_at)
    VALUES (%(chain)s, %(tx_hash)s, %(log_index)s, %(channel)s, %(token)s, %(from_address)s, %(to_address)s,
        %(units)s, %(block_number)s, %(block_hash)s, %(block_time)s, 'seen', %(payment)s, '', %(now)s)
    ON CONFLICT (chain_id, tx_hash, log_index) DO UPDATE SET
        state = 'seen', block_number = excluded.block_number, block_hash = excluded.block_hash,
        block_time = excluded.block_time, channel_id = excluded.channel_id, token_id = excluded.token_id,
        from_address = excluded.from_address, to_address = excluded.to_address, units = excluded.units,
        payment_id = CASE
            WHEN (known.token_id, known.to_address, known.units)
                = (excluded.token_id, excluded.to_address, excluded.units)
            THEN coalesce(known.payment_id, excluded.payment_id) ELSE excluded.payment_id END
    WHERE known.state <> 'confirmed'
        AND (known.state, known.block_hash) IS DISTINCT FROM ('seen', excluded.block_hash)
    RETURNING id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look at a chain found. `fork` is the newest block that is still where it was before.

    `blocks` follow it, the last one being the newest that was read.
    """

    fork: int
    blocks: Sequence[Block]
    transfers: Sequence[Transfer]


@transactions.atomic_with_retries
def record(*, cursor: ChainCursor, chain: Chain, reading: Reading, now: datetime) -> bool:
    """Write down a look at the chain, all or nothing; say whether it was the next one.

    Another worker may have read the same blocks meanwhile: then the cursor has moved, and nothing is written.
    Locks: the cursor, then transfers and, by trigger, chain payments.
    """
    newest = reading.blocks[-1]
    kept = [entry for entry in cursor.recent if entry[0] <= reading.fork]
    recent = [*kept, *([block.number, block.hash] for block in reading.blocks)][-RECENT_MAX:]
    moved = ChainCursor.objects.filter(pk=cursor.pk, version=cursor.version).update(
        block_number=newest.number,
        block_time=newest.time,
        recent=recent,
        version=F("version") + 1,
        read_at=now,
        fault="",
        fault_since=None,
    )
    if not moved:
        return False
    waiting = ChainTransfer.objects.filter(channel=cursor.pk, state=State.SEEN)
    # Their blocks are gone; those whose transactions stand in a new block are found there again below.
    waiting.filter(block_number__gt=reading.fork).exclude(
        block_hash__in=[block.hash for block in reading.blocks]
    ).update(state=State.ORPHANED)
    _see(channel_id=cursor.pk, chain=chain, transfers=reading.transfers, now=now)
    crash.point("chain.seen")
    deep_enough = newest.number - chain.confirmations + 1
    waiting.filter(block_number__lte=deep_enough).update(state=State.CONFIRMED, confirmed_at=now)
    crash.point("chain.confirmed")
    return True


def _see(*, channel_id: str, chain: Chain, transfers: Sequence[Transfer], now: datetime) -> None:
    if not transfers:
        return
    tokens = {token.address: token for token in Token.objects.filter(chain=chain)}
    for transfer in transfers:
        token = tokens[transfer.asset]
        found = _order_of(chain, token, transfer)
        if found is not None:
            chain_payments.adopt_token(found=found, token=token)
        sql.rows(
            _UPSERT,
            {
                "chain": chain.pk,
                "tx_hash": transfer.tx_hash,
                "log_index": transfer.log_index,
                "channel": found.channel_id if found else channel_id,
                "token": token.pk,
                "from_address": transfer.from_address,
                "to_address": transfer.to_address,
                "units": Decimal(transfer.units),
                "block_number": transfer.block.number,
                "block_hash": transfer.block.hash,
                "block_time": transfer.block.time,
                "payment": found.pk if found else None,
                "now": now,
            },
        )


def _order_of(chain: Chain, token: Token, transfer: Transfer) -> ChainPayment | None:
    """Return whose payment a transfer is: by the address, or at a shared one by the exact amount."""
    there = ChainPayment.objects.filter(chain=chain, address=transfer.to_address)
    own = there.filter(mode=ChainPayment.Mode.DEDICATED).first()
    if own is not None:
        return own
    # What was sent before the order was made was sent for another one of the same amount.
    made_before = transfer.block.time + CLOCKS_APART
    wanted = there.filter(token=token, expected_units=Decimal(transfer.units), is_open=True)
    return wanted.filter(payment__created_at__lte=made_before).first()


def book_due(*, channel: Channel, now: datetime) -> None:
    """Book what is confirmed on a channel, each order in a transaction of its own.

    All of it: many orders that wait for more must not keep others from their money.
    """
    due = ChainTransfer.objects.filter(channel=channel, state=State.CONFIRMED, effect="").order_by("id")
    found = list(due.values_list("pk", "payment_id"))
    for payment_pk in dict.fromkeys(payment_pk for _pk, payment_pk in found if payment_pk is not None):
        try:
            book_order(payment_pk=payment_pk, now=now)
        except Exception:
            logger.exception("Transfers of deposit %s are not booked yet.", payment_pk)
    for transfer_pk in (pk for pk, payment_pk in found if payment_pk is None):
        try:
            book_unknown(transfer_pk=transfer_pk, now=now)
        except Exception:
            logger.exception("Transfer %s is not booked yet.", transfer_pk)


@transactions.atomic_with_retries
def book_order(*, payment_pk: int, now: datetime) -> None:
    """Give an order the confirmed transfers that are not booked, or let them wait for more (D9).

    As long as the order is open they add up. Together they are one payment of the upstream's: too little
    waits, anything else is decided by `records.verdicts`. What comes after that is looked at by itself.
    Locks: the order, its chain payment, then accounts in ascending id.
    """
    payment = payments.locked(payment_pk)
    found = ChainPayment.objects.select_related("token").get(pk=payment_pk)
    rows = list(
        ChainTransfer.objects.filter(payment=payment_pk, state=State.CONFIRMED, effect="")
        .select_related("token")
        .order_by("block_number", "id")
    )
    own = [row for row in rows if row.token_id == found.token_id]
    for row in rows:
        if row.token_id != found.token_id:
            _note_another_token(payment, row, now)
    if not own or found.token is None:
        return
    if payment.status == PaymentStatus.SUCCESS:
        for row in own:
            _apply(payment, [row], amount=_worth(payment, found, [row]), now=now)
        return
    amount = _worth(payment, found, own)
    if payment.status == PaymentStatus.IN_PROGRESS and amount is not None and _waits(payment, found, amount):
        return
    _apply(payment, own, amount=amount, now=now)


def _waits(payment: Payment, found: ChainPayment, amount: Decimal) -> bool:
    """Say whether more is to come before anything is decided: too little, or another transfer on its way."""
    if amount >= payments.expected_amount(payment):
        return False
    return found.seen_units > found.confirmed_units or not payments.is_within_tolerance(payment, amount)


def waits_for_more(payment: Payment, found: ChainPayment) -> bool:
    """Say whether what is confirmed of an open order decides nothing yet, and is not just to be booked."""
    rows = ChainTransfer.objects.filter(payment=payment.pk, state=State.CONFIRMED, effect="")
    own = list(rows.filter(token=found.token_id).select_related("token"))
    amount = _worth(payment, found, own) if own else None
    return not own or (amount is not None and _waits(payment, found, amount))


def _worth(payment: Payment, found: ChainPayment, rows: Sequence[ChainTransfer]) -> Decimal | None:
    if found.token is None:
        return None
    price = ChainQuote.objects.values_list("unit_price", flat=True).get(
        chain_payment=found.pk, token=found.token_id
    )
    units = sum(int(row.units) for row in rows)
    try:
        return chain_payments.worth(payment=payment, token=found.token, units=units, unit_price=price)
    except money.AmountTooLarge:
        return None


def _plain_worth(row: ChainTransfer) -> Decimal | None:
    try:
        return chain_payments.amount_of(row.units, row.token)
    except money.AmountTooLarge:
        return None


def _note_another_token(payment: Payment, row: ChainTransfer, now: datetime) -> None:
    """Open a case for what came in a token that the order is not paid in; it is never credited.

    Not even where both tokens are booked in one currency: what they are worth is a person's matter.
    """
    number = number_of(row)
    cases.open_once(
        key=f"currency:{payment.payment_id}:{number}",
        kind=Case.Kind.WRONG_CURRENCY,
        summary=_t("Order %(order)s was paid %(units)s units of %(symbol)s, which it is not paid in.")
        % {"order": payment.payment_id, "units": row.units, "symbol": row.token.symbol},
        now=now,
        payment=payment,
        channel_id=payment.channel_id,
        amount=_plain_worth(row),
    )
    ChainTransfer.objects.filter(pk=row.pk).update(effect=number)
    crash.point("chain.booked")


def number_of(row: ChainTransfer) -> str:
    """Return what the upstream's order number is for a chain: one transfer, by which all are booked."""
    return f"{row.tx_hash}:{row.log_index}"


def _apply(
    payment: Payment,
    rows: Sequence[ChainTransfer],
    *,
    amount: Decimal | None,
    now: datetime,
) -> None:
    """Let the verdict fall on transfers, and mark them with the number under which it did."""
    number = number_of(rows[-1])
    word = verdicts.Word(
        base.UpstreamState.PAID,
        amount,
        payment.currency_id,
        number,
        _t("%(count)s transfers on the chain") % {"count": len(rows)} if len(rows) > 1 else "",
    )
    verdicts.on_payment(payment_pk=payment.pk, word=word, now=now, changed_by=Actor.SYSTEM)
    ChainTransfer.objects.filter(pk__in=[row.pk for row in rows]).update(effect=number)
    crash.point("chain.booked")


@transactions.atomic_with_retries
def book_unknown(*, transfer_pk: int, now: datetime) -> None:
    """Put what came to an address of ours and belongs to no order into suspense, with its case (D6).

    Locks: the transfer, then accounts in ascending id.
    """
    row = (
        ChainTransfer.objects.select_for_update(of=("self",))
        .select_related("token", "channel")
        .get(pk=transfer_pk)
    )
    if row.effect:
        return
    number, amount = number_of(row), _plain_worth(row)
    if amount is None:
        cases.open_once(
            key=f"chain-amount:{number}",
            kind=Case.Kind.WRONG_AMOUNT,
            summary=_t("%(units)s units of %(symbol)s arrived: more than the book can hold.")
            % {"units": row.units, "symbol": row.token.symbol},
            now=now,
            channel_id=row.channel_id,
        )
    else:
        word = verdicts.Word(base.UpstreamState.PAID, amount, row.token.currency_id, number)
        verdicts.on_unknown_order(channel=row.channel, reference=row.to_address, word=word, now=now)
    ChainTransfer.objects.filter(pk=row.pk).update(effect=number)
