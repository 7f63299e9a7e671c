"""Pages of acts that wait: the list of them, the two decisions, and the hand-over of a new key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from diamondpay.lib import clock, errors, pages
from diamondpay.lib.admin import address_of
from diamondpay.models import User
from operations import act_pages, approval_rules, approvals, deeds, effects, hindrances, objects
from operations.act_pages import ActPage, Asked, Change, Done
from operations.models import Act
from records import filters
from records.admin import parts

DECIDE = "operations.decide_act"
_SHOWN_MAX = 200


def act(user: User, object_id: str, is_locked: bool) -> Act | None:
    """Return an act that the person may see."""
    if not objects.is_number(object_id):
        return None
    rows = Act.objects.select_related("requested_by", "decided_by", "decider_role", "currency")
    if is_locked:
        rows = rows.select_for_update(of=("self",))
    return filters.visible_to(user, rows).filter(pk=int(object_id)).first()


def why_not(
    user: User, found: Act, now: datetime, decider: approval_rules.Decider | None = None
) -> str | None:
    """Say in words why this person cannot decide this act now; None when they can.

    Whoever asks for many acts gives the `decider` that the person is.
    """
    if found.state != Act.State.REQUESTED:
        return _t("This act is decided: %s.") % str(found.get_state_display()).lower()
    if found.expires_at is not None and found.expires_at <= now:
        return str(approvals.ActExpired.words)
    if found.requested_by_id == user.pk:
        return _t("This is your own request. Another person decides it; that holds for everybody.")
    if not (decider or approval_rules.Decider(user)).may(found):
        if found.decider_role is None:
            return _t("You do not decide acts.")
        return _t("This act is decided by the role “%s”.") % found.decider_role.name
    return None


def stale(found: Act, obj: Any, now: datetime) -> str | None:
    """Say in words why an act that waits can no longer be executed: what it was asked for has passed."""
    words = deeds.DEEDS[Act.Kind(found.kind)].stale(obj, found.evidence, now)
    return None if words is None else str(words)


def object_of(found: Act, user: User) -> Any:
    """Return what the act is done to, None where it is gone or not the person's to see."""
    return deeds.load(kind=found.kind, object_kind=found.object_kind, object_id=found.object_id, user=user)


def changes(found: Act, user: User) -> Sequence[Change]:
    """Return the table of an act that waits, computed anew from its frozen evidence."""
    obj = object_of(found, user)
    return effects.of(found.kind, obj, found.evidence) if obj is not None else ()


def facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
    """Return what was asked for: by whom, why, with which evidence, until when it can be decided."""
    found: Act = asked.obj
    rows: list[tuple[Any, Any]] = [
        (_("act"), found.get_kind_display()),
        (_("object"), found.object_name or found.object_id),
        (_("asked for by"), found.requested_by.get_username()),
        (_("why"), found.reason),
        (_("asked for"), parts.moment(found.requested_at)),
        (_("expires"), parts.moment(found.expires_at)),
    ]
    return [*rows, *evidence_facts(found)]


def evidence_facts(found: Act) -> Sequence[tuple[Any, Any]]:
    """Return the frozen evidence by its names, but for terms, which the table shows."""
    return [
        (_EVIDENCE.get(name, name), _words(found, name, value))
        for name, value in sorted(found.evidence.items())
        if not name.startswith(("before.", "after.", "sealed."))
    ]


def _words(found: Act, name: str, value: str) -> Any:
    """Return a piece of evidence for reading: an amount with its currency, a choice by its words."""
    if name == "amount":
        return parts.amount(found.amount, found.currency)
    if name == "valid_from" and value:
        return parts.moment(datetime.fromisoformat(value))
    if name == "kept_proof":
        number = value.partition(" ")[0]
        address = reverse("admin:proof_file", args=[number])
        return format_html('<a href="{}">{}</a>', address, value)
    return _CHOICES.get((name, value), value)


_EVIDENCE: dict[str, Any] = {
    "amount": _("amount"), "proof": _("proof"), "kept_proof": _("kept proof"), "channel": _("channel"),
    "destination": _("to wallet"),
    "channel_order_no": _("upstream's order number"), "fee": _("fee"), "api": _("API"),
    "old_keys": _("keys that live now"), "base": _("one unit of"), "quote": _("costs in"), "rate": _("rate"),
    "valid_from": _("in force from"),
    "scopes": _("the new key may"),
}  # fmt: skip


_CHOICES: dict[tuple[str, str], Any] = {
    ("valid_from", ""): _("its approval"),
    ("fee", "keep"): _("the platform keeps its fee"),
    ("fee", "return"): _("the fee is returned too"),
    ("old_keys", deeds.KEEP_OLD_KEYS): _("go on living"),
    ("old_keys", "0"): _("end at once"),
    ("old_keys", "3600"): _("end in 1 hour"),
    ("old_keys", "86400"): _("end in 24 hours"),
    ("old_keys", "604800"): _("end in 7 days"),
    **{("scopes", value): effects.scope_words(value) for value in effects.SCOPE_CHOICES},
}


def named(found: Act) -> str:
    """Return an act's name with its amount, as a button calls it."""
    kind = str(found.get_kind_display())
    if found.amount is None or found.currency is None:
        return str(found)
    return f"{kind} {parts.plain_amount(found.amount, found.currency)} {found.currency_id}"


def _why_not_executed(asked: Asked) -> str | None:
    """Say why an act cannot be executed now, by this person or by anybody; it can still be rejected."""
    found: Act = asked.obj
    words = why_not(asked.user, found, asked.now)
    return words if words is not None else why_impossible(found, object_of(found, asked.user), asked.now)


def why_impossible(found: Act, obj: Any, now: datetime) -> str | None:
    """Say in words why nobody can execute an act now, `obj` being what it is done to; it can be rejected."""
    if obj is None:
        return _t("What this act was asked for is gone, or you may not see it.")
    words = stale(found, obj, now)
    return words if words is not None else hindrances.of_state(Act.Kind(found.kind), obj)


def _why_not_rejected(asked: Asked) -> str | None:
    return why_not(asked.user, asked.obj, asked.now)


def _execute(asked: Asked) -> Done:
    executed, followed = approvals.execute(
        act_id=asked.obj.pk, user=asked.user, reason=asked.reason, now=asked.now, address=asked.address
    )

    def follow() -> None:
        if followed is not None:
            followed()

    return Done(message=_t("Approved and executed: %s.") % named(executed), after_commit=follow)


def _refuse(asked: Asked) -> Done:
    refused = approvals.refuse(
        act_id=asked.obj.pk, user=asked.user, reason=asked.reason, now=asked.now, address=asked.address
    )
    return Done(message=_t("Rejected: %s. Nothing was done.") % named(refused))


def _decided(found: Act) -> list[Change]:
    return [
        Change(label=_t("the request"), before=str(found.get_state_display()), after=_t("Rejected")),
        Change(label=_t("everything else"), before=_t("as it is"), after=_t("as it is")),
    ]


def _decision(
    name: str,
    label: errors.Words,
    button: errors.Words,
    execute: Callable[[Asked], Done],
    rows: Callable[[Asked], Sequence[Change]],
    obstacle: Callable[[Asked], errors.Words | None],
) -> ActPage:
    return act_pages.register(
        ActPage(
            name=name,
            label=label,
            permissions=(DECIDE,),
            object_kind="act",
            load=act,
            before_after=rows,
            execute=execute,
            button=lambda asked: str(button) % named(asked.obj),
            obstacle=obstacle,
            facts=facts,
            name_of=named,
            models=(Act,),
            is_single_step=True,
            moves_money=name == "approve",
        )
    )


APPROVE = _decision(
    "approve", _("Approve"), _("Approve: %s"), _execute,
    lambda asked: changes(asked.obj, asked.user), _why_not_executed,
)  # fmt: skip
REJECT = _decision(
    "reject", _("Reject"), _("Reject: %s"), _refuse, lambda asked: _decided(asked.obj), _why_not_rejected
)


def waiting(request: HttpRequest) -> HttpResponseBase:
    """Show the acts that wait for a decision, the oldest first, with their age."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    user, now = _user(request), clock.now()
    rows = filters.visible_to(user, Act.objects.filter(state=Act.State.REQUESTED))
    kind, whose = request.GET.get("kind", ""), request.GET.get("whose", "")
    if kind in Act.Kind.values:
        rows = rows.filter(kind=kind)
    if whose == "own":
        rows = rows.filter(requested_by=user)
    elif whose == "others":
        rows = rows.exclude(requested_by=user)
    found = list(
        rows.select_related("requested_by", "decider_role", "currency").order_by("requested_at", "id")[
            : _SHOWN_MAX + 1
        ]
    )
    context = {
        **admin.site.each_context(request),
        "title": _t("Waiting for a Decision"),
        "kinds": Act.Kind.choices,
        "kind": kind,
        "whose": whose,
        "is_cut": len(found) > _SHOWN_MAX,
        "shown_max": _SHOWN_MAX,
        "rows": [_row(each, user, now) for each in found[:_SHOWN_MAX]],
        "choice": {"form": "choice", "url": reverse("admin:acts_decide")} if user.has_perm(DECIDE) else None,
    }
    return TemplateResponse(request, "admin/operations/waiting.html", context)


def _row(found: Act, user: User, now: datetime) -> dict[str, Any]:
    is_over = found.expires_at is not None and found.expires_at <= now
    return {
        "url": parts.page_url(Act, found.pk),
        "number": found.pk,
        "kind": found.get_kind_display(),
        "object_name": found.object_name or found.object_id,
        "amount": parts.amount(found.amount, found.currency),
        "reason": found.reason,
        "requested_by": found.requested_by.get_username(),
        "requested_at": found.requested_at,
        "age": parts.duration(now - found.requested_at),
        "left": "" if is_over or found.expires_at is None else parts.duration(found.expires_at - now),
        "is_over": is_over,
        "role": found.decider_role.name if found.decider_role else _t("whoever decides acts"),
        "is_own": found.requested_by_id == user.pk,
    }


@sensitive_variables("key")
def hand_over(request: HttpRequest, object_id: str) -> HttpResponseBase:
    """Show a new key once, to the person who asked for it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    user = _user(request)
    found = act(user, object_id, False)
    if found is None or found.requested_by_id != user.pk:
        raise Http404
    try:
        key = approvals.fetch_key(act_id=found.pk, user=user, now=clock.now(), address=address_of(request))
    except errors.NotAllowed:
        raise PermissionDenied from None
    except errors.DomainError:
        messages.error(request, _t("There is no key to fetch (any more). Ask for a new one."))
        return HttpResponseRedirect(parts.page_url(Act, found.pk))
    context = {
        **admin.site.each_context(request),
        "title": _t("The new key of %s") % key["merchant"],
        "act": found,
        "back": parts.page_url(Act, found.pk),
        "key": key,
    }
    response = TemplateResponse(request, "admin/operations/key.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


for _page in (
    pages.Page(
        path="acts-waiting/", name="acts_waiting", view=waiting, permissions=("operations.view_act",)
    ),
    pages.Page(
        path="act-key/<str:object_id>/", name="act_key", view=hand_over,
        permissions=("operations.ask_rotate_credential",),
    ),
):  # fmt: skip
    pages.add_page(_page)
