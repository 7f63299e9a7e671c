"""The request log: what merchants called in the last 30 days, and what they were answered."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import clock
from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns, dash
from diamondpay.lib.filter_kinds import Related, Text
from diamondpay.lib.filter_moments import Moments
from merchants.calls import upkeep
from merchants.models import ApiCall, Credential

_call = Columns(ApiCall)
_APIS = dict(Credential.Api.choices)


def _api(row: ApiCall) -> Any:
    return _APIS.get(row.api, row.api)


def _status(row: ApiCall) -> Any:
    # An API of ours that answers 200 says by its code whether that is a yes.
    is_yes = row.status < 400 and row.code in ("", "0000", "SUCCESS")
    return format_html('<span class="badge {}">{}</span>', "success" if is_yes else "failed", row.status)


def _caller(row: ApiCall) -> Any:
    return gettext("proved") if row.is_proved else gettext("not proved: no body is kept")


def _key_id(row: ApiCall) -> Any:
    # No foreign key holds it: what is gone leaves a dash.
    if row.credential_id is None:
        return dash()
    found = Credential.objects.filter(pk=row.credential_id).values_list("public_id", flat=True)
    return found.first() or dash()


@admin.register(ApiCall)
class ApiCallAdmin(ReadOnlyAdmin):
    """Calls of the APIs, newest first. Bodies are masked; of callers who proved nothing, not kept."""

    list_display = (
        _call.page("id", label=_("call")), _call.moment("created_at"), _call.text("merchant_id"),
        _call.text("method"), _call.text("path"), _call.computed(_status, name="status", label=_("HTTP")),
        _call.text("code"), _call.number("duration_ms", label=_("ms")), _call.text("address"),
    )  # fmt: skip
    list_display_links = None
    filters = {
        "merchant": Related("merchant", is_many=True),
        "created": Moments("created_at"),
        "code": Text("code"),
        "path": Text("path"),
    }
    facts = (
        (None, (
            _call.full_moment("created_at"), _call.text("merchant_id", label=_("merchant")),
            _call.computed(_caller, name="caller", label=_("caller")),
            _call.computed(_key_id, name="key", label=_("key id")), _call.text("address"),
            _call.computed(_api, name="api", label=_("API")), _call.text("method"), _call.text("path"),
            _call.computed(_status, name="status", label=_("HTTP")), _call.text("code"),
            _call.number("duration_ms", label=_("milliseconds")), _call.number("lost_before"),
        )),
        (_("Bodies, masked, at most 2 kB"), (_call.folded("request"), _call.folded("answer"))),
    )  # fmt: skip

    def list_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leave the bodies to the page of a call."""
        return queryset.defer("request", "answer")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, and say to who sees all of it how many calls are missing."""
        if request.method == "GET" and self.has_view_permission(request):
            lost = upkeep.lost_count(now=clock.now()) if self._sees_all(request) else 0
            if lost:
                words = ngettext(
                    "%d call of the last day was answered as always and is not in this log.",
                    "%d calls of the last day were answered as always and are not in this log.",
                    lost,
                )
                messages.warning(request, words % lost)
        return super().changelist_view(request, extra_context)

    def _sees_all(self, request: HttpRequest) -> bool:
        """Say whether the person is nobody's member: how many are missing is told of all merchants alike."""
        everything = ApiCall.objects.all()
        return self.house.visible_to(request.user, everything) is everything
