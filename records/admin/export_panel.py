"""The home panel of files that are made every day and were not: a failure is never silent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import pages
from records import filters
from records.models import ExportSchedule

ROWS_MAX = 5


def failed_schedules(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Return the person's own schedules that failed last; nothing to show without one."""
    own = filters.visible_to(request.user, ExportSchedule.objects.exclude(last_error=""))
    rows = list(own.order_by("-last_run_at", "-id")[:ROWS_MAX])
    return {"rows": rows, "title": _("Scheduled files that failed")} if rows else None


pages.add_panel(
    pages.Panel(
        name="failed_files",
        order=60,
        template="admin/exports/panel.html",
        permissions=("records.view_exportschedule",),
        context=failed_schedules,
    )
)
