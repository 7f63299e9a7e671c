"""A real EVM node for tests: py-evm executes and mines, and JSON-RPC over HTTP tells of it.

Each transaction is mined at once. `replaced` takes blocks away again, so that others take their place.
What a node can do wrong is done by `fault`, between what py-evm answers and what goes over the wire.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from eth_tester import EthereumTester, PyEVMBackend

from channels.upstreams.evm.keccak import keccak256, read_address

# py-evm lets Python recurse a hundred times deeper than our processes do, past the end of the C stack: JSON
# that nests deeply would end the tests instead of being refused. No contract here calls so deep.
sys.setrecursionlimit(1000)

NETWORK = 131277322940537
COIN_CODE = Path(__file__).with_name("coin.hex")
# With a price below the base fee a transaction is not taken; what it costs is no concern of the tests.
_GAS = {"gas": 200_000, "max_fee_per_gas": 10**12, "max_priority_fee_per_gas": 1}


@dataclass
class Node:
    """A chain and what is known about its coins. `answered` are the methods that were asked."""

    tester: Any = field(default_factory=lambda: EthereumTester(PyEVMBackend()))
    url: str = ""
    fault: Callable[[str, Any], Any] | None = None
    raw_fault: Callable[[bytes], tuple[int, bytes]] | None = None
    answered: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)

    @property
    def payer(self) -> str:
        """Who pays in tests."""
        return str(self.tester.get_accounts()[0])

    @property
    def head(self) -> int:
        """The newest block's number."""
        return int(self.tester.get_block_by_number("latest")["number"])

    def mine(self, count: int = 1) -> None:
        """Add empty blocks."""
        with self.lock:
            self.tester.mine_blocks(count)

    def travel(self, timestamp: float) -> None:
        """Let the next block bear this time, and mine it."""
        with self.lock:
            self.tester.time_travel(int(timestamp))
            self.tester.mine_blocks(1)

    def deploy(self, *, decimals: int = 6, supply: int = 10**24) -> str:
        """Put a token contract on the chain, all of it owned by the payer; return its address."""
        code = COIN_CODE.read_text(encoding="ascii").strip() + _word(decimals) + _word(supply)
        receipt = self._sent({"data": code, "gas": 2_000_000})
        return str(receipt["contract_address"])

    def pay(self, to: str, units: int) -> str:
        """Send the native coin; return the transaction's hash."""
        return str(self._sent({"to": to, "value": units})["transaction_hash"])

    def pay_token(self, contract: str, to: str, units: int) -> str:
        """Send a token; return the transaction's hash. More than the payer owns makes it fail."""
        return self.call(contract, "transfer(address,uint256)", to, units)

    def call(self, contract: str, method: str, *arguments: str | int) -> str:
        """Call a contract's method; return the transaction's hash."""
        data = "0x" + keccak256(method.encode()).hex()[:8] + "".join(_word(each) for each in arguments)
        return str(self._sent({"to": contract, "data": data})["transaction_hash"])

    def status_of(self, tx_hash: str) -> int:
        """Return 1 where a transaction succeeded, 0 where it failed."""
        return int(self.tester.get_transaction_receipt(tx_hash)["status"])

    def _sent(self, transaction: dict[str, Any]) -> Any:
        with self.lock:
            tx_hash = self.tester.send_transaction({"from": self.payer, **_GAS, **transaction})
            return self.tester.get_transaction_receipt(tx_hash)

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """Take away, at the end, every block that was mined within; another one takes the first's place."""
        with self.lock:
            before = self.tester.take_snapshot()
        yield
        with self.lock:
            self.tester.revert_to_snapshot(before)
            # Another payment in that block, so that its hash is another one.
            self._sent({"to": self.payer, "value": 1})

    def result(self, method: str, parameters: list[Any]) -> Any:
        """Answer one call as a node does. Source: the Ethereum execution API."""
        self.answered.append(method)
        with self.lock:
            answer = _METHODS[method](self, *parameters)
        return answer if self.fault is None else self.fault(method, answer)


def _word(value: str | int) -> str:
    """Return a number or an address as 32 bytes of a call's data, in hexadecimal."""
    return f"{value:064x}" if isinstance(value, int) else value.removeprefix("0x").lower().rjust(64, "0")


def _block(node: Node, number: str, is_full: bool) -> dict[str, Any] | None:
    if int(number, 16) > node.head:
        return None
    found = node.tester.get_block_by_number(int(number, 16), is_full)
    return {
        "number": hex(found["number"]),
        "hash": found["hash"],
        "parentHash": found["parent_hash"],
        "timestamp": hex(found["timestamp"]),
        "logsBloom": f"0x{found['logs_bloom']:0512x}",
        "transactions": [_transaction(each) if is_full else each for each in found["transactions"]],
    }


def _transaction(found: Any) -> dict[str, Any]:
    return {
        "hash": found["hash"],
        "blockNumber": hex(found["block_number"]),
        "blockHash": found["block_hash"],
        "from": found["from"].lower(),
        "to": found["to"].lower() if found["to"] else None,
        "value": hex(found["value"]),
    }


def _log(found: Any) -> dict[str, Any]:
    return {
        "address": found["address"].lower(),
        "topics": list(found["topics"]),
        "data": found["data"],
        "logIndex": hex(found["log_index"]),
        "blockNumber": hex(found["block_number"]),
        "blockHash": found["block_hash"],
        "transactionHash": found["transaction_hash"],
        "removed": False,
    }


def _receipt(node: Node, tx_hash: str) -> dict[str, Any]:
    found = node.tester.get_transaction_receipt(tx_hash)
    return {
        "transactionHash": found["transaction_hash"],
        "blockNumber": hex(found["block_number"]),
        "blockHash": found["block_hash"],
        "status": hex(found["status"]),
        "logs": [_log(each) for each in found["logs"]],
    }


def _logs(node: Node, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the logs of a block by contract and topics, read from its receipts."""
    block = node.tester.get_block_by_hash(wanted["blockHash"], False)
    found = [_receipt(node, tx_hash)["logs"] for tx_hash in block["transactions"]]
    return [log for logs in found for log in logs if _matches(log, wanted)]


def _receipts(node: Node, number: str) -> list[dict[str, Any]]:
    block = node.tester.get_block_by_number(int(number, 16), False)
    return [_receipt(node, tx_hash) for tx_hash in block["transactions"]]


def _matches(log: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if log["address"] not in wanted["address"] or len(log["topics"]) < len(wanted["topics"]):
        return False
    pairs = zip(wanted["topics"], log["topics"], strict=False)
    return all(
        asked is None or topic in ([asked] if isinstance(asked, str) else asked) for asked, topic in pairs
    )


def _balance(node: Node, address: str, there: dict[str, Any]) -> str:
    block = node.tester.get_block_by_hash(there["blockHash"], False)
    return hex(node.tester.get_balance(read_address(address), block["number"]))


_METHODS: dict[str, Callable[..., Any]] = {
    "eth_chainId": lambda _node: hex(NETWORK),
    "eth_blockNumber": lambda node: hex(node.head),
    "eth_getBlockByNumber": _block,
    "eth_getBlockReceipts": _receipts,
    "eth_getLogs": _logs,
    "eth_getBalance": _balance,
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    node: Node


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Answer a call, or a batch of them."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        calls = asked if isinstance(asked, list) else [asked]
        node = self.server.node
        answers = [
            {"jsonrpc": "2.0", "id": call["id"], "result": node.result(call["method"], call["params"])}
            for call in calls
        ]
        body = json.dumps(answers if isinstance(asked, list) else answers[0]).encode()
        status, body = (200, body) if node.raw_fault is None else node.raw_fault(body)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@contextmanager
def running() -> Iterator[Node]:
    """Run a node of its own, on a port of its own."""
    node = Node()
    server = _Server(("127.0.0.1", 0), _Answering)
    server.node = node
    node.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
