"""How often the APIs may be called: per credential, and per address for failed proofs of who calls.

Counted in whole minutes in Django's cache, one atomic step per call. With the default cache each web process
counts for itself; a shared cache makes it one count.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.cache import cache

WINDOW_SECONDS = 60


class TooManyRequests(Exception):
    """The caller has used up its minute. Units: `retry_after` in seconds, until the next minute begins."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(retry_after)


def count_call(*, credential_pk: int, now: datetime) -> None:
    """Count one call with a credential.

    Raises: TooManyRequests above settings.API_CALLS_PER_MINUTE.
    """
    if _counted(f"api-calls:{credential_pk}", now) > settings.API_CALLS_PER_MINUTE:
        raise TooManyRequests(_seconds_left(now))


def count_refusal(*, address: str | None, now: datetime) -> None:
    """Count one failed proof from an address."""
    _counted(f"api-refusals:{address}", now)


def check_refusals(*, address: str | None, now: datetime) -> None:
    """Refuse an address that has failed too often in this minute, before its proof is looked at.

    Raises: TooManyRequests from settings.API_REFUSALS_PER_MINUTE on.
    """
    failed: int = cache.get(_key(f"api-refusals:{address}", now), 0)
    if failed >= settings.API_REFUSALS_PER_MINUTE:
        raise TooManyRequests(_seconds_left(now))


def _counted(name: str, now: datetime) -> int:
    key = _key(name, now)
    if cache.add(key, 1, timeout=2 * WINDOW_SECONDS):
        return 1
    try:
        return cache.incr(key)
    except ValueError:
        # Thrown out of a full cache between the two steps: the count begins anew.
        cache.set(key, 1, timeout=2 * WINDOW_SECONDS)
        return 1


def _key(name: str, now: datetime) -> str:
    return f"{name}:{int(now.timestamp()) // WINDOW_SECONDS}"


def _seconds_left(now: datetime) -> int:
    return WINDOW_SECONDS - int(now.timestamp()) % WINDOW_SECONDS
