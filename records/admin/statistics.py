"""Service statistics and success-rate statistics: figures of any range, each leading to what it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, Currency, Service
from diamondpay.lib import clock, deadlines, money, pages
from merchants.models import Merchant
from records import filter_sets, filters, statistics, statistics_filters, totals
from records.admin import statistics_words as words
from records.admin.statistics_cells import Cells
from records.statistics import Asked, Bucket, Links, Row

PERMISSIONS = {"payment": "records.view_payment", "payout": "records.view_payout"}
_LISTS = {"payment": "admin:records_payment_changelist", "payout": "admin:records_payout_changelist"}
# Longer tables are not read; the rest is in the sums below them.
ROWS_MAX = 200
SECONDS_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one of the pages shows: its groupings, the first of which is shown unless another is chosen."""

    name: str
    title: Any
    dimensions: tuple[str, ...]


SERVICE = Shape(name="service_statistics", title=_("Service Statistics"), dimensions=("service",))
SUCCESS_RATE = Shape(
    name="success_rate_statistics",
    title=_("Success Rate Statistics"),
    dimensions=("service", "channel", "merchant", "hour", "day"),
)


def service_statistics(request: HttpRequest) -> HttpResponseBase:
    """Show what each service carried: orders, amounts, fees, success."""
    return _page(request, SERVICE)


def success_rate_statistics(request: HttpRequest) -> HttpResponseBase:
    """Show how many orders succeed: by service, channel, merchant, hour or day."""
    return _page(request, SUCCESS_RATE)


def _page(request: HttpRequest, shape: Shape) -> HttpResponseBase:
    now = clock.now()
    kinds = [kind for kind, permission in PERMISSIONS.items() if request.user.has_perm(permission)]
    if not kinds:
        raise PermissionDenied
    complaints: list[str] = []
    kind = _chosen(request, "kind", kinds, complaints)
    dimensions = _dimensions(request, shape)
    by = _chosen(request, "by", dimensions, complaints)
    zone: Any = timezone.get_current_timezone()
    question = statistics_filters.read(kind, request.GET, user=request.user, zone=zone, now=now)
    reading = question.reading
    complaints += reading.errors
    complaints += [
        gettext("These pages have no filter “%s”; it was ignored.") % name[:40] for name in reading.unknown
    ]
    context = {
        **admin.site.each_context(request),
        "title": shape.title,
        "shape": shape,
        "kind": kind,
        "by": by,
        "complaints": complaints,
        "controls": words.controls(reading, request.GET, zone=zone),
        "chips": reading.chips,
        "kinds": [(each, words.KINDS[each], _with(request, kind=each)) for each in kinds],
        "dimensions": [(each, words.DIMENSIONS[each], _with(request, by=each)) for each in dimensions],
        "definitions": words.definitions(kind),
        "view_query": {"kind": kind, "by": by},
    }
    if question.asked is not None:
        context |= _counted(request, question.asked, by=by, complaints=complaints)
    template = f"admin/statistics/{shape.name}.html"
    return TemplateResponse(request, template, context, status=200)


def _counted(request: HttpRequest, asked: Asked, *, by: str, complaints: list[str]) -> dict[str, Any]:
    """Count everything in one snapshot; where that takes too long, say how to ask for less."""
    try:
        with totals.snapshot(), deadlines.within(milliseconds=SECONDS_MAX * 1000):
            return _figures(request, asked, by=by, complaints=complaints)
    except deadlines.TookTooLong:
        complaints.append(
            gettext("Counting took longer than %d s. Choose a shorter range or a merchant.") % SECONDS_MAX
        )
        return {}


def _figures(request: HttpRequest, asked: Asked, *, by: str, complaints: list[str]) -> dict[str, Any]:
    links = Links(asked)
    step = statistics.step_for(asked.start, asked.end)
    if by == "hour" and asked.end - asked.start > statistics.HOURS_MAX:
        complaints.append(
            gettext("By the hour at most %d days are shown; here are the days.") % statistics.HOURS_MAX.days
        )
        by = "day"
    if by in statistics.STEPS:
        step = by
    rows = [] if by == step else statistics.table(asked, by=by, links=links)
    sums = statistics.summed(rows, links) if rows else statistics.whole(asked, links=links)
    together = statistics.by_currency(sums, links)
    units = [(row.currency, _with(request, unit=row.currency)) for row in together]
    unit = _unit(request, together, complaints)
    buckets = statistics.distribution(asked, currency=unit, links=links) if unit else []
    exponents = dict(Currency.objects.values_list("pk", "exponent"))
    # Over time one currency is drawn: a month has a row for each hour of each, and the others are not read.
    one = replace(asked, currencies=(unit,))
    drawn = statistics.series(one, step=step, links=links) if unit else []
    if by == step:
        # Days of several currencies between each other are hard to read; the newest comes first.
        rows, sums = drawn[::-1], [row for row in sums if row.currency == unit]
    shown = rows if by == step else rows[:ROWS_MAX]
    names = _names(by, {row.key for row in shown})
    kind = "payment" if asked.kind == totals.PAYMENTS else "payout"
    show = words.Shown(
        exponents=exponents, names=names, list_url=reverse(_LISTS[kind]), zone=asked.zone, cells=Cells(kind)
    )
    return {
        "step": step,
        "shown_by": by,
        "heading": words.DIMENSIONS[by],
        "rows": [show.row(row) for row in shown],
        "left_out": len(rows) - len(shown),
        "sums": [show.row(row) for row in sums],
        "over_time": [show.row(row) for row in drawn[::-1]] if by != step else [],
        "buckets": [show.bucket(bucket) for bucket in buckets],
        "unit": unit,
        "units": units,
        "charts": _charts(statistics.by_currency(drawn, links), buckets, show) if drawn else {},
        "from": asked.start,
        "to": asked.end,
        "now": asked.now,
    }


def _charts(drawn: Sequence[Row], buckets: Sequence[Bucket], show: words.Shown) -> dict[str, Any]:
    """Return what the charts draw; numbers are texts, which lose no digit on the way."""
    unit = drawn[0].currency
    has_open = any(row.open_count for row in drawn)
    ended = _line(gettext("of the ended"), "accent", [row.ended_rate for row in drawn], is_thin=True)
    success = _line(gettext("Success rate"), "success", [row.success_rate for row in drawn])
    labels = [show.tick(row.key) for row in drawn]
    return {
        "rate": {
            "labels": labels, "unit": "%",
            "series": [ended, success] if has_open else [success],
        },
        "volume": {
            "labels": labels, "unit": unit,
            "series": [_bars(gettext("Actual amount"), "accent", [row.actual for row in drawn])],
        },
        "amounts": {
            "labels": [show.short(bucket) for bucket in buckets], "unit": gettext("orders"),
            "is_count": True,
            "series": [
                _bars(gettext("Orders"), "closed", [bucket.order_count for bucket in buckets]),
                _bars(gettext("Successful"), "success", [bucket.success_count for bucket in buckets]),
            ],
        },
    }  # fmt: skip


def _line(name: str, tone: str, values: Sequence[Any], *, is_thin: bool = False) -> dict[str, Any]:
    return {"name": name, "tone": tone, "is_line": True, "is_thin": is_thin, "values": _texts(values)}


def _bars(name: str, tone: str, values: Sequence[Any]) -> dict[str, Any]:
    return {"name": name, "tone": tone, "is_line": False, "values": _texts(values)}


def _texts(values: Sequence[Any]) -> list[str | None]:
    return [None if value is None else money.plain(value) if value else "0" for value in values]


def _dimensions(request: HttpRequest, shape: Shape) -> list[str]:
    """Leave out what the person may not see or has only one of."""
    hidden = set()
    if not request.user.has_perm(filter_sets.UPSTREAM):
        hidden.add("channel")
    confined = filters.confined_to(request.user)
    if confined is not None and len(confined) < 2:
        hidden.add("merchant")
    return [each for each in shape.dimensions if each not in hidden]


def _chosen(request: HttpRequest, name: str, offered: Sequence[str], complaints: list[str]) -> str:
    value = request.GET.get(name, "")
    if value and value not in offered:
        complaints.append(
            gettext("“%(value)s” is no choice of “%(name)s” here; this is “%(instead)s”.")
            % {"value": value[:40], "name": name, "instead": offered[0]}
        )
    return value if value in offered else offered[0]


def _unit(request: HttpRequest, sums: Sequence[Row], complaints: list[str]) -> str:
    """Return the currency of the charts: the one asked for, else the one with most orders."""
    offered = [row.currency for row in sums]
    wanted = request.GET.get("unit", "")
    if wanted and offered and wanted not in offered:
        complaints.append(gettext("There are no orders in “%s” here.") % wanted[:40])
    if not offered:
        return ""
    return wanted if wanted in offered else offered[0]


def _names(by: str, keys: set[Any]) -> dict[Any, str]:
    models: dict[str, Any] = {"service": Service, "channel": Channel, "merchant": Merchant}
    if by not in models:
        return {}
    return dict(models[by].objects.filter(pk__in=keys).values_list("pk", "name"))


def _with(request: HttpRequest, **changed: str) -> str:
    query = request.GET.copy()
    for name, value in changed.items():
        query[name] = value
    return f"?{query.urlencode()}"


for _shape, _view, _path in (
    (SERVICE, service_statistics, "statistics/services/"),
    (SUCCESS_RATE, success_rate_statistics, "statistics/success-rate/"),
):
    pages.add_page(
        pages.Page(path=_path, name=_shape.name, view=_view, permissions=tuple(PERMISSIONS.values()))
    )
