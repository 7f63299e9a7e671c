"""First activations of many rows at once: each is a request of its own, with its own frozen terms (P8)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors, in_force, transactions
from diamondpay.models import User
from operations import approvals, form_tokens, hindrances, objects, terms
from operations.models import Act

ROWS_MAX = in_force.ASKED_AT_ONCE_MAX
FORM = "activate_terms_many"


class Changed(errors.DomainError):
    """What the page showed is no longer so."""

    code = "changed"
    words = _("This changed after you looked at it. Nothing was asked for; look at it once more.")


class TooMany(errors.DomainError):
    """More rows were chosen than one form asks for."""

    code = "too_many"
    words = _("More than 500 rows are chosen. Choose at most 500 at once; the others follow after these.")


class NothingChosen(errors.DomainError):
    """No row was chosen that could be asked for."""

    code = "nothing_chosen"
    words = _("None of the chosen rows can be asked for.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The chosen rows: those that can be asked for, those that cannot with the reason, and how many of the
    ids nobody has, or not for this person.
    """

    rows: Sequence[Any]
    left_out: Sequence[tuple[Any, errors.Words]]
    unknown_count: int

    @property
    def digest(self) -> str:
        """What is asked for in short: it changes with every row and every term."""
        told = [(str(row.pk), sorted(terms.of(row).items())) for row in self.rows]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def look(*, user: User, kind: str, ids: Sequence[str], is_locked: bool = False) -> Found:
    """Return the chosen rows of a kind of terms. The number of statements does not grow with theirs.

    Locks: with `is_locked` the rows, in the order of their keys.
    Raises: TooMany.
    """
    if len(ids) > ROWS_MAX:
        raise TooMany
    found = objects.with_terms(user, kind, ids, is_locked)
    waiting = _waiting(kind, found)
    rows, left_out = [], []
    for key, row in found.items():
        words = hindrances.of_state(Act.Kind.ACTIVATE_TERMS, row)
        if words is None and key in waiting:
            words = hindrances.asked_already()
        if words is None:
            rows.append(row)
        else:
            left_out.append((row, words))
    return Found(rows=rows, left_out=left_out, unknown_count=len(set(ids) - set(found)))


def _waiting(kind: str, ids: Iterable[str]) -> frozenset[str]:
    acts = Act.objects.filter(
        kind=Act.Kind.ACTIVATE_TERMS, object_kind=kind, object_id__in=list(ids), state=Act.State.REQUESTED
    )
    return frozenset(acts.values_list("object_id", flat=True))


@transactions.atomic_with_retries
def ask(
    *, user: User, kind: str, ids: Sequence[str], seen: str, reason: str, token: str, now: datetime,
    address: str | None,
) -> int:  # fmt: skip
    """Ask for the activation of each chosen row that can be; return for how many. The same form asks once.

    Raises: TooMany; NothingChosen; Changed where it is not what `seen` says; InvalidInput; NotAllowed;
    NoRule.
    Locks: the form's token, then the rows in the order of their keys.
    """
    if not reason.strip():
        raise errors.InvalidInput({"reason": _("This is required.")})
    use = form_tokens.Use(
        token=token, user=user, act=FORM, object_id=kind, content=repr((sorted(ids), reason)).encode()
    )
    first = form_tokens.claim(use=use, now=now)
    if first is not None:
        return int(first.outcome.get("count", 0))
    # The person as they are now: a right that was taken away while they looked is gone.
    user = User.objects.get(pk=user.pk)
    found = look(user=user, kind=kind, ids=ids, is_locked=True)
    if seen != found.digest:
        raise Changed
    if not found.rows:
        raise NothingChosen
    asked = approvals.request_each(
        kind=Act.Kind.ACTIVATE_TERMS, evidence={row: terms.evidence(row, {}) for row in found.rows},
        reason=reason, request_id=token, user=user, now=now, address=address,
    )  # fmt: skip
    form_tokens.note(token=token, outcome={"count": str(len(asked))})
    return len(asked)


def in_words(count: int) -> str:
    """Return what was asked for, as it is said afterwards."""
    return _t("Asked for %d first activations. They wait for another person.") % count
