"""The pages of files: the form, what a job shows of itself while it runs, the download, the indicator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext

from diamondpay.lib import clock, errors, pages
from diamondpay.lib.admin import address_of
from diamondpay.models import User
from merchants import access
from records.exports import building, choices, jobs, kinds
from records.exports.choices import Choice
from records.models import ExportFormat, ExportJob, ExportTemplate

SESSION_KEY = "exports"
_SHOWN_MAX = 5
_NAME_LENGTH_MAX = 100
State = ExportJob.State
TONES = {
    State.QUEUED: "progress", State.RUNNING: "progress", State.DONE: "success", State.FAILED: "failed",
    State.CANCELLED: "closed", State.EXPIRED: "closed",
}  # fmt: skip


def new(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Show the form of a file of the list's rows, arrange its columns, and put the file in the queue."""
    user, now = _user(request), clock.now()
    if kind not in kinds.KINDS or not jobs.may_export(user, kind):
        raise PermissionDenied
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    query = request.POST.get("query", "") if request.method == "POST" else request.GET.urlencode()
    choice = _choice(request, kind, user)
    zone = request.POST.get("zone", timezone.get_current_timezone_name())
    complaints: dict[str, str] = {}
    if request.method == "POST" and "make" in request.POST:
        wanted = jobs.Wanted(kind=kind, query=query, columns=choice.chosen, format=choice.format, zone=zone)
        try:
            answer = made(request, wanted=wanted, now=now)
            choices.remember(kind=kind, user=user, choice=choice)
            return answer
        except errors.InvalidInput as refusal:
            complaints = {name: str(words) for name, words in refusal.fields.items()}
    if request.method == "POST" and "save" in request.POST:
        complaints |= _saved(request, kind=kind, user=user, choice=choice)
    return _form(request, kind=kind, query=query, choice=choice, zone=zone, complaints=complaints, now=now)


def _choice(request: HttpRequest, kind: str, user: User) -> Choice:
    if request.method != "POST":
        return choices.first(kind=kind, user=user)
    if "use" in request.POST:
        chosen = request.POST.get("template", "")
        usable = choices.templates_for(kind=kind, user=user)
        template = usable.filter(pk=chosen).first() if chosen.isascii() and chosen.isdigit() else None
        return choices.first(kind=kind, user=user, template=template)
    choice = choices.arranged(
        offered=kinds.KINDS[kind].offered(user),
        order=request.POST.getlist("order"),
        chosen=request.POST.getlist("chosen"),
        wanted_format=request.POST.get("format", ""),
    )
    direction, _colon, key = request.POST.get("move", "").partition(":")
    choice = choice.moved(key, to=direction)
    return choice.picked(request.POST.get("pick", ""))


def made(request: HttpRequest, *, wanted: jobs.Wanted, now: datetime) -> HttpResponseRedirect:
    """Put a file in the queue and lead to its page; a small one is there before that page is.

    Raises: InvalidInput, NotAllowed.
    """
    job = jobs.request(wanted=wanted, user=_user(request), now=now, address=address_of(request))
    _watch(request, job)
    building.build_small(job=job, worker="web")
    return HttpResponseRedirect(_job_url(job))


def _saved(request: HttpRequest, *, kind: str, user: User, choice: Choice) -> dict[str, str]:
    """Save the choice as a template; return what is wrong."""
    name = request.POST.get("name", "").strip()
    if not user.has_perm("records.add_exporttemplate"):
        raise PermissionDenied
    if not name or len(name) > _NAME_LENGTH_MAX or not name.isprintable():
        return {"name": gettext("Give the template a name of at most %d characters.") % _NAME_LENGTH_MAX}
    if not choice.chosen:
        return {"columns": gettext("Choose at least one column.")}
    role = request.POST.get("role", "")
    role_id = int(role) if role.isascii() and role.isdigit() and len(role) < 10 else None
    template = choices.save_template(kind=kind, user=user, name=name, choice=choice, role_id=role_id)
    messages.success(request, gettext("The template “%s” is saved.") % template.name)
    return {}


def _form(
    request: HttpRequest, *, kind: str, query: str, choice: Choice, zone: str, complaints: dict[str, str],
    now: datetime,
) -> TemplateResponse:  # fmt: skip
    user, source = _user(request), kinds.KINDS[kind]
    current: Any = timezone.get_current_timezone()
    asked = source.read(query, user, current, now)
    may_share = access.merchants_of(user) is None
    templates = list(choices.templates_for(kind=kind, user=user))
    context = {
        **admin.site.each_context(request),
        "title": gettext("Export: %s") % source.title,
        "kind": kind,
        "query": asked.query if not asked.errors else query,
        "filters": asked.words,
        "filter_errors": asked.errors,
        "list_url": source.page(asked.query),
        "choice": choice,
        "formats": ExportFormat.choices,
        "zones": choices.zones_for(
            user=user, current=str(current.key), platform=str(settings.DEFAULT_TIME_ZONE)
        ),
        "zone_chosen": zone,
        "templates": templates,
        "may_save": user.has_perm("records.add_exporttemplate"),
        "roles": list(user.groups.order_by("name")) if may_share else [],
        "complaints": complaints,
        "template_name": request.POST.get("name", ""),
        "schedule_query": urlencode(
            [
                ("kind", kind),
                ("query", asked.query),
                ("recipients", str(user.pk)),
                *_template_of(request, templates),
            ]
        ),
    }
    return TemplateResponse(request, "admin/exports/new.html", context, status=422 if complaints else 200)


def _template_of(request: HttpRequest, templates: Sequence[ExportTemplate]) -> list[tuple[str, str]]:
    """Return the template that was used or saved last on the form, for a file like this every day."""
    posted, name = request.POST, request.POST.get("name", "").strip()
    for each in templates:
        is_used = "use" in posted and str(each.pk) == posted.get("template")
        if is_used or ("save" in posted and each.owner_id == request.user.pk and each.name == name):
            return [("template", str(each.pk))]
    return [("template", str(templates[0].pk))] if len(templates) == 1 else []


def shown(request: HttpRequest, job: ExportJob) -> dict[str, Any]:
    """Return what a job's page and its parts show: state, progress with a number, what can be done now."""
    now = clock.now()
    seconds = max((now - job.started_at).total_seconds(), 0.001) if job.started_at else 0.0
    rate = job.rows_done / seconds if seconds and job.state == State.RUNNING else 0.0
    missing = (job.rows_expected or 0) - job.rows_done
    ahead = (
        ExportJob.objects.filter(state=State.QUEUED, pk__lt=job.pk).count()
        if job.state == State.QUEUED
        else 0
    )
    running = ExportJob.objects.filter(requested_by_id=job.requested_by_id, state=State.RUNNING).count()
    is_over = job.expires_at is not None and job.expires_at <= now
    return {
        "job": job,
        "source": kinds.KINDS.get(job.kind),
        "list_url": kinds.KINDS[job.kind].page(job.query) if job.kind in kinds.KINDS else "",
        "tone": TONES[State(job.state)],
        "is_open": job.state in jobs.OPEN_STATES,
        "percent": min(100, round(100 * job.rows_done / job.rows_expected)) if job.rows_expected else None,
        "rate": round(rate),
        "seconds_left": round(missing / rate) if rate and missing > 0 else None,
        "ahead": ahead,
        "waits_for_own": job.state == State.QUEUED and running >= jobs.RUNNING_PER_USER_MAX,
        "refused": jobs.refused_now(job=job, user=_user(request)) if job.state == State.DONE else "",
        "may_take": job.state == State.DONE and not is_over,
        "is_own": job.requested_by_id == request.user.pk,
        "columns": _column_names(job, request.user),
        "may_retry": job.state in (State.FAILED, State.CANCELLED, State.EXPIRED),
    }


def _column_names(job: ExportJob, user: Any) -> list[str]:
    kind = kinds.KINDS.get(job.kind)
    names = {each.key: each.label for each in kind.offered(user)} if kind is not None else {}
    return [names[key] for key in job.columns if key in names]


def progress(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Show the part of a job's page that changes while the file is made."""
    job = _job(request, pk)
    return TemplateResponse(request, "admin/exports/progress.html", shown(request, job))


def cancel(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Give a job up."""
    return _act(request, pk, lambda job, user, now: jobs.cancel(job=job, user=user, now=now))


def retry(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Make a file again."""

    def again(job: ExportJob, user: User, now: datetime) -> None:
        queued = jobs.retry(job=job, user=user, now=now)
        _watch(request, queued)
        building.build_small(job=queued, worker="web")

    return _act(request, pk, again)


def _act(
    request: HttpRequest, pk: int, deed: Callable[[ExportJob, User, datetime], object]
) -> HttpResponseBase:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    job = _job(request, pk)
    try:
        deed(job, _user(request), clock.now())
    except errors.NotAllowed:
        raise PermissionDenied from None
    except errors.DomainError as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(_job_url(job))


def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Hand out a file, after another look at whether this person may have it."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    job = _job(request, pk)
    try:
        file = jobs.take(job=job, user=_user(request), now=clock.now(), address=address_of(request))
    except jobs.FileGone as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(_job_url(job))
    answer = FileResponse(file, as_attachment=True, filename=job.file_name, content_type=_content_type(job))
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def indicator(request: HttpRequest) -> HttpResponseBase:
    """Show in the top bar how far the files are that this session asked for."""
    watched = [pk for pk in request.session.get(SESSION_KEY, []) if isinstance(pk, int)]
    found = list(jobs.of_user(_user(request)).filter(pk__in=watched[-_SHOWN_MAX:])) if watched else []
    running = [job for job in found if job.state in jobs.OPEN_STATES]
    rows_done = sum(job.rows_done for job in running)
    rows_expected = sum(job.rows_expected or 0 for job in running)
    ended = next((job for job in found if job.state not in jobs.OPEN_STATES), None)
    context = {
        "running": running,
        "ended": ended,
        "tone": TONES[State(ended.state)] if ended else "",
        "newest": running[0] if running else None,
        "percent": min(99, round(100 * rows_done / rows_expected)) if rows_expected else 0,
    }
    return TemplateResponse(request, "admin/exports/indicator.html", context)


def seen(request: HttpRequest, job: ExportJob) -> None:
    """Take an ended job out of the top bar once its page was shown."""
    watched = request.session.get(SESSION_KEY, [])
    if job.state not in jobs.OPEN_STATES and job.pk in watched:
        request.session[SESSION_KEY] = [pk for pk in watched if pk != job.pk]


def _watch(request: HttpRequest, job: ExportJob) -> None:
    watched = [pk for pk in request.session.get(SESSION_KEY, []) if pk != job.pk]
    request.session[SESSION_KEY] = [*watched, job.pk][-_SHOWN_MAX:]


def _job(request: HttpRequest, pk: int) -> ExportJob:
    """Return the person's own job; another's is unknown. Raises: Http404."""
    user = _user(request)
    if pk > 2**63 - 1:
        raise Http404
    return get_object_or_404(jobs.of_user(user).select_related("requested_by"), pk=pk)


def _job_url(job: ExportJob) -> str:
    return reverse("admin:records_exportjob_change", args=[job.pk])


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _content_type(job: ExportJob) -> str:
    return building.WRITERS[job.format].content_type


_MAY = (jobs.PERMISSION,)
for _page in (
    pages.Page(path="exports/new/<slug:kind>/", name="export", view=new, permissions=_MAY),
    pages.Page(path="exports/<int:pk>/progress/", name="export_progress", view=progress, permissions=_MAY),
    pages.Page(path="exports/<int:pk>/cancel/", name="export_cancel", view=cancel, permissions=_MAY),
    pages.Page(path="exports/<int:pk>/retry/", name="export_retry", view=retry, permissions=_MAY),
    pages.Page(path="exports/<int:pk>/file/", name="export_file", view=download, permissions=_MAY),
    pages.Page(path="exports/indicator/", name="export_indicator", view=indicator, permissions=_MAY),
):
    pages.add_page(_page)
