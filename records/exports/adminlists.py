"""Lists of the back office outside the book as files: the columns are declared, the rest is the list's own.

A list becomes exportable in about twenty lines, in the room whose admin page it is; everything else (form,
queue, progress, file, schedule, rights, audit) is there for every kind:

    _table = Table(AuditRow)                          # diamondpay.lib.columns
    kinds.add(
        AdminList(
            kind="auditrow",                          # stands in /admin/exports/new/auditrow/
            model=AuditRow,
            columns=(
                _table.moment("created_at"),
                _table.text("actor"),
                _table.text("action"),
                _table.identifier("object_id"),
                _table.text("reason", is_default=False),            # offered, not chosen at first
                _table.text("address", permission="x.y"),           # absent for who may not see it
            ),
            group=("object_kind",),                   # what the summary counts by: columns of the model
            amounts=(),                               # and adds up: keys of amount columns
        ),
        key="auditrow",
    )

    class AuditRowAdmin(ReadOnlyAdmin):
        export_kind = "auditrow"                      # the Export button on the list

The rows are those of the list: its filters (`ScopedAdmin.filters`, `exact_search`), its order, and what
`access.visible_to` leaves. Who may see the list and make files (`records.add_exportjob`) may export it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.http import QueryDict

from diamondpay.lib import columns as lib_columns
from diamondpay.lib import filters as lib_filters
from diamondpay.lib.columns import Column
from diamondpay.lib.filters import Reading, Viewer
from records import filters
from records.exports.recordlists import RecordList


@dataclass(frozen=True, kw_only=True)
class AdminList(RecordList):
    """A list of a model's admin page, with the columns of its file."""

    columns: tuple[Column, ...]

    def columns_for(self, user: Any) -> tuple[Column, ...]:
        """Return the columns that the user may see."""
        return lib_columns.allowed(self.columns, user)

    def reading(self, query: str, *, user: Any, zone: ZoneInfo, now: datetime) -> Reading:
        """Read a query string as the admin page reads it, within what the user may see."""
        page: Any = admin.site.get_model_admin(self.model)
        rows = filters.visible_to(user, self.model._default_manager.all()).order_by(*page.ordering)
        viewer = Viewer(user=user, zone=zone, now=now, visible_to=filters.visible_to)
        return lib_filters.read(
            page.filterset, QueryDict(query), queryset=rows, viewer=viewer, kind=self.kind,
            ignored=page.parameters,
        )  # fmt: skip
