"""Attempts that were refused, in the audit trail; the one place that writes them.

An attacker must not fill the table: of one source 30 an hour are written, of all together 3,000. What is
left out is counted, and the next row that is written says how many those were.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from django.db import transaction

from diamondpay import audit
from diamondpay.identity import tries
from diamondpay.identity.tries import Counted, Rule
from diamondpay.lib import errors
from diamondpay.models import AuditRow, Tries, User

P = ParamSpec("P")
R = TypeVar("R")
_HOUR = timedelta(hours=1)
OF_ONE = Rule(kind="refusal", limit=30, window=_HOUR, lock=_HOUR)
OF_ALL = Rule(kind="refusals", limit=3000, window=_HOUR, lock=_HOUR)
_TEXT_LENGTH_MAX = 500
# Whether this request has written its refusal: the page's own row says more than that it was refused.
_written: ContextVar[bool] = ContextVar("refusal_written", default=False)


def write(
    *,
    action: str,
    object_kind: str,
    object_id: str,
    now: datetime,
    user: User | None = None,
    actor: str = "",
    address: str | None = None,
    reason: str = "",
    after: Mapping[str, object] | None = None,
    once_within: timedelta | None = None,
) -> bool:
    """Write that somebody was refused something; False where its source has had enough rows.

    Call it outside the transaction that the refusal rolls back. Nothing that was typed may stand in it.
    `once_within`: not again for the same person and `after["page"]` before so much time has passed.
    Locks: the person's row, where `once_within` is given; then the counts of tries.
    """
    _written.set(True)
    source = f"user {user.pk}" if user is not None else f"address {address}"
    with transaction.atomic():
        if once_within is not None and user is not None:
            # Of several at once the later ones wait here, and then see the row of the first.
            User.objects.select_for_update(no_key=True).get(pk=user.pk)
            if _stands(user, action, (after or {}).get("page"), since=now - once_within):
                return False
        own = Counted(rule=OF_ONE, of=source, user_id=user.pk if user else None, address=address)
        left_out = _left_out(own, now)
        if not tries.take_all((own, Counted(rule=OF_ALL, of="all")), now=now):
            return False
        row_after = {**(after or {}), **({"left_out_before": left_out} if left_out else {})}
        audit.write(
            action=action, object_kind=object_kind, object_id=object_id, now=now, user=user, actor=actor,
            address=address, reason=reason[:_TEXT_LENGTH_MAX], after=row_after, is_refused=True,
        )  # fmt: skip
    return True


def _stands(user: User, action: str, page: object, *, since: datetime) -> bool:
    """Say whether this refusal stands in the trail already; it reads only the refusals of that time."""
    rows = AuditRow.objects.filter(is_refused=True, created_at__gt=since, user=user, action=action)
    return rows.filter(after__page=page).exists()


def _left_out(counted: Counted, now: datetime) -> int:
    """Return how many of a source's refusals were not written, where its time is over by now."""
    row = Tries.objects.filter(pk=counted.key, locked_until__lte=now).first()
    return max(row.count - counted.rule.limit, 0) if row is not None else 0


def begin_request() -> None:
    """Forget what an earlier request of this thread has written."""
    _written.set(False)


def is_written() -> bool:
    """Say whether this request's refusal stands in the trail."""
    return _written.get()


def noted(*, action: str, object_kind: str, object_id: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a use case leave a row in the trail when it refuses its person.

    `object_kind` names the thing, `object_id` the argument that holds its key. The use case takes `user` and
    `now`, and may take `address` and `reason`. Its own transaction is rolled back before the row is written.
    """

    def decorate(deed: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(deed)

        @functools.wraps(deed)
        def attempted(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return deed(*args, **kwargs)
            except (errors.NotAllowed, errors.FourEyesRequired) as refusal:
                given = signature.bind_partial(*args, **kwargs).arguments
                write(
                    action=action, object_kind=object_kind, object_id=str(given.get(object_id, ""))[:64],
                    user=given.get("user"), address=given.get("address"), now=given["now"],
                    reason=str(refusal),
                )  # fmt: skip
                raise

        return attempted

    return decorate
