"""The practice chain as a node tells of it: the calls of the Ethereum execution API that a reader needs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from channels.upstreams.evm.keccak import keccak256
from channels.upstreams.sandbox import practice
from channels.upstreams.sandbox.practice_book import Block, PracticeBook, Sent
from channels.upstreams.sandbox.server import Answer, Call

_CALLS_MAX = 200
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,14})")
_HASH = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_TRANSFER = "0x" + keccak256(b"Transfer(address,address,uint256)").hex()
_UNKNOWN_METHOD, _BAD_CALL, _BAD_PARAMETERS, _NOT_THERE = -32601, -32600, -32602, -32000

Found = dict[str, object]


class _Refused(Exception):
    """The call is not answered; `code` is JSON-RPC's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class PracticeNode:
    """POST /chain: JSON-RPC 2.0, one call or a batch of them."""

    def __init__(self, book: PracticeBook) -> None:
        self._book = book
        self._methods: dict[str, Callable[[Sequence[object]], object]] = {
            "eth_chainId": lambda _parameters: hex(practice.NETWORK),
            "eth_blockNumber": lambda _parameters: hex(book.head()),
            "eth_getBlockByNumber": self._block,
            "eth_getBlockReceipts": self._receipts,
            "eth_getLogs": self._logs,
            "eth_getBalance": self._balance,
        }

    def respond(self, call: Call) -> Answer:
        """Answer what the body asks."""
        try:
            asked = json.loads(call.body.decode())
        except (ValueError, RecursionError):
            return _told(_fault(None, _Refused(_BAD_CALL, "the body is not JSON")))
        if not isinstance(asked, list):
            return _told(self._one(asked))
        if not 0 < len(asked) <= _CALLS_MAX:
            return _told(_fault(None, _Refused(_BAD_CALL, f"a batch has 1 to {_CALLS_MAX} calls")))
        return _told([self._one(each) for each in asked])

    def _one(self, asked: object) -> Found:
        number: object = None
        try:
            if not isinstance(asked, dict):
                raise _Refused(_BAD_CALL, "a call is an object")
            number, parameters = asked.get("id"), asked.get("params", [])
            method = self._methods.get(str(asked.get("method")))
            if method is None:
                raise _Refused(_UNKNOWN_METHOD, "the practice chain does not know this method")
            if not isinstance(parameters, list):
                raise _Refused(_BAD_PARAMETERS, "the parameters are no list")
            return {"jsonrpc": "2.0", "id": number, "result": method(parameters)}
        except _Refused as refusal:
            return _fault(number, refusal)

    def _block(self, parameters: Sequence[object]) -> Found | None:
        found = self._book.block(self._number(parameters, 0))
        if found is None:
            return None
        is_full = len(parameters) > 1 and parameters[1] is True
        return {
            "number": hex(found.number),
            "hash": found.hash,
            "parentHash": found.parent_hash,
            "timestamp": hex(found.time),
            "logsBloom": f"0x{_filter(found):0512x}",
            "transactions": [
                _transaction(found, sent) if is_full else sent.tx_hash for sent in found.transfers
            ],
        }

    def _receipts(self, parameters: Sequence[object]) -> list[Found] | None:
        found = self._book.block(self._number(parameters, 0))
        if found is None:
            return None
        logs = _logs(found)
        return [
            {
                "transactionHash": sent.tx_hash,
                "blockNumber": hex(found.number),
                "blockHash": found.hash,
                "status": "0x1",
                "logs": [log for log in logs if log["transactionHash"] == sent.tx_hash],
            }
            for sent in found.transfers
        ]

    def _logs(self, parameters: Sequence[object]) -> list[Found]:
        wanted = parameters[0] if parameters else None
        block_hash = wanted.get("blockHash") if isinstance(wanted, dict) else None
        if not isinstance(wanted, dict) or not isinstance(block_hash, str) or not _HASH.fullmatch(block_hash):
            raise _Refused(_BAD_PARAMETERS, "logs are asked for by a block's hash")
        found = self._book.block_of_hash(block_hash)
        if found is None:
            raise _Refused(_NOT_THERE, "unknown block")
        contracts, topics = wanted.get("address"), wanted.get("topics", [])
        return [log for log in _logs(found) if _is_wanted(log, contracts, topics)]

    def _balance(self, parameters: Sequence[object]) -> str:
        address = parameters[0] if parameters else None
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address.lower()):
            raise _Refused(_BAD_PARAMETERS, "a balance is asked for by an address")
        named = parameters[1] if len(parameters) > 1 else None
        block_hash = named.get("blockHash") if isinstance(named, dict) else None
        if not isinstance(block_hash, str) or not _HASH.fullmatch(block_hash):
            raise _Refused(_BAD_PARAMETERS, "a balance is asked for by a block's hash")
        found = self._book.block_of_hash(block_hash)
        if found is None:
            raise _Refused(_NOT_THERE, "unknown block")
        number = found.number
        return hex(self._book.balance(address.lower(), number=number))

    def _number(self, parameters: Sequence[object], place: int) -> int:
        text = parameters[place] if len(parameters) > place else None
        if text == "latest":
            return self._book.head()
        if not isinstance(text, str) or not _QUANTITY.fullmatch(text):
            raise _Refused(_BAD_PARAMETERS, "a block is named by its number")
        return int(text, 16)


def _told(content: object) -> Answer:
    return Answer(200, json.dumps(content, separators=(",", ":")).encode())


def _fault(number: object, refusal: _Refused) -> Found:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": refusal.code, "message": str(refusal)}}


def _transaction(block: Block, sent: Sent) -> Found:
    return {
        "hash": sent.tx_hash,
        "blockNumber": hex(block.number),
        "blockHash": block.hash,
        "from": practice.PAYER,
        # A token is moved by a call to its contract, which carries no coin.
        "to": sent.contract or sent.to_address,
        "value": "0x0" if sent.contract else hex(int(sent.units)),
    }


def _logs(block: Block) -> list[Found]:
    """Return the events of a block: one for every transfer of a token."""
    moved = [sent for sent in block.transfers if sent.contract]
    return [
        {
            "address": sent.contract,
            "topics": [_TRANSFER, _padded(practice.PAYER), _padded(sent.to_address)],
            "data": f"0x{int(sent.units):064x}",
            "logIndex": hex(place),
            "blockNumber": hex(block.number),
            "blockHash": block.hash,
            "transactionHash": sent.tx_hash,
            "removed": False,
        }
        for place, sent in enumerate(moved)
    ]


def _filter(block: Block) -> int:
    """Return the block's filter of what its events hold. Source: the yellow paper, 4.4.3."""
    filled = 0
    for log in _logs(block):
        topics = log["topics"]
        for item in (log["address"], *(topics if isinstance(topics, list) else ())):
            digest = keccak256(bytes.fromhex(str(item).removeprefix("0x")))
            for start in (0, 2, 4):
                filled |= 1 << (int.from_bytes(digest[start : start + 2], "big") & 2047)
    return filled


def _is_wanted(log: Found, contracts: object, topics: object) -> bool:
    if contracts is not None and log["address"] not in (
        contracts if isinstance(contracts, list) else [contracts]
    ):
        return False
    borne = log["topics"]
    if not isinstance(topics, list) or not isinstance(borne, list) or len(topics) > len(borne):
        return False
    pairs = zip(topics, borne, strict=False)
    return all(
        asked is None or topic in (asked if isinstance(asked, list) else [asked]) for asked, topic in pairs
    )


def _padded(address: str) -> str:
    return "0x" + address.removeprefix("0x").rjust(64, "0")
