"""How statistics are written: names, definitions, the controls of the bar, rows as templates show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils import dateformat
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import money
from diamondpay.lib.filters import Reading
from records.admin.statistics_cells import Cells
from records.statistics import Bucket, Row

KINDS = {"payment": _("Deposits"), "payout": _("Payouts")}
DIMENSIONS = {
    "service": _("Service"), "channel": _("Channel"), "merchant": _("Merchant"), "hour": _("Hour"),
    "day": _("Day"), "month": _("Month"),
}  # fmt: skip
_FIELD = "%Y-%m-%dT%H:%M"


def definitions(kind: str) -> list[tuple[Any, Any]]:
    """Return what each figure means, for the list of definitions on the page."""
    is_payout = kind == "payout"
    ended = _("Success, Failed or Review Rejected") if is_payout else _("Success, Failed or Closed")
    return [
        (_("Orders"), _("All orders created in the range, whatever became of them since.")),
        (_("Successful"), _("Those of them whose status is Success now, whenever they succeeded.")),
        (_("Open"), _("Those that have not ended: under review or in progress.") if is_payout
         else _("Those that have not ended: in progress.")),
        (_("Success rate"), _("Successful ÷ orders. Orders still open count as not successful.")),
        (_("Of the ended"), gettext("Successful ÷ orders that have ended (%s).") % ended),
        (_("Requested"), _("Sum of the requested amounts of all orders.")),
        (_("Actual"), _("Sum of what was really paid out, successful orders alone.") if is_payout
         else _("Sum of what was really received, successful orders alone.")),
        (_("Fee"), _("Sum of the fees of successful orders, in the currency of the wallet.")),
        (_("Debited") if is_payout else _("Credited"),
         _("Sum of what wallets were debited, amount and fee, for successful orders.") if is_payout
         else _("Sum of what was credited to wallets for successful orders: actual, converted where the"
                " wallet is in another currency, less fee.")),
        (_("Amounts"), _("Orders by their requested amount, each bucket from its lower end up to the next.")),
    ]  # fmt: skip


def pair(currency: str, settlement_currency: str) -> str:
    """Return a currency with the one in which its orders settle, where that is another."""
    if settlement_currency in ("", currency):
        return currency
    return f"{currency} → {settlement_currency}"


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control of the bar."""

    name: str
    title: str
    kind: str
    options: tuple[tuple[str, str, bool], ...]
    value: str = ""
    first: str = ""
    last: str = ""
    links: tuple[tuple[str, str, bool], ...] = ()

    @property
    def chosen(self) -> list[str]:
        """The words of what is chosen."""
        return [word for _value, word, is_chosen in self.options if is_chosen]


def controls(reading: Reading, params: QueryDict, *, zone: ZoneInfo) -> list[Control]:
    """Return the controls of the bar with what is set; presets are links, which need no button."""
    found = []
    for name, each in reading.filterset.filters.items():
        value = reading.values.get(name)
        options = tuple(each.options(value))
        if each.control != "moments":
            text = params.get(name, "") if each.control == "lookup" else ""
            found.append(Control(name=name, title=each.title, kind=each.control, options=options, value=text))
            continue
        ends = value if value is not None and not value.preset else None
        found.append(
            Control(
                name=name, title=each.title, kind=each.control, options=options,
                value=value.preset if value is not None and not value.is_default else "",
                first=_field(ends.start, zone) if ends else "",
                last=_field(ends.end, zone) if ends else "",
                links=tuple((_preset(params, name, preset), word, on) for preset, word, on in options),
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Writes rows for the templates. `exponents` are the currencies' decimals, `names` those of the keys.

    With `cells` each row brings its cells too.
    """

    exponents: Mapping[str, int]
    names: Mapping[Any, str]
    list_url: str
    zone: ZoneInfo
    cells: Cells | None = None

    def row(self, row: Row) -> dict[str, Any]:
        """Return a row's texts and the lists behind them."""
        urls = {name: f"{self.list_url}?{query}" for name, query in row.queries.items()}
        shown = {
            "label": self.label(row.key), "name": self.names.get(row.key, ""),
            "currency": pair(row.currency, row.settlement_currency),
            "orders": f"{row.order_count:,}", "success": f"{row.success_count:,}",
            "open": f"{row.open_count:,}" if row.open_count else "",
            "rate": row.success_rate, "ended_rate": row.ended_rate, "urls": urls,
            "requested": self._amount(row.requested, row.currency),
            "actual": self._amount(row.actual, row.currency),
            "fee": self._settled(row.fee, row), "credited": self._settled(row.credited, row),
        }  # fmt: skip
        return shown if self.cells is None else {**shown, "cells": self.cells.row(shown)}

    def bucket(self, bucket: Bucket) -> dict[str, Any]:
        """Return a bucket's texts and the lists behind them."""
        urls = {name: f"{self.list_url}?{query}" for name, query in bucket.queries.items()}
        shown = {
            "label": self._range(bucket), "orders": f"{bucket.order_count:,}" if bucket.order_count else "",
            "success": f"{bucket.success_count:,}", "rate": bucket.success_rate, "urls": urls,
        }  # fmt: skip
        return shown if self.cells is None else {**shown, "cells": self.cells.bucket(shown)}

    def label(self, key: Any) -> str:
        """Return a group's key for reading: an hour as the viewer's clock shows it."""
        if isinstance(key, datetime):
            local = key.astimezone(self.zone)
            is_twice = local.replace(fold=1).utcoffset() != local.replace(fold=0).utcoffset()
            return dateformat.format(local, "m-d H:i O" if is_twice else "m-d H:i")
        return "" if key is None else str(key)

    def tick(self, key: Any) -> str:
        """Return a period's key for the axis of a chart."""
        is_day = isinstance(key, date) and not isinstance(key, datetime)
        return f"{key:%m-%d}" if is_day else self.label(key)

    def short(self, bucket: Bucket) -> str:
        """Return the lower end of a bucket, for the axis of a chart."""
        return "0" if bucket.low is None else money.render(bucket.low, 0)

    def _range(self, bucket: Bucket) -> str:
        exponent = self.exponents.get(bucket.currency, 2)
        if bucket.high is None:
            return gettext("from %s") % self.short(bucket)
        last = bucket.high - Decimal(1).scaleb(-exponent)
        return f"{self.short(bucket)} – {money.render(last, exponent)}"

    def _settled(self, amount: Decimal, row: Row) -> str:
        """Return an amount of the wallet's currency, which it names where the row's is another."""
        written = self._amount(amount, row.settlement_currency or row.currency)
        is_converted = row.settlement_currency not in ("", row.currency)
        return f"{written} {row.settlement_currency}" if is_converted else written

    def _amount(self, amount: Decimal, currency: str) -> str:
        return money.render(amount, self.exponents.get(currency, 2))


def _preset(params: QueryDict, name: str, preset: str) -> str:
    query = params.copy()
    for each in (name, f"{name}_from", f"{name}_to"):
        query.pop(each, None)
    query[name] = preset
    return f"?{query.urlencode()}"


def _field(moment: datetime | None, zone: ZoneInfo) -> str:
    """Return a moment for a field of the browser, which knows minutes of the viewer's clock."""
    if moment is None:
        return ""
    shown = moment if moment.second == 0 else moment + timedelta(minutes=1)
    return shown.astimezone(zone).strftime(_FIELD)
