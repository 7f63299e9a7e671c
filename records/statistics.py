"""What the statistics pages show: figures by service, channel, merchant or time, and the rows they count.

Every figure comes from `records.totals`, so it is exact at every moment; every row carries the query string
of the list that shows the orders it counts. Success rate = successful orders ÷ all orders created in the
range; beside it stands the rate of those that have ended, which orders still open do not press down.
Source: backoffice.md, Statistics.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from channels.models import Currency, Service
from diamondpay.lib import money
from records import periods, totals
from records.totals import Figures

SUCCESS = totals.SUCCESS
# Codes of `PaymentStatus` and `PayoutStatus` under which an order has not ended yet.
OPEN = {totals.PAYMENTS: (0,), totals.PAYOUTS: (0, 3)}
ENDED = {totals.PAYMENTS: (1, 2, 3), totals.PAYOUTS: (1, 2, 4)}
STEPS = ("hour", "day", "month")
# A table of more hours than this is not read by anybody, and its days are.
HOURS_MAX = timedelta(days=14)
_HOURLY_MAX = timedelta(hours=50)
_DAILY_MAX = timedelta(days=93)
Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which orders a page counts: of one kind, created in [start, end), through the filters of its bar.

    None leaves a filter open. `merchants` of somebody who is confined to merchants names those.
    """

    kind: int
    start: datetime
    end: datetime
    zone: ZoneInfo
    now: datetime
    merchants: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    currencies: tuple[str, ...] | None = None
    is_test: bool | None = False

    def arguments(self) -> dict[str, Any]:
        """Return what `totals.figures` and `totals.amounts` want to know."""
        return {
            "kind": self.kind, "start": self.start, "end": self.end, "merchants": self.merchants,
            "services": self.services, "channels": self.channels, "currencies": self.currencies,
            "is_test": self.is_test,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one group, currency and settlement currency.

    Units: requested and actual in major units of the currency, fee and credited in those of the settlement
    currency. Requested is of all orders; actual, fee and credited are of the successful ones. Without a
    settlement currency the orders of several stand together, and fee and credited are not added up. `queries`
    are the query strings of the lists of `all` orders, of those with `success`, those that `ended` and those
    still `open`.
    """

    key: Any
    currency: str
    settlement_currency: str = ""
    order_count: int = 0
    success_count: int = 0
    ended_count: int = 0
    requested: Decimal = Decimal(0)
    actual: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    credited: Decimal = Decimal(0)
    queries: Mapping[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> str:
        """What the lists' filter calls the row's settlement currency."""
        return totals.OWN if self.settlement_currency == self.currency else self.settlement_currency

    @property
    def open_count(self) -> int:
        """Orders that have not ended."""
        return self.order_count - self.ended_count

    @property
    def success_rate(self) -> Decimal | None:
        """Successful orders of all, in percent."""
        return percent(self.success_count, self.order_count)

    @property
    def ended_rate(self) -> Decimal | None:
        """Successful orders of those that have ended, in percent."""
        return percent(self.success_count, self.ended_count)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The orders requested from `low` up to, but without, `high`; None is no end."""

    currency: str
    low: Decimal | None
    high: Decimal | None
    order_count: int
    success_count: int
    queries: Mapping[str, str]

    @property
    def success_rate(self) -> Decimal | None:
        """Successful orders of all, in percent."""
        return percent(self.success_count, self.order_count)


class Links:
    """Query strings of the lists that show what a figure counts. Source: `records.filters`."""

    def __init__(self, asked: Asked, *, services: Iterable[tuple[str, str]] | None = None) -> None:
        """Keep the services of the kind with their currencies, asked for here where they are not given."""
        self._asked = asked
        self._ends: dict[tuple[Pair, ...], str] = {}
        self._services: dict[str, list[str]] = defaultdict(list)
        if services is None:
            direction = "deposit" if asked.kind == totals.PAYMENTS else "payout"
            found = Service.objects.filter(direction=direction).order_by("pk")
            services = found.values_list("pk", "currency_id")
        for pk, currency in services:
            if asked.services is None or pk in asked.services:
                self._services[currency].append(pk)

    def of(self, *, currency: str = "", pairs: Sequence[Pair] = (), **narrowed: Any) -> dict[str, str]:
        """Return the lists of a group: `narrowed` replaces what was asked, a currency is its services."""
        asked = replace(self._asked, **narrowed)
        services = asked.services
        if currency and "services" not in narrowed:
            # The list knows no currency, but each service is in one, and so are its orders.
            services = tuple(self._services[currency]) or services
        rest = (
            *(("merchant", key) for key in asked.merchants or ()),
            *(("service", key) for key in services or ()),
            *(("channel", key) for key in asked.channels or ()),
            *(() if asked.is_test is None else (("is_test", str(int(asked.is_test))),)),
            *pairs,
        )
        base = urlencode(window(asked.start, asked.end, zone=asked.zone)) + self._written(rest)
        return {
            "all": base,
            "success": base + self._written(_statuses(SUCCESS)),
            "ended": base + self._written(_statuses(*ENDED[asked.kind])),
            "open": base + self._written(_statuses(*OPEN[asked.kind])),
        }

    def _written(self, pairs: tuple[Pair, ...]) -> str:
        """Return the end of a query string. Rows differ in their range and little else, so it is kept."""
        if pairs not in self._ends:
            self._ends[pairs] = f"&{urlencode(pairs)}" if pairs else ""
        return self._ends[pairs]


def _statuses(*chosen: int) -> tuple[Pair, ...]:
    return tuple(("status", str(status)) for status in chosen)


def table(asked: Asked, *, by: str, links: Links) -> list[Row]:
    """Return a row for each service, channel or merchant and its currencies, those with most orders first."""
    names = {"service": "services", "channel": "channels", "merchant": "merchants"}
    found = totals.figures(**asked.arguments(), group_by=[by])
    rows = _rows(found, asked.kind)
    several = _converted_differently(rows)
    linked = [
        replace(
            row,
            queries=links.of(currency=row.currency, pairs=_settled(row, several), **{names[by]: (row.key,)}),
        )
        for row in rows
    ]
    if by == "service":
        return sorted(linked, key=lambda row: (row.key, _pair(row)))
    return sorted(linked, key=lambda row: (-row.order_count, row.key, _pair(row)))


def series(asked: Asked, *, step: str, links: Links) -> list[Row]:
    """Return a row for each hour, day or month of the range up to now and its currencies, oldest first.

    Periods without an order are there too, with zeros, for the currencies that the range has.
    """
    zone = asked.zone if step != "hour" else None
    found = totals.figures(**asked.arguments(), group_by=[step], zone=zone)
    rows = {(row.key, _pair(row)): row for row in _rows(found, asked.kind)}
    several = _converted_differently(rows.values())
    filled = []
    for key, start, end in _spans(asked, step):
        for pair in sorted({pair for _key, pair in rows}):
            row = rows.get((key, pair)) or Row(key=key, currency=pair[0], settlement_currency=pair[1])
            queries = links.of(currency=pair[0], pairs=_settled(row, several), start=start, end=end)
            filled.append(replace(row, queries=queries))
    return filled


def whole(asked: Asked, *, links: Links) -> list[Row]:
    """Return one row for each currency and settlement currency, those with most orders first."""
    rows = _rows(totals.figures(**asked.arguments()), asked.kind)
    return _linked(rows, links, start=asked.start, end=asked.end)


def whole_of_each(
    asked: Asked, *, ranges: Sequence[tuple[datetime, datetime]], links: Links
) -> list[list[Row]]:
    """Return what `whole` does for each of some ranges, in one statement."""
    found = totals.compared(
        kind=asked.kind, ranges=ranges, merchants=asked.merchants, is_test=asked.is_test, now=asked.now
    )
    return [
        _linked(_rows(figures, asked.kind), links, start=start, end=end)
        for figures, (start, end) in zip(found, ranges, strict=True)
    ]


def summed(rows: Iterable[Row], links: Links) -> list[Row]:
    """Return the sums of rows, one for each pair of currencies, those with most orders first."""
    found: dict[Pair, Row] = {}
    for row in rows:
        empty = Row(key=None, currency=row.currency, settlement_currency=row.settlement_currency)
        found[_pair(row)] = _added(found.get(_pair(row), empty), row)
    return _linked(found.values(), links)


def by_currency(rows: Iterable[Row], links: Links, **narrowed: Any) -> list[Row]:
    """Return rows with the settlement currencies of each group and currency together, in their order.

    Counts, requested and actual amounts can be added up so; fees and credits are in several currencies.
    """
    found: dict[tuple[Any, str], Row] = {}
    for row in rows:
        key = (row.key, row.currency)
        if key not in found:
            found[key] = row
            continue
        both = _added(found[key], row)
        queries = links.of(currency=row.currency, **narrowed)
        found[key] = replace(
            both, settlement_currency="", fee=Decimal(0), credited=Decimal(0), queries=queries
        )
    return list(found.values())


def distribution(asked: Asked, *, currency: str, links: Links) -> list[Bucket]:
    """Return how the requested amounts of one currency are distributed, without gaps, smallest first."""
    found = totals.amounts(**{**asked.arguments(), "currencies": (currency,)}, now=asked.now)
    if not found:
        return []
    exponent = Currency.objects.values_list("exponent", flat=True).get(pk=currency)
    counted = {row.bucket: row for row in found}
    buckets = []
    for number in range(min(counted), max(counted) + 1):
        low = totals.AMOUNT_EDGES[number - 1] if number else None
        high = totals.AMOUNT_EDGES[number] if number < len(totals.AMOUNT_EDGES) else None
        pairs = [("amount_min", money.plain(low))] if low is not None else []
        if high is not None:
            # The list includes its upper end; no order has more decimals than its currency.
            pairs.append(("amount_max", money.plain(high - Decimal(1).scaleb(-exponent))))
        row = counted.get(number)
        buckets.append(
            Bucket(
                currency=currency, low=low, high=high, order_count=row.order_count if row else 0,
                success_count=row.success_count if row else 0,
                queries=links.of(currency=currency, pairs=pairs),
            )
        )  # fmt: skip
    return buckets


def step_for(start: datetime, end: datetime) -> str:
    """Return the period by which a range is drawn, so that a chart has points enough and not too many."""
    length = end - start
    return "hour" if length <= _HOURLY_MAX else "day" if length <= _DAILY_MAX else "month"


def window(start: datetime, end: datetime, *, zone: ZoneInfo) -> list[Pair]:
    """Return a range as the lists' filters read it: as days where it is whole days of the zone."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if _is_midnight(first) and _is_midnight(last):
        last_day = last.date() - timedelta(days=1)
        return [("created_from", first.date().isoformat()), ("created_to", last_day.isoformat())]
    return [("created_from", _written(first)), ("created_to", _written(last))]


def minute(moment: datetime, *, zone: ZoneInfo) -> str:
    """Return the minute in which a moment lies as the lists' filters read it."""
    return _written(moment.astimezone(zone).replace(second=0, microsecond=0))


def percent(part: int, whole: int) -> Decimal | None:
    """Return a share in percent, half up to two decimals; None of nothing."""
    if not whole:
        return None
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def percent_change(before: Decimal, after: Decimal) -> Decimal:
    """Return by how much a figure grew or shrank in percent, half up to two decimals."""
    return ((after / before - 1) * 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _rows(found: Iterable[Figures], kind: int) -> list[Row]:
    """Add the statuses of each group and its currencies up."""
    rows: dict[tuple[Any, str, str], Row] = {}
    for figures in found:
        group = figures.group[0] if figures.group else None
        key = (group, figures.currency, figures.settlement_currency)
        is_success = figures.status == SUCCESS
        part = Row(
            key=key[0], currency=key[1], settlement_currency=key[2], order_count=figures.order_count,
            success_count=figures.order_count if is_success else 0,
            ended_count=figures.order_count if figures.status in ENDED[kind] else 0,
            requested=figures.requested_sum,
            actual=figures.actual_sum if is_success else Decimal(0),
            fee=figures.fee_sum if is_success else Decimal(0),
            credited=figures.credited_sum if is_success else Decimal(0),
        )  # fmt: skip
        rows[key] = _added(rows[key], part) if key in rows else part
    return list(rows.values())


def _pair(row: Row) -> Pair:
    return row.currency, row.settlement_currency


def _converted_differently(rows: Iterable[Row]) -> set[str]:
    """Return the currencies that settle in more than one: their lists must say which they mean."""
    pairs = {_pair(row) for row in rows}
    currencies = [currency for currency, _settlement in pairs]
    return {currency for currency in currencies if currencies.count(currency) > 1}


def _settled(row: Row, several: set[str]) -> list[Pair]:
    return [("settled", row.settled)] if row.currency in several else []


def _linked(rows: Iterable[Row], links: Links, **narrowed: Any) -> list[Row]:
    """Return rows with their lists, those with most orders first."""
    found = sorted(rows, key=lambda row: (-row.order_count, _pair(row)))
    several = _converted_differently(found)
    return [
        replace(row, queries=links.of(currency=row.currency, pairs=_settled(row, several), **narrowed))
        for row in found
    ]


def _added(row: Row, other: Row) -> Row:
    names = (
        "order_count", "success_count", "ended_count", "requested", "actual", "fee", "credited",
    )  # fmt: skip
    return replace(row, **{name: getattr(row, name) + getattr(other, name) for name in names})


def _spans(asked: Asked, step: str) -> list[tuple[Any, datetime, datetime]]:
    """Return the periods of the range that have begun, each with its key in the figures and its ends."""
    found: list[tuple[Any, datetime, datetime]] = []
    if step == "hour":
        hour = periods.rounded_down(asked.start, periods.HOUR)
        while hour < asked.end:
            found.append((hour, max(hour, asked.start), min(hour + periods.HOUR, asked.end)))
            hour += periods.HOUR
    else:
        edges, names = periods.split(asked.start, asked.end, step=step, zone=asked.zone)
        found = list(zip(names, edges, edges[1:], strict=False))
    return [each for each in found if each[1] <= asked.now] or found[:1]


def _is_midnight(moment: datetime) -> bool:
    """Say whether a day of the moment's zone begins with it."""
    midnight = datetime.combine(moment.date(), time.min, tzinfo=moment.tzinfo)
    return midnight.astimezone(UTC) == moment.astimezone(UTC)


def _written(moment: datetime) -> str:
    """Return a moment for the address; with its distance from UTC where its name alone would mislead."""
    naive = moment.replace(tzinfo=None)
    text = naive.isoformat(timespec="minutes" if not (naive.second or naive.microsecond) else "auto")
    read_back = datetime.fromisoformat(text).replace(tzinfo=moment.tzinfo)
    if read_back.astimezone(UTC) == moment.astimezone(UTC):
        return text
    return moment.isoformat(timespec="minutes" if not (naive.second or naive.microsecond) else "auto")


def day_of(key: date | datetime, zone: ZoneInfo) -> date | datetime:
    """Return a period's key for reading: an hour as the zone's clock shows it, a day as it is."""
    return key.astimezone(zone) if isinstance(key, datetime) else key
