"""Filters of a list: django-filter FilterSets that say in words what they did and why they refuse.

A `ListFilter` owns the names it uses in the address, reads their values, narrows a queryset, and can write
itself back: as chips for people and as name and value pairs for the canonical address. `read` puts a whole
address through a set. What cannot be read shows nothing and says why; it never shows other rows than asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext

Pair = tuple[str, str]
Scope = Callable[[Any, QuerySet[Any]], QuerySet[Any]]
VALUE_LENGTH_MAX = 128
VALUE_COUNT_MAX = 50


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who looks, in which zone, at which moment, and the function that keeps to what they may see."""

    user: Any
    zone: ZoneInfo
    now: datetime
    visible_to: Scope


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One thing that is set, in words, and the query string of the list without it."""

    label: str
    value: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What an address asks of a list.

    `queryset` is scoped, filtered and newest first; `branches` are querysets that are the same rows together
    and never overlap, each of which one index serves in order. `query` is the canonical query string: read
    again by the same person, it means the same. `totals_key` is what the totals need to know about the rows,
    None where they cannot tell. `unknown` are parameters that no filter has. `notes` say what a person should
    know about the rows.
    """

    kind: str
    queryset: QuerySet[Any]
    branches: tuple[QuerySet[Any], ...]
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    chips: tuple[Chip, ...] = ()
    query: str = ""
    totals_key: Any = None
    values: Mapping[str, Any] = field(default_factory=dict)
    filterset: Any = None


class _Raw(forms.Widget):
    """Hands a filter everything the address says under its names, untouched."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, list[str]]:
        found = {}
        for key, parameter in self.names.items():
            values = data.getlist(parameter) if hasattr(data, "getlist") else _listed(data.get(parameter))
            found[key] = [text for value in values if (text := str(value).strip())]
        return found


class _Field(forms.Field):
    """Cleans what a filter's names say by asking the filter."""

    def __init__(self, *, reader: Callable[[dict[str, list[str]]], Any], names: Mapping[str, str]) -> None:
        super().__init__(required=False, widget=_Raw(names))
        self.reader = reader

    def clean(self, value: dict[str, list[str]]) -> Any:
        """Return the filter's value, None where nothing is asked."""
        return self.reader(value)


class ListFilter(django_filters.Filter):  # type: ignore[misc]  # django-filter has no types
    """One filter. `suffixes` are the endings of its names in the address; the first is its main one."""

    suffixes: ClassVar[tuple[str, ...]] = ("",)
    control = "text"

    def __init__(
        self,
        field_name: str,
        *,
        title: Any = None,
        is_rare: bool = False,
        permission: str = "",
    ) -> None:
        super().__init__(field_name=field_name)
        self.given_title, self.is_rare, self.permission = title, is_rare, permission
        self.name = ""

    @property
    def viewer(self) -> Viewer:
        """Who looks."""
        viewer: Viewer = self.parent.viewer
        return viewer

    @property
    def title(self) -> str:
        """The filter's name for people."""
        named = self.given_title or self.model._meta.get_field(self.field_name).verbose_name
        return str(capfirst(str(named)))

    @property
    def names(self) -> dict[str, str]:
        """The names in the address, by suffix."""
        return {suffix: f"{self.name}_{suffix}" if suffix else self.name for suffix in self.suffixes}

    @property
    def field(self) -> forms.Field:
        """The form's field, which django-filter asks for."""
        return _Field(reader=self._clean, names=self.names)

    def read(self, raw: dict[str, list[str]]) -> Any:
        """Return the value that the address asks for, None for no narrowing.

        Raises: ValidationError, in words, for what cannot be meant.
        """
        return self.single(raw)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows that fit the value."""
        return qs if value is None else qs.filter(**{self.field_name: value})

    def pairs(self, value: Any) -> list[Pair]:
        """Return the value as the address says it."""
        return [] if value is None else [(self.name, str(value))]

    def chips(self, value: Any) -> list[tuple[str, list[Pair]]]:
        """Return what is set, in words, each with what stays of this filter when it is taken away."""
        return [] if value is None else [(self.words(value), [])]

    def words(self, value: Any) -> str:
        """Return a value in words."""
        return str(value)

    def options(self, value: Any) -> list[tuple[str, str, bool]]:
        """Return the choices: value, word, whether chosen."""
        return []

    def single(self, raw: dict[str, list[str]], suffix: str = "") -> str | None:
        """Return the one value of a name. Raises: ValidationError when there are several."""
        values = raw[suffix]
        if len(set(values)) > 1:
            raise ValidationError(gettext("It takes one value, and the address has %d.") % len(values))
        return values[0] if values else None

    def unreadable(self, value: str) -> ValidationError:
        """Return the complaint about a value that is none of the filter's."""
        return ValidationError(gettext("“%s” is not one of its values.") % shortened(value))

    def _clean(self, raw: dict[str, list[str]]) -> Any:
        for value in (value for values in raw.values() for value in values):
            if len(value) > VALUE_LENGTH_MAX:
                raise ValidationError(
                    gettext("A value has at most %(most)d characters; this one has %(count)d.")
                    % {"most": VALUE_LENGTH_MAX, "count": len(value)}
                )
            if "\x00" in value:
                raise ValidationError(gettext("A value has no NUL character in it."))
        if any(len(values) > VALUE_COUNT_MAX for values in raw.values()):
            raise ValidationError(gettext("It takes at most %d values.") % VALUE_COUNT_MAX)
        return self.read(raw)


class ListFilters(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    """The filters of one list.

    `exact` names the filter by exact numbers: with it, time ranges are left out, since a number names its
    rows whenever they were. `instead` names filters that say a time of their own: with one of them, a
    range that nobody chose (a preset by default) is left out.
    """

    exact: ClassVar[str] = "q"
    instead: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data: Any, queryset: QuerySet[Any], *, viewer: Viewer) -> None:
        super().__init__(data=data, queryset=queryset)
        self.viewer = viewer
        for name, each in list(self.filters.items()):
            each.name = name
            if each.permission and not viewer.user.has_perm(each.permission):
                del self.filters[name]

    @property
    def parameters(self) -> dict[str, str]:
        """Every name in the address that a filter reads, with the filter's name."""
        return {parameter: name for name, each in self.filters.items() for parameter in each.names.values()}

    def values(self) -> dict[str, Any]:
        """Return what is asked of each filter, after the filters have settled who goes before whom."""
        found = {name: value for name, value in self.form.cleaned_data.items() if value is not None}
        timeless = self.exact in found
        for name in list(found):
            is_default = getattr(found[name], "is_default", False)
            if hasattr(found[name], "is_default") and (
                timeless or (is_default and any(other in found for other in self.instead))
            ):
                del found[name]
        return found

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that fit every filter."""
        for name, value in self.values().items():
            queryset = self.filters[name].filter(queryset, value)
        return queryset

    def complaints(self) -> tuple[str, ...]:
        """Return what is wrong, each sentence with the filter's name before it."""
        return tuple(
            f"{self.filters[name].title}: {words}"
            for name, found in self.form.errors.items()
            for words in found
        )

    def pairs(self, values: Mapping[str, Any]) -> dict[str, list[Pair]]:
        """Return the canonical name and value pairs of each filter."""
        return {name: self.filters[name].pairs(value) for name, value in values.items()}

    def chips(self, values: Mapping[str, Any]) -> tuple[Chip, ...]:
        """Return the chips, each with the query string that is left without it."""
        pairs = self.pairs(values)
        return tuple(
            Chip(label=self.filters[name].title, value=words, query=query_of({**pairs, name: rest}))
            for name, value in values.items()
            for words, rest in self.filters[name].chips(value)
        )


def read(
    filters: type[ListFilters], params: Mapping[str, Any], *, queryset: QuerySet[Any], viewer: Viewer,
    kind: str = "", ignored: Iterable[str] = (),
) -> Reading:  # fmt: skip
    """Read an address with a set of filters over the rows that the viewer may see.

    Parameters named in `ignored` belong to somebody else, such as the page number.
    """
    found = filters(params, queryset, viewer=viewer)
    unknown = tuple(sorted({str(name) for name in params} - set(found.parameters) - set(ignored)))
    if found.form.errors:
        return Reading(
            kind=kind, queryset=queryset.none(), branches=(), errors=found.complaints(), unknown=unknown,
            query=_as_given(params, found.parameters), filterset=found,
        )  # fmt: skip
    values = found.values()
    narrowed = found.filter_queryset(queryset)
    return Reading(
        kind=kind, queryset=narrowed, branches=(narrowed,), unknown=unknown, values=values,
        chips=found.chips(values), query=query_of(found.pairs(values)), filterset=found,
    )  # fmt: skip


def query_of(pairs: Mapping[str, Sequence[Pair]]) -> str:
    """Return name and value pairs as a query string."""
    return urlencode([pair for each in pairs.values() for pair in each])


def shortened(value: str) -> str:
    """Return a value for a sentence, at most 40 characters of it."""
    return value if len(value) <= 40 else f"{value[:39]}…"


def named(model: type[Model]) -> str | Promise:
    """Return what a row of the model is called."""
    name: str | Promise = model._meta.verbose_name or model.__name__
    return name


def _as_given(params: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """Return what was asked for when it cannot be read, so that it can be mended where it stands."""
    kept = QueryDict(mutable=True)
    for name in known:
        values = params.getlist(name) if isinstance(params, QueryDict) else _listed(params.get(name))
        kept.setlist(name, [str(value) for value in values if str(value).strip()])
    return kept.urlencode()


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
