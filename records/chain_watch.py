"""Watching chains: read what is new, block after block, and write it down. No transaction is open meanwhile.

Each channel has a cursor. A block that is no longer where it was read means that the chain was reorganised:
reading starts again from the newest block that stands. A node that is down, behind, or contradicts itself
changes nothing but the cursor's `fault`; orders wait, and do not expire, until the chain was read past their
time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Min, Q, QuerySet

from channels import secrets
from channels.models import Chain, Channel, Token
from channels.upstreams import registry
from channels.upstreams.chain import Block, ChainUnreadable, ChainUpstream
from diamondpay.lib import clock, crash, crypto
from records import chain_balances, chain_telling, chain_transfers
from records.models import ChainCursor, ChainPayment

CLAIM_SECONDS = 60
BLOCKS_AT_ONCE = 40
# A channel that has fallen behind reads on for so long before the others have their turn.
READING_SECONDS = 30.0
# A chain's clock and ours are not the same.
_BEFORE = timedelta(minutes=5)
_LOOK_BACK = (1, 16, chain_transfers.RECENT_MAX)

logger = logging.getLogger(__name__)


def watch_all(*, read_clock: clock.ReadClock = clock.now) -> int:
    """Look at the chain of every channel that collects over one; return how many were looked at."""
    looked_at = 0
    for channel in Channel.objects.filter(upstream__in=registry.CHAINS).order_by("code"):
        try:
            looked_at += watch(channel=channel, read_clock=read_clock)
        except Exception:
            logger.exception("Channel %s was not watched; it is due again.", channel.pk)
    return looked_at


def watch(*, channel: Channel, read_clock: clock.ReadClock = clock.now) -> bool:
    """Read what is new on the channel's chain and book what is confirmed; False when another worker does."""
    try:
        upstream = secrets.chain_of(channel)
    except (crypto.CannotDecrypt, ValueError):
        logger.exception("Channel %s cannot be watched.", channel.pk)
        return False
    if upstream is None:
        return False
    chain = Chain.objects.filter(code=upstream.chain_code).first()
    if chain is None:
        logger.error("Channel %s is on the chain %s, which is not listed.", channel.pk, upstream.chain_code)
        return False
    cursor = _claimed(channel, chain, read_clock())
    if cursor is None:
        return False
    try:
        _read_on(cursor=cursor, chain=chain, upstream=upstream, read_clock=read_clock)
    except ChainUnreadable as fault:
        logger.warning("The chain of channel %s cannot be read: %s", channel.pk, fault)
        _note_fault(cursor, str(fault), read_clock())
    finally:
        _own(cursor).update(claimed_until=None)
    chain_transfers.book_due(channel=channel, now=read_clock())
    chain_telling.tell_due(channel=channel, now=read_clock())
    chain_balances.compare_due(chain=chain, cursor=cursor, upstream=upstream, now=read_clock())
    return True


def _claimed(channel: Channel, chain: Chain, now: datetime) -> ChainCursor | None:
    """Return the channel's cursor unless another worker reads by it; a dead one's claim ends by itself."""
    ChainCursor.objects.get_or_create(channel=channel, defaults={"chain": chain})
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    claimed = ChainCursor.objects.filter(free, pk=channel.pk).update(
        claimed_until=now + timedelta(seconds=CLAIM_SECONDS)
    )
    return ChainCursor.objects.get(pk=channel.pk) if claimed else None


def _own(cursor: ChainCursor) -> QuerySet[ChainCursor]:
    """Return the cursor as long as the claim on it is still this worker's; nothing once another took over.

    Who takes over does so after the claim's end and writes a later one, so its end names the claim.
    """
    return ChainCursor.objects.filter(pk=cursor.pk, claimed_until=cursor.claimed_until)


def _note_fault(cursor: ChainCursor, fault: str, now: datetime) -> None:
    _own(cursor).update(fault=fault[:500], fault_since=cursor.fault_since or now)


def _read_on(
    *, cursor: ChainCursor, chain: Chain, upstream: ChainUpstream, read_clock: clock.ReadClock
) -> None:
    until = time.monotonic() + READING_SECONDS
    while time.monotonic() < until:
        now = read_clock()
        if _waiting(cursor, now).exclude(chain=chain).exists():
            raise ChainUnreadable(f"the channel was put on {chain.code}, but orders wait on another chain")
        addresses = _watched(cursor, upstream, now)
        if not addresses or cursor.chain_id != chain.pk:
            _forget(cursor, chain)
            return
        reading = _look(cursor=cursor, chain=chain, upstream=upstream, addresses=addresses, now=now)
        if reading is None:
            _own(cursor).update(read_at=now, fault="", fault_since=None)
            return
        crash.point("chain.read")
        if not chain_transfers.record(cursor=cursor, chain=chain, reading=reading, now=now):
            return
        # Without the claim, which is renewed by whoever takes it: it stays what this worker wrote.
        cursor.refresh_from_db(fields=["block_number", "block_time", "recent", "version", "fault_since"])


def _waiting(cursor: ChainCursor, now: datetime) -> QuerySet[ChainPayment]:
    return ChainPayment.objects.filter(channel=cursor.pk, watched_until__gt=now)


def _watched(cursor: ChainCursor, upstream: ChainUpstream, now: datetime) -> frozenset[str]:
    """Return the addresses to look at: those of orders, for a while after their end, and the shared one."""
    addresses = set(_waiting(cursor, now).values_list("address", flat=True))
    return frozenset(addresses | ({upstream.shared_address} - {""}))


def _forget(cursor: ChainCursor, chain: Chain) -> None:
    """Let a channel that nobody is to pay begin anew with its next order, and not where it once stopped."""
    stale = Q(block_number__isnull=False) | ~Q(chain=chain)
    ChainCursor.objects.filter(stale, pk=cursor.pk, version=cursor.version).update(
        chain=chain, block_number=None, block_time=None, recent=[], version=F("version") + 1
    )


def _look(
    *,
    cursor: ChainCursor,
    chain: Chain,
    upstream: ChainUpstream,
    addresses: frozenset[str],
    now: datetime,
) -> chain_transfers.Reading | None:
    """Read the blocks after the newest that still stands; None when there is none yet.

    Raises: ChainUnreadable.
    """
    head = upstream.head(network_id=chain.network_id)
    if cursor.block_number is None:
        fork, fork_hash = _start(cursor, upstream, head, now) - 1, ""
    else:
        if head < cursor.block_number:
            raise ChainUnreadable(f"the node is behind: at block {head}, and {cursor.block_number} was read")
        fork, fork_hash = _fork(upstream, cursor.recent)
    if fork >= head:
        return None
    blocks = upstream.blocks(first=fork + 1, last=min(head, fork + BLOCKS_AT_ONCE))
    if fork_hash and blocks[0].parent_hash != fork_hash:
        raise ChainUnreadable(f"block {fork} was replaced while it was read")
    assets = frozenset(Token.objects.filter(chain=chain).values_list("address", flat=True))
    transfers = upstream.transfers(blocks=blocks, assets=assets, addresses=addresses)
    return chain_transfers.Reading(fork=fork, blocks=blocks, transfers=transfers)


def _start(cursor: ChainCursor, upstream: ChainUpstream, head: int, now: datetime) -> int:
    """Return the block to begin with: the last before the oldest order was made. Raises: ChainUnreadable."""
    oldest = _waiting(cursor, now).aggregate(oldest=Min("payment__created_at"))["oldest"] or now
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        if _block(upstream, middle).time < oldest - _BEFORE:
            low = middle
        else:
            high = middle - 1
    return low


def _fork(upstream: ChainUpstream, recent: Sequence[Sequence[object]]) -> tuple[int, str]:
    """Return the newest block that is still where it was read, and its hash; "" when all are gone.

    Raises: ChainUnreadable.
    """
    known = [(int(str(number)), str(digest)) for number, digest in recent]
    for count in _LOOK_BACK:
        looked_at = known[-count:]
        stands = upstream.blocks(first=looked_at[0][0], last=looked_at[-1][0])
        by_number = {block.number: block.hash for block in stands}
        for number, digest in reversed(looked_at):
            if by_number.get(number) == digest:
                return number, digest
        if len(looked_at) == len(known):
            break
    logger.warning("None of the last %s blocks stands any more; reading them again.", len(known))
    return known[0][0] - 1, ""


def _block(upstream: ChainUpstream, number: int) -> Block:
    return upstream.blocks(first=number, last=number)[0]
