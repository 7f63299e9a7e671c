"""What the shared pages of the back office ask of the site they stand in, which lives higher up the road."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest


class House(Protocol):
    """What the pages ask of the site they are registered with."""

    def visible_to(self, user: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of a queryset that the user may see."""

    def write_audit(
        self,
        request: HttpRequest,
        *,
        action: str,
        obj: models.Model,
        before: Mapping[str, object],
        after: Mapping[str, object],
    ) -> None:
        """Write the audit row of a deed, inside the deed's transaction (A1)."""

    def title_of(self, model: type[models.Model]) -> str:
        """Return the name that a model's list has in the menu."""
