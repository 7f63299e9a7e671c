"""Acts on an order's timeline: what was asked for by whom with which evidence, and how it was decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _t

from diamondpay.lib import masking
from operations.models import Act
from records import filters
from records.admin import life, parts, timeline

_TONES = {Act.State.EXECUTED: "success", Act.State.REJECTED: "closed", Act.State.EXPIRED: "closed"}


def of_order(order: life.Order, user: Any) -> list[timeline.Event]:
    """Return the acts on an order that the person may see, the newest where there are very many."""
    rows = filters.visible_to(user, Act.objects.all())
    acts = (
        rows.filter(object_kind=life.kind_of(order), object_id=life.number_of(order))
        .select_related("requested_by", "decided_by")
        .order_by("-requested_at")[: life.FIRST_MAX + life.LAST_MAX]
    )
    return [event for act in acts for event in _events(act)]


def _events(act: Act) -> Iterator[timeline.Event]:
    kind = str(act.get_kind_display())
    link = timeline.Link(parts.page_url(Act, act.pk), _t("Act"))
    evidence = masking.readable(act.evidence)
    yield timeline.Event(
        at=act.requested_at, kind="act", tone="review", title=_t("Asked for: %s") % kind, why=act.reason,
        who=act.requested_by.get_username(), link=link,
        bodies=((_t("Evidence"), evidence),) if evidence else (),
    )  # fmt: skip
    if act.decided_at is not None:
        yield timeline.Event(
            at=act.decided_at, kind="act", tone=_TONES.get(Act.State(act.state), "review"), link=link,
            title=f"{kind}: {str(act.get_state_display()).lower()}", why=act.decision_reason,
            who=act.decided_by.get_username() if act.decided_by is not None else "",
        )  # fmt: skip


timeline.add_source(
    timeline.Source(name="acts", permission="operations.view_act", read=of_order, replaces="act.")
)
