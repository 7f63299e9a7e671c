"""The pages of an import: hand in a file, see what each row would do or what is wrong, apply it whole.

    pages.add(Import(kind="bank", resource=BankResource))

gives `/admin/import/bank/` and the file to start from. What was tried travels with the page, signed: no
process keeps it, and what is applied is what was shown or nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import admin_forms, errors, pages, selections
from diamondpay.lib.house import House
from diamondpay.lib.imports import lines as reading
from diamondpay.lib.imports import trials
from diamondpay.lib.imports.lines import Line, Lines
from diamondpay.lib.imports.resources import StaffResource
from diamondpay.lib.imports.trials import Trial
from diamondpay.lib.spreadsheet import summary as sheets
from diamondpay.lib.spreadsheet import upload_kinds
from diamondpay.lib.spreadsheet.columns import Column, Look
from diamondpay.lib.spreadsheet.uploads import FileRefused
from diamondpay.lib.spreadsheet.xlsx import Book

SHOWN_MAX = 200
_SALT = "diamondpay.lib.imports"
_TRIED_SECONDS_MAX = 3600
# A form's own limit is 2.5 MB; what was tried must come back within it.
_TRIED_BYTES_MAX = 2_000_000
_NAME_LENGTH_MAX = 100


@dataclass(frozen=True, kw_only=True)
class Import:
    """What may be imported. `kind` stands in the address; the permission is `<app>.import_<model>`."""

    kind: str
    resource: type[StaffResource]
    note: Any = ""
    # What is said once new rows were made, and the query of the list in which they are found.
    made_note: Any = ""
    made_query: str = ""
    # The page on which something is asked for the new rows at once, the rights to it, and how many it takes.
    many_page: str = ""
    many_permissions: tuple[str, ...] = ()
    many_rows_max: int = 1

    @property
    def model(self) -> Any:
        """The model whose rows are written."""
        return self.resource._meta.model

    @property
    def permission(self) -> str:
        """The right to import."""
        return f"{self.model._meta.app_label}.import_{self.model._meta.model_name}"

    @property
    def page_name(self) -> str:
        """The name of the page's address."""
        return f"import_{self.kind}"


class UploadForm(forms.Form):
    """The file."""

    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
    )


def add(wanted: Import) -> None:
    """Give an import its pages."""
    base, permissions = f"import/{wanted.kind}/", (wanted.permission,)

    def page(request: HttpRequest) -> HttpResponseBase:
        return _page(request, wanted)

    def start(request: HttpRequest) -> HttpResponseBase:
        return _start(request, wanted)

    pages.add_page(pages.Page(path=base, name=wanted.page_name, view=page, permissions=permissions))
    pages.add_page(
        pages.Page(
            path=f"{base}start/", name=f"{wanted.page_name}_start", view=start, permissions=permissions
        )
    )


def _page(request: HttpRequest, wanted: Import) -> HttpResponseBase:
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    if request.method == "POST" and "tried" in request.POST:
        return _apply(request, wanted)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if not form.is_bound or not form.is_valid():
        return _answer(request, wanted, form=form)
    file = form.cleaned_data["file"]
    try:
        upload_kinds.check_size(file.size, reading.TAKEN)
        content = file.read()
        lines = reading.read(content, name=str(file.name), headings=wanted.resource.headings())
        tried = _sealed(request, wanted, lines, name=str(file.name), content=content)
        trial = trials.attempt(wanted.resource, lines, **_as(request, wanted))
    except (FileRefused, errors.Busy) as refusal:
        form.add_error("file", str(refusal))
        return _answer(request, wanted, form=form)
    return _answer(
        request, wanted, form=UploadForm(), trial=trial, lines=lines, tried=tried, name=str(file.name)
    )


def _apply(request: HttpRequest, wanted: Import) -> HttpResponseBase:
    """Apply what was tried, if it still does what was shown."""
    try:
        tried = signing.loads(request.POST["tried"], salt=_salt(request, wanted), max_age=_TRIED_SECONDS_MAX)
    except signing.BadSignature:
        messages.error(request, gettext("This page is too old. Nothing was changed; hand the file in again."))
        return HttpResponseRedirect(request.path)
    lines = Lines(
        lines=tuple(Line(sheet=sheet, row=row, cells=cells) for sheet, row, cells in tried["lines"]),
        sheets=tuple(tried["sheets"]),
    )
    audit = _Audit(request=request, wanted=wanted, name=tried["name"], sha256=tried["sha256"])
    try:
        trial = trials.apply(
            wanted.resource, lines, seen=request.POST.get("seen", ""), written=audit.written,
            done=audit.done, **_as(request, wanted),
        )  # fmt: skip
    except trials.Changed as changed:
        words = gettext("What the file would do has changed since you looked. Nothing was done; look again.")
        messages.warning(request, words)
        return _answer(
            request, wanted, form=UploadForm(), trial=changed.trial, lines=lines,
            tried=request.POST["tried"], name=tried["name"],
        )  # fmt: skip
    except errors.Busy as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(request.path)
    messages.success(request, gettext("The file is applied: %s.") % _in_short(trial))
    if wanted.made_note and trial.count(trials.NEW):
        url = f"{_list_url(wanted)}?{wanted.made_query}"
        led = format_html('{} <a href="{}">{}</a>', wanted.made_note, url, gettext("Show them"))
        messages.warning(request, format_html("{}{}", led, _ways_on(request, wanted, audit.made)))
    return HttpResponseRedirect(_list_url(wanted))


def _ways_on(request: HttpRequest, wanted: Import, made: list[Any]) -> SafeString:
    """Return the links to the page that asks for exactly these new rows, as many as it takes at once each."""
    if not wanted.many_page or not request.user.has_perms(wanted.many_permissions):
        return SafeString("")
    # What a transaction made that was tried again is not there.
    keys = list(wanted.model._base_manager.filter(pk__in=made).order_by("pk").values_list("pk", flat=True))
    places = range(0, len(keys), wanted.many_rows_max)
    groups = [keys[place : place + wanted.many_rows_max] for place in places]
    url = reverse(f"admin:{wanted.many_page}")
    links = [
        (
            f"{url}?{urlencode({selections.MANY: selections.text(map(str, group), is_numbered=True)})}",
            gettext("Ask for the activation of these %d") % len(group),
        )
        for group in groups
    ]
    return format_html_join("", ' <a href="{}">{}</a>', links)


@dataclass(frozen=True, kw_only=True)
class _Audit:
    """Writes the audit rows of an import: one for each row of the table, and one for the file."""

    request: HttpRequest
    wanted: Import
    name: str
    sha256: str
    made: list[Any] = field(default_factory=list)

    def written(self, kind: str, row: Any, before: Mapping[str, object]) -> None:
        """Note a row that was written, as its own page would."""
        after = admin_forms.snapshot(row)
        was = dict(before)
        if kind == trials.NEW:
            self.made.append(row.pk)
        if kind == trials.CHANGE:
            was, after = admin_forms.differences(was, after)
        self._write("create" if kind == trials.NEW else "change", row, was, after)

    def taken(self, *, row_count: int) -> None:
        """Note that the rows were taken out."""
        self._of_file("take", {"rows": row_count})

    def done(self, trial: Trial) -> None:
        """Note the file."""
        counts = {kind: trial.count(kind) for kind in (trials.NEW, trials.CHANGE, trials.SAME)}
        self._of_file("import", counts)

    def _of_file(self, deed: str, counts: dict[str, int]) -> None:
        # A file has no row of its own; it is known by the beginning of its hash.
        row = self.wanted.model(pk=f"file {self.sha256[:12]}")
        self._write(deed, row, {}, {"file": self.name, "sha256": self.sha256, **counts})

    def _write(self, deed: str, row: Any, before: dict[str, object], after: dict[str, object]) -> None:
        action = f"{self.wanted.model._meta.model_name}.{deed}"
        cast(House, admin.site).write_audit(self.request, action=action, obj=row, before=before, after=after)


def _start(request: HttpRequest, wanted: Import) -> HttpResponseBase:
    """Hand out the rows as they stand, as a file to change and hand in again."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    made = wanted.resource(**_as(request, wanted))
    rows = list(made.get_queryset().order_by("pk")[: reading.ROWS_MAX + 1])
    is_too_many = len(rows) > reading.ROWS_MAX
    keys = list(made.fields)
    columns = [Column(title=made.title_of(key), position=place) for place, key in enumerate(keys)]
    file = io.BytesIO()
    title = _title(wanted)
    zone = timezone.get_current_timezone()
    book = Book(file, columns=columns, look=Look(zone=zone), title=title)
    if not is_too_many:
        book.write([made.fields[key].export(row) for key in keys] for row in rows)
    book.end_rows()
    lines = [sheets.line(words) for words in _rules(wanted)]
    if is_too_many:
        lines.append(sheets.line(gettext("There are too many rows for one file, so it starts empty.")))
    book.close(sheets.Summary(title=gettext("How to"), heading=title, lines=tuple(lines)))
    content = file.getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    audit = _Audit(request=request, wanted=wanted, name=f"{wanted.kind}.xlsx", sha256=sha256)
    audit.taken(row_count=0 if is_too_many else len(rows))
    answer = HttpResponse(content, content_type=Book.content_type)
    answer["Content-Disposition"] = f'attachment; filename="{wanted.kind}.xlsx"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _rules(wanted: Import) -> list[str]:
    """Return how a file is written."""
    keys = ", ".join(wanted.resource.title_of(key) for key in wanted.resource._meta.import_id_fields)
    rules = [
        gettext("A row is found by: %s. What is not found is made new.") % keys,
        gettext("An empty cell keeps what stands there; in a new row it takes the default."),
        gettext("At most %(rows)s rows and %(size)d MB. Everything is applied, or nothing.")
        % {"rows": f"{reading.ROWS_MAX:,}", "size": reading.BYTES_MAX // 1_000_000},
    ]
    return [*rules, str(wanted.note)] if wanted.note else rules


def _as(request: HttpRequest, wanted: Import) -> dict[str, Any]:
    """Return whose rows and rights an import has: those of the person."""
    house, user, meta = cast(House, admin.site), request.user, wanted.model._meta
    return {
        "visible_to": lambda queryset: house.visible_to(user, queryset),
        "may": lambda action: user.has_perm(f"{meta.app_label}.{action}_{meta.model_name}"),
    }


def _salt(request: HttpRequest, wanted: Import) -> str:
    # What one person tried for one table is nothing to another person or table.
    return f"{_SALT}:{wanted.kind}:{request.user.pk}"


def _sealed(request: HttpRequest, wanted: Import, lines: Lines, *, name: str, content: bytes) -> str:
    """Return what was read for the page to carry. Raises: FileRefused when that would be too much."""
    tried = {
        "lines": [[each.sheet, each.row, dict(each.cells)] for each in lines.lines],
        "sheets": list(lines.sheets),
        "name": name[-_NAME_LENGTH_MAX:],
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    sealed = signing.dumps(tried, salt=_salt(request, wanted), compress=True)
    if len(sealed) > _TRIED_BYTES_MAX:
        raise FileRefused(gettext("The file holds too much text. Divide it."))
    return sealed


def _in_short(trial: Trial, *, kinds: tuple[str, ...] = (trials.NEW, trials.CHANGE, trials.SAME)) -> str:
    words = {
        trials.NEW: gettext("new"),
        trials.CHANGE: gettext("changed"),
        trials.SAME: gettext("unchanged"),
    }
    return ", ".join(f"{count:,} {words[kind]}" for kind in kinds if (count := trial.count(kind)))


def _title(wanted: Import) -> str:
    return cast(House, admin.site).title_of(wanted.model)


def _list_url(wanted: Import) -> str:
    meta = wanted.model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")


def _answer(
    request: HttpRequest, wanted: Import, *, form: forms.Form, trial: Trial | None = None,
    lines: Lines | None = None, tried: str = "", name: str = "",
) -> HttpResponse:  # fmt: skip
    is_refused = bool(form.errors) or (trial is not None and bool(trial.faults))
    told = [each for each in trial.outcomes if each.kind != trials.SAME] if trial is not None else []
    context = {
        **admin.site.each_context(request),
        "title": gettext("Import: %s") % _title(wanted),
        "form": form,
        "rules": _rules(wanted),
        "columns": [wanted.resource.title_of(key) for key in wanted.resource._meta.fields],
        "start_url": reverse(f"admin:{wanted.page_name}_start"),
        "list_url": _list_url(wanted),
        "list_name": _title(wanted),
        "trial": trial,
        "lines": lines,
        "tried": tried,
        "name": name,
        "in_short": _in_short(trial) if trial is not None else "",
        "to_write": _in_short(trial, kinds=(trials.NEW, trials.CHANGE)) if trial is not None else "",
        "outcomes": told[:SHOWN_MAX],
        "outcomes_left": max(len(told) - SHOWN_MAX, 0),
        "faults": trial.faults[:SHOWN_MAX] if trial is not None else (),
        "faults_left": max(len(trial.faults) - SHOWN_MAX, 0) if trial is not None else 0,
    }
    return TemplateResponse(request, "admin/imports/page.html", context, status=422 if is_refused else 200)
