"""JSON-RPC to a node: one HTTP exchange per batch, and strict readings of what it answers.

Source: JSON-RPC 2.0; the Ethereum execution API, types `quantity` and `data`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from channels.upstreams import transport
from channels.upstreams.chain import ChainUnreadable

# Full blocks are long; what is longer than this is no block.
ANSWER_BYTES_MAX = 16 * 1024 * 1024
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,63})")
_DATA = re.compile(r"0x(?:[0-9a-f]{2})*")

Call = tuple[str, Sequence[object]]
Object = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Node:
    """A node that answers JSON-RPC over HTTP. `is_public_only` refuses addresses inside our own networks."""

    url: str
    timeout_seconds: float
    batch_size: int
    is_public_only: bool

    def call(self, method: str, *parameters: object) -> object:
        """Return the result of one call. Raises: ChainUnreadable."""
        return self.calls([(method, parameters)])[0]

    def calls(self, wanted: Sequence[Call], *, at_once: int | None = None) -> list[object]:
        """Return the results of several calls, in their order; long ones with fewer `at_once`.

        Raises: ChainUnreadable.
        """
        found: list[object] = []
        size = min(self.batch_size, at_once or self.batch_size)
        for start in range(0, len(wanted), size):
            found += self._batch(wanted[start : start + size])
        return found

    def _batch(self, wanted: Sequence[Call]) -> list[object]:
        asked = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": list(parameters)}
            for number, (method, parameters) in enumerate(wanted, start=1)
        ]
        # A single call is sent alone: some nodes know no batches.
        body = orjson.dumps(asked[0] if len(asked) == 1 else asked)
        try:
            answer = transport.exchange(
                method="POST",
                url=self.url,
                headers={"content-type": "application/json"},
                body=body,
                timeout_seconds=self.timeout_seconds,
                body_bytes_max=ANSWER_BYTES_MAX,
                is_public_only=self.is_public_only,
            )
        except transport.NoAnswer as fault:
            raise ChainUnreadable(f"the node did not answer: {fault}") from fault
        if answer.status != 200:
            raise ChainUnreadable(f"the node answered HTTP {answer.status}")
        return _results(answer.body, len(asked))


def _results(body: bytes, count: int) -> list[object]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ChainUnreadable("the node's answer is not JSON") from None
    answers = content if isinstance(content, list) else [content]
    found: dict[object, object] = {}
    for answer in answers:
        if not isinstance(answer, dict):
            raise ChainUnreadable("the node's answer is not JSON-RPC")
        if answer.get("error") is not None:
            raise ChainUnreadable(f"the node refused: {_fault(answer['error'])}")
        if "result" not in answer or not isinstance(answer.get("id"), int):
            raise ChainUnreadable("the node's answer is not JSON-RPC")
        found[answer["id"]] = answer["result"]
    if len(answers) != count or set(found) != set(range(1, count + 1)):
        raise ChainUnreadable("the node answered other calls than were made")
    return [found[number] for number in range(1, count + 1)]


def _fault(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    text = message if isinstance(message, str) else "without a reason"
    return "".join(letter for letter in text if letter.isprintable())[:200]


def record(value: object, what: str) -> Object:
    """Return a JSON object. Raises: ChainUnreadable."""
    if not isinstance(value, dict):
        raise ChainUnreadable(f"the node has no {what}")
    return value


def records(value: object, what: str) -> list[Object]:
    """Return a list of JSON objects. Raises: ChainUnreadable."""
    if not isinstance(value, list):
        raise ChainUnreadable(f"the node's {what} are no list")
    return [record(item, what) for item in value]


def quantity(found: Object, name: str) -> int:
    """Return a number, at most 256 bits. Raises: ChainUnreadable."""
    value = found.get(name)
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise ChainUnreadable(f"the node's {name} is no quantity")
    return int(value, 16)


def octets(found: Object, name: str, *, length: int) -> str:
    """Return so many bytes as 0x and lower-case digits. Raises: ChainUnreadable."""
    value = found.get(name)
    text = value.lower() if isinstance(value, str) else ""
    if len(text) != 2 + 2 * length or not _DATA.fullmatch(text):
        raise ChainUnreadable(f"the node's {name} is not {length} bytes")
    return text
