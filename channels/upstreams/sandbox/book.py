"""The sandbox's orders and its callbacks still to send, in one SQLite file that outlives the process.

Every write is one transaction, committed before anybody is answered: a killed process forgets nothing that it
said. One connection behind one lock: the sandbox is one process, and SQLite has one writer anyway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from decimal import Decimal
from pathlib import Path

from channels.upstreams.sandbox import wire
from channels.upstreams.sandbox.behaviour import Behaviour, Mode
from channels.upstreams.sandbox.sqlite_file import SqliteFile

SCHEMA = Path(__file__).with_name("book.sql")


@dataclass(frozen=True, slots=True)
class Order:
    """One order as it stands. Units: amounts are decimal texts in major units; times are Unix seconds."""

    channel_order_no: str
    account: str
    direction: str
    reference: str
    fingerprint: str
    service: str
    amount: str
    currency: str
    display_amount: str
    callback_url: str
    expires_at: str
    remark_code: str
    is_doomed: int
    state: str
    amount_paid: str | None
    reason: str
    created_at: float
    due_at: float | None


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback, sent or to be sent."""

    id: int
    channel_order_no: str
    event_id: str
    body: bytes
    is_forged: int
    attempt_count: int
    next_at: float | None
    is_received: int
    last_answer: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How an order ends: paid with an amount, or failed for a reason. callbacks: event id, body, forged?"""

    state: str
    amount_paid: Decimal | None
    reason: str
    callbacks: Sequence[tuple[str, bytes, bool]]


_ORDER_COLUMNS = ", ".join(field.name for field in fields(Order))
_CALLBACK_COLUMNS = ", ".join(field.name for field in fields(Callback))


class Book(SqliteFile):
    """All reads and writes of the file. Methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, and take up the callbacks that a killed process had in hand."""
        super().__init__(path, schema=SCHEMA)
        self._connection.execute("UPDATE callbacks SET is_in_hand = 0")

    def _orders(self, condition: str, *values: object) -> list[Order]:
        rows = self._rows(f"SELECT {_ORDER_COLUMNS} FROM orders {condition}", *values)  # noqa: S608
        # The columns of a row are the fields of the class.
        return [Order(*row) for row in rows]  # type: ignore[arg-type]

    def order(self, channel_order_no: str) -> Order | None:
        """Return an order by the sandbox's own number."""
        found = self._orders("WHERE channel_order_no = ?", channel_order_no)
        return found[0] if found else None

    def known_order(self, channel_order_no: str) -> Order:
        """Return an order that was made: orders are never removed."""
        [order] = self._orders("WHERE channel_order_no = ?", channel_order_no)
        return order

    def order_of(self, *, account: str, direction: str, reference: str) -> Order | None:
        """Return an account's order by the account's own reference."""
        found = self._orders(
            "WHERE account = ? AND direction = ? AND reference = ?", account, direction, reference
        )
        return found[0] if found else None

    def orders_with(self, reference: str) -> list[Order]:
        """Return the orders of all accounts that carry a reference."""
        return self._orders("WHERE reference = ? ORDER BY created_at", reference)

    def orders_latest(self, *, count: int) -> list[Order]:
        """Return the newest orders, newest first."""
        return self._orders("ORDER BY created_at DESC LIMIT ?", count)

    def payouts_due(self, *, now: float) -> list[Order]:
        """Return the payouts whose time has come to end by themselves."""
        return self._orders("WHERE due_at <= ? AND state = 'pending' ORDER BY due_at LIMIT 200", now)

    def add(self, order: Order) -> Order:
        """Keep an order, or return the one that already has its account, direction and reference."""
        marks = ", ".join("?" * len(fields(Order)))
        with self._transaction() as connection:
            connection.execute(
                f"INSERT INTO orders ({_ORDER_COLUMNS}) VALUES ({marks})"  # noqa: S608
                " ON CONFLICT (account, direction, reference) DO NOTHING",
                astuple(order),
            )
            [kept] = self._orders(
                "WHERE account = ? AND direction = ? AND reference = ?",
                order.account,
                order.direction,
                order.reference,
            )
        return kept

    def end(self, channel_order_no: str, ending: Ending, *, from_states: Sequence[str], now: float) -> bool:
        """End an order and line up its callbacks, in one transaction. False: its state allows it no more."""
        marks = ", ".join("?" * len(from_states))
        amount = None if ending.amount_paid is None else wire.amount_text(ending.amount_paid)
        with self._transaction() as connection:
            moved = connection.execute(
                "UPDATE orders SET state = ?, amount_paid = ?, reason = ?, due_at = NULL"  # noqa: S608
                f" WHERE channel_order_no = ? AND state IN ({marks})",
                (ending.state, amount, ending.reason, channel_order_no, *from_states),
            )
            if moved.rowcount != 1:
                return False
            self._line_up(connection, channel_order_no, ending.callbacks, now=now)
        return True

    def repeat(
        self, channel_order_no: str, callbacks: Sequence[tuple[str, bytes, bool]], *, now: float
    ) -> None:
        """Line up further callbacks of an order that has ended."""
        with self._transaction() as connection:
            self._line_up(connection, channel_order_no, callbacks, now=now)

    def _line_up(
        self,
        connection: sqlite3.Connection,
        channel_order_no: str,
        callbacks: Sequence[tuple[str, bytes, bool]],
        *,
        now: float,
    ) -> None:
        connection.executemany(
            "INSERT INTO callbacks (channel_order_no, event_id, body, is_forged, next_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [(channel_order_no, event_id, body, forged, now) for event_id, body, forged in callbacks],
        )

    def callbacks_of(self, channel_order_no: str) -> list[Callback]:
        """Return the callbacks of an order, oldest first."""
        rows = self._rows(
            f"SELECT {_CALLBACK_COLUMNS} FROM callbacks WHERE channel_order_no = ? ORDER BY id",  # noqa: S608
            channel_order_no,
        )
        return [Callback(*row) for row in rows]  # type: ignore[arg-type]

    def take_callbacks(self, *, now: float, count: int) -> list[Callback]:
        """Take due callbacks in hand, counting the attempt before it is made."""
        with self._transaction() as connection:
            rows = connection.execute(
                "UPDATE callbacks SET is_in_hand = 1, attempt_count = attempt_count + 1 WHERE id IN"  # noqa: S608
                " (SELECT id FROM callbacks WHERE next_at <= ? AND NOT is_in_hand ORDER BY next_at LIMIT ?)"
                f" RETURNING {_CALLBACK_COLUMNS}",
                (now, count),
            ).fetchall()
        return [Callback(*row) for row in rows]

    def note_answer(self, callback_id: int, *, is_received: bool, answer: str, next_at: float | None) -> None:
        """Put a callback out of hand: received, to be sent again at next_at, or given up."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE callbacks SET is_in_hand = 0, is_received = ?, last_answer = ?, next_at = ?"
                " WHERE id = ?",
                (is_received, answer, next_at, callback_id),
            )

    def next_at(self) -> float | None:
        """Return when the next callback or payout is due that nobody has in hand."""
        [row] = self._rows(
            "SELECT min(due) FROM (SELECT min(next_at) AS due FROM callbacks WHERE next_at IS NOT NULL"
            " AND NOT is_in_hand UNION ALL SELECT min(due_at) FROM orders WHERE due_at IS NOT NULL"
            " AND state = 'pending')"
        )
        return None if row[0] is None else float(str(row[0]))

    def behaviours(self) -> dict[str, Behaviour]:
        """Return how each account behaves that was told to."""
        rows = self._rows(
            "SELECT account, mode, delay_seconds, payout_delay_seconds, display_amount_add FROM behaviours"
        )
        return {
            str(account): Behaviour(Mode(str(mode)), delay, payout_delay, add)  # type: ignore[arg-type]
            for account, mode, delay, payout_delay, add in rows
        }

    def set_behaviour(self, account: str, behaviour: Behaviour) -> None:
        """Keep how an account behaves from now on."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO behaviours VALUES (?, ?, ?, ?, ?)",
                (
                    account,
                    behaviour.mode.value,
                    behaviour.delay_seconds,
                    behaviour.payout_delay_seconds,
                    behaviour.display_amount_add,
                ),
            )
