"""The WSGI application asked in this process by somebody who is signed in, and what its statements cost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.db import connection
from django.test import Client

from benchmarks.wsgi import application
from diamondpay.models import User

SMALL_TABLE_ROWS = 100_000


class WrongAnswer(Exception):
    """A page did not answer as it must, so its time means nothing."""


@dataclass
class Statements:
    """The statements of one page, with their parameters and milliseconds."""

    found: list[tuple[str, Any, float]] = field(default_factory=list)

    def record(
        self,
        execute: Callable[..., Any],
        statement: str,
        parameters: Any,
        many: bool,
        context: Mapping[str, Any],
    ) -> Any:
        """Run a statement and keep it."""
        started = time.perf_counter()
        try:
            return execute(statement, parameters, many, context)
        finally:
            self.found.append((statement, parameters, (time.perf_counter() - started) * 1000))


@dataclass(frozen=True, kw_only=True)
class Examined:
    """How often a page asks the database, its slowest statement, the large tables it reads as a whole."""

    statement_count: int
    slowest: str
    slowest_ms: float
    slowest_node: str
    scans: tuple[str, ...]


class Visitor:
    """Somebody at a browser who is signed in."""

    def __init__(self, user: User) -> None:
        self._user = user
        self.sign_in()

    def sign_in(self) -> None:
        """Begin a new session; filling a large book takes longer than anybody may stay idle."""
        client = Client()
        client.force_login(self._user)
        name = settings.SESSION_COOKIE_NAME
        self._cookie = f"{name}={client.cookies[name].value}"

    def get(self, address: str) -> tuple[int, bytes]:
        """Return status and body of a page, as a server would have them. Follows nothing.

        Raises: WrongAnswer when it leads to the page for signing in.
        """
        path, _mark, query = address.partition("?")
        environ: dict[str, object] = {
            "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1",
            "HTTP_COOKIE": self._cookie,
        }  # fmt: skip
        setup_testing_defaults(environ)
        answer = application(environ, _start_response)
        body = b"".join(answer)
        # Closing is what gives the connection back to the pool.
        answer.close()
        if "/login/" in answer.get("Location", ""):
            raise WrongAnswer(f"{address} asked the visitor to sign in.")
        return int(answer.status_code), body

    def must_get(self, address: str, *, holds: str = "") -> bytes:
        """Return the body of a page, which a search that leads to the one order found has not.

        Raises: WrongAnswer unless it is there and holds the text.
        """
        status, body = self.get(address)
        if status not in (200, 302) or (status == 302 and holds) or holds.encode() not in body:
            raise WrongAnswer(f"{address} answered {status} and {holds!r} is not in it: {body[:300]!r}")
        return body


def _start_response(status: str, headers: object, fault: object = None) -> Callable[[bytes], object]:
    """Take status and headers as a server does; nothing is ever written through what is returned."""
    return bytes


@contextmanager
def recorded() -> Iterator[Statements]:
    """Keep what this thread asks the database."""
    statements = Statements()
    with connection.execute_wrapper(statements.record):
        yield statements


def examine(visitor: Visitor, address: str) -> Examined:
    """Ask once and let PostgreSQL explain every statement, with the same parameters."""
    with recorded() as statements:
        visitor.must_get(address)
    selects = [
        (statement, parameters, spent)
        for statement, parameters, spent in statements.found
        if statement.lstrip(" \n(").upper().startswith(("SELECT", "WITH"))
    ]
    large = _large_tables()
    plans = [_plan(statement, parameters) for statement, parameters, _spent in selects]
    scans = {relation for plan in plans for relation in _scanned(plan) if relation in large}
    slowest, _parameters, slowest_ms = max(selects, key=lambda each: each[2], default=("", None, 0.0))
    slowest_plan = plans[[each[0] for each in selects].index(slowest)] if selects else {}
    return Examined(
        statement_count=len(statements.found),
        slowest=slowest,
        slowest_ms=slowest_ms,
        slowest_node=_deepest(slowest_plan),
        scans=tuple(sorted(scans)),
    )


def _plan(statement: str, parameters: Any) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        row = cursor.fetchone()
    plan: list[dict[str, Any]] = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    return dict(plan[0]["Plan"])


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _scanned(plan: Mapping[str, Any]) -> list[str]:
    return [node["Relation Name"] for node in _nodes(plan) if node["Node Type"] == "Seq Scan"]


def _deepest(plan: Mapping[str, Any]) -> str:
    """Return the costliest node that reads a table, in words."""
    readers = [node for node in _nodes(plan) if "Relation Name" in node] if plan else []
    if not readers:
        return "no table"
    node = max(readers, key=lambda each: float(each["Total Cost"]))
    index = f" by {node['Index Name']}" if "Index Name" in node else ""
    return f"{node['Node Type']} on {node['Relation Name']}{index}"


def _large_tables() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > %s", [SMALL_TABLE_ROWS]
        )
        return {str(row[0]) for row in cursor.fetchall()}


def milliseconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000
