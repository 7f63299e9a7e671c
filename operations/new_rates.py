"""A new exchange rate as an act: its evidence, what may be wrong with it, and the rate that is made of it.

A rate whose moment has passed by the time somebody approves it is refused, never moved: orders were made at
the old one meanwhile, and what was approved is exactly what is executed. Left empty, the moment is that of
the approval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from channels import rates
from diamondpay.lib import errors, money
from diamondpay.models import User
from operations.models import Act


class TooLate(errors.DomainError):
    """The moment from which the rate was to be in force has passed."""

    code = "rate_too_late"
    words = _("The moment at which this rate was to begin has passed. Reject it and ask again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRate:
    """A rate that is asked for. Units: quote per base; no `valid_from` is the moment of the approval."""

    base: str
    quote: str
    rate: Decimal
    valid_from: datetime | None

    @property
    def key(self) -> str:
        """Return how the object of the act is named."""
        return f"{self.base}-{self.quote}"

    def evidence(self) -> dict[str, str]:
        """Return it as an act keeps it."""
        start = self.valid_from.isoformat() if self.valid_from is not None else ""
        return {"base": self.base, "quote": self.quote, "rate": money.plain(self.rate), "valid_from": start}


def read(evidence: Mapping[str, str]) -> NewRate:
    """Return what the evidence of an act asks for. Raises: ValueError, KeyError for what no act can hold."""
    start = evidence["valid_from"]
    return NewRate(
        base=evidence["base"], quote=evidence["quote"], rate=money.parse_plain(evidence["rate"]),
        valid_from=datetime.fromisoformat(start) if start else None,
    )  # fmt: skip


def faults(*, wanted: NewRate, reason: str, now: datetime) -> dict[str, errors.Words]:
    """Return what is wrong with a rate that is asked for, by field."""
    found = rates.faults(
        base=wanted.base, quote=wanted.quote, rate=wanted.rate, reason=reason,
        valid_from=wanted.valid_from, now=now,
    )  # fmt: skip
    if _is_too_late(wanted, now):
        found["valid_from"] = _("Give a moment to come, or none: the rate then begins with its approval.")
    return found


def faults_of(
    *, object_id: str, evidence: Mapping[str, str], reason: str, now: datetime
) -> dict[str, errors.Words]:
    """Return what is wrong with the evidence of an act, also with its form."""
    if set(evidence) != {"base", "quote", "rate", "valid_from"}:
        return {"evidence": _("This is no exchange rate.")}
    try:
        wanted = read(evidence)
    except money.MoneyError as fault:
        return {"rate": fault.reason}
    except ValueError:
        return {"valid_from": _("Give a date and a time.")}
    if wanted.valid_from is not None and wanted.valid_from.tzinfo is None:
        return {"valid_from": _("Give a date and a time.")}
    found = faults(wanted=wanted, reason=reason, now=now)
    if not found and object_id != wanted.key:
        found["evidence"] = _("This is a rate of other currencies.")
    return found


def stale(_pair: object, evidence: Mapping[str, str], now: datetime) -> errors.Words | None:
    """Say so where the moment at which the rate was to begin has passed."""
    return TooLate.words if _is_too_late(read(evidence), now) else None


def _is_too_late(wanted: NewRate, now: datetime) -> bool:
    return wanted.valid_from is not None and wanted.valid_from <= now


def make(act: Act, user: User, now: datetime) -> None:
    """Make the rate exactly as it was approved. Raises: TooLate; InvalidInput where another begins then."""
    wanted = read(act.evidence)
    if _is_too_late(wanted, now):
        raise TooLate
    rates.add(
        base=wanted.base,
        quote=wanted.quote,
        rate=wanted.rate,
        valid_from=wanted.valid_from,
        reason=act.reason,
        now=now,
        user=user,
        request_id=act.request_id,
    )
