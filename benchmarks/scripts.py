"""The product's own SQL as a pgbench script: recorded from one real call, its numbers turned into variables.

Literals are recognised by their digits, so the sequences behind them start in ranges that nothing else uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from benchmarks.stage import Place

FIRST_PAYMENT = 900_000_001
FIRST_POSTING = 700_000_001
FIRST_ACCOUNT = 600_000_001
FIRST_WALLET = 50_000_001
FIRST_MERCHANT = 500_001
_TABLES = {"records_posting": FIRST_POSTING, "records_account": FIRST_ACCOUNT}
_SEQUENCES = {
    "payment_number": FIRST_PAYMENT,
    "merchant_channel_number": FIRST_WALLET,
    "merchant_number": FIRST_MERCHANT,
}


class NotReplayable(Exception):
    """What was recorded is not what the script expects; replaying it would measure something else."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Take a statement's one row into variables `{prefix}{column}`; it is known by how it begins."""

    begins: str
    prefix: str


def widen_sequences(place: Place) -> None:
    """Let numbers start where their digits cannot be mistaken. Before anything is created."""
    with place.owner() as connection_:
        for sequence, first in _SEQUENCES.items():
            connection_.execute("SELECT setval(%s::regclass, %s, false)", [sequence, first])
        for table, first in _TABLES.items():
            # Accounts of the system are there already; what comes after them has the wide numbers.
            connection_.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, false)", [table, first])


def recorded(call: Callable[[], object]) -> list[str]:
    """Return the statements of a call as the server got them, BEGIN and COMMIT among them."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return [str(query["sql"]).strip().rstrip(";") for query in captured.captured_queries]


def script(
    statements: Sequence[str],
    *,
    variables: Mapping[str, str],
    results: Sequence[Result] = (),
    head: Sequence[str] = (),
) -> str:
    r"""Return a pgbench script of the statements, each literal of `variables` replaced by its variable.

    `head` are lines before them, such as \set. Raises: NotReplayable when a literal or result is not there.
    """
    whole = "\n".join(statements)
    missing = [literal for literal in variables if literal not in whole]
    missing += [
        result.begins
        for result in results
        if sum(statement.startswith(result.begins) for statement in statements) != 1
    ]
    if missing:
        raise NotReplayable(f"not in the recorded statements, or more than once: {missing}\n{whole}")
    lines = list(head)
    for statement in statements:
        text = statement
        for literal, variable in variables.items():
            text = text.replace(literal, variable)
        taken = next((result for result in results if statement.startswith(result.begins)), None)
        lines.append(f"{text} \\gset {taken.prefix}" if taken else f"{text};")
    return "\n".join(lines) + "\n"


def set_first(place: Place, *, sequence: str, first: int) -> None:
    """Make a sequence for a script to take its numbers from, beginning with `first`."""
    name = sql.Identifier(sequence)
    with place.owner() as owner:
        owner.execute(sql.SQL("CREATE SEQUENCE IF NOT EXISTS {}").format(name))
        owner.execute("SELECT setval(%s::regclass, %s, false)", [sequence, first])
        application = str(connection.settings_dict["USER"])
        owner.execute(sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(name, sql.Identifier(application)))
