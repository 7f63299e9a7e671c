"""Columns of records: one table of columns serves a list and the files made of it, so both show the same.

A column says how it is read from a row, how a list shows it, who may see it, and what it is in a file.
`rows` prepares a queryset so that the chosen columns are read in one statement, and nothing else is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.encoding import force_str
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext

from diamondpay.lib import admin_columns, drawn, markup

Value = str | int | Decimal | datetime | None


class FileType(StrEnum):
    """What a column is in a file. An amount has its currency's decimals; a moment is aware."""

    TEXT = "text"
    AMOUNT = "amount"
    MOMENT = "moment"
    NUMBER = "number"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column. `fields` are what it needs of the row, by their paths from the model; `annotation` is what
    the database computes for it, under the column's key.

    `currency` is the path to the amount's currency. `is_card` are the lines of a row on a phone. `opens`
    returns the address of the row's own page; the column that has it is always shown.
    """

    key: str
    label: Any
    reader: Callable[[Any], Any]
    show: Callable[[Any], Any]
    file_type: FileType = FileType.TEXT
    fields: tuple[str, ...] = ()
    annotation: Any = None
    currency: str = ""
    # What stands above the column in a list, where its name would make it wide.
    short: Any = None
    is_default: bool = True
    is_card: bool = False
    # On a phone, under its name and on a line of its own.
    is_named: bool = False
    permission: str = ""
    css: str = ""
    # The amount alone, where the heading names the currency.
    show_bare: Callable[[Any], Any] | None = None
    opens: Callable[[Any], str] | None = None

    @property
    def heading(self) -> str:
        """The column's name."""
        return self._headings()[0]

    @property
    def heading_short(self) -> str:
        """The column's name above a list."""
        return self._headings()[1]

    @property
    def opening(self) -> SafeString:
        """The beginning of each of its cells."""
        return self._headings()[2]

    @functools.cached_property
    def _headings(self) -> drawn.InLanguage[tuple[str, str, SafeString]]:
        parts = (self.css, "card-main" * self.is_card, "card-named" * self.is_named)
        named = markup.filled(' class="{}"', " ".join(filter(None, parts))) if any(parts) else ""

        def said() -> tuple[str, str, SafeString]:
            whole, short = (str(capfirst(force_str(text))) for text in (self.label, self.short or self.label))
            return whole, short, markup.filled('<td data-label="{}"{}>', whole, named)

        return drawn.InLanguage(said)

    def read(self, row: Any) -> Value:
        """Return the value for a file: a text in words, a Decimal, an aware moment, a number, or None."""
        value: Value = self.reader(row)
        return value

    def unit(self, row: Any) -> Any:
        """Return the currency (its id and exponent) of an amount's row, None for other columns."""
        return self._unit_reader(row) if self.currency else None

    @functools.cached_property
    def _unit_reader(self) -> Callable[[Any], Any]:
        return admin_columns.reader(self.currency)


def allowed(columns: Iterable[Column], user: Any) -> tuple[Column, ...]:
    """Return the columns that the user may see."""
    return tuple(each for each in columns if not each.permission or user.has_perm(each.permission))


def chosen(columns: Sequence[Column], keys: Sequence[str] | None) -> tuple[Column, ...]:
    """Return the columns that were chosen, in the order of the choice; without a choice, the usual ones.

    Keys that are not among the columns are left out; where none is left, the usual ones are shown.
    """
    by_key = {each.key: each for each in columns}
    found = tuple(by_key[key] for key in dict.fromkeys(keys or ()) if key in by_key)
    found = found or tuple(each for each in columns if each.is_default)
    openers = tuple(each for each in columns if each.opens is not None)
    return found if set(openers) & set(found) else (*openers, *found)


def rows(queryset: QuerySet[Any], columns: Sequence[Column]) -> QuerySet[Any]:
    """Return the queryset with what the columns need, in one statement, and no other field."""
    fields = {"pk", *(path for each in columns for path in each.fields)}
    relations = {path.rpartition("__")[0] for path in fields if "__" in path}
    computed = {each.key: each.annotation for each in columns if each.annotation is not None}
    found = queryset.select_related(*sorted(relations)) if relations else queryset
    return (found.annotate(**computed) if computed else found).only(*sorted(fields))


def body(page: Sequence[Any], columns: Sequence[Column], *, unit: str = "", query: str = "") -> SafeString:
    """Return the rows of a list's table.

    `unit` is the currency that the headings name, so that cells need not. Without one a row names the
    currency of its first amount, and again where it changes from one amount to the next. `query` goes with
    the address of each row's page, so that the page knows its neighbours in the list.
    """
    # A page has a thousand cells: what is the same in a column is written once.
    openings = [each.opening for each in columns]
    opener = _opener(columns)
    lines = []
    for row in page:
        url = f"{opener(row)}{query}" if opener else ""
        cells = zip(openings, _cells(row, columns, unit, url), strict=True)
        inside = "".join([f"{opening}{markup.safe(shown)}</td>" for opening, shown in cells])
        lines.append(f'<tr data-href="{markup.safe(url)}">{inside}</tr>')
    return mark_safe("\n".join(lines))  # noqa: S308 - every part is escaped where it is made


def _opener(columns: Sequence[Column]) -> Callable[[Any], str] | None:
    return next((each.opens for each in columns if each.opens is not None), None)


def _cells(row: Any, columns: Sequence[Column], unit: str, url: str) -> Iterator[Any]:
    said = unit
    for each in columns:
        if each.opens is not None:
            yield admin_columns.identified(each.reader(row), url=url, is_main=True)
        elif each.show_bare is None:
            yield each.show(row)
        elif unit:
            yield each.show_bare(row)
        elif each.reader(row) is None:
            yield each.show(row)
        else:
            own = str(getattr(each.unit(row), "pk", ""))
            yield each.show_bare(row) if own == said else each.show(row)
            said = own


def unit_of(page: Sequence[Any], columns: Sequence[Column]) -> str:
    """Return the one currency of all amounts of a page, nothing where there are several or none."""
    units = {
        unit.pk for each in columns if each.currency for row in page if (unit := each.unit(row)) is not None
    }
    return str(units.pop()) if len(units) == 1 else ""


def headings(columns: Sequence[Column], *, unit: str = "") -> list[tuple[str, str]]:
    """Return the headings of a list, each with its class."""
    named = gettext("%(heading)s (%(unit)s)")
    return [
        (
            named % {"heading": each.heading_short, "unit": unit}
            if unit and each.currency
            else each.heading_short,
            each.css,
        )
        for each in columns
    ]


class Table:
    """Makes the columns of one model. Labels and choices come from the model's fields.

    A name with dots leads over relations. `options` are those of `Column`.
    """

    def __init__(self, model: type[Model]) -> None:
        self._columns = admin_columns.Columns(model)

    def text(self, name: str, *, label: Any = None, **options: Any) -> Column:
        """Show a text, or a choice's word; in a file the same words."""
        show = self._columns.text(name, label=label)
        words = self._columns.choices(name)
        read = admin_columns.reader(name)

        def value(row: Any) -> Value:
            found = read(row)
            if isinstance(found, bool):
                return gettext("Yes") if found else gettext("No")
            return str(words.get(found, found)) if found not in (None, "") else None

        if options.get("css") != "cut":
            return self._made(name, show, reader=value, **options)
        named = show.short_description  # type: ignore[attr-defined]

        def show_cut(row: Any) -> Any:
            text = value(row)
            return markup.filled('<span title="{}">{}</span>', text, text) if text else show(row)

        whole = self._columns.computed(show_cut, name=name, label=named)
        return self._made(name, whole, reader=value, **options)

    def identifier(
        self, name: str, *, label: Any = None, link: Callable[[Any], str] | None = None, **options: Any
    ) -> Column:
        """Show a number of record, long ones cut in the middle, with a button that copies it whole."""
        show = self._columns.identifier(name, label=label, link=link)
        return self._made(name, show, **options)

    def amount(
        self, name: str, *, currency: str = "currency", label: Any = None, reader: str = "", **options: Any
    ) -> Column:
        """Show an amount with its currency's decimals."""
        path = currency.replace(".", "__")
        needs = (path, f"{path}__exponent")
        return self._made(
            name, self._columns.money(name, currency=currency, label=label), file_type=FileType.AMOUNT,
            currency=currency, css="number", needs=needs,
            show_bare=self._columns.money(name, currency=currency, label=label, is_bare=True), **options,
        )  # fmt: skip

    def number(self, name: str, *, label: Any = None, **options: Any) -> Column:
        """Show a count."""
        show = self._columns.number(name, label=label)
        return self._made(name, show, file_type=FileType.NUMBER, css="number", **options)

    def moment(self, name: str, *, label: Any = None, **options: Any) -> Column:
        """Show a time in the viewer's zone, short."""
        show = self._columns.moment(name, label=label)
        return self._made(name, show, file_type=FileType.MOMENT, **options)

    def badge(
        self, name: str, tones: Mapping[Any, str], *, label: Any = None,
        marks: Sequence[tuple[str, Any]] = (), **options: Any,
    ) -> Column:  # fmt: skip
        """Show a state as its word on a tint; `marks` are flags, with the words shown where they are set."""
        plain = self._columns.badge(name, tones, label=label)
        words = self._columns.choices(name)
        read = admin_columns.reader(name)
        flagged = [self._columns.flag(flag, word=word) for flag, word in marks]

        def show(row: Any) -> Any:
            return SafeString(" ".join([markup.safe(part(row)) for part in (plain, *flagged)]))

        named = plain.short_description  # type: ignore[attr-defined]
        return self._made(
            name, self._columns.computed(show, name=name, label=named),
            reader=lambda row: _word(words, read(row)), needs=tuple(flag for flag, _word in marks), **options,
        )  # fmt: skip

    def flag(self, name: str, *, word: Any, label: Any = None, **options: Any) -> Column:
        """Show a word where the flag is set."""
        show = self._columns.flag(name, word=word, label=label)
        read = admin_columns.reader(name)
        return self._made(name, show, reader=lambda row: str(word) if read(row) else None, **options)

    def computed(
        self, key: str, show: Callable[[Any], Any], *, label: Any, reader: Callable[[Any], Any],
        fields: tuple[str, ...] = (), **options: Any,
    ) -> Column:  # fmt: skip
        """Show what a function makes of the row."""
        return Column(key=key, label=label, reader=reader, show=show, fields=fields, **options)

    def _made(
        self, name: str, show: Callable[[Any], Any], *, needs: tuple[str, ...] = (), key: str = "",
        reader: Callable[[Any], Any] | None = None, annotation: Any = None, **options: Any,
    ) -> Column:  # fmt: skip
        own = () if annotation is not None else (name.replace(".", "__"),)
        label = show.short_description  # type: ignore[attr-defined]
        return Column(
            key=key or name.replace(".", "_"), label=label, reader=reader or admin_columns.reader(name),
            show=show, fields=(*own, *needs), annotation=annotation, **options,
        )  # fmt: skip


def _word(words: Mapping[Any, Any], value: Any) -> str | None:
    return None if value is None else str(words.get(value, value))
