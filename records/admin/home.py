"""The home page's panels of the book: how today goes, and what needs a person's eye, for each role."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from channels.models import Direction, Service
from diamondpay.lib import deadlines, markup, money, pages
from diamondpay.lib.admin_columns import Columns, css, heading, list_url
from records import attention, filters, queries, statistics, totals
from records import low_balances as low_balances_of_day
from records.admin import statistics_words as words
from records.models import Account, Case, Notification, Payment, Payout
from records.statistics import Asked, Links

ROWS_MAX = 5
SECONDS_MAX = 3
# Worker and beat show a sign of life every 5 seconds; three missing in a row are not a slow one.
PART_AGE_MAX = timedelta(seconds=20)
WORK_SECONDS_MAX = 60
_KINDS = {
    "payment": (totals.PAYMENTS, "records.view_payment"),
    "payout": (totals.PAYOUTS, "records.view_payout"),
}
_payment = Columns(Payment)
_payout = Columns(Payout)
_notification = Columns(Notification)
_case = Columns(Case)


def today(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Compare today until this minute with yesterday until the same minute of the clock."""
    zone: Any = timezone.get_current_timezone()
    minute = now.astimezone(zone).replace(second=0, microsecond=0)
    midnight = minute.replace(hour=0, minute=0, fold=0)
    day = timedelta(days=1)
    if minute == midnight:
        return {"until": minute, "rows": []}
    ranges = {"today": (midnight, minute), "yesterday": (midnight - day, (minute - day).replace(fold=0))}
    services, exponents = _services()
    rows: list[dict[str, Any]] = []
    with _moment():
        for kind, (number, permission) in _KINDS.items():
            if request.user.has_perm(permission):
                asked = Asked(
                    kind=number, start=midnight, end=minute, zone=zone, now=now,
                    merchants=_frozen(filters.confined_to(request.user)),
                )  # fmt: skip
                rows += _compared(Links(asked, services=services[kind]), kind, asked, ranges, exponents)
    return {"until": minute, "rows": rows}


def _services() -> tuple[dict[str, list[tuple[str, str]]], dict[str, int]]:
    """Return the services of each kind of order with their currencies, and the decimals of those."""
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in _KINDS}
    exponents: dict[str, int] = {}
    rows = Service.objects.order_by("pk").values_list("pk", "direction", "currency_id", "currency__exponent")
    for pk, direction, currency, exponent in rows:
        found["payment" if direction == Direction.DEPOSIT else "payout"].append((pk, currency))
        exponents[currency] = exponent
    return found, exponents


@contextmanager
def _moment() -> Iterator[None]:
    """Count in one snapshot, for no longer than a person waits for a home page.

    Raises: deadlines.TookTooLong.
    """
    with totals.snapshot(), deadlines.within(milliseconds=SECONDS_MAX * 1000):
        yield


def _patient(panel: Callable[[HttpRequest, datetime], dict[str, Any] | None]) -> Any:
    """Let a panel whose counting took too long say so, and the rest of the page come."""

    @functools.wraps(panel)
    def shown(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
        try:
            return panel(request, now)
        except deadlines.TookTooLong:
            return {"took_too_long": True}

    return shown


def _compared(
    links: Links,
    kind: str,
    asked: Asked,
    ranges: dict[str, tuple[datetime, datetime]],
    exponents: dict[str, int],
) -> list[dict[str, Any]]:
    show = words.Shown(exponents=exponents, names={}, list_url=_list(kind), zone=asked.zone)
    found: dict[str, dict[str, Any]] = {}
    in_order = sorted(ranges.items(), key=lambda each: each[1])
    each = statistics.whole_of_each(asked, ranges=[ends for _name, ends in in_order], links=links)
    for (name, (start, end)), whole in zip(in_order, each, strict=True):
        for row in statistics.by_currency(whole, links, start=start, end=end):
            zero = money.render(Decimal(0), exponents.get(row.currency, 2))
            found.setdefault(
                row.currency, {"kind": words.KINDS[kind], "currency": row.currency, "zero": zero}
            )
            found[row.currency][name] = show.row(row)
    return list(found.values())


def stuck_deposits(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Show deposits that expired and are still open."""
    rows = _visible(request, attention.stuck_deposits(now))
    columns = (
        _payment.page("payment_id"), _payment.text("merchant_id", label=_("merchant")),
        _payment.money("requested_amount", label=_("amount")), _payment.moment("expires_at"),
    )  # fmt: skip
    return table(
        title=_("Deposits past their expiry"), rows=rows, columns=columns,
        url=f"{_list('payment')}?{urlencode({'status': 0, 'created': 'any'})}",
        nothing=_("Nothing is stuck."),
        note=_("In progress more than two minutes after they expired, the longest overdue first."),
    )  # fmt: skip


def stuck_payouts(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Show payouts that take long, and say of which nobody knows the fate."""
    rows = _visible(request, attention.stuck_payouts(now))
    columns = (
        _payout.page("payout_id"), _payout.text("merchant_id", label=_("merchant")),
        _payout.money("requested_amount", label=_("amount")),
        _payout.computed(_fate, name="fate", label=_("state")), _payout.moment("created_at"),
    )  # fmt: skip
    before = statistics.minute(now - attention.PAYOUT_AGE, zone=timezone.get_current_timezone())
    query = urlencode({"status": 0, "created_to": before})
    return table(
        title=_("Payouts that take long"), rows=rows, columns=columns, url=f"{_list('payout')}?{query}",
        nothing=_("Nothing is stuck."),
        note=_("In progress for more than half an hour; “unknown” means that the upstream may have paid."),
    )  # fmt: skip


def _fate(row: Any) -> SafeString:
    if row.is_held:
        return format_html('<span class="badge review">{}</span>', gettext("Held"))
    if row.is_unknown:
        return format_html('<span class="badge review">{}</span>', gettext("Unknown"))
    return format_html('<span class="badge progress">{}</span>', gettext("In Progress"))


def failed_notifications(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Show what merchants were not told although all attempts were made."""
    since = now - attention.DAY
    rows = _visible(request, attention.failed_notifications(since))
    columns = (
        _notification.page("order_no"), _notification.text("merchant_id", label=_("merchant")),
        _notification.text("last_reason", label=_("reason")), _notification.moment("created_at"),
    )  # fmt: skip
    after = statistics.minute(since, zone=timezone.get_current_timezone())
    query = urlencode({"state": "failed", "created_from": after})
    return table(
        title=_("Failed notifications, last 24 hours"), rows=rows, columns=columns,
        url=f"{_list('notification')}?{query}", nothing=_("Every notification arrived or is being retried."),
        note=_("Given up after the last attempt; resend them from their page."),
    )  # fmt: skip


def open_cases(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Show what people must decide about."""
    rows = _visible(request, attention.open_cases())
    columns = (
        _case.computed(_case_link, name="kind", label=_("case")),
        _case.text("merchant_id", label=_("merchant")), _case.money("amount"), _case.moment("opened_at"),
    )  # fmt: skip
    return table(
        title=_("Open cases"), rows=rows, columns=columns, url=f"{_list('case')}?status=open",
        nothing=_("No case is open."), note=_("Newest first."),
    )  # fmt: skip


def _case_link(row: Any) -> SafeString:
    url = reverse("admin:records_case_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row.get_kind_display())


def reviews(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Show payouts that wait for a person's review."""
    if filters.confined_to(request.user) is not None:
        return None
    rows = _visible(request, attention.waiting_reviews())
    columns = (
        _payout.page("payout_id"), _payout.text("merchant_id", label=_("merchant")),
        _payout.money("requested_amount", label=_("amount")), _payout.moment("created_at"),
    )  # fmt: skip
    query = urlencode({"status": 3, "created": "any"})
    return table(
        title=_("Payouts waiting for review"), rows=rows, columns=columns, url=f"{_list('payout')}?{query}",
        nothing=_("No payout waits for a review."), note=_("Oldest first."),
    )  # fmt: skip


def low_balances(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Show wallets and channels whose balance is below what payouts took in a day."""
    if filters.confined_to(request.user) is not None:
        return None
    accounts = filters.visible_to(request.user, Account.objects.all())
    has_channels = request.user.has_perm("channels.view_channel")
    with _moment():
        found = low_balances_of_day.lowest(
            wallets=accounts, channels=accounts if has_channels else accounts.none(), now=now,
            row_count=ROWS_MAX,
        )  # fmt: skip
    rows = [
        {
            "name": low.name,
            "owner": gettext("channel") if low.is_channel else low.merchant_id,
            "url": _channel_url(low.name) if low.is_channel else _wallet_url(low.name),
            "balance": money.render(low.balance, low.exponent),
            "taken": money.render(low.taken, low.exponent), "currency": low.currency_id,
        }
        for low in found.rows
    ]  # fmt: skip
    return {
        "count": found.count, "rows": rows, "url": _list("account"),
        "left_out": found.count - len(rows),
    }  # fmt: skip


def wallets(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Show a merchant's own balances to its users."""
    confined = filters.confined_to(request.user)
    if confined is None:
        return None
    accounts = filters.visible_to(request.user, Account.objects.filter(merchant__isnull=False))
    found: dict[str, dict[str, Any]] = {}
    rows = accounts.order_by("merchant_channel_id").values_list(
        "merchant_channel_id", "merchant_channel__name", "kind", "balance", "currency_id",
        "currency__exponent",
    )[: 2 * 50]  # fmt: skip
    for wallet_id, name, kind, balance, currency, exponent in rows:
        url = f"{_list('balancerecord')}?{urlencode({'wallet': wallet_id})}"
        row = found.setdefault(wallet_id, {"id": wallet_id, "name": name, "currency": currency, "url": url})
        row[kind] = money.render(balance, exponent)
        row["is_empty"] = row.get("is_empty", True) and balance == Decimal(0)
    return {"rows": list(found.values())}


def parts(request: HttpRequest, now: datetime) -> dict[str, Any] | None:
    """Say whether the background parts live, and whether their work waits."""
    found = queries.background(now)
    rows = [
        {"name": name, "beat_at": at, "is_late": now - at > PART_AGE_MAX}
        for name, at in sorted(found.beats.items())
    ]
    waits = (
        (_("notifications due"), found.due_seconds),
        (_("callbacks without an outcome"), found.unanswered_seconds),
    )
    late = [
        ngettext("%(what)s wait for %(count)d second", "%(what)s wait for %(count)d seconds", int(seconds))
        % {"what": what, "count": int(seconds)}
        for what, seconds in waits
        if seconds is not None and seconds > WORK_SECONDS_MAX
    ]
    return {"rows": rows, "late": late, "is_calm": not late and rows and not any(r["is_late"] for r in rows)}


def table(
    *, title: Any, rows: QuerySet[Any], columns: Sequence[Any], url: str, nothing: Any, note: Any
) -> dict[str, Any]:
    """Return what `admin/home/rows.html` shows: the first rows, how many there are in all, where they are."""
    found, count = attention.first(rows, row_count=ROWS_MAX)
    named = [(column, css(column), heading(column)) for column in columns]
    shown = [[(column(row), name, title) for column, name, title in named] for row in found]
    return {
        "title": title, "count": count, "url": url, "nothing": nothing, "note": note,
        "headings": [(title, name) for _column, name, title in named], "rows": shown, "body": _body(shown),
    }  # fmt: skip


def _body(rows: Sequence[Sequence[tuple[Any, str, str]]]) -> SafeString:
    """Return the rows as the table wants them; a template would take ten times as long."""
    lines = (
        "".join(f"{_opening(name, title)}{markup.safe(shown)}</td>" for shown, name, title in row)
        for row in rows
    )
    return SafeString("".join(f"<tr>{line}</tr>" for line in lines))


@functools.lru_cache(maxsize=256)
def _opening(name: str, title: str) -> SafeString:
    is_long = "reason" in name or "object_name" in name
    return markup.filled('<td class="{}{}" data-label="{}">', name, " cut" if is_long else "", title)


def _visible(request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
    return filters.visible_to(request.user, queryset)


def _list(kind: str) -> str:
    return list_url(f"records.{kind}")


def _wallet_url(wallet_id: str) -> str:
    return f"{_list('account')}?{urlencode({'q': wallet_id})}"


def _channel_url(channel_id: str) -> str:
    return reverse("admin:channels_channel_change", args=[channel_id])


def _frozen(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


_ROWS = "admin/home/rows.html"
_ORDERS = ("records.view_payment", "records.view_payout")
for _panel_of_book in (
    pages.Panel(
        name="today", order=10, template="admin/home/today.html", permissions=_ORDERS,
        context=_patient(today),
    ),
    pages.Panel(
        name="wallets", order=15, template="admin/home/wallets.html",
        permissions=("records.view_balancerecord",), context=wallets,
    ),
    pages.Panel(
        name="stuck-deposits", order=20, template=_ROWS, permissions=("records.view_payment",),
        context=stuck_deposits,
    ),
    pages.Panel(
        name="stuck-payouts", order=21, template=_ROWS, permissions=("records.view_payout",),
        context=stuck_payouts,
    ),
    pages.Panel(
        name="reviews", order=30, template=_ROWS, permissions=("records.view_payout",), context=reviews
    ),
    pages.Panel(
        name="cases", order=40, template=_ROWS, permissions=("records.view_case",), context=open_cases
    ),
    pages.Panel(
        name="failed-notifications", order=50, template=_ROWS, permissions=("records.view_notification",),
        context=failed_notifications,
    ),
    pages.Panel(
        name="low-balances", order=60, template="admin/home/balances.html",
        permissions=("records.view_account",), context=_patient(low_balances),
    ),
    pages.Panel(
        name="parts", order=90, template="admin/home/parts.html",
        permissions=("diamondpay.view_heartbeat",), context=parts,
    ),
):  # fmt: skip
    pages.add_panel(_panel_of_book)
