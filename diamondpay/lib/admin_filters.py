"""The filters of the bar above a list, each made for a field and named by it in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import clock, money

OPTION_COUNT_MAX = 200
_LENGTH_MAX = 128

# The presets of a time filter. Each is (days before today it begins, days before today it ends).
_PRESETS: dict[str, tuple[Any, int | None, int]] = {
    "today": (_("Today"), 0, 0),
    "yesterday": (_("Yesterday"), 1, 1),
    "7d": (_("Last 7 days"), 6, 0),
    "30d": (_("Last 30 days"), 29, 0),
    "month": (_("This month"), None, 0),
    "any": (_("Any time"), None, 0),
}


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control of the bar: a select (with options) or an input."""

    name: str
    label: str
    value: str
    kind: str
    options: tuple[tuple[str, str], ...] = ()


class BarFilter(admin.ListFilter):
    """A filter that shows itself as controls of one form and says in chips what is set."""

    parameters: ClassVar[tuple[str, ...]] = ()
    field: ClassVar[str] = ""
    # Folded away until it is set.
    is_rare: ClassVar[bool] = False

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: Any, model_admin: Any
    ) -> None:
        self.title = getattr(type(self), "title", None) or model._meta.get_field(self.field).verbose_name
        super().__init__(request, params, model, model_admin)
        self.model, self.model_admin = model, model_admin
        for name in self.parameters:
            value = params.pop(name, [""])[-1].strip()
            if value:
                self.used_parameters[name] = value

    def has_output(self) -> bool:
        """Every filter of a bar is shown."""
        return True

    def expected_parameters(self) -> list[str | None]:
        """Return the names this filter uses in the address."""
        return list(self.parameters)

    def choices(self, changelist: Any) -> Any:
        """Offer nothing to Django's own side bar."""
        return []

    def value(self, name: str = "") -> str:
        """Return what the address says."""
        return str(self.used_parameters.get(name or self.parameters[0], ""))

    def controls(self) -> list[Control]:
        """Return the controls, with what is set."""
        return []

    def chips(self) -> list[tuple[str, Sequence[str]]]:
        """Return what is set, in words, and the parameters that removing it takes away."""
        value = self.value()
        return [(f"{self.title}: {self._words(value)}", self.parameters)] if value else []

    def refused(self, request: HttpRequest, queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Say what is wrong and show nothing, rather than something else than was asked for."""
        messages.error(request, words)
        return queryset.none()

    def _words(self, value: str) -> str:
        return value

    def _unreadable(self, value: str) -> str:
        return gettext("“%(value)s” is not a value of the filter “%(filter)s”.") % {
            "value": value[:40],
            "filter": self.title,
        }


class _Choice(BarFilter):
    """One of a field's choices."""

    def controls(self) -> list[Control]:
        options = (("", gettext("any")), *self._choices())
        return [
            Control(
                name=self.parameters[0],
                label=str(self.title),
                value=self.value(),
                kind="select",
                options=options,
            )
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if value not in dict(self._choices()):
            return self.refused(request, queryset, self._unreadable(value))
        return queryset.filter(**{self.field: value})

    def _choices(self) -> list[tuple[str, str]]:
        choices = self.model._meta.get_field(self.field).flatchoices
        return [(str(value), str(label)) for value, label in choices]

    def _words(self, value: str) -> str:
        return dict(self._choices()).get(value, value)


class _Flag(_Choice):
    """Yes or no."""

    words: ClassVar[tuple[Any, Any]] = (_("no"), _("yes"))

    def _choices(self) -> list[tuple[str, str]]:
        return [("0", str(self.words[0])), ("1", str(self.words[1]))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if value not in ("0", "1"):
            return self.refused(request, queryset, self._unreadable(value))
        return queryset.filter(**{self.field: value == "1"})


class _Related(BarFilter):
    """One of the rows a relation leads to, as far as the person may see them; typed by id among many."""

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: Any, model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        related = model._meta.get_field(self.field).remote_field.model
        visible = model_admin.house.visible_to(request.user, related._default_manager.order_by("pk"))
        self._options = [(str(row.pk), str(row)) for row in visible[: OPTION_COUNT_MAX + 1]]

    def controls(self) -> list[Control]:
        name, label = self.parameters[0], str(self.title)
        if len(self._options) > OPTION_COUNT_MAX:
            return [Control(name=name, label=label, value=self.value(), kind="text")]
        options = (("", gettext("any")), *self._options)
        return [Control(name=name, label=label, value=self.value(), kind="select", options=options)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if len(value) > _LENGTH_MAX or "\x00" in value:
            return self.refused(request, queryset, self._unreadable(value))
        field = self.model._meta.get_field(self.field)
        try:
            key = field.remote_field.model._meta.pk.to_python(value)
        except ValidationError:
            return self.refused(request, queryset, self._unreadable(value))
        return queryset.filter(self._condition(key))

    def _condition(self, key: Any) -> Q:
        return Q(**{self.model._meta.get_field(self.field).attname: key})


class _Either(_Related):
    """A row that any of several relations to the same table leads to."""

    fields: ClassVar[tuple[str, ...]] = ()

    def _condition(self, key: Any) -> Q:
        condition = Q()
        for name in self.fields:
            condition |= Q(**{self.model._meta.get_field(name).attname: key})
        return condition


class _Exact(BarFilter):
    """A text that must be equal."""

    def controls(self) -> list[Control]:
        return [Control(name=self.parameters[0], label=str(self.title), value=self.value(), kind="text")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if len(value) > _LENGTH_MAX or "\x00" in value:
            return self.refused(request, queryset, self._unreadable(value))
        return queryset.filter(**{self.field: value})


class _Moment(BarFilter):
    """A time range in the viewer's zone: a preset, or two days of which the second is included whole.

    A search by an exact number ignores it: a number names one row, whenever that was.
    """

    preset: ClassVar[str] = ""

    def controls(self) -> list[Control]:
        found = []
        if self.preset:
            options = tuple((name, str(label)) for name, (label, _b, _e) in _PRESETS.items())
            chosen = "" if self._days_given() else self.value() or self.preset
            if self._days_given():
                options = (("", gettext("These days:")), *options)
            found.append(
                Control(
                    name=self.parameters[0],
                    label=str(self.title),
                    value=chosen,
                    kind="select",
                    options=options,
                )
            )
        for name, word in zip(self.parameters[-2:], (gettext("from"), gettext("to")), strict=True):
            found.append(
                Control(name=name, label=f"{self.title} {word}", value=self.value(name), kind="date")
            )
        return found

    def chips(self) -> list[tuple[str, Sequence[str]]]:
        if self._days_given():
            start, end = (self.value(name) or "…" for name in self.parameters[-2:])
            return [(f"{self.title}: {start} – {end}", self.parameters)]
        value = self.value() if self.preset else ""
        return [(f"{self.title}: {_PRESETS[value][0]}", self.parameters)] if value in _PRESETS else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if request.GET.get(SEARCH_VAR, "").strip():
            return queryset
        if self._days_given():
            return self._between_days(request, queryset)
        preset = self.value() or self.preset if self.preset else "any"
        if preset not in _PRESETS:
            return self.refused(request, queryset, self._unreadable(preset))
        if preset == "any":
            return queryset
        today = timezone.localdate(clock.now())
        _label, days, days_end = _PRESETS[preset]
        first = today.replace(day=1) if days is None else today - timedelta(days=days)
        return self._within(queryset, first=first, last=today - timedelta(days=days_end))

    def _between_days(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        days: list[date | None] = []
        for name in self.parameters[-2:]:
            value = self.value(name)
            try:
                days.append(date.fromisoformat(value) if value else None)
            except ValueError:
                words = gettext("“%s” is not a day; write it like 2026-01-31.") % value[:40]
                return self.refused(request, queryset, words)
        first, last = days
        if first and last and first > last:
            return self.refused(
                request, queryset, gettext("The first day is after the last; nothing can match.")
            )
        return self._within(queryset, first=first, last=last)

    def _within(self, queryset: QuerySet[Any], *, first: date | None, last: date | None) -> QuerySet[Any]:
        condition = Q()
        if first and first > date.min + timedelta(days=2):
            condition &= Q(**{f"{self.field}__gte": _midnight(first)})
        if last and last < date.max - timedelta(days=2):
            condition &= Q(**{f"{self.field}__lt": _midnight(last + timedelta(days=1))})
        return queryset.filter(condition)

    def _days_given(self) -> bool:
        return any(self.value(name) for name in self.parameters[-2:])


class _Amount(BarFilter):
    """An amount range, both ends included."""

    def controls(self) -> list[Control]:
        words = (gettext("from"), gettext("to"))
        return [
            Control(name=name, label=f"{self.title} {word}", value=self.value(name), kind="amount")
            for name, word in zip(self.parameters, words, strict=True)
        ]

    def chips(self) -> list[tuple[str, Sequence[str]]]:
        low, high = (self.value(name) for name in self.parameters)
        return [(f"{self.title}: {low or '0'} – {high or '…'}", self.parameters)] if low or high else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for name, lookup in zip(self.parameters, ("gte", "lte"), strict=True):
            value = self.value(name)
            if not value:
                continue
            try:
                queryset = queryset.filter(**{f"{self.field}__{lookup}": money.parse_plain(value)})
            except money.MoneyError as error:
                return self.refused(request, queryset, f"{self.title}: {error}")
        return queryset


def choice(field: str, *, title: Any = None) -> type[BarFilter]:
    """Filter by one of the field's choices."""
    return _made(_Choice, field=field, parameters=(field,), title=title)


def flag(field: str, *, no: Any, yes: Any, title: Any = None) -> type[BarFilter]:
    """Filter by a yes or no, each in its own words."""
    return _made(_Flag, field=field, parameters=(field,), title=title, words=(no, yes))


def related(field: str, *, title: Any = None) -> type[BarFilter]:
    """Filter by the row that a relation leads to."""
    return _made(_Related, field=field, parameters=(field,), title=title)


def either(name: str, *fields: str, title: Any) -> type[BarFilter]:
    """Filter by the row that any of several relations leads to, such as both sides of a transfer."""
    return _made(_Either, field=fields[0], fields=fields, parameters=(name,), title=title)


def exact(field: str, *, title: Any = None) -> type[BarFilter]:
    """Filter by an equal text."""
    return _made(_Exact, field=field, parameters=(field,), title=title)


def moment(field: str, *, name: str, preset: str = "", title: Any = None) -> type[BarFilter]:
    """Filter by a time range; with a preset, that is the range until another is chosen."""
    names = (f"{name}_from", f"{name}_to")
    parameters = (name, *names) if preset else names
    return _made(_Moment, field=field, parameters=parameters, title=title, preset=preset, is_rare=not preset)


def amount(field: str, *, title: Any = None) -> type[BarFilter]:
    """Filter by an amount range."""
    return _made(_Amount, field=field, parameters=("amount_min", "amount_max"), title=title, is_rare=True)


def _made(base: type[BarFilter], **attributes: Any) -> type[BarFilter]:
    return type(f"{base.__name__}_{attributes['field']}", (base,), attributes)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())
