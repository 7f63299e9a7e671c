"""django-import-export resources of the records, declared from the list's own table of columns.

A resource names the fields a person may choose, their order and headings, and exports a row as its column
reads it; whatever speaks import-export can use it. Files of any size are written by `building` instead, which
reads the same columns raw and never holds the rows.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

from import_export.fields import Field
from import_export.resources import ModelResource

from diamondpay.lib import columns as lib_columns
from diamondpay.lib.columns import Column
from records import columns, filters


class ColumnField(Field):  # type: ignore[misc]  # import-export has no types
    """A field that reads its value as a column does."""

    def __init__(self, column: Column) -> None:
        super().__init__(attribute=column.key, column_name=column.heading, readonly=True)
        self.column = column

    def get_value(self, instance: Any, **kwargs: Any) -> Any:
        """Return what the column puts into a file."""
        return self.column.read(instance)


class RecordResource(ModelResource):  # type: ignore[misc]  # import-export has no types
    """The columns of one record as fields, in the order of the list; nothing can be imported by it."""

    record_kind: ClassVar[str] = ""

    def columns_for(self, user: Any) -> tuple[Column, ...]:
        """Return the columns that the user may choose, in the order of export."""
        offered = (self.fields[name].column for name in self.get_export_order())
        return lib_columns.allowed(offered, user)

    def filter_export(self, queryset: Any, **kwargs: Any) -> Any:
        """Read what the chosen columns need in one statement, newest first."""
        chosen = [self.fields[name].column for name in kwargs.get("export_fields") or self.get_export_order()]
        return lib_columns.rows(queryset, chosen).order_by(*filters.order_of(self.record_kind))

    def get_import_fields(self) -> list[Any]:
        """Nothing: the book is written by operations alone."""
        return []


@cache
def of(kind: str) -> type[RecordResource]:
    """Return the resource of a record kind. Raises: KeyError for a kind that has no list."""
    table = columns.of(kind)
    keys = [each.key for each in table]
    model = filters.of(kind)._meta.model
    meta = type("Meta", (), {"model": model, "fields": keys, "export_order": keys, "name": kind})
    fields: dict[str, Any] = {each.key: ColumnField(each) for each in table}
    made: type[RecordResource] = type(
        f"{model.__name__}Resource", (RecordResource,), {**fields, "record_kind": kind, "Meta": meta}
    )
    return made
