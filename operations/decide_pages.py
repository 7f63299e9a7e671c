"""The page on which many acts that wait are decided together, each by the deed of its own page.

Only acts on terms and rates are: what moves money, or hands a key over, is looked at one by one. One that
fails leaves the others decided, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _t

from diamondpay import step_up
from diamondpay.lib import errors, pages, selections
from diamondpay.models import User
from operations import act_pages, approval_pages, approval_rules, effects, form_tokens, objects
from operations.act_pages import ActForm, ActPage, Asked, Change
from operations.models import Act
from records import filters
from records.admin import parts

ACTS_MAX = 100
# What is told of single acts after a decision; the page names the others too.
_TOLD_MAX = 10
# The fields that carry what was seen of each act, and the acts that can be rejected only.
_SEEN, _REJECTED_ONLY = "seen_", "reject_row"
TOGETHER = frozenset({Act.Kind.CHANGE_TERMS, Act.Kind.ACTIVATE_TERMS, Act.Kind.ADD_RATE})
_OF_TERMS = frozenset({Act.Kind.CHANGE_TERMS, Act.Kind.ACTIVATE_TERMS})
_DECISIONS: Mapping[str, ActPage] = {
    "approve": approval_pages.APPROVE,
    "reject": approval_pages.REJECT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An act as the page shows it: what it changes, why it cannot be decided here, why it can be rejected
    only.
    """

    act: Act
    rows: Sequence[Change]
    why_not: str = ""
    why_not_approved: str = ""

    @property
    def url(self) -> str:
        """Where the act's own page is."""
        return parts.page_url(Act, self.act.pk)

    @property
    def name(self) -> str:
        """What the act is done to."""
        return self.act.object_name or self.act.object_id

    @property
    def changes(self) -> list[tuple[errors.Words, Any, Any]]:
        """The table in a line: what changes, from what, "" where there was nothing, to what."""
        nothing = parts.nothing()
        return [(row.label, "" if row.before == nothing else row.before, row.after) for row in self.rows]

    @property
    def seen(self) -> str:
        """The table in short."""
        return act_pages.seen_of(self.rows)

    @property
    def seen_name(self) -> str:
        """The name of the field that carries what was seen."""
        return f"{_SEEN}{self.act.pk}"


def answer(request: HttpRequest) -> HttpResponseBase:
    """Show the chosen acts, or decide those of them that this person may."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    asked = Asked.by(request)
    given = request.POST if request.method == "POST" else request.GET
    ids = selections.read(given, is_numbered=True, row_count_max=ACTS_MAX)
    page = _DECISIONS.get(request.POST.get("decision", "")) if request.method == "POST" else None
    if page is not approval_pages.APPROVE:
        ids = list(dict.fromkeys([*ids, *given.getlist(_REJECTED_ONLY)]))[: ACTS_MAX + 1]
    if not asked.user.has_perm(approval_pages.DECIDE):
        act_pages.note_refusal(page or approval_pages.REJECT, request, asked, "", errors.NotAllowed())
        raise PermissionDenied
    if request.method != "POST":
        return _page(request, asked, ids)
    token = request.POST.get("form_token", "")
    form = ActForm(request.POST, asked=asked)
    if len(ids) > ACTS_MAX or not ids or page is None or not form.is_valid():
        return _page(request, asked, ids, form=form, token=token)
    proof_due = step_up.asked(request) if page.moves_money else None
    if proof_due is not None:
        return proof_due
    asked = replace(asked, token=token, values=form.cleaned_data)
    try:
        are_all_decided = _decide_each(request, page, asked, ids)
    except errors.InvalidInput as refusal:
        act_pages.complain(form, refusal)
        return _page(request, asked, ids, form=form, token=token)
    if are_all_decided:
        return HttpResponseRedirect(reverse("admin:acts_waiting"))
    query = urlencode({selections.MANY: selections.text(filter(str.isdecimal, ids), is_numbered=True)})
    return HttpResponseRedirect(f"{reverse('admin:acts_decide')}?{query}")


def _decide_each(request: HttpRequest, page: ActPage, asked: Asked, ids: Sequence[str]) -> bool:
    """Decide each act in a transaction of its own, and say what became of them; True if none failed.

    Raises: InvalidInput for a form without a token.
    """
    tokens = {each: form_tokens.of_many(asked.token, each) for each in ids}
    found = _acts(asked.user, ids)
    decided, failed = [], []
    for key in ids:
        act = found.get(key)
        if act is None:
            failed.append(_t("One of the chosen acts is not there, or not yours to see."))
            continue
        seen = request.POST.get(f"{_SEEN}{key}", "")
        words = _decide(request, page, replace(asked, obj=act, token=tokens[key]), seen)
        if words is None:
            decided.append(key)
        else:
            failed.append(f"{act}: {words}")
    if decided and page is approval_pages.APPROVE:
        messages.success(request, _t("Approved and executed: %d.") % len(decided))
    elif decided:
        messages.success(request, _t("Rejected: %d. Nothing was done.") % len(decided))
    for words in failed[:_TOLD_MAX]:
        messages.error(request, words)
    if len(failed) > _TOLD_MAX:
        messages.error(request, _t("And %d more were not decided.") % (len(failed) - _TOLD_MAX))
    return not failed


def _decide(request: HttpRequest, page: ActPage, asked: Asked, seen: str) -> str | None:
    """Decide one act just as its own page does; return why it was not, None where it was."""
    act: Act = asked.obj
    if act.kind not in TOGETHER:
        return _alone()
    use = form_tokens.Use(
        token=asked.token, user=asked.user, act=page.name, object_id=str(act.pk),
        content=asked.reason.encode(),
    )  # fmt: skip
    if page is approval_pages.REJECT:
        # Nothing is done, so that there is nothing to have seen but that the act waits.
        seen = act_pages.seen_of(page.before_after(asked))
    try:
        _outcome, after_commit = act_pages.do_once(page, asked, use, seen)
    except act_pages.Changed:
        return _t("This changed after you looked at it. Nothing was done; look at it once more.")
    except errors.DomainError as refusal:
        act_pages.note_refusal(page, request, asked, str(act.pk), refusal)
        return str(refusal)
    if after_commit is not None:
        after_commit()
    return None


def look(*, user: User, ids: Sequence[str], now: datetime) -> tuple[list[Line], int]:
    """Return the chosen acts, the oldest first, and how many of the ids nobody has, or not for this person.

    Acts on terms cost as many statements for one as for a hundred.
    """
    found = _acts(user, ids)
    decider = approval_rules.Decider(user)
    rows = _rows_with_terms(user, found.values())
    lines = []
    for act in found.values():
        if act.kind not in TOGETHER or act.state != Act.State.REQUESTED:
            words = approval_pages.why_not(user, act, now, decider) or _alone()
            lines.append(Line(act=act, rows=(), why_not=words))
            continue
        obj = (
            rows.get((act.object_kind, act.object_id))
            if act.kind in _OF_TERMS
            else approval_pages.object_of(act, user)
        )
        lines.append(
            Line(
                act=act,
                rows=effects.of(act.kind, obj, act.evidence) if obj is not None else (),
                why_not=approval_pages.why_not(user, act, now, decider) or "",
                why_not_approved=approval_pages.why_impossible(act, obj, now) or "",
            )
        )
    return lines, len(set(ids) - set(found))


def _acts(user: User, ids: Sequence[str]) -> dict[str, Act]:
    keys = [each for each in ids if objects.is_number(each)]
    rows = Act.objects.select_related("requested_by", "decided_by", "decider_role", "currency")
    found = filters.visible_to(user, rows).filter(pk__in=keys).order_by("requested_at", "id")
    return {str(act.pk): act for act in found}


def _rows_with_terms(user: User, acts: Iterable[Act]) -> dict[tuple[str, str], Any]:
    """Return what acts on terms are done to, by kind and id."""
    wanted: dict[str, set[str]] = {}
    for act in acts:
        if act.kind in _OF_TERMS and act.object_kind in objects.WITH_TERMS:
            wanted.setdefault(act.object_kind, set()).add(act.object_id)
    return {
        (kind, key): row
        for kind, ids in wanted.items()
        for key, row in objects.with_terms(user, kind, ids, False).items()
    }


def _alone() -> str:
    return _t("Acts that move money or hand a key over are decided one by one, on their own page.")


def _page(
    request: HttpRequest, asked: Asked, ids: Sequence[str], *, form: ActForm | None = None, token: str = ""
) -> TemplateResponse:
    is_too_many = len(ids) > ACTS_MAX
    lines, unknown_count = ([], 0) if is_too_many else look(user=asked.user, ids=ids, now=asked.now)
    open_lines = [line for line in lines if not line.why_not]
    context = {
        **admin.site.each_context(request),
        "title": _t("Decide Together"),
        "lines": open_lines,
        "approvable_count": sum(not line.why_not_approved for line in open_lines),
        "left_out": [line for line in lines if line.why_not],
        "unknown_count": unknown_count,
        "is_too_many": is_too_many,
        "acts_max": ACTS_MAX,
        "form": form or ActForm(asked=asked),
        "form_token": token or form_tokens.fresh(),
    }
    response = TemplateResponse(request, "admin/operations/decide.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


pages.add_page(
    pages.Page(
        path="acts-decide/",
        name="acts_decide",
        # Open to all staff: the page itself asks for the right, so that it can note who tried.
        view=answer,
    )
)
