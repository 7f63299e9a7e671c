"""The small parts that order pages and search results are made of: amounts, moments, numbers, links."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t

from channels.models import Currency
from diamondpay.lib import admin_columns, markup, money

MOMENT_FORMAT = "%Y-%m-%d %H:%M:%S %z"


def amount(
    value: Decimal | None, currency: Currency | None, *, signed: bool = False, names_unit: bool = True
) -> SafeString:
    """Return an amount with its currency's decimals, and its currency; a dash where there is none."""
    if value is None:
        return nothing()
    text = plain_amount(value, currency)
    shown = f"+{text}" if signed and value > 0 else text.replace("-", "−")
    tone = "amount zero" if not value else "amount"
    unit = markup.filled(" <small>{}</small>", currency.pk) if currency and names_unit else ""
    return markup.filled('<span class="{}">{}{}</span>', tone, shown, unit)


def plain_amount(value: Decimal, currency: Currency | None) -> str:
    """Return an amount as text with its currency's decimals, without the currency."""
    return money.render(value, currency.exponent if currency else 2)


def moment(value: datetime | None) -> SafeString:
    """Return a time in the viewer's zone, in full."""
    if value is None:
        return nothing()
    shown = timezone.localtime(value).strftime(MOMENT_FORMAT)
    return markup.filled('<time datetime="{}">{}</time>', value.isoformat(), shown)


def clock_time(value: datetime, now: datetime) -> str:
    """Return a time of today as `14:05:09` and another day's as `11-21 14:05:09`, in the viewer's zone."""
    local = timezone.localtime(value)
    is_today = local.date() == timezone.localdate(now)
    return local.strftime("%H:%M:%S" if is_today else "%m-%d %H:%M:%S")


def duration(span: timedelta) -> str:
    """Return a span of time in its two greatest units: `3 d 4 h`, `12 min 5 s`, `0 s`."""
    seconds = max(int(span.total_seconds()), 0)
    units = ((86400, _t("d")), (3600, _t("h")), (60, _t("min")), (1, _t("s")))
    found = []
    for size, name in units:
        count, seconds = divmod(seconds, size)
        if count:
            found.append(f"{count} {name}")
        elif found:
            break
    return " ".join(found[:2]) or f"0 {_t('s')}"


def after(span: timedelta) -> str:
    """Say how long after something else something happened; nothing where it was at once."""
    return _t("after %s") % duration(span) if span >= timedelta(seconds=1) else ""


def number(text: str) -> SafeString:
    """Return a number of record with its copy button."""
    if not text:
        return nothing()
    return markup.filled(
        '<span class="id"><span>{}</span><button class="copy" type="button" data-copy="{}"'
        ' aria-label="{}"></button></span>', text, text, _t("Copy"),
    )  # fmt: skip


def badge(word: Any, tone: str) -> SafeString:
    """Return a state as its word on a tint."""
    return markup.filled('<span class="badge {}">{}</span>', tone, word)


def page_url(model: Any, key: Any) -> str:
    """Return the address of an object's page."""
    return admin_columns.page_of(f"{model._meta.app_label}_{model._meta.model_name}", key)


def link(model: Any, key: Any, text: Any, *, is_open: bool = True) -> SafeString:
    """Return a link to an object's page, or the text alone for those who may not open it."""
    if key is None:
        return nothing()
    return admin_columns.link_to(model, key, text) if is_open else markup.filled("{}", text)


def nothing() -> SafeString:
    """Return the dash that stands for no value."""
    return admin_columns.dash()
