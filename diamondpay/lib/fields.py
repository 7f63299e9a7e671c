"""Model fields that every room declares in the same way."""

from __future__ import annotations

from typing import Any

from django.db import models


class MoneyField(models.DecimalField[Any, Any]):
    """An amount in major units of the row's currency: numeric(38,18), never a float."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = 38
        kwargs["decimal_places"] = 18
        super().__init__(*args, **kwargs)
