"""Columns of lists, facts and panels: amounts, badges, moments, links, as callables for Django's admin."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.utils import quote
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_str
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext

from diamondpay.lib import crypto, money

Column = str | Callable[[Any], Any]

_NOTHING = SafeString("<span></span>")
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){8,}")
_TEXT_LENGTH_MAX = 4000
_NEVER_SHOWN = re.compile(r"(_encrypted|_hash|^password|_xid)$")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A table below an object's facts: the rows that belong to it, at most 200."""

    title: Any
    rows: Callable[[Any], models.QuerySet[Any]]
    columns: tuple[Callable[[Any], Any], ...]
    row_count_max: int = 200

    def table(self, rows: models.QuerySet[Any]) -> dict[str, Any]:
        """Return the table as the template wants it: title, headings, rows of cells."""
        return {
            "title": self.title,
            "headings": [(heading(column), css(column)) for column in self.columns],
            "rows": [
                [(column(row), css(column)) for column in self.columns] for row in rows[: self.row_count_max]
            ],
        }


class Columns:
    """Columns of one model. Labels come from the model's fields unless one is given."""

    def __init__(self, model: type[models.Model]) -> None:
        self._model = model

    def text(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a value as it is, or a choice's word."""
        reader = _reader(name)
        choices = dict(getattr(self._field(name), "flatchoices", None) or [])

        def show(row: Any) -> Any:
            value = reader(row)
            if isinstance(value, bool):
                return gettext("Yes") if value else gettext("No")
            return _dash() if value in (None, "") else force_str(choices.get(value, value), strings_only=True)

        return self._named(show, kind="text", name=name, label=label)

    def money(self, name: str, *, currency: str = "currency", label: Any = None) -> Callable[[Any], Any]:
        """Show an amount with the decimals of the row's currency (`currency` is the relation to it)."""
        reader, currency_reader = _reader(name), _reader(currency)

        def show(row: Any) -> Any:
            amount, unit = reader(row), currency_reader(row)
            if amount is None:
                return _dash()
            shown = money.render(amount, unit.exponent if unit else 2)
            tone = "amount zero" if not amount else "amount"
            return format_html(
                '<span class="{}">{} <small>{}</small></span>', tone, shown, unit.pk if unit else ""
            )

        return self._named(show, kind="money", name=name, label=label)

    def number(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a number without its trailing zeros."""
        reader = _reader(name)

        def show(row: Any) -> Any:
            value = reader(row)
            return _dash() if value is None else plain(value)

        return self._named(show, kind="money", name=name, label=label)

    def badge(self, name: str, tones: Mapping[Any, str], *, label: Any = None) -> Callable[[Any], Any]:
        """Show a choice as its word on a tint: progress, success, failed, closed, review or retrying."""
        reader, choices = _reader(name), dict(self._field(name).flatchoices)

        def show(row: Any) -> Any:
            value = reader(row)
            if value is None:
                return _dash()
            return format_html(
                '<span class="badge {}">{}</span>', tones.get(value, "closed"), choices.get(value, value)
            )

        return self._named(show, kind="badge", name=name, label=label)

    def flag(self, name: str, *, word: Any, label: Any = None) -> Callable[[Any], Any]:
        """Show a word where the flag is set, and nothing where it is not."""
        reader = _reader(name)

        def show(row: Any) -> Any:
            # Django's list would show a dash for an empty text, which reads as "unknown".
            return format_html('<span class="badge outline">{}</span>', word) if reader(row) else _NOTHING

        return self._named(show, kind="badge", name=name, label=label)

    def moment(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a time in the viewer's zone, short; in full when pointed at."""
        return self._named(_moment(_reader(name), full=False), kind="moment", name=name, label=label)

    def full_moment(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a time in the viewer's zone with its date, seconds and offset."""
        return self._named(_moment(_reader(name), full=True), kind="moment", name=name, label=label)

    def link(self, name: str, *, shown: str = "", label: Any = None) -> Callable[[Any], Any]:
        """Link to the page of a related object. `shown` is the path of the text; without it, the key."""
        target = self._field(name).remote_field.model
        key_reader = _reader(f"{name}_id")
        text_reader = _reader(f"{name}.{shown}") if shown else key_reader

        def show(row: Any) -> Any:
            key = key_reader(row)
            return _dash() if key is None else link_to(target, key, text_reader(row))

        return self._named(show, kind="text", name=name, label=label)

    def page(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a value as a link to the row's own page."""
        reader, model = _reader(name), self._model

        def show(row: Any) -> Any:
            return link_to(model, row.pk, reader(row))

        return self._named(show, kind="text", name=name, label=label)

    def folded(self, name: str, *, label: Any = None) -> Callable[[Any], Any]:
        """Show a long text, JSON or raw body behind a disclosure, long numbers masked."""
        reader = _reader(name)

        def show(row: Any) -> Any:
            text = readable(reader(row))
            if not text:
                return _dash()
            summary = gettext("%d characters") % len(text)
            return format_html("<details><summary>{}</summary><pre>{}</pre></details>", summary, text)

        return self._named(show, kind="folded", name=name, label=label)

    def computed(self, show: Callable[[Any], Any], *, name: str, label: Any) -> Callable[[Any], Any]:
        """Show what a function makes of the row."""
        return self._named(show, kind="text", name=name, label=label)

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
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[quote(key)])
    return format_html('<a href="{}">{}</a>', url, text)


def plain(value: Decimal | int) -> str:
    """Return a number in plain digits without trailing zeros."""
    return money.render(Decimal(value), 0).replace(",", "")


def lines(parts: Iterable[Any]) -> SafeString:
    """Return texts under each other."""
    return format_html_join("", "<div>{}</div>", ((part,) for part in parts))


def readable(value: Any) -> str:
    """Return a text, JSON value or raw body for reading, long numbers masked, at most 4,000 characters."""
    if value in (None, "", b"", {}, []):
        return ""
    if isinstance(value, bytes | memoryview | bytearray):
        text = bytes(value).decode(errors="replace")
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, indent=1, default=str)
    clean = "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
    masked = _LONG_NUMBER.sub(lambda match: crypto.mask(match.group()), clean)
    return masked if len(masked) <= _TEXT_LENGTH_MAX else masked[: _TEXT_LENGTH_MAX - 1] + "…"


def _reader(name: str) -> Callable[[Any], Any]:
    parts = name.split(".")

    def read(row: Any) -> Any:
        value = row
        for part in parts:
            value = getattr(value, part) if value is not None else None
        return value

    return read


def _moment(reader: Callable[[Any], Any], *, full: bool) -> Callable[[Any], Any]:
    def show(row: Any) -> Any:
        value: datetime | None = reader(row)
        if value is None:
            return _dash()
        local = timezone.localtime(value)
        long = local.strftime("%Y-%m-%d %H:%M:%S %z")
        shown = long if full else local.strftime("%m-%d %H:%M:%S")
        return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), long, shown)

    return show


def _dash() -> SafeString:
    return format_html('<span class="nothing">{}</span>', "–")
