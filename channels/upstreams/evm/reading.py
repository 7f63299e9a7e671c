"""Blocks and transfers of an EVM chain, read from a node and held against one another.

What one answer says must be borne out by another: a log by its transaction's receipt, both by the block that
was read before. Whatever does not fit is not believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from itertools import pairwise

from channels.upstreams.chain import NATIVE, NATIVE_INDEX, Block, ChainUnreadable, Transfer
from channels.upstreams.evm import keccak, rpc

# The event of ERC-20: Transfer(address indexed from, address indexed to, uint256 value).
TRANSFER_TOPIC = "0x" + keccak.keccak256(b"Transfer(address,address,uint256)").hex()
_SUCCEEDED = 1
# So many receivers are asked for at once; with more than ADDRESSES_MAX all transfers of the tokens are read.
_ADDRESSES_AT_ONCE = 200
_ADDRESSES_MAX = 2000
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
    by_number = {block.number: block for block in blocks}
    # Nodes write addresses in small letters; ours bear their check sum.
    ours = {address.lower(): address for address in addresses}
    contracts = {asset.lower(): asset for asset in assets if asset != NATIVE}
    logs = _logs(node, by_number, contracts, ours) if contracts else []
    coins = _coins(node, by_number, ours) if NATIVE in assets else []
    receipts = _receipts(node, {*(_hash(log) for log in logs), *(_hash(coin) for coin in coins)})
    found = [
        *(_token_transfer(log, receipts[_hash(log)], by_number, contracts, ours) for log in logs),
        *(_coin_transfer(coin, receipts[_hash(coin)], by_number, ours) for coin in coins),
    ]
    moved = [transfer for transfer in found if transfer is not None]
    return sorted(moved, key=lambda transfer: (transfer.block.number, transfer.tx_hash, transfer.log_index))


def _logs(
    node: rpc.Node,
    by_number: Mapping[int, Block],
    contracts: Mapping[str, str],
    ours: Mapping[str, str],
) -> list[rpc.Object]:
    """Return the transfer events of these contracts to us; what the node adds of its own is dropped."""
    span = {"fromBlock": hex(min(by_number)), "toBlock": hex(max(by_number)), "address": sorted(contracts)}
    padded = sorted(_padded(address) for address in ours)
    chunks: list[list[str] | None] = [None]
    if len(padded) <= _ADDRESSES_MAX:
        starts = range(0, len(padded), _ADDRESSES_AT_ONCE)
        chunks = [padded[start : start + _ADDRESSES_AT_ONCE] for start in starts]
    found = []
    for chunk in chunks:
        topics: list[object] = [TRANSFER_TOPIC] if chunk is None else [TRANSFER_TOPIC, None, chunk]
        answer = node.call("eth_getLogs", {**span, "topics": topics})
        found += [log for log in rpc.records(answer, "logs") if _is_ours(log, contracts, ours)]
    return found


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


def _coins(node: rpc.Node, by_number: Mapping[int, Block], ours: Mapping[str, str]) -> list[rpc.Object]:
    """Return the transactions that carry the native coin to us; what a contract passes on is none."""
    wanted = [("eth_getBlockByNumber", (hex(number), True)) for number in sorted(by_number)]
    found = []
    for number, answer in zip(sorted(by_number), node.calls(wanted), strict=True):
        content = rpc.record(answer, "block")
        if rpc.octets(content, "hash", length=32) != by_number[number].hash:
            raise ChainUnreadable(f"block {number} was replaced while it was read")
        for transaction in rpc.records(content.get("transactions"), "transactions"):
            receiver = transaction.get("to")
            is_ours = isinstance(receiver, str) and receiver.lower() in ours
            if is_ours and rpc.quantity(transaction, "value") > 0:
                found.append({**transaction, "transactionHash": transaction.get("hash")})
    return found


def _receipts(node: rpc.Node, hashes: AbstractSet[str]) -> dict[str, rpc.Object]:
    wanted = sorted(hashes)
    answers = node.calls([("eth_getTransactionReceipt", (tx_hash,)) for tx_hash in wanted])
    found = {}
    for tx_hash, answer in zip(wanted, answers, strict=True):
        receipt = rpc.record(answer, "receipt")
        if _hash(receipt) != tx_hash:
            raise ChainUnreadable("the node answered another receipt than was asked for")
        found[tx_hash] = receipt
    return found


def _token_transfer(
    log: rpc.Object,
    receipt: rpc.Object,
    by_number: Mapping[int, Block],
    contracts: Mapping[str, str],
    ours: Mapping[str, str],
) -> Transfer | None:
    block = _block_of(log, receipt, by_number)
    sender, receiver, units = _moved(log)
    if rpc.quantity(receipt, "status") != _SUCCEEDED or units == 0:
        return None
    place = rpc.quantity(log, "logIndex")
    events = rpc.records(receipt.get("logs"), "logs")
    at = next((at for at, event in enumerate(events) if rpc.quantity(event, "logIndex") == place), None)
    if at is None or _identity(events[at]) != _identity(log):
        raise ChainUnreadable("the receipt of a transaction does not hold the event that the node told")
    return Transfer(
        tx_hash=_hash(log),
        log_index=at,
        asset=contracts[rpc.octets(log, "address", length=20)],
        from_address=keccak.checksummed(bytes.fromhex(sender)),
        to_address=ours["0x" + receiver],
        units=units,
        block=block,
    )


def _coin_transfer(
    transaction: rpc.Object, receipt: rpc.Object, by_number: Mapping[int, Block], ours: Mapping[str, str]
) -> Transfer | None:
    block = _block_of(transaction, receipt, by_number)
    if rpc.quantity(receipt, "status") != _SUCCEEDED:
        return None
    sender = rpc.octets(transaction, "from", length=20)
    return Transfer(
        tx_hash=_hash(transaction),
        log_index=NATIVE_INDEX,
        asset=NATIVE,
        from_address=keccak.checksummed(bytes.fromhex(sender[2:])),
        to_address=ours[rpc.octets(transaction, "to", length=20)],
        units=rpc.quantity(transaction, "value"),
        block=block,
    )


def _block_of(told: rpc.Object, receipt: rpc.Object, by_number: Mapping[int, Block]) -> Block:
    """Return the block that both name, which must be the one that was read before."""
    block = by_number.get(rpc.quantity(told, "blockNumber"))
    hashes = {rpc.octets(found, "blockHash", length=32) for found in (told, receipt)}
    if block is None or hashes != {block.hash}:
        raise ChainUnreadable("a transfer is in another block than was read")
    return block


def _moved(log: rpc.Object) -> tuple[str, str, int]:
    """Return sender and receiver without their 0x, and the units, of a transfer event."""
    topics = log.get("topics")
    if not isinstance(topics, list):
        raise ChainUnreadable("the node's event has no topics")
    named = {str(place): topic for place, topic in enumerate(topics)}
    sender, receiver = rpc.octets(named, "1", length=32)[-40:], rpc.octets(named, "2", length=32)[-40:]
    return sender, receiver, int(rpc.octets(log, "data", length=32), 16)


def _identity(log: rpc.Object) -> tuple[str, tuple[str, str, int], str]:
    return rpc.octets(log, "address", length=20), _moved(log), _hash(log)


def _hash(found: rpc.Object) -> str:
    return rpc.octets(found, "transactionHash", length=32)


def _padded(address: str) -> str:
    return "0x" + address.removeprefix("0x").rjust(64, "0")
