"""How often the APIs may be called within a minute, from the environment; part of the settings.

Counted in Redis for all processes together where there is one, else by each process for itself.
"""

from __future__ import annotations

from diamondpay import environment

_CALLS_MAX = 1_000_000
CALLS_PER_MINUTE = environment.integer(
    "DIAMONDPAY_API_CALLS_PER_MINUTE", default=6000, minimum=1, maximum=_CALLS_MAX
)


def _calls_per_minute(name: str, default: int) -> int:
    """Return a limit of its own, or what the limit of all calls makes of it."""
    return environment.integer(name, default=min(default, _CALLS_MAX), minimum=1, maximum=_CALLS_MAX)


CREATES_PER_MINUTE = _calls_per_minute("DIAMONDPAY_API_CREATES_PER_MINUTE", CALLS_PER_MINUTE)
QUERIES_PER_MINUTE = _calls_per_minute("DIAMONDPAY_API_QUERIES_PER_MINUTE", CALLS_PER_MINUTE)
# Several merchants may call through one address.
ADDRESS_CREATES_PER_MINUTE = _calls_per_minute(
    "DIAMONDPAY_API_ADDRESS_CREATES_PER_MINUTE", 2 * CREATES_PER_MINUTE
)
ADDRESS_QUERIES_PER_MINUTE = _calls_per_minute(
    "DIAMONDPAY_API_ADDRESS_QUERIES_PER_MINUTE", 2 * QUERIES_PER_MINUTE
)
# Failed proofs: of an address, which is then not heard any more; and in the name of one key.
REFUSALS_PER_MINUTE = _calls_per_minute("DIAMONDPAY_API_REFUSALS_PER_MINUTE", 60)
KEY_REFUSALS_PER_MINUTE = _calls_per_minute("DIAMONDPAY_API_KEY_REFUSALS_PER_MINUTE", 5 * REFUSALS_PER_MINUTE)
