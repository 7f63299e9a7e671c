"""Acts as they were asked for and decided: read here, done on the pages of operations."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from diamondpay.lib.filter_kinds import Several
from operations import (
    home,
    order_acts,
    order_acts_messages,
    order_acts_payout,
    order_events,
    wallet_requests,
)
from operations.models import Act, FormToken

__all__ = [
    "ActAdmin", "home", "order_acts", "order_acts_messages", "order_acts_payout", "order_events",
    "wallet_requests",
]  # fmt: skip

_act = Columns(Act)
_TONES = {"requested": "review", "executed": "success", "rejected": "closed"}


@admin.register(Act)
class ActAdmin(ReadOnlyAdmin):
    """Acts, newest first."""

    list_display = (
        _act.page("id", label=_("act")), _act.text("kind"), _act.badge("state", _TONES), "object_kind",
        "object_id",
        "reason", _act.text("requested_by"), _act.moment("requested_at"), _act.text("decided_by"),
        _act.moment("decided_at"),
    )  # fmt: skip
    list_display_links = None
    filters = {"state": Several("state"), "kind": Several("kind")}
    list_select_related = ("requested_by", "decided_by")
    exact_search = (
        Key(field="request_id", label=_("request id"), length_max=64),
        Key(field="object_id", label=_("object id"), length_max=64, newest_first="-id"),
    )
    facts = (
        (None, (
            _act.text("request_id"), _act.text("kind"), _act.badge("state", _TONES), _act.text("object_kind"),
            _act.text("object_id"), _act.text("reason"), _act.text("requested_by"),
            _act.full_moment("requested_at"),
            _act.text("decided_by"), _act.full_moment("decided_at"), _act.text("decision_reason"),
            _act.folded("evidence"),
        )),
    )  # fmt: skip


_token = Columns(FormToken)


@admin.register(FormToken)
class FormTokenAdmin(ReadOnlyAdmin):
    """Forms of acts that were sent: each does its deed once."""

    list_display = ("id", "act", "object_id", _token.text("user"), _token.moment("used_at"))
    list_select_related = ("user",)
    exact_search = (Key(field="token", label=_("token"), length_max=32),)
    facts = (
        (None, (
            _token.text("token"), _token.text("act"), _token.text("object_id"), _token.text("user"),
            _token.full_moment("used_at"), _token.folded("outcome"),
        )),
    )  # fmt: skip
