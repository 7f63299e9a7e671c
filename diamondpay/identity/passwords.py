"""Wrong passwords: ten for one account from one address lock the two, more from elsewhere the account.

An unknown account is counted and answered exactly as a known one, so the answer tells nobody who exists.
A lock ends by itself; an administrator may end it earlier.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.hashers import make_password
from django.db import transaction

from diamondpay import audit
from diamondpay.identity import tries
from diamondpay.identity.tries import Counted, Rule
from diamondpay.models import Tries, User

LOCK = timedelta(minutes=30)
PAIR = Rule(kind="pair", limit=10, window=timedelta(hours=24), lock=LOCK)
# Higher, because anybody can lock somebody else's account by trying; lower would hand them a tool.
ACCOUNT = Rule(kind="account", limit=50, window=timedelta(hours=24), lock=LOCK)
# An office shares one address.
ADDRESS = Rule(kind="address", limit=100, window=timedelta(hours=1), lock=LOCK)
_OF_ACCOUNTS = (PAIR.kind, ACCOUNT.kind, "code")


class Attempt:
    """One attempt to sign in: counted when it begins, forgotten when the password was right."""

    def __init__(self, *, username: str, address: str | None, now: datetime) -> None:
        self.user = User.objects.filter(username=username).first()
        self.now = now
        user_id = self.user.pk if self.user is not None else None
        place, name = address or "?", username
        self._address = Counted(rule=ADDRESS, of=place, address=address)
        self._pair = Counted(rule=PAIR, of=f"{name}\x00{place}", user_id=user_id, address=address)
        self._account = Counted(rule=ACCOUNT, of=name, user_id=user_id)

    def begin(self) -> bool:
        """Count the attempt; False where it is locked and the password must not be looked at."""
        return tries.take_all((self._address, self._pair, self._account), now=self.now)

    def succeed(self) -> None:
        """The password was right."""
        tries.forget(self._pair)
        tries.give_back(self._account)
        tries.give_back(self._address)


def waste_time(password: str) -> None:
    """Work as long as comparing a password takes: a locked account is told by nothing, not even by time."""
    make_password(password)


def locked_until(user: User, *, now: datetime) -> datetime | None:
    """Return until when a user is locked somewhere, None when nowhere."""
    rows = Tries.objects.filter(user=user, kind__in=_OF_ACCOUNTS, locked_until__gt=now)
    return rows.order_by("-locked_until").values_list("locked_until", flat=True).first()


def unlock(*, user: User, by: User, reason: str, address: str | None, now: datetime) -> int:
    """Forget a user's wrong passwords and codes, from wherever; return how many were forgotten."""
    with transaction.atomic():
        rows = Tries.objects.select_for_update().filter(user=user, kind__in=_OF_ACCOUNTS)
        found = list(rows.values("kind", "address", "count", "locked_until"))
        rows.delete()
        before = {
            f"{row['kind']} {row['address'] or ''}".strip(): (
                f"{row['count']}, {row['locked_until'].isoformat() if row['locked_until'] else '-'}"
            )
            for row in found
        }
        audit.write(
            action="user.unlock", object_kind="user", object_id=str(user.pk), user=by, address=address,
            reason=reason, now=now, before=before, after={},
        )  # fmt: skip
    return sum(row["count"] for row in found)
