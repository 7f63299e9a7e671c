"""The kinds of filters that lists are made of: choices, relations, switches, amounts, texts, numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import admin_list, money
from diamondpay.lib.filters import ListFilter, ListFilters, Pair, named, shortened

OPTION_COUNT_MAX = 200


class Several(ListFilter):
    """Any of a field's choices; all of them are the same as none."""

    control = "several"

    def read(self, raw: dict[str, list[str]]) -> list[Any] | None:
        """Return the chosen ones in the order of the choices."""
        wanted = set(raw[""])
        known = {str(value): value for value, _word in self._choices()}
        for value in raw[""]:
            if value not in known:
                raise self.unreadable(value)
        chosen = [value for text, value in known.items() if text in wanted]
        return chosen if chosen and len(chosen) < len(known) else None

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows with any of the choices."""
        if value is None:
            return qs
        lookup = {self.field_name: value[0]} if len(value) == 1 else {f"{self.field_name}__in": value}
        return qs.filter(**lookup)

    def pairs(self, value: Any) -> list[Pair]:
        """Return one pair for each choice."""
        return [(self.name, str(each)) for each in value or ()]

    def chips(self, value: Any) -> list[tuple[str, list[Pair]]]:
        """Return one chip for each choice."""
        return [
            (self.words(each), [pair for pair in self.pairs(value) if pair[1] != str(each)]) for each in value
        ]

    def words(self, value: Any) -> str:
        """Return the choice's word."""
        return str(dict(self._choices()).get(value, value))

    def options(self, value: Any) -> list[tuple[str, str, bool]]:
        """Return all choices."""
        return [(str(each), word, each in (value or ())) for each, word in self._choices()]

    def _choices(self) -> list[tuple[Any, str]]:
        choices = self.model._meta.get_field(self.field_name).flatchoices
        return [(value, str(word)) for value, word in choices]


class Flag(ListFilter):
    """A switch: both when absent, else the ones without ("0") or with ("1")."""

    control = "flag"

    def __init__(self, field_name: str, *, no: Any, yes: Any, **options: Any) -> None:
        super().__init__(field_name, **options)
        self.sides = (no, yes)

    def read(self, raw: dict[str, list[str]]) -> bool | None:
        """Return which side is asked for."""
        value = self.single(raw)
        if value not in (None, "0", "1"):
            raise self.unreadable(str(value))
        return None if value is None else value == "1"

    def pairs(self, value: Any) -> list[Pair]:
        """Return 0 or 1."""
        return [] if value is None else [(self.name, str(int(value)))]

    def words(self, value: Any) -> str:
        """Return the side's own words."""
        return str(self.sides[bool(value)])

    def options(self, value: Any) -> list[tuple[str, str, bool]]:
        """Return both sides and the absence of a choice."""
        return [
            ("", gettext("any"), value is None), ("0", str(self.sides[0]), value is False),
            ("1", str(self.sides[1]), value is True),
        ]  # fmt: skip


class Related(ListFilter):
    """Any of the rows that a relation leads to, as far as the viewer may see them.

    `others` are further relations to the same table of which any may lead there. Among many rows
    (`is_many`) one is found by typing; then also the beginning of a name is taken where it fits one alone.
    """

    def __init__(
        self, field_name: str, *, others: Sequence[str] = (), is_many: bool = False, **options: Any
    ) -> None:
        super().__init__(field_name, **options)
        self.others, self.is_many = tuple(others), is_many
        # Typed among many, ticked among few.
        self.control = "lookup" if is_many else "several"
        self._named: dict[Any, str] = {}

    @property
    def related(self) -> type[Model]:
        """The table on the other side."""
        model: type[Model] = self.model._meta.get_field(self.field_name).remote_field.model
        return model

    def rows(self) -> QuerySet[Any]:
        """Return the rows that may be chosen."""
        return self.viewer.visible_to(self.viewer.user, self.related._default_manager.order_by("pk"))

    def read(self, raw: dict[str, list[str]]) -> list[Any] | None:
        """Return the keys that are meant. Raises: ValidationError for one that is not there to be seen."""
        if not raw[""]:
            return None
        keys = {value: self._key(value) for value in dict.fromkeys(raw[""])}
        self._named = {row.pk: str(row) for row in self.rows().filter(pk__in=keys.values())}
        return sorted({key if key in self._named else self._by_name(value) for value, key in keys.items()})

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows that lead to any of the keys."""
        if value is None:
            return qs
        condition = Q()
        for name in (self.field_name, *self.others):
            attname = self.model._meta.get_field(name).attname
            condition |= Q(**{attname: value[0]} if len(value) == 1 else {f"{attname}__in": value})
        return qs.filter(condition)

    def pairs(self, value: Any) -> list[Pair]:
        """Return one pair for each key."""
        return [(self.name, str(key)) for key in value or ()]

    def chips(self, value: Any) -> list[tuple[str, list[Pair]]]:
        """Return one chip for each key."""
        return [
            (self.words(key), [pair for pair in self.pairs(value) if pair[1] != str(key)]) for key in value
        ]

    def words(self, value: Any) -> str:
        """Return what the row calls itself."""
        return self._named.get(value, str(value))

    def options(self, value: Any) -> list[tuple[str, str, bool]]:
        """Return what may be chosen; of many, what is chosen."""
        chosen = list(value or ())
        if self.is_many:
            return [(str(key), self.words(key), True) for key in chosen]
        return [(str(row.pk), str(row), row.pk in chosen) for row in self.rows()[:OPTION_COUNT_MAX]]

    def _key(self, value: str) -> Any:
        try:
            key = self.related._meta.pk.to_python(value)
        except ValidationError:
            raise self._missing(value) from None
        if isinstance(key, int) and abs(key) >= 2**63:
            raise self._missing(value)
        return key.upper() if self.is_many and isinstance(key, str) else key

    def _by_name(self, value: str) -> Any:
        """Return the key of the one row whose name begins so."""
        found = list(self.rows().filter(name__istartswith=value)[:2]) if self.is_many else []
        if len(found) > 1:
            raise ValidationError(
                gettext("Several begin with “%s”; choose one from the list.") % shortened(value)
            )
        if not found:
            raise self._missing(value)
        self._named[found[0].pk] = str(found[0])
        return found[0].pk

    def _missing(self, value: str) -> ValidationError:
        return ValidationError(
            gettext("there is no %(what)s “%(value)s”.")
            % {"what": named(self.related), "value": shortened(value)}
        )


class Text(ListFilter):
    """A text that must be equal; `lookup` may forgive case."""

    def __init__(self, field_name: str, *, lookup: str = "exact", **options: Any) -> None:
        super().__init__(field_name, **options)
        self.lookup = lookup

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows with the text."""
        return qs if value is None else qs.filter(**{f"{self.field_name}__{self.lookup}": value})


class Amount(ListFilter):
    """An amount range, both ends included. Units: major units of each row's own currency."""

    suffixes: ClassVar[tuple[str, ...]] = ("min", "max")
    control = "amount"

    def read(self, raw: dict[str, list[str]]) -> tuple[Decimal | None, Decimal | None] | None:
        """Return the ends."""
        low, high = (self._end(raw, suffix) for suffix in self.suffixes)
        if low is None and high is None:
            return None
        if low is not None and high is not None and low > high:
            raise ValidationError(gettext("The lower end is above the upper; nothing can match."))
        return low, high

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows in the range."""
        for lookup, end in zip(("gte", "lte"), value or (), strict=False):
            if end is not None:
                qs = qs.filter(**{f"{self.field_name}__{lookup}": end})
        return qs

    def pairs(self, value: Any) -> list[Pair]:
        """Return the ends that are given."""
        return [
            (name, money.plain(end))
            for name, end in zip(self.names.values(), value or (), strict=False)
            if end is not None
        ]

    def words(self, value: Any) -> str:
        """Return the range."""
        low, high = ("…" if end is None else money.plain(end) for end in value)
        return f"{low} – {high}"

    def _end(self, raw: dict[str, list[str]], suffix: str) -> Decimal | None:
        text = self.single(raw, suffix)
        if text is None:
            return None
        try:
            return money.parse_plain(text)
        except money.MoneyError as error:
            raise ValidationError(f"“{shortened(text)}”: {error}") from None


class Numbers(ListFilter):
    """Rows that any of several keys names exactly, each found by an index of its own."""

    control = "numbers"

    def __init__(self, *, keys: Sequence[admin_list.Key], title: Any = None) -> None:
        super().__init__("pk", title=title or _("number"))
        self.keys = tuple(keys)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows that a key names."""
        if value is None:
            return qs
        return qs.filter(admin_list.named_by(self.parent.queryset, keys=self.keys, text=value))


def made(filters: Mapping[str, ListFilter], *, keys: Sequence[admin_list.Key] = ()) -> type[ListFilters]:
    """Return a set of filters by their names, with a box of exact numbers where there are keys."""
    box = {ListFilters.exact: Numbers(keys=keys)} if keys else {}
    return type("MadeFilters", (ListFilters,), {**filters, **box})
