"""Blocks and transfers of an EVM chain, read from a node and held against one another.

What one answer says must be borne out by another: a log by its transaction's receipt, both by the block that
was read before. Whatever does not fit is not believed.

A node may also leave something out, most often because what answers for its logs is behind. So logs are
asked for by a block's hash, which a node that lacks the block must refuse, and where a block's bloom filter
may hold a transfer to us, its receipts are read too, all of them, and must hold the same events. The filter
comes with the block and costs nothing; on a busy chain it says "maybe" of most blocks: one more call each.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from itertools import pairwise

from channels.upstreams.chain import NATIVE, NATIVE_INDEX, Block, ChainUnreadable, Transfer
from channels.upstreams.evm import keccak, rpc

# The event of ERC-20: Transfer(address indexed from, address indexed to, uint256 value).
TRANSFER_TOPIC = "0x" + keccak.keccak256(b"Transfer(address,address,uint256)").hex()
_SUCCEEDED = 1
# With more receivers than these, all transfers of the tokens are asked for, and ours picked out of them.
_ADDRESSES_MAX = 200
# Blocks with all their transactions are long, and so are their receipts: few of them in one answer.
_LONG_AT_ONCE = 4
_TIMESTAMP_MAX = 32503680000


def head(node: rpc.Node, *, network_id: int | None) -> int:
    """Return the newest block's number. Raises: ChainUnreadable, also for a node of another network."""
    network, newest = node.calls([("eth_chainId", ()), ("eth_blockNumber", ())])
    found = rpc.quantity({"network": network}, "network")
    if network_id is not None and found != network_id:
        raise ChainUnreadable(f"the node is of network {found}, not of {network_id}")
    return rpc.quantity({"newest block": newest}, "newest block")


def blocks(node: rpc.Node, *, first: int, last: int) -> list[Block]:
    """Return blocks that follow one another. Raises: ChainUnreadable."""
    wanted = [("eth_getBlockByNumber", (hex(number), False)) for number in range(first, last + 1)]
    found = [
        _block(rpc.record(answer, "block"), number)
        for number, answer in enumerate(node.calls(wanted), start=first)
    ]
    for parent, block in pairwise(found):
        if block.parent_hash != parent.hash:
            raise ChainUnreadable(f"block {block.number} does not follow block {parent.number}")
    return found


def _block(found: rpc.Object, number: int) -> Block:
    if rpc.quantity(found, "number") != number:
        raise ChainUnreadable(f"the node answered another block than {number}")
    seconds = rpc.quantity(found, "timestamp")
    if seconds > _TIMESTAMP_MAX:
        raise ChainUnreadable("the node's timestamp is no time")
    return Block(
        number=number,
        hash=rpc.octets(found, "hash", length=32),
        parent_hash=rpc.octets(found, "parentHash", length=32),
        time=datetime.fromtimestamp(seconds, UTC),
    )


def transfers(
    node: rpc.Node, *, blocks: Sequence[Block], assets: AbstractSet[str], addresses: AbstractSet[str]
) -> list[Transfer]:
    """Return what arrived at our addresses in these blocks. Raises: ChainUnreadable."""
    if not blocks or not addresses:
        return []
    # Nodes write addresses in small letters; ours bear their check sum.
    ours = {address.lower(): address for address in addresses}
    contracts = {asset.lower(): asset for asset in assets if asset != NATIVE}
    contents = _contents(node, blocks)
    coins = {block: _coins(contents[block], ours) if NATIVE in assets else [] for block in blocks}
    held = [block for block in blocks if coins[block] or _may_hold(contents[block], contracts, ours)]
    receipts = _receipts(node, held, contents)
    events = {
        (block.number, *_identity(event))
        for block in held
        for receipt in receipts[block].values()
        for _place, event in _events(receipt, contracts, ours)
    }
    told = {
        (rpc.quantity(log, "blockNumber"), *_identity(log)) for log in _logs(node, blocks, contracts, ours)
    }
    if told != events:
        raise ChainUnreadable("the events that the node told are not those of its receipts")
    found = [
        *(_coin_transfer(coin, receipts[block], block, ours) for block in held for coin in coins[block]),
        *(_token_transfer(event, place, block, contracts, ours)
          for block in held
          for receipt in receipts[block].values()
          for place, event in _events(receipt, contracts, ours)),
    ]  # fmt: skip
    moved = [transfer for transfer in found if transfer is not None]
    return sorted(moved, key=lambda transfer: (transfer.block.number, transfer.tx_hash, transfer.log_index))


def balances(node: rpc.Node, *, block_hash: str, addresses: Sequence[str]) -> list[int]:
    """Return what each address holds after a block of the chain. Raises: ChainUnreadable.

    Source: EIP-1898; a node that has another block in its place must refuse.
    """
    there = {"blockHash": block_hash, "requireCanonical": True}
    answers = node.calls([("eth_getBalance", (address.lower(), there)) for address in addresses])
    return [rpc.quantity({"balance": answer}, "balance") for answer in answers]


def _contents(node: rpc.Node, blocks: Sequence[Block]) -> dict[Block, rpc.Object]:
    """Return the blocks with all their transactions. Raises: ChainUnreadable when they are others by now."""
    wanted = [("eth_getBlockByNumber", (hex(block.number), True)) for block in blocks]
    found = {}
    for block, answer in zip(blocks, node.calls(wanted, at_once=_LONG_AT_ONCE), strict=True):
        content = rpc.record(answer, "block")
        if rpc.octets(content, "hash", length=32) != block.hash:
            raise ChainUnreadable(f"block {block.number} was replaced while it was read")
        found[block] = content
    return found


def _may_hold(content: rpc.Object, contracts: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Say whether a block's filter leaves room for a transfer of these contracts to us."""
    filled = int(rpc.octets(content, "logsBloom", length=256), 16)
    return (
        _is_in(filled, TRANSFER_TOPIC)
        and any(_is_in(filled, contract) for contract in contracts)
        and any(_is_in(filled, _padded(address)) for address in ours)
    )


def _is_in(filled: int, item: str) -> bool:
    return all(filled >> place & 1 for place in _places(item))


@functools.lru_cache(maxsize=8192)
def _places(item: str) -> tuple[int, ...]:
    """Return the three bits of a block's filter that an item sets. Source: the yellow paper, 4.4.3."""
    digest = keccak.keccak256(bytes.fromhex(item.removeprefix("0x")))
    return tuple(int.from_bytes(digest[start : start + 2], "big") & 2047 for start in (0, 2, 4))


def _logs(
    node: rpc.Node, blocks: Sequence[Block], contracts: Mapping[str, str], ours: Mapping[str, str]
) -> list[rpc.Object]:
    """Return the transfer events of these contracts to us; what the node adds of its own is dropped."""
    if not contracts:
        return []
    receivers = sorted(_padded(address) for address in ours)
    topics = [TRANSFER_TOPIC, None, receivers] if len(ours) <= _ADDRESSES_MAX else [TRANSFER_TOPIC]
    asked = {"address": sorted(contracts), "topics": topics}
    answers = node.calls([("eth_getLogs", ({**asked, "blockHash": block.hash},)) for block in blocks])
    found = []
    for block, answer in zip(blocks, answers, strict=True):
        for log in rpc.records(answer, "logs"):
            if not _is_ours(log, contracts, ours):
                continue
            if rpc.octets(log, "blockHash", length=32) != block.hash:
                raise ChainUnreadable("a transfer is in another block than was read")
            found.append(log)
    return found


def _events(
    receipt: rpc.Object, contracts: Mapping[str, str], ours: Mapping[str, str]
) -> list[tuple[int, rpc.Object]]:
    """Return the transfers to us among the events of a transaction that succeeded, each with its place."""
    events = rpc.records(receipt.get("logs"), "logs")
    if rpc.quantity(receipt, "status") != _SUCCEEDED:
        return []
    return [(place, event) for place, event in enumerate(events) if _is_ours(event, contracts, ours)]


def _is_ours(log: rpc.Object, contracts: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    topics = log.get("topics")
    return (
        rpc.octets(log, "address", length=20) in contracts
        and isinstance(topics, list)
        # A fourth topic is ERC-721's: a thing and no amount.
        and len(topics) == 3
        and all(isinstance(topic, str) for topic in topics)
        and topics[0].lower() == TRANSFER_TOPIC
        and "0x" + topics[2].lower()[-40:] in ours
        and log.get("removed") is not True
    )


def _coins(content: rpc.Object, ours: Mapping[str, str]) -> list[rpc.Object]:
    """Return the transactions that carry the native coin to us; what a contract passes on is none."""
    found = []
    for transaction in rpc.records(content.get("transactions"), "transactions"):
        receiver = transaction.get("to")
        is_ours = isinstance(receiver, str) and receiver.lower() in ours
        if is_ours and rpc.quantity(transaction, "value") > 0:
            found.append(transaction)
    return found


def _receipts(
    node: rpc.Node, blocks: Sequence[Block], contents: Mapping[Block, rpc.Object]
) -> dict[Block, dict[str, rpc.Object]]:
    """Return the receipts of all transactions of the blocks, none left out. Raises: ChainUnreadable."""
    wanted = [("eth_getBlockReceipts", (hex(block.number),)) for block in blocks]
    found = {}
    for block, answer in zip(blocks, node.calls(wanted, at_once=_LONG_AT_ONCE), strict=True):
        receipts = rpc.records(answer, "receipts")
        if any(rpc.octets(receipt, "blockHash", length=32) != block.hash for receipt in receipts):
            raise ChainUnreadable(f"the node told receipts of another block than {block.number}")
        transactions = rpc.records(contents[block].get("transactions"), "transactions")
        if [_hash(receipt) for receipt in receipts] != [
            rpc.octets(transaction, "hash", length=32) for transaction in transactions
        ]:
            raise ChainUnreadable(f"the receipts of block {block.number} are not those of its transactions")
        found[block] = {_hash(receipt): receipt for receipt in receipts}
    return found


def _token_transfer(
    event: rpc.Object, place: int, block: Block, contracts: Mapping[str, str], ours: Mapping[str, str]
) -> Transfer | None:
    sender, receiver, units = _moved(event)
    if units == 0:
        return None
    return Transfer(
        tx_hash=_hash(event),
        log_index=place,
        asset=contracts[rpc.octets(event, "address", length=20)],
        from_address=keccak.checksummed(bytes.fromhex(sender)),
        to_address=ours["0x" + receiver],
        units=units,
        block=block,
    )


def _coin_transfer(
    transaction: rpc.Object, receipts: Mapping[str, rpc.Object], block: Block, ours: Mapping[str, str]
) -> Transfer | None:
    tx_hash = rpc.octets(transaction, "hash", length=32)
    if rpc.quantity(receipts[tx_hash], "status") != _SUCCEEDED:
        return None
    sender = rpc.octets(transaction, "from", length=20)
    return Transfer(
        tx_hash=tx_hash,
        log_index=NATIVE_INDEX,
        asset=NATIVE,
        from_address=keccak.checksummed(bytes.fromhex(sender[2:])),
        to_address=ours[rpc.octets(transaction, "to", length=20)],
        units=rpc.quantity(transaction, "value"),
        block=block,
    )


def _moved(log: rpc.Object) -> tuple[str, str, int]:
    """Return sender and receiver without their 0x, and the units, of a transfer event."""
    topics = log.get("topics")
    if not isinstance(topics, list):
        raise ChainUnreadable("the node's event has no topics")
    named = {str(place): topic for place, topic in enumerate(topics)}
    sender, receiver = rpc.octets(named, "1", length=32)[-40:], rpc.octets(named, "2", length=32)[-40:]
    return sender, receiver, int(rpc.octets(log, "data", length=32), 16)


def _identity(log: rpc.Object) -> tuple[str, int, str, tuple[str, str, int]]:
    """Return what two tellings of one event must agree in."""
    return _hash(log), rpc.quantity(log, "logIndex"), rpc.octets(log, "address", length=20), _moved(log)


def _hash(found: rpc.Object) -> str:
    return rpc.octets(found, "transactionHash", length=32)


def _padded(address: str) -> str:
    return "0x" + address.removeprefix("0x").rjust(64, "0")
