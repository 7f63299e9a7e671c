"""Callbacks in, notifications out, and cases."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns, Panel
from diamondpay.lib.admin_list import Key
from records import columns
from records.admin import base
from records.admin.lists import RecordAdmin
from records.models import Case, Notification, NotificationAttempt, UpstreamCallback

_case = Columns(Case)
_callback, _notification, _attempt = base.callback, base.notification, base.notification_attempt


@admin.register(UpstreamCallback)
class UpstreamCallbackAdmin(RecordAdmin):
    """Callbacks as they arrived, each with its one outcome."""

    facts = (
        (None, (
            _callback.text("channel_id", label=_("channel")), _callback.full_moment("received_at"),
            _callback.text("source_address"), _callback.badge("outcome", base.CALLBACK_TONES),
            _callback.text("reason"), _callback.text("reference"),
            _callback.link("payment", shown="payment_id"),
            _callback.link("attempt", shown="reference"), _callback.link("case", shown="key"),
            _callback.text("try_count"), _callback.full_moment("due_at"),
            _callback.full_moment("answered_at"),
            _callback.text("body_bytes"), _callback.folded("headers"), _callback.folded("body"),
        )),
    )  # fmt: skip


def _attempts(record: Notification) -> QuerySet[NotificationAttempt]:
    return NotificationAttempt.objects.filter(notification=record).order_by("number")


@admin.register(Notification)
class NotificationAdmin(RecordAdmin):
    """Notifications to merchants. Source: seed 000, Notification Details."""

    facts = (
        (None, (
            _notification.text("webhook_id"), _notification.text("order_no"), _notification.link("merchant"),
            _notification.link("payment", shown="payment_id"),
            _notification.link("payout", shown="payout_id"),
            _notification.badge("state", base.NOTIFICATION_TONES),
            _notification.computed(columns.status_told, name="order_status", label=_("order status told")),
            _notification.text("order_version"), _notification.text("dialect"),
            _notification.text("sign_type"),
            _notification.text("url"), _notification.text("attempt_count"),
            _notification.text("attempt_count_max"),
            _notification.full_moment("created_at"), _notification.full_moment("due_at"),
            _notification.full_moment("leased_until"), _notification.full_moment("finished_at"),
            _notification.text("last_reason"), _notification.folded("facts"),
        )),
    )  # fmt: skip
    panels = (
        Panel(
            title=_("Attempts"), rows=_attempts,
            columns=(
                _attempt.page("number"), _attempt.full_moment("started_at"), _attempt.text("http_status"),
                _attempt.text("is_success"), _attempt.text("duration_ms"), _attempt.text("reason"),
                _attempt.folded("body"), _attempt.folded("answer"),
            ),
        ),
    )  # fmt: skip


@admin.register(NotificationAttempt)
class NotificationAttemptAdmin(ReadOnlyAdmin):
    """Every sending of a notification."""

    list_display = (
        _attempt.page("id", label=_("attempt")), _attempt.link("notification", shown="order_no"), "number",
        _attempt.moment("started_at"), "http_status", _attempt.text("is_success"), "duration_ms", "reason",
    )  # fmt: skip
    list_display_links = None
    list_select_related = ("notification",)
    exact_search = (
        Key(field="notification__webhook_id", label=_("webhook-id"), length_max=64, newest_first="-id"),
    )
    facts = (
        (None, (
            _attempt.link("notification", shown="webhook_id"), _attempt.text("number"),
            _attempt.full_moment("started_at"), _attempt.full_moment("finished_at"), _attempt.text("url"),
            _attempt.text("is_success"), _attempt.text("http_status"), _attempt.text("duration_ms"),
            _attempt.text("reason"), _attempt.folded("body"), _attempt.folded("answer"),
        )),
    )  # fmt: skip


@admin.register(Case)
class CaseAdmin(RecordAdmin):
    """What a person must decide. Decided by an act, not here."""

    facts = (
        (None, (
            _case.text("key"), _case.text("kind"), _case.badge("status", base.CASE_TONES),
            _case.link("merchant"),
            _case.text("channel_id", label=_("channel")), _case.link("payment", shown="payment_id"),
            _case.link("payout", shown="payout_id"), _case.link("posting", shown="effect_key"),
            _case.money("amount"),
            _case.text("summary"), _case.full_moment("opened_at"), _case.full_moment("closed_at"),
            _case.text("closed_by"), _case.text("resolution"),
        )),
    )  # fmt: skip
    panels = (base.callbacks_panel("case"),)
