"""Columns of lists, facts and panels: amounts, badges, moments, links, as callables for Django's admin."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote as url_quote

from django.contrib.admin.utils import quote
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_str
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext

from diamondpay.lib import drawn, markup, masking, money

Column = str | Callable[[Any], Any]

# The parameter of a record's page that says before which key a panel's rows begin.
BEFORE = "before"
_ANY_KEY = "any-key"
_NOTHING = SafeString("<span></span>")
_DASH = SafeString('<span class="nothing">–</span>')
# 2026-11-28 14:05:09
_STAMP_LENGTH = 19
_COPIED = (
    '<span class="id">{}<button class="copy" type="button" data-copy="{}" aria-label="{}"></button></span>'
)
_TIME = '<time datetime="{}" title="{}">{}</time>'
_NEAR_DAYS = 180
# Longer numbers are cut in the middle: what tells them apart stands at their ends.
_NUMBER_LENGTH_MAX = 18
_copy = drawn.InLanguage(lambda: gettext("Copy %s"))
_NEVER_SHOWN = re.compile(r"(_encrypted|_hash|^password|_xid)$")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A table below an object's facts: the rows that belong to it, at most 200.

    Rows sorted by falling key may go on (`is_paged`): the address then says before which key.
    """

    title: Any
    rows: Callable[[Any], models.QuerySet[Any]]
    columns: tuple[Callable[[Any], Any], ...]
    row_count_max: int = 200
    is_paged: bool = False

    def table(self, rows: models.QuerySet[Any], *, before: str = "") -> dict[str, Any]:
        """Return the table as the template wants it: title, headings, rows of cells, where older ones are."""
        is_older = self.is_paged and before.isascii() and before.isdigit() and len(before) < 19
        shown = list((rows.filter(pk__lt=int(before)) if is_older else rows)[: self.row_count_max + 1])
        has_more = len(shown) > self.row_count_max
        del shown[self.row_count_max :]
        return {
            "title": self.title,
            "headings": [(heading(column), css(column)) for column in self.columns],
            "rows": [
                [(column(row), css(column), heading(column)) for column in self.columns] for row in shown
            ],
            "is_older": is_older,
            "older_url": f"?{BEFORE}={shown[-1].pk}" if self.is_paged and has_more else "",
            "is_cut": has_more and not self.is_paged,
        }


class Columns:
    """Columns of one model. Labels come from the model's fields unless one is given."""

    def __init__(self, model: type[models.Model]) -> None:
        self._model = model

    def text(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a value as it is, or a choice's word."""
        read, words = reader(name), self._words(name)

        def show(row: Any) -> Any:
            value = read(row)
            if isinstance(value, bool):
                return gettext("Yes") if value else gettext("No")
            return dash() if value in (None, "") else force_str(words().get(value, value), strings_only=True)

        return self._named(show, kind="text", name=name, label=label)

    def money(
        self, name: str, *, currency: str = "currency", label: Any = None, is_bare: bool = False
    ) -> Callable[[Any], Any]:
        """Show an amount with the decimals of the row's currency (`currency` is the relation to it).

        A bare one leaves the currency's name to the heading.
        """
        read, read_currency = reader(name), reader(currency)
        # A bare one is named by its heading, and where there is no heading, on a phone, by itself.
        small = '<small class="unit">' if is_bare else "<small>"
        shape = f'<span class="{{}}">{{}} {small}{{}}</small></span>'

        def show(row: Any) -> Any:
            amount, unit = read(row), read_currency(row)
            if amount is None:
                return dash()
            shown = money.render(amount, unit.exponent if unit else 2)
            tone = "amount" if amount else "amount zero"
            return markup.filled(shape, tone, shown, unit.pk if unit else "")

        return self._named(show, kind="money", name=name, label=label)

    def number(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a number without its trailing zeros."""
        read = reader(name)

        def show(row: Any) -> Any:
            value = read(row)
            return dash() if value is None else plain(value)

        return self._named(show, kind="money", name=name, label=label)

    def badge(self, name: str, tones: Mapping[Any, str], *, label: Any = None) -> Callable[[Any], Any]:
        """Show a choice as its word on a tint: progress, success, failed, closed, review or retrying."""
        read, words = reader(name), self._words(name)

        def show(row: Any) -> Any:
            value = read(row)
            return badge(value, tones.get(value, "closed"), words())

        return self._named(show, kind="badge", name=name, label=label)

    def flag(self, name: str, *, word: Any, label: Any = None) -> Callable[[Any], Any]:
        """Show a word where the flag is set, and nothing where it is not."""
        read = reader(name)

        def show(row: Any) -> Any:
            # Django's list would show a dash for an empty text, which reads as "unknown".
            return markup.filled('<span class="badge outline">{}</span>', word) if read(row) else _NOTHING

        return self._named(show, kind="badge", name=name, label=label)

    def moment(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a time in the viewer's zone, short; in full when pointed at."""
        read = reader(name)
        return self._named(lambda row: moment(read(row)), kind="moment", name=name, label=label)

    def full_moment(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a time in the viewer's zone with its date, seconds and offset."""
        read = reader(name)
        return self._named(lambda row: moment(read(row), full=True), kind="moment", name=name, label=label)

    def link(self, name: str, *, shown: str = "", label: Any = None) -> Callable[[Any], Any]:
        """Link to the page of a related object. `shown` is the path of the text; without it, the key."""
        target = self._field(name).remote_field.model
        read_key = reader(f"{name}_id")
        read_text = reader(f"{name}.{shown}") if shown else read_key

        def show(row: Any) -> Any:
            key = read_key(row)
            return dash() if key is None else link_to(target, key, read_text(row))

        return self._named(show, kind="text", name=name, label=label)

    def identifier(
        self, name: str, *, label: Any = None, link: Callable[[Any], str] | None = None
    ) -> Callable[[Any], Any]:
        """Show a number of record with a button that copies it whole; `link` returns where it leads."""
        read = reader(name)

        def show(row: Any) -> Any:
            value = read(row)
            return dash() if value in (None, "") else identified(value, url=link(row) if link else "")

        return self._named(show, kind="text", name=name, label=label)

    def page(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a value as a link to the row's own page."""
        read, model = reader(name), self._model

        def show(row: Any) -> Any:
            return link_to(model, row.pk, read(row))

        return self._named(show, kind="text", name=name, label=label)

    def folded(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a long text, JSON or raw body behind a disclosure, long numbers masked."""
        read = reader(name)

        def show(row: Any) -> Any:
            text = readable(read(row))
            if not text:
                return dash()
            summary = gettext("%d characters") % len(text)
            return markup.filled("<details><summary>{}</summary><pre>{}</pre></details>", summary, text)

        return self._named(show, kind="folded", name=name, label=label)

    def computed(self, show: Callable[[Any], Any], *, name: str, label: Any) -> Callable[[Any], Any]:
        """Show what a function makes of the row."""
        return self._named(show, kind="text", name=name, label=label)

    def choices(self, name: str) -> dict[Any, Any]:
        """Return the words of a field's choices, nothing for what is no field."""
        return dict(getattr(self._field(name), "flatchoices", None) or [])

    def _words(self, name: str) -> drawn.InLanguage[dict[Any, str]]:
        choices = self.choices(name)
        return drawn.InLanguage(lambda: {value: str(word) for value, word in choices.items()})

    def _field(self, name: str) -> Any:
        model: Any = self._model
        field: Any = None
        for part in name.split("."):
            field = next(
                (f for f in model._meta.get_fields() if part in (f.name, getattr(f, "attname", ""))), None
            )
            model = getattr(getattr(field, "remote_field", None), "model", None)
        return field

    def _named(self, show: Callable[[Any], Any], *, kind: str, name: str, label: Any) -> Callable[[Any], Any]:
        show.__name__ = f"{kind}_{name.replace('.', '_')}"
        show.short_description = label or self._field(name).verbose_name  # type: ignore[attr-defined]
        return show


def heading(column: Callable[[Any], Any]) -> str:
    """Return a column's heading."""
    return str(capfirst(force_str(column.short_description)))  # type: ignore[attr-defined]


def css(column: Callable[[Any], Any]) -> str:
    """Return the class of a column's cells, by which amounts are set right."""
    return f"field-{column.__name__}"


def of_model(model: type[models.Model]) -> tuple[Callable[[Any], Any], ...]:
    """Return a plain column for each field of a model, leaving out what is encrypted, hashed or raw."""
    columns = Columns(model)
    shown: list[Callable[[Any], Any]] = []
    for field in model._meta.fields:
        if _NEVER_SHOWN.search(field.name) or isinstance(field, models.BinaryField):
            continue
        if isinstance(field, models.DateTimeField):
            shown.append(columns.full_moment(field.name))
        elif isinstance(field, models.DecimalField):
            shown.append(columns.number(field.name))
        elif isinstance(field, models.JSONField):
            shown.append(columns.folded(field.name))
        elif isinstance(field, models.ForeignKey):
            shown.append(columns.text(field.attname, label=field.verbose_name))
        else:
            shown.append(columns.text(field.name))
    return tuple(shown)


def list_url(label: str) -> str:
    """Return the address of a model's list; label is `app.model`, lower case."""
    return reverse(f"admin:{label.replace('.', '_')}_changelist")


def link_to(model: type[models.Model], key: Any, text: Any) -> SafeString:
    """Return a link to the page of an object."""
    url = page_of(f"{model._meta.app_label}_{model._meta.model_name}", key)
    return markup.filled('<a href="{}">{}</a>', url, text)


def page_of(name: str, key: Any) -> str:
    """Return the address of an object's page; name is `app_model`.

    Django tries patterns to find one, which for a list of fifty rows is a tenth of its time: it is asked once
    for each kind.
    """
    before, after = _page(name)
    if isinstance(key, int):
        return f"{before}{key}{after}"
    return f"{before}{url_quote(quote(str(key)))}{after}"


@functools.cache
def _page(name: str) -> tuple[str, str]:
    before, _key, after = reverse(f"admin:{name}_change", args=[_ANY_KEY]).partition(_ANY_KEY)
    return before, after


def badge(value: Any, tone: str, words: Mapping[Any, Any]) -> SafeString:
    """Return a state as its word on a tint."""
    if value is None:
        return dash()
    return markup.filled('<span class="badge {}">{}</span>', tone, words.get(value, value))


def identified(value: Any, *, url: str = "", is_main: bool = False) -> SafeString:
    """Return a number of record, cut in the middle where it is long, beside a button that copies it."""
    text = str(value)
    shown = text if len(text) <= _NUMBER_LENGTH_MAX else f"{text[:9]}…{text[-6:]}"
    title = markup.filled(' title="{}"', text) if shown != text else ""
    main = SafeString(" data-open") if is_main else ""
    opened = (
        markup.filled('<a href="{}"{}{}>{}</a>', url, main, title, shown)
        if url
        else markup.filled("<span{}>{}</span>", title, shown)
    )
    return markup.filled(_COPIED, opened, text, _copy() % text)


def plain(value: Decimal | int) -> str:
    """Return a number in plain digits without trailing zeros."""
    return money.render(Decimal(value), 0).replace(",", "")


def lines(parts: Iterable[Any]) -> SafeString:
    """Return texts under each other."""
    return format_html_join("", "<div>{}</div>", ((part,) for part in parts))


def readable(value: Any) -> str:
    """Return a text, JSON value or raw body for reading, masked, at most 4,000 characters."""
    return masking.readable(value)


def reader(name: str) -> Callable[[Any], Any]:
    """Return what reads a value by its path, with dots over relations; None where the way ends early."""
    if "." not in name:
        return operator.attrgetter(name)
    parts = name.split(".")

    def read(row: Any) -> Any:
        value = row
        for part in parts:
            value = getattr(value, part) if value is not None else None
        return value

    return read


def moment(value: datetime | None, *, full: bool = False) -> SafeString:
    """Return a time in the viewer's zone, short, and in full when pointed at; a dash for none."""
    if value is None:
        return _DASH
    local = value.astimezone(timezone.get_current_timezone()).isoformat(sep=" ", timespec="seconds")
    stamp, offset = local[:_STAMP_LENGTH], local[_STAMP_LENGTH:].replace(":", "")
    # What is far away is told apart by its year, what is near by its seconds.
    is_near = abs((value - timezone.now()).days) < _NEAR_DAYS
    shown = f"{stamp} {offset}" if full else stamp[5:] if is_near else stamp[:-3]
    return markup.filled(_TIME, value.isoformat(), f"{stamp} {offset}", shown)


def dash() -> SafeString:
    """Return what stands where there is nothing."""
    return _DASH
