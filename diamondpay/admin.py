"""The pages of the kernel's models: people, the audit trail, what people keep, heartbeats."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from diamondpay.lib.admin import AuditedAdmin, ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.models import Heartbeat, Preference, SavedView
from diamondpay.people import accounts, audit_admin, role_admin, security, user_admin

__all__ = ["accounts", "audit_admin", "role_admin", "security", "user_admin"]


@admin.register(SavedView)
class SavedViewAdmin(AuditedAdmin):
    """Saved views. People see and change their own."""

    list_display = ("name", "page", "owner", "shared_with", "created_at")
    list_select_related = ("owner", "shared_with")
    fieldsets = ((None, {"fields": ("name", "page", "query", "shared_with")}),)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A new view belongs to who made it."""
        if not change:
            obj.owner = request.user
        super().save_model(request, obj, form, change)


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin):
    """Remembered choices, as the pages store them."""

    list_display = ("key", "user", "value")
    list_select_related = ("user",)


_heartbeat = Columns(Heartbeat)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    """When each background part last showed that it lives."""

    list_display = ("name", _heartbeat.full_moment("beat_at"))
    ordering = ("name",)
