"""How a large book is written fast: without triggers, indexes or care for a power cut meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
from psycopg import sql

from benchmarks.stage import Place

# Of a server that is this benchmark's own; reset before anything is measured.
_CARELESS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}
_SESSION = ("SET work_mem = '256MB'", "SET maintenance_work_mem = '1GB'", "SET hash_mem_multiplier = 4")
# An index that is not ready is left out by writes, one that is not valid by plans; REINDEX makes it both.
_LEAVE_INDEXES = """
    UPDATE pg_index SET indisready = false, indisvalid = false
    WHERE indrelid = ANY(SELECT name::regclass FROM unnest(%s::text[]) AS name)
"""
# The longest first, so that two at a time end together.
_INDEXES = """
    SELECT index.relname FROM pg_index
    JOIN pg_class AS index ON index.oid = indexrelid JOIN pg_class AS owner ON owner.oid = indrelid
    WHERE indrelid = ANY(SELECT name::regclass FROM unnest(%s::text[]) AS name)
    ORDER BY pg_relation_size(indrelid) DESC, index.relname
"""


@contextmanager
def careless(place: Place) -> Iterator[None]:
    """Let the server write without care while a large book is loaded; at the end all of it is on disk."""
    with psycopg.connect(place.superuser_url, autocommit=True) as superuser:
        for name, value in _CARELESS.items():
            superuser.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value))
        superuser.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            for name in _CARELESS:
                superuser.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name)))
            superuser.execute("SELECT pg_reload_conf()")
            superuser.execute("CHECKPOINT")


def leave_indexes(place: Place, tables: Sequence[str]) -> None:
    """Keep no index of the tables until `tidy` builds them."""
    with psycopg.connect(place.superuser_url) as superuser:
        superuser.execute(_LEAVE_INDEXES, [list(tables)])


def run(place: Place, statements: Sequence[str], parameters: Mapping[str, object]) -> None:
    """Run statements in one transaction that fires no trigger, all with the same parameters."""
    with place.loader() as loader:
        for setting in _SESSION:
            loader.execute(setting.encode())
        for statement in statements:
            loader.execute(statement.encode(), parameters)


def together(place: Place, *groups: tuple[Sequence[str], Mapping[str, object]]) -> None:
    """Run groups of statements beside each other, each in a transaction of its own."""
    with ThreadPoolExecutor(len(groups)) as pool:
        for done in [pool.submit(run, place, *group) for group in groups]:
            done.result()


def tidy(place: Place, tables: Sequence[str], *, has_indexes: bool) -> None:
    """Build the indexes that were left out, and do what autovacuum does sooner or later; two at a time."""
    with place.owner() as owner:
        indexes = [row[0] for row in owner.execute(_INDEXES, [list(tables)]).fetchall()]
    jobs = [] if has_indexes else [f'REINDEX INDEX "{index}"' for index in indexes]
    for statements in (jobs, [f'VACUUM (ANALYZE) "{table}"' for table in tables]):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda statement: _alone(place, statement), statements))


def _alone(place: Place, statement: str) -> None:
    with place.owner() as owner:
        for setting in _SESSION:
            owner.execute(setting.encode())
        owner.execute(statement.encode())
