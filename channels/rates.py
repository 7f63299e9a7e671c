"""Exchange rates: which one was in force at a moment, and the one way to make a new one."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.models import Currency, ExchangeRate
from diamondpay import audit
from diamondpay.lib import errors, money, transactions
from diamondpay.models import User

# Whoever gives "now" typed it, and a form takes a while to be sent.
LATE_SECONDS_MAX = 60
REASON_LENGTH_MAX = 500


class NoRate(errors.DomainError):
    """No exchange rate between the two currencies is in force."""

    code = "no_rate"
    words = _("There is no exchange rate between these currencies.")


def at(*, base: str, quote: str, moment: datetime) -> Decimal:
    """Return what one unit of `base` costs in `quote` at a moment; 1 for one and the same currency.

    Only a rate that was entered this way round counts: an inverted one would have to be rounded.
    Units: quote per base, exact, at most 18 decimals.
    Raises: NoRate.
    Source: transaction-request-api.md, Decision on rates.
    """
    if base == quote:
        return Decimal(1)
    found = in_force(base=base, quote=quote, moment=moment)
    if found is None:
        raise NoRate(
            format_lazy(_("There is no exchange rate for 1 {base} in {quote}."), base=base, quote=quote),
            details={"base": base, "quote": quote},
        )
    rate: Decimal = found.rate
    return rate


def in_force(*, base: str, quote: str, moment: datetime) -> ExchangeRate | None:
    """Return the row of the rate that is in force at a moment."""
    begun = ExchangeRate.objects.filter(base=base, quote=quote, valid_from__lte=moment)
    return begun.order_by("-valid_from").first()


def following(*, base: str, quote: str, moment: datetime) -> ExchangeRate | None:
    """Return the row of the next rate that begins after a moment."""
    coming = ExchangeRate.objects.filter(base=base, quote=quote, valid_from__gt=moment)
    return coming.order_by("valid_from").first()


@transactions.atomic_with_retries
def add(
    *,
    base: str,
    quote: str,
    rate: Decimal,
    reason: str,
    now: datetime,
    valid_from: datetime | None = None,
    user: User | None = None,
    actor: str = "",
    address: str | None = None,
    request_id: str = "",
) -> ExchangeRate:
    """Make a rate that is in force from `valid_from` (empty: from now) until the next, with its audit row.

    Orders that exist keep the rate they were created with. A rate of a `user` is made by an approved act
    alone, whose request id it bears: the database refuses any other.
    Units: quote per base.
    Raises: InvalidInput naming every fault; nothing is written then.
    """
    start = max(valid_from or now, now)
    found = faults(base=base, quote=quote, rate=rate, reason=reason, valid_from=valid_from, now=now)
    if found:
        raise errors.InvalidInput(found)
    made = ExchangeRate(
        base_id=base, quote_id=quote, rate=rate, valid_from=start, created_at=now, created_by=user,
        reason=reason.strip(), request_id=request_id,
    )  # fmt: skip
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) != "exchange_rate_once":
            raise
        raise errors.InvalidInput(
            {"valid_from": _("Another rate of these currencies begins at this very moment.")}
        ) from refusal
    audit.write(
        action="exchangerate.create",
        object_kind="exchangerate",
        object_id=str(made.pk),
        now=now,
        user=user,
        actor=actor,
        address=address,
        after={
            "base": base,
            "quote": quote,
            "rate": money.plain(rate),
            "valid_from": start.isoformat(),
        },
        reason=made.reason,
    )
    return made


def faults(
    *, base: str, quote: str, rate: Decimal, reason: str, valid_from: datetime | None, now: datetime
) -> dict[str, errors.Words]:
    """Return what is wrong with a rate before it is made, by field; empty when it may be added."""
    found: dict[str, errors.Words] = {}
    known = set(Currency.objects.filter(pk__in=[base, quote]).values_list("pk", flat=True))
    for name, code in (("base", base), ("quote", quote)):
        if code not in known:
            found[name] = _("There is no such currency.")
    if base == quote:
        found["quote"] = _("Give another currency than the first one.")
    if not money.fits_book(rate):
        found["rate"] = _("Give at most 20 digits before the point and 18 behind it.")
    elif rate <= 0:
        found["rate"] = _("Give a rate above 0.")
    if not reason.strip():
        found["reason"] = _("Say why.")
    elif len(reason.strip()) > REASON_LENGTH_MAX:
        found["reason"] = _("Give at most 500 characters.")
    if valid_from is not None and valid_from < now - timedelta(seconds=LATE_SECONDS_MAX):
        found["valid_from"] = _("A rate cannot begin in the past: orders were made at the old one.")
    return found
