"""The home page's panel of operations: acts that wait for a second person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import pages
from diamondpay.lib.admin_columns import Columns, link_to
from operations.models import Act
from records import filters
from records.admin import home

_act = Columns(Act)


def _link(act: Act) -> Any:
    return link_to(Act, act.pk, act.get_kind_display())


def waiting_acts(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Show what was asked for and nobody has decided."""
    if filters.confined_to(request.user) is not None:
        return None
    waiting = Act.objects.filter(state=Act.State.REQUESTED).select_related("requested_by", "currency")
    columns = (
        _act.computed(_link, name="kind", label=_("act")), _act.text("object_name"),
        _act.money("amount"), _act.text("requested_by"), _act.moment("requested_at"),
    )  # fmt: skip
    return home.table(
        title=_("Acts waiting for a decision"),
        rows=filters.visible_to(request.user, waiting).order_by("requested_at", "id"),
        columns=columns,
        url=reverse("admin:acts_waiting"),
        nothing=_("No act waits for a decision."),
        note=_("Oldest first. Whoever asked for an act cannot decide it."),
    )


pages.add_panel(
    pages.Panel(
        name="acts", order=31, template="admin/home/rows.html", permissions=("operations.decide_act",),
        context=waiting_acts,
    )
)  # fmt: skip
