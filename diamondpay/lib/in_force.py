"""Rows with fees, limits or bounds that run nothing before two people have put them in force.

`terms_since` is the moment since which the terms of such a row hold: None until its first activation, then
the moment of the decision that made them what they are. The database refuses any other road
(`operations/sql/terms.sql`).
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

# How many first activations one form asks for.
ASKED_AT_ONCE_MAX = 500
NOT_IN_FORCE = _("This is not in force: its first activation is decided by a second person.")

TERMS_ARE_ACTS = _(
    "Until its first activation one person may type these freely, since nothing runs on them. That"
    " activation, and every later change, one person asks for and another decides."
)


def terms_since() -> Any:
    """Return the column."""
    return models.DateTimeField(_("in force since"), null=True, blank=True, editable=False)


def disabled_before_in_force(name: str) -> models.CheckConstraint:
    """Return what keeps a row that was never activated switched off. `name` is the beginning of its own."""
    return models.CheckConstraint(
        condition=Q(status="disabled") | Q(terms_since__isnull=False), name=f"{name}_off_before_in_force"
    )
