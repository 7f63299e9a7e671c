"""What an adapter of a block chain offers on top of `base.Adapter`, whatever the chain.

A chain is no counterpart that takes orders: it is read. An order is an address and an amount that we choose;
`records.chain_watch` reads block after block and counts what arrives. So nothing here knows orders or tables.

The rule stays: **unknown is never failed**. A node that is down, behind, of another network, or whose answers
contradict one another raises `ChainUnreadable`, and then nothing at all follows from what it said.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from channels.upstreams.base import Adapter

NATIVE = ""
# The place of a native transfer among its transaction's events: it is none of them.
NATIVE_INDEX = -1


class ChainUnreadable(Exception):
    """The node gave no answer that can be believed; the text says why, in words."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the chain as the node has it now; another may stand in its place later."""

    number: int
    hash: str
    parent_hash: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """Units of an asset that moved to one of our addresses, in a transaction that succeeded.

    `log_index` is its place among its transaction's own events, which no reorganisation changes; NATIVE_INDEX
    for the native coin. `asset` is a contract's address, NATIVE for the coin.
    """

    tx_hash: str
    log_index: int
    asset: str
    from_address: str
    to_address: str
    units: int
    block: Block


class ChainUpstream(Adapter, Protocol):
    """The contract. Addresses are texts in the chain's canonical form, as `canonical` returns them.

    `chain_code` is the chain that the channel is on. `key_fingerprint` names the extended public key that
    addresses are derived from, "" where there is none; `shared_address` is where fixed amounts are paid, ""
    where there is none; at least one of them is there. `amount_steps` is how many amounts may be told apart.

    head, blocks, transfers and balances speak to the node: at most 15 s each, with no transaction open.
    """

    chain_code: str
    key_fingerprint: str
    shared_address: str
    amount_steps: int

    def canonical(self, address: str) -> str:
        """Return the address as it is stored and compared. Raises: ValueError when it is none."""
        ...

    def address_at(self, index: int) -> str:
        """Return the address with this index. Raises: ValueError for the rare index that has none."""
        ...

    def payment_text(self, *, address: str, asset: str, units: int, network_id: int | None) -> str:
        """Return what a wallet reads from a QR code."""
        ...

    def head(self, *, network_id: int | None) -> int:
        """Return the number of the newest block. Raises: ChainUnreadable, also for another network."""
        ...

    def blocks(self, *, first: int, last: int) -> list[Block]:
        """Return the blocks from first to last, each the parent of the next. Raises: ChainUnreadable."""
        ...

    def transfers(
        self, *, blocks: Sequence[Block], assets: AbstractSet[str], addresses: AbstractSet[str]
    ) -> list[Transfer]:
        """Return what the blocks moved of these assets to these addresses, oldest first.

        Raises: ChainUnreadable, also when the node has other blocks by now.
        """
        ...

    def balances(self, *, block_hash: str, addresses: Sequence[str]) -> list[int]:
        """Return what each address holds of the native coin after a block. Units: of the coin's smallest.

        Raises: ChainUnreadable, also when the block is not the chain's or its state is not kept.
        """
        ...
