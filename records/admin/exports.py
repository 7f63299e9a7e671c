"""Files as records: the list of one's own, the page of a job, templates, and what is made every day."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import clock
from diamondpay.lib.admin import AuditedAdmin, ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns, link_to
from diamondpay.lib.admin_forms import LockedForm
from diamondpay.lib.filter_kinds import Several
from diamondpay.models import SavedView
from records import filters, saved_views
from records.admin import export_pages
from records.exports import choices, jobs, kinds, schedules
from records.models import ExportJob, ExportSchedule, ExportTemplate

_job = Columns(ExportJob)
_schedule = Columns(ExportSchedule)


def _what(row: Any) -> str:
    return _what_of(row.kind)


def _what_of(key: str) -> str:
    kind = kinds.KINDS.get(key)
    return str(kind.title) if kind is not None else key


def _filters_of(view: SavedView) -> str:
    """Return the filters of a saved view, without its columns, its page and its name."""
    asked = QueryDict(view.query)
    pairs = [(name, value) for name in asked for value in asked.getlist(name)]
    return urlencode([pair for pair in pairs if pair[0] not in filters.PAGE_PARAMETERS])


def _size(row: ExportJob) -> str:
    return filesizeformat(row.size_bytes) if row.size_bytes is not None else "–"


def _page(row: ExportJob) -> Any:
    return link_to(ExportJob, row.pk, row.file_name or gettext("File %d") % row.pk)


def _link(row: ExportJob) -> Any:
    """Lead to the file itself where it is ready."""
    if row.state != ExportJob.State.DONE:
        return "–"
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:export_file", args=[row.pk]), gettext("Download")
    )


@admin.register(ExportJob)
class ExportJobAdmin(ReadOnlyAdmin):
    """One's own files, newest first; a job's page shows how far it is and offers the file."""

    list_display = (
        _job.computed(_page, name="page", label=_("file")),
        _job.computed(_link, name="link", label=_("download")),
        _job.badge("state", export_pages.TONES), _job.number("rows_done"),
        _job.computed(_size, name="size", label=_("size")), _job.moment("requested_at"),
        _job.moment("expires_at"), _job.computed(_what, name="what", label=_("record")), _job.text("format"),
        _job.text("requested_by"), _job.moment("finished_at"),
    )  # fmt: skip
    list_display_links = None
    filters = {"state": Several("state")}
    list_select_related = ("requested_by",)
    ordering = ("-id",)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a job: what was asked for, how far it is, the file, and the sums it holds."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            gone: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
            return gone
        export_pages.seen(request, job)
        context = {
            **self.admin_site.each_context(request),
            **export_pages.shown(request, job),
            "title": job.file_name or gettext("File of %s") % _what(job).lower(),
            "opts": self.opts,
            "original": job,
        }
        return TemplateResponse(request, "admin/exports/job.html", context)


class TemplateForm(LockedForm):
    """A template keeps its record; its columns are arranged on the form of a file."""

    fixed_once_made = ("kind",)


@admin.register(ExportTemplate)
class ExportTemplateAdmin(AuditedAdmin):
    """One's own templates. They are made on the form of a file, and renamed, shared or removed here."""

    form = TemplateForm
    list_display = (
        "name",
        Columns(ExportTemplate).computed(_what, name="what", label=_("record")),
        "format",
        "shared_with",
    )
    list_select_related = ("shared_with",)
    fields = ("name", "format", "shared_with")
    ordering = ("kind", "name", "id")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Templates are saved on the form of a file, where their columns can be seen."""
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the person's own roles, and none to a merchant's user."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "shared_with" and field is not None:
            field.queryset = request.user.groups.order_by("name")
        return field


class ViewField(forms.ModelChoiceField[SavedView]):
    """A choice of saved views of several lists."""

    def label_from_instance(self, obj: Any) -> str:
        """Return the list and the name."""
        return f"{_what_of(obj.page)}: {obj.name}"


class ScheduleForm(LockedForm):
    """What is made every day, of what, when and for whom; everything is checked as if it were made now."""

    kind = forms.ChoiceField(label=_("Record"))
    view = ViewField(
        SavedView.objects.none(),
        label=_("Filters of a saved view"),
        required=False,
        help_text=_("Its filters as they are now; leave it empty to type them."),
    )
    zone = forms.ChoiceField(label=_("Time zone"))
    user: Any = None

    class Meta:
        model = ExportSchedule
        fields = ("name", "kind", "query", "template", "time_of_day", "zone", "recipients", "is_active")
        widgets = {
            "query": forms.TextInput,
            "time_of_day": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" not in self.fields:
            return
        kind, zone, view = self.fields["kind"], self.fields["zone"], self.fields["view"]
        assert isinstance(kind, forms.ChoiceField)  # noqa: S101 - declared above
        assert isinstance(zone, forms.ChoiceField)  # noqa: S101 - declared above
        assert isinstance(view, forms.ModelChoiceField)  # noqa: S101 - declared above
        kind.choices = choices.kinds_for(self.user)
        zone.choices = [(name, name) for name in sorted(available_timezones())]
        offered = [each.pk for each in saved_views.visible_on(pages=list(kinds.KINDS), user=self.user)]
        view.queryset = SavedView.objects.filter(pk__in=offered).order_by("page", "name")
        if not self.initial.get("zone"):
            self.initial["zone"] = timezone.get_current_timezone_name()

    def clean(self) -> dict[str, Any]:
        """Refuse a template of another record, filters that say nothing, and recipients without the right."""
        cleaned = super().clean()
        kind, template, view = cleaned.get("kind"), cleaned.get("template"), cleaned.get("view")
        if view is not None and kind and view.page != kind:
            self.add_error("view", _("This view is of another record."))
        elif view is not None:
            cleaned["query"] = _filters_of(view)
        if kind and template is not None and template.kind != kind:
            self.add_error("template", _("This template is of another record."))
        if kind and cleaned.get("zone"):
            asked = kinds.KINDS[kind].read(
                cleaned.get("query", ""), self.user, ZoneInfo(cleaned["zone"]), clock.now()
            )
            for words in asked.errors:
                self.add_error("query", words)
            if asked.unknown:
                words = gettext("There are no filters %s.") % ", ".join(asked.unknown)
                self.add_error("query", words)
        barred = [
            user for user in cleaned.get("recipients") or () if kind and not jobs.may_export(user, kind)
        ]
        if barred:
            names = ", ".join(user.get_username() for user in barred)
            self.add_error("recipients", ValidationError(gettext("They may not export this: %s.") % names))
        return cleaned


@admin.register(ExportSchedule)
class ExportScheduleAdmin(AuditedAdmin):
    """Files that are made every day. A failure is shown here until the next success."""

    form = ScheduleForm
    list_display = (
        "name", _schedule.computed(_what, name="what", label=_("record")), "template", "time_of_day", "zone",
        "is_active", _schedule.moment("next_run_at"), _schedule.moment("last_run_at"), "failure_count",
        "last_error",
    )  # fmt: skip
    list_select_related = ("template",)
    fields = (
        "name", "kind", "template", "view", "query", "time_of_day", "zone", "recipients", "is_active",
    )  # fmt: skip
    filter_horizontal = ("recipients",)
    ordering = ("-id",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Let the form know who asks."""
        made = super().get_form(request, obj, change=change, **kwargs)
        return type(made.__name__, (made,), {"user": request.user})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the templates that the person may use."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "template" and field is not None:
            allowed = choices.templates_for(user=request.user)  # type: ignore[arg-type]
            field.queryset = ExportTemplate.objects.filter(pk__in=allowed.order_by().values("pk")).order_by(
                "kind", "name"
            )
        return field

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer staff users."""
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if db_field.name == "recipients" and field is not None and field.queryset is not None:
            field.queryset = field.queryset.filter(is_staff=True, is_active=True).order_by("username")
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Give it its owner and its next time."""
        if not change:
            obj.owner = request.user
        obj.next_run_at = schedules.next_run(
            time_of_day=obj.time_of_day, zone=ZoneInfo(obj.zone), after=clock.now()
        )
        super().save_model(request, obj, form, change)
