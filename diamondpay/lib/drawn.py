"""Parts of pages that are the same for the same values: drawn once and kept in this process.

A page of the back office is mostly its frame: menu, filters, columns to choose from. Drawing those anew took
more than the database and the rows together. A part drawn here sees its values and the language, neither
request nor person; so whatever differs between people is a value, and with it part of the key.

In templates: `{% load drawn %}{% drawn "admin/includes/help.html" %}`, with values as of an include.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

from django import template
from django.template import Context, loader
from django.utils.safestring import SafeString
from django.utils.translation import get_language

Made = TypeVar("Made")

register = template.Library()
_PART_COUNT_MAX = 512
_LANGUAGE_COUNT_MAX = 100


class Remembered(Generic[Made]):
    """What is the same for the same key, made once. With `count_max` keys it forgets all and begins anew."""

    def __init__(self, *, count_max: int) -> None:
        self._count_max = count_max
        self._made: dict[Hashable, Made] = {}

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what belongs to the key. Two threads may both make it; they make the same."""
        found = self._made.get(key)
        if found is None:
            found = make()
            if len(self._made) >= self._count_max:
                self._made.clear()
            self._made[key] = found
        return found


class InLanguage(Generic[Made]):
    """What every page in a language says alike: made once for each language, read by calling it."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._made: Remembered[Made] = Remembered(count_max=_LANGUAGE_COUNT_MAX)

    def __call__(self) -> Made:
        """Return it in the language that is spoken now."""
        return self._made.get(get_language(), self._make)


_parts: Remembered[SafeString] = Remembered(count_max=_PART_COUNT_MAX)


def part(name: str, *, key: Hashable, values: Callable[[], Mapping[str, Any]]) -> SafeString:
    """Return a part of a page by its template. `key` stands for everything that the values depend on."""

    def draw() -> SafeString:
        found: Any = loader.get_template(name)
        # The template's own context: processors would bring in the request and who asks.
        return SafeString(found.template.render(Context(dict(values()))))

    return _parts.get((name, get_language(), key), draw)


@register.simple_tag
def drawn(name: str, **values: Hashable) -> SafeString:
    """Return a part whose values are its key."""
    # With their types: a text equals the same text marked as safe, and True equals 1.
    key = tuple((value_name, type(value), value) for value_name, value in values.items())
    return part(name, key=key, values=lambda: values)
