"""Counting what is tried in vain, and locking: in PostgreSQL, so that all web processes count together.

A try is counted before it is made, in one statement: of a hundred at once no more than the limit get through.
Our own table and not django-axes: that one keeps what was typed as a user name, which may be a password,
counts after the password was compared, and knows no audit trail of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.db.models.functions import Greatest

from diamondpay.lib import crypto, sql
from diamondpay.models import Tries

_KEPT = timedelta(days=2)
_TAKE = """
INSERT INTO diamondpay_tries AS t (key, kind, user_id, address, count, began_at, locked_until)
VALUES (%(key)s, %(kind)s, %(user_id)s::bigint, %(address)s::inet, 1, %(now)s, NULL)
ON CONFLICT (key) DO UPDATE SET
    count = CASE
        WHEN coalesce(t.locked_until, t.began_at + %(window)s) <= %(now)s THEN 1 ELSE t.count + 1
    END,
    began_at = CASE
        WHEN coalesce(t.locked_until, t.began_at + %(window)s) <= %(now)s THEN %(now)s ELSE t.began_at
    END,
    locked_until = CASE
        WHEN coalesce(t.locked_until, t.began_at + %(window)s) <= %(now)s THEN NULL
        WHEN t.locked_until IS NULL AND t.count + 1 >= %(limit)s THEN %(now)s::timestamptz + %(lock)s
        ELSE t.locked_until
    END
RETURNING count
"""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How many tries within which time, and for how long it is locked after the last of them."""

    kind: str
    limit: int
    window: timedelta
    lock: timedelta


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One thing that is counted: by which rule, of whom, from where."""

    rule: Rule
    of: str
    user_id: int | None = None
    address: str | None = None

    @property
    def key(self) -> str:
        """The key of its row."""
        return crypto.keyed_hash(self.of, f"diamondpay.tries.{self.rule.kind}").hex()


def take(counted: Counted, *, now: datetime) -> int:
    """Count a try that is about to be made; return how many that makes since the first.

    More than the rule's limit means that it is locked and the try must not be made.
    """
    rule = counted.rule
    found = sql.rows(
        _TAKE,
        {
            "key": counted.key, "kind": rule.kind, "user_id": counted.user_id, "address": counted.address,
            "now": now, "window": rule.window, "lock": rule.lock, "limit": rule.limit,
        },
    )  # fmt: skip
    return int(found[0][0])


def take_all(counted: Sequence[Counted], *, now: datetime) -> bool:
    """Count a try of several things, in their order; False as soon as one of them is locked.

    What follows a locked one is not counted, so nobody fills the table from an address that is locked.
    """
    return all(take(each, now=now) <= each.rule.limit for each in counted)


def forget(counted: Counted) -> None:
    """Forget the tries: the last one was right."""
    Tries.objects.filter(pk=counted.key).delete()


def give_back(counted: Counted) -> None:
    """Take back one try that was right, of something that others try too."""
    Tries.objects.filter(pk=counted.key).update(count=Greatest(F("count") - 1, 0), locked_until=None)


def prune(*, now: datetime) -> int:
    """Remove what nobody has tried for two days; return how many rows that were."""
    removed, _by_model = Tries.objects.filter(began_at__lt=now - _KEPT).delete()
    return removed
