"""Files of records: jobs, templates, schedules."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("records", "0006_entries_without_foreign_keys"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ExportTemplate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("kind", models.CharField(max_length=32, verbose_name="record")),
                ("columns", models.JSONField(default=list, verbose_name="columns")),
                (
                    "format",
                    models.CharField(
                        choices=[("xlsx", "Excel (XLSX)"), ("csv", "CSV")],
                        default="xlsx",
                        max_length=4,
                        verbose_name="format",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="export_templates",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "shared_with",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="auth.group",
                        verbose_name="shared with role",
                    ),
                ),
            ],
            options={
                "verbose_name": "export template",
                "verbose_name_plural": "export templates",
            },
        ),
        migrations.CreateModel(
            name="ExportSchedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("kind", models.CharField(max_length=32, verbose_name="record")),
                (
                    "query",
                    models.TextField(
                        blank=True,
                        help_text="The part of the list's address behind the question mark, such as created=yesterday.",
                        verbose_name="filters",
                    ),
                ),
                ("time_of_day", models.TimeField(verbose_name="time of day")),
                ("zone", models.CharField(max_length=64, verbose_name="time zone")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                (
                    "next_run_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="next run"),
                ),
                (
                    "last_run_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last run"),
                ),
                (
                    "failure_count",
                    models.PositiveIntegerField(default=0, editable=False, verbose_name="failures in a row"),
                ),
                (
                    "last_error",
                    models.CharField(blank=True, editable=False, max_length=500, verbose_name="last failure"),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "recipients",
                    models.ManyToManyField(
                        related_name="export_schedules",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="recipients",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="schedules",
                        to="records.exporttemplate",
                        verbose_name="template",
                    ),
                ),
            ],
            options={
                "verbose_name": "scheduled export",
                "verbose_name_plural": "scheduled exports",
            },
        ),
        migrations.CreateModel(
            name="ExportJob",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=32, verbose_name="record")),
                ("query", models.TextField(blank=True, verbose_name="filters")),
                ("columns", models.JSONField(default=list, verbose_name="columns")),
                (
                    "format",
                    models.CharField(
                        choices=[("xlsx", "Excel (XLSX)"), ("csv", "CSV")],
                        max_length=4,
                        verbose_name="format",
                    ),
                ),
                ("zone", models.CharField(max_length=64, verbose_name="time zone")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Ready"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                        ],
                        default="queued",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("requested_at", models.DateTimeField(verbose_name="requested")),
                ("started_at", models.DateTimeField(blank=True, null=True, verbose_name="started")),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished")),
                ("snapshot_at", models.DateTimeField(blank=True, null=True, verbose_name="rows as of")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires")),
                (
                    "rows_expected",
                    models.BigIntegerField(blank=True, null=True, verbose_name="rows expected"),
                ),
                ("rows_done", models.BigIntegerField(default=0, verbose_name="rows")),
                ("attempt_count", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                (
                    "leased_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="in a worker's hands until"),
                ),
                ("worker", models.CharField(blank=True, max_length=100, verbose_name="worker")),
                ("error", models.CharField(blank=True, max_length=500, verbose_name="what went wrong")),
                ("file_name", models.CharField(blank=True, max_length=160, verbose_name="file")),
                ("stored_name", models.CharField(blank=True, max_length=100, verbose_name="stored as")),
                ("size_bytes", models.BigIntegerField(blank=True, null=True, verbose_name="bytes")),
                ("sha256", models.CharField(blank=True, max_length=64, verbose_name="SHA-256")),
                (
                    "data_sha256",
                    models.CharField(blank=True, max_length=64, verbose_name="SHA-256 of the data"),
                ),
                ("summary", models.JSONField(blank=True, default=list, verbose_name="summary")),
                (
                    "confined_to",
                    models.JSONField(blank=True, null=True, verbose_name="rows of these merchants only"),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="export_jobs",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="jobs",
                        to="records.exportschedule",
                        verbose_name="scheduled export",
                    ),
                ),
            ],
            options={
                "verbose_name": "file",
                "verbose_name_plural": "files",
                "indexes": [
                    models.Index(fields=["requested_by", "-id"], name="export_of_user"),
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["id"],
                        name="export_open",
                    ),
                    models.Index(
                        condition=models.Q(("state", "done")), fields=["expires_at"], name="export_to_expire"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("leased_until__isnull", False), ("state", "running")),
                            models.Q(
                                models.Q(("state", "running"), _negated=True), ("leased_until__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="export_running_is_leased",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "done"), _negated=True),
                            models.Q(
                                models.Q(("stored_name", ""), _negated=True),
                                models.Q(("sha256", ""), _negated=True),
                                ("expires_at__isnull", False),
                                ("finished_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="export_done_has_file",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "done"), ("stored_name", ""), _connector="OR"),
                        name="export_file_only_when_done",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "failed"), _negated=True),
                            models.Q(("error", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="export_failed_has_words",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="exporttemplate",
            constraint=models.UniqueConstraint(
                fields=("owner", "kind", "name"), name="export_template_name_once"
            ),
        ),
        migrations.AddIndex(
            model_name="exportschedule",
            index=models.Index(
                condition=models.Q(("is_active", True)), fields=["next_run_at"], name="export_schedule_due"
            ),
        ),
    ]
