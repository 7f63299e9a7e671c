"""Fees, limits, bounds and what else decides where money goes: what may be changed by an act, and the change
exactly as it was approved.

A channel's settings at its upstream are sealed, and stay so: evidence names them by the hash of the sealed
bytes, and that of a change carries the new ones sealed, to be written as they are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from channels import secrets, setting_forms
from channels.models import Channel, Currency
from diamondpay import audit
from diamondpay.lib import crypto, errors, money
from diamondpay.models import User

_FEES = ("fee_type", "fee_permillage", "fee_fixed")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "merchantservice": (
        *_FEES, "single_limit_lower_bound", "single_limit_upper_bound", "after_failure",
    ),
    "servicebound": ("lower_bound", "upper_bound"),
    "channel": (
        "payment_lower_bound", "payment_upper_bound", "payout_lower_bound", "payout_upper_bound",
        "settings_encrypted",
    ),
    "channelservice": (*_FEES, "lower_bound", "upper_bound", "tolerance_below", "tolerance_above"),
}  # fmt: skip
# The term that is sealed; and those that are per cent of an amount, of which so much may be given.
SEALED = "settings_encrypted"
PERCENT_MAX = {"tolerance_below": Decimal(100), "tolerance_above": Decimal("999.99")}
# A lower bound and its upper one.
PAIRS = (
    ("single_limit_lower_bound", "single_limit_upper_bound"), ("lower_bound", "upper_bound"),
    ("payment_lower_bound", "payment_upper_bound"), ("payout_lower_bound", "payout_upper_bound"),
)  # fmt: skip
_BEFORE, _AFTER, _SEALED = "before.", "after.", "sealed."
# The column that says since when the terms hold; the one that switches a row on, where it has one.
SINCE, _SWITCH = "terms_since", "status"


class NotInForce(errors.DomainError):
    """What was never activated is not changed by an act: one person edits it, on its own page."""

    code = "not_in_force"
    words = _("This is not in force yet. Until its first activation it is edited on its own page.")


class InForce(errors.DomainError):
    """What is activated already is not activated again."""

    code = "in_force"
    words = _("This is in force already. Its fees, limits and bounds are changed by an act of their own.")


class Stale(errors.DomainError):
    """What the act would change is no longer as it was when the act was asked for."""

    code = "stale"
    words = _("The terms have changed since this was asked for. Reject it and ask again.")


def kind_of(row: models.Model) -> str:
    """Return the name by which a row's kind of terms goes."""
    return str(row._meta.model_name)


def of(row: models.Model) -> dict[str, str]:
    """Return the terms of a row as texts: plain decimals, codes."""
    return {name: text(getattr(row, name)) for name in FIELDS[kind_of(row)]}


def text(value: object) -> str:
    """Return a term as it stands in evidence; of one that is sealed the SHA-256 of its bytes."""
    if isinstance(value, bytes | memoryview):
        return hashlib.sha256(bytes(value)).hexdigest()
    return money.plain(value) if isinstance(value, Decimal) else str(value)


def currency_of(row: Any) -> Currency:
    """Return the currency in which a row's amounts are."""
    for path in ("service__currency", "merchant_channel__currency", "channel__currency", "currency"):
        found = row
        for part in path.split("__"):
            found = getattr(found, part, None)
        if isinstance(found, Currency):
            return found
    raise LookupError(f"{row!r} has no currency")


def evidence(row: models.Model, wanted: Mapping[str, object]) -> dict[str, str]:
    """Return the evidence of a change: every term as it is, and those that will be another."""
    before = of(row)
    after = {name: text(value) for name, value in wanted.items()}
    sealed = wanted.get(SEALED)
    return {
        **{f"{_BEFORE}{name}": value for name, value in before.items()},
        **{f"{_AFTER}{name}": value for name, value in after.items() if value != before[name]},
        **({f"{_SEALED}{SEALED}": base64.b64encode(sealed).decode()} if isinstance(sealed, bytes) else {}),
    }


def sealed_of(found: Mapping[str, str]) -> bytes | None:
    """Return the sealed settings that the evidence brings, None where it brings none, or none that hold."""
    try:
        sealed = base64.b64decode(found.get(f"{_SEALED}{SEALED}", ""), validate=True)
    except binascii.Error:
        return None
    return sealed if sealed and text(sealed) == found.get(f"{_AFTER}{SEALED}") else None


def told(found: Mapping[str, str]) -> dict[str, str]:
    """Return evidence as pages and the audit trail tell it: without what is sealed."""
    return {name: value for name, value in found.items() if not name.startswith(_SEALED)}


def setting_changes(channel: Channel, found: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the settings that the evidence changes, by label, in words as they are and will be.

    Raises: crypto.CannotDecrypt for what no configured key made.
    """
    sealed = sealed_of(found)
    after = secrets.open_settings(sealed) if sealed is not None else {}
    differing = setting_forms.differences(channel.upstream, secrets.settings_of(channel), after)
    return [(setting.label, old, new) for setting, old, new in differing]


def wanted(found: Mapping[str, str]) -> dict[str, str]:
    """Return the terms that the evidence changes, as they will be."""
    return {name.removeprefix(_AFTER): value for name, value in found.items() if name.startswith(_AFTER)}


def asked_of(found: Mapping[str, str]) -> dict[str, str]:
    """Return the terms of which an act was asked for, as they were then."""
    return {name.removeprefix(_BEFORE): value for name, value in found.items() if name.startswith(_BEFORE)}


def faults(kind: str, found: Mapping[str, str]) -> dict[str, errors.Words]:
    """Return what is wrong with the evidence of a change: nothing changed, or names that are no terms."""
    fields = FIELDS.get(kind, ())
    known = {f"{prefix}{name}" for name in fields for prefix in (_BEFORE, _AFTER)}
    if SEALED in fields and f"{_AFTER}{SEALED}" in found:
        known.add(f"{_SEALED}{SEALED}")
        if sealed_of(found) is None:
            return {"evidence": _("These are not the terms of this object.")}
    if not set(found) <= known or not {f"{_BEFORE}{name}" for name in fields} <= set(found):
        return {"evidence": _("These are not the terms of this object.")}
    return {} if wanted(found) else {"evidence": _("Nothing would change.")}


def activation_faults(kind: str, found: Mapping[str, str]) -> dict[str, errors.Words]:
    """Return what is wrong with the evidence of an activation: it is the terms as they are, all of them."""
    if set(found) != {f"{_BEFORE}{name}" for name in FIELDS.get(kind, ())} or not found:
        return {"evidence": _("These are not the terms of this object.")}
    return {}


def stale(row: models.Model, found: Mapping[str, str], _now: datetime) -> errors.Words | None:
    """Say so where a row's terms are others than those of which the act was asked for."""
    is_stale = any(found.get(f"{_BEFORE}{name}") != value for name, value in of(row).items())
    return Stale.words if is_stale else None


def change(*, row: models.Model, found: Mapping[str, str], user: User, reason: str, now: datetime) -> None:
    """Set the terms exactly as the evidence says, with their audit row. `row` was locked in this transaction.

    Raises: Stale when they are no longer as the evidence says they were; NotInForce.
    """
    if row_since(row) is None:
        raise NotInForce
    if stale(row, found, now) is not None:
        raise Stale
    changes = wanted(found)
    before = {name: found[f"{_BEFORE}{name}"] for name in changes}
    after = dict(changes)
    if isinstance(row, Channel) and SEALED in changes:
        for label, old, new in _setting_changes_that_can_be_read(row, found):
            before[label], after[label] = old, new
    for name, value in changes.items():
        field: Any = row._meta.get_field(name)
        setattr(row, name, sealed_of(found) if name == SEALED else field.to_python(value))
    _hold_since(row, now)
    row.save(update_fields=[*changes, SINCE])
    audit.write(
        action=f"{kind_of(row)}.change",
        object_kind=kind_of(row),
        object_id=str(row.pk),
        user=user,
        reason=reason,
        now=now,
        before=before,
        after=after,
    )


def _setting_changes_that_can_be_read(
    channel: Channel, found: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    # Settings that no key of ours opens any more are replaced by such an act; the hashes tell them apart.
    try:
        return setting_changes(channel, found)
    except crypto.CannotDecrypt:
        return []


def activate(*, row: models.Model, found: Mapping[str, str], user: User, reason: str, now: datetime) -> None:
    """Put a row in force with exactly the terms of the evidence. `row` was locked in this transaction.

    Raises: InForce when it was activated before; Stale when its terms are others by now.
    """
    if row_since(row) is not None:
        raise InForce
    if stale(row, found, now) is not None:
        raise Stale
    names = [SINCE]
    _hold_since(row, now)
    if hasattr(row, _SWITCH):
        setattr(row, _SWITCH, "enabled")
        names.append(_SWITCH)
    row.save(update_fields=names)
    audit.write(
        action=f"{kind_of(row)}.activate",
        object_kind=kind_of(row),
        object_id=str(row.pk),
        user=user,
        reason=reason,
        now=now,
        before={SINCE: None},
        after={**of(row), SINCE: now.isoformat()},
    )


def row_since(row: models.Model) -> datetime | None:
    """Return since when a row's terms hold; None where it was never activated."""
    found: datetime | None = getattr(row, SINCE)
    return found


def _hold_since(row: models.Model, now: datetime) -> None:
    """Let the terms hold from the moment of the decision, by which the database finds its act."""
    setattr(row, SINCE, now)
