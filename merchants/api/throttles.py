"""How often the APIs may be called: by each key and from each address, to create, to query, and in vain.

Every limit is a count within a minute (`lib.counters`). A call is counted for its address before anything
is looked at, so a flood costs no statement, and for its key once it is known whose it is. Failed proofs are
counted for the address, which is then not looked at any more, and for the key that the call named: what
goes beyond that is answered "too many" whatever else is wrong, and a call with a right proof still passes,
so that nobody can lock a merchant out by signing wrongly in its name.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from diamondpay.lib import counters

# Who holds one address of an IPv6 network holds all of it.
_IPV6_PREFIX = 64


class Kind(StrEnum):
    """What a call wants."""

    CREATE = "create"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit. Units: calls; `reset_seconds` until all of it may be used again."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """Return the headers that tell a caller. Source: the IETF's draft of RateLimit headers, 06."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }


class TooManyRequests(Exception):
    """The caller has used up its minute. Units: `retry_after` in seconds, until the next one begins."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.retry_after = allowance.reset_seconds
        super().__init__(allowance)


def count_address(*, address: str | None, kind: Kind) -> Allowance:
    """Count one call from an address, of which nothing else is known yet.

    Raises: TooManyRequests above its limit, or when the address has failed too often in this minute.
    """
    place = _network(address)
    failed = _counters().peek(f"failed:{place}")
    if failed.hits >= settings.API_REFUSALS_PER_MINUTE:
        raise TooManyRequests(Allowance(settings.API_REFUSALS_PER_MINUTE, 0, failed.seconds_left))
    limit = (
        settings.API_ADDRESS_CREATES_PER_MINUTE
        if kind is Kind.CREATE
        else settings.API_ADDRESS_QUERIES_PER_MINUTE
    )
    return _taken(f"{kind}:{place}", limit)


def count_key(*, credential_pk: int, kind: Kind) -> Allowance:
    """Count one call with a key.

    Raises: TooManyRequests above its limit.
    """
    limit = settings.API_CREATES_PER_MINUTE if kind is Kind.CREATE else settings.API_QUERIES_PER_MINUTE
    return _taken(f"{kind}:key:{credential_pk}", limit)


def count_failure(*, address: str | None, named: str) -> Allowance:
    """Count one failed proof, for its address and for what it named as its key or merchant.

    Raises: TooManyRequests above one of the limits.
    """
    names = [f"failed:{_network(address)}"]
    limits = [settings.API_REFUSALS_PER_MINUTE]
    if named:
        names.append(f"failed:key:{named}")
        limits.append(settings.API_KEY_REFUSALS_PER_MINUTE)
    found = [_allowance(count, limit) for count, limit in zip(_counters().hit(names), limits, strict=True)]
    beyond = [allowance for allowance, is_beyond in found if is_beyond]
    if beyond:
        raise TooManyRequests(beyond[0])
    return tightest(*(allowance for allowance, _is_beyond in found))


def tightest(*allowances: Allowance) -> Allowance:
    """Return the allowance of which the least is left."""
    return min(allowances, key=lambda allowance: allowance.remaining)


def forget() -> None:
    """Begin all counts of this process anew."""
    _counters().forget()


def _taken(name: str, limit: int) -> Allowance:
    allowance, is_beyond = _allowance(_counters().hit([name])[0], limit)
    if is_beyond:
        raise TooManyRequests(allowance)
    return allowance


def _allowance(count: counters.Count, limit: int) -> tuple[Allowance, bool]:
    return Allowance(limit, max(limit - count.hits, 0), count.seconds_left), count.hits > limit


def _network(address: str | None) -> str:
    """Return the name under which an address is counted."""
    if address is None or ":" not in address:
        return address or "unknown"
    return str(ipaddress.ip_network((address.partition("%")[0], _IPV6_PREFIX), strict=False))


def _counters() -> counters.Counters:
    return counters.of(settings.CACHE_URL)
