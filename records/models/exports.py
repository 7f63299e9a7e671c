"""Files of records: who asked for which rows, how far it is, and what is made every day."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from diamondpay.models import User


class ExportFormat(models.TextChoices):
    """What a file may be."""

    XLSX = "xlsx", _("Excel (XLSX)")
    CSV = "csv", _("CSV")


class ExportTemplate(models.Model):
    """A named choice of columns and format of one record, private or shared with a role."""

    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("record"), max_length=32)
    columns = models.JSONField(_("columns"), default=list)
    format = models.CharField(_("format"), max_length=4, choices=ExportFormat, default=ExportFormat.XLSX)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="export_templates", verbose_name=_("owner")
    )
    shared_with = models.ForeignKey(
        "auth.Group",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("shared with role"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("export template")
        verbose_name_plural = _("export templates")
        constraints = [
            models.UniqueConstraint(fields=["owner", "kind", "name"], name="export_template_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class ExportSchedule(models.Model):
    """A file that is made every day at a time of day, for each recipient with what they may see."""

    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("record"), max_length=32)
    query = models.TextField(
        _("filters"),
        blank=True,
        help_text=_("The part of the list's address behind the question mark, such as created=yesterday."),
    )
    template = models.ForeignKey(
        ExportTemplate, models.PROTECT, related_name="schedules", verbose_name=_("template")
    )
    time_of_day = models.TimeField(_("time of day"))
    zone = models.CharField(_("time zone"), max_length=64)
    recipients: models.ManyToManyField[User, models.Model] = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="export_schedules", verbose_name=_("recipients")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("owner"), editable=False
    )
    is_active = models.BooleanField(_("active"), default=True)
    next_run_at = models.DateTimeField(_("next run"), null=True, blank=True, editable=False)
    last_run_at = models.DateTimeField(_("last run"), null=True, blank=True, editable=False)
    failure_count = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    last_error = models.CharField(_("last failure"), max_length=500, blank=True, editable=False)

    class Meta:
        verbose_name = _("scheduled export")
        verbose_name_plural = _("scheduled exports")
        indexes = [
            models.Index(fields=["next_run_at"], name="export_schedule_due", condition=Q(is_active=True))
        ]

    def __str__(self) -> str:
        return self.name


class ExportJob(models.Model):
    """One file: asked for, queued, built, offered, expired. Changed by `records.exports.jobs` alone.

    queued ──► running ──► done ──► expired
       │          ├──────► failed ──► queued   (retried)
       └──────────┴──────► cancelled
    running ──► queued   (its worker died; three times in all)
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        EXPIRED = "expired", _("Expired")

    kind = models.CharField(_("record"), max_length=32)
    query = models.TextField(_("filters"), blank=True)
    columns = models.JSONField(_("columns"), default=list)
    format = models.CharField(_("format"), max_length=4, choices=ExportFormat)
    zone = models.CharField(_("time zone"), max_length=64)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="export_jobs",
        verbose_name=_("requested by"),
        db_index=False,
    )
    schedule = models.ForeignKey(
        ExportSchedule,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="jobs",
        verbose_name=_("scheduled export"),
    )
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.QUEUED)
    requested_at = models.DateTimeField(_("requested"))
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    snapshot_at = models.DateTimeField(_("rows as of"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    rows_expected = models.BigIntegerField(_("rows expected"), null=True, blank=True)
    rows_done = models.BigIntegerField(_("rows"), default=0)
    attempt_count = models.PositiveSmallIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(_("in a worker's hands until"), null=True, blank=True)
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    error = models.CharField(_("what went wrong"), max_length=500, blank=True)
    file_name = models.CharField(_("file"), max_length=160, blank=True)
    stored_name = models.CharField(_("stored as"), max_length=100, blank=True)
    size_bytes = models.BigIntegerField(_("bytes"), null=True, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    data_sha256 = models.CharField(_("SHA-256 of the data"), max_length=64, blank=True)
    summary = models.JSONField(_("summary"), default=list, blank=True)
    confined_to = models.JSONField(_("rows of these merchants only"), null=True, blank=True)

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints = [
            models.CheckConstraint(
                condition=Q(state="running", leased_until__isnull=False)
                | (~Q(state="running") & Q(leased_until__isnull=True)),
                name="export_running_is_leased",
            ),
            models.CheckConstraint(
                condition=~Q(state="done")
                | (
                    ~Q(stored_name="")
                    & ~Q(sha256="")
                    & Q(expires_at__isnull=False, finished_at__isnull=False)
                ),
                name="export_done_has_file",
            ),
            models.CheckConstraint(
                condition=Q(state="done") | Q(stored_name=""), name="export_file_only_when_done"
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(error=""), name="export_failed_has_words"
            ),
        ]
        indexes = [
            models.Index(fields=["requested_by", "-id"], name="export_of_user"),
            models.Index(fields=["id"], name="export_open", condition=Q(state__in=["queued", "running"])),
            models.Index(fields=["expires_at"], name="export_to_expire", condition=Q(state="done")),
        ]

    def __str__(self) -> str:
        return self.file_name or f"{self.kind} {self.pk}"
