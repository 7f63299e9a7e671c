"""Sign-ins: each time a person signed in is a row, and a session lives as long as its row.

The session holds the key of the row. Whoever ends the row ends the session, whatever the session store is.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db.models import F, QuerySet
from django.dispatch import receiver
from django.http import HttpRequest

from diamondpay import audit
from diamondpay.lib import clock, sql
from diamondpay.lib.admin import address_of
from diamondpay.models import SignIn, User

SESSION_KEY = "sign_in"
# Every request of a busy person need not write; a fiftieth of the time that one may be away is near enough.
_WRITTEN_PARTS = 50
_BROWSER_LENGTH_MAX = 200
Ending = SignIn.Ending
_SIGN_IN = sql.Columns(SignIn, table='"row"')
_READ = f"""
    SELECT {_SIGN_IN}, clock_timestamp(),
        EXISTS (
            SELECT FROM diamondpay_secondfactor AS factor
            WHERE factor.user_id = "row".user_id AND factor.confirmed_at IS NOT NULL
        ),
        EXISTS (
            SELECT FROM diamondpay_rolerule AS rule JOIN diamondpay_user_groups AS holder
            ON holder.group_id = rule.role_id
            WHERE holder.user_id = "row".user_id AND rule.needs_second_factor
        )
    FROM diamondpay_signin AS "row" WHERE "row".id = %(key)s AND "row".user_id = %(user)s
"""  # noqa: S608 - our own names


@receiver(user_logged_in, dispatch_uid="diamondpay.sign_ins")
def begin(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Write the row of a sign-in and give the session its key."""
    now = clock.now()
    row = SignIn.objects.create(
        user=user, started_at=now, active_at=now, proved_at=now, address=address_of(request),
        browser=request.META.get("HTTP_USER_AGENT", "").replace("\x00", "")[:_BROWSER_LENGTH_MAX],
    )  # fmt: skip
    request.session[SESSION_KEY] = row.pk


def read(*, pk: Any, user_pk: Any) -> SignIn | None:
    """Return a session's row with the present time and what is asked of its user, in one statement.

    Shape: `now`; `has_factor`, whether the user has a second factor; `has_rule`, whether a role of theirs
    asks for one.
    """
    found = sql.rows(_READ, {"key": pk, "user": user_pk})
    if not found:
        return None
    row = _SIGN_IN.take(found[0])
    row.now, row.has_factor, row.has_rule = found[0][_SIGN_IN.end :]  # type: ignore[attr-defined]
    return row


def note_activity(row: SignIn, *, now: datetime) -> None:
    """Note that the person did something."""
    if (now - row.active_at).total_seconds() >= settings.IDLE_SECONDS / _WRITTEN_PARTS:
        SignIn.objects.filter(pk=row.pk, ended_at__isnull=True).update(active_at=now)
        row.active_at = now


def note_proof(row: SignIn, *, now: datetime, is_second_factor: bool) -> None:
    """Note that the person has just proved who they are."""
    row.proved_at = now
    row.second_factor_at = now if is_second_factor else row.second_factor_at
    row.save(update_fields=["proved_at", "second_factor_at"])


def end(row: SignIn, *, ending: SignIn.Ending, now: datetime) -> bool:
    """End a sign-in; False when it had ended before."""
    return SignIn.objects.filter(pk=row.pk, ended_at__isnull=True).update(ended_at=now, ending=ending) == 1


def end_of(
    *, user: User, ending: SignIn.Ending, now: datetime, by: User | None, address: str | None,
    but: int | None = None, reason: str = "",
) -> int:  # fmt: skip
    """End all sign-ins of a user except one, with an audit row; return how many ended.

    Call it in the transaction of the deed that asks for it.
    """
    ended = open_ones(user).exclude(pk=but or 0).update(ended_at=now, ending=ending)
    if ended or by is not None:
        audit.write(
            action="user.signed_out_everywhere", object_kind="user", object_id=str(user.pk), user=by or user,
            address=address, now=now, before={"sign_ins": ended + (but is not None)},
            after={"sign_ins": int(but is not None)}, reason=reason or str(ending.label),
        )  # fmt: skip
    return ended


def open_ones(user: User) -> QuerySet[SignIn]:
    """Return the sign-ins of a user that have not ended, newest first."""
    return SignIn.objects.filter(user=user, ended_at__isnull=True).order_by("-started_at")


def living(user: User, *, idle: timedelta, longest: timedelta, now: datetime) -> QuerySet[SignIn]:
    """Return those of them that a request would still be served in."""
    return open_ones(user).filter(active_at__gt=now - idle, started_at__gt=now - longest)


def end_idle(*, idle: timedelta, now: datetime) -> int:
    """End the sign-ins that nobody has used for too long, so that lists tell the truth; return how many."""
    rows = SignIn.objects.filter(ended_at__isnull=True, active_at__lte=now - idle)
    return rows.update(ended_at=F("active_at") + idle, ending=Ending.IDLE)
