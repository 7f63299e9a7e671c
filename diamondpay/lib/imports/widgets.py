"""How the texts of an import become values, and values become the texts of the file to start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _t
from import_export import widgets

from diamondpay.lib import money

_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})


class Text(widgets.CharWidget):  # type: ignore[misc]  # import-export has no types
    """A text as it is."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """Return the text."""
        return str(value)

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """Return the text."""
        return "" if value is None else str(value)


class Amount(Text):
    """An amount or rate: a plain decimal."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Decimal:
        """Read a plain decimal. Raises: ValueError in words."""
        return money.parse_plain(str(value))

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """Return a plain decimal without trailing zeros."""
        return "" if value is None else money.plain(Decimal(value))


class Flag(Text):
    """Yes or no."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> bool:
        """Read a yes or no. Raises: ValueError in words."""
        word = str(value).casefold()
        if word not in _YES | _NO:
            raise ValueError(_t("Write yes or no."))
        return word in _YES

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """Return yes or no."""
        return "yes" if value else "no"


class Choice(Text):
    """One of a column's values, written as it is stored or as people read it."""

    def __init__(self, choices: Iterable[tuple[Any, Any]]) -> None:
        super().__init__()
        self._choices = [(str(value), str(word)) for value, word in choices]

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        """Return the stored value. Raises: ValueError naming what may be written."""
        wanted = str(value).casefold()
        for stored, word in self._choices:
            if wanted in (stored.casefold(), word.casefold()):
                return stored
        raise ValueError(_t("Write one of: %s.") % ", ".join(stored for stored, _word in self._choices))


class Relation(Text):
    """The key of another row, which must be among those that the person may see."""

    def __init__(self, model: type[Model]) -> None:
        super().__init__()
        self._model = model
        self.known: Mapping[Any, Any] = {}

    def look_up(self, texts: Iterable[str], visible_to: Any) -> None:
        """Find all that a file names at once."""
        rows: QuerySet[Any] = visible_to(self._model._default_manager.all())
        self.known = {str(row.pk): row for row in rows.filter(pk__in={text for text in texts if text})}

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """Return the row's key. Raises: ValueError when there is no such row, or not for this person."""
        if str(value) not in self.known:
            name = str(self._model._meta.verbose_name)
            raise ValueError(_t("There is no %(kind)s “%(key)s”.") % {"kind": name, "key": value})
        return self.known[str(value)].pk
