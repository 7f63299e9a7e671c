"""What every page of the back office shares: scoping, lists without COUNT, audited and locked editing.

Scoping and the audit trail live higher up the road, so the pages ask the site for both (`lib.house.House`);
`diamondpay.site`, which composes the whole, answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, cast
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.contrib.admin.views.main import ERROR_FLAG, ORDER_VAR, SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext

from diamondpay.lib import (
    acts,
    addresses,
    admin_columns,
    admin_forms,
    admin_list,
    clock,
    deadlines,
    filter_kinds,
    paging,
)
from diamondpay.lib.filters import ListFilter, ListFilters, Reading, Viewer
from diamondpay.lib.filters import read as read_list
from diamondpay.lib.house import House

# Parameters of a list that are no filters.
_LIST_PARAMETERS = frozenset({ERROR_FLAG, IS_POPUP_VAR, ORDER_VAR, TO_FIELD_VAR}) | paging.PARAMETERS


class Scoped:
    """Every queryset that reaches a person goes through the site's scoping: rows, choices, look-ups."""

    admin_site: admin.AdminSite

    @property
    def house(self) -> House:
        """The site, as far as pages need it."""
        return cast(House, self.admin_site)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows this person may see."""
        queryset = super().get_queryset(request)  # type: ignore[misc]
        return self.house.visible_to(request.user, queryset)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the row of a key that came in an address; the database refuses a NUL with an error."""
        return None if "\x00" in object_id else super().get_object(request, object_id, from_field)  # type: ignore[misc]

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> QuerySet[Any]:
        """Return the choices of a relation that this person may see."""
        queryset = super().get_field_queryset(db, db_field, request)  # type: ignore[misc]
        if queryset is None:
            queryset = db_field.remote_field.model._default_manager.using(db).all()
        return self.house.visible_to(request.user, queryset)


class ScopedAdmin(Scoped, admin.ModelAdmin[Any]):
    """A list that costs the same at any size, and pages that show only what the person may see."""

    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = None
    view_on_site = False
    empty_value_display = "–"
    # The filters of the bar, by their names in the address; and the exact keys of the box of numbers.
    filters: ClassVar[Mapping[str, ListFilter]] = {}
    exact_search: tuple[admin_list.Key, ...] = ()
    # The page on which rows are handed in as a file (`lib.imports`), for holders of `import_<model>`.
    import_page: ClassVar[str] = ""
    # The kind of file that the list can be taken out as (`records.exports.adminlists`).
    export_kind: ClassVar[str] = ""
    # What stands in the list's address and is no filter.
    parameters: ClassVar[frozenset[str]] = _LIST_PARAMETERS
    # Whether all that a list shows is read in one moment of the book.
    is_snapshot: ClassVar[bool] = False
    # The tables below an object, of what belongs to it.
    panels: tuple[admin_columns.Panel, ...] = ()

    @property
    def media(self) -> forms.Media:
        """Load no script but what a form's own widgets and inlines ask for."""
        return forms.Media()

    @cached_property
    def filterset(self) -> type[ListFilters]:
        """The filters and the box of exact numbers."""
        return filter_kinds.made(self.filters, keys=self.exact_search)

    def read(self, request: HttpRequest) -> Reading:
        """Return what the address asks of the list; asked once for a request."""
        if not hasattr(request, "list_reading"):
            request.list_reading = self._read(request)  # type: ignore[attr-defined]
        reading: Reading = request.list_reading  # type: ignore[attr-defined]
        return reading

    def _read(self, request: HttpRequest) -> Reading:
        return read_list(
            self.filterset, request.GET, queryset=self.list_queryset(request, self.get_queryset(request)),
            viewer=self.viewer(request), kind=str(self.opts.model_name), ignored=self.parameters,
        )  # fmt: skip

    def viewer(self, request: HttpRequest) -> Viewer:
        """Return who looks, in which zone, when."""
        zone = timezone.get_current_timezone()
        assert isinstance(zone, ZoneInfo)  # noqa: S101 - the site sets it for every page
        return Viewer(
            user=request.user, zone=zone, now=clock.moment_of(request), visible_to=self.house.visible_to
        )

    def rows_per_page(self, request: HttpRequest) -> int:
        """Return how many rows a page of the list has."""
        return self.list_per_page

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[admin_list.UncountedList]:
        """Use the list that never counts."""
        return admin_list.UncountedList

    def list_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows the list starts from; an object's own page may show more."""
        return queryset

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow no look-up by a column: the list's own filters are not look-ups of Django's."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under a clean address: blank filters are dropped, unknown ones named and dropped."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        unknown = self.read(request).unknown
        for name in unknown:
            messages.warning(request, gettext("This list has no filter “%s”; it was ignored.") % name[:40])
        pairs = [(name, value) for name in request.GET for value in request.GET.getlist(name)]
        kept = [(name, value) for name, value in pairs if value.strip() and name not in unknown]
        if len(kept) != len(pairs):
            return HttpResponseRedirect(f"{request.path}?{urlencode(kept)}" if kept else request.path)
        response = super().changelist_view(request, {**self._files(request), **(extra_context or {})})
        shown = getattr(response, "context_data", None) or {}
        if "cl" in shown and shown["cl"].is_too_slow:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return response

    def _files(self, request: HttpRequest) -> dict[str, str]:
        """Return the ways from the list to files: of its rows, and from which rows are taken."""
        may_import = request.user.has_perm(f"{self.opts.app_label}.import_{self.opts.model_name}")
        return {
            "import_url": reverse(f"admin:{self.import_page}") if self.import_page and may_import else "",
            "export_kind": self.export_kind,
            "export_query": self.read(request).query,
        }

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the object's rows of the audit trail, which replaces Django's log."""
        query = urlencode({"object_kind": str(self.opts.model_name), SEARCH_VAR: unquote(object_id)})
        return HttpResponseRedirect(f"{_audit_list()}?{query}")

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write nothing: the audit row was written with the deed."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write nothing: the audit row was written with the deed."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Write nothing: the audit row is written with the deed."""

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the tables of what belongs to the object, and what may be done with it."""
        record = context.get("original")
        tables = [] if record is None else [self._table(request, item, record) for item in self.panels]
        context["panels"] = [table for table in tables if table is not None]
        context["acts"] = (
            []
            if record is None
            else [
                {"label": act.label, "url": reverse(act.url_name, args=[act.key_of(record)])}
                for act in acts.allowed(request.user, record)
            ]
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def _table(self, request: HttpRequest, panel: admin_columns.Panel, record: Any) -> dict[str, Any] | None:
        """Return a panel's table, of the rows this person may see; None without the right to such rows."""
        rows = panel.rows(record)
        if not self.admin_site.get_model_admin(rows.model).has_view_permission(request):
            return None
        before = request.GET.get(admin_columns.BEFORE, "")
        return panel.table(self.house.visible_to(request.user, rows), before=before)


class ReadOnlyAdmin(ScopedAdmin):
    """Records: the book is read here, never written. Every POST to any of its addresses is refused."""

    sortable_by = ()
    ordering: ClassVar[Any] = ("-id",)
    change_form_template = "admin/record.html"
    # The facts of the object's page, by section.
    facts: tuple[tuple[Any, tuple[admin_columns.Column, ...]], ...] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds a record here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a record here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a record."""
        return False

    @deadlines.bounded(milliseconds=admin_list.PAGE_MS_MAX)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the record."""
        return super().change_view(request, object_id, form_url, extra_context)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the facts; without any declared, every column that is no secret."""
        facts = self.facts or ((None, admin_columns.of_model(self.model)),)
        return [(title, {"fields": list(columns)}) for title, columns in facts]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Everything shown is read-only."""
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Call the page as the menu does."""
        context["title"] = self.house.title_of(self.model)
        return super().render_change_form(request, context, *args, **kwargs)


class Audited(Scoped):
    """Editing with a lock against a second tab, for pages and inlines."""

    form: Any = admin_forms.LockedForm
    formfield_overrides: Any = {
        models.DecimalField: {"form_class": admin_forms.PlainDecimalField},
        models.URLField: {"assume_scheme": "https"},
    }

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Carry the lock of the form as a hidden field, where the person may change anything."""
        found = super().get_fieldsets(request, obj)  # type: ignore[misc]
        sets = [(title, {**options, "fields": [*options["fields"]]}) for title, options in found]
        name = admin_forms.LOCK_FIELD
        is_editable = obj is not None and (
            self.has_change_permission(request, obj) or self._may_add(request, obj)
        )
        for _title, options in sets:
            options["fields"] = [field for field in options["fields"] if field != name]
        if is_editable:
            sets[0][1]["fields"].append(name)
        return sets

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest | None, **kwargs: Any) -> Any:
        """Offer no pencil or plus beside a choice: what is chosen from is edited on its own page."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None and hasattr(field.widget, "can_add_related"):
            field.widget = field.widget.widget
        return field

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask Django's permissions."""
        return bool(super().has_change_permission(request, obj))  # type: ignore[misc]

    def _may_add(self, request: HttpRequest, obj: Any) -> bool:
        adds: Any = self.has_add_permission  # type: ignore[attr-defined]
        return bool(adds(request, obj) if isinstance(self, admin.options.InlineModelAdmin) else adds(request))


class AuditedAdmin(Audited, ScopedAdmin):
    """A page on which people change rows. Each write leaves an audit row in the same transaction (A1)."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Refuse what no form of ours offers: with it Django would make a new row of a changed one."""
        if "_saveasnew" in request.POST:
            raise PermissionDenied
        return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save, remembering how the row was."""
        form.row_before = admin_forms.snapshot(self.model._base_manager.get(pk=obj.pk)) if change else {}
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save what hangs on the row, then write the row's own audit row."""
        super().save_related(request, form, formsets, change)
        obj = form.instance
        before, after = form.row_before, admin_forms.snapshot(self.model._base_manager.get(pk=obj.pk))
        if change:
            before, after = admin_forms.differences(before, after)
        before, after = self.audit_details(form, before=before, after=after)
        if not change or before or after:
            action = f"{self.opts.model_name}.{'change' if change else 'create'}"
            self.house.write_audit(request, action=action, obj=obj, before=before, after=after)

    def audit_details(
        self, form: Any, *, before: dict[str, object], after: dict[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Return what the audit row says; a page adds what is not a plain column, masked."""
        return before, after

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save the rows of an inline, with one audit row for each that was written."""
        name = formset.model._meta.model_name
        old = {
            row.pk: admin_forms.snapshot(row)
            for row in formset.model._base_manager.filter(
                pk__in=[item.instance.pk for item in formset.initial_forms if item.has_changed()]
            )
        }
        # Before they go: afterwards a row no longer knows its key.
        for gone in (item.instance for item in formset.deleted_forms if item.instance.pk):
            self.house.write_audit(
                request, action=f"{name}.delete", obj=gone, before=admin_forms.snapshot(gone), after={}
            )
        formset.save()
        for obj in formset.new_objects:
            self.house.write_audit(
                request, action=f"{name}.create", obj=obj, before={}, after=admin_forms.snapshot(obj)
            )
        for obj, _fields in formset.changed_objects:
            stored = admin_forms.snapshot(formset.model._base_manager.get(pk=obj.pk))
            before, after = admin_forms.differences(old[obj.pk], stored)
            if after or before:
                self.house.write_audit(request, action=f"{name}.change", obj=obj, before=before, after=after)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete, with an audit row that keeps what was."""
        before = admin_forms.snapshot(obj)
        self.house.write_audit(
            request, action=f"{self.opts.model_name}.delete", obj=obj, before=before, after={}
        )
        super().delete_model(request, obj)


class AuditedInline(Audited, admin.TabularInline[Any, Any]):
    """Rows edited on the page of what they belong to; `AuditedAdmin.save_formset` writes the audit rows."""

    extra = 0
    show_change_link = False


def address_of(request: HttpRequest) -> str | None:
    """Return where the request comes from, as far as our own proxies vouch for it."""
    return addresses.client_address(request.META, settings.TRUSTED_PROXY_COUNT)


def _audit_list() -> str:
    return admin_columns.list_url("diamondpay.auditrow")
