"""The practice chain's blocks and transfers, in one SQLite file that outlives the process.

A block comes every few seconds while the sandbox runs, by the clock: nobody mines. Its hash follows from its
number and its transactions, so a restart tells the same blocks. A transfer goes into the block after the
newest, which nobody was told of yet: what was told never changes, and no reader sees a reorganisation.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from channels.upstreams.sandbox import practice
from channels.upstreams.sandbox.sqlite_file import SqliteFile

SCHEMA = Path(__file__).with_name("practice.sql")
_NO_PARENT = "0x" + 64 * "0"


@dataclass(frozen=True, slots=True)
class Sent:
    """One transfer. Addresses are in small letters, units a text of the coin's smallest."""

    id: int
    key: str
    tx_hash: str
    contract: str
    to_address: str
    units: str
    block_number: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it is told. Units: time in Unix seconds."""

    number: int
    hash: str
    parent_hash: str
    time: int
    transfers: tuple[Sent, ...]


_COLUMNS = ", ".join(field.name for field in fields(Sent))


class PracticeBook(SqliteFile):
    """All reads and writes of the file. Methods may be called from any thread."""

    def __init__(self, path: Path, *, read_clock: Callable[[], float] = time.time) -> None:
        """Open or make the file, and go on with the block after the last that was told."""
        self._read_clock = read_clock
        super().__init__(path, schema=SCHEMA)
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO chain VALUES (1, ?, -1)", (secrets.token_hex(16),))
            seed, head = connection.execute("SELECT seed, head FROM chain").fetchone()
            self._seed, self._head = str(seed), int(head)
            self._first, self._started_at = self._head + 1, self._read_clock()
            # A sandbox that nobody asked anything left a sitting of which no block was told.
            connection.execute(
                "INSERT OR REPLACE INTO sittings VALUES (?, ?)", (self._first, self._started_at)
            )

    def _sent(self, condition: str, *values: object) -> list[Sent]:
        rows = self._rows(f"SELECT {_COLUMNS} FROM transfers {condition}", *values)  # noqa: S608 - our names
        # The columns of a row are the fields of the class.
        return [Sent(*row) for row in rows]  # type: ignore[arg-type]

    def head(self) -> int:
        """Return the newest block's number, and keep that it was told."""
        with self._lock:
            passed = max(0.0, self._read_clock() - self._started_at)
            number = self._first + int(passed // practice.BLOCK_SECONDS)
            if number > self._head:
                self._connection.execute("UPDATE chain SET head = ?", (number,))
                self._head = number
            return self._head

    def block(self, number: int) -> Block | None:
        """Return a block; None for one that is not there yet."""
        with self._lock:
            if not 0 <= number <= self.head():
                return None
            first, started_at = self._connection.execute(
                "SELECT first_block, started_at FROM sittings WHERE first_block <= ?"
                " ORDER BY first_block DESC LIMIT 1",
                (number,),
            ).fetchone()
            transfers = self._in_block(number)
            return Block(
                number=number,
                hash=self._hash(number, transfers),
                parent_hash=self._hash(number - 1, self._in_block(number - 1)) if number else _NO_PARENT,
                time=int(started_at + (number - first) * practice.BLOCK_SECONDS),
                transfers=transfers,
            )

    def block_of_hash(self, block_hash: str) -> Block | None:
        """Return the block with this hash; None where there is none."""
        # The hash ends with the block's number, so that it is found without a list of all hashes.
        found = self.block(int(block_hash[-16:], 16))
        return found if found is not None and found.hash == block_hash else None

    def _in_block(self, number: int) -> tuple[Sent, ...]:
        return tuple(self._sent("WHERE block_number = ? ORDER BY id", number))

    def _hash(self, number: int, transfers: tuple[Sent, ...]) -> str:
        text = ":".join([self._seed, str(number), *(sent.tx_hash for sent in transfers)])
        return f"0x{hashlib.sha256(text.encode()).hexdigest()[:48]}{number:016x}"

    def send(self, *, key: str, contract: str, to_address: str, units: int) -> Sent:
        """Put a transfer into the next block; the same key again is the same transfer.

        Shapes: addresses in small letters. Units: of the coin's smallest, above zero.
        """
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO transfers (key, tx_hash, contract, to_address, units, block_number)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (key, f"0x{secrets.token_hex(32)}", contract, to_address, str(units), self.head() + 1),
            )
            [sent] = self._sent("WHERE key = ?", key)
        return sent

    def sent_to(self, address: str, *, count: int) -> list[Sent]:
        """Return the newest transfers to an address, newest first."""
        return self._sent("WHERE to_address = ? ORDER BY id DESC LIMIT ?", address, count)

    def sent_latest(self, *, count: int) -> list[Sent]:
        """Return the newest transfers, newest first."""
        return self._sent("ORDER BY id DESC LIMIT ?", count)

    def balance(self, address: str, *, number: int) -> int:
        """Return how much of the native coin an address holds after a block. Nobody spends any.

        Units: of the coin's smallest.
        """
        held = self._sent(
            "WHERE to_address = ? AND contract = ? AND block_number <= ?", address, practice.NATIVE, number
        )
        return sum(int(sent.units) for sent in held)
