"""Hand-written statements for the roads that every call takes.

The ORM composes its statement anew for each query, which costs more than PostgreSQL needs to answer it. Here
the text stands in a constant, is prepared once per connection, and times are read by psycopg's own loader.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.base import ModelState
from psycopg.types.datetime import TimestamptzLoader

Row = tuple[Any, ...]
M = TypeVar("M", bound=models.Model)
_CURSOR = "_diamondpay_cursor"


def rows(statement: str, parameters: dict[str, Any]) -> Sequence[Row]:
    """Return the rows of a statement, also of a writing one that ends with RETURNING.

    Every parameter has the type of the place where it stands; where none can be told from, cast it.
    Raises: what Django's own cursor raises.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    if database.queries_logged or database.execute_wrappers:
        # Whoever counts or records statements sees this one too, with its values written in.
        with database.cursor() as watched:
            watched.execute(statement, parameters)
            return list(watched.fetchall())
    database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        return _cursor_of(database.connection).execute(_encoded(statement), parameters).fetchall()


@functools.lru_cache(maxsize=256)
def _encoded(statement: str) -> bytes:
    """Return the bytes that are sent: always the same object, by which psycopg knows a prepared statement."""
    return statement.encode()


def _cursor_of(connection: psycopg.Connection[Any]) -> psycopg.Cursor[Row]:
    """Return the connection's own cursor for these statements; a new one learns its loaders each time."""
    cursor: psycopg.Cursor[Row] | None = getattr(connection, _CURSOR, None)
    if cursor is None:
        cursor = psycopg.Cursor(connection)
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        setattr(connection, _CURSOR, cursor)
    return cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What another statement reads beside its own, so that both take one way to the database and back.

    `joins` are LEFT JOINs that find one row at most; that statement says which names they may refer to. Both
    texts are our own words, and constants: a text that is new each time is prepared each time.
    """

    columns: str
    joins: str
    parameters: Mapping[str, object] = field(default_factory=dict)


class Columns(Generic[M]):
    """The columns of a model as a statement selects them, from place `at` on, and the model made of them.

    A field that is left out is asked for when somebody reads it.
    Raises: ValueError for a field that Django reads in a way of its own, such as JSON, and for a model that
    is not made as others are.
    """

    def __init__(self, model: type[M], *, table: str, at: int = 0, left_out: Collection[str] = ()) -> None:
        fields = [field for field in model._meta.concrete_fields if field.name not in left_out]
        if any(hasattr(field, "from_db_value") for field in fields):
            raise ValueError(f"{model.__name__} has a column that Django reads in a way of its own")
        if model.__init__ is not models.Model.__init__ or _from_db(model) is not _from_db(models.Model):
            raise ValueError(f"{model.__name__} is made in a way of its own")
        self.model = model
        self.names = tuple(field.attname for field in fields)
        self.text = ", ".join(f'{table}."{field.column}"' for field in fields)
        self.key = at + [field.primary_key for field in fields].index(True)
        self.at, self.end = at, at + len(fields)

    def __str__(self) -> str:
        return self.text

    def read(self, row: Row) -> M | None:
        """Return the model of a row; None where an outer join found none."""
        return None if row[self.key] is None else self.take(row)

    def take(self, row: Row) -> M:
        """Return the model of a row that surely holds one.

        It is left as `from_db` would leave it, which goes through the fields of the model one by one.
        """
        found = self.model.__new__(self.model)
        found._state = state = ModelState()
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        found.__dict__.update(zip(self.names, row[self.at : self.end], strict=True))
        return found


def _from_db(model: type[models.Model]) -> object:
    """Return what makes a model of a row, without the model that it is bound to."""
    return getattr(model.from_db, "__func__", None)


def insert_once(instance: models.Model, *, key: tuple[str, ...]) -> bool:
    """Insert a new row unless there is one with the same key, and say whether it was inserted.

    `key` are the columns of a unique constraint. One that is being inserted by somebody else is waited for.
    """
    database = connections[DEFAULT_DB_ALIAS]
    # Empty columns are left out: psycopg takes statements of more than 50 parameters apart each time anew.
    columns = {
        str(field.column): field.get_db_prep_save(value, database)
        for field in instance._meta.concrete_fields
        if (value := getattr(instance, field.attname)) is not None
    }
    statement = _insertion(instance._meta.db_table, tuple(columns), key)
    is_inserted = bool(rows(statement, columns))
    if is_inserted:
        instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS
    return is_inserted


@functools.cache
def _insertion(table: str, columns: tuple[str, ...], key: tuple[str, ...]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(f"%({column})s" for column in columns)
    return (
        f'INSERT INTO "{table}" ({names}) VALUES ({values}) '  # noqa: S608 - our own names
        f"ON CONFLICT ({', '.join(key)}) DO NOTHING RETURNING 1"
    )
